"""Registry entry of a version, as the specification defines it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bank_models.models.estimators import as_fitted
from bank_models.runs import provenance

CREATED_BY = "training_pipeline"
NAMES = {"f1": "f1_score"}  # where the specification's word for a metric isn't scikit-learn's


def make_entry(facts: dict[str, Any], metrics: dict[str, float], version: str, folder: Path) -> dict[str, Any]:
    """An entry of a version that was just trained.

    Parameters
    ----------
    facts, metrics : dict
        `metadata.json` and `metrics.json` of the run.
    version : str
    folder : Path
        Where the version stands.

    Returns
    -------
    dict
        `metrics` are those of the test rows, where there is a test; of a clustering, those of all rows. `hyperparameters` are
        those of the model: where early stopping ended the training, its number of rounds. What was asked for is `params` in
        `metadata.json`.
    """
    split = facts.get("split")
    return {
        "model_id": f"{facts['use_case_id']}-v{version}",
        "use_case_key": facts["use_case_key"],
        "algorithm": facts["algorithm"],
        "version": version,
        "created_at": facts.get("created_at") or provenance.now(),  # runs that DVC keeps hold no clock times
        "created_by": CREATED_BY,
        "metrics": test_metrics(metrics),
        "hyperparameters": as_fitted(facts["algorithm"], facts["params"], facts.get("best_iteration")),
        "feature_count": facts["feature_count"],
        "training_samples": facts.get("n_fitted_rows", split["n_rows"]["train"] if split else facts["data"]["n_valid_rows"]),
        "file_path": (folder / "model.skops").as_posix(),
        "status": "staging",
    }


def test_metrics(metrics: dict[str, float]) -> dict[str, float]:
    """Metrics of the test rows by their own names; where nothing was tested, all there are."""
    tested = {name.removeprefix("test_"): value for name, value in metrics.items() if name.startswith("test_")}
    return {NAMES.get(name, name): value for name, value in (tested or metrics).items()}
