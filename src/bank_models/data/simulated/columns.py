"""Observed values of a feature from its latent value, and back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import product

import numpy as np
import pandas as pd
from scipy.special import ndtr, ndtri, pdtr

from bank_models.config.feature import Feature
from bank_models.config.simulation import Simulate, Simulation
from bank_models.config.simulation.feature import CALENDAR
from bank_models.data.expressions import Value
from bank_models.data.simulated.margins import distribution_function, quantile
from bank_models.data.simulated.moments import HOUR_WEIGHTS, WEEKDAY_WEIGHTS, calendar
from bank_models.data.simulated.rows import Rows, stream
from bank_models.data.simulated.text import draw_text

SMALLEST_TAIL = 1e-15
SHAPES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "linear": lambda z: z,
    "threshold": lambda z: z > 1,
    "saturating": np.tanh,
    "u_shape": lambda z: z**2 - 1,
}


@dataclass(frozen=True)
class Shown:
    """One column, before values go missing.

    Attributes
    ----------
    values : ndarray of shape (n_rows,)
        Numbers, texts, or codes of categories.
    score : ndarray of shape (n_rows,), optional
        Normal score of what is shown; None where nobody asks for it.
    categories : list of str, optional
        What the codes stand for.
    absent : ndarray of bool of shape (n_rows,), optional
        Rows that are of a kind that has no value.
    """

    values: np.ndarray
    score: np.ndarray | None
    categories: list[str] | None = None
    absent: np.ndarray | None = None


def show(
    name: str,
    feature: Feature,
    z: np.ndarray | None,
    rows: Rows,
    simulation: Simulation,
    seed: int,
    needs_score: bool,
    seen: Mapping[str, Value],
) -> Shown:
    """Push latent values through the distribution of a feature; those of the calendar have none."""
    spec = feature.simulate
    if spec.distribution in CALENDAR:
        return _calendar(spec, feature, rows, simulation)
    match spec.distribution:
        case "template":
            return Shown(*draw_text(name, spec, z, seed, needs_score, seen))
        case "zipf":
            return _many_values(name, spec, z, seed)
        case "categorical" | "poisson" | "bernoulli":
            codes = _table_codes(spec, feature, z)
            return Shown(codes, _table_scores(spec, feature)[codes], feature.categories)
    return Shown(*_continuous(spec, feature, z))


def term(name: str, spec: Simulate, shown: Shown, effect: float | list[float], output: str | None, seed: int):
    """What a feature adds to the index of an output: a class, or None where there is one index."""
    if spec.distribution == "categorical":
        return np.asarray(effect)[shown.values]
    if spec.distribution == "zipf" and output is not None:
        return effect * stream(seed, "value effect", f"{name}:{output}").standard_normal(spec.n_values)[shown.values]
    return effect * SHAPES[spec.shape](shown.score)


def interaction_score(spec: Simulate, shown: Shown) -> np.ndarray:
    """What a feature is in an interaction: of a category how its effect deviates from the mean."""
    return np.asarray(spec.category_scores())[shown.values] if spec.distribution == "categorical" else shown.score


def as_column(shown: Shown, feature: Feature, hidden: np.ndarray | None):
    """A column in the type that models expect, with values hidden where asked."""
    values = shown.values
    if shown.absent is not None:
        hidden = shown.absent if hidden is None else shown.absent | hidden
    if feature.type == "date":
        moments = np.floor(values).astype("datetime64[D]").astype("datetime64[s]")
        return moments if hidden is None else np.where(hidden, np.datetime64("NaT", "s"), moments)
    if feature.type == "text":
        return pd.array(values if hidden is None else np.where(hidden, np.nan, values), dtype="str")
    if feature.type == "category":
        codes = values if hidden is None else np.where(hidden, -1, values)
        column = pd.Categorical.from_codes(codes, categories=shown.categories)
        return column if feature.categories else column.reorder_categories(sorted(shown.categories))
    if feature.type == "bool":
        return values.astype(bool)
    if feature.type == "int" and hidden is None:
        return values.astype(np.int32)
    numbers = np.clip(values.astype(np.float32), *_float32_limits(feature))
    if hidden is not None:
        numbers[hidden] = np.nan
    return numbers


def _calendar(spec: Simulate, feature: Feature, rows: Rows, simulation: Simulation) -> Shown:
    values = calendar(spec.distribution, rows.times, simulation)
    if spec.distribution in ("hour", "weekday") and simulation.frequency is None:
        return Shown(values, _table_scores(spec, feature)[values])
    _, places, counts = np.unique(values, return_inverse=True, return_counts=True)
    until = np.cumsum(counts) / len(values)
    return Shown(values, middle_score(until - counts / len(values), until)[places])


def _many_values(name: str, spec: Simulate, z: np.ndarray, seed: int) -> Shown:
    """Categories with the frequencies of Zipf's law; along the latent value they lie in the order of their scores."""
    frequency = np.arange(1, spec.n_values + 1) ** -spec.exponent
    score = stream(seed, "value effect", name).standard_normal(spec.n_values)
    order = np.argsort(score)
    until = np.cumsum(frequency[order])
    codes = order[np.searchsorted(until[:-1] / until[-1], ndtr(z), side="right")]
    return Shown(codes, score[codes], _value_names(spec, stream(seed, "value name", name)))


def _value_names(spec: Simulate, rng: np.random.Generator) -> list[str]:
    if spec.parts is not None:
        names = [" ".join(words) for words in product(*spec.parts)]
    else:
        digits = max(4, len(str(spec.n_values)))
        names = [f"{spec.prefix}_{number:0{digits}d}" for number in range(1, spec.n_values + 1)]
    return [names[place] for place in rng.permutation(len(names))[: spec.n_values]]


def _continuous(spec: Simulate, feature: Feature, z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    low, high = limits(feature)
    step = 1.0 if feature.type == "int" else None if spec.decimals is None else 10.0**-spec.decimals
    if step is None:
        z = np.clip(z, *ndtri(distribution_function(spec, np.array([low, high]))))
        return np.clip(quantile(spec, z), low, high), z
    values = np.clip(np.rint(quantile(spec, z) / step) * step, low, high)
    below = np.where(values <= low, 0.0, distribution_function(spec, values - step / 2))
    until = np.where(values >= high, 1.0, distribution_function(spec, values + step / 2))
    return values, middle_score(below, until)


def limits(feature: Feature) -> tuple[float, float]:
    """Smallest and largest value that a feature may show."""
    low = -np.inf if feature.min is None else feature.min
    high = np.inf if feature.max is None else feature.max
    if feature.type != "int":
        return low, high
    bounds = np.iinfo(np.int32)
    return max(np.ceil(low), bounds.min), min(np.floor(high), bounds.max)


def _float32_limits(feature: Feature) -> tuple[np.float32, np.float32]:
    """The outermost float32 within `min` and `max`: 0.1 as float32 is above 0.1."""
    low, high = (np.float32(limit) for limit in limits(feature))
    if float(low) < limits(feature)[0]:
        low = np.nextafter(low, np.float32(np.inf))
    if float(high) > limits(feature)[1]:
        high = np.nextafter(high, np.float32(-np.inf))
    return low, high


def middle_score(below: np.ndarray, until: np.ndarray) -> np.ndarray:
    """Normal score of the middle between two probabilities."""
    return ndtri(np.clip((below + until) / 2, SMALLEST_TAIL, 1 - SMALLEST_TAIL))


def table(spec: Simulate) -> np.ndarray:
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
    low, high = limits(feature)
    return int(min(max(low, 0), n_values - 1)), int(min(max(high, 0), n_values - 1))


def _table_codes(spec: Simulate, feature: Feature, z: np.ndarray) -> np.ndarray:
    until = table(spec)
    codes = np.searchsorted(until[:-1], ndtr(z), side="right")
    return np.clip(codes, *_table_range(spec, feature, len(until)))


def _table_scores(spec: Simulate, feature: Feature) -> np.ndarray:
    until = table(spec)
    below = np.append(0.0, until[:-1])
    low, high = _table_range(spec, feature, len(until))
    below[low], until[high] = 0.0, 1.0
    return middle_score(below, until)
