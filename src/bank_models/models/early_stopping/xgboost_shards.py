"""XGBoost's own network between the workers of one fit: see `bank_models.training.shards`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

VAL_IS_WHOLE = False  # each worker watches its own rows of val, and the sums are shared
START_S = 300


class Network:
    """The network that a worker is in.

    Parameters
    ----------
    tracker : RabitTracker, optional
        Of the first worker, which the others meet at.
    """

    def __init__(self, rank: int, n_workers: int, host: str):
        self._rank, self._tracker, self.door = rank, None, None
        if rank == 0 and n_workers > 1:
            from xgboost.tracker import RabitTracker

            self._tracker = RabitTracker(n_workers, host, sortby="task", timeout=START_S)
            self._tracker.start()
            self.door = self._tracker.worker_args()

    @contextmanager
    def joined(self, doors: list[Any]) -> Iterator[None]:
        """In the network of all workers, in the order of their ranks; of one worker there is none."""
        if len(doors) == 1:
            yield
            return
        from xgboost import collective

        with collective.CommunicatorContext(**doors[0], dmlc_task_id=f"{self._rank:06d}"):
            yield
        if self._tracker is not None:
            self._tracker.wait_for(START_S)

    def size_and_sum(self, n_rows: int) -> tuple[int, int]:
        """How many workers are in the network, and how many rows they have together."""
        from xgboost import collective

        if not collective.is_distributed():
            return 1, n_rows
        total = collective.allreduce(np.array([n_rows], dtype="int64"), collective.Op.SUM)
        return collective.get_world_size(), int(total[0])


@contextmanager
def sharing(estimator, n_workers: int, reference, matrix) -> Iterator[None]:
    """Let an estimator's `fit` work in the network: XGBoost does so of itself, and merges sketches of all shards into bins."""
    yield


def model_bytes(estimator) -> bytes:
    """What must be the same on each worker."""
    return bytes(estimator.get_booster().save_raw("ubj"))


def train_losses(losses: list[np.ndarray], weights: list[float], loss: str) -> np.ndarray:
    """Loss of all rows that were fitted, by round: each worker knows it already."""
    return losses[0]
