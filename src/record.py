"""What a run leaves behind: its files, its facts and its closing line."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from src import artifacts, provenance

if TYPE_CHECKING:
    import pandas as pd

    from src.data.dataset import Dataset
    from src.data.validation import Validated
    from src.fit import Fitted, Recipe
    from src.split import Split
    from src.use_case import UseCase


def metadata(
    use_case: UseCase,
    model: str,
    config: dict[str, Any],
    recipe: Recipe,
    data: Dataset,
    valid: Validated,
    parts: Split,
    y: np.ndarray,
    fitted: Fitted,
    suspects: dict[str, float],
    durations_s: dict[str, float],
) -> dict[str, Any]:
    """Everything needed to say where a model came from and to train it again.

    Parameters
    ----------
    use_case : UseCase
    model : str
        Name of the model's file in `conf/model`.
    config : dict
        The resolved configuration, as plain values.
    recipe, data, valid, parts, fitted
        What the steps of the run gave.
    y : ndarray of shape (n_rows,)
        Labels of all valid rows.
    suspects : dict of str to float
        Of `src.leakage`.
    durations_s : dict of str to float
        Seconds of each step.
    """
    directions = {name: feature.monotone for name, feature in use_case.features.items() if feature.monotone}
    notes = [*data.notes, *valid.notes]
    for name, auc in suspects.items():
        notes.append(f"{name} alone ranks the target with ROC-AUC {auc:.3f}: is it known when the score is needed?")
    return {
        "use_case_id": use_case.id,
        "use_case_key": use_case.key,
        "model": model,
        "algorithm": recipe.estimator,
        "metric": use_case.metric,
        "created_at": provenance.now(),
        "config": config,
        "data": {**data.provenance, "frame_sha256": provenance.frame_sha256(valid.frame)},
        "split": {
            "sha256": parts.sha256(),
            "n_rows": {name: len(rows) for name, rows in parts.parts().items()},
            "positive_rate": {name: float(y[rows].mean()) for name, rows in parts.parts().items()},
        },
        "feature_count": len(use_case.features),
        "monotone": directions,
        "monotone_is_enforced": recipe.is_monotone and bool(directions),
        "best_iteration": fitted.best_iteration,
        "seed": recipe.random_state,
        "n_threads": recipe.n_threads,
        "notes": notes,
        "durations_s": durations_s,
        "environment": provenance.environment(),
    }


def write(
    folder: Path,
    model: Any,
    fitted: Fitted,
    metrics: dict[str, float],
    cv_results: pd.DataFrame,
    parts: Split,
    facts: dict[str, Any],
    hydra_files: dict[str, str],
) -> None:
    """Write a run's files into an empty folder."""
    artifacts.dump(folder / "model.skops", model)
    for name, step in preprocessing_steps(fitted.model).items():
        artifacts.dump(folder / f"{name}.skops", step)
    artifacts.write_json(folder / "feature_names.json", list(facts["config"]["use_case"]["features"]))
    artifacts.write_json(folder / "metrics.json", metrics)
    artifacts.write_json(folder / "metadata.json", facts)
    cv_results.to_csv(folder / "cv_results.csv", index=False)
    fitted.history.to_csv(folder / "history.csv", index=False)
    write_split(folder / "split.parquet", parts)
    (folder / ".hydra").mkdir()
    for name, text in hydra_files.items():
        (folder / ".hydra" / name).write_text(text)


def preprocessing_steps(pipeline) -> dict[str, Any]:
    """The fitted scaler and encoder inside a pipeline, those of them that it has."""
    columns = pipeline.named_steps["features"].named_transformers_
    found = {"encoder": columns.get("category")}
    if "number" in columns:
        found["scaler"] = columns["number"].named_steps.get("scaler")
    return {name: step for name, step in found.items() if step is not None}


def write_split(path: Path, parts: Split) -> None:
    """Save the part of every row: column `part`, in the order of the rows."""
    part = np.empty(sum(map(len, parts.parts().values())), dtype=np.int8)
    for code, rows in enumerate(parts.parts().values()):
        part[rows] = code
    column = pa.DictionaryArray.from_arrays(part, list(parts.parts()))
    pq.write_table(pa.table({"part": column}), path, write_page_checksum=True)


def closing_line(facts: dict[str, Any], metrics: dict[str, float]) -> str:
    """Use case, model, score with its interval, and what it must be read beside."""
    metric = facts["metric"]
    beside = f"prior {metrics[f'baseline_{metric}']:.3f}"
    if f"ceiling_{metric}" in metrics:
        beside += f", ceiling {metrics[f'ceiling_{metric}']:.3f}"
    return (
        f"{facts['use_case_key']} · {facts['model']}   {metric} {metrics[f'test_{metric}']:.3f} "
        f"[{metrics[f'test_{metric}_ci_low']:.3f}, {metrics[f'test_{metric}_ci_high']:.3f}] "
        f"on {facts['split']['n_rows']['test']:,} {facts['data']['kind']} test rows   ({beside})"
    )
