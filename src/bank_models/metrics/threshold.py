"""Decision thresholds and costs."""

from __future__ import annotations

import numpy as np

from bank_models.errors import DataError

NOBODY = float(np.nextafter(np.float32(1), np.float32(2)))  # a threshold above 1, in single precision too


def cheapest_class(probability, costs) -> np.ndarray:
    """Code of the class of least expected cost, for each row; of equally cheap ones the first."""
    return (probability @ costs).argmin(axis=1)


def cost_array(costs: dict[str, dict[str, float]], classes: list[str]) -> np.ndarray:
    """Costs by true class (row) and class decided for (column), 0 where nothing is said."""
    return np.array([[costs.get(true, {}).get(decided, 0.0) for decided in classes] for true in classes], dtype=float)


def choose(y_val, score_val, costs=None, weight=None) -> float:
    """Probability from which a case is positive: the cheapest where mistakes have a price, else the one with the best F1.

    Parameters
    ----------
    y_val, score_val : ndarray of shape (n_rows,)
        Of the val rows; test rows have no say.
    costs : tuple of (false_positive, false_negative), optional
        Each a float or an ndarray of shape (n_rows,).
    weight : ndarray of shape (n_rows,), optional
        How much each row counts.
    """
    if costs is None:
        return highest_f1(y_val, score_val, weight)
    return cheapest(y_val, score_val, *(costs if weight is None else (cost * weight for cost in costs)))


def highest_f1(y_true, y_score, weight=None) -> float:
    """The threshold with the best F1.

    Parameters
    ----------
    y_true : ndarray of shape (n_rows,)
        0 or 1.
    y_score : ndarray of shape (n_rows,)
        Probability of 1.
    weight : ndarray of shape (n_rows,), optional

    Returns
    -------
    float
        One of the scores; of equally good ones the highest.
    """
    of_row = np.ones(len(y_true)) if weight is None else weight
    scores, caught, alerts = _at_each_score(y_true, y_score, of_row, of_row)
    positives = np.sum(y_true) if weight is None else caught[-1]
    f1 = 2 * caught / (alerts + caught + positives)  # alerts counts the false ones
    return float(scores[np.argmax(f1)])


def cheapest(y_true, y_score, false_positive, false_negative) -> float:
    """The threshold at which wrong decisions cost least.

    Parameters
    ----------
    y_true : ndarray of shape (n_rows,)
        0 or 1.
    y_score : ndarray of shape (n_rows,)
        Probability of 1.
    false_positive, false_negative : float or ndarray of shape (n_rows,)
        Cost of each kind of mistake, not negative; for every row, or row by row.

    Returns
    -------
    float
        One of the scores, or `NOBODY` where no alert pays for itself.

    References
    ----------
    Elkan (2001), The foundations of cost-sensitive learning, IJCAI, 973-978; with costs by row, Correa Bahnsen et al.
    (2013), Cost sensitive credit card fraud detection using Bayes minimum risk, ICMLA, 333-338.
    """
    scores, saved, wasted = _at_each_score(y_true, y_score, false_negative, false_positive)
    gain = saved - wasted
    best = int(np.argmax(gain))
    return float(scores[best]) if gain[best] > 0 else NOBODY


def costs_of_rows(y_true, y_score, threshold: float, false_positive, false_negative) -> np.ndarray:
    """What the decision at a threshold costs, row by row."""
    decided = y_score >= threshold
    return np.where(decided & (y_true == 0), false_positive, 0.0) + np.where(~decided & (y_true == 1), false_negative, 0.0)


def prices(cost, frame):
    """What a false alarm and a missed case cost in each row.

    Parameters
    ----------
    cost : bank_models.config.use_case.Cost, optional
    frame : DataFrame of shape (n_rows, …)

    Returns
    -------
    tuple of (false_positive, false_negative), or None without a cost
        Each a float or an ndarray of shape (n_rows,).

    Raises
    ------
    DataError
        If a row lacks the amount that is at stake in it, or the amount is negative.
    """
    if cost is None:
        return None
    return tuple(_amounts(given, frame) for given in (cost.false_positive, cost.false_negative))


def _amounts(given: float | str, frame):
    if not isinstance(given, str):
        return given
    amounts = frame[given].to_numpy(dtype="float64")
    if not (amounts >= 0).all():
        raise DataError(f"{given} is the price of a wrong decision, but {np.sum(~(amounts >= 0))} rows lack it or are negative")
    return amounts


def _at_each_score(y_true, y_score, weight_positive, weight_negative):
    """Distinct scores, falling, and the weight of positives and of negatives at or above each."""
    order = np.argsort(-y_score, kind="stable")
    last = np.append(np.flatnonzero(np.diff(y_score[order])), len(order) - 1)
    positives = np.cumsum(np.where(y_true == 1, weight_positive, 0.0)[order])
    negatives = np.cumsum(np.where(y_true == 0, weight_negative, 0.0)[order])
    return y_score[order][last], positives[last], negatives[last]
