"""Scores of a binary classifier, under scikit-learn's names and with natural signs."""

from __future__ import annotations

import numpy as np
from sklearn import metrics

POSITIVE = {"zero_division": 0.0}

# Computed from the decision (0 or 1) and from the probability of 1.
OF_LABELS = {
    "accuracy": metrics.accuracy_score,
    "precision": lambda y, p, **kw: metrics.precision_score(y, p, **POSITIVE, **kw),
    "recall": lambda y, p, **kw: metrics.recall_score(y, p, **POSITIVE, **kw),
    "f1": lambda y, p, **kw: metrics.f1_score(y, p, **POSITIVE, **kw),
    "specificity": lambda y, p, **kw: metrics.recall_score(y, p, pos_label=0, **POSITIVE, **kw),
}
OF_SCORES = {
    "roc_auc": metrics.roc_auc_score,
    "average_precision": metrics.average_precision_score,
    "log_loss": lambda y, s, **kw: metrics.log_loss(y, s, labels=[0, 1], **kw),
    "brier_score_loss": metrics.brier_score_loss,
}
LOSSES = {"log_loss", "brier_score_loss"}


def binary_metrics(names, y_true, y_score, threshold: float) -> dict[str, float]:
    """The named metrics.

    Parameters
    ----------
    names : iterable of str
        Keys of `OF_LABELS` or `OF_SCORES`.
    y_true : ndarray of shape (n_rows,)
        0 or 1.
    y_score : ndarray of shape (n_rows,)
        Probability of 1, in [0, 1].
    threshold : float
        Scores at or above it are decided 1.

    Returns
    -------
    dict of str to float
    """
    y_pred = (y_score >= threshold).astype(np.int8)
    return {
        name: float(OF_LABELS[name](y_true, y_pred) if name in OF_LABELS else OF_SCORES[name](y_true, y_score))
        for name in names
    }


def confusion(y_true, y_score, threshold: float) -> dict[str, int]:
    """Counts of the four outcomes of a decision."""
    tn, fp, fn, tp = metrics.confusion_matrix(y_true, y_score >= threshold, labels=[0, 1]).ravel()
    return {"true_negatives": int(tn), "false_positives": int(fp), "false_negatives": int(fn), "true_positives": int(tp)}


def greater_is_better(name: str) -> bool:
    return name not in LOSSES


def as_score(name: str, value: float) -> float:
    """A metric's value as a score: higher is better."""
    return value if greater_is_better(name) else -value
