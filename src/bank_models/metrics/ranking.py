"""ROC-AUC of two classes."""

from __future__ import annotations

import numpy as np
from sklearn import metrics


def roc_auc(y_true, score, sample_weight=None) -> float:
    """ROC-AUC as scikit-learn computes it, without its looks at the arguments, which take ten times as long for few rows.

    Parameters
    ----------
    y_true : ndarray of shape (n_rows,)
        Codes of two classes, 0 and 1.
    score : ndarray of shape (n_rows,)
    sample_weight : ndarray of shape (n_rows,), optional
        With weights, and of whatever else is not plain, scikit-learn itself is asked.
    """
    is_positive, score = np.asarray(y_true) == 1, np.asarray(score)
    n_positive, is_plain = int(is_positive.sum()), score.ndim == 1 and score.dtype.kind == "f" and sample_weight is None
    is_plain = is_plain and 0 < n_positive < len(is_positive) == len(score) and bool(np.isfinite(score).all())
    if not is_plain or int((np.asarray(y_true) == 0).sum()) + n_positive != len(score):
        return float(metrics.roc_auc_score(y_true, score, sample_weight=sample_weight))
    order = np.argsort(-score, kind="stable")
    ordered = score[order]
    last = np.append(np.flatnonzero(ordered[1:] != ordered[:-1]), len(score) - 1)  # of equal scores
    caught = np.cumsum(is_positive[order], dtype="float64")[last]
    false = 1 + last - caught
    if len(last) > 2:  # points between others on a line
        is_corner = np.r_[True, (np.diff(false, 2) != 0) | (np.diff(caught, 2) != 0), True]
        caught, false = caught[is_corner], false[is_corner]
    true_rate, false_rate = (np.append(0.0, counts) / counts[-1] for counts in (caught, false))
    return float(np.sum(np.diff(false_rate) * (true_rate[1:] + true_rate[:-1]) / 2.0))
