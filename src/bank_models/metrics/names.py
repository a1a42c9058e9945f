"""Every metric's name, with its task, sign, best value and words; `bank_models.metrics.scores` has the functions.

A new metric is an entry here and its function there. Nothing else is imported, so that a list of metrics costs no library.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from bank_models.extensions.table import Table

BINARY, MULTICLASS, NUMBERS = ("binary",), ("multiclass",), ("regression",)
NEEDS_TRUE_GROUPS = "adjusted_rand_score"  # which only a simulation knows: no use case can be judged by it
CLASSES, RANKED, CLUSTERS = ("binary", "multiclass"), ("binary", "anomaly"), ("clustering", "anomaly")


@dataclass(frozen=True)
class Metric:
    """What is known of a metric without computing it.

    Attributes
    ----------
    tasks : tuple of str
    of : {"score", "decision", "clusters"}
        What it judges.
    is_loss : bool
        Lower is better.
    best : float, optional
        The value of a perfect model; None where there is none, such as of a lift.
    needs : str, optional
        Kind of target it is defined for: "quantile", "non_negative", "ordered" or "many_classes".
    takes : {"quantile", "periods"}, optional
        Third argument of its function.
    optimum : {"probability", "mean", "median", "mean_of_logs", "quantile"}, optional
        What of the truth no other prediction beats in the long run, so that its value is a ceiling. None where there is no
        such one: F1, kappa and macro averages depend on a threshold that only the outcomes show, precision and recall are
        perfect for somebody who alerts on one row or on all, the rank of an outcome is not ranked best by its mean, the middle
        error is smallest at no single statistic, and an unbiased rate has no calibration error whether it ranks or not.
    title : str
        As people write it; without one it is the name with blanks.
    sentence : str
        What a value means; `{value}`, `{share}`, `{unit}`, `{target}`, `{quantile}`, `{positive}` and `{negative}` are filled
        in.
    function : callable, optional
        Of an extension's: ``function(y_true, given)``, and what it `takes`. Ours stand in `bank_models.metrics.scores`.
    takes_weights : bool
        Whether an extension's function takes `sample_weight`, which is given where rows have weights; ours do, but for those of
        `UNWEIGHTED`.
    has_interval : bool
        Whether leaving groups of rows out tells how far its value may be off: true of means and other smooth functions of all
        rows, not of a maximum, of one row's rank, or of a p-value.
    """

    tasks: tuple[str, ...]
    of: str
    is_loss: bool = False
    best: float | None = None
    needs: str | None = None
    takes: str | None = None
    optimum: str | None = None
    title: str = ""
    sentence: str = ""
    function: Callable[..., float] | None = None
    takes_weights: bool = False
    has_interval: bool = True


OURS: dict[str, Metric] = {
    "accuracy": Metric(
        CLASSES,
        "decision",
        best=1,
        optimum="probability",
        sentence="It decides {share} of the rows rightly.",
    ),
    "balanced_accuracy": Metric(
        MULTICLASS,
        "decision",
        best=1,
        sentence="Averaged over the classes, it decides {share} of a class's rows rightly.",
    ),
    "precision": Metric(
        BINARY,
        "decision",
        best=1,
        sentence="Of the rows that it calls positive, {share} are.",
    ),
    "recall": Metric(
        BINARY,
        "decision",
        best=1,
        sentence="It finds {share} of the positives.",
    ),
    "f1": Metric(
        BINARY,
        "decision",
        best=1,
        title="F1",
        sentence="Precision and recall have a harmonic mean of {value}; 1 is perfect.",
    ),
    "specificity": Metric(
        BINARY,
        "decision",
        best=1,
    ),
    "precision_macro": Metric(
        MULTICLASS,
        "decision",
        best=1,
        title="Precision, averaged over classes",
    ),
    "recall_macro": Metric(
        MULTICLASS,
        "decision",
        best=1,
        title="Recall, averaged over classes",
    ),
    "f1_macro": Metric(
        MULTICLASS,
        "decision",
        best=1,
        title="F1, averaged over classes",
        sentence="Precision and recall have a harmonic mean of {value}, averaged over the classes; 1 is perfect.",
    ),
    "quadratic_kappa": Metric(
        MULTICLASS,
        "decision",
        best=1,
        needs="ordered",
        sentence="It agrees with the true grades {share} better than chance would, distant mistakes weighing more.",
    ),
    "roc_auc": Metric(
        RANKED,
        "score",
        best=1,
        optimum="probability",
        title="ROC AUC",
        sentence="Of two cases, one {positive} and one {negative}, it ranks the first one higher {share} of the time.",
    ),
    "average_precision": Metric(
        RANKED,
        "score",
        best=1,
        optimum="probability",
        title="Average precision",
        sentence="Averaged over all depths of the ranked list, {share} of the rows that it puts forward are positive.",
    ),
    "lift_at_10_percent": Metric(
        RANKED,
        "score",
        optimum="probability",
        title="Lift at 10 %",
        sentence="In the tenth of rows that it ranks highest, positives are {value} times as frequent as in all.",
    ),
    "recall_at_1_percent_alerts": Metric(
        RANKED,
        "score",
        best=1,
        optimum="probability",
        title="Recall at 1 % alerts",
        sentence="Looking at the one per cent of rows that it ranks highest finds {share} of the positives.",
    ),
    "alert_rate_at_99_percent_recall": Metric(
        RANKED,
        "score",
        is_loss=True,
        optimum="probability",
        title="Alert rate at 99 % recall",
        sentence="To find 99 % of the positives one has to look at {share} of the rows.",
    ),
    "roc_auc_ovr": Metric(
        MULTICLASS,
        "score",
        best=1,
        optimum="probability",
        title="ROC AUC, one against the rest",
        sentence="Of a row of a class and one of another, it ranks the right one higher {share} of the time.",
    ),
    "top_3_accuracy": Metric(
        MULTICLASS,
        "score",
        best=1,
        needs="many_classes",
        optimum="probability",
        sentence="The true class is among its first three for {share} of the rows.",
    ),
    "log_loss": Metric(
        CLASSES,
        "score",
        is_loss=True,
        best=0,
        optimum="probability",
        title="Log loss",
        sentence="Its log loss is {value}; 0 would be certainty that is always right.",
    ),
    "brier_score_loss": Metric(
        BINARY,
        "score",
        is_loss=True,
        best=0,
        optimum="probability",
        title="Brier score",
        sentence="Its probabilities are off by {value} in mean square; 0 is perfect.",
    ),
    "expected_calibration_error": Metric(
        BINARY,
        "score",
        is_loss=True,
        best=0,
        sentence="Its probabilities are off by {value} on average.",
    ),
    "mae": Metric(
        NUMBERS,
        "score",
        is_loss=True,
        best=0,
        optimum="median",
        title="Mean absolute error",
        sentence="Its predictions are off by {value} {unit} on average.",
    ),
    "rmse": Metric(
        NUMBERS,
        "score",
        is_loss=True,
        best=0,
        optimum="mean",
        title="Root mean squared error",
        sentence="Its predictions are off by {value} {unit} (root mean square, in which large errors weigh more).",
    ),
    "median_absolute_error": Metric(
        NUMBERS,
        "score",
        is_loss=True,
        best=0,
        sentence="Half of its predictions are off by less than {value} {unit}.",
    ),
    "r2": Metric(
        NUMBERS,
        "score",
        best=1,
        optimum="mean",
        title="R²",
        sentence="It explains {share} of the variance of {target}.",
    ),
    "information_coefficient": Metric(
        NUMBERS,
        "score",
        best=1,
        takes="periods",
        sentence="Within each period, its ranking and the outcomes correlate with {value}; 0 is guessing.",
    ),
    "rmsle": Metric(
        NUMBERS,
        "score",
        is_loss=True,
        best=0,
        needs="non_negative",
        optimum="mean_of_logs",
        title="Root mean squared logarithmic error",
        sentence="Its predictions are off by about {share} in relative terms (root mean squared logarithmic error).",
    ),
    "pinball_loss": Metric(
        NUMBERS,
        "score",
        is_loss=True,
        best=0,
        needs="quantile",
        takes="quantile",
        optimum="quantile",
        sentence="Its {quantile} quantile costs {value} {unit} on average (pinball loss; 0 is perfect).",
    ),
    "coverage": Metric(
        NUMBERS,
        "score",
        needs="quantile",
        takes="quantile",
        sentence="Of the outcomes, {share} stay at or below its level; {quantile} are meant to.",
    ),
    "kupiec_p_value": Metric(
        NUMBERS,
        "score",
        needs="quantile",
        takes="quantile",
        title="p-value of Kupiec's test",
        sentence="If its level were right, as many breaches would have a probability of {value}.",
    ),
    "silhouette": Metric(
        CLUSTERS,
        "clusters",
        best=1,
        sentence="Rows are closer to their own cluster than to the next by a silhouette of {value}; 1 is perfect.",
    ),
    "davies_bouldin": Metric(
        CLUSTERS,
        "clusters",
        is_loss=True,
        title="Davies-Bouldin index",
        sentence="Clusters overlap by a Davies-Bouldin index of {value}; 0 is perfect.",
    ),
    "calinski_harabasz": Metric(
        CLUSTERS,
        "clusters",
        title="Calinski-Harabasz index",
        sentence="Clusters differ {value} times as much between as within (Calinski-Harabasz).",
    ),
    "stability": Metric(
        CLUSTERS,
        "clusters",
    ),
    "adjusted_rand_score": Metric(
        CLUSTERS,
        "clusters",
        best=1,
    ),
}
METRICS: Table[Metric] = Table(OURS, "metrics", Metric)


UNWEIGHTED = ("kupiec_p_value", "silhouette", "davies_bouldin", "calinski_harabasz", "stability", "adjusted_rand_score")
"""Ours that have no weighted form: a test counts breaches, and clusters are groups of rows."""
SHORT = {"ks": "KS"}  # titles of what a run records beside its metrics


def title(metric: str) -> str:
    """A metric as people write it; any other name with blanks."""
    known = METRICS.get(metric)
    return known.title if known and known.title else SHORT.get(metric, metric.replace("_", " ").capitalize())


def takes_weights(metric: str) -> bool:
    """Whether a metric has a weighted form."""
    return METRICS[metric].takes_weights or (metric in METRICS.ours and metric not in UNWEIGHTED)


def is_loss(metric: str) -> bool:
    """Whether lower is better; of an unknown name, such as an extra of another version, it is not."""
    return metric in METRICS and METRICS[metric].is_loss


def as_score(metric: str, value: float) -> float:
    """A metric's value as a score: higher is better."""
    return -value if is_loss(metric) else value
