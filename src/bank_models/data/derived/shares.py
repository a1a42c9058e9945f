"""Daily returns of a portfolio of shares."""

from __future__ import annotations

import numpy as np
import pandas as pd

from bank_models.errors import DataError

LAG_DAYS = (1, 2, 3, 4)
VOLATILITY_DAYS = (5, 10, 21, 63)
RANGE_DAYS = (5, 21)
MONTH_DAYS = 21  # trading days
DECAY = 0.94


def portfolio_losses(prices: pd.DataFrame) -> pd.DataFrame:
    """Days of an equally weighted portfolio of shares, rebalanced at every close.

    A share joins the portfolio at the close of its first day. Returns come from adjusted closes and all else from figures
    of a single day, so that splits and dividends are no losses.

    Parameters
    ----------
    prices : DataFrame of shape (n_share_days, 7 or more)
        `date`, `ticker`, and in USD `high_usd`, `low_usd`, `close_usd`, `adjusted_close_usd`; `volume` in shares. One row
        for each share on each trading day from its first one on.

    Returns
    -------
    DataFrame of shape (n_days - 64, 18)
        Rows in order of time, from the first day with 63 returns behind it to the last but one. All losses and
        volatilities are in per cent of the portfolio's value; a gain is a negative loss.

        - `date`
        - `loss_today_pct`, `loss_1d_ago_pct` … `loss_4d_ago_pct`: loss of the row's day and of the trading days before it.
        - `highest_loss_21d_pct`: of a single day among the last 21.
        - `drawdown_63d_pct`: fall of the portfolio's value below its highest close in 63 days, in [0, 100).
        - `volatility_5d_pct`, `_10d_`, `_21d_`, `_63d_`: sample standard deviation of the daily losses.
        - `ewma_volatility_pct`: exponentially weighted with decay 0.94 around a mean of zero (RiskMetrics).
        - `range_volatility_5d_pct`, `_21d_`: of a share's day, from its high and low, the mean variance over shares and
          days (Parkinson).
        - `traded_value_ratio`: value traded in a share over its mean of the last 21 days, mean over the shares.
        - `weekday`: 0 is Monday.
        - `next_day_loss_pct`: the target, minus the simple return of the portfolio on the next trading day.

    Raises
    ------
    DataError
        If a share has two rows on a day, or lacks one after its first: its last loss would be left out.

    References
    ----------
    Parkinson (1980), The extreme value method for estimating the variance of the rate of return, Journal of Business 53,
    61-65. J.P. Morgan/Reuters (1996), RiskMetrics technical document, 4th edition, section 5.
    """
    _check_every_share_trades_on(prices)
    by_share = prices.pivot(index="date", columns="ticker")
    returns = by_share["adjusted_close_usd"].pct_change(fill_method=None).mean(axis=1)
    loss_pct = -100 * returns
    variance = (np.log(by_share["high_usd"] / by_share["low_usd"]) ** 2).mean(axis=1) / (4 * np.log(2))
    value = (1 + returns.fillna(0)).cumprod()
    traded = by_share["close_usd"] * by_share["volume"]
    columns = {
        "loss_today_pct": loss_pct,
        **{f"loss_{n}d_ago_pct": loss_pct.shift(n) for n in LAG_DAYS},
        "highest_loss_21d_pct": loss_pct.rolling(MONTH_DAYS).max(),
        "drawdown_63d_pct": 100 * (1 - value / value.rolling(63).max()),
        **{f"volatility_{n}d_pct": loss_pct.rolling(n).std() for n in VOLATILITY_DAYS},
        "ewma_volatility_pct": np.sqrt((loss_pct**2).ewm(alpha=1 - DECAY, adjust=False).mean()),
        **{f"range_volatility_{n}d_pct": 100 * np.sqrt(variance.rolling(n).mean()) for n in RANGE_DAYS},
        "traded_value_ratio": (traded / traded.rolling(MONTH_DAYS).mean()).mean(axis=1),
        "weekday": loss_pct.index.day_of_week,
        "next_day_loss_pct": loss_pct.shift(-1),
    }
    return pd.DataFrame(columns, index=loss_pct.index).dropna().reset_index()


def _check_every_share_trades_on(prices: pd.DataFrame) -> None:
    if prices.duplicated(["date", "ticker"]).any():
        raise DataError("A share has two prices on one day, so its return is not known.")
    has_price = prices.assign(present=1).pivot(index="date", columns="ticker", values="present").notna()
    gone = (has_price.cummax() & ~has_price).any()
    if gone.any():
        raise DataError(f"{gone.idxmax()} has no price on a day after its first, so the portfolio's loss is not known.")
