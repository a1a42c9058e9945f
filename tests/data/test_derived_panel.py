import numpy as np
import pandas as pd

from bank_models.data.derived.panel import stack

DAYS = pd.DatetimeIndex(["2024-01-01", "2024-01-02", "2024-01-03"])
PRICE = pd.DataFrame({"b": [1.0, 2.0, 3.0], "a": [10.0, np.nan, 30.0]}, index=DAYS)


def test_rows_stand_in_order_of_time_then_name_and_those_with_a_gap_are_left_out():
    rows = stack({"price": PRICE, "weekday": pd.Series(DAYS.day_of_week, DAYS)}, time="day", entity="asset")
    first, second, third = DAYS
    expected = [(first, "a", 10, 0), (first, "b", 1, 0), (second, "b", 2, 1), (third, "a", 30, 2), (third, "b", 3, 2)]
    assert list(rows.itertuples(index=False, name=None)) == expected
    assert rows.dtypes.astype(str).to_list()[1:] == ["str", "float64", "int32"]


def test_figures_are_matched_by_moment_and_name_and_not_by_place():
    doubled = (2 * PRICE)[["a", "b"]].iloc[::-1]
    rows = stack({"price": PRICE, "doubled": doubled}, time="day", entity="asset")
    assert (rows.doubled == 2 * rows.price).all()
