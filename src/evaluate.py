"""Measure a frozen model on the test rows, beside what no model and the best possible model reach."""

from __future__ import annotations

import numpy as np

from src import bootstrap, threshold
from src.metrics import OF_LABELS, OF_SCORES, as_score, binary_metrics, confusion


def choose_threshold(y_val, y_score_val, costs=None) -> float:
    """Probability from which a case is positive: the cheapest where mistakes have a price, else the one with the best F1.

    Parameters
    ----------
    y_val, y_score_val : ndarray of shape (n_rows,)
        Of the val rows; test rows have no say.
    costs : tuple of (false_positive, false_negative), optional
        Each a float or an ndarray of shape (n_rows,).
    """
    if costs is None:
        return threshold.highest_f1(y_val, y_score_val)
    return threshold.cheapest(y_val, y_score_val, *costs)


def score_val(metric: str, y_val, y_score_val, decided_at: float) -> dict[str, float]:
    """The primary metric on val, which chose the best round and the threshold: for comparing runs, not for reporting."""
    value = binary_metrics([metric], y_val, y_score_val, decided_at)[metric]
    return {f"val_{metric}": value, "val_score": as_score(metric, value)}


def evaluate(
    metric: str, y_true, y_score, decided_at: float, prior: float, seed: int, true_score=None, costs=None
) -> dict[str, float]:
    """Every metric of a binary model on test.

    Parameters
    ----------
    metric : str
        Primary metric; it gets a bootstrap interval.
    y_true, y_score : ndarray of shape (n_rows,)
        Labels and the model's probabilities.
    decided_at : float
        Threshold.
    prior : float
        Share of positives in train: what the baseline answers for every row.
    seed : int
        Of the bootstrap.
    true_score : ndarray of shape (n_rows,), optional
        The probabilities that drew the labels: no model can be expected to rank better.
    costs : tuple of (false_positive, false_negative), optional
        Each a float or an ndarray of shape (n_rows,).

    Returns
    -------
    dict of str to float
        `test_<metric>`, `baseline_<metric>`, `ceiling_<metric>`, the counts of the confusion matrix, `threshold` and, where
        mistakes have a price, `test_cost` and `baseline_cost` (the cheaper of alerting on no row and on every row).
    """
    values = {f"test_{k}": v for k, v in binary_metrics([*OF_LABELS, *OF_SCORES], y_true, y_score, decided_at).items()}
    values |= {f"test_{k}": v for k, v in confusion(y_true, y_score, decided_at).items()}
    low, high = bootstrap.interval(metric, y_true, y_score, decided_at, seed)
    values |= {f"test_{metric}_ci_low": low, f"test_{metric}_ci_high": high, "threshold": decided_at}
    baseline = binary_metrics(_with(metric), y_true, np.full(len(y_true), prior), decided_at)
    values |= {f"baseline_{name}": value for name, value in baseline.items()}
    if true_score is not None:
        ceiling = binary_metrics(_with(metric), y_true, true_score, decided_at)
        values |= {f"ceiling_{name}": value for name, value in ceiling.items()}
    if costs is not None:
        values["test_cost"] = threshold.cost(y_true, y_score, decided_at, *costs)
        values["baseline_cost"] = min(threshold.cost(y_true, np.full(len(y_true), p), 0.5, *costs) for p in (0.0, 1.0))
    return values


def _with(metric: str) -> list[str]:
    """The metrics of probabilities, and the primary one if it is not among them."""
    return list(dict.fromkeys([*OF_SCORES, metric]))
