"""Derived columns: computed from the columns of the same row, by the same code in training and in scoring."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from bank_models.config.derived import Derived, in_order
from bank_models.config.expression import parse
from bank_models.data.expressions import Truth, evaluate, read_column


def add_derived(frame: pd.DataFrame, derived: Mapping[str, Derived]) -> pd.DataFrame:
    """Add a column for each expression.

    A row's value depends on that row alone: it is the same in any table, in any batch and in any order of rows.

    Parameters
    ----------
    frame : DataFrame of shape (n_rows, n_columns)
        With the columns that the expressions name, in the types that models are fed with. It is not changed.
    derived : mapping of str to Derived

    Returns
    -------
    DataFrame of shape (n_rows, n_columns + n_derived)
        Numbers are float32, conditions bool, or float32 where one is missing. A value is missing where one that it needs is
        missing, and where it is no finite number.
    """
    found: dict[str, pd.Series] = {}
    for name in in_order(derived):
        expression = parse(derived[name].expression)
        columns = {column: read_column(found[column] if column in found else frame[column]) for column in expression.columns}
        value = evaluate(expression, columns, len(frame))
        found[name] = pd.Series(_as_column(value), frame.index)
    return frame.assign(**{name: found[name] for name in derived})


def _as_column(value: np.ndarray | Truth) -> np.ndarray:
    if isinstance(value, Truth):
        return value.yes.copy() if (value.yes | value.no).all() else value.as_numbers().astype(np.float32)
    with np.errstate(over="ignore"):
        column = value.astype(np.float32)
    column[~np.isfinite(column)] = np.nan
    return column


def undefined(frame: pd.DataFrame, derived: Mapping[str, Derived]) -> dict[str, int]:
    """How many rows lack a derived column although they have all that it looks at: divided by zero, for example."""
    found = {}
    for name, one in derived.items():
        has_all = frame[list(one.columns)].notna().all(axis=1) if one.columns else True
        found[name] = int((frame[name].isna() & has_all).sum())
    return {name: count for name, count in found.items() if count}


def notes_on_undefined(counts: Mapping[str, int], n_rows: int) -> list[str]:
    """One sentence for each derived column that some rows lack."""
    return [
        f"{name} cannot be computed in {count:,} of {n_rows:,} rows, such as by a division by zero: it is missing there."
        for name, count in counts.items()
    ]
