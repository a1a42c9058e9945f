import numpy as np
import pandas as pd
import pytest

from src.data.derived.asset_years import SECTORS, asset_years

ASSETS = sorted([*(asset for members in SECTORS.values() for asset in members), "GE"])


@pytest.fixture(scope="module")
def prices():
    """Three years of shares that move with the market and with their sector, and a part of a fourth."""
    rng, days = np.random.default_rng(0), pd.bdate_range("2018-01-01", "2021-06-30")
    market, sectors = rng.normal(0, 0.01, len(days)), {name: rng.normal(0, 0.01, len(days)) for name in [*SECTORS, "none"]}
    sector_of = {asset: name for name, members in SECTORS.items() for asset in members}
    steps = {one: market + sectors[sector_of.get(one, "none")] + rng.normal(0, 0.01, len(days)) for one in ASSETS}
    return pd.DataFrame({"date": days, **{asset: 50 * np.exp(np.cumsum(step)) for asset, step in steps.items()}})


@pytest.fixture(scope="module")
def rows(prices):
    return asset_years(prices)


@pytest.mark.parametrize(("year", "asset"), [(2018, "MSFT"), (2019, "GE"), (2020, "XOM")])
def test_figures_equal_those_of_a_plain_computation(prices, rows, year, asset):
    closes = prices.set_index("date")
    returns = closes.pct_change().loc[str(year)].dropna()
    row = rows[(rows["year_end"].dt.year == year) & (rows["asset"] == asset)].iloc[0]
    own, others = returns[asset], returns.drop(columns=asset)
    market = others.mean(axis=1)
    assert row["market_correlation"] == pytest.approx(np.corrcoef(own, market)[0, 1])
    assert row["beta"] == pytest.approx(np.polyfit(market, own, 1)[0])
    pairs = [np.corrcoef(own, others[name])[0, 1] for name in others]
    assert (row["mean_correlation"], row["highest_correlation"]) == pytest.approx((np.mean(pairs), max(pairs)))
    mean = returns.mean(axis=1)
    residual = returns.apply(lambda share: share - np.polyval(np.polyfit(mean, share, 1), mean))
    for sector, members in SECTORS.items():
        together = residual[[name for name in members if name != asset]].mean(axis=1)
        assert row[f"{sector}_correlation"] == pytest.approx(np.corrcoef(residual[asset], together)[0, 1])
    assert row["relative_volatility"] == pytest.approx(own.std() / returns.std().mean())
    assert row["downside_ratio"] == pytest.approx(np.sqrt((own[own < 0] ** 2).sum() / (own**2).sum()))
    close, worst = closes[asset].loc[str(year)], 0.0
    for place in range(len(close)):
        worst = max(worst, 1 - close.iloc[place] / close.iloc[: place + 1].max())
    assert row["drawdown_pct"] == pytest.approx(100 * worst)


def test_a_share_moves_with_its_own_sector_and_not_with_the_others(rows):
    for sector, members in SECTORS.items():
        is_member = rows["asset"].isin(members)
        assert rows.loc[is_member, f"{sector}_correlation"].min() > rows.loc[~is_member, f"{sector}_correlation"].max()


def test_a_row_for_each_share_and_full_year(rows):
    assert len(rows) == 3 * 20
    assert rows["year_end"].dt.year.unique().tolist() == [2018, 2019, 2020]
    assert rows["asset"].head(20).to_list() == ASSETS


def test_prices_after_a_year_change_nothing_of_it(prices, rows):
    changed, later = prices.copy(), (prices["date"] > "2019-12-31").to_numpy()
    changed.loc[later, ASSETS] *= np.random.default_rng(1).uniform(0.9, 1.1, size=(later.sum(), 20))
    after = asset_years(changed)
    pd.testing.assert_frame_equal(after.head(40), rows.head(40), check_exact=True)
    assert (after.tail(20)["market_correlation"] != rows.tail(20)["market_correlation"]).all()
