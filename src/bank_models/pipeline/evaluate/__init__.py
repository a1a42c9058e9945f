"""Evaluation of a fitted model on test rows, or of a clustering on all rows. Nothing is fitted into the model any more."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from bank_models.metrics.names import as_score

if TYPE_CHECKING:
    from bank_models.config.use_case import UseCase
    from bank_models.pipeline.evaluate.evaluation_result import EvaluationResult


def evaluation_of(task: str) -> Callable[..., EvaluationResult]:
    """The function that evaluates a task: of the settings, the rows and the fit's result; only its modules are imported."""
    if task == "clustering":
        from bank_models.pipeline.evaluate import clusters

        return clusters.evaluate
    if task == "anomaly":
        from bank_models.pipeline.evaluate import anomalies

        return anomalies.evaluate
    from bank_models.pipeline.evaluate import supervised

    return supervised.evaluate


def score_of(use_case: UseCase, metrics: Mapping[str, float]) -> float:
    """What a search over settings compares: the score on val, or of a clustering; higher is better."""
    if use_case.task == "clustering":  # of rows that are all noise or all alike it is not defined
        return as_score(use_case.metric, metrics.get(use_case.metric, math.nan))
    return metrics["val_score"]
