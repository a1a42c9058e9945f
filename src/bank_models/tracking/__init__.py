"""Experiment tracking: DVCLive, MLflow and the log of all runs.

All of it is read from the run folder, when that is complete. So a tracker says what the folder says, and one that is down
costs the run nothing but a warning.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

log = logging.getLogger(__name__)


def track(
    run_dir: Path, kind: str, path: str | None, uri_env: str | None, experiments: str | None, name: str | None = None
) -> None:
    """Hand a finished run to a tracker, and add it to the experiments.

    Parameters
    ----------
    run_dir : Path
    kind : {"dvclive", "mlflow", "none"}
    path : str, optional
        Folder that DVCLive fills.
    uri_env : str, optional
        Environment variable that holds the address of MLflow's server.
    experiments : str, optional
        File that gets a line.
    name : str, optional
        What the run is called there, `hydra.job.name`; its model's name if nothing was typed.
    """
    if experiments:
        from bank_models.runs import experiments as kept

        _attempt(experiments, lambda: kept.append(Path(experiments), kept.experiment(run_dir, name)))
    if kind == "dvclive":
        from bank_models.tracking import dvclive

        _attempt("tracking=dvclive", lambda: dvclive.log(run_dir, Path(path)))
    if kind == "mlflow":
        from bank_models.config import secrets
        from bank_models.tracking import mlflow

        if said := _attempt(
            "tracking=mlflow", lambda: mlflow.log(run_dir, secrets.of_mlflow("tracking.uri_env", uri_env), name)
        ):
            print(said)


def _attempt(what: str, act: Callable[[], str | None]) -> str | None:
    try:
        return act()
    except Exception as error:  # whatever it is, the run is done and good
        said = next(iter(str(error).splitlines()), "")
        log.warning(f"{what} failed, the run itself did not: {type(error).__name__}{': ' if said else ''}{said}")
        return None
