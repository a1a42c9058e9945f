"""Worker processes of a search, on memory-mapped folds."""

from __future__ import annotations

import contextlib
import multiprocessing
import signal
import tempfile
from collections.abc import Iterator, Mapping
from multiprocessing import connection
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bank_models.errors import ConfigError
from bank_models.files import folders
from bank_models.runtime.processes import end_with_parent, start, start_server
from bank_models.tuning.trial import Outcome, outcome_of, reason_of

if TYPE_CHECKING:
    from bank_models.metrics.scorer import Scorer
    from bank_models.runtime.cluster import Connection
    from bank_models.tuning.folds import Candidate
    from bank_models.tuning.ray_pool import RayPool

PRELOADED = ["bank_models.tuning.workers", "sklearn.ensemble", "sklearn.linear_model", "lightgbm", "xgboost"]
SERVER = multiprocessing.get_context("forkserver")  # a fork of this process would inherit threads in the middle of their work


class InProcessPool:
    """No other process: a trial runs when its result is asked for."""

    def __init__(self, candidates: Mapping[str, Candidate], scorer: Scorer):
        self._search = candidates, scorer
        self._waiting: list[tuple[int, tuple]] = []

    def is_free(self) -> bool:
        return not self._waiting

    def submit(self, number: int, task: tuple) -> None:
        self._waiting.append((number, task))

    def next_finished(self, timeout_s: float | None = None) -> tuple[int, Outcome]:
        """A trial, however long it takes: there is nobody else to look at the clock."""
        number, task = self._waiting.pop(0)
        return number, outcome_of(*self._search, *task)


class WorkerPool:
    """Several processes; one that dies is a trial that failed, and is replaced.

    Parameters
    ----------
    candidates : mapping of str to Candidate
    scorer : Scorer
    n_threads : int
        Of each process.
    n_workers : int
    folder : Path
        For the folds.
    """

    def __init__(self, candidates: Mapping[str, Candidate], scorer: Scorer, n_threads: int, n_workers: int, folder: Path):
        import joblib

        self._path, self._n_threads = folder / "folds.joblib", n_threads
        joblib.dump((dict(candidates), scorer), self._path)
        self._idle: list[connection.Connection] = []
        self._busy: dict[connection.Connection, int] = {}
        self._processes: dict[connection.Connection, Any] = {}
        for _ in range(n_workers):
            self._start()

    def _start(self) -> None:
        ours, theirs = SERVER.Pipe()
        process = SERVER.Process(target=_serve, args=(theirs, self._path, self._n_threads), daemon=True)
        start(process)
        theirs.close()
        self._idle.append(ours)
        self._processes[ours] = process

    def is_free(self) -> bool:
        return bool(self._idle)

    def submit(self, number: int, task: tuple) -> None:
        pipe = self._idle.pop()
        self._busy[pipe] = number
        with contextlib.suppress(BrokenPipeError):  # it has died: that shows when its answer is read
            pipe.send(task)

    def next_finished(self, timeout_s: float | None = None) -> tuple[int, Outcome] | None:
        """The next trial that ends; None if none does within so many seconds."""
        ready = connection.wait(list(self._busy), timeout_s)
        if not ready:
            return None
        pipe = ready[0]
        number = self._busy.pop(pipe)
        try:
            outcome = pipe.recv()
            self._idle.append(pipe)
        except (EOFError, ConnectionResetError):
            process = self._processes.pop(pipe)
            process.join()
            code = process.exitcode
            why = f"signal {signal.Signals(-code).name}" if code and code < 0 else f"exit code {code}"
            outcome = Outcome({}, reason=f"its process ended with {why}")
            pipe.close()
            self._start()
        return number, outcome

    def close(self) -> None:
        for pipe, process in self._processes.items():
            pipe.close()
            process.terminate()
        for process in self._processes.values():
            process.join()


@contextlib.contextmanager
def workers(
    candidates: Mapping[str, Candidate], scorer: Scorer, n_threads: int, n_workers: int, connection: Connection | None = None
) -> Iterator[InProcessPool | WorkerPool | RayPool]:
    """Processes for a search: of a cluster, of this machine, or this one."""
    if connection is not None:
        from bank_models.tuning.ray_pool import RayPool

        processes = RayPool(connection, candidates, scorer, n_threads, n_workers)
        try:
            yield processes
        finally:
            processes.close()
        return
    if n_workers == 1:
        yield InProcessPool(candidates, scorer)
        return
    with folders.scratch("folds-") as folder:
        processes = WorkerPool(candidates, scorer, n_threads, n_workers, folder)
        try:
            yield processes
        finally:
            processes.close()


def warm_up() -> None:
    """Start to import what workers need, while this process does something else."""
    try:
        start_server(PRELOADED)
    except OSError as error:  # the system allows 107 characters for a socket's name
        if "AF_UNIX" not in str(error):
            raise
        raise ConfigError(
            f"Processes cannot talk to one another in {tempfile.gettempdir()}: its name is too long for a socket. "
            "Set TMPDIR to a shorter one, such as /tmp"
        ) from error


def _serve(pipe: connection.Connection, path: Path, n_threads: int) -> None:
    import joblib
    from threadpoolctl import threadpool_limits

    end_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with contextlib.suppress(EOFError, BrokenPipeError):  # the search is over
        try:
            candidates, scorer = joblib.load(path, mmap_mode="r")
            threadpool_limits(n_threads)
        except Exception as error:
            pipe.recv()
            pipe.send(Outcome({}, reason=reason_of(error)))
            return
        while True:
            pipe.send(outcome_of(candidates, scorer, *pipe.recv()))
