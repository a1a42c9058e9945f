"""Baselines: what one would predict without a model."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bank_models.metrics import threshold, weighted
from bank_models.metrics.scorer import Scorer
from bank_models.metrics.scores import Prediction, decide, statistic_of


def baseline_scores(scorer: Scorer, y_train, n_rows: int, forecasts: dict | None = None, weight=None) -> dict[str, np.ndarray]:
    """What somebody would answer who knows the training labels, and earlier values of a series, but no model.

    Parameters
    ----------
    scorer : Scorer
        Its metric decides which constant is the fair one: the mean for squared errors, the median for absolute ones, the
        quantile for its own loss.
    y_train : ndarray of shape (n_train,)
    n_rows : int
        Rows to answer for.
    forecasts : dict of str to ndarray of shape (n_rows,), optional
        Naive forecasts; where they are missing, for want of history, the constant stands in.
    weight : ndarray of shape (n_train,), optional
        How much each training row counts.

    Returns
    -------
    dict of str to ndarray
        Scores of the constant ("prior", "mean", "median" or "quantile") and of the forecasts, by name.
    """
    if scorer.task in ("binary", "anomaly"):
        return {"prior": np.full(n_rows, weighted.mean(y_train, weight))}
    if scorer.task == "multiclass":
        n = len(y_train) if weight is None else weight.sum()
        shares = np.bincount(y_train, weight, len(scorer.classes)) / n
        return {"prior": np.tile(shares, (n_rows, 1))}
    name, constant = _constant(scorer.metric, y_train, scorer.quantile, weight)
    filled = {key: np.where(np.isnan(values), constant, values) for key, values in (forecasts or {}).items()}
    return {name: np.full(n_rows, constant), **filled}


@dataclass(frozen=True)
class Baseline:
    """Answers that a model has to beat, for all rows, and how they become decisions.

    Attributes
    ----------
    score : ndarray of shape (n_rows,) or (n_rows, n_classes)
    threshold : float, optional
    costs : ndarray, optional
        See `bank_models.metrics.scores.decide`.
    """

    score: np.ndarray
    threshold: float | None = None
    costs: np.ndarray | None = None

    def answers(self, task: str, rows) -> Prediction:
        """Scores and decisions for some rows."""
        return decide(task, self.score[rows], self.threshold, self.costs)


def best_first(
    scorer: Scorer,
    scores: dict[str, np.ndarray],
    y_val,
    val,
    periods: np.ndarray | None = None,
    prices=None,
    costs: np.ndarray | None = None,
    weight: np.ndarray | None = None,
) -> dict[str, Baseline]:
    """Baselines in the order in which they do on val: the first is the one a model has to beat.

    Each decides as the model does: at a threshold that val chose, or for the class of least expected cost.

    Parameters
    ----------
    scorer : Scorer
    scores : dict of str to ndarray
        Of all rows.
    y_val : ndarray of shape (n_val,)
    val : ndarray of int
        Positions of the val rows.
    periods : ndarray, optional
        Of the val rows.
    prices : tuple, optional
        What mistakes about the val rows cost: see `bank_models.metrics.threshold.prices`.
    costs : ndarray, optional
        Of several classes: see `bank_models.metrics.threshold.cost_array`.
    weight : ndarray of shape (n_val,), optional
        How much each val row counts.
    """
    task, is_binary = scorer.task, scorer.task == "binary"
    found = {
        name: Baseline(score, threshold.choose(y_val, score[val], prices, weight) if is_binary else None, costs)
        for name, score in scores.items()
    }
    about = periods, weight
    on_val = {name: scorer.score(y_val, baseline.answers(task, val), *about) for name, baseline in found.items()}
    return {name: found[name] for name in sorted(found, key=lambda name: -on_val[name])}


def _constant(metric: str, y_train, quantile: float | None, weight=None) -> tuple[str, float]:
    match statistic_of(metric, quantile):
        case "quantile":
            plain = weight is None
            return "quantile", float(np.quantile(y_train, quantile)) if plain else weighted.quantile(y_train, quantile, weight)
        case "median":
            return "median", float(np.median(y_train)) if weight is None else weighted.quantile(y_train, 0.5, weight)
        case "mean_of_logs":
            return "mean", float(np.expm1(weighted.mean(np.log1p(y_train), weight)))
        case "mean":
            return "mean", float(weighted.mean(y_train, weight))
