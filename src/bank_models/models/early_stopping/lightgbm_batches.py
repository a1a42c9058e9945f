"""LightGBM's bins from a matrix in batches: found in a sample of rows, then one byte a cell in memory."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import lightgbm
import numpy as np


class Batches(lightgbm.Sequence):
    """What LightGBM reads a matrix from: single rows in their order, for its sample, and one batch after the other.

    Parameters
    ----------
    X : BatchedMatrix
        See `bank_models.training.batches`.
    """

    def __init__(self, X):
        self._X, self.shape, self.batch_size = X, X.shape, X.batch_rows
        self._number, self._batch = -1, None

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: int | slice) -> np.ndarray:
        first = rows.start if isinstance(rows, slice) else int(rows)
        number, place = divmod(first, self.batch_size)
        if number != self._number:
            self._number, self._batch = number, self._X.batch(number)
        return self._batch if isinstance(rows, slice) else self._batch[place].astype("float64")


@contextmanager
def reading_batches() -> Iterator[None]:
    """Let a `fit` take matrices in batches, which LightGBM's data sets can but its check of a `fit`'s arguments refuses."""
    usual = lightgbm.sklearn._LGBMValidateData

    def validate(estimator, X, y, **how):
        if not isinstance(X, Batches):
            return usual(estimator, X, y, **how)
        estimator.n_features_in_ = X.shape[1]
        return X, y

    lightgbm.sklearn._LGBMValidateData = validate
    try:
        yield
    finally:
        lightgbm.sklearn._LGBMValidateData = usual
