"""Worker of a spread fit: a process that holds a shard of the rows."""

from __future__ import annotations

import hashlib
import os
from contextlib import AbstractContextManager
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy as np
import pandas as pd

from bank_models.errors import TrainingError
from bank_models.models.early_stopping import Matrix, Monitoring, Part, fit_rounds

ALONE = (
    "The workers of the fit do not work together: worker {rank} is in a network of {size} that has {n_rows:,} rows, but "
    "{n_workers} workers have {total:,}.\nNothing was written. A firewall between the machines of the cluster may be why."
)


@dataclass(frozen=True)
class Job:
    """What a worker fits.

    Attributes
    ----------
    estimator : BaseEstimator
        Unfitted.
    library : {"xgboost", "lightgbm"}
    loss : str
        What is watched.
    matrix : Matrix
    monitoring : Monitoring
    n_rows : int
        That are fitted by all workers together.
    reference : matrix, optional
        Rows of all shards, of which LightGBM makes its bins.
    """

    estimator: Any
    library: str
    loss: str
    matrix: Matrix
    monitoring: Monitoring
    n_rows: int
    reference: Any = None


@dataclass(frozen=True)
class ShardFit:
    """What a worker's fit came to.

    Attributes
    ----------
    estimator : BaseEstimator or None
        Fitted; of the first worker alone, as all have the same.
    history : DataFrame
    n_rounds : int
    sha256 : str
        Of the model.
    weight : float
        Of the rows of the shard.
    """

    estimator: Any
    history: pd.DataFrame
    n_rounds: int
    sha256: str
    weight: float


class ShardWorker:
    """A process with a shard of the rows, which joins the others for one fit.

    Parameters
    ----------
    rank, n_workers : int
    library : {"xgboost", "lightgbm"}
    """

    def __init__(self, rank: int, n_workers: int, library: str):
        self._rank, self._n_workers, self._pieces = rank, n_workers, {}
        self._shards = import_module(f"bank_models.models.early_stopping.{library}_shards")

    def door(self) -> Any:
        """Open the place where the network meets, and say where it is."""
        import ray

        self._network = self._shards.Network(self._rank, self._n_workers, ray.util.get_node_ip_address())
        return self._network.door

    def add(self, part: str, X, y, weight) -> None:
        """Take some more rows of a part, in their order."""
        self._pieces.setdefault(part, []).append((X, y, weight))

    def fit(self, job: Job, doors: list[Any]) -> ShardFit:
        """Fit with the others.

        Raises
        ------
        TrainingError
            If this worker is not in one network with all others and all rows.
        """
        parts = {name: _part(name, pieces) for name, pieces in self._pieces.items()}
        self._pieces = {}
        train, estimator = parts["train"], job.estimator
        how = train, parts.get("val"), job.matrix, job.monitoring
        with (
            self._shards.sharing(estimator, self._n_workers, job.reference, job.matrix),
            self._joined(doors),
        ):
            self._check_together(len(train.y), job.n_rows)
            history, n_rounds = fit_rounds(estimator, job.library, job.loss, *how)
        sha256 = hashlib.sha256(self._shards.model_bytes(estimator)).hexdigest()
        weight = float(len(train.y) if train.weight is None else train.weight.sum())
        return ShardFit(estimator if self._rank == 0 else None, history, n_rounds, sha256, weight)

    def _joined(self, doors: list[Any]) -> AbstractContextManager:
        return self._network.joined(doors)

    def _check_together(self, n_rows: int, total: int) -> None:
        size, seen = self._network.size_and_sum(n_rows)
        if seen != total or size not in (None, self._n_workers):
            facts = {"rank": self._rank, "size": size or "others", "n_rows": seen, "total": total, "n_workers": self._n_workers}
            raise TrainingError(ALONE.format(**facts))

    def pid(self) -> int:
        """Number of this process."""
        return os.getpid()


def _part(name: str, pieces: list[tuple]) -> Part:
    X, y, weight = zip(*pieces, strict=True)
    return Part(name, stacked(X), np.concatenate(y), None if weight[0] is None else np.concatenate(weight))


def stacked(pieces) -> Any:
    """Matrices of some rows each, as one."""
    if hasattr(pieces[0], "tocsr"):
        from scipy import sparse

        return sparse.vstack(pieces, format="csr")
    return np.concatenate(pieces)
