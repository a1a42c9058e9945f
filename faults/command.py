"""Run our commands as a person would, but forked from a process that has imported the libraries."""

from __future__ import annotations

import contextlib
import json
import os
import runpy
import signal
import sys
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from faults.case import Broken, expect

MODULES = "FAULTS_MODULES"  # file that takes the names of all modules that a command has imported
SMALL = ("use_case=credit_scoring", "cv=none", "tracking=none")


@dataclass(frozen=True)
class Answer:
    """Exit code (negative: the signal that ended it), standard output and standard error."""

    code: int
    out: str
    err: str

    def check_is_a_sentence(self, *codes: int) -> None:
        """Expect one of some exit codes, at most three lines of complaint, and no traceback."""
        said = self.err.strip()
        expect("Traceback (most recent" not in self.out + said, f"a traceback: {_end(said)}")
        expect(
            self.code in codes,
            f"exit code {self.code} instead of {' or '.join(map(str, codes))}: {_end(said) or 'nothing said'}",
        )
        if self.code:
            expect(said, f"exit code {self.code} without a word")
            expect(len(said.splitlines()) <= 3, f"{len(said.splitlines())} lines of complaint: {_end(said)}")

    def check_is_good(self) -> None:
        expect(self.code == 0, f"exit code {self.code}: {_end(self.err)}")


def _end(text: str) -> str:
    return " | ".join(text.strip().splitlines()[-4:])[-500:]


@dataclass(frozen=True)
class Running:
    """A command that was started."""

    pid: int
    files: tuple[Path, Path]

    def wait(self, limit_s: float = 60) -> Answer:
        """Its answer.

        Raises
        ------
        Broken
            If it doesn't end in time.
        """
        deadline = time.monotonic() + limit_s
        while time.monotonic() < deadline:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                out, err = (path.read_text(errors="replace") for path in self.files)
                return Answer(os.waitstatus_to_exitcode(status), out, err)
            time.sleep(0.005)
        self.send(signal.SIGKILL)
        os.waitpid(self.pid, 0)
        raise Broken(f"it did not end within {limit_s:g} s")

    def send(self, number: int) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, number)

    def has_ended(self) -> bool:
        return os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def start(
    module: str,
    *arguments: object,
    env: Mapping[str, str] | None = None,
    before: Callable[[], None] | None = None,
    folder: Path | None = None,
) -> Running:
    """Start `python -m module arguments` in a folder, this one unless said; `before` is done in its process first."""
    place = Path(os.environ["TMPDIR"]).parent
    files = tuple(place / f"{name}-{time.monotonic_ns()}" for name in ("out", "err"))
    sys.stdout.flush()
    pid = os.fork()
    if pid == 0:
        _be(module, [str(argument) for argument in arguments], files, env or {}, before, folder)
    return Running(pid, files)


def run(module: str, *arguments: object, limit_s: float = 60, **options) -> Answer:
    """Start a command and wait for its answer."""
    return start(module, *arguments, **options).wait(limit_s)


def train(*overrides: object, **options) -> Answer:
    """A small run of `bank_models.train`, without its version in a registry unless asked."""
    told = () if any(str(one).startswith("registry") for one in overrides) else ("registry=none",)
    return run("src.train", *SMALL, *told, *overrides, **options)


def _be(module: str, arguments: list[str], files, env, before, folder) -> None:
    code = 1
    try:
        for number, path in enumerate(files, start=1):
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
            os.dup2(descriptor, number)
            os.close(descriptor)
        sys.stdout, sys.stderr = (os.fdopen(number, "w", closefd=False) for number in (1, 2))
        os.environ |= env
        if folder:
            os.chdir(folder)
        sys.argv = [module, *arguments]
        for name in (module, f"{module}.__main__"):
            sys.modules.pop(name, None)
        if before:
            before()
        code = _exit_code(module)
        if MODULES in os.environ:
            Path(os.environ[MODULES]).write_text(json.dumps(sorted(sys.modules)), encoding="utf-8")
    finally:
        with contextlib.suppress(BaseException):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


def _exit_code(module: str) -> int:
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    except SystemExit as end:
        if isinstance(end.code, str):
            print(end.code, file=sys.stderr)
        return end.code if isinstance(end.code, int) else bool(end.code)
    except BaseException:
        traceback.print_exc()
        return 1
    return 0
