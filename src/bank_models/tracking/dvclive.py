"""DVCLive: the newest run for `dvc metrics`, `dvc params`, `dvc plots` and editors.

DVCLive rewrites its files at every step it is told of, which costs milliseconds a round; told of whole curves it writes each
of them once.
"""

from __future__ import annotations

import json
import logging
import os
from pathlib import Path
from typing import Any

import pandas as pd

from bank_models.errors import ConfigError
from bank_models.files import folders, manifest, writing
from bank_models.tracking import dvc_folders

PLOTS = (  # table of the run folder, name of the plot, column that it runs over, columns that it shows, title
    ("history", "loss", "round", ["train_loss", "val_loss"], "Loss by round"),
    ("history", "learning_rate", "round", ["learning_rate"], "Learning rate by round"),
    ("resources", "processor", "at_s", ["cpu_percent", "gpu_percent"], "Processor in per cent, by seconds"),
    ("resources", "memory", "at_s", ["memory_mb", "gpu_memory_mb"], "Memory in MB, by seconds"),
)
DVC_YAML = "dvc.yaml"


def log(run_dir: Path, home: Path) -> None:
    """Fill a folder with params, metrics and plots of a run; it takes the place of what an earlier run left there.

    Parameters
    ----------
    run_dir : Path
        Finished.
    home : Path

    Raises
    ------
    ConfigError
        If the folder holds something else.
    """
    home = home.absolute()
    if home.exists() and any(home.iterdir()) and not (home / DVC_YAML).is_file():
        raise ConfigError(f"{os.path.relpath(home)} exists and is not DVCLive's: choose another with tracking.path=…")
    home.parent.mkdir(parents=True, exist_ok=True)
    folders.remove_abandoned(home.parent, home.name)
    with folders.scratch(f".{home.name}-{os.getpid()}-", home.parent) as staging:
        _write(run_dir, staging)
        staging.chmod(0o755)
        writing.replace_folder(home, staging)


def _write(run_dir: Path, folder: Path) -> None:
    logging.getLogger("dvclive").setLevel(logging.ERROR)
    from dvclive import Live

    facts, metrics = (json.loads(manifest.read_verified(run_dir, f"{name}.json")) for name in ("metadata", "metrics"))
    if dvc_folders.TEMPORARY.parent.is_dir():
        os.environ.update(dvc_folders.environment(Path.cwd()))
    live = Live(str(folder), save_dvc_exp=False, dvcyaml=None)
    try:
        live.log_params(_params(facts))
        for table, name, x, columns, title in PLOTS:
            _log_plot(live, pd.read_csv(run_dir / f"{table}.csv"), name, x, columns, title)
        live.summary.update(metrics)
        live.end()
        live._dvc_file = str(folder / DVC_YAML)  # told at the start, it would be sought in every stage's outputs, for a second
        live.make_dvcyaml()
    finally:
        if live._dvc_repo is not None:  # left open, its files are closed too late, with tracebacks at the interpreter's end
            live._dvc_repo.close()


def _params(facts: dict[str, Any]) -> dict[str, Any]:
    config = facts["config"]
    chosen = {name: config[name] for name in ("data_source", "data_split", "cv", "early_stopping", "calibration", "seed")}
    return {"use_case": facts["use_case_key"], "model": {"name": facts["model"], "params": facts["params"]}, **chosen}


def _log_plot(live, table: pd.DataFrame, name: str, x: str, columns: list[str], title: str) -> None:
    """Plot the columns that have values; of an ensemble, once for each member that trains in rounds."""
    for member, part in table.groupby("member", sort=False) if "member" in table else [(None, table)]:
        if there := [column for column in columns if part[column].notna().any()]:
            rows = part[[x, *there]].dropna().to_dict("records")
            plot = f"{name}_{member}".replace(":", "_") if member else name  # a file, which other systems may not name so
            live.log_plot(plot, rows, x=x, y=there, template="linear", title=title)
