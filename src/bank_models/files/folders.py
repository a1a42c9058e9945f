"""Folders that are published whole, scratch folders, and what a killed process left behind."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from bank_models.errors import ConfigError
from bank_models.files import manifest, writing


@dataclass
class Kept:
    """What this process has put at a folder: the hash of its manifest, and what holds it there; None before that.

    `place_of` says where what stood there before goes, given where it is now and the folder; None lets it go.
    """

    manifest_sha256: str | None = None
    descriptor: int | None = None
    place_of: Callable[[Path, Path], Path | None] = lambda earlier, newest: None


_SCRATCH: set[Path] = set()
_CLAIMED: set[Path] = set()
_KEPT: dict[Path, Kept] = {}


@contextlib.contextmanager
def scratch(prefix: str, parent: Path | None = None) -> Iterator[Path]:
    """Give an empty folder that is gone when the block ends, or when an interrupted process calls `abandon`."""
    folder = Path(tempfile.mkdtemp(prefix=prefix, dir=parent))
    _SCRATCH.add(folder)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        _SCRATCH.discard(folder)


@contextlib.contextmanager
def published(run_dir: Path) -> Iterator[Path]:
    """Give a folder to fill; when the block ends well it takes the place of `run_dir`, in one step.

    The folder gets a `manifest.json` with size and SHA-256 of every file. Whatever goes wrong, `run_dir` is as it was. Where
    another process `keeps` what it has published there, this one waits.

    Parameters
    ----------
    run_dir : Path

    Yields
    ------
    Path
        An empty folder on the same file system.
    """
    run_dir.parent.mkdir(parents=True, exist_ok=True)
    remove_abandoned(run_dir.parent, run_dir.name)
    with scratch(f".{run_dir.name}-{os.getpid()}-", run_dir.parent) as staging:
        yield staging
        sha256 = manifest.write_manifest(staging)
        staging.chmod(0o755)
        with _alone_at(run_dir):
            if kept := _KEPT.get(run_dir):
                kept.manifest_sha256, kept.descriptor = sha256, _lock(staging)
            stands_in = _is_here(run_dir)
            writing.replace_folder(run_dir, staging)
            if kept and _holds_files(staging) and (place := kept.place_of(staging, run_dir)):
                place.parent.mkdir(exist_ok=True)
                staging.rename(place)
            if stands_in:  # with hydra.job.chdir=true this process does, and what it stood in is gone
                os.chdir(run_dir)


def _holds_files(folder: Path) -> bool:
    return folder.is_dir() and any(folder.iterdir())


def _is_here(folder: Path) -> bool:
    """Whether a folder is the working directory."""
    try:
        return folder.samefile(Path.cwd())
    except OSError:
        return False


@contextlib.contextmanager
def keeps(run_dir: Path, place_of: Callable[[Path, Path], Path | None] | None = None) -> Iterator[Kept]:
    """Let what this process publishes at a folder stay there until the block ends: who else publishes there waits for that.

    So what is read from the folder meanwhile, to register it say, is this process's own.

    Parameters
    ----------
    run_dir : Path
    place_of : callable, optional
        Says where the folder that stood there before goes: see `Kept`.
    """
    kept = _KEPT[run_dir] = Kept(**({"place_of": place_of} if place_of else {}))
    try:
        yield kept
    finally:
        del _KEPT[run_dir]
        if kept.descriptor is not None:
            os.close(kept.descriptor)


@contextlib.contextmanager
def _alone_at(run_dir: Path) -> Iterator[None]:
    """Be the only process that puts a folder at a place, after the one whose folder stands there has let go of it."""
    with contextlib.ExitStack() as locks:
        while not _is_locked(run_dir, locks):
            locks.close()
        yield


def _is_locked(run_dir: Path, locks: contextlib.ExitStack) -> bool:
    """Lock the folder at a place, then the one above it; False if another took the place while this process waited.

    Nobody waits with the lock above in hand, so none waits for another in a circle.
    """
    there = _lock(run_dir) if run_dir.is_dir() else None
    if there is not None:
        locks.callback(os.close, there)
    locks.callback(os.close, _lock(run_dir.parent))
    return (there is not None and os.fstat(there).st_ino) == (run_dir.is_dir() and run_dir.stat().st_ino)


def _lock(folder: Path) -> int:
    """Lock a folder, and give what holds the lock until it is closed; some network file systems have none for folders."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    with contextlib.suppress(OSError):
        fcntl.flock(descriptor, fcntl.LOCK_EX)
    return descriptor


def abandon() -> None:
    """Take back what unfinished runs of this process have made; it is about to end without unwinding."""
    for folder in list(_SCRATCH):
        shutil.rmtree(folder, ignore_errors=True)
    for run_dir in list(_CLAIMED):
        remove_empty(run_dir)


def check_replaceable(run_dir: Path) -> None:
    """Refuse to put a run in the place of a folder that is something else.

    Raises
    ------
    ConfigError
    """
    if run_dir.exists() and not (run_dir / manifest.MANIFEST).is_file() and (not run_dir.is_dir() or any(run_dir.iterdir())):
        raise ConfigError(f"{run_dir} exists and is not a run folder: choose another with hydra.run.dir=…")
    _CLAIMED.add(run_dir)


def remove_empty(run_dir: Path) -> None:
    """Remove a folder that was made for a run that then left nothing in it, and the empty ones above it that may be ours.

    These are the one above it, and those up to the working directory.
    """
    above = run_dir.absolute().parents
    n_ours = above.index(Path.cwd()) if Path.cwd() in above else 1
    with contextlib.suppress(OSError):  # one that is not empty
        for folder in (run_dir, *above[:n_ours]):
            folder.rmdir()


def remove_abandoned(parent: Path, name: str) -> None:
    """Delete what killed processes left in a folder while they wrote something of this name."""
    pattern = re.compile(rf"\.{re.escape(name)}-(\d+)-\w+")
    for path in parent.iterdir():
        if (owner := pattern.fullmatch(path.name)) and not Path("/proc", owner[1]).exists():
            shutil.rmtree(path, ignore_errors=True)
