"""Stage `fit`: rows, split and model, as files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from bank_models.pipeline import handover
from bank_models.pipeline.fit import fit_of
from bank_models.pipeline.fit.prepare import prepare
from bank_models.runtime.blas import one_thread_of_blas
from bank_models.runtime.progress import Steps

if TYPE_CHECKING:
    from bank_models.config.schema import TrainingConfig


def fit(config: TrainingConfig, home: Path, split_seed: int | None = None) -> None:
    """Fit, and write what an evaluation needs; no test row is looked at but by a model of all rows, which no metric is of.

    Parameters
    ----------
    config : TrainingConfig
    home : Path
        Folder that `bank_models.pipeline.handover.write` fills.
    split_seed : int, optional
        By which the use case's own options split the rows.
    """
    with one_thread_of_blas(), Steps(f"{config.use_case.key} · {config.model.name}", config.device) as steps:
        rows = prepare(config, steps, split_seed)
        fit_result = fit_of(config.use_case.task)(config, rows, steps)
        with steps.step("write"):
            handover.write(home, config, rows, fit_result)
