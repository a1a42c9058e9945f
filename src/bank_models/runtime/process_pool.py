"""Process pool: one function in several processes, on arrays that all of them map from one file.

Not that of `concurrent.futures`: it ends with one of its processes, and after Ctrl-C Python would complain of its semaphores.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import signal
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing import connection
from multiprocessing.pool import ExceptionWithTraceback
from pathlib import Path
from typing import Any

from bank_models.errors import ConfigError, TrainingError
from bank_models.runtime.processes import end_with_parent, start, start_server

PRELOADED = [
    "bank_models.tuning.workers", "bank_models.training.cross_validation", "sklearn.ensemble", "sklearn.linear_model",
    "lightgbm", "xgboost",
]  # fmt: skip
SERVER = multiprocessing.get_context("forkserver")  # a fork of this process would inherit threads in the middle of their work


def warm_up() -> None:
    """Start to import what models need in processes of their own, while this one does something else.

    Raises
    ------
    ConfigError
        If the folder for temporary files has too long a name.
    """
    try:
        start_server(PRELOADED)
    except OSError as error:  # the system allows 107 characters for a socket's name
        if "AF_UNIX" not in str(error):
            raise
        raise ConfigError(
            f"Processes cannot talk to one another in {tempfile.gettempdir()}: its name is too long for a socket. "
            "Set TMPDIR to a shorter one, such as /tmp"
        ) from error


@dataclass(frozen=True)
class Answer:
    """What a call gave or raised, or how its process ended."""

    value: Any = None
    error: Exception | None = None
    end: str | None = None


class ProcessPool:
    """Several processes; one that dies is replaced.

    Parameters
    ----------
    work : callable
        Of what can be pickled; its arrays are written once.
    n_threads : int
        Of each process.
    n_workers : int
    folder : Path
        For `work`.

    Raises
    ------
    TrainingError
        If the system allows no further process.
    """

    def __init__(self, work: Callable, n_threads: int, n_workers: int, folder: Path):
        import joblib

        self._path, self._n_threads = folder / "work.joblib", n_threads
        joblib.dump(work, self._path)
        self._idle: list[connection.Connection] = []
        self._busy: dict[connection.Connection, int] = {}
        self._processes: dict[connection.Connection, Any] = {}
        try:
            for _ in range(n_workers):
                self._start()
        except BaseException:
            self.close()
            raise

    def _start(self) -> None:
        ours, theirs = SERVER.Pipe()
        process = SERVER.Process(target=_serve, args=(theirs, self._path, self._n_threads), daemon=True)
        start(process)
        theirs.close()
        self._idle.append(ours)
        self._processes[ours] = process

    def is_free(self) -> bool:
        return bool(self._idle)

    def is_busy(self) -> bool:
        return bool(self._busy)

    def submit(self, number: int, task: tuple) -> None:
        """Call the function with the values of a task, in a process that is free."""
        pipe = self._idle.pop()
        self._busy[pipe] = number
        with contextlib.suppress(BrokenPipeError):  # it has died: that shows when its answer is read
            pipe.send(task)

    def next_answer(self, timeout_s: float | None = None) -> tuple[int, Answer] | None:
        """The next call that ends; None if none does within so many seconds."""
        ready = connection.wait(list(self._busy), timeout_s)
        if not ready:
            return None
        pipe = ready[0]
        number = self._busy.pop(pipe)
        try:
            answer = pipe.recv()
            self._idle.append(pipe)
        except (EOFError, ConnectionResetError):
            process = self._processes.pop(pipe)
            process.join()
            code = process.exitcode
            answer = Answer(end=f"signal {signal.Signals(-code).name}" if code and code < 0 else f"exit code {code}")
            pipe.close()
            self._start()
        return number, answer

    def close(self) -> None:
        """End all processes, whatever they do."""
        for pipe, process in self._processes.items():
            pipe.close()
            process.terminate()
        for process in self._processes.values():
            process.join()


def _serve(pipe: connection.Connection, path: Path, n_threads: int) -> None:
    import joblib
    from threadpoolctl import threadpool_limits

    end_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with contextlib.suppress(EOFError, BrokenPipeError):  # the pool is closed
        try:
            work = joblib.load(path, mmap_mode="r")
            threadpool_limits(n_threads)
        except Exception as error:
            pipe.recv()
            _send(pipe, Answer(error=error))
            return
        while True:
            _send(pipe, _answer_of(work, pipe.recv()))


def _answer_of(work: Callable, task: tuple) -> Answer:
    try:
        return Answer(work(*task))
    except Exception as error:
        return Answer(error=error)


def _send(pipe: connection.Connection, answer: Answer) -> None:
    if answer.error is None:
        pipe.send(answer)
        return
    try:
        pipe.send(Answer(error=ExceptionWithTraceback(answer.error, answer.error.__traceback__)))
    except (EOFError, BrokenPipeError):
        raise
    except Exception:  # it cannot be pickled
        pipe.send(Answer(error=TrainingError(f"{type(answer.error).__name__}: {answer.error}")))
