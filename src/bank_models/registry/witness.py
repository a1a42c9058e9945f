"""Witness of signed ledgers: the newest state this machine has seen, as SSH keeps known hosts.

A signature says who wrote a state, not that it's the newest: an older one, put back with its own signatures, still fits the
key. It doesn't fit what is remembered here. A ledger that nobody on this machine has seen yet is believed.
"""

from __future__ import annotations

import fcntl
import json
import logging
import os
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from pydantic import ValidationError

from bank_models.config.strict_model import StrictModel
from bank_models.errors import ConfigError, IntegrityError
from bank_models.files import reading, writing
from bank_models.registry.lines import Count, Line, Sha256

log = logging.getLogger(__name__)
VARIABLE = "REGISTRY_WITNESS"  # environment variable that names the file
IN_STATE_HOME = "bank-model-training/registry.jsonl"
LARGEST = 64 * 2**20  # bytes; a line has about 300


class Seen(StrictModel):
    """A ledger's state: how many lines it had, and the hash of the last; `key` is the fingerprint of its public key."""

    key: str
    ledger: str
    n: Count
    sha256: Sha256


States = dict[tuple[str, str], Seen]


def remembered(key: str, folder: Path) -> Seen | None:
    """What is remembered of the ledger in a folder, None if nothing is.

    It must be asked before the ledger is read: a state that is seen afterwards may be newer, rightly.

    Raises
    ------
    IntegrityError
        If the file of the witness isn't one.
    ConfigError
        If the file that a person has named cannot be read.
    """
    return _read().get((key, _place(folder)))


def known(key: str, root: Path) -> list[str]:
    """Use cases of which something is remembered below a registry's root."""
    return sorted(Path(place).name for of, place in _read() if of == key and Path(place).parent == root.resolve())


def check(seen: Seen | None, folder: Path, lines: Sequence[Line]) -> None:
    """Refuse a ledger that lacks a line that was seen in it.

    Raises
    ------
    IntegrityError
    """
    if seen is None or (len(lines) >= seen.n and lines[seen.n - 1]["sha256"] == seen.sha256):
        return
    found = f"has {len(lines)}" if len(lines) < seen.n else f"has another line {seen.n}"
    raise IntegrityError(
        f"{folder}: an older or another state was put in its place. Its ledger had {seen.n} lines, as {_path()} remembers, "
        f"and now {found}.\nPut the newest state back. If the change was on purpose, a restored backup say, delete the line "
        f"with {seen.sha256[:12]} in that file."
    )


def remember(key: str, folder: Path, n: int, sha256: str) -> None:
    """Remember a state if it's newer than what is remembered; where that cannot be written, warn once."""
    path = _path()
    if path is None:
        return
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with os.fdopen(reading.open_file(path.parent, f".{path.name}.lock", os.O_RDWR | os.O_CREAT), "r") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            states = _read()
            before = states.get((key, _place(folder)))
            if before is None or before.n < n:
                states[key, _place(folder)] = Seen(key=key, ledger=_place(folder), n=n, sha256=sha256)
                texts = (json.dumps(seen.model_dump(), ensure_ascii=False) + "\n" for _, seen in sorted(states.items()))
                writing.replace_text(path, "".join(texts), mode=0o600)
    except OSError as error:
        _warn(path, error.strerror or str(error))


def _place(folder: Path) -> str:
    return str(folder.parent.resolve() / folder.name).encode(errors="backslashreplace").decode()


def _path() -> Path | None:
    """The file, None where there is no home for it."""
    if named := os.environ.get(VARIABLE):
        return Path(named)
    try:
        return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local/state", IN_STATE_HOME)
    except RuntimeError:
        _warn(Path("~"), "there is no home folder")
        return None


def _read() -> States:
    path = _path()
    if path is None:
        return {}
    try:
        data = reading.read_file(path.parent, path.name, LARGEST)
    except FileNotFoundError:
        return {}
    except OSError as error:
        if os.environ.get(VARIABLE):
            raise ConfigError(
                f"{VARIABLE} names {path}, which cannot be read: {error.strerror}. "
                "It remembers the newest state of signed registries; name a file that can be read and written."
            ) from error
        _warn(path, error.strerror)
        return {}
    return dict(_state(path, number, text) for number, text in enumerate(data.splitlines(), start=1) if text)


def _state(path: Path, number: int, text: bytes) -> tuple[tuple[str, str], Seen]:
    try:
        seen = Seen.model_validate(reading.parse_json(text, path))
    except (ValidationError, IntegrityError) as error:
        raise IntegrityError(
            f"{path}, line {number} cannot be read. It remembers the newest state of a signed registry: put the line right "
            "from a backup, or delete it if you know that the registry is what it was."
        ) from error
    return (seen.key, seen.ledger), seen


@cache
def _warn(path: Path, why: str) -> None:
    log.warning(
        f"{path} cannot be used ({why}): that an older state of a signed registry was put back will not be noticed. "
        f"{VARIABLE} can name another file."
    )
