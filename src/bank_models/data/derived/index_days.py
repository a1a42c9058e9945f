"""Daily index returns, with dates known to the year only."""

from __future__ import annotations

import pandas as pd


def index_days(days: pd.DataFrame) -> pd.DataFrame:
    """Days in their order, with a stand-in for the date that is not in the file.

    Parameters
    ----------
    days : DataFrame of shape (n_days, n_columns)
        `year`, in order of time.

    Returns
    -------
    DataFrame of shape (n_days, n_columns)
        `day` instead of `year`: the n-th row of a year gets the n-th calendar day of it. The order is true, the dates are not.
    """
    first = pd.to_datetime(days["year"].astype(str), format="%Y")
    place = days.groupby("year").cumcount()
    return days.drop(columns="year").assign(day=first + pd.to_timedelta(place, unit="D"))
