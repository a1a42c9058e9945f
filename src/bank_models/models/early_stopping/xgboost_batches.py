"""XGBoost's matrices: bins of the rows that are fitted, from batches where they are many; rows that are watched as they are."""

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
def making_matrices(estimator) -> Iterator[None]:
    """Let an estimator's `fit` take matrices in batches; bins and trees are those of the same matrix as one array.

    Rows that are only watched are not put into bins. Trees decide the same of a number and of its bin, but XGBoost looks for
    the bin of a cell in all bins of its row where cells are missing. On 10^6 rows this took half as long as the fit.
    """
    usual = estimator._create_dmatrix

    def create(ref, data, **given):
        if ref is not None and estimator.device in (None, "cpu"):
            return xgboost.DMatrix(_as_array(data), **given, nthread=estimator.n_jobs)
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


def _as_array(X) -> np.ndarray:
    """A matrix in batches as one array."""
    if not hasattr(X, "batches"):
        return X
    whole, n_read = np.empty(X.shape, dtype="float32"), 0
    for batch in X.batches():
        whole[n_read : n_read + len(batch)] = batch
        n_read += len(batch)
    return whole
