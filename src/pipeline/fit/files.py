"""Files of a fit: the model with its steps, rounds, folds, trials."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from src.runs import fitted

if TYPE_CHECKING:
    from src.config.schema import TrainingConfig
    from src.pipeline.learnt import Learnt


def write(folder: Path, config: TrainingConfig, learnt: Learnt) -> None:
    """Write them into a run's folder, under the names that they have there."""
    tables = {"history": learnt.history}
    tables |= {"cv_results": learnt.cv_results} if len(learnt.cv_results.columns) else {}
    tables |= {"trials": learnt.search.table} if learnt.search else {}
    fitted.write(folder, learnt.model, learnt.core, tables, config.artifacts)
