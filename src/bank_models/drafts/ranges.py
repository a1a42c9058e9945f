"""Ranges and shares of missing values, wide enough for next month's file."""

from __future__ import annotations

import math

import numpy as np

USUAL_MISSING = 0.05  # of every column, so that a single gap of next month stops nothing


def range_of(values: np.ndarray) -> tuple[float, float] | None:
    """Smallest and largest plausible value: twice the span of the values in both directions; none below 0 if none is.

    Parameters
    ----------
    values : ndarray of float
        NaN where one is missing.
    """
    known = values[np.isfinite(values)]
    if not len(known):
        return None
    low, high = float(known.min()), float(known.max())
    span = max(high - low, abs(high), abs(low), 1.0) if high == low else high - low
    least = 0.0 if low >= 0 else _outwards(low - span, up=False)
    return least, _outwards(high + span, up=True) if high > 0 else 0.0


def _outwards(value: float, up: bool) -> float:
    """The next number away from zero, or towards it, with one digit and zeros."""
    if value == 0:
        return 0.0
    size = 10.0 ** math.floor(math.log10(abs(value)))
    digits = math.ceil(value / size - 1e-9) if up else math.floor(value / size + 1e-9)
    return float(f"{digits * size:.12g}")


def most_missing(n_missing: int, n_rows: int) -> float:
    """Largest share of missing values: half as many again as there are, and a twentieth."""
    share = n_missing / max(1, n_rows)
    return min(1.0, math.ceil(100 * (1.5 * share + USUAL_MISSING) - 1e-9) / 100) if n_missing else USUAL_MISSING
