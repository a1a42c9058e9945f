"""A cheap look for features that give the target away."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from scipy.stats import rankdata

SUSPICIOUS_AUC = 0.95
MAX_ROWS = 20_000
CELLS_AT_ONCE = 2_000_000


def suspects(frame: pd.DataFrame, y, seed: int) -> Mapping[str, float]:
    """Features that rank the target almost perfectly all by themselves.

    Parameters
    ----------
    frame : DataFrame of shape (n_rows, n_features)
        Training rows; text is left out; at most 20,000 of them, drawn at random, are looked at.
    y : ndarray of shape (n_rows,)
        0 or 1.
    seed : int

    Returns
    -------
    mapping of str to float
        ROC-AUC of each suspicious feature, above 0.95, by name. A category is ranked by its share of positives among half
        of the rows and judged on the other half.
    """
    rows = np.arange(len(frame))
    if len(rows) > MAX_ROWS:
        rows = np.random.default_rng(seed).choice(rows, MAX_ROWS, replace=False)
    known, judged = rows[::2], rows[1::2]
    if len(np.unique(y[judged])) < 2:
        return {}
    names = [name for name, dtype in frame.dtypes.items() if not pd.api.types.is_string_dtype(dtype)]
    n_at_once, found = max(1, CELLS_AT_ONCE // len(judged)), {}
    for first in range(0, len(names), n_at_once):
        some = names[first : first + n_at_once]
        values = np.column_stack([_as_number(frame[name], y, known, judged) for name in some])
        areas = areas_under_roc(y[judged], values)
        areas = np.maximum(areas, 1 - areas)
        found |= {some[i]: float(areas[i]) for i in np.flatnonzero(areas > SUSPICIOUS_AUC)}
    return found


def areas_under_roc(y, values: np.ndarray) -> np.ndarray:
    """ROC-AUC of each column as a score of y, from the ranks of its positives; ties count half.

    Parameters
    ----------
    y : ndarray of shape (n_rows,)
        0 or 1, both of them.
    values : ndarray of shape (n_rows, n_columns)

    References
    ----------
    Hanley & McNeil (1982), The meaning and use of the area under a ROC curve, Radiology 143(1), 29-36.
    """
    n_positives = np.sum(y == 1)
    ranks = rankdata(values, axis=0)[y == 1].sum(axis=0)
    return (ranks - n_positives * (n_positives + 1) / 2) / (n_positives * (len(y) - n_positives))


def _as_number(column: pd.Series, y, known, judged) -> np.ndarray:
    if column.dtype.kind == "M":
        column = column.astype("int64")
    if not isinstance(column.dtype, pd.CategoricalDtype):
        values = column.iloc[judged].to_numpy(dtype="float64", na_value=np.nan)
        return np.nan_to_num(values, nan=np.nanmin(values, initial=0.0) - 1)
    codes = column.cat.codes.to_numpy() + 1  # 0 is missing
    n_codes = len(column.cat.categories) + 1
    totals = np.bincount(codes[known], minlength=n_codes)
    positives = np.bincount(codes[known], weights=y[known], minlength=n_codes)
    return ((positives + y.mean()) / (totals + 1))[codes[judged]]
