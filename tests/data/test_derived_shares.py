import numpy as np
import pandas as pd
import pytest

from bank_models.data import packaged
from bank_models.data.derived.shares import portfolio_losses
from bank_models.errors import DataError

COLUMNS = ["date", "ticker", "open_usd", "high_usd", "low_usd", "close_usd", "volume", "adjusted_close_usd"]


@pytest.fixture(scope="module")
def prices():
    """The five shares, read without the catalogue."""
    path = packaged.VENDORED / "us_ohlcv.csv.gz"
    table = pd.read_csv(path, parse_dates=["Date"])
    names = ["Date", "Ticker", "Open", "High", "Low", "Close", "Volume", "Adj Close"]
    return table[names].set_axis(COLUMNS, axis=1)


@pytest.fixture(scope="module")
def rows(prices):
    return portfolio_losses(prices).set_index("date")


@pytest.fixture(scope="module")
def shares(prices):
    """Rows of each share by day."""
    return {ticker: {row["date"]: row for row in share.to_dict("records")} for ticker, share in prices.groupby("ticker")}


@pytest.fixture(scope="module")
def days(prices):
    return sorted(prices.date.unique())


def loss_on(shares, days, day):
    """Minus the mean return, in %, of the shares that had a price on the trading day before."""
    before = days[days.index(day) - 1]
    held = [share for share in shares.values() if before in share]
    returns = [share[day]["adjusted_close_usd"] / share[before]["adjusted_close_usd"] - 1 for share in held]
    return -100 * sum(returns) / len(returns)


def last(days, day, n_days):
    until = days.index(pd.Timestamp(day)) + 1
    return days[until - n_days : until]


SOME_DAYS = ["2000-05-31", "2000-06-21", "2000-09-28", "2004-08-19", "2004-08-20", "2008-10-10", "2012-05-18", "2013-02-28"]


@pytest.mark.parametrize("day", SOME_DAYS)
def test_losses_equal_those_of_a_plain_loop(shares, days, rows, day):
    row, past = rows.loc[day], [loss_on(shares, days, one) for one in last(days, day, 63)]
    names = ["loss_today_pct", *(f"loss_{n}d_ago_pct" for n in range(1, 5))]
    np.testing.assert_allclose(row[names].astype(float), past[::-1][:5], rtol=1e-9)
    assert row["highest_loss_21d_pct"] == pytest.approx(max(past[-21:]), rel=1e-9)
    for n in (5, 10, 21, 63):
        assert row[f"volatility_{n}d_pct"] == pytest.approx(np.std(past[-n:], ddof=1), rel=1e-9)
    next_day = days[days.index(pd.Timestamp(day)) + 1]
    assert row["next_day_loss_pct"] == pytest.approx(loss_on(shares, days, next_day), rel=1e-9)
    assert row["weekday"] == pd.Timestamp(day).weekday()


@pytest.mark.parametrize("day", SOME_DAYS)
def test_ranges_and_traded_values_equal_those_of_a_plain_loop(shares, days, rows, day):
    for n in (5, 21):
        daily = [
            np.mean([np.log(share[one]["high_usd"] / share[one]["low_usd"]) ** 2 for share in shares.values() if one in share])
            for one in last(days, day, n)
        ]
        expected = 100 * np.sqrt(np.mean(daily) / (4 * np.log(2)))
        assert rows.loc[day, f"range_volatility_{n}d_pct"] == pytest.approx(expected, rel=1e-9)
    ratios = []
    for share in shares.values():
        values = [share[one]["close_usd"] * share[one]["volume"] for one in last(days, day, 21) if one in share]
        ratios += [values[-1] / np.mean(values)] if len(values) == 21 else []
    assert rows.loc[day, "traded_value_ratio"] == pytest.approx(np.mean(ratios), rel=1e-9)


def test_the_weighted_volatility_and_the_drawdown_equal_those_of_a_plain_loop(shares, days, rows):
    values, variance = [100.0], None
    for day in days[1:150]:
        loss = loss_on(shares, days, day)
        values.append(values[-1] * (1 - loss / 100))
        variance = loss**2 if variance is None else 0.94 * variance + 0.06 * loss**2
    row = rows.loc[days[149]]
    assert row["ewma_volatility_pct"] == pytest.approx(np.sqrt(variance), rel=1e-9)
    assert row["drawdown_63d_pct"] == pytest.approx(100 * (1 - values[-1] / max(values[-63:])), rel=1e-9)


@pytest.mark.parametrize("day", ["2000-07-03", "2004-08-18", "2008-09-12", "2012-06-01"])
def test_prices_after_a_day_change_no_feature_of_it(prices, rows, day):
    rng = np.random.default_rng(0)
    changed = prices.astype({"volume": "float64"})
    later = (changed.date > day).to_numpy()
    figures = COLUMNS[2:]
    changed.loc[later, figures] *= rng.uniform(0.9, 1.1, size=(later.sum(), len(figures)))
    other = portfolio_losses(changed).set_index("date").loc[:day]
    features = rows.columns.drop("next_day_loss_pct")
    assert other[features].to_numpy().tobytes() == rows.loc[:day, features].to_numpy().tobytes()
    assert (other.next_day_loss_pct.to_numpy() == rows.loc[:day, "next_day_loss_pct"].to_numpy()).tolist() == (
        [True] * (len(other) - 1) + [False]
    )


def test_cutting_off_the_future_changes_no_feature(prices, rows):
    past = portfolio_losses(prices[prices.date <= "2009-01-30"]).set_index("date")
    assert past.to_numpy().tobytes() == rows.loc[: past.index[-1]].to_numpy().tobytes()
    assert str(past.index[-1].date()) == "2009-01-29"


@pytest.mark.parametrize("day", ["2000-06-21", "2003-02-18", "2005-02-28", "2004-11-15"])
def test_a_split_or_a_special_dividend_is_no_loss(prices, rows, day):
    as_quoted = portfolio_losses(prices.assign(adjusted_close_usd=prices.close_usd)).set_index("date")
    assert as_quoted.loc[day, "loss_today_pct"] > 1
    assert rows.loc[day, "loss_today_pct"] < 0


def test_a_new_share_joins_at_the_close_of_its_first_day(prices, rows):
    before, after = pd.Timestamp("2004-08-19"), pd.Timestamp("2004-08-20")
    without = portfolio_losses(prices[prices.ticker != "GOOG"]).set_index("date")
    assert rows.loc[before, "loss_today_pct"] == without.loc[before, "loss_today_pct"]
    assert rows.loc[after, "loss_today_pct"] != without.loc[after, "loss_today_pct"]


def test_the_rows_do_not_depend_on_the_order_of_the_table(prices, rows):
    shuffled = portfolio_losses(prices.sample(frac=1, random_state=0)).set_index("date")
    pd.testing.assert_frame_equal(shuffled, rows, check_exact=True)


def test_a_share_that_stops_trading_is_refused(prices):
    gone = prices[(prices.ticker != "IBM") | (prices.date < "2010-01-04")]
    with pytest.raises(DataError, match="IBM has no price on a day after its first"):
        portfolio_losses(gone)


def test_two_prices_of_a_share_on_a_day_are_refused(prices):
    with pytest.raises(DataError, match="two prices on one day"):
        portfolio_losses(pd.concat([prices, prices.tail(1)]))
