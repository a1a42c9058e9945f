"""Class probabilities with a declared mean, and the labels drawn from them."""

from __future__ import annotations

import numpy as np
from scipy.optimize import brentq
from scipy.special import expit, logit, logsumexp, softmax

LARGEST_MISS = 1e-12
MOST_STEPS = 200


def binary(log_odds: np.ndarray, positive_rate: float, label_noise: float) -> np.ndarray:
    """Probabilities of 1 with the mean `positive_rate` after a share `label_noise` of labels is flipped."""
    rate = (positive_rate - label_noise) / (1 - 2 * label_noise)
    return _hit(log_odds, rate) * (1 - 2 * label_noise) + label_noise


def ordered(index: np.ndarray, class_rates: list[float], label_noise: float) -> np.ndarray:
    """Probabilities of classes from low to high, by proportional odds: cut points of one index.

    Returns
    -------
    ndarray of shape (n_rows, n_classes)

    References
    ----------
    McCullagh (1980), Regression models for ordinal data, Journal of the Royal Statistical Society B 42, 109-142.
    """
    above = [_hit(index, 1 - rate) for rate in np.cumsum(class_rates)[:-1]]
    above = np.stack([np.ones(len(index)), *above, np.zeros(len(index))], axis=1)
    return _with_noise(above[:, :-1] - above[:, 1:], class_rates, label_noise)


def unordered(log_odds: np.ndarray, class_rates: list[float], label_noise: float) -> np.ndarray:
    """Probabilities of classes by a softmax; Newton's method finds the intercepts, which maximise a concave function.

    Parameters
    ----------
    log_odds : ndarray of shape (n_rows, n_classes)

    Returns
    -------
    ndarray of shape (n_rows, n_classes)
    """
    rates = np.asarray(class_rates)
    gain = lambda intercepts: rates @ intercepts - logsumexp(log_odds + intercepts, axis=1).mean()  # noqa: E731
    intercepts = np.log(rates)
    for _ in range(MOST_STEPS):
        p = softmax(log_odds + intercepts, axis=1)
        miss = rates - p.mean(axis=0)
        if np.abs(miss).max() < LARGEST_MISS:
            break
        curvature = np.diag(p.mean(axis=0)) - p.T @ p / len(p)
        step = np.append(np.linalg.solve(curvature[:-1, :-1], miss[:-1]), 0.0)
        before, length = gain(intercepts), 1.0
        while length > 1e-6 and gain(intercepts + length * step) < before - 1e-15:
            length /= 2
        intercepts = intercepts + length * step
    return _with_noise(p, class_rates, label_noise)


def draw_labels(true_score: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Codes of classes, of shape (n_rows,)."""
    u = rng.random(len(true_score))
    if true_score.ndim == 1:
        return (u < true_score).astype(np.int8)
    return (u[:, None] >= np.cumsum(true_score, axis=1)[:, :-1]).sum(axis=1)


def _hit(log_odds: np.ndarray, rate: float) -> np.ndarray:
    """Probabilities with the mean `rate`."""
    ends = logit(rate) - log_odds.max() - 1, logit(rate) - log_odds.min() + 1
    intercept = brentq(lambda intercept: expit(log_odds + intercept).mean() - rate, *ends, xtol=1e-13)
    return expit(log_odds + intercept)


def _with_noise(p: np.ndarray, class_rates: list[float], label_noise: float) -> np.ndarray:
    return (1 - label_noise) * p + label_noise * np.asarray(class_rates)
