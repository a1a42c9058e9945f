"""Forecast table of a series: prediction, outcome and naive forecast by period."""

from __future__ import annotations

import pandas as pd


def by_moment(times, y_true, predicted, baseline) -> pd.DataFrame:
    """Means over the rows of each moment.

    Parameters
    ----------
    times, y_true, predicted, baseline : array-like of shape (n_rows,)
        Of the test rows; the baseline is the one to beat.

    Returns
    -------
    DataFrame
        `time`, `n_rows`, `actual`, `predicted` and `baseline`, the oldest moment first.
    """
    rows = pd.DataFrame({"time": times, "actual": y_true, "predicted": predicted, "baseline": baseline})
    moments = rows.groupby("time", sort=True)
    found = moments.mean()
    found.insert(0, "n_rows", moments.size())
    return found.reset_index()
