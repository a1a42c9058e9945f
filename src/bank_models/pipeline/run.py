"""Training run in one process: rows, fit, evaluation, files."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bank_models.config import CONF
from bank_models.evaluation import looks
from bank_models.files import folders
from bank_models.pipeline import documents, fit_result
from bank_models.pipeline.evaluate import evaluation_of, files, score_of
from bank_models.pipeline.evaluate.leaks import warned
from bank_models.pipeline.fit import fit_of
from bank_models.pipeline.fit.prepare import prepare
from bank_models.runs import writer
from bank_models.runtime.device import usable_cores
from bank_models.runtime.progress import Steps

if TYPE_CHECKING:
    from bank_models.config.schema import TrainingConfig
    from bank_models.pipeline.rows import Rows

log = logging.getLogger(__name__)


def train(
    config: TrainingConfig,
    run_dir: Path,
    hydra_files: dict[str, str],
    registry: Path | None = None,
    split_seed: int | None = None,
    conf: Path = CONF,
) -> float:
    """Train, test and write one run; return the primary metric on val as a score, higher is better.

    Parameters
    ----------
    config : TrainingConfig
    run_dir : Path
        Is filled in one step.
    hydra_files : dict of str to str
        Texts of `.hydra/`, by path.
    registry : Path, optional
        With whose version in production the report compares the run.
    split_seed : int, optional
        By which the use case's own options split the rows; None takes the configured one for it.
    conf : Path
        Folder of configuration that keeps what a search has found, if it is to be saved.
    """
    is_here = config.launcher.kind == "local"
    if is_here and config.tuning.method != "none" and (config.n_threads or usable_cores()) > 1:
        from bank_models.runtime.process_pool import warm_up

        warm_up()
    task = config.use_case.task
    with Steps(f"{config.use_case.key} · {config.model.name}", config.device) as steps:
        rows = warned(config, prepare(config, steps, split_seed))
        fitted = fit_of(task)(config, rows, steps)
        with steps.step("evaluate"):
            found = evaluation_of(task)(config, rows, fitted)
        with steps.step("write"), folders.published(run_dir) as folder:
            fit_result.write(folder, fitted, config.artifacts)
            facts = files.write(folder, config, rows, fitted, found, steps, hydra_files, registry)
            documents.write(folder, registry)
    _announce(rows, facts)
    if config.save_tuned:
        from bank_models.pipeline.fit.search import save_tuned

        for name, params in fitted.search.best_params().items():
            print(os.path.relpath(save_tuned(conf, config.use_case.key, name, params)))
    closing = writer.closing_line if rows.parts else writer.closing_line_of_clusters
    print(closing(facts, found.metrics))
    print(os.path.relpath(run_dir))
    return score_of(config.use_case, found.metrics)


def _announce(rows: Rows, facts: dict[str, Any]) -> None:
    """Print the notes that were not shown yet, and how often the test rows were looked at."""
    shown = rows.parts.warnings if rows.parts else []
    for note in facts["notes"]:
        if note not in shown:
            log.info(note)
    if rows.parts and (said := looks.said(facts["looks"])):
        log.info(said)
