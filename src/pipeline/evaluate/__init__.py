"""Evaluation: what the test rows, or all rows of a clustering, say of a fitted model. Nothing is changed in it any more."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from src.pipeline.evaluate.evaluated import Evaluated


def evaluation_of(task: str) -> Callable[..., Evaluated]:
    """The function that evaluates a task: of the settings, the rows and what was learnt; its modules are read for such only."""
    if task == "clustering":
        from src.pipeline.evaluate import clusters

        return clusters.evaluate
    if task == "anomaly":
        from src.pipeline.evaluate import anomalies

        return anomalies.evaluate
    from src.pipeline.evaluate import supervised

    return supervised.evaluate
