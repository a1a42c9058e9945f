"""Store of versions: immutable folders, one of a use case in production.

A version counts when its line in the ledger does: the files are written beside and made safe, the line is appended, the
folder is renamed, the head is replaced. Whenever a process dies, the next one can tell what had happened, and no reader sees
half of it.
"""

from __future__ import annotations

import getpass
import os
import shlex
import shutil
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from bank_models.config.catalogue import CONF, full_name
from bank_models.errors import ConfigError, IntegrityError
from bank_models.files import folders
from bank_models.registry import run, signing, staging, versions, witness
from bank_models.registry.entry import make_entry
from bank_models.registry.ledger import Ledger
from bank_models.registry.lines import Line, before_in_production, newest_registered
from bank_models.registry.lines import until as up_to
from bank_models.registry.model_version import ROOT, Version, choose, command, in_production, of_lines
from bank_models.registry.signing import Keys
from bank_models.runs import provenance


@dataclass(frozen=True)
class Registry:
    """Versions of all use cases below a folder.

    Attributes
    ----------
    root : Path
    keys : Keys
    """

    root: Path = ROOT
    keys: Keys = field(default_factory=Keys)

    def use_cases(self) -> list[str]:
        """Keys of the use cases that have something here, or had it when this machine saw their signed ledgers last.

        Raises
        ------
        ConfigError
            If the root isn't a folder.
        """
        if not self.root.exists():
            found = set()
        elif not self.root.is_dir():
            raise ConfigError(f"{self.root} is not a folder: name the one that holds the registry")
        else:
            known = (path for path in self.root.iterdir() if path.is_symlink() or path.is_dir())
            found = {path.name for path in known if self.ledger(path.name).is_begun()}
        return sorted(found | set(witness.known(self.keys.fingerprint, self.root) if self.keys.fingerprint else ()))

    def ledger(self, use_case: str) -> Ledger:
        return Ledger(self.root / use_case, self.keys)

    def history(self, use_case: str, until: str | None = None) -> list[Line]:
        """What happened to a use case's versions, up to a moment (ISO 8601 in UTC) if one is given: see `lines.until`."""
        lines = self.ledger(use_case).read()
        return lines if until is None else up_to(lines, until)

    def versions(self, use_case: str, until: str | None = None) -> list[Version]:
        """Versions of a use case from the oldest to the newest, as they stand or as they stood at a moment."""
        return of_lines(use_case, self.history(use_case, until), self.root)

    def once_in_production(self, use_case: str) -> list[Version]:
        """Versions that are or were in production."""
        promoted = {line["version"] for line in self.history(use_case) if line["action"] == "promote"}
        return [version for version in self.versions(use_case) if version.version in promoted]

    def find(self, use_case: str, version: str | None = None) -> Version:
        """The version in production, or the one of a number; not verified yet.

        Raises
        ------
        ConfigError
            If there is none.
        IntegrityError
            If the ledger isn't what was written.
        """
        return choose(self.versions(use_case), use_case, version, self.root, self.use_cases())

    def register(
        self,
        run_dir: Path,
        by: str | None = None,
        reason: str = "trained",
        use_case: str | None = None,
        manifest_sha256: str | None = None,
        config_dirs: Iterable[Path] = (CONF,),
    ) -> Version:
        """Make a run a new version, in status staging.

        Nothing is written before every byte, name and fact of the run folder was checked.

        Parameters
        ----------
        run_dir : Path
            Its files must be what its manifest says.
        by, reason : str
            For the ledger; by default whose process this is.
        use_case : str, optional
            Key of the use case that the run must be of; without it, one that is in `config_dirs` or has versions already.
        manifest_sha256 : str, optional
            Of the run's manifest, as the process remembers it that has just written the run.
        config_dirs : iterable of Path
            Folders that hold `use_case/`.

        Raises
        ------
        IntegrityError
            If the run isn't what was written, or isn't a run.
        ConfigError
            If its use case isn't known.
        """
        _check_plain(by, reason)
        facts, metrics, manifest_sha256 = run.read(Path(run_dir), manifest_sha256)
        self._check_use_case(facts["use_case_key"], use_case, Path(run_dir), list(config_dirs))
        use_case = facts["use_case_key"]
        hashes = {
            "inputs_sha256": versions.inputs_sha256(facts["config"]),
            "configuration_sha256": versions.configuration_sha256(facts["config"]),
        }
        ledger = self.ledger(use_case)
        with ledger.locked() as lines:
            for left in ledger.folder.glob(f".{staging.NEW}*"):  # by a process that died: only one at a time writes here
                shutil.rmtree(left)
            with folders.scratch(f".{staging.NEW}", ledger.folder) as files:
                staging.copy(Path(run_dir), files, manifest_sha256)
                before = newest_registered(lines)
                version = versions.next_version(before, hashes["inputs_sha256"], hashes["configuration_sha256"])
                folder = ledger.folder / f"v{version}"
                if folder.exists():
                    raise IntegrityError(f"{folder} is in the way: no line of the ledger knows it. Look at it, then remove it.")
                entry = make_entry(facts, metrics, version, folder)
                line = {
                    **_who(by, reason), "action": "register", "version": version, "entry": entry,
                    "manifest_sha256": staging.seal(files, entry, Path(run_dir)), **hashes,
                }  # fmt: skip
                line = ledger.append(line, lines[-1] if lines else None, lambda: staging.publish(files, folder))
                return of_lines(use_case, [*lines, line], self.root)[-1]

    def unchanged(self, run_dir: Path, use_case: str, manifest_sha256: str | None = None) -> Version | None:
        """The newest version, if a run gave the same model of the same rows by the same settings once more.

        Parameters
        ----------
        run_dir, manifest_sha256
            As in `register`.
        use_case : str

        Returns
        -------
        Version or None
            None also where the newest version is archived: the run may bring it back as a new one.

        Raises
        ------
        IntegrityError
            If the run or the version isn't what was written.
        """
        known = self.versions(use_case)
        if not known:
            return None
        newest = max(known, key=lambda one: versions.parse(one.version))
        newest.verify()
        mine, theirs = run.read(Path(run_dir), manifest_sha256), run.read(newest.folder, newest.manifest_sha256)
        is_same = run.identity(Path(run_dir), mine) == run.identity(newest.folder, theirs)
        return newest if is_same and newest.status != "archived" else None

    def promote(
        self, version: Version, rival: Version | None, by: str | None, reason: str, gates: list[dict[str, Any]], forced: bool
    ) -> Line:
        """Put a version into production; the one that is there is archived. `registry.promotion` judges whether it may.

        Raises
        ------
        ConfigError
            If `rival`, with which it was compared, isn't what is in production any more.
        """
        with self.ledger(version.use_case).locked() as lines:
            current = in_production(of_lines(version.use_case, lines, self.root))
            if (current and current.version) != (rival and rival.version):
                raise ConfigError(f"Another version of {version.use_case} went into production meanwhile: compare with it.")
            facts = {"action": "promote", "version": version.version, "replaces": current and current.version}
            facts |= {"gates": gates, "forced": forced}
            return self.ledger(version.use_case).append({**_who(by, reason), **facts}, lines[-1])

    def rollback(self, use_case: str, by: str | None, reason: str) -> Line:
        """Put back into production what was there before.

        Raises
        ------
        ConfigError
            If nothing is, or nothing was.
        """
        self.find(use_case)
        with self.ledger(use_case).locked() as lines:
            known = of_lines(use_case, lines, self.root)
            current = in_production(known)
            before = before_in_production(lines)
            if current is None or before is None:
                raise ConfigError(f"{use_case} has no earlier version in production to go back to. See: "
                                  f"{command(f'show {use_case}', self.root)}")  # fmt: skip
            next(one for one in known if one.version == before).verify()
            facts = {"action": "rollback", "version": before, "replaces": current.version}
            return self.ledger(use_case).append({**_who(by, reason), **facts}, lines[-1])

    def archive(self, version: Version, by: str | None, reason: str) -> Line:
        """Take a version out of use.

        Raises
        ------
        ConfigError
            If it's archived already.
        """
        with self.ledger(version.use_case).locked() as lines:
            known = of_lines(version.use_case, lines, self.root)
            now = choose(known, version.use_case, version.version, self.root, [version.use_case])
            if now.status == "archived":
                raise ConfigError(f"{version.name} is archived already.")
            facts = {"action": "archive", "version": version.version}
            return self.ledger(version.use_case).append({**_who(by, reason), **facts}, lines[-1])

    def verify(self, use_case: str) -> dict[str, Any]:
        """Check the chain, the head, and every byte of every version.

        Returns
        -------
        dict
            `use_case`, `n_lines`, `n_versions`, and `pending`, the version whose registration a process had begun when it
            died, which doesn't count, or None.

        Raises
        ------
        IntegrityError
        """
        ledger = self.ledger(use_case)
        versions = sorted(ledger.folder.glob("v*"))  # a line precedes its folder, so look at folders first
        lines, pending = ledger.read_all()
        if not ledger.is_begun():
            raise IntegrityError(f"{use_case} has no ledger in {self.root}: nothing was verified.")
        known = of_lines(use_case, lines, self.root)
        names = {f"v{version.version}" for version in known}
        begun = f"v{pending['version']}" if pending and pending["action"] == "register" else None
        for path in versions:
            if path.name not in names and path.name != begun:
                raise IntegrityError(f"{path} is a version that no line of {ledger.path} knows.")
        for version in known:
            version.verify()
        return {"use_case": use_case, "n_lines": len(lines), "n_versions": len(known), "pending": begun}

    def _check_use_case(self, key: str, expected: str | None, run_dir: Path, config_dirs: list[Path]) -> None:
        """Refuse a run of another use case than expected, or of one that nobody knows here."""
        if expected is not None and key != expected:
            raise IntegrityError(f"{run_dir} is a run of {key}, not of {expected}")
        if expected is None and not is_known(key, config_dirs) and key not in self.use_cases():
            own = command(f"register {shlex.quote(str(run_dir))} --config-dir DIR", self.root)
            raise ConfigError(
                f"{run_dir} is a run of {key}, which is a use case neither of conf/ nor of {self.root}.\n"
                f"If its file stands in a folder of your own, DIR/use_case/{key}.yaml: {own}"
            )


def open_registry(root: Path = ROOT) -> Registry:
    """The registry below a folder, with the keys that the environment names."""
    return Registry(Path(root), signing.from_environment())


def find(use_case: str, version: str | None = None, root: Path = ROOT) -> Version:
    """The version in production, or the one of a number, after every byte of it was found to be what was registered.

    Parameters
    ----------
    use_case : str
    version : str, optional
    root : Path

    Raises
    ------
    ConfigError
        If there is none.
    IntegrityError
        If a byte was changed.
    """
    found = open_registry(root).find(use_case, version)
    found.verify()
    return found


def is_known(key: str, config_dirs: list[Path]) -> bool:
    """Whether a key is that of a use case in some folders of configuration; a short name (such as fraud) is none."""
    if full_name(key) == key and any((folder / "use_case" / f"{key}.yaml").is_file() for folder in config_dirs):
        return True
    own = (path for folder in config_dirs if folder != CONF for path in (folder / "use_case").glob("*.yaml"))
    return key in (_key_in(path) for path in own)


def _key_in(path: Path) -> Any:
    """The key that a use case's file gives, None if it gives none."""
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
        return values["use_case"]["key"]
    except (OSError, ValueError, yaml.YAMLError, LookupError, TypeError):
        return None


def _who(by: str | None, reason: str) -> dict[str, str]:
    _check_plain(by, reason)
    return {"at": provenance.now(), "by": by or _user(), "reason": reason}


def _check_plain(by: str | None, reason: str) -> None:
    """Refuse texts that would tell a terminal something, or are none."""
    for name, text in (("by", by or _user()), ("reason", reason)):
        if not text.replace("\n", "").isprintable():
            raise ConfigError(f"--{name} {text!a} holds signs that cannot be printed: the ledger takes plain text")


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())
