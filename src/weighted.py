"""A metric under many weightings of the same rows at once: what makes intervals of a hundred slices affordable."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from src.metrics import METRICS, Prediction, coefficients, compute

SMALLEST_PROBABILITY = np.finfo("float64").eps  # as scikit-learn's log_loss clips it


def values(
    metric: str, y_true, prediction: Prediction, counts, n_classes: int, quantile: float | None = None, periods=None
) -> np.ndarray:
    """The metric of rows that are each taken a number of times.

    Parameters
    ----------
    metric : str
        A name of `src.metrics.METRICS`.
    y_true : ndarray of shape (n_rows,)
    prediction : Prediction
    counts : ndarray of shape (n_rows, n_weightings)
        How often each row is taken; rows of one period equally often for a metric that is a mean over periods.
    n_classes : int
        Of the target; 0 of a number.
    quantile : float, optional
    periods : ndarray of shape (n_rows,), optional

    Returns
    -------
    ndarray of shape (n_weightings,)
        What `src.metrics.compute` gives of the repeated rows; not a number where that is not defined.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        if metric in RANKINGS:
            return RANKINGS[metric](y_true == 1, prediction.score, counts)
        if metric == "roc_auc_ovr":
            return _roc_auc_ovr(y_true, prediction.score, counts)
        if metric in MEANS:
            row_values, finish = MEANS[metric]
            return finish(_mean(row_values(y_true, prediction, quantile), counts))
        if metric in CELLS:
            return CELLS[metric](_cells(y_true, prediction.decision, counts, n_classes))
        if metric == "r2":
            return _r2(y_true, prediction.score, counts)
        if METRICS[metric].takes == "periods" and periods is not None:
            return _mean_of_periods(y_true, prediction.score, counts, periods)
        return _one_by_one(metric, y_true, prediction, counts, quantile)


def is_fast(metric: str, periods=None) -> bool:
    """Whether all weightings are computed at once, not one by one."""
    known = metric in {*RANKINGS, *MEANS, *CELLS, "roc_auc_ovr", "r2"}
    return known or (METRICS[metric].takes == "periods" and periods is not None)


def _mean(row_values, counts):
    """About their own mean, so that single precision, twice as fast, is enough."""
    centre = row_values.mean(dtype="float64")
    beyond = counts.T @ (row_values - centre).astype(counts.dtype)
    return centre + beyond / counts.sum(axis=0, dtype="float64")


def _roc_auc(is_positive, score, counts):
    negatives, of_positives, of_negatives = _by_class(is_positive, score, counts)
    below = _cumulated(of_negatives)
    first, last = (np.searchsorted(negatives, score[is_positive], side) for side in ("left", "right"))
    above = (of_positives * (below[first] + below[last])).sum(axis=0, dtype="float64") / 2  # ties count half
    return above / (of_positives.sum(axis=0, dtype="float64") * below[-1])


def _roc_auc_ovr(y_true, score, counts):
    return np.mean([_roc_auc(y_true == code, score[:, code], counts) for code in range(score.shape[1])], axis=0)


def _by_class(is_positive, score, counts):
    negative = np.flatnonzero(~is_positive)
    negative = negative[np.argsort(score[negative], kind="stable")]
    return score[negative], counts[is_positive], counts[negative]


def _average_precision(is_positive, score, counts):
    positive = np.flatnonzero(is_positive)
    positive, every = (rows[np.argsort(-score[rows], kind="stable")] for rows in (positive, np.arange(len(score))))
    at = -score[positive]
    caught = _cumulated(counts[positive])[np.searchsorted(at, at, "right")]
    alerts = _cumulated(counts[every])[np.searchsorted(-score[every], at, "right")]
    precision = np.divide(caught, alerts, out=np.zeros_like(caught), where=alerts > 0)
    weight = counts[positive]
    return (weight * precision).sum(axis=0, dtype="float64") / weight.sum(axis=0, dtype="float64")


def _cumulated(counts) -> np.ndarray:
    """Sums of the first 0, 1, … rows; float32 holds counts exactly up to 16 million."""
    sums = np.zeros((len(counts) + 1, counts.shape[1]), dtype=counts.dtype if len(counts) < 1e6 else "float64")
    np.cumsum(counts, axis=0, out=sums[1:])
    return sums


def _cells(y_true, decision, counts, n_classes: int) -> np.ndarray:
    """Weights of true (first axis) and decided class."""
    code = y_true.astype("int64") * n_classes + decision
    cells = np.zeros((n_classes**2, counts.shape[1]))
    for cell in np.unique(code):
        cells[cell] = counts[code == cell].sum(axis=0, dtype="float64")
    return cells.reshape(n_classes, n_classes, -1)


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


def _r2(y_true, value, counts):
    total = counts.sum(axis=0, dtype="float64")
    centred = y_true - np.mean(y_true)
    squares, mean = counts.T @ centred**2, (counts.T @ centred) / total
    return 1 - (counts.T @ (y_true - value) ** 2) / (squares - total * mean**2)


def _mean_of_periods(y_true, score, counts, periods):
    """Each period once for each time that its rows are taken."""
    _, first, code, sizes = np.unique(periods, return_index=True, return_inverse=True, return_counts=True)
    enough = sizes >= 3
    if not enough.any():
        return np.full(counts.shape[1], np.nan)
    rows = np.flatnonzero(enough[code])
    each, times = coefficients(y_true[rows], score[rows], periods[rows]), counts[first[enough]]
    return (times.T @ each) / times.sum(axis=0, dtype="float64")


def _one_by_one(metric, y_true, prediction, counts, quantile):
    found = np.full(counts.shape[1], np.nan)
    for i, times in enumerate(counts.T.astype("int64")):
        rows = np.repeat(np.arange(len(times)), times)
        if len(rows) and (METRICS[metric].of != "score" or not _lacks_a_class(metric, y_true[rows])):
            drawn = Prediction(prediction.score[rows], prediction.decision[rows])
            found[i] = compute([metric], y_true[rows], drawn, quantile)[metric]
    return found


def _lacks_a_class(metric: str, y_true) -> bool:
    return "binary" in METRICS[metric].tasks and len(np.unique(y_true)) < 2


def _log_loss(y_true, prediction, _):
    score = prediction.score
    if score.ndim == 1:
        score = np.column_stack([1 - score, score])
    score = np.clip(score.astype("float64"), SMALLEST_PROBABILITY, 1 - SMALLEST_PROBABILITY)
    return -np.log(score[np.arange(len(y_true)), y_true.astype("int64")])


def _is_among_3(y_true, prediction, _):
    likeliest = np.argsort(prediction.score, axis=1, kind="stable")[:, -3:]  # as scikit-learn breaks ties
    return (likeliest == np.asarray(y_true)[:, None]).any(axis=1).astype("float64")


def _squared_log_error(y_true, prediction, _):
    return (np.log1p(y_true) - np.log1p(np.maximum(prediction.score, 0))) ** 2


def _pinball(y_true, prediction, quantile):
    missed = y_true - prediction.score
    return np.maximum(quantile * missed, (quantile - 1) * missed)


def _as_it_is(value):
    return value


RANKINGS: dict[str, Callable] = {"roc_auc": _roc_auc, "average_precision": _average_precision}
MEANS: dict[str, tuple[Callable, Callable]] = {
    "log_loss": (_log_loss, _as_it_is),
    "brier_score_loss": (lambda y, given, _: (y - given.score) ** 2, _as_it_is),
    "mae": (lambda y, given, _: np.abs(y - given.score), _as_it_is),
    "rmse": (lambda y, given, _: (y - given.score) ** 2, np.sqrt),
    "rmsle": (_squared_log_error, np.sqrt),
    "pinball_loss": (_pinball, _as_it_is),
    "coverage": (lambda y, given, quantile: (y <= given.score).astype("float64"), _as_it_is),
    "accuracy": (lambda y, given, _: (y == given.decision).astype("float64"), _as_it_is),
    "top_3_accuracy": (_is_among_3, _as_it_is),
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
