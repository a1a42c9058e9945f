"""View: some rows of a table, read column by column or batch by batch, never copied as a whole."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from bank_models.data.column_store import release

BATCH_ROWS = 1 << 15


class View:
    """Rows of a frame by their positions; reads like a frame of these rows, as far as it goes.

    Parameters
    ----------
    frame : DataFrame
    rows : ndarray of int of shape (n_rows,)
        Positions in the frame.
    """

    def __init__(self, frame: pd.DataFrame, rows: np.ndarray):
        self._frame, self._rows = frame, rows

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def shape(self) -> tuple[int, int]:
        return len(self._rows), self._frame.shape[1]

    @property
    def columns(self) -> pd.Index:
        return self._frame.columns

    def __getitem__(self, names: Any) -> pd.Series | View:
        """A column; or of a list of names, a view of these columns."""
        found = self._frame[names]
        if isinstance(found, pd.DataFrame):
            return View(found, self._rows)
        column = found.iloc[self._rows]
        release()
        return column

    @property
    def iloc(self) -> _ByPosition:
        """Some of the rows as a frame, by their positions in the view."""
        return _ByPosition(self._frame, self._rows)

    def take(self, positions: np.ndarray) -> View:
        """A view of some of the rows."""
        return View(self._frame, self._rows[positions])

    def batches(self) -> Iterator[pd.DataFrame]:
        """The rows as frames of at most 32,768 rows, in order."""
        for number in range(self.n_batches):
            yield self.batch(number)

    def batch(self, number: int) -> pd.DataFrame:
        """One of the batches, counted from 0."""
        found = self._frame.iloc[self.positions(number)]
        release()
        return found

    def positions(self, number: int) -> np.ndarray:
        """Where the rows of one of the batches stand in the frame."""
        return self._rows[number * BATCH_ROWS : (number + 1) * BATCH_ROWS]

    @property
    def n_batches(self) -> int:
        return -(-len(self._rows) // BATCH_ROWS)

    @property
    def whole(self) -> pd.DataFrame:
        """The frame whose rows these are."""
        return self._frame

    def to_frame(self) -> pd.DataFrame:
        """All rows, copied."""
        return self._frame.iloc[self._rows]


class _ByPosition:
    def __init__(self, frame: pd.DataFrame, rows: np.ndarray):
        self._frame, self._rows = frame, rows

    def __getitem__(self, positions: Any) -> pd.DataFrame:
        found = self._frame.iloc[self._rows[positions]]
        release()
        return found


def as_frame(rows: pd.DataFrame | View) -> pd.DataFrame:
    """The rows as a frame, copied if need be."""
    return rows.to_frame() if isinstance(rows, View) else rows


def take(rows: pd.DataFrame | View, positions: np.ndarray) -> pd.DataFrame | View:
    """Some of the rows, of a view without a copy."""
    return rows.take(positions) if isinstance(rows, View) else rows.iloc[positions]
