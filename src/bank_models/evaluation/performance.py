"""Test metrics with intervals, next to baselines and, for simulated data, the best achievable score."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd

from bank_models.metrics import threshold, weighted
from bank_models.metrics.intervals import gain, interval, interval_of
from bank_models.metrics.names import METRICS, as_score
from bank_models.metrics.scorer import Scorer, likeliest
from bank_models.metrics.scores import Prediction, compute, confusion, decide, metrics_for
from bank_models.metrics.units import Units
from bank_models.training.calibration import reliability

FEW_OF_CLASS = 50  # test rows of the rarer class


def evaluate(
    scorer: Scorer,
    y_true,
    prediction: Prediction,
    baselines: dict[str, Prediction],
    units: Units,
    true_score: np.ndarray | None = None,
    periods=None,
    also: Iterable[str] = (),
) -> dict[str, float]:
    """Every metric of a model on test.

    Parameters
    ----------
    scorer : Scorer
        Its primary metric gets an interval.
    y_true : ndarray of shape (n_rows,)
        Class codes from 0, or values.
    prediction : Prediction
        The model's.
    baselines : dict of str to Prediction
        What one would answer without a model; the first is the one to beat, others are named in their metrics.
    units : Units
        What test rows came into the sample together, and how much each counts.
    true_score : ndarray, optional
        What knowing the truth behind a simulation would answer. By the metrics that it is the best answer to, no model can
        be expected to do better.
    periods : ndarray of shape (n_rows,), optional
        When each row happened, where several rows share a moment.
    also : iterable of str
        Metrics beside those that we have for the task and the primary one.

    Returns
    -------
    dict of str to float
        `test_<metric>`, `baseline_<metric>`, `<name>_<metric>` of further baselines, `ceiling_<metric>` of those that the true
        score is the best answer to, the counts of the confusion matrix, and `gain_<metric>` of the primary metric: what the
        model is better by than the baseline. Both have a 95 % interval, `_ci_low` and `_ci_high`, unless the rows are too few
        or too dependent for one; the gain then also has a `_p_value`, two-sided, of no gain.
    """
    metric, task, quantile, weight = scorer.metric, scorer.task, scorer.quantile, units.weight
    answers = {"test": prediction}
    answers |= {name if position else "baseline": answer for position, (name, answer) in enumerate(baselines.items())}
    names, values = list(dict.fromkeys([*metrics_for(task, scorer.kinds, weight is not None), metric, *also])), {}
    for prefix, answer in answers.items():
        found = compute(names, y_true, answer, quantile, periods, weight)
        values |= {f"{prefix}_{name}": value for name, value in found.items()}
    if true_score is not None:
        reached = [name for name in names if METRICS[name].optimum == scorer.truth]
        best = compute(reached, y_true, likeliest(scorer, true_score), quantile, periods, weight)
        values |= {f"ceiling_{name}": value for name, value in best.items()}
    to_beat = next(iter(baselines.values()))
    mine, theirs = (scorer.estimate(y_true, each, units, periods) for each in (prediction, to_beat))
    if (ends := interval(mine)) is not None:
        values |= {f"test_{metric}_ci_low": ends[0], f"test_{metric}_ci_high": ends[1]}
    better = gain(mine, theirs)
    values[f"gain_{metric}"] = as_score(metric, values[f"test_{metric}"]) - as_score(metric, values[f"baseline_{metric}"])
    if ends is not None and np.isfinite([better.low, better.high]).all():
        values |= {f"gain_{metric}_ci_low": better.low, f"gain_{metric}_ci_high": better.high}
        values[f"gain_{metric}_p_value"] = better.p_value
    if task in ("binary", "multiclass"):
        counts = confusion(y_true, prediction.decision, list(scorer.classes) or None, weight)
        values |= {f"test_{name}": n for name, n in counts.items()}
    return values


def score_val(scorer: Scorer, y_val, prediction: Prediction, periods=None, weight=None) -> dict[str, float]:
    """The primary metric on val, which chose the best round and the threshold: for comparing runs, not for reporting."""
    score = scorer.score(y_val, prediction, periods, weight)
    return {f"val_{scorer.metric}": as_score(scorer.metric, score), "val_score": score}


def costs_of(y_true, score, decided_at: float, prices, units: Units) -> dict[str, float]:
    """What the decisions cost, and the cheaper of alerting on no row and on every row; nothing without prices."""
    if prices is None:
        return {}
    of_rows = threshold.costs_of_rows(y_true, score, decided_at, *prices)
    always = (threshold.costs_of_rows(y_true, np.full(len(y_true), p), 0.5, *prices) for p in (0.0, 1.0))
    nothing, everything = (weighted.sum_of(each, units.weight) for each in always)
    return {"baseline_cost": float(min(nothing, everything)), **_total(of_rows, units)}


def costs_of_classes(y_true, decision, costs: np.ndarray | None, units: Units) -> dict[str, float]:
    """What the decisions cost, and the cheapest of deciding always the same; nothing without costs."""
    if costs is None:
        return {}
    of_same = costs[y_true].sum(axis=0) if units.weight is None else units.weight @ costs[y_true]
    return {"baseline_cost": float(of_same.min()), **_total(costs[y_true, decision], units)}


def _total(costs: np.ndarray, units: Units) -> dict[str, float]:
    """The sum of what each row costs, by its weight, with the interval of as many rows of the same kind."""
    weight = units.weight
    total = float(weighted.sum_of(costs, weight))
    influence = costs - weighted.mean(costs, weight)
    ends = interval_of(total, influence if weight is None else weight * influence, units)
    return {"test_cost": total} | (
        {} if ends is None else {"test_cost_ci_low": max(0.0, ends[0]), "test_cost_ci_high": ends[1]}
    )


def before_calibration(y_true, score, weight=None) -> dict[str, float]:
    """How well the probabilities were calibrated before a calibrator stood behind them."""
    names = ["brier_score_loss", "log_loss", "expected_calibration_error"]
    values = compute(names, y_true, decide("binary", score), weight=weight)
    return {f"uncalibrated_{name}": value for name, value in values.items()}


def note_on_calibration(y_true, before, after, weight=None) -> list[str]:
    """A sentence where calibration, which val chose, made the test rows' log loss worse."""
    answers = (decide("binary", score) for score in (before, after))
    losses = [compute(["log_loss"], y_true, answer, weight=weight)["log_loss"] for answer in answers]
    if losses[1] <= losses[0]:
        return []
    return [
        f"Calibration made the probabilities of test worse: log loss {losses[1]:.4f} with it, {losses[0]:.4f} without. "
        "Consider calibration=none, or sigmoid instead of isotonic."
    ]


def reliability_curves(y_true, before, after, weight=None) -> pd.DataFrame:
    """Reliability on test of the model and, as `after` calibration, of what is saved."""
    curves = {"before": reliability(y_true, before, weight=weight), "after": reliability(y_true, after, weight=weight)}
    return pd.concat(curves, names=["calibration"]).reset_index(level=0)


def note_on_few(y: np.ndarray) -> list[str]:
    """A sentence where the rarer class has so few test rows that the score depends on chance."""
    n_rare, n = int(min(np.sum(y == 1), np.sum(y == 0))), len(y)
    if n_rare >= FEW_OF_CLASS:
        return []
    return [
        f"Only {n_rare} of {n:,} test rows are of the rarer class, so the score on test is uncertain. The mean over folds is "
        "steadier (cv.n_repeats=5). More test rows: data_split.train_ratio=0.6 data_split.val_ratio=0.2 "
        "data_split.test_ratio=0.2."
    ]
