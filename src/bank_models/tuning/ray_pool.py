"""Workers of a search on a Ray cluster: the folds are sent to each machine once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from bank_models.runtime.cluster import Connection, reason_of
from bank_models.tuning.trial import Outcome, outcome_of

if TYPE_CHECKING:
    from bank_models.metrics.scorer import Scorer
    from bank_models.tuning.folds import Candidate


class RayPool:
    """Several processes of a cluster; one that dies is a trial that failed, and is replaced.

    Parameters
    ----------
    connection : Connection
    candidates : mapping of str to Candidate
    scorer : Scorer
    n_threads : int
        Of each process.
    n_workers : int
    """

    def __init__(
        self, connection: Connection, candidates: Mapping[str, Candidate], scorer: Scorer, n_threads: int, n_workers: int
    ):
        self._connection, self._n_threads = connection, n_threads
        self._folds = connection.put((dict(candidates), scorer))
        self._idle: list[Any] = []
        self._busy: dict[Any, tuple[Any, int]] = {}
        for _ in range(n_workers):
            self._start()
        connection.check_begun([worker.begin.remote() for worker in self._idle])

    def _start(self) -> None:
        self._idle += self._connection.start(TrialWorker, 1, self._n_threads, self._folds, self._n_threads)

    def is_free(self) -> bool:
        return bool(self._idle)

    def submit(self, number: int, task: tuple) -> None:
        worker = self._idle.pop()
        self._busy[worker.run.remote(task)] = worker, number

    def next_finished(self, timeout_s: float | None = None) -> tuple[int, Outcome] | None:
        """The next trial that ends; None if none does within so many seconds."""
        ready = self._connection.wait(list(self._busy), timeout_s)
        if not ready:
            return None
        worker, number = self._busy.pop(ready[0])
        try:
            outcome = self._connection.get(ready[0])
            self._idle.append(worker)
        except self._connection.died() as error:
            outcome = Outcome({}, reason=f"{reason_of(error)} on the cluster")
            self._start()
        return number, outcome

    def close(self) -> None:
        self._connection.kill([*self._idle, *(worker for worker, _ in self._busy.values())])


class TrialWorker:
    """A process of the cluster that runs trials.

    Parameters
    ----------
    search : tuple
        Candidates and scorer; its arrays lie in memory that the processes of a machine share.
    n_threads : int
    """

    def __init__(self, search: tuple, n_threads: int):
        from threadpoolctl import threadpool_limits

        self._search = search
        threadpool_limits(n_threads)

    def begin(self) -> None:
        """Nothing: an answer says that the process runs."""

    def run(self, task: tuple) -> Outcome:
        return outcome_of(*self._search, *task)
