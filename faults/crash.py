"""Stop at a named moment: just before the k-th call that changes a file below a folder.

The functions of Python that make such calls are wrapped, in a process of its own. At the k-th one the process dies, or the
call fails as on a full disk, or the electricity goes: then what a disk would still hold is written to another folder.
"""

from __future__ import annotations

import builtins
import errno
import fcntl
import io
import os
import shutil
import signal
import traceback
from collections.abc import Callable
from pathlib import Path
from random import Random

from faults.case import expect

BY_PATH = ("mkdir", "rmdir", "unlink", "remove", "rename", "replace", "chmod", "truncate", "symlink", "link")
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
LEAVE_SPACE = ("unlink", "remove", "rmdir", "chmod", "flock")  # what a full disk still lets one do
DONE, RAISED = 0, 3


class Plan:
    """Count the calls, and do nothing else.

    Parameters
    ----------
    root : Path
        Calls about other places are not counted.
    """

    def __init__(self, root: Path):
        self.root = Path(root).resolve()
        self.count, self.moments = 0, []

    def before(self, name: str, path: str) -> None:
        self.count += 1
        self.moments.append(f"{name} {os.path.relpath(path, self.root)}")

    def after(self, name: str, path: str) -> None:
        pass

    def end(self) -> None:
        """The work was done."""

    def install(self) -> None:
        """Wrap the functions, in this process."""
        for name in BY_PATH:
            setattr(os, name, self._wrapped(name, getattr(os, name), lambda *args, **_: args[0]))
        os.open = self._wrapped("open", os.open, lambda path, flags=0, *_, **__: path if flags & WRITING else None)
        os.fsync = self._wrapped("fsync", os.fsync, lambda target: target)
        fcntl.flock = self._wrapped("flock", fcntl.flock, lambda target, _: target)
        io.open = builtins.open = self._wrapped("open", io.open, _path_if_written)
        from bank_models.files import writing

        writing._exchange = self._wrapped("exchange", writing._exchange, lambda a, _: a)

    def _wrapped(self, name: str, real: Callable, of: Callable) -> Callable:
        def call(*args, **kwargs):
            path = self._below(of(*args, **kwargs))
            if path is not None:
                self.before(name, path)
            result = real(*args, **kwargs)
            if path is not None:
                self.after(name, path)
            return result

        return call

    def _below(self, target) -> str | None:
        if target is None or isinstance(target, bool):
            return None
        if hasattr(target, "fileno"):
            target = target.fileno()
        is_open = isinstance(target, int)
        path = Path(f"/proc/self/fd/{target}").readlink() if is_open else Path(os.fsdecode(target)).absolute()
        return str(path) if path.is_relative_to(self.root) else None


def _path_if_written(file, mode="r", *_, **__):
    return file if set(mode) & set("wax+") else None


class Die(Plan):
    """Be killed before the k-th call, from 0."""

    def __init__(self, root: Path, k: int):
        super().__init__(root)
        self.k = k

    def before(self, name: str, path: str) -> None:
        if self.count == self.k:
            os.kill(os.getpid(), signal.SIGKILL)
        super().before(name, path)


class Fail(Plan):
    """From the k-th call on, those that need what is not there fail."""

    def __init__(self, root: Path, k: int, code: int = errno.ENOSPC):
        super().__init__(root)
        self.k, self.code = k, code

    def before(self, name: str, path: str) -> None:
        super().before(name, path)
        if self.count > self.k and (name not in LEAVE_SPACE or self.code == errno.EROFS):
            raise OSError(self.code, os.strerror(self.code), path)


class Cut(Plan):
    """Lose the electricity before the k-th call: leave at `after` what a disk would hold.

    Of a file that was not synchronised only a part of what came last may be there. Names, as on common file systems, are
    there in the order in which they were made; the newest of them, since anything was last synchronised, may be missing.
    """

    def __init__(self, root: Path, k: int, after: Path, draw: Random):
        super().__init__(root)
        self.k, self.to, self.draw = k, after, draw
        self.safe = {path.stat().st_ino: path.read_bytes() for path in self.root.rglob("*") if path.is_file()}
        self.names = self._names()

    def _names(self) -> dict[str, tuple[int, bytes | None]]:
        """What stands where now: the file's number and bytes, None for those of a folder."""
        return {
            str(path.relative_to(self.root)): (path.stat().st_ino, path.read_bytes() if path.is_file() else None)
            for path in sorted(self.root.rglob("*"))
        }

    def before(self, name: str, path: str) -> None:
        if self.count == self.k:
            self.end()
        super().before(name, path)

    def after(self, name: str, path: str) -> None:
        if name == "fsync":
            if Path(path).is_file():
                self.safe[Path(path).stat().st_ino] = Path(path).read_bytes()
            self.names = self._names()

    def end(self) -> None:
        names = self._names() if self.draw.random() < 0.5 else self.names
        self.to.mkdir()
        for name, (number, data) in names.items():
            if data is None:
                (self.to / name).mkdir(exist_ok=True)
            else:
                (self.to / name).write_bytes(self._left_of(number, data))
        os._exit(DONE)

    def _left_of(self, number: int, data: bytes) -> bytes:
        safe = self.safe.get(number, b"")
        if data == safe or not data.startswith(safe):
            return safe
        return data[: self.draw.choice([len(safe), self.draw.randint(len(safe), len(data))])]


def happen(work: Callable[[], object], plan: Plan) -> int:
    """Do some work in a process in which a plan is at work; its exit code: 0 if it was done, -9 if it was killed."""
    pid = os.fork()
    if pid == 0:
        code = RAISED
        try:
            plan.install()
            work()
            plan.end()
            code = DONE
        except BaseException:
            (Path(os.environ["TMPDIR"]) / "raised.txt").write_text(traceback.format_exc())
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def moments(work: Callable[[], object], root: Path) -> list[str]:
    """The calls that some work makes, found out on a copy of its folder that then takes its place again."""
    aside, reader, writer = root.with_name(f"{root.name}-aside"), *os.pipe()
    shutil.copytree(root, aside, symlinks=True)
    pid = os.fork()
    if pid == 0:
        try:
            plan = Plan(root)
            plan.install()
            work()
            os.write(writer, "\n".join(plan.moments).encode())
        finally:
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as told:
        found = told.read().splitlines()
    os.waitpid(pid, 0)
    shutil.rmtree(root)
    aside.rename(root)
    expect(found, "the work itself cannot be done")
    return found
