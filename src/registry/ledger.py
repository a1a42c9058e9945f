"""The ledger of a use case: one JSON line for each thing that happened, each holding the hash of the one before.

A chain alone shows neither an edited last line nor a dropped one. So the head, which says how many lines count and the hash
of the last, is a file of its own, replaced in one step once a line is on the disk: that is when the line counts. What stands
beyond the head was being written when a process died, one line at most.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from src import artifacts
from src.errors import ConfigError, IntegrityError
from src.registry.signing import SIGNING_KEY, Keys

LEDGER, HEAD, LOCK = "registry.jsonl", "registry.head.json", ".registry.lock"
NOTHING = "0" * 64  # what the first line says of the line before it
Line = dict[str, Any]


@dataclass(frozen=True)
class Ledger:
    """Lines in a folder.

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

    def read(self) -> list[Line]:
        """The lines that count.

        Raises
        ------
        IntegrityError
            If a line or the head isn't what was written.
        """
        return self._load()[1]

    def pending(self) -> Line | None:
        """A whole line that doesn't count yet: the process that wrote it died before it could say so, or is at work."""
        return self._load()[2]

    @contextlib.contextmanager
    def locked(self) -> Iterator[list[Line]]:
        """Give the lines to one process at a time, after what a dead one had begun is finished or taken back."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / LOCK).open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield self._recovered()

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
        if self.keys.sign is None and self._head().get("signature"):
            raise ConfigError(f"{self.folder} is signed: name the file of the signing key in {SIGNING_KEY} to add to it.")
        line = {**facts, "n": (last["n"] if last else 0) + 1, "previous": last["sha256"] if last else NOTHING}
        line["sha256"] = _sha256(line)
        if signature := self.keys.signature(line["sha256"]):
            line["signature"] = signature
        with self.path.open("ab") as file:
            file.write(_canonical(line) + b"\n")
            file.flush()
            os.fsync(file.fileno())
        publish()
        self._write_head(line)
        return line

    def _recovered(self) -> list[Line]:
        head, lines, beyond = self._load()
        if beyond and self._was_published(beyond):
            self._write_head(beyond)
            return [*lines, beyond]
        if self.path.exists() and self.path.stat().st_size > head["size"]:
            with self.path.open("r+b") as file:
                file.truncate(head["size"])
                os.fsync(file.fileno())
        return lines

    def _was_published(self, line: Line) -> bool:
        try:
            self.keys.verify(line["sha256"], line.get("signature"), str(self.path))
        except IntegrityError:
            return False
        if line["action"] != "register":
            return True
        manifest = self.folder / f"v{line['version']}" / artifacts.MANIFEST
        return manifest.is_file() and hashlib.sha256(manifest.read_bytes()).hexdigest() == line["manifest_sha256"]

    def _head(self) -> dict[str, Any]:
        path = self.folder / HEAD
        if not path.exists():
            return {"n": 0, "size": 0, "sha256": NOTHING}
        try:
            head = json.loads(path.read_text())
            n, size, sha256 = head["n"], head["size"], head["sha256"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise IntegrityError(f"{path} cannot be read: {type(error).__name__} {error}") from error
        self.keys.verify(f"{n} {size} {sha256}", head.get("signature"), str(path))
        return head

    def _write_head(self, line: Line) -> None:
        n, size, sha256 = line["n"], self.path.stat().st_size, line["sha256"]
        head = {"n": n, "size": size, "sha256": sha256}
        if signature := self.keys.signature(f"{n} {size} {sha256}"):
            head["signature"] = signature
        artifacts.replace_text(self.folder / HEAD, json.dumps(head) + "\n")
        artifacts.sync(self.folder)

    def _load(self) -> tuple[dict[str, Any], list[Line], Line | None]:
        """The head, the lines that count, and a whole one beyond them; read without a lock, so again if the head moved."""
        while True:
            head = self._head()
            data = self.path.read_bytes() if self.path.exists() else b""
            if self._head() == head:
                return head, *self._parse(head, data)

    def _parse(self, head: dict[str, Any], data: bytes) -> tuple[list[Line], Line | None]:
        if len(data) < head["size"]:
            raise IntegrityError(f"{self.path} has lost lines: {len(data)} bytes of {head['size']} are left.")
        lines: list[Line] = []
        for number, text in enumerate(data[: head["size"]].splitlines(), start=1):
            lines.append(self._checked(text, number, lines[-1]["sha256"] if lines else NOTHING))
        last = lines[-1]["sha256"] if lines else NOTHING
        if (len(lines), last) != (head["n"], head["sha256"]):
            raise IntegrityError(f"{self.path}, line {len(lines)}: it is not the last one that {HEAD} knows.")
        beyond = data[head["size"] :].split(b"\n")
        if len(beyond) > 2 or (len(beyond) == 2 and beyond[1]):
            raise IntegrityError(f"{self.path} has more lines than {HEAD} knows: line {len(lines) + 2} and on.")
        if len(beyond) < 2:
            return lines, None  # nothing, or half a line
        return lines, self._checked(beyond[0], len(lines) + 1, last)

    def _checked(self, text: bytes, number: int, previous: str) -> Line:
        name = f"{self.path}, line {number}"
        try:
            line = json.loads(text)
            is_whole = line["n"] == number and line["previous"] == previous and line["sha256"] == _sha256(line)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise IntegrityError(f"{name} cannot be read: {type(error).__name__} {error}") from error
        if not is_whole or text != _canonical(line):
            raise IntegrityError(f"{name} is not the line that was written.")
        return line


def _canonical(line: Line) -> bytes:
    return json.dumps(line, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def _sha256(line: Line) -> str:
    bare = {key: value for key, value in line.items() if key not in ("sha256", "signature")}
    return hashlib.sha256(_canonical(bare)).hexdigest()
