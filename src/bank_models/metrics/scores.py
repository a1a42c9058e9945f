"""Metric functions for every task, under scikit-learn's names and with natural signs."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq
from scipy.special import chdtrc, xlogy
from scipy.stats import binom, rankdata
from sklearn import metrics

from bank_models.metrics import weighted
from bank_models.metrics.names import METRICS, takes_weights
from bank_models.metrics.ranking import roc_auc
from bank_models.metrics.threshold import cheapest_class, choose

ALERT_RATE = 0.01
TOP_SHARE = 0.1
HIGH_RECALL = 0.99
UNUSUAL = 1.0  # a detector's score above which a row is an anomaly
SIGNIFICANCE = 0.05
POWER = 0.8  # that a test should have for what it is meant to find
FEWEST_BREACHES = 5  # that are expected of a quantile, from which its test means something
FEWEST_OF_PERIOD = 3  # rows of one moment that can be ranked


@dataclass(frozen=True)
class Prediction:
    """What a model says about some rows.

    Attributes
    ----------
    score : ndarray
        binary: probability of 1, shape (n_rows,). multiclass: probability of each class, shape (n_rows, n_classes).
        regression: predicted value. anomaly: how unusual a row is, above 1 is an anomaly.
    decision : ndarray of shape (n_rows,)
        The class decided for (1 for an anomaly); for regression the predicted value again.
    """

    score: np.ndarray
    decision: np.ndarray


def decide(task: str, score, threshold: float | None = None, costs=None) -> Prediction:
    """Turn scores into decisions: at a threshold, for the likeliest or (with costs) the cheapest class, or as they are."""
    if task == "multiclass":
        return Prediction(score, score.argmax(axis=1) if costs is None else cheapest_class(score, costs))
    if threshold is not None:
        return Prediction(score, (score >= threshold).astype(np.int8))
    return Prediction(score, (score > UNUSUAL).astype(np.int8) if task == "anomaly" else score)


def decide_held_out(task: str, y_true, score, prices=None, costs=None, weight=None) -> Prediction:
    """Decide about rows that were held out of a fit as the finished model will: at a threshold that was chosen, not at 0.5.

    Each half of the rows, of each class, is decided at the threshold that the other half chooses, so none chooses its own.

    Parameters
    ----------
    task : str
    y_true : ndarray of shape (n_rows,)
    score : ndarray
        As `Prediction.score`.
    prices : tuple of (false_positive, false_negative), optional
        Each a float or an ndarray of shape (n_rows,): what mistakes cost, in place of F1.
    costs : ndarray of shape (n_classes, n_classes), optional
        Of several classes.
    weight : ndarray of shape (n_rows,), optional
    """
    if task != "binary":
        return decide(task, score, costs=costs)
    y_true, decision = np.asarray(y_true), np.zeros(len(score), dtype=np.int8)
    for one in halves(y_true):
        of_one = None if prices is None else tuple(each if np.ndim(each) == 0 else each[one] for each in prices)
        weights = None if weight is None else weight[one]
        decision[~one] = score[~one] >= choose(y_true[one], score[one], of_one, weights)
    return Prediction(score, decision)


def halves(y_true) -> tuple[np.ndarray, np.ndarray]:
    """Two masks that share the rows of each of two classes evenly."""
    is_positive = np.asarray(y_true) == 1
    place = np.where(is_positive, np.cumsum(is_positive), np.cumsum(~is_positive))
    return place % 2 == 1, place % 2 == 0


def lift(y_true, score, share: float = TOP_SHARE, sample_weight=None) -> float:
    """Rate of positives among the highest-scored share of rows, relative to the rate among all; of ties, as drawn at random."""
    if sample_weight is not None:
        return weighted.lift(y_true, score, share, sample_weight)
    n_top = max(1, round(len(score) * share))
    return _hits(y_true, score, n_top) / n_top / float(np.mean(y_true))


def recall_at_alert_rate(y_true, score, share: float = ALERT_RATE, sample_weight=None) -> float:
    """Share of the positives found when the highest-scored share of rows is looked at; of ties, as drawn at random."""
    if sample_weight is not None:
        return weighted.recall_at_alert_rate(y_true, score, share, sample_weight)
    return _hits(y_true, score, max(1, round(len(score) * share))) / float(np.sum(y_true))


def _hits(y_true, score, n_top: int) -> float:
    """Positives among the highest-scored rows: the expectation where rows tie for the last places."""
    y_true, score = np.asarray(y_true, dtype="float64"), np.asarray(score)
    lowest = np.partition(score, len(score) - n_top)[len(score) - n_top]
    is_above, is_tied = score > lowest, score == lowest
    return float(y_true[is_above].sum() + y_true[is_tied].mean() * (n_top - is_above.sum()))


def alert_rate_at_recall(y_true, score, recall: float = HIGH_RECALL, sample_weight=None) -> float:
    """Share of rows that must be looked at, the highest-scored first, to find a share of the positives."""
    if sample_weight is not None:
        return weighted.alert_rate_at_recall(y_true, score, recall, sample_weight)
    positives = np.sort(score[np.asarray(y_true) == 1])
    lowest = positives[len(positives) - int(np.ceil(recall * len(positives)))]
    return float(np.mean(score >= lowest))


def expected_calibration_error(y_true, score, n_bins: int = 10, sample_weight=None) -> float:
    """Mean distance of predicted from observed rates over bins that hold equally many rows.

    References
    ----------
    Naeini, Cooper & Hauskrecht (2015), Obtaining well calibrated probabilities using Bayesian binning, AAAI, 2901-2907.
    """
    if sample_weight is not None:
        return weighted.expected_calibration_error(y_true, score, n_bins, sample_weight)
    y_true, order = rate_of_ties(y_true, score), np.argsort(score, kind="stable")
    bins = np.array_split(order, min(n_bins, len(order)))
    return float(sum(len(rows) * abs(np.mean(score[rows]) - np.mean(y_true[rows])) for rows in bins) / len(order))


def rate_of_ties(y_true, score) -> np.ndarray:
    """Mean label of the rows that share a row's score: what a bin that cuts through ties should count."""
    code = np.unique(score, return_inverse=True)[1]
    return (np.bincount(code, weights=y_true) / np.bincount(code))[code]


def rank_correlation(y_true, value, weight=None) -> float:
    """Spearman's correlation; 0 where one side is constant."""
    if weight is not None:
        return weighted.rank_correlation(y_true, value, weight)
    ranks = rankdata(y_true), rankdata(value)
    spread = [np.std(rank) for rank in ranks]
    return float(np.corrcoef(*ranks)[0, 1]) if min(spread) > 0 else 0.0


def information_coefficient(y_true, value, periods=None, sample_weight=None) -> float:
    """Rank correlation of forecast and outcome within each period, averaged over the periods.

    Parameters
    ----------
    y_true, value : ndarray of shape (n_rows,)
    periods : ndarray of shape (n_rows,), optional
        When each row happened; None takes all rows as one period.
    sample_weight : ndarray of shape (n_rows,), optional
        Of rows within their period; all periods count alike.

    References
    ----------
    Grinold & Kahn (1999), Active portfolio management, 2nd edition, McGraw-Hill, ch. 6.
    """
    if periods is None:
        return rank_correlation(y_true, value, sample_weight)
    return float(np.mean(coefficients(y_true, value, periods, sample_weight)))


def coefficients(y_true, value, periods, weight=None) -> np.ndarray:
    """Rank correlation within each period of at least three rows; a single 0 where no period has as many."""
    each, _ = coefficient_of_periods(y_true, value, periods, weight)
    each = each[~np.isnan(each)]
    return each if len(each) else np.zeros(1)


def coefficient_of_periods(y_true, value, periods, weight=None) -> tuple[np.ndarray, np.ndarray]:
    """Rank correlation within each period, not a number in those of fewer than three rows; and the period of each row."""
    _, code = np.unique(periods, return_inverse=True)
    order = np.argsort(code, kind="stable")
    blocks = np.split(order, np.flatnonzero(np.diff(code[order])) + 1)
    is_large = [len(rows) >= FEWEST_OF_PERIOD for rows in blocks]
    of = (lambda rows: None) if weight is None else weight.__getitem__
    each = [
        rank_correlation(y_true[rows], value[rows], of(rows)) if large else np.nan
        for rows, large in zip(blocks, is_large, strict=True)
    ]
    return np.array(each), code


def kupiec_p_value(y_true, value, quantile: float) -> float:
    """How likely as many breaches of a predicted quantile are when it is right: the proportion-of-failures test.

    Parameters
    ----------
    y_true, value : ndarray of shape (n_rows,)
        Outcomes, and the level that a share `quantile` of them should stay at or below.
    quantile : float
        In (0, 1).

    Returns
    -------
    float
        p-value of a likelihood-ratio test with one degree of freedom; below 0.05 the level is refuted.

    References
    ----------
    Kupiec (1995), Techniques for verifying the accuracy of risk measurement models, Journal of Derivatives 3, 73-84.
    """
    return float(_kupiec(np.sum(y_true > value), len(y_true), quantile))


def _kupiec(n_breaches, n_rows: int, quantile: float):
    observed = n_breaches / n_rows
    log_likelihood = lambda p: xlogy(n_breaches, p) + xlogy(n_rows - n_breaches, 1 - p)  # noqa: E731
    return chdtrc(1, np.maximum(0.0, 2 * (log_likelihood(observed) - log_likelihood(1 - quantile))))


def least_rate_told(n_rows: int, quantile: float, power: float = POWER) -> float:
    """Least rate of breaches, above that of the level, that Kupiec's test would refute with probability `power`.

    Breaches are taken for independent: where they come together it takes more.
    """
    breaches = np.arange(n_rows + 1)
    refuted = (_kupiec(breaches, n_rows, quantile) < SIGNIFICANCE) & (breaches > n_rows * (1 - quantile))
    is_told = lambda rate: binom.sf(breaches[refuted].min() - 1, n_rows, rate) - power  # noqa: E731
    return float(brentq(is_told, 1 - quantile, 1.0)) if refuted.any() else 1.0


def note_on_kupiec(n_rows: int, quantile: float) -> str:
    """What Kupiec's test on so many rows could have told, and what not."""
    expected = n_rows * (1 - quantile)
    said = (
        f"Kupiec's test on {n_rows:,} rows, of which {expected:.3g} should breach the level, tells a rate of breaches of "
        f"{least_rate_told(n_rows, quantile):.1%} or more from {1 - quantile:.3g} with a power of {POWER:.0%}"
    )
    few = f"; with fewer than {FEWEST_BREACHES} expected it says little of a level that is somewhat wrong"
    none = _kupiec(0, n_rows, quantile) >= SIGNIFICANCE
    return said + (few if expected < FEWEST_BREACHES else "") + (", and nothing of one too high." if none else ".")


def _classes(y_true, score) -> dict:
    return {"labels": np.arange(score.shape[1])} if score.ndim == 2 else {"labels": [0, 1]}


def _averaged(function):
    return lambda y, d, **weight: function(y, d, average="macro", zero_division=0.0, **weight)


def _of_positive(function, positive: int = 1):
    return lambda y, d, **weight: function(y, d, pos_label=positive, zero_division=0.0, **weight)


def _of_labels(function, **how):
    return lambda y, s, **weight: function(y, s, **how, **_classes(y, s), **weight)


FUNCTIONS: dict[str, Callable[..., float]] = {
    # ``compute(y_true, given)``; those of a quantile or of periods take it as a third argument, most take `sample_weight`
    "accuracy": metrics.accuracy_score,
    "balanced_accuracy": metrics.balanced_accuracy_score,
    "precision": _of_positive(metrics.precision_score),
    "recall": _of_positive(metrics.recall_score),
    "f1": _of_positive(metrics.f1_score),
    "specificity": _of_positive(metrics.recall_score, positive=0),
    "precision_macro": _averaged(metrics.precision_score),
    "recall_macro": _averaged(metrics.recall_score),
    "f1_macro": _averaged(metrics.f1_score),
    "quadratic_kappa": lambda y, d, **weight: metrics.cohen_kappa_score(y, d, weights="quadratic", **weight),
    "roc_auc": roc_auc,
    "average_precision": metrics.average_precision_score,
    "lift_at_10_percent": lift,
    "recall_at_1_percent_alerts": recall_at_alert_rate,
    "alert_rate_at_99_percent_recall": alert_rate_at_recall,
    "roc_auc_ovr": _of_labels(metrics.roc_auc_score, multi_class="ovr"),
    "top_3_accuracy": _of_labels(metrics.top_k_accuracy_score, k=3),
    "log_loss": _of_labels(metrics.log_loss),
    "brier_score_loss": metrics.brier_score_loss,
    "expected_calibration_error": expected_calibration_error,
    "mae": metrics.mean_absolute_error,
    "rmse": metrics.root_mean_squared_error,
    "median_absolute_error": metrics.median_absolute_error,
    "r2": metrics.r2_score,
    "information_coefficient": information_coefficient,
    "rmsle": lambda y, v, **weight: metrics.root_mean_squared_log_error(y, np.maximum(v, 0), **weight),
    "pinball_loss": lambda y, v, q, **weight: metrics.mean_pinball_loss(y, v, alpha=q, **weight),
    "coverage": lambda y, v, q, sample_weight=None: float(weighted.mean(y <= v, sample_weight)),
    "kupiec_p_value": kupiec_p_value,
}
SCORING = {  # what cross-validation reports: the specification's lists
    "binary": ["accuracy", "precision", "recall", "f1", "roc_auc"],
    "multiclass": ["accuracy", "precision_macro", "recall_macro", "f1_macro", "roc_auc_ovr"],
    "regression": ["mae", "rmse", "r2"],
}


def statistic_of(metric: str, quantile: float | None = None) -> str:
    """What a metric of numbers asks a prediction to be: "quantile", "median", "mean_of_logs" (turned back) or "mean"."""
    if quantile is not None:
        return "quantile"
    return {"mae": "median", "median_absolute_error": "median", "rmsle": "mean_of_logs"}.get(metric, "mean")


def metrics_for(task: str, kinds: Iterable[str] = (), is_weighted: bool = False) -> list[str]:
    """Names of our metrics that are defined for a task and the kinds of its target ("quantile", "ordered", …).

    Of weighted rows, those that have no weighted form are left out.
    """
    known = [name for name in FUNCTIONS if task in METRICS[name].tasks and METRICS[name].needs in {None, *kinds}]
    return [name for name in known if takes_weights(name)] if is_weighted else known


def function_of(metric: str) -> Callable[..., float]:
    """The function of a metric, ours or an extension's."""
    return FUNCTIONS.get(metric) or METRICS[metric].function


def compute(
    names: Iterable[str], y_true, prediction: Prediction, quantile: float | None = None, periods=None, weight=None
) -> dict[str, float]:
    """The named metrics of a prediction.

    Parameters
    ----------
    names : iterable of str
        Keys of `METRICS`.
    y_true : ndarray of shape (n_rows,)
        Class codes from 0, or values.
    prediction : Prediction
    quantile : float, optional
        Level in (0, 1) that a quantile model predicts.
    periods : ndarray of shape (n_rows,), optional
        When each row happened, where several rows share a moment.
    weight : ndarray of shape (n_rows,), optional
        How much each row counts; of metrics for which `bank_models.metrics.names.takes_weights` holds.

    Returns
    -------
    dict of str to float
    """
    third, found = {"quantile": quantile, "periods": periods}, {}
    weighed = {} if weight is None else {"sample_weight": weight}
    for name in names:
        metric = METRICS[name]
        extra = (third[metric.takes],) if metric.takes else ()
        found[name] = float(function_of(name)(y_true, getattr(prediction, metric.of), *extra, **weighed))
    return found


def confusion(y_true, decision, class_names: list[str] | None = None, weight=None) -> dict[str, float]:
    """Counts of true and decided classes, or sums of weights; of a binary decision under the four usual names."""
    kind = int if weight is None else float
    if class_names is None:
        tn, fp, fn, tp = metrics.confusion_matrix(y_true, decision, labels=[0, 1], sample_weight=weight).ravel()
        counts = {"true_negatives": tn, "false_positives": fp, "false_negatives": fn, "true_positives": tp}
        return {name: kind(count) for name, count in counts.items()}
    matrix = metrics.confusion_matrix(y_true, decision, labels=range(len(class_names)), sample_weight=weight)
    return {
        f"confusion_{true}_as_{decided}": kind(matrix[i, j])
        for i, true in enumerate(class_names)
        for j, decided in enumerate(class_names)
    }
