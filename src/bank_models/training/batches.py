"""Matrix in batches: rows that go through a fitted preprocessing whenever they are read, so that it never exists as a whole."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from bank_models.data.column_store import release
from bank_models.data.view import BATCH_ROWS, View, as_frame, take
from bank_models.features.filling import make_filler

if TYPE_CHECKING:
    import pandas as pd
    from sklearn.compose import ColumnTransformer

MOST_SHOWN = 200_000  # rows: the loss of more is a curve that nobody can tell from theirs


class BatchedMatrix:
    """The matrix of a view's rows, batch by batch.

    Parameters
    ----------
    features : ColumnTransformer
        Fitted, of `bank_models.features.preprocessing.make_features`.
    rows : View

    Attributes
    ----------
    shape : tuple of int
    batch_rows : int
        Of every batch but the last.
    """

    batch_rows = BATCH_ROWS

    def __init__(self, features: ColumnTransformer, rows: View):
        self._rows, self._filled = rows, make_filler(features, rows.whole)
        self.shape = len(rows), self._filled(rows.positions(0)[:1]).shape[1]

    def __len__(self) -> int:
        return self.shape[0]

    def batches(self) -> Iterator[np.ndarray]:
        """Arrays of float32, in the order of the rows."""
        return map(self.batch, range(self._rows.n_batches))

    def batch(self, number: int) -> np.ndarray:
        """One of the batches, counted from 0."""
        matrix = self._filled(self._rows.positions(number))
        release()
        return matrix


def matrix_of_rows(features: ColumnTransformer, rows: pd.DataFrame | View, in_batches: bool):
    """The matrix of some rows: one array, or of a view of many rows batches, where they are wanted."""
    if in_batches and isinstance(rows, View) and len(rows) > BATCH_ROWS:
        return BatchedMatrix(features, rows)
    return features.transform(as_frame(rows))


def predicted(estimator, X) -> np.ndarray:
    """Predictions of an estimator for a matrix, in batches or not."""
    return np.concatenate([*map(estimator.predict, X.batches())]) if isinstance(X, BatchedMatrix) else estimator.predict(X)


def telling_rows(rows: View, categories: list[str]) -> np.ndarray:
    """Positions of the first row, and of the first one of each category: few rows that have every value."""
    found = [np.zeros(1, dtype="int64")]
    for name in categories:
        found.append(rows[name].reset_index(drop=True).drop_duplicates().index.to_numpy())
    return np.unique(np.concatenate(found))


def at_most(n_rows: int, rows: pd.DataFrame | View, y: np.ndarray, random_state: int) -> tuple[pd.DataFrame | View, np.ndarray]:
    """Rows and their target; of many a sample, in their order."""
    if len(y) <= n_rows:
        return rows, y
    some = np.sort(np.random.default_rng(random_state).choice(len(y), n_rows, replace=False))
    return take(rows, some), y[some]
