"""Writer of the model: its file, those of its scaler and encoder, and the tables of its training."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from bank_models.models.layers import pipeline_of
from bank_models.runs import model_file
from bank_models.runs.tables import write_tables

if TYPE_CHECKING:
    import pandas as pd


def write(folder: Path, model: Any, core: Any, tables: dict[str, pd.DataFrame], artifacts: str) -> None:
    """Write the files of a fit.

    Parameters
    ----------
    folder : Path
    model : object
        With its calibration and its decisions.
    core : Pipeline, OnTargetScale or ensemble
        The fitted model below them.
    tables : dict of str to DataFrame
        Rounds, folds and trials, those of them that there are, by the names of their files.
    artifacts : {"skops", "joblib", "pickle"}
    """
    for name, fitted in {"model": model, **preprocessing_steps(core)}.items():
        model_file.dump(folder / f"{name}.skops", fitted)
        if (ending := model_file.PICKLES.get(artifacts)) is not None:
            model_file.dump_pickle(folder / f"{name}{ending}", fitted)
    write_tables(folder, tables)


def preprocessing_steps(core) -> dict[str, Any]:
    """The fitted scaler and encoder inside a model, those of them that it has; an ensemble's stay inside its members."""
    pipeline = pipeline_of(core)
    if not hasattr(pipeline, "named_steps"):
        return {}
    columns = pipeline.named_steps["features"].named_transformers_
    found = {"encoder": columns.get("category")}
    if "number" in columns:
        found["scaler"] = columns["number"].named_steps.get("scaler")
    return {name: step for name, step in found.items() if step is not None}
