"""Stage `evaluate`: a run folder, from the files of a fit."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from bank_models.files import folders
from bank_models.pipeline import handover
from bank_models.pipeline.evaluate import evaluation_of, files, score_of
from bank_models.pipeline.evaluate.leaks import warned
from bank_models.runtime.blas import one_thread_of_blas
from bank_models.runtime.progress import Steps

if TYPE_CHECKING:
    from bank_models.config.schema import TrainingConfig


def evaluate(config: TrainingConfig, home: Path, run_dir: Path, hydra_files: dict[str, str]) -> float:
    """Evaluate what a fit has left, and write one run without its documents; return its score, higher is better.

    Parameters
    ----------
    config : TrainingConfig
    home : Path
        Folder that `bank_models.pipeline.handover.write` has filled.
    run_dir : Path
        Is filled in one step.
    hydra_files : dict of str to str
        Texts of `.hydra/`, by path.
    """
    with one_thread_of_blas(), Steps(f"{config.use_case.key} · {config.model.name}", config.device) as steps:
        with steps.step("load"):
            rows, fit_result = handover.read(home, config)
        rows = warned(config, rows)
        with steps.step("evaluate"):
            found = evaluation_of(config.use_case.task)(config, rows, fit_result)
        with steps.step("write"), folders.published(run_dir) as folder:
            handover.copy_fitted(home, folder)
            files.write(folder, config, rows, fit_result, found, steps, hydra_files, None)
    return score_of(config.use_case, found.metrics)
