"""The manifest of a folder: size and SHA-256 of every file, written last and checked at each reading."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from bank_models.errors import IntegrityError
from bank_models.files import reading, writing

MANIFEST = "manifest.json"
LARGEST_MANIFEST = 16 * 2**20  # bytes; a run's has some 5,000
LONGEST_NAME = 1024


@dataclass(frozen=True)
class Written:
    """Size in bytes and SHA-256 of a file, as its folder's manifest has them."""

    size: int
    sha256: str


def read_verified(folder: Path, name: str, manifest_sha256: str | None = None) -> bytes:
    """Bytes of a file of a run folder, after its size and SHA-256 were found to be the manifest's.

    Parameters
    ----------
    folder : Path
    name : str
    manifest_sha256 : str, optional
        Of the manifest, as somebody else remembers it.

    Raises
    ------
    IntegrityError
        If there is no manifest, or the file is absent, a link, not in the manifest, or not what was written.
    """
    folder = Path(folder)
    written = read_manifest(folder, manifest_sha256).get(name)
    if written is None:
        raise IntegrityError(f"{folder / name} cannot be verified: {MANIFEST} does not name it")
    with _opened(folder, name, written) as file:
        data = file.read(written.size)
    _check_sha256(folder / name, hashlib.sha256(data).hexdigest(), written)
    return data


def read_manifest(folder: Path, sha256: str | None = None) -> dict[str, Written]:
    """What a folder's manifest says of every file.

    Parameters
    ----------
    folder : Path
    sha256 : str, optional
        Of the manifest, as somebody else remembers it.

    Raises
    ------
    IntegrityError
        If there is no manifest, it has another hash, or it isn't one that was written here.
    """
    path, data = folder / MANIFEST, _manifest_bytes(folder)
    if sha256 is not None and hashlib.sha256(data).hexdigest() != sha256:
        raise IntegrityError(f"{path} is not the file that was written.")
    values = reading.parse_json(data, path)
    if not isinstance(values, dict) or set(values) != {"files"} or not isinstance(values["files"], dict):
        raise IntegrityError(f"{path} cannot be read: it is not a list of files")
    for name, facts in values["files"].items():
        _check_entry(path, name, facts)
    return {name: Written(**facts) for name, facts in sorted(values["files"].items())}


def manifest_sha256(folder: Path) -> str:
    """SHA-256 of a folder's manifest.

    Raises
    ------
    IntegrityError
        If there is no manifest.
    """
    return hashlib.sha256(_manifest_bytes(folder)).hexdigest()


def _manifest_bytes(folder: Path) -> bytes:
    try:
        return reading.read_file(folder, MANIFEST, LARGEST_MANIFEST)
    except OSError as error:
        raise IntegrityError(f"{folder / MANIFEST} cannot be read: {error.strerror}") from error


def _check_entry(path: Path, name: str, facts: Any) -> None:
    """Refuse a name that could lead out of the folder or hide in a terminal, and facts that are no size and no hash."""
    is_plain = name.isprintable() and "\\" not in name and not {"", ".", ".."} & set(name.split("/"))
    if not is_plain or name == MANIFEST or len(name) > LONGEST_NAME:
        raise IntegrityError(f"{path} is refused: {name[:80]!a} is not the name of a file inside the folder")
    is_entry = isinstance(facts, dict) and set(facts) == {"size", "sha256"} and type(facts["size"]) is int
    is_hash = is_entry and isinstance(facts["sha256"], str) and re.fullmatch("[0-9a-f]{64}", facts["sha256"])
    if not is_hash or facts["size"] < 0:
        raise IntegrityError(f"{path} is refused: what it says of {name} is not a size and a SHA-256")


@contextlib.contextmanager
def _opened(folder: Path, name: str, written: Written) -> Iterator[BinaryIO]:
    """A file that has the size that was written."""
    try:
        with os.fdopen(reading.open_file(folder, name), "rb") as file:
            if os.fstat(file.fileno()).st_size != written.size:
                _check_sha256(folder / name, None, written)
            yield file
    except OSError as error:
        raise IntegrityError(f"{folder / name} cannot be verified: {error.strerror}") from error


def _check_sha256(path: Path, sha256: str | None, written: Written) -> None:
    if sha256 != written.sha256:
        raise IntegrityError(f"{path} is not the file that was written: its size or SHA-256 differs from {MANIFEST}")


def names_in_manifest(folder: Path) -> list[str]:
    """Names of a folder's files, as its manifest has them.

    Raises
    ------
    IntegrityError
        If there is no manifest that can be read.
    """
    return list(read_manifest(folder))


def verify(folder: Path, manifest_sha256: str | None = None) -> None:
    """Check every byte of a folder.

    Parameters
    ----------
    folder : Path
    manifest_sha256 : str, optional
        Of its manifest, as somebody else remembers it.

    Raises
    ------
    IntegrityError
        If a file was changed, added or lost.
    """
    files = read_manifest(folder, manifest_sha256)
    for name, written in files.items():
        with _opened(folder, name, written) as file:
            _check_sha256(folder / name, _sha256(file, written.size), written)
    if added := sorted(_names_below(folder) - {*files, MANIFEST}):
        raise IntegrityError(f"{reading.shown(folder / added[0])} was added after the folder was written.")


def _sha256(file: BinaryIO, size: int) -> str:
    """Hash of the first bytes of a file, never all of them in memory."""
    digest = hashlib.sha256()
    while size and (data := file.read(min(size, 2**20))):
        digest.update(data)
        size -= len(data)
    return digest.hexdigest()


def _names_below(folder: Path) -> set[str]:
    """Names of all that is below a folder and isn't a folder itself; a link is one of them, wherever it leads."""
    found, left = set(), [""]
    try:
        while left:
            at = left.pop()
            with os.scandir(folder / at) as entries:
                for entry in entries:
                    is_folder = entry.is_dir(follow_symlinks=False)
                    left.append(f"{at}{entry.name}/") if is_folder else found.add(f"{at}{entry.name}")
    except OSError as error:
        raise IntegrityError(f"{reading.shown(folder / at)} cannot be verified: {error.strerror}") from error
    return found


def write_manifest(folder: Path) -> str:
    """Write size and SHA-256 of every file of a folder into its manifest, and wait until all of it is on the disk.

    Returns
    -------
    str
        SHA-256 of the manifest.
    """
    files = {}
    for path in sorted(path for path in folder.rglob("*") if path.is_file() and path != folder / MANIFEST):
        data = path.read_bytes()
        name = path.relative_to(folder).as_posix()
        files[name] = {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
        writing.sync(path)
    writing.write_json(folder / MANIFEST, {"files": files})
    writing.sync(folder / MANIFEST)
    writing.sync(folder)
    return manifest_sha256(folder)
