"""Measure a frozen model on the test rows, beside what no model and the best possible model reach."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from src.metrics import threshold
from src.metrics.intervals import Units, estimate, gain, interval, interval_of
from src.metrics.scores import METRICS, Prediction, as_score, compute, confusion, decide, metrics_for, statistic_of
from src.training.calibration import reliability

if TYPE_CHECKING:
    from src.config.use_case import UseCase


@dataclass(frozen=True)
class Yardstick:
    """How the answers to a use case are measured.

    Attributes
    ----------
    metric : str
        The primary one.
    task : {"binary", "multiclass", "regression", "anomaly"}
    kinds : tuple of str
        What the target is beyond its task: see `src.metrics.scores.Metric.needs`.
    quantile : float, optional
        Level that is predicted instead of the mean.
    classes : tuple of str
        Of a multiclass target, in the order of its codes.
    """

    metric: str
    task: str
    kinds: tuple[str, ...] = ()
    quantile: float | None = None
    classes: tuple[str, ...] = ()

    @property
    def n_classes(self) -> int:
        """How many classes the target has; 0 of a number."""
        return 0 if self.task == "regression" else len(self.classes) or 2

    @property
    def truth(self) -> str:
        """What a simulation's true score is: see `src.metrics.scores.Metric.optimum`."""
        return statistic_of(self.metric, self.quantile) if self.task == "regression" else "probability"

    def score(self, y_true, prediction: Prediction, periods=None) -> float:
        """The primary metric, higher is better."""
        return as_score(self.metric, compute([self.metric], y_true, prediction, self.quantile, periods)[self.metric])


def make_yardstick(
    metric: str, task: str, y, classes: list[str] | None = None, is_ordered: bool = False, quantile: float | None = None
) -> Yardstick:
    """Find out what kind of target `y` is."""
    kinds = {
        "quantile": quantile is not None,
        "ordered": is_ordered,
        "many_classes": task == "multiclass" and len(classes) > 3,
        "non_negative": task == "regression" and float(np.min(y)) >= 0,
    }
    return Yardstick(metric, task, tuple(kind for kind, holds in kinds.items() if holds), quantile, tuple(classes or ()))


def yardstick_of(use_case: UseCase, y) -> Yardstick:
    """The yardstick of a use case whose targets are `y`."""
    return make_yardstick(use_case.metric, use_case.task, y, use_case.classes, use_case.is_ordered, use_case.quantile)


def evaluate(
    yardstick: Yardstick,
    y_true,
    prediction: Prediction,
    baselines: dict[str, Prediction],
    units: Units,
    true_score: np.ndarray | None = None,
    periods=None,
) -> dict[str, float]:
    """Every metric of a model on test.

    Parameters
    ----------
    yardstick : Yardstick
        Its primary metric gets an interval.
    y_true : ndarray of shape (n_rows,)
        Class codes from 0, or values.
    prediction : Prediction
        The model's.
    baselines : dict of str to Prediction
        What one would answer without a model; the first is the one to beat, others are named in their metrics.
    units : Units
        What test rows came into the sample together.
    true_score : ndarray, optional
        What knowing the truth behind a simulation would answer. By the metrics that it is the best answer to, no model can
        be expected to do better.
    periods : ndarray of shape (n_rows,), optional
        When each row happened, where several rows share a moment.

    Returns
    -------
    dict of str to float
        `test_<metric>`, `baseline_<metric>`, `<name>_<metric>` of further baselines, `ceiling_<metric>` of those that the true
        score is the best answer to, the counts of the confusion matrix, and `gain_<metric>` of the primary metric: what the
        model is better by than the baseline. Both have a 95 % interval, `_ci_low` and `_ci_high`, unless the rows are too few
        or too dependent for one; the gain then also has a `_p_value`, two-sided, of no gain.
    """
    metric, task, quantile = yardstick.metric, yardstick.task, yardstick.quantile
    answers = {"test": prediction}
    answers |= {name if position else "baseline": answer for position, (name, answer) in enumerate(baselines.items())}
    names, values = metrics_for(task, yardstick.kinds), {}
    for prefix, answer in answers.items():
        found = compute(names, y_true, answer, quantile, periods)
        values |= {f"{prefix}_{name}": value for name, value in found.items()}
    if true_score is not None:
        reached = [name for name in names if METRICS[name].optimum == yardstick.truth]
        best = compute(reached, y_true, likeliest(yardstick, true_score), quantile, periods)
        values |= {f"ceiling_{name}": value for name, value in best.items()}
    to_beat = next(iter(baselines.values()))
    about = yardstick.n_classes, units, quantile, periods
    mine, theirs = (estimate(metric, y_true, answer, *about) for answer in (prediction, to_beat))
    if (ends := interval(mine)) is not None:
        values |= {f"test_{metric}_ci_low": ends[0], f"test_{metric}_ci_high": ends[1]}
    better = gain(mine, theirs)
    values[f"gain_{metric}"] = as_score(metric, values[f"test_{metric}"]) - as_score(metric, values[f"baseline_{metric}"])
    if ends is not None and np.isfinite([better.low, better.high]).all():
        values |= {f"gain_{metric}_ci_low": better.low, f"gain_{metric}_ci_high": better.high}
        values[f"gain_{metric}_p_value"] = better.p_value
    if task in ("binary", "multiclass"):
        counts = confusion(y_true, prediction.decision, list(yardstick.classes) or None)
        values |= {f"test_{name}": n for name, n in counts.items()}
    return values


def score_val(yardstick: Yardstick, y_val, prediction: Prediction, periods=None) -> dict[str, float]:
    """The primary metric on val, which chose the best round and the threshold: for comparing runs, not for reporting."""
    score = yardstick.score(y_val, prediction, periods)
    return {f"val_{yardstick.metric}": as_score(yardstick.metric, score), "val_score": score}


def costs_of(y_true, score, decided_at: float, prices, units: Units) -> dict[str, float]:
    """What the decisions cost, and the cheaper of alerting on no row and on every row; nothing without prices."""
    if prices is None:
        return {}
    of_rows = threshold.costs_of_rows(y_true, score, decided_at, *prices)
    nothing, everything = (threshold.costs_of_rows(y_true, np.full(len(y_true), p), 0.5, *prices).sum() for p in (0.0, 1.0))
    return {"baseline_cost": float(min(nothing, everything)), **_total(of_rows, units)}


def costs_of_classes(y_true, decision, costs: np.ndarray | None, units: Units) -> dict[str, float]:
    """What the decisions cost, and the cheapest of deciding always the same; nothing without costs."""
    if costs is None:
        return {}
    return {"baseline_cost": float(costs[y_true].sum(axis=0).min()), **_total(costs[y_true, decision], units)}


def _total(costs: np.ndarray, units: Units) -> dict[str, float]:
    """The sum of what each row costs, with the interval of as many rows of the same kind."""
    total, ends = float(costs.sum()), interval_of(float(costs.sum()), costs - costs.mean(), units)
    return {"test_cost": total} | (
        {} if ends is None else {"test_cost_ci_low": max(0.0, ends[0]), "test_cost_ci_high": ends[1]}
    )


def before_calibration(y_true, score) -> dict[str, float]:
    """How well the probabilities were calibrated before a calibrator stood behind them."""
    names = ["brier_score_loss", "log_loss", "expected_calibration_error"]
    values = compute(names, y_true, decide("binary", score))
    return {f"uncalibrated_{name}": value for name, value in values.items()}


def note_on_calibration(y_true, before, after) -> list[str]:
    """A sentence where calibration, which val chose, made the test rows' log loss worse."""
    losses = [compute(["log_loss"], y_true, decide("binary", score))["log_loss"] for score in (before, after)]
    if losses[1] <= losses[0]:
        return []
    return [
        f"Calibration made the probabilities of test worse: log loss {losses[1]:.4f} with it, {losses[0]:.4f} without. "
        "Consider calibration=none, or sigmoid instead of isotonic."
    ]


def reliability_curves(y_true, before, after) -> pd.DataFrame:
    """Reliability on test of the model and, as `after` calibration, of what is saved."""
    curves = {"before": reliability(y_true, before), "after": reliability(y_true, after)}
    return pd.concat(curves, names=["calibration"]).reset_index(level=0)


def baseline_scores(yardstick: Yardstick, y_train, n_rows: int, forecasts: dict | None = None) -> dict[str, np.ndarray]:
    """What somebody would answer who knows the training labels, and earlier values of a series, but no model.

    Parameters
    ----------
    yardstick : Yardstick
        Its metric decides which constant is the fair one: the mean for squared errors, the median for absolute ones, the
        quantile for its own loss.
    y_train : ndarray of shape (n_train,)
    n_rows : int
        Rows to answer for.
    forecasts : dict of str to ndarray of shape (n_rows,), optional
        Naive forecasts; where they are missing, for want of history, the constant stands in.

    Returns
    -------
    dict of str to ndarray
        Scores of the constant ("prior", "mean", "median" or "quantile") and of the forecasts, by name.
    """
    if yardstick.task in ("binary", "anomaly"):
        return {"prior": np.full(n_rows, np.mean(y_train))}
    if yardstick.task == "multiclass":
        shares = np.bincount(y_train, minlength=len(yardstick.classes)) / len(y_train)
        return {"prior": np.tile(shares, (n_rows, 1))}
    name, constant = _constant(yardstick.metric, y_train, yardstick.quantile)
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
        See `src.metrics.scores.decide`.
    """

    score: np.ndarray
    threshold: float | None = None
    costs: np.ndarray | None = None

    def answers(self, task: str, rows) -> Prediction:
        """Scores and decisions for some rows."""
        return decide(task, self.score[rows], self.threshold, self.costs)


def best_first(
    yardstick: Yardstick,
    scores: dict[str, np.ndarray],
    y_val,
    val,
    periods: np.ndarray | None = None,
    prices=None,
    costs: np.ndarray | None = None,
) -> dict[str, Baseline]:
    """Baselines in the order in which they do on val: the first is the one a model has to beat.

    Each decides as the model does: at a threshold that val chose, or for the class of least expected cost.

    Parameters
    ----------
    yardstick : Yardstick
    scores : dict of str to ndarray
        Of all rows.
    y_val : ndarray of shape (n_val,)
    val : ndarray of int
        Positions of the val rows.
    periods : ndarray, optional
        Of the val rows.
    prices : tuple, optional
        What mistakes about the val rows cost: see `src.metrics.threshold.prices`.
    costs : ndarray, optional
        Of several classes: see `src.metrics.threshold.cost_array`.
    """
    task, is_binary = yardstick.task, yardstick.task == "binary"
    found = {
        name: Baseline(score, threshold.choose(y_val, score[val], prices) if is_binary else None, costs)
        for name, score in scores.items()
    }
    on_val = {name: yardstick.score(y_val, baseline.answers(task, val), periods) for name, baseline in found.items()}
    return {name: found[name] for name in sorted(found, key=lambda name: -on_val[name])}


def likeliest(yardstick: Yardstick, score: np.ndarray) -> Prediction:
    """Decisions for the likeliest class, of the truth behind a simulation: two are told apart at one half."""
    return decide(yardstick.task, score, threshold=0.5 if yardstick.task in ("binary", "anomaly") else None)


def _constant(metric: str, y_train, quantile: float | None) -> tuple[str, float]:
    match statistic_of(metric, quantile):
        case "quantile":
            return "quantile", float(np.quantile(y_train, quantile))
        case "median":
            return "median", float(np.median(y_train))
        case "mean_of_logs":
            return "mean", float(np.expm1(np.mean(np.log1p(y_train))))
        case "mean":
            return "mean", float(np.mean(y_train))
