"""Result of an evaluation: metrics, tables, predictions; facts of the split for the record."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from bank_models.data.split import overlap
from bank_models.data.weights import facts_of_weights
from bank_models.evaluation import drift
from bank_models.runs import writer

if TYPE_CHECKING:
    import pandas as pd

    from bank_models.config.use_case import UseCase
    from bank_models.metrics.scores import Prediction
    from bank_models.pipeline.rows import Parts, Rows


@dataclass(frozen=True)
class EvaluationResult:
    """What the rows say of a fitted model.

    Attributes
    ----------
    metrics : dict of str to float
    tables : dict of str to DataFrame
        By the names of their files.
    reference : dict
        What later rows are compared with: `drift_reference.json`.
    facts : dict
        For the record.
    predictions : Prediction, optional
        For the test rows, if there are some.
    labels : ndarray of int of shape (n_rows,), optional
        Cluster of every row, where there are no test rows.
    periods : ndarray of shape (n_test_rows,), optional
        When the test rows happened, where the metric is taken moment by moment.
    notes : list of str
        What a reader must know.
    """

    metrics: dict[str, float]
    tables: dict[str, pd.DataFrame]
    reference: dict[str, Any]
    facts: dict[str, Any] = field(default_factory=dict)
    predictions: Prediction | None = None
    labels: np.ndarray | None = None
    periods: np.ndarray | None = None
    notes: list[str] = field(default_factory=list)


def facts_of_parts(
    use_case: UseCase, rows: Rows, reference: dict[str, Any], metrics: dict[str, float], baseline: str
) -> dict[str, Any]:
    """What the record says of the split and of what the test rows were measured by."""
    table, parts = rows.table, rows.parts
    test = parts.split.test
    weights = {} if table.weight is None else {"weights": facts_of_weights(use_case.weight_column, parts.split, table.weight)}
    return {
        **weights,
        "baseline": baseline,
        "leaks": [suspect.as_dict() for suspect in parts.suspects],
        "split": _facts_of_split(parts, rows, reference),
        "interval_of": writer.what_is_drawn(use_case, table.units(test), table.y[test], metrics),
    }


def _facts_of_split(parts: Parts, rows: Rows, reference: dict[str, Any]) -> dict[str, Any]:
    """Rows of each part, overlap of test with the others, drift of its features."""
    table, test = rows.table, rows.table.view(parts.split.test)
    return {
        **writer.facts_of_parts(parts.split, table.y, table.weight),
        **dict(zip(("random_state", "declared_random_state"), parts.seeds, strict=True)),
        "overlap": overlap(parts.split, table.contents, table.y, table.times, table.groups),
        "drift": {name: drift.psi(was, test[name]) for name, was in reference["features"].items()},
    }
