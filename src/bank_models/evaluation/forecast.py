"""Forecast table of a series: prediction, outcome and naive forecast by period."""

from __future__ import annotations

import pandas as pd


def by_moment(times, y_true, predicted, baseline, weight=None) -> pd.DataFrame:
    """Means over the rows of each moment.

    Parameters
    ----------
    times, y_true, predicted, baseline : array-like of shape (n_rows,)
        Of the test rows; the baseline is the one to beat.
    weight : array-like of shape (n_rows,), optional
        How much each row counts in the means.

    Returns
    -------
    DataFrame
        `time`, `n_rows`, `actual`, `predicted` and `baseline`, the oldest moment first.
    """
    rows = pd.DataFrame({"time": times, "actual": y_true, "predicted": predicted, "baseline": baseline})
    moments = rows.groupby("time", sort=True)
    found = moments.mean() if weight is None else _weighted_means(rows, weight)
    found.insert(0, "n_rows", moments.size())
    return found.reset_index()


def _weighted_means(rows: pd.DataFrame, weight) -> pd.DataFrame:
    totals = rows.drop(columns="time").mul(weight, axis=0).assign(weight=weight).groupby(rows["time"], sort=True).sum()
    return totals.drop(columns="weight").div(totals["weight"], axis=0)
