"""Measure a frozen model on the test rows, beside what no model and the best possible model reach."""

from __future__ import annotations

import numpy as np
import pandas as pd

from src import bootstrap, threshold
from src.calibration import reliability
from src.metrics import Prediction, as_score, compute, confusion, decide, metrics_for


def choose_threshold(y_val, score_val, costs=None) -> float:
    """Probability from which a case is positive: the cheapest where mistakes have a price, else the one with the best F1.

    Parameters
    ----------
    y_val, score_val : ndarray of shape (n_rows,)
        Of the val rows; test rows have no say.
    costs : tuple of (false_positive, false_negative), optional
        Each a float or an ndarray of shape (n_rows,).
    """
    if costs is None:
        return threshold.highest_f1(y_val, score_val)
    return threshold.cheapest(y_val, score_val, *costs)


def score_val(metric: str, y_val, prediction: Prediction, quantile: float | None = None) -> dict[str, float]:
    """The primary metric on val, which chose the best round and the threshold: for comparing runs, not for reporting."""
    value = compute([metric], y_val, prediction, quantile)[metric]
    return {f"val_{metric}": value, "val_score": as_score(metric, value)}


def kinds_of(task: str, y, n_classes: int | None, is_ordered: bool, quantile: float | None) -> list[str]:
    """What a target is, beyond its task: see `src.metrics.Metric.needs`."""
    kinds = {
        "quantile": quantile is not None,
        "ordered": is_ordered,
        "many_classes": task == "multiclass" and n_classes > 3,
        "non_negative": task == "regression" and float(np.min(y)) >= 0,
    }
    return [kind for kind, holds in kinds.items() if holds]


def evaluate(
    metric: str,
    task: str,
    y_true,
    prediction: Prediction,
    baselines: dict[str, Prediction],
    seed: int,
    kinds: list[str] = (),
    quantile: float | None = None,
    class_names: list[str] | None = None,
    ceiling: Prediction | None = None,
) -> dict[str, float]:
    """Every metric of a model on test.

    Parameters
    ----------
    metric : str
        Primary metric; it gets a bootstrap interval.
    task : {"binary", "multiclass", "regression", "anomaly"}
    y_true : ndarray of shape (n_rows,)
        Class codes from 0, or values.
    prediction : Prediction
        The model's.
    baselines : dict of str to Prediction
        What one would answer without a model; the first is the one to beat, others are named in their metrics.
    seed : int
        Of the bootstrap.
    kinds : list of str
        Of `kinds_of`.
    quantile : float, optional
        Level that a quantile model predicts.
    class_names : list of str, optional
        Of a multiclass target, in the order of its codes.
    ceiling : Prediction, optional
        What knowing the truth behind a simulation would answer: no model can be expected to do better.

    Returns
    -------
    dict of str to float
        `test_<metric>`, `baseline_<metric>`, `<name>_<metric>` of further baselines, `ceiling_<metric>`, and the counts of
        the confusion matrix.
    """
    names = metrics_for(task, kinds)
    values = {f"test_{name}": value for name, value in compute(names, y_true, prediction, quantile).items()}
    low, high = bootstrap.interval(metric, task, y_true, prediction, seed, quantile=quantile)
    values |= {f"test_{metric}_ci_low": low, f"test_{metric}_ci_high": high}
    if task in ("binary", "multiclass"):
        values |= {f"test_{name}": n for name, n in confusion(y_true, prediction.decision, class_names).items()}
    for position, (baseline, answer) in enumerate(baselines.items()):
        prefix = "baseline" if position == 0 else baseline
        values |= {f"{prefix}_{name}": value for name, value in compute(names, y_true, answer, quantile).items()}
    if ceiling is not None:
        values |= {f"ceiling_{name}": value for name, value in compute(names, y_true, ceiling, quantile).items()}
    return values


def costs_of(y_true, score, decided_at: float, costs) -> dict[str, float]:
    """What the decisions cost, and the cheaper of alerting on no row and on every row; nothing without prices."""
    if costs is None:
        return {}
    nothing, everything = (threshold.cost(y_true, np.full(len(y_true), p), 0.5, *costs) for p in (0.0, 1.0))
    return {"test_cost": threshold.cost(y_true, score, decided_at, *costs), "baseline_cost": min(nothing, everything)}


def before_calibration(y_true, score) -> dict[str, float]:
    """How well the probabilities were calibrated before a calibrator stood behind them."""
    names = ["brier_score_loss", "log_loss", "expected_calibration_error"]
    values = compute(names, y_true, decide("binary", score))
    return {f"uncalibrated_{name}": value for name, value in values.items()}


def reliability_curves(y_true, before, after) -> pd.DataFrame:
    """Reliability on test of the model and, as `after` calibration, of what is saved."""
    curves = {"before": reliability(y_true, before), "after": reliability(y_true, after)}
    return pd.concat(curves, names=["calibration"]).reset_index(level=0)


def baselines(
    task: str, metric: str, y_train, n_rows: int, n_classes: int | None = None, quantile: float | None = None
) -> dict[str, Prediction]:
    """What somebody would answer who knows the training labels and nothing about the row.

    Parameters
    ----------
    task : {"binary", "multiclass", "regression"}
    metric : str
        Decides which constant is the fair one: the mean for squared errors, the median for absolute ones, the quantile for
        its own loss.
    y_train : ndarray of shape (n_train,)
    n_rows : int
        Rows to answer for.
    n_classes : int, optional
        Of a multiclass target.
    quantile : float, optional

    Returns
    -------
    dict of str to Prediction
        One constant: "prior", "mean", "median" or "quantile".
    """
    if task == "binary":
        return {"prior": decide(task, np.full(n_rows, np.mean(y_train)), threshold=0.5)}
    if task == "multiclass":
        shares = np.bincount(y_train, minlength=n_classes) / len(y_train)
        return {"prior": decide(task, np.tile(shares, (n_rows, 1)))}
    name, constant = _constant(metric, y_train, quantile)
    return {name: decide(task, np.full(n_rows, constant))}


def _constant(metric: str, y_train, quantile: float | None) -> tuple[str, float]:
    if quantile is not None:
        return "quantile", float(np.quantile(y_train, quantile))
    if metric in ("mae", "median_absolute_error"):
        return "median", float(np.median(y_train))
    if metric == "rmsle":
        return "mean", float(np.expm1(np.mean(np.log1p(y_train))))
    return "mean", float(np.mean(y_train))
