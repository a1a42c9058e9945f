"""Row structure of the simulator: timestamps, entities and shared random values."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256

import numpy as np

from bank_models.config.simulation import Simulation
from bank_models.data.simulated.moments import period_moments, random_moments
from bank_models.errors import ConfigError


def stream(seed: int, purpose: str, name: str) -> np.random.Generator:
    """Random numbers of one purpose and one name, whatever else is drawn."""
    digest = sha256(f"{purpose}:{name}".encode()).digest()
    return np.random.default_rng([seed, *np.frombuffer(digest[:16], dtype="<u4").tolist()])


@dataclass(frozen=True)
class Rows:
    """The rows of a table, in the order of time and then of entities.

    Attributes
    ----------
    n_rows : int
    times : ndarray of shape (n_rows,), optional
        datetime64[s], ascending.
    entities : ndarray of shape (n_rows,)
        Codes from 0 to n_entities - 1; one entity where there is no panel.
    periods : ndarray of shape (n_rows,), optional
        Codes from 0 to n_periods - 1, ascending; an entity has one row in a period at most.
    """

    n_rows: int
    times: np.ndarray | None
    entities: np.ndarray
    n_entities: int
    periods: np.ndarray | None
    n_periods: int

    def standard_normal(self, rng: np.random.Generator, level: str = "row", autocorrelation: float = 0.0) -> np.ndarray:
        """Standard normal values of shape (n_rows,), shared as the level says and remembered from period to period.

        Over periods they are a stationary autoregression of first order: its variance is 1 in every period.
        """
        match level:
            case "entity":
                return rng.standard_normal(self.n_entities)[self.entities]
            case "period":
                return autoregression(rng.standard_normal((self.n_periods, 1)), autocorrelation)[self.periods, 0]
        if not autocorrelation:
            return rng.standard_normal(self.n_rows)
        innovations = rng.standard_normal((self.n_periods, self.n_entities))
        return autoregression(innovations, autocorrelation)[self.periods, self.entities]

    def earlier(self, values: np.ndarray, n_periods: int) -> np.ndarray:
        """What the entity had so many periods before, NaN where its rows begin later."""
        places = np.full((self.n_periods, self.n_entities), -1)
        places[self.periods, self.entities] = np.arange(self.n_rows)
        place = places[np.maximum(self.periods - n_periods, 0), self.entities]
        return np.where((self.periods >= n_periods) & (place >= 0), values[place], np.nan)


def draw_rows(simulation: Simulation, time_column: str | None, n_rows: int, seed: int) -> Rows:
    """Lay out the rows.

    With a frequency an entity has one row in every period. The last entity has the newest periods only where the rows don't
    divide, and so has a single series.

    Raises
    ------
    ConfigError
        If the period between start and end is too short for the frequency, or for a single series of so many rows.
    """
    panel = simulation.panel
    if simulation.frequency is not None:
        return _periodic_rows(simulation, n_rows)
    times = None if time_column is None else random_moments(simulation, n_rows, stream(seed, "time", time_column))
    entities = np.zeros(n_rows, dtype=np.int64) if panel is None else np.arange(n_rows) // panel.rows_per_entity
    n_entities = int(entities[-1]) + 1
    if panel is not None and times is not None:
        entities = stream(seed, "entity", panel.entity).permutation(entities)
    return Rows(n_rows, times, entities, n_entities, None, 0)


def _periodic_rows(simulation: Simulation, n_rows: int) -> Rows:
    moments = period_moments(simulation)
    n_periods = len(moments)
    if n_periods == 0:
        raise ConfigError(f"there is no {simulation.frequency} between {simulation.start} and {simulation.end}")
    if simulation.panel is None and n_rows > n_periods:
        raise ConfigError(
            f"rows={n_rows} of a single series do not fit: {simulation.start} to {simulation.end} has {n_periods} periods "
            f"of frequency {simulation.frequency}"
        )
    n_entities = -(-n_rows // n_periods)
    periods, entities = np.divmod(np.arange(n_periods * n_entities), n_entities)
    n_absent = n_periods * n_entities - n_rows
    present = (entities < n_entities - 1) | (periods >= n_absent)
    periods, entities = periods[present], entities[present]
    return Rows(n_rows, moments[periods], entities, n_entities, periods, n_periods)


def autoregression(innovations: np.ndarray, autocorrelation: float) -> np.ndarray:
    """Turn independent standard normal values into a stationary first-order autoregression along the first axis."""
    if not autocorrelation:
        return innovations
    from scipy.signal import lfilter

    innovations[1:] *= np.sqrt(1 - autocorrelation**2)
    return lfilter([1.0], [1.0, -autocorrelation], innovations, axis=0)
