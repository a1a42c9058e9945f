"""What a value of a metric means, in one plain sentence."""

from __future__ import annotations

from src.report.number import formatted, share
from src.report.run import Run

SENTENCES = {
    "roc_auc": "Of a positive and a negative row picked at random, it ranks the positive one higher {share} of the time.",
    "average_precision": "Averaged over all depths of the ranked list, {share} of the rows that it puts forward are positive.",
    "lift_at_10_percent": "In the tenth of rows that it ranks highest, positives are {value} times as frequent as in all.",
    "recall_at_1_percent_alerts": "Looking at the one per cent of rows that it ranks highest finds {share} of the positives.",
    "alert_rate_at_99_percent_recall": "To find 99 % of the positives one has to look at {share} of the rows.",
    "accuracy": "It decides {share} of the rows rightly.",
    "balanced_accuracy": "Averaged over the classes, it decides {share} of a class's rows rightly.",
    "precision": "Of the rows that it calls positive, {share} are.",
    "recall": "It finds {share} of the positives.",
    "f1": "Precision and recall have a harmonic mean of {value}; 1 is perfect.",
    "f1_macro": "Precision and recall have a harmonic mean of {value}, averaged over the classes; 1 is perfect.",
    "quadratic_kappa": "It agrees with the true grades {share} better than chance would, distant mistakes weighing more.",
    "roc_auc_ovr": "Of a row of a class and one of another, it ranks the right one higher {share} of the time.",
    "top_3_accuracy": "The true class is among its first three for {share} of the rows.",
    "log_loss": "Its log loss is {value}; 0 would be certainty that is always right.",
    "brier_score_loss": "Its probabilities are off by {value} in mean square; 0 is perfect.",
    "expected_calibration_error": "Its probabilities are off by {value} on average.",
    "mae": "Its answers are off by {value} {unit} on average.",
    "rmse": "Its answers are off by {value} {unit} (root mean square, in which large errors weigh more).",
    "median_absolute_error": "Half of its answers are off by less than {value} {unit}.",
    "r2": "It explains {share} of the variance of {target}.",
    "rmsle": "Its answers are off by about {share} in relative terms (root mean squared logarithmic error).",
    "information_coefficient": "Within a moment, its ranking and the outcomes correlate with {value}; 0 is guessing.",
    "pinball_loss": "Its {quantile} quantile costs {value} {unit} on average (pinball loss; 0 is perfect).",
    "coverage": "Of the outcomes, {share} stay at or below its level; {quantile} are meant to.",
    "kupiec_p_value": "If its level were right, as many breaches would have a probability of {value}.",
    "silhouette": "Rows are closer to their own cluster than to the next by a silhouette of {value}; 1 is perfect.",
    "davies_bouldin": "Clusters overlap by a Davies-Bouldin index of {value}; 0 is perfect.",
    "calinski_harabasz": "Clusters differ {value} times as much between as within (Calinski-Harabasz).",
}


def meaning(metric: str, value: float, run: Run) -> str:
    """A sentence about a metric's value; the metric with its value where there is no sentence for it."""
    target, quantile = run.use_case("target"), run.use_case("quantile")
    sentence = SENTENCES.get(metric, f"{metric} is {{value}}.")
    said = {"value": formatted(value), "share": share(value), "target": target or "the target", "unit": unit_of(target)}
    return sentence.format(**said, quantile=share(quantile) if quantile else "").replace("  ", " ")


def unit_of(target: str | None) -> str:
    """The unit that a target's name ends in, as in `cash_withdrawn_eur`."""
    units = {"eur": "euro", "usd": "US dollar", "pct": "percentage points", "days": "days", "minutes": "minutes"}
    return units.get((target or "").rsplit("_", 1)[-1], "")
