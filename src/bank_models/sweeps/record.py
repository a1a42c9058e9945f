"""Record of a finished job: a JSON file beside its run folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from bank_models.errors import IntegrityError
from bank_models.files import manifest, writing
from bank_models.runs import record as runs


def record_path(run_dir: Path) -> Path:
    """File that tells what became of the job whose run folder this is."""
    return run_dir.with_name(run_dir.name + ".json")


def log_path(run_dir: Path) -> Path:
    """File that takes what the job printed."""
    return run_dir.with_name(run_dir.name + ".log")


def write(path: Path, record: dict[str, Any]) -> None:
    """Write a record whole or not at all."""
    text = json.dumps(record, indent=2, sort_keys=True, allow_nan=False, ensure_ascii=False) + "\n"
    writing.replace_text(path, text)


def read(run_dir: Path) -> dict[str, Any] | None:
    """The record of a job, None if it has not ended."""
    try:
        return json.loads(record_path(run_dir).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def is_finished(run_dir: Path, fingerprint: str) -> bool:
    """Whether a job ended well, from the same settings, code and data, and its run folder is what was written."""
    record = read(run_dir)
    if not record or record["status"] != "ok" or record["fingerprint"] != fingerprint:
        return False
    try:
        names = manifest.read_manifest(run_dir)
        for name in names:
            manifest.read_verified(run_dir, name)
    except (OSError, IntegrityError):
        return False
    return "metrics.json" in names


def facts_of_run(run_dir: Path) -> dict[str, Any]:
    """What the table of a sweep shows of a run, read from its folder."""
    run = runs.read(run_dir)
    primary = run.headline
    return {
        "use_case": run.facts["use_case_key"],
        "model": run.facts["model"],
        "metric": run.metric,
        "value": primary.value,
        "ci_low": primary.low,
        "ci_high": primary.high,
        "baseline": primary.baseline,
        "ceiling": primary.ceiling,
    }
