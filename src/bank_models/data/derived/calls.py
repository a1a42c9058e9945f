"""Calls of a campaign, with years found from the order of the file."""

from __future__ import annotations

import pandas as pd

FIRST_YEAR = 2008
MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]


def call_days(calls: pd.DataFrame) -> pd.DataFrame:
    """Calls with the date that their day, their month and their order tell.

    The owners say that the rows are in the order of time from May 2008 on, so a month before that of the last row begins a
    year.

    Parameters
    ----------
    calls : DataFrame of shape (n_calls, n_columns)
        `contact_month` (jan to dec) and `contact_day_of_month`, in order of time.

    Returns
    -------
    DataFrame of shape (n_calls, n_columns - 1)
        `called_on` instead of the two.
    """
    month = calls["contact_month"].map({name: number for number, name in enumerate(MONTHS, start=1)})
    year = FIRST_YEAR + (month.diff() < 0).cumsum()
    dates = pd.DataFrame({"year": year, "month": month, "day": calls["contact_day_of_month"]})
    return calls.drop(columns=["contact_month", "contact_day_of_month"]).assign(called_on=pd.to_datetime(dates))
