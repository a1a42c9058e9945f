"""What metrics are called in running text."""

from __future__ import annotations

TITLES = {
    "roc_auc": "ROC AUC",
    "roc_auc_ovr": "ROC AUC, one against the rest",
    "average_precision": "Average precision",
    "f1": "F1",
    "f1_macro": "F1, averaged over classes",
    "precision_macro": "Precision, averaged over classes",
    "recall_macro": "Recall, averaged over classes",
    "mae": "Mean absolute error",
    "rmse": "Root mean squared error",
    "rmsle": "Root mean squared logarithmic error",
    "r2": "R²",
    "log_loss": "Log loss",
    "brier_score_loss": "Brier score",
    "lift_at_10_percent": "Lift at 10 %",
    "recall_at_1_percent_alerts": "Recall at 1 % alerts",
    "alert_rate_at_99_percent_recall": "Alert rate at 99 % recall",
    "davies_bouldin": "Davies-Bouldin index",
    "calinski_harabasz": "Calinski-Harabasz index",
    "kupiec_p_value": "p-value of Kupiec's test",
}


def title(metric: str) -> str:
    """Name of a metric as people write it."""
    return TITLES.get(metric, metric.replace("_", " ").capitalize())
