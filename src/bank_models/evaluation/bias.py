"""Bias and calibration: mean error, ratio of sums, calibration slope and intercept."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.special import expit, logit

from bank_models.metrics.intervals import interval_of
from bank_models.metrics.scores import statistic_of
from bank_models.metrics.units import Units
from bank_models.metrics.weighted import mean, sum_of
from bank_models.training.calibration import reliability

N_STEPS = 50  # of Newton's method, which needs less than ten
NEARLY = 1e-6  # from 0 or 1: a probability as near as that has no usable logit


def of_numbers(y_true, predicted, units: Units) -> dict[str, float]:
    """Bias of a regression on test: too high is above 0, or above 1.

    Parameters
    ----------
    y_true, predicted : ndarray of shape (n_rows,)
    units : Units
        What rows came into the sample together.

    Returns
    -------
    dict of str to float
        `test_bias`, the mean of predicted less actual; `test_ratio_of_sums`, what is predicted in all over what there was,
        for a target that is never negative. Each with a 95 % interval, `_ci_low` and `_ci_high`, if there is one.
    """
    y_true, missed = np.asarray(y_true, dtype="float64"), predicted - np.asarray(y_true, dtype="float64")
    found = _of_mean("test_bias", missed, units)
    weight = units.weight
    total = sum_of(y_true, weight)
    if y_true.min() >= 0 and total > 0:
        ratio = float(sum_of(predicted, weight) / total)
        missed = predicted - ratio * y_true
        influence = missed / total if weight is None else weight * missed / total
        found |= _with_ends("test_ratio_of_sums", ratio, influence, units)
    return found


def note(metrics: dict[str, float], metric: str) -> list[str]:
    """A sentence where predictions are too high or too low in all, beyond chance."""
    low, high = (metrics.get(f"test_ratio_of_sums_ci_{end}") for end in ("low", "high"))
    if low is None or low <= 1 <= high:
        return []
    is_of_mean = statistic_of(metric) == "mean"
    why = "" if is_of_mean or low > 1 else f" {metric} asks for the middle of what may happen, and amounts are skewed."
    return [
        f"All predictions together are {metrics['test_ratio_of_sums']:.0%} of what there was on test [{low:.0%}, {high:.0%}]: "
        f"do not add them up.{why}"
    ]


def of_probabilities(y_true, score, units: Units) -> dict[str, float]:
    """Calibration of probabilities on test, by a logistic regression of the outcome on their logit.

    Parameters
    ----------
    y_true : ndarray of shape (n_rows,)
        0 or 1.
    score : ndarray of shape (n_rows,)
        Probability of 1.
    units : Units

    Returns
    -------
    dict of str to float
        `test_calibration_in_the_large`, mean predicted less observed rate, 0 if right; `test_calibration_slope`, 1 if right,
        below 1 where probabilities are too extreme; `test_calibration_intercept`, 0 if right. Each with its 95 % interval.
        The last two are left out where all probabilities are alike, or tell the classes apart without error.

    References
    ----------
    Cox (1958), Two further applications of a model for binary regression, Biometrika 45, 562-565. Van Calster et al. (2019),
    Calibration: the Achilles heel of predictive analytics, BMC Medicine 17:230.
    """
    y_true, score = np.asarray(y_true, dtype="float64"), np.asarray(score, dtype="float64")
    missed = score - y_true
    found = _of_mean("test_calibration_in_the_large", missed, units)
    X = np.column_stack([np.ones(len(score)), logit(np.clip(score, NEARLY, 1 - NEARLY))])
    fitted = _logistic(X, y_true, units.weight)
    if fitted is not None:
        for name, value, influence in zip(("intercept", "slope"), *fitted, strict=True):
            found |= _with_ends(f"test_calibration_{name}", value, influence, units)
    return found


def by_tenth(y_true, predicted, weight=None) -> pd.DataFrame:
    """Reliability of a number's predictions: `n_rows`, `mean_predicted` and `mean_actual` of ten bins."""
    return reliability(y_true, predicted, weight=weight).rename(columns={"observed_rate": "mean_actual"})


def _logistic(X: np.ndarray, y: np.ndarray, weight=None) -> tuple[np.ndarray, np.ndarray] | None:
    """Coefficients of a logistic regression without penalty, and the influence of each row on each of them."""
    beta, missed = np.array([0.0, 1.0]), lambda p: y - p if weight is None else weight * (y - p)
    for _ in range(N_STEPS):
        p = expit(X @ beta)
        curved = p * (1 - p) if weight is None else weight * p * (1 - p)
        hessian = (X * curved[:, None]).T @ X
        if not np.isfinite(hessian).all() or np.linalg.cond(hessian) > 1 / np.finfo("float64").eps / 100:
            return None
        step = np.linalg.solve(hessian, X.T @ missed(p))
        beta = beta + step
        if np.abs(step).max() < 1e-9:
            return beta, np.linalg.solve(hessian, (X * missed(p)[:, None]).T)
    return None


def _of_mean(name: str, values: np.ndarray, units: Units) -> dict[str, float]:
    found, weight = mean(values, units.weight), units.weight
    missed = values - found
    return _with_ends(name, found, missed / len(missed) if weight is None else weight * missed / weight.sum(), units)


def _with_ends(name: str, value: float, influence: np.ndarray, units: Units) -> dict[str, float]:
    ends = interval_of(float(value), influence, units)
    return {name: float(value)} | ({} if ends is None else {f"{name}_ci_low": ends[0], f"{name}_ci_high": ends[1]})
