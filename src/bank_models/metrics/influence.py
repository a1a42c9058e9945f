"""Influence functions of metrics: the effect of each row, and so the standard error."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.stats import rankdata

from bank_models.metrics import weighted, weighted_influence
from bank_models.metrics.names import METRICS
from bank_models.metrics.scores import Prediction, coefficient_of_periods, compute

SMALLEST_PROBABILITY = np.finfo("float64").eps  # as scikit-learn's log_loss clips it
STEP = 1e-4  # of a cell's weight, for its derivative


def measure(
    metric: str, y_true, prediction: Prediction, n_classes: int, quantile: float | None = None, periods=None, weight=None
) -> tuple[float, np.ndarray]:
    """A metric and its empirical influence function.

    Parameters
    ----------
    metric : str
        One that is `known`.
    y_true : ndarray of shape (n_rows,)
    prediction : Prediction
    n_classes : int
        Of the target; 0 of a number.
    quantile : float, optional
    periods, weight : ndarray of shape (n_rows,), optional

    Returns
    -------
    value : float
        What `bank_models.metrics.scores.compute` gives; not a number where that is not defined.
    influence : ndarray of shape (n_rows,)
        Derivative of the metric by the weight of each row, times that weight. It sums to zero; the sum of its squares
        estimates the variance of the metric where rows are independent.

    References
    ----------
    Hampel (1974), The influence curve and its role in robust estimation, JASA 69, 383-393. Efron & Tibshirani (1993), An
    introduction to the bootstrap, ch. 21, on the infinitesimal jackknife.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        how = () if weight is None else (weight,)
        if metric in RANKINGS:
            return RANKINGS[metric](np.asarray(y_true) == 1, prediction.score, *how)
        if metric == "roc_auc_ovr":
            return _roc_auc_ovr(np.asarray(y_true), prediction.score, *how)
        if metric in MEANS:
            row_values, finish, slope = MEANS[metric]
            return _mean(np.asarray(row_values(y_true, prediction, quantile), dtype="float64"), finish, slope, *how)
        if metric in CELLS:
            return _of_cells(CELLS[metric], np.asarray(y_true), prediction.decision, n_classes, *how)
        if metric == "r2":
            return _r2(np.asarray(y_true, dtype="float64"), prediction.score, *how)
        return _mean_of_periods(np.asarray(y_true), prediction.score, periods, *how)


def is_known(metric: str, periods=None) -> bool:
    """Whether a metric has an influence function here; those of single order statistics have none."""
    known = metric in {*RANKINGS, *MEANS, *CELLS, "roc_auc_ovr", "r2"}
    return known or (METRICS[metric].takes == "periods" and periods is not None)


def value_of(
    metric: str, y_true, prediction: Prediction, n_classes: int, quantile: float | None = None, periods=None, weight=None
) -> float:
    """A metric's value; not a number where some rows have only one of two classes."""
    if is_known(metric, periods):
        return float(measure(metric, y_true, prediction, n_classes, quantile, periods, weight)[0])
    counted = y_true if weight is None else np.asarray(y_true)[weight > 0]
    is_of_two = "binary" in METRICS[metric].tasks and METRICS[metric].of == "score"
    if len(counted) == 0 or (is_of_two and len(np.unique(counted)) < 2):
        return np.nan
    return compute([metric], y_true, prediction, quantile, periods, weight)[metric]


def _mean(values: np.ndarray, finish: Callable, slope: Callable, weight=None) -> tuple[float, np.ndarray]:
    if weight is not None:
        return weighted_influence.of_mean(values, finish, slope, weight)
    mean = values.mean()
    return float(finish(mean)), slope(mean) * (values - mean) / len(values)


def _roc_auc(is_positive: np.ndarray, score: np.ndarray, weight=None) -> tuple[float, np.ndarray]:
    """By placement values, as DeLong et al. (1988) have it, from midranks: Sun & Xu (2014)."""
    if weight is not None:
        return weighted_influence.roc_auc(is_positive, score, weight)
    n, m = int(is_positive.sum()), int((~is_positive).sum())
    influence = np.full(len(score), np.nan)
    if not n or not m:
        return np.nan, influence
    ranks = rankdata(score)
    below = (ranks[is_positive] - rankdata(score[is_positive])) / m  # share of the negatives, ties half
    above = 1 - (ranks[~is_positive] - rankdata(score[~is_positive])) / n
    area = below.mean()
    influence[is_positive], influence[~is_positive] = (below - area) / n, (above - area) / m
    return float(area), influence


def _roc_auc_ovr(y_true: np.ndarray, score: np.ndarray, weight=None) -> tuple[float, np.ndarray]:
    found = [_roc_auc(y_true == code, score[:, code], weight) for code in range(score.shape[1])]
    return float(np.mean([value for value, _ in found])), np.mean([influence for _, influence in found], axis=0)


def _average_precision(is_positive: np.ndarray, score: np.ndarray, weight=None) -> tuple[float, np.ndarray]:
    """A mean of precision over the positives: a row counts as one of them, and in the precision at every lower score."""
    if weight is not None:
        return weighted_influence.average_precision(is_positive, score, weight)
    order = np.argsort(-score, kind="stable")
    hit, ordered = is_positive[order].astype("float64"), score[order]
    is_last = np.append(ordered[1:] != ordered[:-1], True)
    tied = np.cumsum(np.append(False, is_last[:-1]))
    last = np.flatnonzero(is_last)
    first = np.append(0, last[:-1] + 1)
    alerts, caught, n_positives = (last + 1.0)[tied], np.cumsum(hit)[last][tied], hit.sum()
    precision = caught / alerts
    value = (hit * precision).sum() / n_positives
    from_here = lambda each: np.cumsum(each[::-1])[::-1][first][tied]  # noqa: E731
    influence = np.empty(len(score))
    influence[order] = (
        hit * (precision - value) + hit * from_here(hit / alerts) - from_here(hit * caught / alerts**2)
    ) / n_positives
    return float(value), influence


def _of_cells(of_cells: Callable, y_true, decision, n_classes: int, of_rows=None) -> tuple[float, np.ndarray]:
    """Of a function of the confusion matrix: its derivative by each cell, from both sides."""
    code = y_true.astype("int64") * n_classes + decision.astype("int64")
    weight = np.bincount(code, of_rows, n_classes**2).astype("float64")
    occurs = np.flatnonzero(weight)
    steps = np.zeros((len(weight), len(occurs)))
    steps[occurs, np.arange(len(occurs))] = weight[occurs] * STEP
    cells = np.column_stack([weight, weight[:, None] + steps, weight[:, None] - steps])
    values = np.asarray(of_cells(cells.reshape(n_classes, n_classes, -1)), dtype="float64")
    value, up, down = values[0], *np.split(values[1:], 2)
    slopes = np.zeros(len(weight))
    slopes[occurs] = (up - down) / (2 * weight[occurs] * STEP)
    influence = slopes[code]
    if of_rows is not None:
        return float(value), of_rows * (influence - weighted.mean(influence, of_rows))
    return float(value), influence - influence.mean()


def _r2(y_true: np.ndarray, value: np.ndarray, weight=None) -> tuple[float, np.ndarray]:
    if weight is not None:
        return weighted_influence.r2(y_true, value, weight)
    missed, spread = (y_true - value) ** 2, (y_true - y_true.mean()) ** 2
    total = spread.sum()
    share = missed.sum() / total
    return float(1 - share), (share * spread - missed) / total


def _mean_of_periods(y_true, score, periods, weight=None) -> tuple[float, np.ndarray]:
    """Each row has an equal part in the influence of its period; periods that are too small have none."""
    each, code = coefficient_of_periods(y_true, score, periods, weight)
    is_large = ~np.isnan(each)
    if not is_large.any():
        return np.nan, np.full(len(code), np.nan)
    value = each[is_large].mean()
    of_period = np.where(is_large, each - value, 0.0) / is_large.sum() / np.bincount(code)
    return float(value), of_period[code]


def _share(part, whole):
    return np.divide(part, whole, out=np.zeros_like(part), where=whole > 0)


def _of_each_class(cells) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Weight of right decisions, of the truth and of the decisions, by class."""
    return np.einsum("iib->ib", cells), cells.sum(axis=1), cells.sum(axis=0)


def _precision(cells):
    right, _, decided = _of_each_class(cells)
    return _share(right, decided)


def _recall(cells):
    right, true, _ = _of_each_class(cells)
    return _share(right, true)


def _f1(cells):
    right, true, decided = _of_each_class(cells)
    return _share(2 * right, true + decided)


def _macro(of_classes):
    def mean(cells):
        _, true, decided = _of_each_class(cells)
        return np.mean(of_classes(cells), axis=0, where=true + decided > 0)  # of the classes that occur

    return mean


def _balanced_accuracy(cells):
    return np.mean(_recall(cells), axis=0, where=cells.sum(axis=1) > 0)


def _quadratic_kappa(cells):
    place = np.arange(len(cells))
    weight = np.square(place[:, None] - place)[:, :, None]
    by_chance = cells.sum(axis=1)[:, None] * cells.sum(axis=0)[None] / cells.sum(axis=(0, 1))
    return 1 - (weight * cells).sum(axis=(0, 1)) / (weight * by_chance).sum(axis=(0, 1))


def _log_loss(y_true, prediction, _):
    score = prediction.score
    if score.ndim == 1:
        score = np.column_stack([1 - score, score])
    score = np.clip(score.astype("float64"), SMALLEST_PROBABILITY, 1 - SMALLEST_PROBABILITY)
    return -np.log(score[np.arange(len(y_true)), np.asarray(y_true).astype("int64")])


def _is_among_3(y_true, prediction, _):
    likeliest = np.argsort(prediction.score, axis=1, kind="stable")[:, -3:]  # as scikit-learn breaks ties
    return (likeliest == np.asarray(y_true)[:, None]).any(axis=1)


def _squared_log_error(y_true, prediction, _):
    return (np.log1p(y_true) - np.log1p(np.maximum(prediction.score, 0))) ** 2


def _pinball(y_true, prediction, quantile):
    missed = y_true - prediction.score
    return np.maximum(quantile * missed, (quantile - 1) * missed)


def _root_slope(mean):
    return 0.5 / np.sqrt(mean)


AS_IT_IS = (float, lambda mean: 1.0)
ROOT = (np.sqrt, _root_slope)
RANKINGS: dict[str, Callable] = {"roc_auc": _roc_auc, "average_precision": _average_precision}
MEANS: dict[str, tuple[Callable, Callable, Callable]] = {  # of rows; what is done to the mean, and the slope of that
    "log_loss": (_log_loss, *AS_IT_IS),
    "brier_score_loss": (lambda y, given, _: (y - given.score) ** 2, *AS_IT_IS),
    "mae": (lambda y, given, _: np.abs(y - given.score), *AS_IT_IS),
    "rmse": (lambda y, given, _: (y - given.score) ** 2, *ROOT),
    "rmsle": (_squared_log_error, *ROOT),
    "pinball_loss": (_pinball, *AS_IT_IS),
    "coverage": (lambda y, given, quantile: y <= given.score, *AS_IT_IS),
    "accuracy": (lambda y, given, _: y == given.decision, *AS_IT_IS),
    "top_3_accuracy": (_is_among_3, *AS_IT_IS),
}
CELLS: dict[str, Callable] = {
    "precision": lambda cells: _precision(cells)[1],
    "recall": lambda cells: _recall(cells)[1],
    "specificity": lambda cells: _recall(cells)[0],
    "f1": lambda cells: _f1(cells)[1],
    "precision_macro": _macro(_precision),
    "recall_macro": _macro(_recall),
    "f1_macro": _macro(_f1),
    "balanced_accuracy": _balanced_accuracy,
    "quadratic_kappa": _quadratic_kappa,
}
