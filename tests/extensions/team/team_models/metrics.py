"""Metrics of a team."""

import numpy as np

RISK = 0.2  # from which a case is acted on


def net_benefit(y_true, probability, sample_weight=None) -> float:
    """Right alerts for each case, less wrong ones at what they are worth where one acts on a risk of one in five.

    References
    ----------
    Vickers & Elkin (2006), Decision curve analysis, Medical Decision Making 26, 565-574.
    """
    acts = probability >= RISK
    right, wrong = (np.average(acts & (y_true == code), weights=sample_weight) for code in (1, 0))
    return float(right - wrong * RISK / (1 - RISK))


def largest_error(y_true, value) -> float:
    return float(np.max(np.abs(y_true - value)))
