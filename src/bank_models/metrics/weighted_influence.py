"""Influence functions of metrics of weighted rows: by how much a row with its weight moves each.

The influence of a row is its weight times the derivative of the metric by that weight: the linearised variance of a ratio
estimator, Binder (1983), On the variances of asymptotically normal estimators from complex surveys, International Statistical
Review 51, 279-292.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from bank_models.metrics import weighted

FEWEST = 2 - 1e-9  # effective rows of a kind: with fewer nothing is known of how they vary
SMALLEST = np.finfo("float64").tiny


def of_mean(values: np.ndarray, finish: Callable, slope: Callable, weight: np.ndarray) -> tuple[float, np.ndarray]:
    """Of a function of a weighted mean."""
    found, total = weighted.mean(values, weight), weight.sum()
    return float(finish(found)), slope(found) * weight * (values - found) / total


def roc_auc(is_positive: np.ndarray, score: np.ndarray, weight: np.ndarray) -> tuple[float, np.ndarray]:
    """By placement values, each row counting with its weight."""
    codes = np.unique(score, return_inverse=True)[1]
    n_values = int(codes.max()) + 1
    positive, negative = (
        np.bincount(codes[rows], weights=weight[rows], minlength=n_values) for rows in (is_positive, ~is_positive)
    )
    n, m = positive.sum(), negative.sum()
    influence = np.full(len(score), np.nan)
    if not n or not m:
        return np.nan, influence
    below = ((np.cumsum(negative) - negative / 2) / m)[codes]  # share of the negatives, ties half
    above = ((n - np.cumsum(positive) + positive / 2) / n)[codes]
    area = np.average(below[is_positive], weights=weight[is_positive])
    influence[is_positive] = (weight * (below - area))[is_positive] / n
    influence[~is_positive] = (weight * (above - area))[~is_positive] / m
    return float(area), influence


def average_precision(is_positive: np.ndarray, score: np.ndarray, weight: np.ndarray) -> tuple[float, np.ndarray]:
    """A mean of precision over the positives: a row counts as one of them, and in the precision at every lower score."""
    order = np.argsort(-score, kind="stable")
    hit, ordered, weight = is_positive[order].astype("float64"), score[order], weight[order]
    is_last = np.append(ordered[1:] != ordered[:-1], True)
    tied = np.cumsum(np.append(False, is_last[:-1]))
    last = np.flatnonzero(is_last)
    first = np.append(0, last[:-1] + 1)
    alerts, caught = (np.cumsum(each)[last][tied] for each in (weight, weight * hit))
    found, total = weight * hit, (weight * hit).sum()
    precision = np.divide(caught, alerts, out=np.zeros_like(alerts), where=alerts > 0)
    value = (found * precision).sum() / total
    from_here = lambda each: np.cumsum(each[::-1])[::-1][first][tied]  # noqa: E731
    per_alert = np.divide(found, alerts, out=np.zeros_like(alerts), where=alerts > 0)
    influence = np.empty(len(score))
    influence[order] = (
        weight * (hit * (precision - value) + hit * from_here(per_alert) - from_here(per_alert * precision)) / total
    )
    return float(value), influence


def r2(y_true: np.ndarray, value: np.ndarray, weight: np.ndarray) -> tuple[float, np.ndarray]:
    """Of the share of the variance that is explained."""
    missed, spread = (y_true - value) ** 2, (y_true - weighted.mean(y_true, weight)) ** 2
    total = np.sum(weight * spread)
    share = np.sum(weight * missed) / total
    return float(1 - share), weight * (share * spread - missed) / total


def variance_of_rows(influence: np.ndarray, kinds: np.ndarray, weight: np.ndarray) -> tuple[float, float] | None:
    """Variance of a metric of independent rows, and the effective rows of the kind that has fewest.

    A heavy row draws the mean to itself, and so looks nearer to it than it is: where all vary alike, the squares of shares h
    of the weight fall short by 1 - 2 Σh³ / Σh² + Σh².

    Parameters
    ----------
    influence, weight : ndarray of shape (n_rows,)
    kinds : ndarray of int of shape (n_rows,)
        Each kind is a sample of its own; -1 is none.

    Returns
    -------
    tuple of (float, float) or None
        None with fewer than two effective rows of a kind.
    """
    sizes, variance = [], float(np.sum(influence[kinds < 0] ** 2))
    for kind in np.unique(kinds[kinds >= 0]):
        rows = kinds == kind
        share = weight[rows] / max(weight[rows].sum(), SMALLEST)
        sizes.append(weighted.effective_size(share))
        if sizes[-1] < FEWEST:
            return None
        reached = 1 - 2 * np.sum(share**3) / np.sum(share**2) + np.sum(share**2)
        variance += float(np.sum(influence[rows] ** 2) / reached)
    return (variance, min(sizes)) if sizes else None
