"""XGBoost's bins from a matrix in batches: quantile sketches in passes over the batches, one byte a cell in memory."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import xgboost

FACTS = ("label", "weight")


class Batches(xgboost.DataIter):
    """What XGBoost reads a matrix from, as often as it wants.

    Parameters
    ----------
    X : BatchedMatrix
        See `bank_models.training.batches`.
    facts : dict of str to ndarray or None
        `label` and `weight` of the rows.
    how : dict
        Further arguments of each batch.
    """

    def __init__(self, X, facts: dict[str, np.ndarray | None], how: dict[str, Any]):
        super().__init__(release_data=True)
        self._X, self._facts, self._how = X, {name: values for name, values in facts.items() if values is not None}, how
        self.reset()

    def reset(self) -> None:
        self._left, self._n_read = self._X.batches(), 0

    def next(self, input_data) -> bool:
        batch = next(self._left, None)
        if batch is None:
            return False
        rows = slice(self._n_read, self._n_read + len(batch))
        self._n_read = rows.stop
        input_data(data=batch, **{name: values[rows] for name, values in self._facts.items()}, **self._how)
        return True


@contextmanager
def reading_batches(estimator) -> Iterator[None]:
    """Let an estimator's `fit` take matrices in batches; bins and trees are those of the same matrix as one array."""
    usual = estimator._create_dmatrix

    def create(ref, data, **given):
        if not hasattr(data, "batches"):
            return usual(ref=ref, data=data, **given)
        facts = {name: given[name] for name in FACTS}
        batches = Batches(data, facts, {"feature_types": given["feature_types"]})
        return xgboost.QuantileDMatrix(
            batches,
            ref=ref,
            missing=given["missing"],
            nthread=estimator.n_jobs,
            max_bin=estimator.max_bin,
            enable_categorical=given["enable_categorical"],
        )

    estimator._create_dmatrix = create  # no public setting of a fit says how its matrix is made
    try:
        yield
    finally:
        del estimator._create_dmatrix
