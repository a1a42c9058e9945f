"""Ledger of a use case: hash-chained JSON lines.

A chain alone shows neither an edited last line nor a dropped one. So the head, which says how many lines count and the hash
of the last, is a file of its own, replaced in one step once a line is on the disk: that is when the line counts. What stands
beyond the head was being written when a process died, one line at most. The head comes first, before there is a line, and a
line comes before its version's folder: so a ledger without a head, a head without its ledger, and a version without a line
have lost something.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from pydantic import Field, ValidationError

from bank_models.config.strict_model import StrictModel
from bank_models.errors import ConfigError, IntegrityError
from bank_models.files import manifest, reading, writing
from bank_models.registry import witness
from bank_models.registry.lines import Count, Line, Sha256, check_line, check_order, what_is_wrong
from bank_models.registry.signing import SIGNING_KEY, Keys
from bank_models.registry.witness import Seen

LEDGER, HEAD, LOCK = "registry.jsonl", "registry.head.json", ".registry.lock"
NOTHING = "0" * 64  # what the first line says of the line before it
LARGEST = 256 * 2**20  # bytes of a ledger; a line has about 4,000
LARGEST_HEAD = 4096
VERSION = re.compile(r"v\d+\.\d+\.\d+")


class Head(StrictModel):
    """How many lines count, how many bytes they have, and the hash of the last."""

    n: Count
    size: Annotated[int, Field(ge=0, le=LARGEST)]
    sha256: Sha256
    signature: str | None = None


NEW = Head(n=0, size=0, sha256=NOTHING)


@dataclass(frozen=True)
class Ledger:
    """Lines in a folder, which is named as their use case.

    Attributes
    ----------
    folder : Path
    keys : Keys
    """

    folder: Path
    keys: Keys = field(default_factory=Keys)

    @property
    def path(self) -> Path:
        return self.folder / LEDGER

    def is_begun(self) -> bool:
        """Whether anything of a ledger is there: itself, its head, or a version."""
        if not self.folder.is_dir():
            return os.path.lexists(self.folder)
        return any(path.name in (LEDGER, HEAD) or VERSION.fullmatch(path.name) for path in self.folder.iterdir())

    def read(self) -> list[Line]:
        """The lines that count.

        Raises
        ------
        IntegrityError
            If a line or the head isn't what was written, or something of it is gone.
        """
        return self.read_all()[0]

    def read_all(self) -> tuple[list[Line], Line | None]:
        """The lines that count, and a whole one that doesn't yet: who wrote it died before he could say so, or is at work.

        Raises
        ------
        IntegrityError
            As `read` does.
        """
        seen = self._seen()
        versions = self._version_folders()  # a line precedes its folder, so folders are looked at first
        head, lines, pending = self._load()
        if versions and not head:
            raise self._lost(LEDGER)
        known = {f"v{line['version']}" for line in [*lines, *([pending] if pending else [])]}
        if unknown := sorted(versions - known):
            raise IntegrityError(f"{self.folder / unknown[0]} is a version that no line of {self.path} knows.")
        self._witness(seen, lines)
        return lines, pending

    @contextlib.contextmanager
    def locked(self) -> Iterator[list[Line]]:
        """Give the lines to one process at a time, after what a dead one had begun is finished or taken back."""
        reading.check_folder(self.folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        with os.fdopen(reading.open_file(self.folder, LOCK, os.O_RDWR | os.O_CREAT), "rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            seen = self._seen()
            lines = self._recovered()
            self._witness(seen, lines)
            yield lines

    def append(self, facts: Line, last: Line | None, publish: Callable[[], None] = lambda: None) -> Line:
        """Add a line, in the lock.

        Parameters
        ----------
        facts : dict
        last : dict, optional
            The line before.
        publish : callable
            What must be seen if the line counts, and only then.

        Raises
        ------
        ConfigError
            If the ledger is signed and there is no key to go on with.
        """
        head = self._head()
        if self.keys.sign is None and head and head.signature:
            raise ConfigError(f"{self.folder} is signed: name the file of the signing key in {SIGNING_KEY} to add to it.")
        line = {**facts, "n": (last["n"] if last else 0) + 1, "previous": last["sha256"] if last else NOTHING}
        line["sha256"] = _sha256(line)
        if signature := self.keys.signature(line["sha256"]):
            line["signature"] = signature
        check_line(line, self.folder.name, f"{self.path}, line {line['n']}")
        with os.fdopen(reading.open_file(self.folder, LEDGER, os.O_WRONLY | os.O_APPEND | os.O_CREAT), "ab") as file:
            file.write(_canonical(line) + b"\n")
            file.flush()
            os.fsync(file.fileno())
        publish()
        self._write_head(line["n"], self.path.stat().st_size, line["sha256"])
        self._remember(line)
        return line

    def _recovered(self) -> list[Line]:
        head, lines, beyond = self._load(may_lack_head=True)
        if not self.path.exists():
            if self._version_folders():
                raise self._lost(LEDGER)
            self._write_head(0, 0, NOTHING)
            return []
        if beyond and self._was_published(beyond):
            self._write_head(beyond["n"], self.path.stat().st_size, beyond["sha256"])
            return [*lines, beyond]
        if self.path.exists() and self.path.stat().st_size > (head or NEW).size:
            with os.fdopen(reading.open_file(self.folder, LEDGER, os.O_RDWR), "r+b") as file:
                file.truncate((head or NEW).size)
                os.fsync(file.fileno())
        return lines

    def _was_published(self, line: Line) -> bool:
        try:
            self.keys.verify(line["sha256"], line.get("signature"), str(self.path))
            if line["action"] == "register":
                manifest.read_manifest(self.folder / f"v{line['version']}", line["manifest_sha256"])
        except IntegrityError:
            return False
        return True

    def _version_folders(self) -> set[str]:
        if not self.folder.is_dir():
            return set()
        return {path.name for path in self.folder.iterdir() if VERSION.fullmatch(path.name)}

    def _lost(self, name: str) -> IntegrityError:
        died = " If the first registration died before it was written, register that run again." if name == HEAD else ""
        return IntegrityError(
            f"{self.folder / name} is gone, so nothing shows that what is there is what was registered.\n"
            f"Put it back from a backup.{died}"
        )

    def _seen(self) -> Seen | None:
        return witness.remembered(self.keys.fingerprint, self.folder) if self.keys.fingerprint else None

    def _witness(self, seen: Seen | None, lines: list[Line]) -> None:
        """Compare the lines with what this machine remembers of them, and remember them, where they are signed."""
        witness.check(seen, self.folder, lines)
        if lines and len(lines) > (seen.n if seen else 0):
            self._remember(lines[-1])

    def _remember(self, last: Line) -> None:
        if self.keys.fingerprint:
            witness.remember(self.keys.fingerprint, self.folder, last["n"], last["sha256"])

    def _head(self) -> Head | None:
        path = self.folder / HEAD
        data = self._bytes(HEAD, LARGEST_HEAD)
        if data is None:
            return None
        try:
            head = Head.model_validate(reading.parse_json(data, path))
        except ValidationError as error:
            raise IntegrityError(f"{path} cannot be read: {what_is_wrong(error)}") from error
        if head != NEW:  # which says nothing that a signature could vouch for
            self.keys.verify(f"{head.n} {head.size} {head.sha256}", head.signature, str(path))
        return head

    def _write_head(self, n: int, size: int, sha256: str) -> None:
        head = {"n": n, "size": size, "sha256": sha256}
        if n and (signature := self.keys.signature(f"{n} {size} {sha256}")):
            head["signature"] = signature
        writing.replace_text(self.folder / HEAD, json.dumps(head) + "\n")
        writing.sync(self.folder)

    def _bytes(self, name: str, at_most: int) -> bytes | None:
        """Bytes of a file of the folder, None if there is none."""
        try:
            return reading.read_file(self.folder, name, at_most)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise IntegrityError(f"{self.folder / name} cannot be read: {error.strerror}") from error

    def _load(self, may_lack_head: bool = False) -> tuple[Head | None, list[Line], Line | None]:
        """The head, the lines that count, and a whole one beyond them; read without a lock, so again if the head moved."""
        reading.check_folder(self.folder)
        while True:
            head = self._head()
            data = self._bytes(LEDGER, LARGEST)
            if self._head() == head:
                break
        if data is None and head and head.n:
            raise self._lost(LEDGER)
        if data is not None and head is None and not may_lack_head:
            raise self._lost(HEAD)
        return head, *self._parse(head or NEW, data or b"")

    def _parse(self, head: Head, data: bytes) -> tuple[list[Line], Line | None]:
        if len(data) < head.size:
            raise IntegrityError(f"{self.path} has lost lines: {len(data)} bytes of {head.size} are left.")
        lines: list[Line] = []
        for number, text in enumerate(data[: head.size].split(b"\n")[:-1], start=1):
            lines.append(self._checked(text, number, lines[-1]["sha256"] if lines else NOTHING))
        last = lines[-1]["sha256"] if lines else NOTHING
        if (len(lines), last) != (head.n, head.sha256) or data[: head.size][-1:] not in (b"", b"\n"):
            raise IntegrityError(f"{self.path}, line {len(lines)}: it is not the last one that {HEAD} knows.")
        beyond = data[head.size :].split(b"\n")
        if len(beyond) > 2 or (len(beyond) == 2 and beyond[1]):
            raise IntegrityError(f"{self.path} has more lines than {HEAD} knows: line {len(lines) + 2} and on.")
        pending = self._checked(beyond[0], len(lines) + 1, last) if len(beyond) == 2 else None  # else nothing, or half a line
        check_order([*lines, *([pending] if pending else [])], str(self.path))
        return lines, pending

    def _checked(self, text: bytes, number: int, previous: str) -> Line:
        name = f"{self.path}, line {number}"
        try:
            line = json.loads(text)
            is_whole = line["n"] == number and line["previous"] == previous and line["sha256"] == _sha256(line)
            is_whole = is_whole and text == _canonical(line)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise IntegrityError(f"{name} cannot be read: {type(error).__name__} {error}") from error
        if not is_whole:
            raise IntegrityError(f"{name} is not the line that was written.")
        check_line(line, self.folder.name, name)
        return line


def _canonical(line: Line) -> bytes:
    return json.dumps(line, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def _sha256(line: Line) -> str:
    bare = {key: value for key, value in line.items() if key not in ("sha256", "signature")}
    return hashlib.sha256(_canonical(bare)).hexdigest()
