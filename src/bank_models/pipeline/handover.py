"""Serialization of a fit: rows, split and model as files, which the evaluation reads."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from bank_models.data import hashing
from bank_models.data.csv_cells import unescaped_frame
from bank_models.data.dataset import Dataset
from bank_models.data.split import Split
from bank_models.data.table import table_of
from bank_models.data.validation import Validated
from bank_models.errors import IntegrityError
from bank_models.files import folders, manifest, writing
from bank_models.pipeline import fit_result as results
from bank_models.pipeline.fit_result import FitResult
from bank_models.pipeline.rows import Parts, Rows
from bank_models.runs import model_file
from bank_models.runs.names import FACTS_OF_FIT, MEASURED, MODEL, ROWS, SPLIT
from bank_models.runs.parts import write_split
from bank_models.training.recipe import make_recipe

if TYPE_CHECKING:
    from bank_models.config.schema import TrainingConfig
    from bank_models.data.table import Table
    from bank_models.training.fit import Recipe

BESIDE_ROWS, ON_VAL = "rows.parquet", "val_scores.parquet"
OF_CLOCK = ("fit_time", "score_time", "seconds")  # columns of folds and trials that no two fits share


def write(home: Path, config: TrainingConfig, rows: Rows, fit_result: FitResult) -> None:
    """Write the rows, the split and the model of a fit; the same fit gives the same bytes.

    Parameters
    ----------
    home : Path
        Gets `data.parquet`, the valid rows; `split.parquet`, the part of each; and `model/`, which is written last.
    config : TrainingConfig
    rows : Rows
    fit_result : FitResult
    """
    home.mkdir(parents=True, exist_ok=True)
    table, every = rows.table, np.arange(len(rows.table.frame))
    split = rows.parts.split if rows.parts else Split(every, every[:0], every[:0])  # a clustering is fitted on all
    with writing.replaced(home / ROWS) as path:
        _write_frame(path, table.valid.frame)
    with writing.replaced(home / SPLIT) as path:
        write_split(path, split)
    with folders.published(home / MODEL) as folder:
        results.write(folder, _without_clock(fit_result), config.artifacts)
        _write_frame(folder / BESIDE_ROWS, _beside(rows))
        if fit_result.val_score is not None:
            _write_frame(folder / ON_VAL, _columns("score", fit_result.val_score) | _columns("unseen", fit_result.unseen))
        writing.write_json(folder / FACTS_OF_FIT, _facts(rows, fit_result, split))


def read(home: Path, config: TrainingConfig) -> tuple[Rows, FitResult]:
    """Read what `write` has written.

    Raises
    ------
    IntegrityError
        If a file is not what was written.
    """
    folder = home / MODEL
    facts = json.loads(manifest.read_verified(folder, FACTS_OF_FIT))
    rows = _read_rows(home, config, facts)
    return rows, _read_result(folder, make_recipe(config, rows.table.features), facts)


def copy_fitted(home: Path, run_dir: Path) -> None:
    """Put the files of a fit that a run folder has too into one."""
    for name in manifest.names_in_manifest(home / MODEL):
        if name not in (FACTS_OF_FIT, BESIDE_ROWS, ON_VAL):
            (run_dir / name).write_bytes(manifest.read_verified(home / MODEL, name))


def _read_rows(home: Path, config: TrainingConfig, facts: dict[str, Any]) -> Rows:
    frame = pd.read_parquet(home / ROWS).astype(facts["units_of_time"])
    beside = _read_frame(home / MODEL, BESIDE_ROWS)
    if hashing.frame_sha256(frame) != facts["frame_sha256"]:
        raise IntegrityError(f"{home / ROWS} is not what the model was fitted on. Type: dvc repro fit@{config.use_case.key}")
    valid = Validated(frame, beside["row"].to_numpy(), facts["valid_notes"])
    table = table_of(valid, config.use_case, _array(beside, "true_score"))
    groups = None
    if "true_group" in beside:  # of the rows of the source, as the source gives them
        groups = np.zeros(int(valid.rows.max()) + 1, dtype=beside["true_group"].dtype)
        groups[valid.rows] = beside["true_group"]
    data = Dataset(frame, facts["data"]["provenance"], true_groups=groups, notes=facts["data"]["notes"])
    return Rows(data, table, _read_parts(home, config, table, facts) if facts["seeds"] else None)


def _read_parts(home: Path, config: TrainingConfig, table: Table, facts: dict[str, Any]) -> Parts:
    part = pq.read_table(home / SPLIT)["part"].to_pandas().to_numpy()
    order = np.arange(len(part))
    if config.data_split.method == "temporal":
        order = np.argsort(table.times, kind="stable")
    found = Split(*(order[part[order] == name] for name in ("train", "val", "test")))
    if found.sha256() != facts["split_sha256"]:
        raise IntegrityError(f"{home / SPLIT} is not the split of the fit. Type: dvc repro fit@{config.use_case.key}")
    return Parts(found, tuple(facts["seeds"]))


def _read_result(folder: Path, recipe: Recipe, facts: dict[str, Any]) -> FitResult:
    names, search = manifest.names_in_manifest(folder), None
    if facts["search"]:
        from bank_models.tuning.tune import SearchResult

        search = SearchResult(**facts["search"], table=_read_table(folder, "trials.csv"))
    on_val = _read_frame(folder, ON_VAL) if ON_VAL in names else None
    return FitResult(
        recipe=search.applied_to(recipe) if search else recipe,
        model=model_file.load(folder, MEASURED) if MEASURED in names else model_file.load(folder),
        deployed=model_file.load(folder) if MEASURED in names else None,
        n_fitted_rows=facts["n_fitted_rows"],
        val_score=_array(on_val, "score"),
        unseen=_array(on_val, "unseen"),
        best_iteration=facts["best_iteration"],
        history=_read_table(folder, "history.csv"),
        cv_results=_read_table(folder, "cv_results.csv") if "cv_results.csv" in names else pd.DataFrame(),
        search=search,
        stability=facts["stability"],
    )


def _facts(rows: Rows, fit_result: FitResult, split: Split) -> dict[str, Any]:
    search, frame = fit_result.search, rows.table.valid.frame
    return {
        "data": {"provenance": rows.data.provenance, "notes": rows.data.notes},
        "valid_notes": rows.table.valid.notes,
        "frame_sha256": hashing.frame_sha256(frame),
        "units_of_time": {name: str(dtype) for name, dtype in frame.dtypes.items() if dtype.kind == "M"},  # Parquet knows fewer
        "split_sha256": split.sha256(),
        "seeds": rows.parts and rows.parts.seeds,
        "best_iteration": fit_result.best_iteration,
        "stability": fit_result.stability,
        "n_fitted_rows": fit_result.n_fitted_rows,
        "search": search and {
            "params": search.params,
            "weights": search.weights,
            "notes": search.notes,
            "facts": {name: value for name, value in search.facts.items() if "seconds" not in name},
        },
    }  # fmt: skip


def _without_clock(fit_result: FitResult) -> FitResult:
    folds, search = fit_result.cv_results.drop(columns=list(OF_CLOCK), errors="ignore"), fit_result.search
    if search:
        search = replace(search, table=search.table.drop(columns=list(OF_CLOCK), errors="ignore"))
    return replace(fit_result, cv_results=folds, search=search)


def _beside(rows: Rows) -> dict[str, np.ndarray]:
    """What is known of each valid row beside its columns: its place in the source, and a simulator's truth."""
    found = {"row": rows.table.valid.rows}
    if rows.table.true_score is not None:
        found |= _columns("true_score", rows.table.true_score)
    if rows.data.true_groups is not None:
        found["true_group"] = rows.data.true_groups[rows.table.valid.rows]
    return found


def _columns(name: str, values: np.ndarray) -> dict[str, np.ndarray]:
    return {name: values} if values.ndim == 1 else {f"{name}_{code}": column for code, column in enumerate(values.T)}


def _array(frame: pd.DataFrame | None, name: str) -> np.ndarray | None:
    """The array that `_columns` has put into a table under this name; None if there is none."""
    if frame is None or not any(column == name or column.startswith(f"{name}_") for column in frame):
        return None
    if name in frame:
        return frame[name].to_numpy()
    return np.column_stack([frame[f"{name}_{code}"] for code in range(sum(c.startswith(f"{name}_") for c in frame))])


def _write_frame(path: Path, frame: pd.DataFrame | dict[str, np.ndarray]) -> None:
    pd.DataFrame(frame).to_parquet(path, index=False, compression="zstd", write_page_checksum=True)


def _read_frame(folder: Path, name: str) -> pd.DataFrame:
    return pd.read_parquet(io.BytesIO(manifest.read_verified(folder, name)))


def _read_table(folder: Path, name: str) -> pd.DataFrame:
    text = io.BytesIO(manifest.read_verified(folder, name))
    return unescaped_frame(pd.read_csv(text))
