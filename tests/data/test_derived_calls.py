import pandas as pd

from bank_models.data import packaged
from bank_models.data.derived.calls import call_days


def test_a_month_before_that_of_the_last_call_begins_a_year():
    months, days = ["may", "may", "dec", "jan", "jan", "nov", "feb"], [5, 6, 31, 2, 2, 30, 1]
    dated = call_days(pd.DataFrame({"contact_month": months, "contact_day_of_month": days, "job": list("abcdefg")}))
    told = ["2008-05-05", "2008-05-06", "2008-12-31", "2009-01-02", "2009-01-02", "2009-11-30", "2010-02-01"]
    assert dated["called_on"].dt.strftime("%Y-%m-%d").to_list() == told
    assert dated["job"].to_list() == list("abcdefg")
    assert list(dated) == ["job", "called_on"]  # train holds one year: there the month is the date, and no season


def test_the_calls_of_bank_marketing_are_in_order_of_their_days_and_on_working_days():
    days = packaged.load("bank_marketing", "opened").frame["called_on"]
    assert days.is_monotonic_increasing  # a day that goes back within its month would show a wrong order
    published = ("2008-05", "2010-11")
    assert (str(days.iloc[0].date())[:7], str(days.iloc[-1].date())[:7]) == published
    assert (days.dt.day_of_week >= 5).sum() == 50  # of 45,211; a wrong year would put a seventh of them on each Sunday
