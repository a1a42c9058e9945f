"""Gini coefficient of a score."""

from sklearn.metrics import roc_auc_score


def gini(y_true, probability) -> float:
    """Twice the area under the ROC curve, less one: 0 of chance, 1 of a perfect ranking."""
    return float(2 * roc_auc_score(y_true, probability) - 1)
