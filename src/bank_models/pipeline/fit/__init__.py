"""Fit: search, cross-validation, training and decisions on train and val; of test only a model learns that no metric is of."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bank_models.pipeline.fit_result import FitResult


def fit_of(task: str) -> Callable[..., FitResult]:
    """The function that fits a task: of the settings, the rows and the progress; its modules are read for such runs only."""
    if task in ("clustering", "anomaly"):
        from bank_models.pipeline.fit import unsupervised

        return unsupervised.find_clusters if task == "clustering" else unsupervised.find_anomalies
    from bank_models.pipeline.fit import supervised

    return supervised.fit
