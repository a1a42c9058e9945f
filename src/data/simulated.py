"""Rows that look like the bank's, drawn from the facts of a use case, with the true probability of every label."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from hashlib import sha256

import numpy as np
import pandas as pd
from scipy.optimize import brentq
from scipy.special import (
    betainc,
    betaincinv,
    expit,
    gammainc,
    gammaincinv,
    log_ndtr,
    logit,
    ndtr,
    ndtri,
    pdtr,
)

from src.data.dataset import Dataset
from src.errors import ConfigError, DataError
from src.simulation import Simulate, Simulation
from src.use_case import Feature

HOUR_WEIGHTS = np.array([6, 4, 3, 2, 2, 4, 12, 26, 44, 56, 62, 68, 76, 70, 62, 60, 64, 74, 80, 72, 56, 40, 24, 12], dtype=float)
WEEKDAY_WEIGHTS = np.array([1.0, 1.0, 1.02, 1.06, 1.18, 1.2, 0.8])
MISSING_SLOPE = 1.0  # log-odds of going missing per standard deviation of the column it goes with
SMALLEST_TAIL = 1e-15


def simulate(
    features: Mapping[str, Feature],
    simulation: Simulation,
    target: str,
    time_column: str | None,
    n_rows: int,
    seed: int,
) -> Dataset:
    """Draw rows from a Gaussian copula and labels from a logistic model of what the rows show.

    A feature has the latent value ``z = sum(loading * factor) + sqrt(1 - sum(loading^2)) * noise``, which is standard
    normal, and shows the quantile of its distribution at ``Phi(z)``, rounded and clipped to its `min` and `max`. The
    log-odds of the target are the sum of the features' effects and interactions and one intercept, found so that the
    mean true probability over the drawn rows is `positive_rate`. An effect acts on the value that is shown: where
    rounding, clipping or categories hide part of z, it acts on the normal score of the middle of the probability that
    the shown value stands for. So a model that sees the complete columns can in principle reach the true probability.

    Values go missing after the labels are drawn. The true score therefore knows what missing values hide, and its
    metrics are an upper bound on what any model can reach, and a tight one where strong features are rarely missing.

    Every feature, factor and hidden cell has a random stream of its own, made of the seed and the name: adding a
    feature leaves the other columns as they are. The same arguments give the same bytes.

    Parameters
    ----------
    features : mapping of str to Feature
        The columns, in their order; each has `simulate`.
    simulation : Simulation
        Positive rate in (0, 1), label noise in [0, 0.5), interactions, and first and last day of the time column.
    target : str
        Name of the column of labels.
    time_column : str or None
        Name of the column of timestamps; needs the simulation's `start` and `end`.
    n_rows : int
        Rows to draw, at least 1.
    seed : int
        Not negative.

    Returns
    -------
    Dataset
        `frame` of shape (n_rows, n_features + 1 or 2): float32, int32 (float32 where values are missing), bool and
        categorical features, the target as int8, timestamps as datetime64[s] in ascending order. `true_score` of shape
        (n_rows,), float64: the probability, label noise included, that drew each label.

    Raises
    ------
    ConfigError
        If `n_rows` or `seed` is out of range, or the time column has no period or the period no time column.
    DataError
        If a feature has no `simulate`.

    References
    ----------
    Nelsen (2006), An Introduction to Copulas, 2nd edition, Springer, section 2.9 on drawing from a copula.
    Cario and Nelson (1997), Modeling and generating random vectors with arbitrary marginal distributions and
    correlation matrix, Northwestern University.
    """
    _check(features, simulation, time_column, n_rows, seed)
    times = None if time_column is None else _timestamps(simulation, n_rows, _stream(seed, "time", time_column))
    factors = _Factors(n_rows, seed)
    partners = {name for interaction in simulation.interactions for name in interaction.features}
    partners |= {feature.simulate.missing_with for feature in features.values()} - {None}

    columns, scores, codes = {}, {}, {}
    log_odds = np.zeros(n_rows)
    for name, feature in features.items():
        spec = feature.simulate
        z = None
        if spec.distribution not in ("hour", "weekday"):
            z = factors.latent(spec.factors, _stream(seed, "value", name))
        if spec.distribution == "categorical":
            codes[name] = _table_codes(spec, feature, z)
            columns[name] = codes[name]
            score = _table_scores(spec, feature)[codes[name]]
            if isinstance(spec.effect, list):
                log_odds += np.asarray(spec.effect)[codes[name]]
        else:
            columns[name], score = _numbers(spec, feature, z, times)
            if spec.effect:
                log_odds += spec.effect * SHAPES[spec.shape](score)
        if name in partners:
            scores[name] = score

    for interaction in simulation.interactions:
        first, second = (
            np.asarray(features[name].simulate.category_scores())[codes[name]] if name in codes else scores[name]
            for name in interaction.features
        )
        log_odds += interaction.effect * first * second

    true_score = _true_score(log_odds, simulation)
    labels = (_stream(seed, "label", target).random(n_rows) < true_score).astype(np.int8)

    for name, feature in features.items():
        hidden = _hidden(feature.simulate, scores, n_rows, _stream(seed, "missing", name))
        columns[name] = _as_column(columns[name], feature, hidden)
    if time_column is not None:
        columns[time_column] = times
    columns[target] = labels
    return Dataset(
        frame=pd.DataFrame(columns),
        provenance={"kind": "simulated", "source": "simulated", "seed": seed, "rows": n_rows},
        true_score=true_score,
    )


SHAPES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "linear": lambda z: z,
    "threshold": lambda z: z > 1,
    "saturating": np.tanh,
    "u_shape": lambda z: z**2 - 1,
}


def _check(features, simulation, time_column, n_rows, seed) -> None:
    if n_rows < 1:
        raise ConfigError(f"rows must be at least 1, but got {n_rows}")
    if seed < 0:
        raise ConfigError(f"seed must not be negative, but got {seed}")
    if (time_column is None) != (simulation.start is None):
        raise ConfigError("a time_column and the simulation's start and end go together: give both or neither")
    if undrawn := [name for name, feature in features.items() if feature.simulate is None]:
        raise DataError(f"no rows can be drawn: these features have no `simulate`: {', '.join(undrawn)}")


def _stream(seed: int, purpose: str, name: str) -> np.random.Generator:
    digest = sha256(f"{purpose}:{name}".encode()).digest()
    return np.random.default_rng([seed, *np.frombuffer(digest[:16], dtype="<u4").tolist()])


class _Factors:
    """Standard normal values that features share, drawn when first asked for."""

    def __init__(self, n_rows: int, seed: int):
        self.n_rows, self.seed, self.drawn = n_rows, seed, {}

    def latent(self, loadings: dict[str, float], rng: np.random.Generator) -> np.ndarray:
        own = np.sqrt(max(1 - sum(loading**2 for loading in loadings.values()), 0))
        z = own * rng.standard_normal(self.n_rows)
        for factor, loading in loadings.items():
            if factor not in self.drawn:
                self.drawn[factor] = _stream(self.seed, "factor", factor).standard_normal(self.n_rows)
            z += loading * self.drawn[factor]
        return z


def _timestamps(simulation: Simulation, n_rows: int, rng: np.random.Generator) -> np.ndarray:
    """Sorted seconds in the period: few at night, most at noon and in the early evening."""
    days = np.arange(np.datetime64(simulation.start, "D"), np.datetime64(simulation.end, "D") + 1)
    weights = WEEKDAY_WEIGHTS[_weekday(days)][:, None] * HOUR_WEIGHTS
    counts = rng.multinomial(n_rows, (weights / weights.sum()).ravel())
    hours = days.astype("datetime64[s]")[:, None] + np.arange(24) * np.timedelta64(3600, "s")
    return np.sort(np.repeat(hours.ravel(), counts) + rng.integers(3600, size=n_rows).astype("timedelta64[s]"))


def _weekday(days: np.ndarray) -> np.ndarray:
    """Monday is 0; the first day of 1970 was a Thursday."""
    return (days.astype("datetime64[D]").astype(np.int64) + 3) % 7


def _numbers(spec: Simulate, feature: Feature, z: np.ndarray | None, times: np.ndarray | None):
    """Shown values and their normal scores, both of shape (n_rows,)."""
    match spec.distribution:
        case "hour":
            codes = times.astype(np.int64) // 3600 % 24
        case "weekday":
            codes = _weekday(times)
        case "poisson" | "bernoulli":
            codes = _table_codes(spec, feature, z)
        case _:
            return _continuous(spec, feature, z)
    return codes, _table_scores(spec, feature)[codes]


def _continuous(spec: Simulate, feature: Feature, z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    low, high = _limits(feature)
    step = 1.0 if feature.type == "int" else None if spec.decimals is None else 10.0**-spec.decimals
    if step is None:
        z = np.clip(z, *ndtri(_distribution_function(spec, np.array([low, high]))))
        return np.clip(_quantile(spec, z), low, high), z
    values = np.clip(np.rint(_quantile(spec, z) / step) * step, low, high)
    below = np.where(values <= low, 0.0, _distribution_function(spec, values - step / 2))
    until = np.where(values >= high, 1.0, _distribution_function(spec, values + step / 2))
    return values, _middle_score(below, until)


def _limits(feature: Feature) -> tuple[float, float]:
    low = -np.inf if feature.min is None else feature.min
    high = np.inf if feature.max is None else feature.max
    if feature.type != "int":
        return low, high
    bounds = np.iinfo(np.int32)
    return max(np.ceil(low), bounds.min), min(np.floor(high), bounds.max)


def _middle_score(below: np.ndarray, until: np.ndarray) -> np.ndarray:
    return ndtri(np.clip((below + until) / 2, SMALLEST_TAIL, 1 - SMALLEST_TAIL))


def _table(spec: Simulate) -> np.ndarray:
    """Distribution function at 0, 1, 2, … of a feature that has few values."""
    match spec.distribution:
        case "bernoulli":
            return np.array([1 - spec.probability, 1.0])
        case "categorical":
            return np.append(np.cumsum(spec.probabilities)[:-1], 1.0)
        case "poisson":
            return pdtr(np.arange(spec.mean + 12 * np.sqrt(spec.mean) + 30), spec.mean)
        case "hour":
            return np.cumsum(HOUR_WEIGHTS) / HOUR_WEIGHTS.sum()
        case "weekday":
            return np.cumsum(WEEKDAY_WEIGHTS) / WEEKDAY_WEIGHTS.sum()


def _table_range(spec: Simulate, feature: Feature, n_values: int) -> tuple[int, int]:
    if spec.distribution != "poisson":
        return 0, n_values - 1
    low, high = _limits(feature)
    return int(min(max(low, 0), n_values - 1)), int(min(max(high, 0), n_values - 1))


def _table_codes(spec: Simulate, feature: Feature, z: np.ndarray) -> np.ndarray:
    until = _table(spec)
    codes = np.searchsorted(until[:-1], ndtr(z), side="right")
    return np.clip(codes, *_table_range(spec, feature, len(until)))


def _table_scores(spec: Simulate, feature: Feature) -> np.ndarray:
    until = _table(spec)
    below = np.append(0.0, until[:-1])
    low, high = _table_range(spec, feature, len(until))
    below[low], until[high] = 0.0, 1.0
    return _middle_score(below, until)


def _quantile(spec: Simulate, z: np.ndarray) -> np.ndarray:
    match spec.distribution:
        case "normal":
            return spec.mean + spec.std * z
        case "lognormal":
            return spec.median * np.exp(spec.sigma * z)
        case "uniform":
            return spec.low + (spec.high - spec.low) * ndtr(z)
        case "beta":
            low, high = _beta_range(spec)
            return low + (high - low) * betaincinv(spec.a, spec.b, ndtr(z))
        case "gamma":
            return spec.std**2 / spec.mean * gammaincinv((spec.mean / spec.std) ** 2, ndtr(z))
        case "exponential":
            return -spec.mean * log_ndtr(-z)


def _distribution_function(spec: Simulate, values: np.ndarray) -> np.ndarray:
    match spec.distribution:
        case "normal":
            return ndtr((values - spec.mean) / spec.std)
        case "lognormal":
            with np.errstate(divide="ignore"):
                return ndtr(np.log(np.maximum(values, 0) / spec.median) / spec.sigma)
        case "uniform":
            return np.clip((values - spec.low) / (spec.high - spec.low), 0, 1)
        case "beta":
            low, high = _beta_range(spec)
            return betainc(spec.a, spec.b, np.clip((values - low) / (high - low), 0, 1))
        case "gamma":
            return gammainc((spec.mean / spec.std) ** 2, np.maximum(values, 0) * spec.mean / spec.std**2)
        case "exponential":
            return -np.expm1(-np.maximum(values, 0) / spec.mean)


def _beta_range(spec: Simulate) -> tuple[float, float]:
    return (0.0, 1.0) if spec.low is None else (spec.low, spec.high)


def _true_score(log_odds: np.ndarray, simulation: Simulation) -> np.ndarray:
    """Probabilities with the mean `positive_rate` after `label_noise`."""
    noise = simulation.label_noise
    rate = (simulation.positive_rate - noise) / (1 - 2 * noise)
    ends = logit(rate) - log_odds.max() - 1, logit(rate) - log_odds.min() + 1
    intercept = brentq(lambda intercept: expit(log_odds + intercept).mean() - rate, *ends, xtol=1e-13)
    return expit(log_odds + intercept) * (1 - 2 * noise) + noise


def _hidden(spec: Simulate, scores: Mapping[str, np.ndarray], n_rows: int, rng: np.random.Generator) -> np.ndarray | None:
    """Which values go missing, as bools of shape (n_rows,)."""
    if not spec.missing_rate:
        return None
    slope = np.zeros(n_rows) if spec.missing_with is None else MISSING_SLOPE * scores[spec.missing_with]
    middle = logit(spec.missing_rate)
    ends = middle - slope.max() - 1, middle - slope.min() + 1
    intercept = brentq(lambda intercept: expit(slope + intercept).mean() - spec.missing_rate, *ends)
    return rng.random(n_rows) < expit(slope + intercept)


def _as_column(values: np.ndarray, feature: Feature, hidden: np.ndarray | None):
    if feature.type == "category":
        codes = values if hidden is None else np.where(hidden, -1, values)
        return pd.Categorical.from_codes(codes, categories=feature.categories)
    if feature.type == "bool":
        return values.astype(bool)
    if feature.type == "int" and hidden is None:
        return values.astype(np.int32)
    shown = np.clip(values.astype(np.float32), *_float32_limits(feature))
    if hidden is not None:
        shown[hidden] = np.nan
    return shown


def _float32_limits(feature: Feature) -> tuple[np.float32, np.float32]:
    """The outermost float32 within `min` and `max`: 0.1 as float32 is above 0.1."""
    low, high = (np.float32(limit) for limit in _limits(feature))
    if float(low) < _limits(feature)[0]:
        low = np.nextafter(low, np.float32(np.inf))
    if float(high) > _limits(feature)[1]:
        high = np.nextafter(high, np.float32(-np.inf))
    return low, high
