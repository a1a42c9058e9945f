"""Daily returns and volumes of single shares."""

from __future__ import annotations

import numpy as np
import pandas as pd

from bank_models.data.derived.panel import stack


def share_directions(prices: pd.DataFrame) -> pd.DataFrame:
    """Days of a share at the close, and whether it closes higher on the next trading day.

    Returns, simple and in per cent, come from closes that are adjusted for splits and dividends, and an open is adjusted like
    the close of its day. What happens within a day comes from quoted prices, and so does the traded value.

    Parameters
    ----------
    prices : DataFrame of shape (n_share_days, 8)
        `date`, `ticker`; `open_usd`, `high_usd`, `low_usd`, `close_usd`, `adjusted_close_usd`; `volume` in shares.

    Returns
    -------
    DataFrame of shape (n_rows, 26)
        A row for each share and day from its 127th on to the last but one.

        - `date`, `ticker`
        - `return_today_pct`, `return_1d_ago_pct` … `return_4d_ago_pct`
        - `gap_at_open_pct`: from the close before to the open; `return_since_open_pct`: from the open to the close.
        - `momentum_5d_pct`, `_21d_`, `_63d_`, `_126d_`: return over so many days.
        - `gap_to_mean_21d_pct`: of the close to its mean of 21 days; `drawdown_63d_pct`: below the highest close of 63.
        - `place_in_day_range`: 0 if the close is the low of the day, 1 if it is the high, 0.5 if both are one.
        - `volatility_5d_pct`, `_21d_`, `_63d_`: sample standard deviation of the daily returns.
        - `range_volatility_5d_pct`: from highs and lows (Parkinson 1980).
        - `traded_value_ratio_1d`, `_5d`: mean traded value over the mean of 63 days.
        - `market_return_today_pct`, `market_momentum_5d_pct`: mean return of the shares that have one.
        - `weekday`: 0 is Monday.
        - `next_day_up`: the target, 1 if the next close is higher.
    """
    by_share = prices.pivot(index="date", columns="ticker")
    close, quoted = by_share["adjusted_close_usd"], by_share["close_usd"]
    open_, high, low = by_share["open_usd"], by_share["high_usd"], by_share["low_usd"]
    returns = 100 * close.pct_change(fill_method=None)
    traded = quoted * by_share["volume"]
    squared_range = np.log(high / low) ** 2 / (4 * np.log(2))
    market = returns.mean(axis=1)
    figures = {
        "return_today_pct": returns,
        **{f"return_{n}d_ago_pct": returns.shift(n) for n in (1, 2, 3, 4)},
        "gap_at_open_pct": 100 * (open_ * close / quoted / close.shift(1) - 1),
        "return_since_open_pct": 100 * (quoted / open_ - 1),
        **{f"momentum_{n}d_pct": 100 * close.pct_change(n, fill_method=None) for n in (5, 21, 63, 126)},
        "gap_to_mean_21d_pct": 100 * (close / close.rolling(21).mean() - 1),
        "drawdown_63d_pct": 100 * (1 - close / close.rolling(63).max()),
        "place_in_day_range": ((quoted - low) / (high - low)).where(high > low, 0.5),
        **{f"volatility_{n}d_pct": returns.rolling(n).std() for n in (5, 21, 63)},
        "range_volatility_5d_pct": 100 * np.sqrt(squared_range.rolling(5).mean()),
        **{f"traded_value_ratio_{n}d": traded.rolling(n).mean() / traded.rolling(63).mean() for n in (1, 5)},
        "market_return_today_pct": market,
        "market_momentum_5d_pct": market.rolling(5).sum(),
        "weekday": pd.Series(close.index.day_of_week, close.index),
        "next_day_up": (close.shift(-1) > close).astype("float64").where(close.shift(-1).notna()),
    }
    return stack(figures, time="date", entity="ticker")
