"""Trends, seasons and regimes of simulated features."""

from __future__ import annotations

import numpy as np

from bank_models.config.simulation import Regime, Simulate, Simulation
from bank_models.data.simulated.moments import DAY_S, season
from bank_models.data.simulated.rows import Rows, stream
from bank_models.errors import ConfigError


def moved(z: np.ndarray, name: str, spec: Simulate, rows: Rows, simulation: Simulation, seed: int) -> np.ndarray:
    """Latent values of a feature with what moves them; over all rows their variance stays 1.

    Raises
    ------
    ConfigError
        If what moves them leaves no variance.
    """
    moves = np.zeros(len(z))
    for kind, amount in spec.season.given().items():
        if kind == "yearly" and isinstance(amount, list):
            moves += _smooth_year(amount, rows.times)
        else:
            moves += season(kind, amount, rows.times, simulation, stream(seed, "feature season", f"{name}:{kind}"))
    if spec.trend:
        moves += spec.trend * passed(rows.times, simulation)
    if spec.regimes:
        moves += in_regimes(spec.regimes, rows.times, 0.0, "effect")
    moves -= moves.mean()
    variance = float(moves.var())
    if variance >= 1:
        raise ConfigError(
            f"{name}: season, trend and regimes have a variance of {variance:.2f} over the rows; it must stay below 1, "
            "as they are in standard deviations of the feature. Make them smaller."
        )
    return moves + np.sqrt(1 - variance) * z


def passed(times: np.ndarray, simulation: Simulation) -> np.ndarray:
    """Share of the period that has passed."""
    start, end = (np.datetime64(day, "s") for day in (simulation.start, simulation.end))
    return (times - start) / (end - start + np.timedelta64(1, "D"))


def in_regimes(regimes: list[Regime], times: np.ndarray, before: float, fact: str) -> np.ndarray:
    """A fact of the regime that holds in each row."""
    starts = np.array([np.datetime64(regime.start, "s") for regime in regimes])
    facts = np.array([before, *(getattr(regime, fact) for regime in regimes)])
    return facts[np.searchsorted(starts, times, side="right")]


def _smooth_year(months: list[float], times: np.ndarray) -> np.ndarray:
    """Values of twelve months, each reached in its middle."""
    years = times.astype("datetime64[Y]")
    month = (times - years.astype("datetime64[s]")).astype(np.int64) / DAY_S / 365.25 * 12
    return np.interp(month, np.arange(12) + 0.5, months, period=12)
