"""Timestamps of simulated rows, calendar features and seasonal patterns."""

from __future__ import annotations

import numpy as np
import pandas as pd

from bank_models.config.simulation import Simulation
from bank_models.data.simulated.holidays import public_holidays, us_holidays

HOUR_WEIGHTS = np.array([6, 4, 3, 2, 2, 4, 12, 26, 44, 56, 62, 68, 76, 70, 62, 60, 64, 74, 80, 72, 56, 40, 24, 12], dtype=float)
WEEKDAY_WEIGHTS = np.array([1.0, 1.0, 1.02, 1.06, 1.18, 1.2, 0.8])
PANDAS_FREQUENCY = {
    "hour": "h", "business_hour": "h", "day": "D", "business_day": "B", "week": "W-SUN", "month": "ME", "quarter": "QE",
    "year": "YE",
}  # fmt: skip
DAY_S = 24 * 3600
YEAR_S = 365.25 * DAY_S


def random_moments(simulation: Simulation, n_rows: int, rng: np.random.Generator) -> np.ndarray:
    """Sorted seconds in the period: few at night, most at noon and in the early evening."""
    days = np.arange(np.datetime64(simulation.start, "D"), np.datetime64(simulation.end, "D") + 1)
    weights = WEEKDAY_WEIGHTS[weekday(days)][:, None] * HOUR_WEIGHTS
    counts = rng.multinomial(n_rows, (weights / weights.sum()).ravel())
    hours = days.astype("datetime64[s]")[:, None] + np.arange(24) * np.timedelta64(3600, "s")
    return np.sort(np.repeat(hours.ravel(), counts) + rng.integers(3600, size=n_rows).astype("timedelta64[s]"))


def period_moments(simulation: Simulation) -> np.ndarray:
    """Every period in order: an hour's start, a day, the Sunday of a week, the last day of a month, quarter or year."""
    last = pd.Timestamp(simulation.end) + pd.Timedelta(hours=23)
    moments = pd.date_range(simulation.start, last, freq=PANDAS_FREQUENCY[simulation.frequency])
    if simulation.frequency == "business_hour":
        moments = moments[moments.day_of_week < 5]
    if simulation.hours is not None:
        moments = moments[(moments.hour >= simulation.hours[0]) & (moments.hour <= simulation.hours[1])]
    return moments.to_numpy().astype("datetime64[s]")


def weekday(days: np.ndarray) -> np.ndarray:
    """Monday is 0; the first day of 1970 was a Thursday."""
    return (days.astype("datetime64[D]").astype(np.int64) + 3) % 7


def calendar(name: str, times: np.ndarray, simulation: Simulation) -> np.ndarray:
    """What a calendar feature shows. Of business days, the month ends with the last of them."""
    days = times.astype("datetime64[D]")
    months = days.astype("datetime64[M]")
    next_month = (months + 1).astype("datetime64[D]")
    match name:
        case "hour":
            return times.astype(np.int64) // 3600 % 24
        case "weekday":
            return weekday(days)
        case "month":
            return months.astype(np.int64) % 12 + 1
        case "quarter":
            return months.astype(np.int64) % 12 // 3 + 1
        case "day_of_month":
            return (days - months.astype("datetime64[D]")).astype(np.int64) + 1
        case "days_to_month_end" if simulation.frequency == "business_day":
            return np.busday_count(days, next_month) - 1
        case "days_to_month_end":
            return (next_month - days).astype(np.int64) - 1
        case "is_month_end":
            return (calendar("days_to_month_end", times, simulation) == 0).astype(np.int64)
        case "is_public_holiday":
            return np.isin(days, public_holidays(_years(days))).astype(np.int64)
        case "is_us_holiday":
            return np.isin(days, us_holidays(_years(days))).astype(np.int64)
        case "trend_years":
            return (times - np.datetime64(simulation.start, "s")).astype(np.int64) / YEAR_S


def _years(days: np.ndarray) -> range:
    first, last = (int(day.astype("datetime64[Y]").astype(np.int64)) + 1970 for day in (days.min(), days.max()))
    return range(first, last + 1)


def season(name: str, amount: float | list[float], times: np.ndarray, simulation: Simulation, rng) -> np.ndarray:
    """What a season adds in each row: mean 0, and of a drawn pattern the standard deviation `amount`.

    Parameters
    ----------
    name : {"yearly", "monthly", "weekly", "daily"}
    amount : float or list of float
        A standard deviation, or the value for each month, weekday or hour.
    times : ndarray of shape (n_rows,)
    simulation : Simulation
    rng : Generator
        Draws phases and heights.
    """
    if isinstance(amount, list):
        place = {"yearly": calendar("month", times, simulation) - 1, "weekly": weekday(times)}.get(name)
        pattern = np.asarray(amount)[calendar("hour", times, simulation) if place is None else place]
        return pattern - pattern.mean()
    match name:
        case "yearly":
            start = times.astype("datetime64[Y]")
            passed = (times - start) / ((start + 1).astype("datetime64[s]") - start.astype("datetime64[s]"))
            pattern = _wave(passed, rng)
        case "monthly":
            left, day = (calendar(key, times, simulation) for key in ("days_to_month_end", "day_of_month"))
            at_end, in_the_middle = np.exp(-((left / 2) ** 2) / 2), np.exp(-(((day - 15) / 1.5) ** 2) / 2)
            pattern = at_end + rng.uniform(0.2, 0.6) * in_the_middle
        case "weekly":
            pattern = rng.standard_normal(7)[weekday(times)]
        case "daily":
            pattern = _wave(calendar("hour", times, simulation) / 24, rng)
    pattern = pattern - pattern.mean()
    height = pattern.std()
    return amount * pattern / height if height > 0 else pattern


def _wave(passed: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A wave and its first overtone, by the share of the cycle that has passed."""
    phases = rng.uniform(0, 2 * np.pi, 2)
    return np.sin(2 * np.pi * passed + phases[0]) + 0.5 * np.sin(4 * np.pi * passed + phases[1])
