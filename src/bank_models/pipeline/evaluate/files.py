"""Files of an evaluation: metrics, tables, test scores, and the record of the run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from bank_models.files import writing
from bank_models.registry.looks import facts_of_looks
from bank_models.runs import writer
from bank_models.runs.fingerprint import code_sha256
from bank_models.runs.parts import write_split

if TYPE_CHECKING:
    from bank_models.config.schema import TrainingConfig
    from bank_models.pipeline.evaluate.evaluation_result import EvaluationResult
    from bank_models.pipeline.fit_result import FitResult
    from bank_models.pipeline.rows import Rows
    from bank_models.runtime.progress import Steps


def write(
    folder: Path,
    config: TrainingConfig,
    rows: Rows,
    fit_result: FitResult,
    found: EvaluationResult,
    steps: Steps,
    hydra_files: dict[str, str],
    registry: Path | None,
) -> dict[str, Any]:
    """Write them into a run's folder, under the names that they have there; gives the record."""
    facts = _facts(config, rows, fit_result, found, steps, registry)
    writer.write(folder, found.metrics, {**found.tables, "resources": steps.monitor.table()}, facts, hydra_files)
    writing.write_json(folder / "drift_reference.json", found.reference)
    if rows.parts is None:
        writer.write_clusters(folder / "clusters.parquet", found.labels)
        return facts
    table, test = rows.table, rows.parts.split.test
    write_split(folder / "split.parquet", rows.parts.split)
    scores = test, table.y[test], found.predictions, table.units(test), found.periods
    writer.write_test_scores(folder / "test_scores.parquet", *scores)
    return facts


def _facts(
    config: TrainingConfig, rows: Rows, fit_result: FitResult, found: EvaluationResult, steps: Steps, registry: Path | None
) -> dict[str, Any]:
    """Where the rows and the model came from, what the evaluation found, and who had looked at the test rows before."""
    facts = writer.facts_of_rows(config, fit_result.recipe, rows.data, rows.table, steps.durations_s)
    facts["environment"]["code_sha256"] = code_sha256()
    facts["notes"] += found.notes
    facts |= {"params": fit_result.params, "n_fitted_rows": fit_result.n_fitted_rows, **found.facts}
    if rows.parts is None:
        return facts
    seen = rows.data, rows.table, rows.parts.split.test, found.predictions, found.metrics
    return facts | facts_of_looks(config, facts["data"]["frame_sha256"], *seen, registry)
