"""How far a metric may be off because the test rows are a sample."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from src import weighted
from src.metrics import METRICS, Prediction, as_score, coefficients

CONFIDENCE = 0.95
CELLS_OF_BLOCK = 2_000_000  # of rows times resamples: 8 MB


def interval(
    metric: str,
    task: str,
    y_true,
    prediction: Prediction,
    seed: int,
    n_resamples: int = 1000,
    quantile: float | None = None,
    periods=None,
    clusters=None,
) -> tuple[float, float]:
    """Percentile interval of a metric under resampling of the rows: class by class for two classes, else freely.

    Rows that belong together are drawn together, for they tell less than as many strangers: whole clusters where there are
    some, and whole periods for a metric that is a mean over periods.

    Parameters
    ----------
    metric : str
        A name of `src.metrics.METRICS`.
    task : str
    y_true : ndarray of shape (n_rows,)
    prediction : Prediction
    seed : int
    n_resamples : int
    quantile : float, optional
    periods : ndarray of shape (n_rows,), optional
        When each row happened.
    clusters : ndarray of shape (n_rows,), optional
        Whom each row belongs to; at least two.

    Returns
    -------
    low, high : float
        2.5 % and 97.5 % quantiles.

    References
    ----------
    Efron & Tibshirani (1993), An introduction to the bootstrap, ch. 13; drawn within classes as in Robin et al. (2011),
    pROC, BMC Bioinformatics 12:77. Field & Welsh (2007), Bootstrapping clustered data, J. R. Stat. Soc. B 69, 369-390.
    """
    return _ends(resample(metric, task, y_true, [prediction], seed, n_resamples, quantile, periods, clusters)[:, 0])


def intervals(
    metric: str, task: str, y_true, prediction: Prediction, baseline: Prediction, seed: int, n_resamples: int = 1000,
    quantile: float | None = None, periods=None, clusters=None,
) -> tuple[tuple[float, float], tuple[float, float]]:  # fmt: skip
    """`interval`, and the interval of what the prediction gains on a baseline in the same resamples.

    Two scores of the same rows rise and fall together, so that their difference is known better than either.

    Returns
    -------
    value, gain : tuple of (low, high)
        A gain above 0 is better than the baseline, whichever way the metric points.
    """
    values = resample(metric, task, y_true, [prediction, baseline], seed, n_resamples, quantile, periods, clusters)
    return _ends(values[:, 0]), _ends(as_score(metric, values[:, 0]) - as_score(metric, values[:, 1]))


def resample(
    metric, task, y_true, predictions: list[Prediction], seed, n_resamples, quantile, periods=None, clusters=None
) -> np.ndarray:
    """The metric of each prediction in each resample, of shape (n_resamples, n_predictions)."""
    if METRICS[metric].takes == "periods" and periods is not None:
        each = np.column_stack([coefficients(y_true, prediction.score, periods) for prediction in predictions])
        rng = np.random.default_rng(seed)
        return each[rng.integers(0, len(each), (n_resamples, len(each)))].mean(axis=1)
    n_classes = 0 if task == "regression" else int(max(y_true.max(), *(given.decision.max() for given in predictions))) + 1
    blocks = [
        [weighted.values(metric, y_true, prediction, counts, n_classes, quantile) for prediction in predictions]
        for counts in draw_counts(y_true, task, seed, n_resamples, clusters)
    ]
    return np.concatenate(blocks, axis=1).T


def draw_counts(y_true, task: str, seed: int, n_resamples: int, clusters=None) -> Iterator[np.ndarray]:
    """How often each row is taken by resamples like those of `interval`, in blocks that fit into memory.

    Yields
    ------
    ndarray of float32 of shape (n_rows, n_resamples_of_block)
    """
    rng, n_rows = np.random.default_rng(seed), len(y_true)
    draw = _rows_drawer(rng, y_true, task) if clusters is None else _clusters_drawer(rng, y_true, task, clusters)
    per_block = max(1, min(n_resamples, CELLS_OF_BLOCK // n_rows))
    for start in range(0, n_resamples, per_block):
        n_drawn = min(per_block, n_resamples - start)
        counts = np.empty((n_drawn, n_rows), dtype="float32")
        for i in range(n_drawn):
            counts[i] = np.bincount(draw(), minlength=n_rows)
        yield np.ascontiguousarray(counts.T)


def _rows_drawer(rng: np.random.Generator, y_true, task: str) -> Callable[[], np.ndarray]:
    strata = (
        [np.flatnonzero(y_true == label) for label in (0, 1)] if task in ("binary", "anomaly") else [np.arange(len(y_true))]
    )
    return lambda: np.concatenate([members[rng.integers(0, len(members), len(members))] for members in strata])


def _clusters_drawer(rng: np.random.Generator, y_true, task: str, clusters) -> Callable[[], np.ndarray]:
    _, code = np.unique(clusters, return_inverse=True)
    n_clusters, rows = code.max() + 1, np.arange(len(code))

    def draw() -> np.ndarray:
        times = np.bincount(rng.integers(0, n_clusters, n_clusters), minlength=n_clusters)
        return np.repeat(rows, times[code])

    def draw_both_classes() -> np.ndarray:
        while True:
            drawn = draw()
            if 0 < y_true[drawn].sum() < len(drawn):
                return drawn

    return draw_both_classes if task in ("binary", "anomaly") else draw


def _ends(values: np.ndarray) -> tuple[float, float]:
    low, high = np.quantile(values, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return float(low), float(high)
