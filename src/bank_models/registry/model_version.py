"""Registered versions of a use case's model: what the ledger says of each, its files, and which one is meant."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from bank_models.commands import as_typed
from bank_models.config.catalogue import option_names
from bank_models.errors import ConfigError, unknown
from bank_models.files import manifest, reading
from bank_models.registry import run, versions
from bank_models.registry.lines import Line, statuses

ROOT = Path("models")


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


def of_lines(use_case: str, lines: list[Line], root: Path) -> list[Version]:
    """Versions that a ledger's lines tell of, from the oldest to the newest."""
    entries = {line["version"]: line for line in lines if line["action"] == "register"}
    status = statuses(lines)
    return [
        Version(
            use_case,
            version,
            status[version],
            root / use_case / f"v{version}",
            {**line["entry"], "status": status[version]},
            line["manifest_sha256"],
        )
        for version, line in entries.items()
    ]


def in_production(known: list[Version]) -> Version | None:
    """The one of some versions that is in production."""
    return next((one for one in known if one.status == "production"), None)


def choose(known: list[Version], use_case: str, version: str | None, root: Path, registered: Iterable[str]) -> Version:
    """The version in production, or the one of a number.

    Parameters
    ----------
    known : list of Version
    use_case : str
    version : str, optional
    root : Path
    registered : iterable of str
        Use cases that have something in the registry.

    Raises
    ------
    ConfigError
        If there is none.
    """
    if not known:
        if use_case not in option_names():
            raise ConfigError(unknown("use_case", use_case, sorted({*option_names(), *registered})))
        there = "" if root == ROOT else f" registry.path={shlex.quote(str(root))}"
        raise ConfigError(
            f"{use_case} has no versions in {root}. To make one: python -m src.train use_case={use_case}{there}\n"
            f"To see what there is: {command('list', root)}"
        )
    if version is None:
        found = in_production(known)
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
    return as_typed(f"python -m src.registry {words}") + ("" if root == ROOT else f" --registry {shlex.quote(str(root))}")
