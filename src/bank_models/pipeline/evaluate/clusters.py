"""Evaluation of a clustering: internal metrics, profiles, projection."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pandas import Categorical

from bank_models.evaluation import drift, plot_tables
from bank_models.evaluation.projection import project
from bank_models.metrics.clusters import agreement, clustering_metrics, profiles
from bank_models.pipeline.evaluate.evaluation_result import EvaluationResult

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from bank_models.config.schema import TrainingConfig
    from bank_models.pipeline.fit_result import FitResult
    from bank_models.pipeline.rows import Rows


def evaluate(config: TrainingConfig, rows: Rows, fit_result: FitResult) -> EvaluationResult:
    """Describe the clusters of all rows: nothing is predicted that could be held out."""
    table, steps = rows.table, fit_result.model.named_steps
    X = steps["features"].transform(table.frame)
    labels = getattr(steps["estimator"], "labels_", None)
    labels = steps["estimator"].predict(X) if labels is None else labels  # of a mixture
    metrics, tables = describe(X, table.frame[list(table.features)], labels, config.seed)
    if rows.data.true_groups is not None:
        metrics["adjusted_rand_score"] = agreement(rows.data.true_groups[table.valid.rows], labels)
    metrics["stability"] = fit_result.stability
    reference = drift.reference(table.frame, table.features, {"cluster": Categorical(labels)})
    return EvaluationResult(metrics, tables, reference | {"floors": None}, labels=labels)


def describe(X, frame: pd.DataFrame, labels: np.ndarray, seed: int) -> tuple[dict[str, float], dict[str, Any]]:
    """Metrics and tables of what the rows that were fitted on fall into."""
    tables = {"profiles": profiles(frame, labels)}
    tables |= plot_tables.of_clusters(tables["profiles"]) | {"projection": project(X, labels, seed)}
    return clustering_metrics(X, labels, seed), tables
