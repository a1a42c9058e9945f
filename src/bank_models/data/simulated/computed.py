"""Computed features of the simulator: derived, conditional and rounded values."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from scipy.special import ndtr, ndtri

from bank_models.config.expression import parse
from bank_models.config.feature import Feature
from bank_models.config.simulation import Simulate
from bank_models.config.simulation.feature import CALENDAR
from bank_models.config.simulation.margin import CONTINUOUS
from bank_models.config.simulation.source import DRAWN, Given
from bank_models.data.expressions import Text, Truth, Value, evaluate, holds
from bank_models.data.simulated.columns import Shown, limits, middle_score, table
from bank_models.data.simulated.margins import distribution_function, quantile


def compute(
    feature: Feature, z: np.ndarray | None, leaning: np.ndarray | None, seen: Mapping[str, Value], n_rows: int
) -> Shown:
    """What a feature shows that is not plain, with the normal score of the middle of its rank among all rows.

    Parameters
    ----------
    feature : Feature
    z : ndarray of shape (n_rows,), optional
        Latent values; None of a feature without a distribution.
    leaning : ndarray of shape (n_rows,), optional
        Uniform values that say which heap each value is rounded to.
    seen : mapping of str to Value
        Columns that its expressions name.
    n_rows : int
    """
    spec = feature.simulate
    values = None if z is None else _drawn(feature, z, seen, n_rows)
    if spec.derived is not None:
        columns = seen if values is None else {**seen, DRAWN: values}
        result = evaluate(parse(spec.derived), columns, n_rows)
        values = np.array(result.as_numbers() if isinstance(result, Truth) else result)
    absent = np.isnan(values)
    if feature.type == "category":
        values = np.where(absent, 0, values).astype(np.int64)
    else:
        values = np.where(absent, 0.0, _rounded(values, feature, leaning))
    if feature.type in ("int", "bool"):
        values = np.rint(values).astype(np.int64)
    score = _rank_score(values, absent)
    return Shown(values, score, feature.categories, absent if absent.any() and feature.type != "bool" else None)


def as_value(shown: Shown, feature: Feature) -> Value:
    """A column as the expressions of other features see it."""
    if shown.categories is not None:
        codes = shown.values if shown.absent is None else np.where(shown.absent, -1, shown.values)
        return Text(codes, shown.categories)
    values = shown.values.astype(np.float64)
    if feature.type == "bool":
        return Truth(values != 0, values == 0)
    return values if shown.absent is None else np.where(shown.absent, np.nan, values)


def _drawn(feature: Feature, z: np.ndarray, seen: Mapping[str, Value], n_rows: int) -> np.ndarray:
    """Values of the distribution that holds in each row, NaN where there is none."""
    spec = feature.simulate
    values = np.full(n_rows, np.nan)
    rest = np.ones(n_rows, dtype=bool)
    for case in spec.given:
        rows = rest & holds(parse(case.when), seen, n_rows).yes
        rest &= ~rows
        if case.value is not None:
            values[rows] = feature.categories.index(case.value) if isinstance(case.value, str) else float(case.value)
        elif not case.is_missing:
            values[rows] = _values(spec.in_case(case), feature, z[rows], case)
    values[rest] = _values(spec, feature, z[rest], None)
    return values


def _values(spec: Simulate, feature: Feature, z: np.ndarray, case: Given | None) -> np.ndarray:
    if spec.distribution in CONTINUOUS:
        step = 1.0 if feature.type == "int" and feature.simulate.derived is None else 0.0
        if case is not None and (case.min is not None or case.max is not None):
            z = _within(z, *(_probability(spec, limit, side * step / 2) for limit, side in ((case.min, -1), (case.max, 1))))
            low, high = (-np.inf if case.min is None else case.min), (np.inf if case.max is None else case.max)
            return np.clip(quantile(spec, z), low, high)
        return quantile(spec, z)
    until = table(spec)
    if case is not None and spec.distribution == "poisson" and (case.min is not None or case.max is not None):
        low = 0.0 if case.min is None or case.min < 1 else until[int(case.min) - 1]
        z = _within(z, low, 1.0 if case.max is None else until[int(case.max)])
    return np.searchsorted(until[:-1], ndtr(z), side="right").astype(np.float64)


def _probability(spec: Simulate, limit: float | None, margin: float) -> float | None:
    return None if limit is None else float(distribution_function(spec, np.array(limit + margin)))


def _within(z: np.ndarray, low: float | None, high: float | None) -> np.ndarray:
    """Latent values that keep their order, between two probabilities."""
    low, high = 0.0 if low is None else low, 1.0 if high is None else high
    return ndtri(np.clip(low + ndtr(z) * (high - low), 1e-15, 1 - 1e-15))


def _rounded(values: np.ndarray, feature: Feature, leaning: np.ndarray | None) -> np.ndarray:
    spec, given = feature.simulate, values
    if spec.step is not None:
        values = np.rint(given / spec.step) * spec.step
    elif spec.decimals is not None:
        values = np.round(given, spec.decimals)
    until = 0.0
    for heap in spec.heaps:
        here = (leaning >= until) & (leaning < until + heap.share)
        values = np.where(here, np.rint(given / heap.to) * heap.to, values)
        until += heap.share
    return np.clip(values, *limits(feature))


def _rank_score(values: np.ndarray, absent: np.ndarray) -> np.ndarray:
    score = np.zeros(len(values))
    _, places, counts = np.unique(values[~absent], return_inverse=True, return_counts=True)
    until = np.cumsum(counts) / max(counts.sum(), 1)
    score[~absent] = middle_score(until - counts / max(counts.sum(), 1), until)[places]
    return score


def is_computed(spec: Simulate) -> bool:
    """Whether a feature is more than the quantile of its distribution."""
    return spec.distribution not in CALENDAR and not spec.is_plain
