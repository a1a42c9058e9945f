"""Worker processes of a search, on memory-mapped folds."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING

from bank_models.files import folders
from bank_models.runtime.process_pool import ProcessPool
from bank_models.tuning.trial import Outcome, outcome_of, reason_of

if TYPE_CHECKING:
    from bank_models.metrics.scorer import Scorer
    from bank_models.runtime.cluster import Connection
    from bank_models.tuning.folds import Candidate
    from bank_models.tuning.ray_pool import RayPool


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


class WorkerPool(ProcessPool):
    """Several processes; one that dies is a trial that failed, and is replaced: see `bank_models.runtime.process_pool`."""

    def __init__(self, candidates: Mapping[str, Candidate], scorer: Scorer, *how):
        super().__init__(partial(outcome_of, dict(candidates), scorer), *how)

    def next_finished(self, timeout_s: float | None = None) -> tuple[int, Outcome] | None:
        """The next trial that ends; None if none does within so many seconds."""
        if (found := self.next_answer(timeout_s)) is None:
            return None
        number, answer = found
        if answer.end:
            return number, Outcome({}, reason=f"its process ended with {answer.end}")
        return number, answer.value or Outcome({}, reason=reason_of(answer.error))


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
