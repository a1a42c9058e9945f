"""Threshold table of two classes: confusion counts, rates, cost; Kolmogorov-Smirnov distance and Gini coefficient."""

from __future__ import annotations

import numpy as np
import pandas as pd

from bank_models.metrics.figures import six_digits

N_QUANTILES = 121
N_EVEN = 81
N_DIGITS = 4  # of a threshold that a person reads and types


def cutoffs(y_true, score, chosen: float | None = None, prices=None, weight=None) -> pd.DataFrame:
    """Decisions at some 200 thresholds: a row is flagged if its score is at least the threshold.

    Parameters
    ----------
    y_true : ndarray of shape (n_rows,)
        0 or 1, both of them there.
    score : ndarray of shape (n_rows,)
        Probability of 1.
    chosen : float, optional
        A threshold that must be among them.
    prices : tuple of (false_positive, false_negative), optional
        Cost of each kind of mistake, each a float or an ndarray of shape (n_rows,).
    weight : ndarray of shape (n_rows,), optional
        How much each row counts.

    Returns
    -------
    DataFrame
        Rising in `threshold`; the first flags all rows, the last none. Counts of the confusion matrix (of weighted rows sums
        of weights), rates rounded to six digits (`precision` is missing where nothing is flagged), and `cost` where there are
        prices.
    """
    y_true, score = np.asarray(y_true), np.asarray(score)
    at = _thresholds(score, [ks(y_true, score, weight)[1], *([] if chosen is None else [chosen])])
    score = score.astype(float)
    if weight is None:
        n_positive, n_negative = int(np.sum(y_true == 1)), int(np.sum(y_true == 0))
        found, alarms = (_at_or_above(score, y_true == code, 1.0, at).round().astype(int) for code in (1, 0))
    else:
        n_positive, n_negative = (float(weight[y_true == code].sum()) for code in (1, 0))
        found, alarms = (_at_or_above(score, y_true == code, weight, at) for code in (1, 0))
    flagged = found + alarms
    precision = np.divide(found, flagged, out=np.full(len(at), np.nan), where=flagged > 0)
    table = pd.DataFrame(
        {
            "threshold": at,
            "true_positives": found,
            "false_positives": alarms,
            "false_negatives": n_positive - found,
            "true_negatives": n_negative - alarms,
            "flagged_rate": flagged / (n_positive + n_negative),
            "precision": precision,
            "recall": found / n_positive,
            "false_positive_rate": alarms / n_negative,
            "f1": 2 * found / (flagged + n_positive),
        }
    )
    table.iloc[:, 5:] = table.iloc[:, 5:].map(six_digits)
    if prices is not None:
        wrong, missed = prices if weight is None else (price * weight for price in prices)
        total = float(np.sum(np.where(y_true == 1, missed, 0.0)))
        spared = _at_or_above(score, y_true == 1, missed, at)
        table["cost"] = (_at_or_above(score, y_true == 0, wrong, at) + total - spared).round(2)
    return table


def ks(y_true, score, weight=None) -> tuple[float, float]:
    """Kolmogorov-Smirnov distance of the two classes, and the score at which it is reached.

    It is the largest difference between the share of the positives and the share of the negatives at or above a score; 0 of a
    score that never ranks positives higher. Of equally good scores the highest.
    """
    values, codes = np.unique(-np.asarray(score, dtype=float), return_inverse=True)  # falling scores
    of_class = [np.asarray(y_true) == code for code in (1, 0)]
    of_row = [None if weight is None else weight[rows] for rows in of_class]
    found, alarms = (
        np.cumsum(np.bincount(codes[rows], each, len(values))) for rows, each in zip(of_class, of_row, strict=True)
    )
    apart = found * alarms[-1] - alarms * found[-1]  # in whole numbers, so that equally good scores are equal
    best = int(np.argmax(apart))
    return max(0.0, float(apart[best] / (found[-1] * alarms[-1]))), float(-values[best])


def gini(roc_auc: float) -> float:
    """Gini coefficient of a ranking, also called accuracy ratio: 0 is guessing, 1 is perfect."""
    return 2 * roc_auc - 1


def _thresholds(score: np.ndarray, wanted: list[float]) -> np.ndarray:
    """Short numbers between the scores, the wanted ones, the lowest score, and one above all scores; rising.

    All but the wanted ones are numbers of the scores' own precision, so that comparing in it or in a higher one is the same.
    """
    spread = [*np.quantile(score, np.linspace(0, 1, N_QUANTILES)), *np.linspace(score.min(), score.max(), N_EVEN)]
    short = [float(f"{value:.{N_DIGITS}g}") for value in spread]
    inside = [value for value in short if score.min() < value <= score.max()]
    above = np.nextafter(score.max(), score.dtype.type(np.inf))
    own = np.array([*inside, score.min(), above], dtype=score.dtype).astype(float)
    return np.unique([*own, *wanted])


def _at_or_above(score: np.ndarray, counted: np.ndarray, weight, at: np.ndarray) -> np.ndarray:
    """Weight of the rows counted whose score is at least each threshold."""
    order = np.argsort(score, kind="stable")
    below = np.concatenate([[0.0], np.cumsum(np.where(counted, weight, 0.0)[order])])
    return below[-1] - below[np.searchsorted(score[order], at, side="left")]
