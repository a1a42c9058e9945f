"""Row weights: their column checked, and what they leave of each part."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from bank_models.data.columns import ColumnError, first_of, first_row, how_many, numbers_of
from bank_models.errors import DataError
from bank_models.metrics.weighted import effective_size

if TYPE_CHECKING:
    import pandas as pd

    from bank_models.data.split import Split


def as_weight(column: pd.Series) -> np.ndarray:
    """Weights as float64.

    Raises
    ------
    ColumnError
        If one is missing, infinite or negative, or if no row weighs anything.
    """
    weight = numbers_of(column).astype("float64")
    missing = np.isnan(weight)
    if missing.any():
        raise ColumnError(f"{missing.sum():,} rows have no weight ({first_row(missing, column)})", missing, "missing")
    for what, bad in (("infinite", np.isinf(weight)), ("below 0, which no weight can be", weight < 0)):
        if bad.any():
            raise ColumnError(f"{how_many(bad)} {what} ({first_of(bad, column)})", bad, what)
    if not weight.any():
        raise ColumnError("every weight is 0, so no row would count")
    return weight


def check_parts(split: Split, y: np.ndarray, weight: np.ndarray | None, task: str) -> None:
    """Refuse a split in which the rows of a part, or of a class of it, weigh nothing.

    Raises
    ------
    DataError
    """
    for name, rows in split.parts().items():
        if weight is not None and (whose := _weightless(y[rows], weight[rows], task)):
            raise DataError(
                f"Every weight of the {whose} in {name} is 0: it could not be scored.\n"
                "Bring rows that count, or choose another data_split."
            )


def check_folds(folds: Sequence[tuple[np.ndarray, np.ndarray]], y: np.ndarray, weight: np.ndarray | None, task: str) -> None:
    """Refuse folds in which the rows of one, or of a class of it, weigh nothing.

    Raises
    ------
    DataError
    """
    for number, fold in enumerate(folds, start=1):
        for rows in fold:
            if weight is not None and (whose := _weightless(y[rows], weight[rows], task)):
                raise DataError(
                    f"Every weight of the {whose} in fold {number} is 0: choose fewer folds with cv.n_folds=…, or cv=none."
                )


def _weightless(y: np.ndarray, weight: np.ndarray, task: str) -> str:
    if task == "regression":
        return "" if weight.any() else "rows"
    return next((f"rows of class {code}" for code in np.unique(y) if not weight[y == code].any()), "")


def facts_of_weights(column: str, split: Split, weight: np.ndarray) -> dict[str, Any]:
    """What the record says of the weights: their column, and by part their sum and the effective number of rows."""
    parts = {name: weight[rows] for name, rows in split.parts().items()}
    return {
        "column": column,
        "sum": {name: float(of_part.sum()) for name, of_part in parts.items()},
        "effective_rows": {name: effective_size(of_part) for name, of_part in parts.items()},
    }
