"""What a run leaves for DVC and git: the same bytes whenever and wherever the same run is repeated."""

from __future__ import annotations

import csv
import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from src.errors import IntegrityError
from src.files import folders, manifest, writing

if TYPE_CHECKING:
    from src.config.schema import TrainingConfig

FOR_READING = (".html", ".md")  # pages made from the other files, with clock times in them
OF_ONE_TIME_FACTS = ("created_at", "durations_s", "looks", "n_threads")
OF_ONE_TIME = (manifest.MANIFEST, "resources.csv")
CLOCK_COLUMNS = {"cv_results.csv": ("fit_time", "score_time"), "trials.csv": ("seconds",)}
OF_ONE_MACHINE = ("code_sha256", "cpu_count", "git", "platform")


def rows_path(run_dir: Path) -> Path:
    """Where the validated rows of a run stand."""
    return run_dir.with_name(run_dir.name + ".parquet")


def write_rows(path: Path, config: TrainingConfig, frame_sha256: str) -> None:
    """Save the validated rows of a run.

    Raises
    ------
    IntegrityError
        If they are not those that it was trained on.
    """
    from src.data import hashing, load
    from src.data.table import make_table

    data = load.load(use_case=config.use_case, **config.data_source.model_dump())
    frame = make_table(data, config.use_case).valid.frame
    if hashing.frame_sha256(frame) != frame_sha256:
        raise IntegrityError(f"{config.use_case.key}: read twice, the rows differ. Something changed them meanwhile.")
    part = path.with_name(f".{path.name}-{os.getpid()}")
    try:
        frame.to_parquet(part, index=False, compression="zstd", write_page_checksum=True)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    part.replace(path)


def publish(run_dir: Path, home: Path) -> None:
    """Lay a run out as the outputs of a stage, without what differs from one time or machine to another.

    `run/` is a run folder that `src.runs.model_file.load` reads, and `data.parquet` its rows: for DVC's cache. `metrics.json`,
    `summary.json` and `plots/` are small: for git.
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
    shutil.copyfile(rows_path(run_dir), home / "data.parquet")
    shutil.copyfile(run_dir / "metrics.json", home / "metrics.json")
    writing.write_json(home / "summary.json", summary(run_dir))
    shutil.rmtree(home / "plots", ignore_errors=True)
    shutil.copytree(run_dir / "plots", home / "plots")
    if (run_dir / "reliability.csv").is_file():
        _copy_columns(
            run_dir / "reliability.csv", home / "plots" / "calibration.csv", ("calibration",), {"calibration": "after"}
        )


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
    """The line of a run in the table of the portfolio: what `dvc metrics show` and `dvc metrics diff` print."""
    from src.sweeps import record

    facts = record.facts_of_run(run_dir)
    return {key: value for key, value in facts.items() if key != "use_case" and value is not None}


def _copy_columns(path: Path, to: Path, left_out: tuple[str, ...], only: Mapping[str, str] = MappingProxyType({})) -> None:
    """Copy a CSV without some columns, and if need be only the rows with some values."""
    with path.open(newline="", encoding="utf-8") as file, to.open("w", newline="", encoding="utf-8") as written:
        rows = csv.DictReader(file)
        kept = [name for name in rows.fieldnames or [] if name not in left_out]
        writer = csv.DictWriter(written, kept, extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        writer.writerows(row for row in rows if only.items() <= row.items())
