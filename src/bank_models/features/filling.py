"""Filling of a matrix: rows of columns that lie apart, straight into an array, with no frame between."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer

from bank_models.features.transformers.categories import CategoryCodes, CategoryEncoder
from bank_models.features.transformers.numbers import AsNumbers

Fill = Callable[[np.ndarray, np.ndarray], None]
NumbersOf = Callable[[pd.Series], np.ndarray]


def make_filler(step: ColumnTransformer, frame: pd.DataFrame) -> Callable[[np.ndarray], np.ndarray]:
    """What gives the matrix of some rows of a frame, to the last bit as the step itself does.

    The step goes through a table, a copy of the rows, and a stack of its parts: five times the work where numbers pass
    through and categories become codes.

    Parameters
    ----------
    step : ColumnTransformer
        Fitted, of `bank_models.features.preprocessing.make_features`, with a dense matrix of float32.
    frame : DataFrame of shape (n_rows, at least the step's columns)

    Returns
    -------
    callable
        Takes positions in the frame.
    """
    fills, width = [], 0
    for kind, fitted, names in step.transformers_:
        if kind == "remainder" or not len(names):
            continue
        found = [_fill_of(frame[name], numbers_of) for name, numbers_of in _columns_of(fitted, names)]
        if not found or None in found:
            return lambda rows: step.transform(frame.iloc[rows])
        fills += found
        width += len(found)

    def filled(rows: np.ndarray) -> np.ndarray:
        matrix = np.empty((len(rows), width), dtype="float32")
        for place, fill in enumerate(fills):
            fill(matrix[:, place], rows)
        return matrix

    return filled


def _columns_of(fitted, names) -> list[tuple[str, NumbersOf | None]]:
    """Columns that one step puts into the matrix, one by one, and what numbers their categories; none where it does more."""
    if isinstance(fitted, CategoryEncoder):
        is_plain = not fitted.many_ and isinstance(fitted.each_, CategoryCodes)
        return [(name, partial(fitted.each_.numbers_of, place)) for place, name in enumerate(fitted.few_)] if is_plain else []
    steps = list(getattr(fitted, "named_steps", {}).values())
    is_plain = len(steps) == 1 and isinstance(steps[0], AsNumbers) and steps[0].dtype == "float32"
    return [(name, None) for name in names] if is_plain else []


def _fill_of(column: pd.Series, numbers_of: NumbersOf | None) -> Fill | None:
    """What puts a column's rows into one of the matrix; None for a type that only its step knows."""
    if numbers_of is not None and isinstance(column.dtype, pd.CategoricalDtype):
        numbers, codes = numbers_of(column), column.cat.codes.to_numpy()
        return lambda place, rows: np.copyto(place, numbers[codes[rows]])
    if numbers_of is None and isinstance(column.dtype, np.dtype) and column.dtype.kind in "fiub":
        values = column.to_numpy()
        return lambda place, rows: np.copyto(place, values[rows], casting="unsafe")
    return None
