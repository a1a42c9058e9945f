"""Reference row: the median or mode of each feature in the training rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from bank_models.config.feature import Feature


def reference_row(train: pd.DataFrame, features: Mapping[str, Feature]) -> dict[str, Any]:
    """The usual value of each feature, in types that JSON knows.

    Parameters
    ----------
    train : DataFrame of shape (n_rows, at least the features)
        Valid training rows.
    features : mapping of str to Feature

    Returns
    -------
    dict
        The lower median of numbers and dates (as ISO 8601), the most frequent category or flag (of equally frequent ones the
        first in order; None is a missing one), and the empty text: a text of somebody must not travel with the model.
    """
    return {name: _usual(train[name], feature.type) for name, feature in features.items()}


def as_table(reference: Mapping[str, Any], features: Mapping[str, Feature]) -> pd.DataFrame:
    """A reference as a table of one row, in the types of validated rows."""
    return pd.DataFrame({name: _column(reference[name], feature.type) for name, feature in features.items()})


def _usual(column: pd.Series, kind: str) -> Any:
    if kind == "text":
        return ""
    if kind in ("category", "bool"):
        counts = column.value_counts(dropna=False)
        found = sorted(counts.index[counts == counts.max()], key=str)[0]
        return None if pd.isna(found) else str(found) if kind == "category" else bool(found)
    known = column.dropna()
    if not len(known):
        return None
    place = (len(known) - 1) // 2
    if kind == "date":
        return known.sort_values().iloc[place].date().isoformat()
    middle = np.partition(known.to_numpy(), place)[place]
    return int(middle) if kind == "int" else float(middle)


def _column(value: Any, kind: str):
    if kind == "category":
        return pd.Categorical([value], categories=[] if value is None else [value])
    if kind == "date":
        return pd.array([value], dtype="datetime64[s]")
    if kind == "text":
        return pd.array([value], dtype="str")
    return pd.array([float("nan") if value is None else float(value)], dtype="float64").to_numpy()
