import pandas as pd

from bank_models.data.derived.index_days import index_days


def test_days_of_a_year_keep_their_order():
    days = index_days(pd.DataFrame({"year": [2001, 2001, 2002, 2002, 2002], "up": list("abcde")}))
    assert days["up"].to_list() == list("abcde")
    assert days["day"].dt.strftime("%Y-%m-%d").to_list() == [
        "2001-01-01",
        "2001-01-02",
        "2002-01-01",
        "2002-01-02",
        "2002-01-03",
    ]
