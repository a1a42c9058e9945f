import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from bank_models.config.feature import Lag
from bank_models.data.lags import add_lags, naive_forecasts
from bank_models.errors import DataError

STATISTICS = {"mean": np.mean, "std": lambda kept: np.std(kept, ddof=1), "min": np.min, "max": np.max, "sum": np.sum}
LAGS = {
    "back_1": Lag(column="amount", entity="account", periods=1),
    "back_4": Lag(column="amount", periods=4),
    "target_back_3": Lag(column="is_late", entity="account", periods=3, horizon=3),
    "mean_of_5": Lag(column="amount", entity="account", window=5, statistic="mean"),
    "std_of_4": Lag(column="amount", entity="account", window=4, statistic="std", min_periods=2),
    "min_of_3": Lag(column="amount", window=3, statistic="min", min_periods=3),
    "max_of_2": Lag(column="amount", entity="account", window=2, statistic="max", horizon=2),
    "late_in_6": Lag(column="is_late", entity="account", window=6, statistic="sum", horizon=2),
}


def panel(seed: int, n: int = 120) -> pd.DataFrame:
    """Five accounts on 15 days, so many rows share a moment; values and accounts are missing here and there."""
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "account": pd.Categorical(np.where(rng.random(n) < 0.1, None, rng.choice([*"abcde"], n))),
            "day": np.datetime64("2025-01-01", "s") + rng.integers(0, 15, n) * np.timedelta64(86400, "s"),
            "amount": np.where(rng.random(n) < 0.2, np.nan, rng.normal(size=n)).astype("float32"),
            "is_late": rng.random(n) < 0.3,
        },
        index=rng.permutation(n) + 1000,
    )


def one_by_one(frame: pd.DataFrame, lag: Lag) -> list[float]:
    """The definition, row for row."""
    found = []
    for _, row in frame.iterrows():
        if lag.entity and pd.isna(row[lag.entity]):
            found.append(np.nan)
            continue
        mine = frame[frame[lag.entity] == row[lag.entity]] if lag.entity else frame
        earlier = mine[mine.day < row.day].sort_values("day", kind="stable")[lag.column].astype(float).tolist()
        if lag.periods:
            found.append(earlier[-lag.periods] if len(earlier) >= lag.periods else np.nan)
            continue
        known = earlier[: len(earlier) - lag.horizon + 1]
        kept = [value for value in known[-lag.window :] if not np.isnan(value)]
        enough = len(kept) >= max(lag.min_periods, 2 if lag.statistic == "std" else 1)
        found.append(STATISTICS[lag.statistic](kept) if enough else np.nan)
    return found


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", LAGS)
def test_a_lag_is_what_a_loop_over_the_rows_gives(name, seed):
    frame = panel(seed)
    column = add_lags(frame, {name: LAGS[name]}, "day")[name]
    assert column.dtype == np.float32
    np.testing.assert_allclose(column, one_by_one(frame, LAGS[name]), rtol=1e-5, atol=1e-6)


def test_a_case_worked_by_hand():
    frame = pd.DataFrame(
        {
            "account": ["a", "b", "a", "a", "a"],
            "day": pd.to_datetime(["2025-01-03", "2025-01-01", "2025-01-01", "2025-01-02", "2025-01-02"]),
            "amount": [9.0, 7.0, 1.0, 2.0, 4.0],
        }
    )
    lags = {
        "previous": Lag(column="amount", entity="account", periods=1),
        "mean_of_2": Lag(column="amount", entity="account", window=2, statistic="mean"),
        "before_last": Lag(column="amount", entity="account", periods=2, horizon=2),
    }
    made = add_lags(frame, lags, "day")
    nan = np.nan
    np.testing.assert_array_equal(made.previous, [4, nan, nan, 1, 1])  # the two rows of January 2nd see January 1st only
    np.testing.assert_array_equal(made.mean_of_2, [3, nan, nan, 1, 1])
    np.testing.assert_array_equal(made.before_last, [2, nan, nan, nan, nan])


def test_changing_the_future_never_changes_the_past():
    frame, today = panel(3), np.datetime64("2025-01-08")
    future = (frame.day >= today).to_numpy()
    changed = frame.copy()
    changed.loc[future, "amount"] = 1e6
    changed.loc[future, "is_late"] = ~changed.loc[future, "is_late"]
    changed.loc[future, "day"] = changed.loc[future, "day"] + np.timedelta64(3, "D")
    before, after, without = (add_lags(f, LAGS, "day") for f in (frame, changed, frame[~future]))
    past = before.loc[~future, list(LAGS)].to_numpy()
    assert past.tobytes() == after.loc[~future, list(LAGS)].to_numpy().tobytes()
    assert past.tobytes() == without[list(LAGS)].to_numpy().tobytes()


def test_rows_of_one_moment_do_not_see_each_other():
    frame = panel(4)
    alone = add_lags(frame.assign(amount=0.0), LAGS, "day")
    for i in range(len(frame)):
        amounts = np.zeros(len(frame))
        amounts[i] = 1.0
        made = add_lags(frame.assign(amount=amounts), LAGS, "day")
        same_moment = (frame.day == frame.day.iloc[i]).to_numpy()
        pd.testing.assert_frame_equal(made.loc[same_moment, list(LAGS)], alone.loc[same_moment, list(LAGS)])


def test_a_window_forgets_what_has_left_it_to_the_last_bit():
    values = [1e30, 1e-3, 0.1, 0.2, 0.3]
    days = pd.date_range("2025-01-01", periods=5)
    for statistic in STATISTICS:
        lags = {"made": Lag(column="x", window=3, statistic=statistic)}
        long = add_lags(pd.DataFrame({"x": values, "day": days}), lags, "day").made.iloc[-1]
        short = add_lags(pd.DataFrame({"x": values[1:], "day": days[1:]}), lags, "day").made.iloc[-1]
        assert long == short


def test_rows_keep_their_order_and_the_table_given_stays_as_it_was():
    frame = panel(5)
    given = frame.copy()
    made = add_lags(frame, LAGS, "day")
    pd.testing.assert_frame_equal(frame, given)
    pd.testing.assert_frame_equal(made[frame.columns], given)
    assert list(made.columns) == [*frame.columns, *LAGS]


@pytest.mark.parametrize(
    ("lags", "match"),
    [
        ({"x": Lag(column="balance", periods=1)}, "lag x needs the column balance"),
        ({"x": Lag(column="amount", entity="branch", periods=1)}, "lag x needs the column branch"),
        ({"amount": Lag(column="is_late", periods=1)}, "lag amount would overwrite"),
        ({"x": Lag(column="account", periods=1)}, "account holds category, but only numbers can be lagged"),
    ],
)
def test_a_lag_that_the_table_cannot_give_is_refused(lags, match):
    with pytest.raises(DataError, match=match):
        add_lags(panel(0), lags, "day")


@pytest.mark.parametrize(
    ("facts", "match"),
    [
        ({}, "either periods or a window"),
        ({"periods": 1, "window": 3, "statistic": "mean"}, "either periods or a window"),
        ({"window": 3}, "a window and its statistic go together"),
        ({"periods": 1, "statistic": "mean"}, "a window and its statistic go together"),
        ({"window": 3, "statistic": "mean", "min_periods": 4}, "`min_periods <= window` must hold"),
        ({"periods": 3, "min_periods": 2}, "min_periods is for a window"),
        ({"periods": 2, "horizon": 3}, "that value is not known yet"),
        ({"periods": 0}, "greater than or equal to 1"),
        ({"window": 1, "statistic": "sum"}, "greater than or equal to 2"),
        ({"periods": 1, "entity": "amount"}, "it is the entity"),
    ],
)
def test_a_lag_that_contradicts_itself_is_refused(facts, match):
    with pytest.raises(ValidationError, match=match):
        Lag(column="amount", **facts)


def test_naive_forecasts_are_the_values_a_plain_loop_finds():
    frame = pd.DataFrame(
        {
            "branch": ["a", "b", "a", "a", "b", "a"],
            "month": pd.to_datetime(["2024-03-01", "2024-01-01", "2024-01-01", "2024-02-01", "2024-02-01", "2024-04-01"]),
            "deposits_eur": [3.0, 10.0, 1.0, 2.0, 11.0, 4.0],
        }
    )
    found = naive_forecasts(frame, "deposits_eur", "month", "branch", horizon=1, season=3)
    np.testing.assert_array_equal(found["last_value"], [2.0, np.nan, np.nan, 1.0, 10.0, 3.0])
    np.testing.assert_array_equal(found["seasonal_naive"], [np.nan] * 5 + [1.0])
