"""Outputs of DVC's stages: the same bytes whenever the same run is repeated."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from bank_models.files import folders, manifest, writing
from bank_models.runs.names import MODEL, ROWS, SPLIT

FOR_READING = (".html", ".md")  # pages made from the other files, with clock times in them
OF_ONE_TIME_FACTS = ("created_at", "durations_s", "looks", "n_threads")
OF_ONE_TIME = (manifest.MANIFEST, "resources.csv")
CLOCK_COLUMNS = {"cv_results.csv": ("fit_time", "score_time"), "trials.csv": ("seconds",)}
DIGITS = 8
OF_OTHERS = {"clustering": ("silhouette", "davies_bouldin", "calinski_harabasz"), "anomaly": ("roc_auc", "average_precision")}
OF_ONE_MACHINE = ("code_sha256", "cpu_count", "git", "platform")


def publish_fit(made: Path, home: Path) -> None:
    """Lay the files of a fit out as the outputs of a stage: see `bank_models.pipeline.handover`."""
    home.mkdir(parents=True, exist_ok=True)
    for name in (ROWS, SPLIT):
        shutil.copyfile(made / name, home / name)
    with folders.published(home / MODEL) as folder:
        for name in manifest.names_in_manifest(made / MODEL):
            shutil.copyfile(made / MODEL / name, folder / name)


def publish(run_dir: Path, home: Path) -> None:
    """Lay a run out as the outputs of a stage, without what differs from one time or machine to another.

    `run/` is a run folder that `bank_models.runs.model_file.load` reads: for DVC's cache. `metrics.json`, `summary.json` and
    `plots/` are small: for git.
    """
    home.mkdir(parents=True, exist_ok=True)
    with folders.published(home / "run") as folder:
        for path in sorted(path for path in run_dir.iterdir() if path.is_file()):
            if path.name in OF_ONE_TIME or path.suffix in FOR_READING:
                continue
            if path.name in CLOCK_COLUMNS:
                _copy_columns(path, folder / path.name, CLOCK_COLUMNS[path.name])
            elif path.name == "metadata.json":
                writing.write_json(folder / path.name, timeless(json.loads(path.read_text(encoding="utf-8"))))
            else:
                shutil.copyfile(path, folder / path.name)
    writing.write_json(home / "metrics.json", shortened(json.loads((run_dir / "metrics.json").read_text(encoding="utf-8"))))
    writing.write_json(home / "summary.json", shortened(summary(run_dir)))
    shutil.rmtree(home / "plots", ignore_errors=True)
    (home / "plots").mkdir()
    for path in sorted((run_dir / "plots").glob("*.csv")):
        _copy_columns(path, home / "plots" / path.name, digits=DIGITS)
    if (run_dir / "reliability.csv").is_file():
        to, after = home / "plots" / "calibration.csv", {"calibration": "after"}
        _copy_columns(run_dir / "reliability.csv", to, ("calibration",), after, DIGITS)


def timeless(facts: dict[str, Any]) -> dict[str, Any]:
    """A run's metadata without clock times, and without what only its machine and its past had to do with."""
    environment = {key: value for key, value in facts["environment"].items() if key not in OF_ONE_MACHINE}
    config = facts["config"] | {"n_threads": None, "resume": False}
    tuning = facts.get("tuning") and {key: value for key, value in facts["tuning"].items() if "seconds" not in key}
    kept = {key: value for key, value in facts.items() if key not in OF_ONE_TIME_FACTS}
    if looked := facts.get("look"):
        kept["look"] = {key: value for key, value in looked.items() if key != "settings"}  # which knows all code there is
    return kept | {"environment": environment, "config": config, "tuning": tuning}


def summary(run_dir: Path) -> dict[str, Any]:
    """The line of a run in the table of the portfolio: what `dvc metrics show` and `dvc metrics diff` print.

    The primary metric is `value`; beside it stand the scores that the specification lists for the task.
    """
    from bank_models.metrics.headline import score_name
    from bank_models.metrics.scores import SCORING
    from bank_models.runs import record
    from bank_models.sweeps.record import facts_of_run

    run, facts = record.read(run_dir), facts_of_run(run_dir)
    listed = {name: run.metrics.get(score_name(name, run.metrics)) for name in SCORING.get(run.task) or OF_OTHERS[run.task]}
    return {key: value for key, value in (facts | listed).items() if key != "use_case" and value is not None}


def shortened(value: Any) -> Any:
    """Numbers of nested values with eight significant digits: what follows differs from one kind of processor to the next."""
    if isinstance(value, dict):
        return {key: shortened(one) for key, one in value.items()}
    return float(f"{value:.{DIGITS}g}") if isinstance(value, float) else value


def _copy_columns(
    path: Path,
    to: Path,
    left_out: tuple[str, ...] = (),
    only: Mapping[str, str] = MappingProxyType({}),
    digits: int | None = None,
) -> None:
    """Copy a CSV without some columns, if need be only the rows with some values, and numbers with so many digits."""
    with path.open(newline="", encoding="utf-8") as file, to.open("w", newline="", encoding="utf-8") as written:
        rows = csv.DictReader(file)
        kept = [name for name in rows.fieldnames or [] if name not in left_out]
        writer = csv.DictWriter(written, kept, extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        for row in rows:
            if only.items() <= row.items():
                writer.writerow(row if digits is None else {key: _shortened(cell) for key, cell in row.items()})


def _shortened(cell: str) -> str:
    """A cell of a CSV: a number of more than eight digits with as many, everything else as it is."""
    try:
        return repr(float(f"{float(cell):.{DIGITS}g}")) if len(cell) > DIGITS and not cell.isdigit() else cell
    except ValueError:
        return cell
