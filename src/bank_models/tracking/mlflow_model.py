"""MLflow model flavour: `mlflow.pyfunc.load_model("models:/fair_lending/1").predict(applications)`.

It needs this package where it is called. No code comes with the model, because whoever could write to the server could then run
theirs here.
"""

from __future__ import annotations

from pathlib import Path

from bank_models.files import manifest
from bank_models.scoring.model import ScoringModel, load


def _load_pyfunc(path: str) -> ScoringModel:
    """Read a run folder, every byte verified before it is used; the name is MLflow's."""
    manifest.verify(Path(path))
    return load(Path(path))
