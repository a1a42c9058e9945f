"""A cheap look for features that give the target away."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from sklearn.metrics import roc_auc_score

SUSPICIOUS_AUC = 0.95
MAX_ROWS = 20_000


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
    found = {}
    for name in frame.columns[[not pd.api.types.is_string_dtype(dtype) for dtype in frame.dtypes]]:
        auc = roc_auc_score(y[judged], _as_number(frame[name], y, known, judged))
        if max(auc, 1 - auc) > SUSPICIOUS_AUC:
            found[name] = float(max(auc, 1 - auc))
    return found


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
