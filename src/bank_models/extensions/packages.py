"""Enabled extensions: installed packages that `project.yaml` names, their entry points, versions and hashes.

Names are found without importing anything. A package is imported when one of its names is asked for, and never because a
setting or a command line holds a path.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.metadata import Distribution, EntryPoint, PackageNotFoundError, distribution, distributions
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from bank_models.errors import ConfigError
from bank_models.files import yaml_file

FILE = "project.yaml"
PREFIX = "bank_models."
GROUPS = ("models", "metrics", "features", "data_sources", "report_sections")
EXAMPLE = "extensions: [team-models>=1.2]"
NO_SOURCE = (".pyc", ".pyo")


@dataclass(frozen=True)
class Extension:
    """An enabled package.

    Attributes
    ----------
    name, version : str
    entries : mapping of str to mapping of str to EntryPoint
        By group, then by the name that a configuration uses.
    """

    name: str
    version: str
    entries: Mapping[str, Mapping[str, EntryPoint]]


def enabled(root: Path = Path()) -> tuple[Extension, ...]:
    """The extensions that the project in a folder enables.

    Raises
    ------
    ConfigError
        If one is not installed, too old, or declares nothing.
    """
    return tuple(_opened(text) for text in requirements(root))


def requirements(root: Path = Path()) -> list[str]:
    """What `extensions` of the project's settings file says; nothing where there is no such file."""
    values = yaml_file.read(root / FILE) if (root / FILE).exists() else None
    found = values.get("extensions") if isinstance(values, dict) else None
    if found is None:
        return []
    if not isinstance(found, list) or not all(isinstance(one, str) for one in found):
        raise ConfigError(f"{root / FILE}: extensions must be a list of installed packages, such as {EXAMPLE}.")
    return found


@cache
def _opened(text: str) -> Extension:
    wanted = _requirement(text)
    try:
        found = distribution(wanted.name)
    except PackageNotFoundError:
        raise ConfigError(
            f"{FILE} enables the extension {wanted.name}, which is not installed.\nType: pip install '{text}'"
        ) from None
    if not wanted.specifier.contains(found.version, prereleases=True):
        raise ConfigError(f"{FILE} asks for {text}, but {found.version} is installed.\nType: pip install '{text}'")
    entries = entries_of(found)
    if not any(entries.values()):
        groups = " or ".join(f"{PREFIX}{group}" for group in GROUPS)
        raise ConfigError(f"{FILE} enables {wanted.name}, which is no extension: it has no entry points of {groups}.")
    return Extension(canonicalize_name(wanted.name), found.version, entries)


def _requirement(text: str) -> Requirement:
    try:
        wanted = Requirement(text)
    except InvalidRequirement:
        wanted = None
    if wanted is None or wanted.url or wanted.extras or wanted.marker:
        raise ConfigError(f"{FILE}: extensions names {text!r}, which is no name of a package. One is written so: {EXAMPLE}.")
    return wanted


def entries_of(found: Distribution) -> dict[str, dict[str, EntryPoint]]:
    """What a package offers, by group and name, without importing it."""
    return {group: {one.name: one for one in found.entry_points if one.group == PREFIX + group} for group in GROUPS}


def offering(group: str, name: str) -> str | None:
    """An installed package, enabled or not, that offers a name."""
    found = (one.name for one in distributions() if name in entries_of(one)[group])
    return next((canonicalize_name(one) for one in found), None)


def loaded(extension: Extension, group: str, name: str, kind: type) -> Any:
    """Import what an extension declares for a name.

    Raises
    ------
    ConfigError
        If it cannot be imported, or is of another type than its group asks for.
    """
    entry = extension.entries[group][name]
    try:
        found = entry.load()
    except Exception as error:  # whatever a package of somebody else raises
        said = next(iter(str(error).splitlines()), "")
        raise ConfigError(
            f"{name} of the extension {extension.name} {extension.version} cannot be loaded.\n"
            f"{entry.value}: {type(error).__name__}: {said}"
        ) from error
    if not isinstance(found, kind):
        raise ConfigError(
            f"{name} of the extension {extension.name} {extension.version} is a {type(found).__name__}.\n"
            f"{entry.value} must be a {kind.__module__}.{kind.__name__}: see docs/how-to/own-code.md."
        )
    return found


@cache
def content_sha256(name: str) -> str:
    """Hash of every file of an installed package's modules, wherever they lie: what its version alone does not tell."""
    found = distribution(name)
    tops = {entry.module.partition(".")[0] for group in entries_of(found).values() for entry in group.values()}
    files = {f"{top}/{place}": path for top in tops for place, path in _files_of(top)}
    digest = hashlib.sha256()
    for place in sorted(files):
        digest.update(f"{place}\0".encode() + files[place].read_bytes() + b"\0")
    return digest.hexdigest()


def _files_of(module: str) -> Iterator[tuple[str, Path]]:
    spec = find_spec(module)  # of a module without a dot, nothing is imported for it
    if spec is None:
        return
    if not spec.submodule_search_locations:
        yield Path(spec.origin).name, Path(spec.origin)
        return
    for folder in map(Path, spec.submodule_search_locations):
        for path in folder.rglob("*"):
            if path.is_file() and path.suffix not in NO_SOURCE:
                yield path.relative_to(folder).as_posix(), path


def recorded(names: Iterable[str]) -> dict[str, dict[str, str]]:
    """Version and hash of extensions, as a run records them."""
    versions = {one.name: one.version for one in enabled()}
    return {name: {"version": versions[name], "sha256": content_sha256(name)} for name in sorted(set(names))}


def check_recorded(found: Mapping[str, Any]) -> None:
    """Refuse what was made with extensions of which one is missing here.

    Parameters
    ----------
    found : mapping of str to mapping
        What `recorded` gave then.

    Raises
    ------
    ConfigError
    """
    if not found:
        return
    switched_on = {canonicalize_name(_requirement(text).name) for text in requirements()}
    for name, facts in found.items():
        made_with = f"This was made with the extension {name} {facts['version']}"
        try:
            version = distribution(name).version
        except PackageNotFoundError:
            raise ConfigError(f"{made_with}, which is not installed.\nType: pip install '{name}>={facts['version']}'") from None
        if name not in switched_on:
            raise ConfigError(f"{made_with}, which is not enabled.\nAdd to {FILE}: extensions: [{name}]")
        if Version(version) < Version(facts["version"]):
            raise ConfigError(f"{made_with}, but {version} is installed.\nType: pip install '{name}>={facts['version']}'")
