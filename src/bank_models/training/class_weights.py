"""Class weights: "balanced", beside those of the rows."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np


def weigher(class_weight: str, y, weight=None) -> Callable[[np.ndarray, np.ndarray | None], np.ndarray | None]:
    """What gives rows of some targets and weights the weight that a fit on others gives them: times that of their class."""
    of_class = class_weights(y, weight) if class_weight == "balanced" else None
    if of_class is None:
        return lambda y, weight: weight
    return lambda y, weight: of_class[y] if weight is None else of_class[y] * weight


def class_weights(y, weight=None) -> np.ndarray:
    """Weight of each class code: inverse to its frequency, 1 on average over the rows (scikit-learn's "balanced")."""
    if weight is not None:
        totals = np.bincount(y, weights=weight)
        return weight.sum() / (np.count_nonzero(totals) * np.where(totals > 0, totals, 1.0))
    counts = np.bincount(y)
    return len(y) / (np.count_nonzero(counts) * np.maximum(counts, 1))
