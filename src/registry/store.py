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
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from src.config.catalogue import CONF, full_name, option_names
from src.errors import ConfigError, IntegrityError, unknown
from src.files import folders, manifest, reading, writing
from src.registry import run, signing, versions, witness
from src.registry.entry import make_entry
from src.registry.ledger import Ledger
from src.registry.lines import Line, statuses
from src.registry.lines import until as up_to
from src.registry.signing import Keys
from src.runs import provenance

ENTRY = "entry.json"
ROOT = Path("models")
NEW = "new-"  # begins the names of folders that become versions


@dataclass(frozen=True)
class Version:
    """A registered model.

    Attributes
    ----------
    use_case, version, status : str
    folder : Path
        With the files of its run, `model_card.md` and `entry.json`, the ledger's entry of it.
    entry : dict
        The specification's fields.
    manifest_sha256 : str
        Of the folder's `manifest.json`, as the ledger has it.
    """

    use_case: str
    version: str
    status: str
    folder: Path
    entry: dict[str, Any]
    manifest_sha256: str

    @property
    def name(self) -> str:
        return f"{self.use_case}@{self.version}"

    def verify(self) -> None:
        """Check every byte.

        Raises
        ------
        IntegrityError
            If a file was changed, added or lost since the version was registered.
        """
        reading.check_folder(self.folder)
        manifest.verify(self.folder, self.manifest_sha256)

    def has(self, name: str) -> bool:
        """Whether the version has a file, as the manifest says whose hash the ledger has."""
        reading.check_folder(self.folder)
        return name in manifest.read_manifest(self.folder, self.manifest_sha256)

    def read(self, name: str) -> bytes:
        """Bytes of a file of the version, found to be what was registered."""
        reading.check_folder(self.folder)
        return manifest.read_verified(self.folder, name, self.manifest_sha256)

    @cached_property
    def facts(self) -> dict[str, Any]:
        """What `metadata.json` says."""
        return run.facts_of(self.read("metadata.json"), self.folder / "metadata.json")

    @cached_property
    def metrics(self) -> dict[str, float | None]:
        """What `metrics.json` says."""
        return run.metrics_of(self.read("metrics.json"), self.folder / "metrics.json")


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
        return self._versions(use_case, self.history(use_case, until))

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
        return _chosen(self.versions(use_case), use_case, version, self.root, self.use_cases())

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
            for left in ledger.folder.glob(f".{NEW}*"):  # by a process that died: only one at a time writes here
                shutil.rmtree(left)
            with folders.scratch(f".{NEW}", ledger.folder) as staging:
                _copy(Path(run_dir), staging, manifest_sha256)
                before = _newest_registered(lines)
                version = versions.next_version(before, hashes["inputs_sha256"], hashes["configuration_sha256"])
                folder = ledger.folder / f"v{version}"
                if folder.exists():
                    raise IntegrityError(f"{folder} is in the way: no line of the ledger knows it. Look at it, then remove it.")
                entry = make_entry(facts, metrics, version, folder)
                line = {
                    **_who(by, reason), "action": "register", "version": version, "entry": entry,
                    "manifest_sha256": _seal(staging, entry, Path(run_dir)), **hashes,
                }  # fmt: skip
                line = ledger.append(line, lines[-1] if lines else None, lambda: _publish(staging, folder))
                return self._versions(use_case, [*lines, line])[-1]

    def promote(
        self, version: Version, rival: Version | None, by: str | None, reason: str, gates: list[dict[str, Any]], forced: bool
    ) -> Line:
        """Put a version into production; the one that is there is archived. `src.registry.promotion` judges whether it may.

        Raises
        ------
        ConfigError
            If `rival`, with which it was compared, isn't what is in production any more.
        """
        with self.ledger(version.use_case).locked() as lines:
            current = _in_production(self._versions(version.use_case, lines))
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
            known = self._versions(use_case, lines)
            current = _in_production(known)
            before = _before_in_production(lines)
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
            known = self._versions(version.use_case, lines)
            now = _chosen(known, version.use_case, version.version, self.root, [version.use_case])
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
        known = self._versions(use_case, lines)
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

    def _versions(self, use_case: str, lines: list[Line]) -> list[Version]:
        entries = {line["version"]: line for line in lines if line["action"] == "register"}
        status = statuses(lines)
        return [
            Version(
                use_case,
                version,
                status[version],
                self.root / use_case / f"v{version}",
                {**line["entry"], "status": status[version]},
                line["manifest_sha256"],
            )
            for version, line in entries.items()
        ]


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


def _chosen(known: list[Version], use_case: str, version: str | None, root: Path, registered: Iterable[str]) -> Version:
    if not known:
        if use_case not in option_names():
            raise ConfigError(unknown("use_case", use_case, sorted({*option_names(), *registered})))
        there = "" if root == ROOT else f" registry.path={shlex.quote(str(root))}"
        raise ConfigError(
            f"{use_case} has no versions in {root}. To make one: python -m src.train use_case={use_case}{there}\n"
            f"To see what there is: {command('list', root)}"
        )
    if version is None:
        found = _in_production(known)
        if found is None:
            promote = f'promote {known[-1].name} --reason "…"'
            raise ConfigError(
                f"{use_case} has no version in production, only {', '.join(one.version for one in known[-5:])}.\n"
                f"To put one there: {command(promote, root)}"
            )
        return found
    number = ".".join(map(str, versions.parse(version)))
    for one in known:
        if one.version == number:
            return one
    raise ConfigError(f"{use_case} has no version {number}; it has {', '.join(one.version for one in known[-10:])}.")


def command(words: str, root: Path) -> str:
    """What to type to do something in a registry."""
    return f"python -m src.registry {words}" + ("" if root == ROOT else f" --registry {shlex.quote(str(root))}")


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


def _in_production(known: list[Version]) -> Version | None:
    return next((one for one in known if one.status == "production"), None)


def _before_in_production(lines: list[Line]) -> str | None:
    """The version to go back to: each rollback takes one promotion back."""
    stack: list[str] = []
    for line in lines:
        if line["action"] == "promote":
            stack.append(line["version"])
        elif line["action"] == "rollback" and stack:
            stack.pop()
    return stack[-2] if len(stack) > 1 else None


def _newest_registered(lines: list[Line]) -> Line | None:
    registered = {line["version"]: line for line in lines if line["action"] == "register"}
    newest = versions.newest(registered)
    return newest and registered[newest]


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


def _copy(run_dir: Path, staging: Path, manifest_sha256: str) -> None:
    """Copy a run's files, each verified; its manifest, card and entry are made anew."""
    for name in manifest.read_manifest(run_dir, manifest_sha256):
        target = staging / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if name not in ("model_card.md", ENTRY):
            target.write_bytes(manifest.read_verified(run_dir, name, manifest_sha256))


def _seal(staging: Path, entry: dict[str, Any], run_dir: Path) -> str:
    """Write what depends on the version, then the manifest; give the manifest's hash."""
    from src.report import model_card

    try:
        card = model_card.render(staging, entry)
    except (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError, yaml.YAMLError) as error:
        raise IntegrityError(
            f"{run_dir} is not a run: no model card can be written from it ({type(error).__name__})"
        ) from error
    (staging / "model_card.md").write_text(card, encoding="utf-8")
    writing.write_json(staging / ENTRY, entry)
    sha256 = manifest.write_manifest(staging)
    for path in staging.rglob("*"):
        if path.is_file():
            path.chmod(0o444)
    return sha256


def _publish(staging: Path, folder: Path) -> None:
    staging.chmod(0o755)
    staging.rename(folder)
    writing.sync(folder.parent)
