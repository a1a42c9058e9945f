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
    fills: list[tuple[int, Fill]] = []  # how many columns of the matrix, and what fills them
    for kind, fitted, names in step.transformers_:
        if kind == "remainder" or not len(names):
            continue
        found = [_fill_of(frame[name], numbers_of) for name, numbers_of in _columns_of(fitted, names)]
        fills += [(1, fill) for fill in found] if found and None not in found else [_fill_at_once(fitted, frame[list(names)])]
    width = sum(n_columns for n_columns, _ in fills)

    def filled(rows: np.ndarray) -> np.ndarray:
        matrix, first = np.empty((len(rows), width), dtype="float32"), 0
        for n_columns, fill in fills:
            fill(matrix[:, first] if n_columns == 1 else matrix[:, first : first + n_columns], rows)
            first += n_columns
        return matrix

    return filled


def _fill_at_once(fitted, columns: pd.DataFrame) -> tuple[int, Fill]:
    """What puts rows of several columns through their step, such as dates, and how many columns it gives."""

    def fill(place: np.ndarray, rows: np.ndarray) -> None:
        np.copyto(place, fitted.transform(columns.iloc[rows]).reshape(place.shape))

    return fitted.transform(columns.iloc[:1]).shape[1], fill


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
