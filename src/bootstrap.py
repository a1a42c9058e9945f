"""How far a metric may be off because the test rows are a sample."""

from __future__ import annotations

import numpy as np

from src.metrics import OF_LABELS, OF_SCORES

CONFIDENCE = 0.95


def interval(metric: str, y_true, y_score, threshold: float, seed: int, n_resamples: int = 1000) -> tuple[float, float]:
    """Percentile interval of a metric under resampling of the rows, class by class.

    Ranking metrics are recomputed from the sorted scores and the number of times each row was drawn, which takes a pass
    over the rows instead of a sort.

    Parameters
    ----------
    metric : str
        A name of `src.metrics`.
    y_true : ndarray of shape (n_rows,)
        0 or 1, both present.
    y_score : ndarray of shape (n_rows,)
        Probability of 1.
    threshold : float
        For metrics of decisions.
    seed : int
    n_resamples : int

    Returns
    -------
    low, high : float
        2.5 % and 97.5 % quantiles.

    References
    ----------
    Efron & Tibshirani (1993), An introduction to the bootstrap, ch. 13; drawn within classes as in Robin et al. (2011),
    pROC, BMC Bioinformatics 12:77.
    """
    rng = np.random.default_rng(seed)
    rows = [np.flatnonzero(y_true == label) for label in (0, 1)]
    weighted = RANKINGS.get(metric, _by_scikit_learn)(metric, y_true, y_score, threshold)
    values = np.empty(n_resamples)
    for i in range(n_resamples):
        counts = np.zeros(len(y_true))
        for members in rows:
            drawn = rng.integers(0, len(members), len(members))
            counts[members] = np.bincount(drawn, minlength=len(members))
        values[i] = weighted(counts)
    low, high = np.quantile(values, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return float(low), float(high)


def _by_scikit_learn(metric, y_true, y_score, threshold):
    if metric in OF_LABELS:
        y_pred = y_score >= threshold
        return lambda counts: OF_LABELS[metric](y_true, y_pred, sample_weight=counts)
    return lambda counts: OF_SCORES[metric](y_true, y_score, sample_weight=counts)


def _sorted(y_true, y_score):
    """Rows by falling score, their labels, and the first row of each distinct score."""
    order = np.argsort(-y_score, kind="stable")
    starts = np.append(0, np.flatnonzero(np.diff(y_score[order])) + 1)
    return order, y_true[order] == 1, starts


def _roc_auc(metric, y_true, y_score, threshold):
    order, is_positive, starts = _sorted(y_true, y_score)

    def weighted(counts):
        counts = counts[order]
        positives = np.add.reduceat(np.where(is_positive, counts, 0.0), starts)
        negatives = np.add.reduceat(np.where(is_positive, 0.0, counts), starts)
        above = np.cumsum(positives) - positives / 2  # ties count half
        return np.dot(above, negatives) / (positives.sum() * negatives.sum())

    return weighted


def _average_precision(metric, y_true, y_score, threshold):
    order, is_positive, starts = _sorted(y_true, y_score)

    def weighted(counts):
        counts = counts[order]
        positives = np.add.reduceat(np.where(is_positive, counts, 0.0), starts)
        alerts = np.cumsum(np.add.reduceat(counts, starts))
        caught = np.cumsum(positives)
        precision = np.divide(caught, alerts, out=np.zeros_like(caught), where=alerts > 0)
        return np.dot(positives, precision) / caught[-1]

    return weighted


RANKINGS = {"roc_auc": _roc_auc, "average_precision": _average_precision}
