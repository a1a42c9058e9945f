"""Yearly asset data with correlations, for hierarchical risk parity."""

from __future__ import annotations

import numpy as np
import pandas as pd

from bank_models.data.derived.panel import stack

SECTORS = {
    "technology": ["AAPL", "AMD", "MSFT"],
    "financials": ["BAC", "JPM"],
    "retail": ["BBY", "HD", "WMT"],
    "energy": ["CVX", "RRC", "XOM"],
    "health": ["JNJ", "LLY", "MRK", "PFE", "UNH"],
    "staples": ["KO", "PEP", "PG"],
}  # GE is in none: it would be alone in its own


def asset_years(prices: pd.DataFrame) -> pd.DataFrame:
    """Calendar years of shares, with their correlations to the others and their risk.

    Returns are daily, simple, and weekends do not count. The market is the mean of all other shares; a sector is the mean
    of its shares, without the share itself. What two shares share beyond the market is seen in residual correlations: those
    of what is left of the share's and the sector's returns after a regression on the mean of all shares. A relative figure is
    one minus the mean of all shares in the year: in a crisis all correlations rise, which says nothing about who belongs
    together.

    Parameters
    ----------
    prices : DataFrame of shape (n_days, 21)
        `date`, and an adjusted close in USD for each share of `SECTORS` and GE. In order of time.

    Returns
    -------
    DataFrame of shape (n_assets * n_years, 15)
        A row for each share and year; years that the prices do not cover from their first to their last month are left out.

        - `year_end` (last trading day), `asset`
        - `technology_correlation`, `financials_`, `retail_`, `energy_`, `health_`, `staples_`: residual correlation with the
          sector.
        - `relative_market_correlation`
        - `relative_mean_correlation`, `relative_highest_correlation`: with each other share.
        - `beta`: to the market.
        - `volatility_ratio`: sample standard deviation of the daily returns, over the mean of all shares' in the year.
        - `relative_downside`: root mean square of the losses over that of all returns.
        - `relative_drawdown_pp`: largest fall below an earlier close of the year, in per cent.

    References
    ----------
    López de Prado (2016), Building diversified portfolios that outperform out of sample, Journal of Portfolio Management 42,
    59-69.
    """
    daily = prices.set_index("date")
    returns = 100 * daily.pct_change(fill_method=None)
    year = daily.index.year
    covered = [n for n, days in daily.groupby(year) if set(days.index.month) == set(range(1, 13))]
    tables = [_year(daily[year == n], returns[year == n].dropna()) for n in covered]
    figures = {name: pd.DataFrame({end: table[name] for end, table in tables}).T for name in tables[0][1]}
    return stack(figures, time="year_end", entity="asset")


def _year(daily: pd.DataFrame, returns: pd.DataFrame) -> tuple[pd.Timestamp, pd.DataFrame]:
    """The last day, and a row of figures for each share."""
    n_assets = returns.shape[1]
    mean = returns.mean(axis=1)
    others = returns.rsub(returns.sum(axis=1), axis=0) / (n_assets - 1)
    residual = returns - np.outer(mean - mean.mean(), returns.apply(lambda share: share.cov(mean)) / mean.var())
    pairs = returns.corr().where(~np.eye(n_assets, dtype=bool))
    spread = returns.std()
    relative = {
        "relative_market_correlation": returns.corrwith(others),
        "relative_mean_correlation": pairs.mean(),
        "relative_highest_correlation": pairs.max(),
        "relative_downside": np.sqrt((returns.clip(upper=0) ** 2).mean() / (returns**2).mean()),
        "relative_drawdown_pp": 100 * (1 - daily / daily.cummax()).max(),
    }
    columns = {
        **{f"{sector}_correlation": _sector_correlation(residual, members) for sector, members in SECTORS.items()},
        "beta": returns.corrwith(others) * spread / others.std(),
        "volatility_ratio": spread / spread.mean(),
        **{name: figure - figure.mean() for name, figure in relative.items()},
    }
    return daily.index[-1], pd.DataFrame(columns)


def _sector_correlation(residual: pd.DataFrame, members: list[str]) -> pd.Series:
    """Of each share with the mean of the sector's other shares."""
    total = residual[members].sum(axis=1)
    is_member = residual.columns.isin(members)
    sector = residual.mul(-1.0 * is_member, axis=1).add(total, axis=0) / (len(members) - is_member)
    return residual.corrwith(sector)
