"""Log of all runs: one JSON line each, for `pandas.read_json(path, lines=True)`."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bank_models.files import manifest
from bank_models.runs import record

NAMES = {"scikit-learn": "sklearn"}


def experiment(run_dir: Path, name: str | None = None) -> dict[str, Any]:
    """What the specification records of a run, and which run it is.

    Parameters
    ----------
    run_dir : Path
        Finished.
    name : str, optional
        What the run is called; its model's name if None.

    Returns
    -------
    dict
        `timestamp`, `name`, `use_case`, `model`, `model_type` (the estimator's class), `parameters`, `metrics`, `artifacts`
        (SHA-256 of each file, by its path), `environment` (versions), `seed`, `data_sha256`, `look` (None if no rows were
        tested) and `run_dir`.
    """
    run = record.read_verified(run_dir)
    facts = run.facts
    packages = {f"{NAMES.get(name, name)}_version": version for name, version in facts["environment"]["packages"].items()}
    return {
        "timestamp": facts["created_at"],
        "name": name or facts["model"],
        "use_case": facts["use_case_key"],
        "model": facts["model"],
        "model_type": facts["algorithm"],
        "parameters": facts["params"],
        "metrics": run.metrics,
        "artifacts": {name: file.sha256 for name, file in manifest.read_manifest(run_dir).items()},
        "environment": {"python_version": facts["environment"]["python"], **packages},
        "seed": facts["seed"],
        "data_sha256": facts["data"]["frame_sha256"],
        "look": facts.get("look"),
        "manifest_sha256": manifest.manifest_sha256(run_dir),
        "run_dir": os.path.relpath(run_dir),
    }


def append(path: Path, line_of: dict[str, Any]) -> None:
    """Add a line to a file that other processes may be adding to.

    A line that was being written when its process died is dropped: it never was a whole one.
    """
    line = json.dumps(line_of, sort_keys=True, allow_nan=False, ensure_ascii=False) + "\n"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+b") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.truncate(_end_of_last_line(file))
        file.write(line.encode())
        file.flush()
        os.fsync(file.fileno())


def read(path: Path) -> Iterator[dict[str, Any]]:
    """What each line says, from the oldest; what is no whole line of JSON was being written, or is somebody else's."""
    if not path.exists():
        return
    with path.open("rb") as file:
        for line in file:
            try:
                found = json.loads(line)
            except (ValueError, RecursionError):
                continue
            if isinstance(found, dict):
                yield found


def _end_of_last_line(file) -> int:
    end = file.seek(0, os.SEEK_END)
    while end:
        start = max(end - 65536, 0)
        file.seek(start)
        if (found := file.read(end - start).rfind(b"\n")) >= 0:
            return start + found + 1
        end = start
    return 0
