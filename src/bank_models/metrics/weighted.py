"""Statistics of weighted rows: a weight of 2 counts as much as the row twice."""

from __future__ import annotations

import numpy as np

ROUNDING = 1e-12  # by which a sum of weights may miss a share of all
FEWEST_OF_PERIOD = 3  # rows of one moment that can be ranked


def mean(values, weight: np.ndarray | None = None) -> float:
    """Mean of values, by the weights of their rows where rows have some; not a number where these weigh nothing."""
    if weight is None:
        return np.mean(values)
    return np.average(values, weights=weight) if np.any(weight) else np.nan


def sum_of(values, weight: np.ndarray | None = None) -> float:
    """Sum of values, each times the weight of its row where rows have some."""
    return np.sum(values) if weight is None else np.sum(weight * values)


def effective_size(weight: np.ndarray) -> float:
    """How many rows of equal weight would tell a mean as well as these do.

    References
    ----------
    Kish (1965), Survey sampling, Wiley, 11.7.
    """
    total = float(np.sum(weight))
    return total**2 / float(np.sum(np.square(weight))) if total > 0 else 0.0


def quantile(values, level: float, weight: np.ndarray) -> float:
    """Weighted quantile: the smallest value with a share `level` of the weight at or below it.

    Where a value ends exactly there, the middle between it and the next one; so the median of equal weights is the median.
    """
    weight = np.asarray(weight, dtype="float64")
    kept = weight > 0
    values, weight = np.asarray(values, dtype="float64")[kept], weight[kept]
    order = np.argsort(values, kind="stable")
    values, below = values[order], np.cumsum(weight[order])
    at, margin = level * below[-1], ROUNDING * below[-1]
    first = min(int(np.searchsorted(below, at - margin)), len(values) - 1)
    ends_there = abs(below[first] - at) <= margin and first + 1 < len(values)
    return float((values[first] + values[first + 1]) / 2 if ends_there else values[first])


def rank_correlation(y_true, value, weight) -> float:
    """Spearman's correlation of weighted rows; 0 where one side is constant."""
    ranks = [_ranks(each, weight) for each in (y_true, value)]
    one, other = (rank - mean(rank, weight) for rank in ranks)
    spread = [float(np.sum(weight * np.square(each))) for each in (one, other)]
    return float(np.sum(weight * one * other) / np.sqrt(spread[0] * spread[1])) if min(spread) > 0 else 0.0


def _ranks(values, weight) -> np.ndarray:
    """Weight below each row, with half of that of its ties."""
    codes = np.unique(values, return_inverse=True)[1]
    of_value = np.bincount(codes, weights=weight)
    return (np.cumsum(of_value) - of_value / 2)[codes]


def lift(y_true, score, share: float, weight) -> float:
    """Rate of positives among the share of the weight that is scored highest, relative to the rate among all."""
    found, top = _hits(y_true, score, share, weight)
    return found / top / float(np.average(y_true, weights=weight))


def recall_at_alert_rate(y_true, score, share: float, weight) -> float:
    """Share of the positives' weight that is in the share of all weight that is scored highest."""
    return _hits(y_true, score, share, weight)[0] / float(np.sum(weight * y_true))


def _hits(y_true, score, share: float, weight) -> tuple[float, float]:
    """Weight of positives among the highest-scored share of all weight, and that share; of ties, as drawn at random."""
    y_true, score = np.asarray(y_true, dtype="float64"), np.asarray(score)
    order = np.argsort(-score, kind="stable")
    total = np.cumsum(weight[order])
    top = share * total[-1]
    lowest = score[order][min(np.searchsorted(total, top * (1 - ROUNDING)), len(order) - 1)]
    is_above, is_tied = score > lowest, score == lowest
    rest = top - weight[is_above].sum()
    rate = np.average(y_true[is_tied], weights=weight[is_tied]) if rest > 0 else 0.0
    return float(np.sum((weight * y_true)[is_above]) + rate * rest), float(top)


def alert_rate_at_recall(y_true, score, recall: float, weight) -> float:
    """Share of the weight that must be looked at, the highest-scored first, to find a share of that of the positives."""
    is_positive = np.asarray(y_true) == 1
    order = np.argsort(-score[is_positive], kind="stable")
    found = np.cumsum(weight[is_positive][order])
    lowest = score[is_positive][order][np.searchsorted(found, recall * found[-1] * (1 - ROUNDING))]
    return float(np.average(score >= lowest, weights=weight))


def expected_calibration_error(y_true, score, n_bins: int, weight) -> float:
    """Mean distance of predicted from observed rates over bins of equal weight, which may cut through a row."""
    order = np.argsort(score, kind="stable")
    missed = weight * (np.asarray(score, dtype="float64") - rate_of_ties(y_true, score, weight))
    total, off = (np.concatenate([[0.0], np.cumsum(each[order])]) for each in (weight, missed))
    edges = np.linspace(0, total[-1], min(n_bins, len(order)) + 1)
    return float(np.abs(np.diff(np.interp(edges, total, off))).sum() / total[-1])


def rate_of_ties(y_true, score, weight) -> np.ndarray:
    """Weighted mean label of the rows that share a row's score; 0 where these weigh nothing."""
    codes = np.unique(score, return_inverse=True)[1]
    found, total = np.bincount(codes, weights=weight * y_true), np.bincount(codes, weights=weight)
    return np.divide(found, total, out=np.zeros_like(found), where=total > 0)[codes]


def bins_of_equal_weight(values, n_bins: int, weight) -> list[np.ndarray]:
    """Rows in the order of their values, in bins of about equal weight; a row is in the bin that its middle falls into."""
    order = np.argsort(values, kind="stable")
    weight = np.asarray(weight, dtype="float64")[order]
    middle = (np.cumsum(weight) - weight / 2) / weight.sum()
    code = np.minimum((n_bins * middle).astype("int64"), n_bins - 1)
    return [rows for rows in (order[code == one] for one in range(n_bins)) if len(rows)]
