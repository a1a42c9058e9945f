"""Public holidays of all German states and of the United States."""

from __future__ import annotations

import numpy as np

THANKSGIVING = (11, 3, 4)  # month, weekday from Monday as 0, which of the month
MOVING = ((1, 0, 3), (2, 0, 3), (5, 0, -1), (9, 0, 1), (10, 0, 2), THANKSGIVING)
FIXED_IN_USA = ((1, 1), (6, 19), (7, 4), (11, 11), (12, 25))
FIXED_IN_GERMANY = ((1, 1), (5, 1), (10, 3), (12, 25), (12, 26))
AFTER_EASTER = (-2, 1, 39, 50)  # Good Friday, Easter Monday, Ascension, Whit Monday


def easter(year: int) -> np.datetime64:
    """Easter Sunday, by the algorithm of Meeus, Jones and Butcher.

    References
    ----------
    Meeus (1991), Astronomical Algorithms, Willmann-Bell, chapter 8.
    """
    a, (b, c) = year % 19, divmod(year, 100)
    d, e = divmod(b, 4)
    f = (b + 8) // 25
    g = (b - f + 1) // 3
    h = (19 * a + b - d - g + 15) % 30
    i, k = divmod(c, 4)
    m = (32 + 2 * e + 2 * i - h - k) % 7
    n = (a + 11 * h + 22 * m) // 451
    month, day = divmod(h + m - 7 * n + 114, 31)
    return np.datetime64(f"{year}-{month:02d}-{day + 1:02d}")


def public_holidays(years: range) -> np.ndarray:
    """Days on which all of Germany is closed."""
    fixed = [np.datetime64(f"{year}-{month:02d}-{day:02d}") for year in years for month, day in FIXED_IN_GERMANY]
    return np.array([*fixed, *(easter(year) + days for year in years for days in AFTER_EASTER)])


def us_holidays(years: range) -> np.ndarray:
    """Federal holidays as the law of today names them; of one on a Sunday also the Monday after it."""
    fixed = [np.datetime64(f"{year}-{month:02d}-{day:02d}") for year in years for month, day in FIXED_IN_USA]
    mondays = [day + 1 for day in fixed if _weekday(day) == 6]
    return np.array([*fixed, *mondays, *(_nth(year, *rule) for year in years for rule in MOVING)])


def _weekday(day: np.datetime64) -> int:
    return int(day.astype("datetime64[D]").astype(np.int64) + 3) % 7


def _nth(year: int, month: int, weekday: int, which: int) -> np.datetime64:
    """The first, second, … or (-1) last such weekday of a month."""
    first = np.datetime64(f"{year}-{month:02d}-01")
    days = np.arange(first, (first.astype("datetime64[M]") + 1).astype("datetime64[D]"))
    found = [day for day in days if _weekday(day) == weekday]
    return found[which - 1 if which > 0 else which]
