import numpy as np
import pandas as pd
import pytest

from bank_models.data.derived.asset_years import SECTORS, asset_years

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
    of_year = rows[rows["year_end"].dt.year == year].set_index("asset")
    row = of_year.loc[asset]
    own, others = returns[asset], returns.drop(columns=asset)
    market = others.mean(axis=1)
    assert row["beta"] == pytest.approx(np.polyfit(market, own, 1)[0])
    mean = returns.mean(axis=1)
    residual = returns.apply(lambda share: share - np.polyval(np.polyfit(mean, share, 1), mean))
    for sector, members in SECTORS.items():
        together = residual[[name for name in members if name != asset]].mean(axis=1)
        assert row[f"{sector}_correlation"] == pytest.approx(np.corrcoef(residual[asset], together)[0, 1])
    assert row["volatility_ratio"] == pytest.approx(own.std() / returns.std().mean())
    figures = {name: levels(returns[name], returns.drop(columns=name), closes[name].loc[str(year)]) for name in ASSETS}
    for figure, level in figures[asset].items():
        mean = np.mean([levels_of_one[figure] for levels_of_one in figures.values()])
        assert row[f"relative_{figure}"] == pytest.approx(level - mean)


def levels(own, others, close):
    """The figures of a share from which the mean of all shares is taken off."""
    pairs, worst = [np.corrcoef(own, others[name])[0, 1] for name in others], 0.0
    highest = close.iloc[0]
    for price in close:
        highest = max(highest, price)
        worst = max(worst, 1 - price / highest)
    return {
        "market_correlation": np.corrcoef(own, others.mean(axis=1))[0, 1],
        "mean_correlation": np.mean(pairs),
        "highest_correlation": max(pairs),
        "downside": np.sqrt((own[own < 0] ** 2).sum() / (own**2).sum()),
        "drawdown_pp": 100 * worst,
    }


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
    assert (after.tail(20)["beta"] != rows.tail(20)["beta"]).all()
