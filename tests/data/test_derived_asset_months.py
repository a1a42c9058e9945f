import numpy as np
import pandas as pd
import pytest

from bank_models.data.derived.asset_months import asset_months, factor_months

FUNDS = ["momentum", "quality", "size", "low_volatility", "value"]


def random_walks(names, days, seed, volatility=0.02):
    steps = np.random.default_rng(seed).normal(0.0005, volatility, size=(len(days), len(names)))
    return pd.DataFrame(100 * np.exp(steps.cumsum(axis=0)), columns=names).assign(date=days)


@pytest.fixture(scope="module")
def days():
    return pd.bdate_range("2010-01-04", "2016-06-15")


@pytest.fixture(scope="module")
def prices(days):
    return random_walks(list("ABCDE"), days, seed=0)


@pytest.fixture(scope="module")
def index(days):
    return random_walks(["level"], days, seed=1, volatility=0.01)


@pytest.fixture(scope="module")
def funds(days):
    return random_walks(FUNDS, days[days >= "2013-01-02"], seed=2, volatility=0.01)


def row_of(rows, month, asset):
    return rows[(rows["month_end"].dt.to_period("M") == month) & (rows["asset"] == asset)].iloc[0]


def test_a_month_of_an_asset_worked_by_hand():
    days = pd.bdate_range("2020-01-01", "2022-03-31")
    by_month = {month: price for month, price in zip(days.to_period("M").unique(), np.arange(100.0, 127.0), strict=True)}
    price = np.array([by_month[month] for month in days.to_period("M")])
    level = 1000 * 1.001 ** np.arange(len(days))
    rows = asset_months(pd.DataFrame({"date": days, "A": price}), pd.DataFrame({"date": days, "level": level}))
    row = row_of(rows, "2022-01", "A")
    assert row["month_end"] == pd.Timestamp("2022-01-31")
    assert row["return_1m_pct"] == pytest.approx(100 / 123)  # 123 in December, 124 in January
    assert row["return_6m_pct"] == pytest.approx(100 * 6 / 118)
    assert row["momentum_12m_1m_pct"] == pytest.approx(100 * (123 / 112 - 1))
    n_days = ((days > "2021-01-29") & (days <= "2022-01-31")).sum()
    assert row["relative_momentum_12m_pct"] == pytest.approx(100 * (124 / 112 - 1.001**n_days))
    assert row["highest_day_1m_pct"] == pytest.approx(100 / 123)
    assert row["drawdown_12m_pct"] == row["downside_volatility_12m_pct"] == 0
    assert row["forward_return_1m"] == pytest.approx(1 / 124)
    assert rows["month_end"].max() == pd.Timestamp("2022-01-31")  # March may not be over, so February's target is not known


@pytest.mark.parametrize(("month", "asset"), [("2011-01", "A"), ("2014-08", "C"), ("2016-04", "E")])
def test_risk_figures_equal_those_of_an_independent_computation(prices, index, month, asset):
    row = row_of(asset_months(prices, index), month, asset)
    until = int((prices["date"] == row["month_end"]).argmax())
    close, level = prices[asset].to_numpy()[: until + 1], index["level"].to_numpy()[: until + 1]
    own, market = (100 * (values[1:] / values[:-1] - 1) for values in (close, level))
    own, market = own[-252:], market[-252:]
    slope, cut = np.polyfit(market, own, 1)
    assert row["beta_12m"] == pytest.approx(slope)
    assert row["correlation_12m"] == pytest.approx(np.corrcoef(own, market)[0, 1])
    assert row["specific_volatility_12m_pct"] == pytest.approx(np.std(own - cut - slope * market, ddof=1))
    assert row["downside_volatility_12m_pct"] == pytest.approx(np.sqrt(np.mean(np.minimum(own, 0) ** 2)))
    assert row["skewness_12m"] == pytest.approx(pd.Series(own).skew())
    assert row["drawdown_12m_pct"] == pytest.approx(100 * (1 - close[-1] / close[-252:].max()))
    for name, n in (("1m", 21), ("3m", 63), ("12m", 252)):
        assert row[f"volatility_{name}_pct"] == pytest.approx(np.std(own[-n:], ddof=1))


@pytest.mark.parametrize("month", ["2015-02", "2016-04"])
def test_exposures_are_ranks_of_slopes_on_the_funds(prices, funds, month):
    rows = factor_months(prices, funds)
    end = row_of(rows, month, "A")["month_end"]
    past = prices[prices["date"] <= end].set_index("date").pct_change().tail(252)
    funds_past = funds[funds["date"] <= end].set_index("date").pct_change().tail(252)
    relative, own = funds_past.sub(funds_past.mean(axis=1), axis=0), past.sub(past.mean(axis=1), axis=0)
    for factor in FUNDS:
        slopes = [np.polyfit(relative[factor], own[asset], 1)[0] for asset in own]
        found = [row_of(rows, month, asset)[f"{factor}_exposure_rank"] for asset in own]
        assert found == [sorted(slopes).index(slope) / 4 for slope in slopes]


def test_ranks_of_own_prices_equal_those_of_an_independent_computation(prices, funds):
    rows = factor_months(prices, funds)
    closes = prices.set_index("date").groupby(prices["date"].dt.to_period("M").to_numpy()).last()
    place = closes.index.get_loc("2016-03")
    loser = -closes.iloc[place - 12] / closes.iloc[place - 60]
    momentum = closes.iloc[place - 1] / closes.iloc[place - 12]
    for asset in "ABCDE":
        row = row_of(rows, "2016-03", asset)
        assert row["long_term_loser_rank"] == (loser < loser[asset]).sum() / 4
        assert row["momentum_12m_1m_rank"] == (momentum < momentum[asset]).sum() / 4
        assert row["forward_return_1m"] == pytest.approx(closes[asset].iloc[place + 1] / closes[asset].iloc[place] - 1)


@pytest.mark.parametrize("end", ["2015-08-31", "2016-02-29"])
@pytest.mark.parametrize("derivation", [asset_months, factor_months], ids=lambda one: one.__name__)
def test_prices_after_a_month_change_no_feature_of_it(prices, index, funds, derivation, end):
    others = {asset_months: index, factor_months: funds}[derivation]
    before = derivation(prices, others)
    after = derivation(*(changed_after(table, end) for table in (prices, others)))
    is_past = before["month_end"] <= end
    features = before.columns.drop("forward_return_1m")
    pd.testing.assert_frame_equal(before.loc[is_past, features], after.loc[is_past, features], check_exact=True)
    changed = before.loc[is_past, "forward_return_1m"] != after.loc[is_past, "forward_return_1m"]
    assert set(before.loc[is_past, "month_end"][changed]) == {pd.Timestamp(end)}


def changed_after(table, day):
    factors = np.random.default_rng(3).uniform(0.9, 1.1, size=table.drop(columns="date").shape)
    later = (table["date"] > day).to_numpy()[:, None]
    return (table.drop(columns="date") * np.where(later, factors, 1)).assign(date=table["date"])
