"""Daily currency pairs, from the European Central Bank's reference rates."""

from __future__ import annotations

import numpy as np
import pandas as pd

from bank_models.data.derived.panel import stack

AHEAD_DAYS = 5
DECAY = 0.94


def currency_directions(rates: pd.DataFrame) -> pd.DataFrame:
    """Days of a currency pair, and whether one euro buys more of the currency at the next fixing.

    Returns are logarithmic, in per cent; a positive one is a stronger euro. A day is a day with a fixing.

    Parameters
    ----------
    rates : DataFrame of shape (n_days, n_currencies + 1)
        `date`, and units of each currency for one euro. In order of time.

    Returns
    -------
    DataFrame of shape (n_rows, 23)
        A row for each pair and day from the 253rd fixing on to the last but one.

        - `date`, `pair`
        - `return_today_pct`, `return_1d_ago_pct` … `return_4d_ago_pct`
        - `momentum_5d_pct`, `_21d_`, `_63d_`, `_252d_`: return over so many days.
        - `gap_to_mean_21d_pct`, `_200d_`: of the rate to its mean, the row's day included.
        - `place_in_range_63d`: 0 at the lowest rate of 63 days, 1 at the highest.
        - `volatility_5d_pct`, `_21d_`, `_63d_`: root of the mean squared daily return.
        - `euro_return_today_pct`, `euro_momentum_5d_pct`, `euro_momentum_21d_pct`: mean over all pairs.
        - `weekday` (0 is Monday), `days_since_fixing`: calendar days since the fixing before.
        - `next_day_up`: the target, 1 if the next fixing is higher.
    """
    rates = _by_day(rates)
    returns = _returns(rates)
    lowest, highest = rates.rolling(63).min(), rates.rolling(63).max()
    euro = returns.mean(axis=1)
    figures = {
        "return_today_pct": returns,
        **{f"return_{n}d_ago_pct": returns.shift(n) for n in (1, 2, 3, 4)},
        **{f"momentum_{n}d_pct": 100 * np.log(rates / rates.shift(n)) for n in (5, 21, 63, 252)},
        **{f"gap_to_mean_{n}d_pct": 100 * (rates / rates.rolling(n).mean() - 1) for n in (21, 200)},
        "place_in_range_63d": (rates - lowest) / (highest - lowest),
        **{f"volatility_{n}d_pct": _volatility(returns, n) for n in (5, 21, 63)},
        "euro_return_today_pct": euro,
        **{f"euro_momentum_{n}d_pct": euro.rolling(n).sum() for n in (5, 21)},
        **_calendar(rates.index),
        "next_day_up": (rates.shift(-1) > rates).astype("float64").where(rates.shift(-1).notna()),
    }
    return stack(figures, time="date", entity="pair")


def currency_volatility(rates: pd.DataFrame) -> pd.DataFrame:
    """Days of a currency pair, and how much the pair moves over the next five fixings.

    A volatility is the root of the mean squared daily return (logarithmic, in per cent): over a few days the mean return is
    not known well enough to be taken off.

    Parameters
    ----------
    rates : DataFrame of shape (n_days, n_currencies + 1)
        As in `currency_directions`.

    Returns
    -------
    DataFrame of shape (n_rows, 19)
        A row for each pair and day from the 253rd fixing on to the sixth but last.

        - `date`, `pair`
        - `absolute_return_today_pct`, `absolute_return_1d_ago_pct`, `return_5d_pct`
        - `volatility_5d_pct`, `_10d_`, `_21d_`, `_63d_`, `_252d_`
        - `ewma_volatility_pct`: exponentially weighted with decay 0.94 (RiskMetrics).
        - `upward_volatility_21d_pct`: of the days on which the euro rose alone, the others count as zero.
        - `largest_move_21d_pct`: of a single day.
        - `volatility_ratio`: of 5 days to 63 days.
        - `market_volatility_5d_pct`, `_21d_`: over all pairs and days.
        - `weekday`, `days_since_fixing`
        - `fx_volatility_5d`: the target, volatility over the next five fixings, in per cent a day.

    References
    ----------
    Corsi (2009), A simple approximate long-memory model of realized volatility, Journal of Financial Econometrics 7,
    174-196: volatilities of several horizons as features. J.P. Morgan/Reuters (1996), RiskMetrics technical document.
    """
    rates = _by_day(rates)
    returns = _returns(rates)
    variance = (returns**2).mean(axis=1)
    figures = {
        "absolute_return_today_pct": returns.abs(),
        "absolute_return_1d_ago_pct": returns.abs().shift(1),
        "return_5d_pct": 100 * np.log(rates / rates.shift(5)),
        **{f"volatility_{n}d_pct": _volatility(returns, n) for n in (5, 10, 21, 63, 252)},
        "ewma_volatility_pct": np.sqrt((returns**2).ewm(alpha=1 - DECAY, adjust=False).mean()),
        "upward_volatility_21d_pct": _volatility(returns.clip(lower=0), 21),
        "largest_move_21d_pct": returns.abs().rolling(21).max(),
        "volatility_ratio": _volatility(returns, 5) / _volatility(returns, 63),
        **{f"market_volatility_{n}d_pct": np.sqrt(variance.rolling(n).mean()) for n in (5, 21)},
        **_calendar(rates.index),
        "fx_volatility_5d": _volatility(returns, AHEAD_DAYS).shift(-AHEAD_DAYS),
    }
    return stack(figures, time="date", entity="pair")


def _by_day(rates: pd.DataFrame) -> pd.DataFrame:
    """The day as index, the pairs as columns: USD becomes EURUSD."""
    return rates.set_index("date").add_prefix("EUR")


def _returns(rates: pd.DataFrame) -> pd.DataFrame:
    return 100 * np.log(rates / rates.shift(1))


def _volatility(returns: pd.DataFrame, n_days: int) -> pd.DataFrame:
    return np.sqrt((returns**2).rolling(n_days).mean())


def _calendar(days: pd.DatetimeIndex) -> dict[str, pd.Series]:
    return {
        "weekday": pd.Series(days.day_of_week, days),
        "days_since_fixing": days.to_series().diff().dt.days,
    }
