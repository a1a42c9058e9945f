"""Fit over several workers of a cluster: each holds a shard of the rows, and all grow the same trees.

The rows go through the preprocessing where they are, as for any fit, and are sent as matrices. What is learnt from a shard
alone would be a worse model that nobody notices, so each worker proves that it sees the rows of all, and their models must be
the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from bank_models.data.view import BATCH_ROWS
from bank_models.errors import ConfigError, TrainingError
from bank_models.models.early_stopping import Matrix, Monitoring, Part
from bank_models.runtime.cluster import Connection, reason_of
from bank_models.training.shard_worker import Job, ShardFit, ShardWorker, stacked

if TYPE_CHECKING:
    from bank_models.runtime.cluster import Cluster

AHEAD = 4  # batches that are under way to the workers
ENDED = (
    "A worker of the fit ended in the middle of it: {}. Nothing was written.\n"
    "Type the command again; if memory is short, use more workers on more machines (n_shards=…)."
)
DIFFER = "The workers of the fit came to different models, so they have not worked together. Nothing was written."
MULTIPLIERS = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
STEP = np.uint64(0x9E3779B97F4A7C15)


def shard_of(positions: np.ndarray, n_shards: int) -> np.ndarray:
    """Shard of each row: a hash of its position, so that the order of the rows in time or by group makes no shard special.

    References
    ----------
    Steele, Lea & Flood (2014), Fast splittable pseudorandom number generators, OOPSLA, 453-472: the mixer of SplitMix64.
    """
    mixed = (np.asarray(positions).astype("uint64") + np.uint64(1)) * STEP
    for shift, multiplier in zip((30, 27), MULTIPLIERS, strict=True):
        mixed = (mixed ^ (mixed >> np.uint64(shift))) * multiplier
    return ((mixed ^ (mixed >> np.uint64(31))) % np.uint64(n_shards)).astype("int64")


@dataclass(frozen=True)
class Spread:
    """How a fit is spread.

    Attributes
    ----------
    cluster : Cluster
    n_shards : int
        Parts of the rows, and workers.
    library : {"xgboost", "lightgbm"}
    loss : str
        What is watched: see `bank_models.models.early_stopping.fit_rounds`.
    """

    cluster: Cluster
    n_shards: int
    library: str
    loss: str


def fit_over_shards(
    spread: Spread, estimator, train: Part, stop: Part | None, matrix: Matrix, monitoring: Monitoring
) -> tuple[Any, pd.DataFrame, int]:
    """Fit an estimator over the workers of a cluster.

    Parameters
    ----------
    spread : Spread
    estimator : BaseEstimator
        Unfitted.
    train : Part
    stop : Part, optional
    matrix : Matrix
    monitoring : Monitoring

    Returns
    -------
    estimator, history, n_rounds
        As of `bank_models.models.early_stopping.fit_rounds`.

    Raises
    ------
    TrainingError
        If a worker ends, or they have not worked together.
    ConfigError
        If a shard would lack a class.
    """
    n_shards, library = spread.n_shards, spread.library
    shards = import_module(f"bank_models.models.early_stopping.{library}_shards")
    _check_classes(spread, train.y)
    with spread.cluster.connected() as connection:
        n_threads = connection.threads_of(n_shards)
        estimator.n_jobs = n_threads  # `set_params` of LightGBM would keep it as a setting of no name
        workers = [connection.start(ShardWorker, 1, n_threads, rank, n_shards, library)[0] for rank in range(n_shards)]
        try:
            begun = [one.door.remote() for one in workers]
            connection.check_begun(begun, n_shards)
            _send(connection, workers, train, is_whole=False)
            if stop is not None:
                _send(connection, workers, stop, shards.VAL_IS_WHOLE)
            job = Job(
                estimator,
                library,
                spread.loss,
                matrix,
                _without_telling(monitoring),
                len(train.y),
                _reference(estimator, library, train),
            )
            sent, doors = connection.put(job), [connection.get(one) for one in begun]
            found = _all(connection, [one.fit.remote(sent, doors) for one in workers])
        except connection.died() as error:
            raise TrainingError(ENDED.format(reason_of(error))) from error
        finally:
            connection.kill(workers)
    return _joined(found, shards, spread.loss)


def _check_classes(spread: Spread, y: np.ndarray) -> None:
    if "log_loss" not in spread.loss:
        return
    n_shards = spread.n_shards
    counts = np.zeros((n_shards, int(y.max()) + 1), dtype="int64")
    np.add.at(counts, (shard_of(np.arange(len(y)), n_shards), y), 1)
    lacks = np.argwhere(counts[:, counts.any(axis=0)] == 0)
    if len(lacks):
        raise ConfigError(
            f"n_shards={n_shards}: one of the shards would have no row of class {lacks[0][1]}, of which there are "
            f"{int(counts[:, lacks[0][1]].sum())}.\nChoose fewer shards, or leave n_shards out."
        )


def _without_telling(monitoring: Monitoring) -> Monitoring:
    """What is watched, without the function that tells of it: a worker is elsewhere."""
    return Monitoring(monitoring.patience, monitoring.with_train_loss)


def _batches(X) -> Iterator[Any]:
    if hasattr(X, "batches"):
        return X.batches()
    return (X[first : first + BATCH_ROWS] for first in range(0, X.shape[0], BATCH_ROWS))


def _send(connection: Connection, workers: list[Any], part: Part, is_whole: bool) -> None:
    """Send each row of a part to its worker, or all of them to each, in their order."""
    first, under_way = 0, []
    for X in _batches(part.X):
        positions = np.arange(first, first + X.shape[0])
        first += X.shape[0]
        values = [X, *(None if each is None else each[positions] for each in (part.y, part.weight))]
        if is_whole:
            sent = [connection.put(each) for each in values]
            under_way += [worker.add.remote(part.name, *sent) for worker in workers]
        else:
            shard = shard_of(positions, len(workers))
            for rank, worker in enumerate(workers):
                mine = np.flatnonzero(shard == rank)
                under_way.append(worker.add.remote(part.name, *(None if each is None else each[mine] for each in values)))
        while len(under_way) > AHEAD * len(workers):
            connection.get(under_way.pop(0))
    _all(connection, under_way)


def _reference(estimator, library: str, train: Part) -> Any:
    """The sample of all rows that LightGBM finds its bins in."""
    if library != "lightgbm":
        return None
    from bank_models.models.early_stopping.lightgbm_shards import sample_of

    rows, first, found = sample_of(estimator, len(train.y)), 0, []
    for X in _batches(train.X):
        here = rows[np.searchsorted(rows, first) : np.searchsorted(rows, first + X.shape[0])] - first
        found.append(X[here])
        first += X.shape[0]
    return stacked(found)


def _all(connection: Connection, references: list[Any]) -> list[Any]:
    """Values of all references; as soon as one of them has failed, its error, or that of the worker whose end was the cause."""
    waiting = list(references)
    while waiting:
        (ready,) = connection.wait(waiting)
        waiting.remove(ready)
        try:
            connection.get(ready)
        except connection.failed():
            _raise_if_died(connection, waiting)
            raise
    return [connection.get(one) for one in references]


def _raise_if_died(connection: Connection, references: list[Any], within_s: float = 5.0) -> None:
    """Raise that one of some calls has lost its worker, before the error of the network that others have met with for it."""
    while references and (ready := connection.wait(references, within_s)):
        references = [one for one in references if one is not ready[0]]
        try:
            connection.get(ready[0])
        except connection.died():
            raise
        except connection.failed():  # of the network, as the first one: that is raised if no worker has ended
            continue


def _joined(found: list[ShardFit], shards, loss: str) -> tuple[Any, pd.DataFrame, int]:
    if len({one.sha256 for one in found}) > 1:
        raise TrainingError(DIFFER)
    first, weights = found[0], [one.weight for one in found]
    losses = shards.train_losses([one.history["train_loss"].to_numpy() for one in found], weights, loss)
    return first.estimator, first.history.assign(train_loss=losses), first.n_rounds
