"""Monthly asset data from daily prices, for portfolios and factor models."""

from __future__ import annotations

import numpy as np
import pandas as pd

from bank_models.data.derived.panel import stack

YEAR_DAYS = 252  # trading days


def asset_months(prices: pd.DataFrame, index: pd.DataFrame) -> pd.DataFrame:
    """Ends of months of shares, and their return over the next month.

    Days count trading days up to the last one of the month; a month that the prices may not cover to its end, the last one,
    is left out. Returns are simple. No figure is the market's alone: it would be the same for all assets of a month, and
    cannot tell which of them to hold.

    Parameters
    ----------
    prices : DataFrame of shape (n_days, n_assets + 1)
        `date`, and an adjusted close in USD for each asset. In order of time.
    index : DataFrame of shape (n_days, 2)
        `date`, and `level` of the market index.

    Returns
    -------
    DataFrame of shape (n_rows, 18)
        A row for each asset and month with 252 returns behind it.

        - `month_end` (its last trading day), `asset`
        - `return_1m_pct`, `return_3m_pct`, `return_6m_pct`: over the last so many months (short ones tend to reverse).
        - `momentum_12m_1m_pct`: over twelve months but the last, `relative_momentum_12m_pct`: over twelve months, minus the
          index's.
        - `volatility_1m_pct`, `_3m_`, `_12m_`: sample standard deviation of the daily returns of 21, 63 and 252 days.
        - `downside_volatility_12m_pct`: root of the mean squared daily loss, a gain counts as zero.
        - `beta_12m`, `correlation_12m`: of the daily returns to the index's; `specific_volatility_12m_pct`: of what beta
          leaves.
        - `drawdown_12m_pct`: below the highest close of 252 days.
        - `highest_day_1m_pct`: return of the best day of 21. `skewness_12m`: of the daily returns.
        - `forward_return_1m`: the target, return over the next month, as a fraction.

    References
    ----------
    Jegadeesh & Titman (1993), Journal of Finance 48, 65-91 (momentum); Jegadeesh (1990), Journal of Finance 45, 881-898
    (reversal); Frazzini & Pedersen (2014), Journal of Financial Economics 111, 1-25 (beta); Bali, Cakici & Whitelaw (2011),
    Journal of Financial Economics 99, 427-446 (highest day).
    """
    daily = prices.set_index("date")
    market = index.set_index("date")["level"].reindex(daily.index)
    returns, market_returns = (100 * figure.pct_change(fill_method=None) for figure in (daily, market))
    is_end = _is_month_end(daily.index)
    close, market_close = daily[is_end], market[is_end]
    beta = _beta(returns, market_returns)
    volatility = {n: returns.rolling(n).std() for n in (21, 63, YEAR_DAYS)}
    correlation = beta.mul(market_returns.rolling(YEAR_DAYS).std(), axis=0) / volatility[YEAR_DAYS]
    at_days = {
        **{f"volatility_{name}_pct": volatility[n] for name, n in (("1m", 21), ("3m", 63), ("12m", YEAR_DAYS))},
        "downside_volatility_12m_pct": np.sqrt((returns.clip(upper=0) ** 2).rolling(YEAR_DAYS).mean()),
        "beta_12m": beta,
        "correlation_12m": correlation,
        "specific_volatility_12m_pct": volatility[YEAR_DAYS] * np.sqrt(1 - correlation.clip(-1, 1) ** 2),
        "drawdown_12m_pct": 100 * (1 - daily / daily.rolling(YEAR_DAYS).max()),
        "highest_day_1m_pct": returns.rolling(21).max(),
        "skewness_12m": returns.rolling(YEAR_DAYS).skew(),
    }
    figures = {
        **{f"return_{n}m_pct": 100 * close.pct_change(n, fill_method=None) for n in (1, 3, 6)},
        "momentum_12m_1m_pct": 100 * (close.shift(1) / close.shift(12) - 1),
        "relative_momentum_12m_pct": 100 * (close / close.shift(12)).sub(market_close / market_close.shift(12), axis=0),
        **{name: figure[is_end] for name, figure in at_days.items()},
        "forward_return_1m": close.shift(-1) / close - 1,
    }
    return stack(figures, time="month_end", entity="asset")


def factor_months(prices: pd.DataFrame, funds: pd.DataFrame) -> pd.DataFrame:
    """Ends of months of shares with their exposures to five factors, and their return over the next month.

    No accounts of the companies are at hand. So value, size, quality and low volatility are seen as in returns-based style
    analysis: a share has a high value exposure when it moves with the value fund, whatever its price-to-book ratio is. An
    exposure is the slope, over 252 days, of the share's daily return minus the mean of all shares on the fund's daily
    return minus the mean of all funds. Every figure is then a rank among the shares of the month, from 0 (lowest) to 1
    (highest).

    Parameters
    ----------
    prices : DataFrame of shape (n_days, n_assets + 1)
        `date`, and an adjusted close in USD for each share. In order of time.
    funds : DataFrame of shape (n_fund_days, 6)
        `date`, and adjusted closes of the funds `momentum`, `quality`, `size`, `low_volatility`, `value`.

    Returns
    -------
    DataFrame of shape (n_rows, 15)
        A row for each share and month with 252 returns of the funds behind it, but the last month.

        - `month_end` (its last trading day), `asset`
        - `value_exposure_rank`, `size_exposure_rank`, `momentum_exposure_rank`, `quality_exposure_rank`,
          `low_volatility_exposure_rank`
        - `momentum_12m_1m_rank`, `return_1m_rank`, `return_6m_rank`
        - `long_term_loser_rank`: of minus the return from 60 to 12 months ago, which moves with value (De Bondt & Thaler).
        - `volatility_12m_rank`, `beta_12m_rank` (to the mean of all shares), `drawdown_12m_rank`
        - `forward_return_1m`: the target, return over the next month, as a fraction.

    References
    ----------
    Sharpe (1992), Asset allocation: management style and performance measurement, Journal of Portfolio Management 18, 7-19;
    De Bondt & Thaler (1985), Does the stock market overreact?, Journal of Finance 40, 793-805.
    """
    daily, funds = prices.set_index("date"), funds.set_index("date")
    is_end = _is_month_end(daily.index)
    close = daily[is_end]
    returns, fund_returns = (100 * figure.pct_change(fill_method=None) for figure in (daily, funds))
    market = returns.mean(axis=1)
    relative = fund_returns.sub(fund_returns.mean(axis=1), axis=0)
    own = returns.sub(market, axis=0).reindex(funds.index)
    to_rank = {
        **{
            f"{factor}_exposure_rank": _beta(own, relative[factor])
            for factor in ("value", "size", "momentum", "quality", "low_volatility")
        },
        "momentum_12m_1m_rank": close.shift(1) / close.shift(12),
        "return_1m_rank": close / close.shift(1),
        "return_6m_rank": close / close.shift(6),
        "long_term_loser_rank": -close.shift(12) / close.shift(60),
        "volatility_12m_rank": returns.rolling(YEAR_DAYS).std(),
        "beta_12m_rank": _beta(returns, market),
        "drawdown_12m_rank": 1 - daily / daily.rolling(YEAR_DAYS).max(),
    }
    figures = {
        **{name: _ranks(figure.reindex(close.index)) for name, figure in to_rank.items()},
        "forward_return_1m": close.shift(-1) / close - 1,
    }
    return stack(figures, time="month_end", entity="asset")


def _is_month_end(days: pd.DatetimeIndex) -> np.ndarray:
    """Whether the next row lies in another month; not known of the last row."""
    month = days.to_period("M")
    return np.append(month[:-1] != month[1:], False)


def _beta(returns: pd.DataFrame, market: pd.Series) -> pd.DataFrame:
    """Slopes of regressions on the market over the last 252 days."""
    window = returns.rolling(YEAR_DAYS)
    return window.cov(market).div(market.rolling(YEAR_DAYS).var(), axis=0)


def _ranks(figure: pd.DataFrame) -> pd.DataFrame:
    """From 0 to 1 within each row, ties in the middle."""
    return (figure.rank(axis=1) - 1).div(figure.notna().sum(axis=1) - 1, axis=0)
