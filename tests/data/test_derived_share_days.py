import numpy as np
import pandas as pd
import pytest

from bank_models.data import packaged
from bank_models.data.derived.share_days import share_directions

FIGURES = ["open_usd", "high_usd", "low_usd", "close_usd", "volume", "adjusted_close_usd"]


@pytest.fixture(scope="module")
def prices():
    """The five shares until the end of 2005: one joins in August 2004, another is not there yet."""
    table = pd.read_csv(packaged.VENDORED / "us_ohlcv.csv.gz", parse_dates=["Date"])
    names = ["Open", "High", "Low", "Close", "Volume", "Adj Close"]
    table = table[["Date", "Ticker", *names]].set_axis(["date", "ticker", *FIGURES], axis=1)
    return table[table["date"] < "2006-01-01"]


@pytest.fixture(scope="module")
def rows(prices):
    return share_directions(prices)


def row_of(rows, day, ticker):
    return rows[(rows["date"] == day) & (rows["ticker"] == ticker)].iloc[0]


def test_a_share_that_splits_worked_by_hand():
    days = pd.bdate_range("2023-01-02", periods=130)
    quoted = np.full(130, 100.0)
    quoted[128:] = [55.0, 50.0]  # two for one on the last but one day, and 10 % up
    adjusted = np.append(np.full(128, 50.0), [55.0, 50.0])
    table = pd.DataFrame({"date": days, "ticker": "A", "open_usd": quoted, "high_usd": quoted + 1, "low_usd": quoted - 1,
                          "close_usd": quoted, "volume": 1000, "adjusted_close_usd": adjusted})  # fmt: skip
    table.loc[128, ["open_usd", "high_usd", "low_usd", "volume"]] = [52.0, 56.0, 51.0, 4000]
    before, split = (row_of(share_directions(table), day, "A") for day in days[127:129])
    assert (before["next_day_up"], split["next_day_up"]) == (1, 0)
    assert split["return_today_pct"] == pytest.approx(10)
    assert split["gap_at_open_pct"] == pytest.approx(4)  # opens at 52, which was 50 at the close before
    assert split["return_since_open_pct"] == pytest.approx(100 * (55 / 52 - 1))
    assert split["place_in_day_range"] == pytest.approx(0.8)  # 55 between 51 and 56
    assert split["traded_value_ratio_1d"] == pytest.approx(220 / ((62 * 100 + 220) / 63))
    assert split["range_volatility_5d_pct"] == pytest.approx(
        100 * np.sqrt((4 * np.log(101 / 99) ** 2 + np.log(56 / 51) ** 2) / (5 * 4 * np.log(2)))
    )


@pytest.mark.parametrize(("day", "ticker"), [("2001-09-17", "IBM"), ("2005-02-28", "AAPL"), ("2005-06-30", "GOOG")])
def test_figures_equal_those_of_a_plain_loop(prices, rows, day, ticker):
    share, row = prices[prices["ticker"] == ticker].reset_index(drop=True), row_of(rows, day, ticker)
    place, close = int((share["date"] == day).argmax()), share["adjusted_close_usd"].to_list()
    returns = [100 * (close[i] / close[i - 1] - 1) for i in range(place - 62, place + 1)]
    names = ["return_today_pct", *(f"return_{n}d_ago_pct" for n in (1, 2, 3, 4))]
    np.testing.assert_allclose(row[names].astype(float), returns[::-1][:5], rtol=1e-7, atol=1e-9)
    for n in (5, 21, 63, 126):
        assert row[f"momentum_{n}d_pct"] == pytest.approx(100 * (close[place] / close[place - n] - 1))
    for n in (5, 21, 63):
        assert row[f"volatility_{n}d_pct"] == pytest.approx(np.std(returns[-n:], ddof=1))
    assert row["gap_to_mean_21d_pct"] == pytest.approx(100 * (close[place] / np.mean(close[place - 20 : place + 1]) - 1))
    assert row["drawdown_63d_pct"] == pytest.approx(100 * (1 - close[place] / max(close[place - 62 : place + 1])))
    assert row["next_day_up"] == (close[place + 1] > close[place])
    assert row["weekday"] == pd.Timestamp(day).weekday()


def test_the_market_is_the_mean_of_the_shares_that_have_a_return(rows):
    of_day = rows[rows["date"] == "2005-06-30"]
    assert len(of_day) == 4
    np.testing.assert_allclose(of_day["market_return_today_pct"], of_day["return_today_pct"].mean(), rtol=1e-9)


@pytest.mark.parametrize("day", ["2001-07-03", "2005-03-31"])
def test_prices_after_a_day_change_no_feature_of_it(prices, rows, day):
    changed = prices.astype({"volume": "float64"})
    later = (changed["date"] > day).to_numpy()
    changed.loc[later, FIGURES] *= np.random.default_rng(0).uniform(0.9, 1.1, size=(later.sum(), len(FIGURES)))
    after, is_past = share_directions(changed), rows["date"] <= day
    features = rows.columns.drop("next_day_up")
    pd.testing.assert_frame_equal(rows.loc[is_past, features], after[after["date"] <= day][features], check_exact=True)


def test_the_last_day_of_a_share_has_no_target_and_so_no_row(prices, rows):
    assert rows["date"].max() == sorted(prices["date"].unique())[-2]
