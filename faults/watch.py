"""See whether anything was executed, written elsewhere, or saved that should not be."""

from __future__ import annotations

import hashlib
import os
import stat
import time
from collections.abc import Iterable
from pathlib import Path

from faults.case import expect


def tree(*roots: Path) -> dict[str, str]:
    """Kind and content of everything below some folders; times and rights left out."""
    return {str(path): _what(path) for root in roots for path in [root, *sorted(root.rglob("*"))]}


def _what(path: Path) -> str:
    kind = path.lstat().st_mode
    if stat.S_ISLNK(kind):
        return f"link to {path.readlink()}"
    if stat.S_ISREG(kind):
        return hashlib.sha256(path.read_bytes()).hexdigest()
    return "folder" if stat.S_ISDIR(kind) else "special"


def names(folder: Path = Path()) -> list[str]:
    """What stands in a folder, this one unless said."""
    return sorted(path.name for path in folder.iterdir())


def check_unchanged(before: dict[str, str], *roots: Path) -> None:
    """Expect a tree to be what it was."""
    now = tree(*roots)
    changed = [path for path in {**before, **now} if before.get(path) != now.get(path)]
    expect(not changed, f"{len(changed)} files or folders changed, such as {sorted(changed)[:3]}")


def check_secret_is_nowhere(secret: str, texts: Iterable[str], *roots: Path) -> None:
    """Expect a secret in no text and in no file, also not packed or as a name."""
    for text in texts:
        expect(secret not in text, f"a secret was printed: {_around(text, secret)}")
    for root in roots:
        for path in root.rglob("*"):
            expect(secret not in str(path), f"a secret became a name: {path}")
            if path.is_file():
                expect(secret.encode() not in path.read_bytes(), f"a secret was saved in {path}")


def _around(text: str, secret: str) -> str:
    return next((line for line in text.splitlines() if secret in line), "")[:200]


def session_of_this() -> list[int]:
    """Living processes of this session other than this one."""
    mine, found = os.getsid(0), []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[3]) == mine and fields[0] not in "ZX":
            found.append(int(entry.name))
    return found


def check_all_end(within_s: float) -> None:
    """Expect every process that was started here to end by itself."""
    deadline = time.monotonic() + within_s
    while left := session_of_this():
        expect(time.monotonic() < deadline, f"{len(left)} processes still run after {within_s:g} s")
        time.sleep(0.1)
