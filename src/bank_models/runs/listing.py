"""Run listing: find and filter runs, differences between their settings, best by validation score."""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bank_models.commands import as_typed
from bank_models.config.effects import NO_NUMBER
from bank_models.errors import ConfigError
from bank_models.files.manifest import MANIFEST
from bank_models.runs.names import FACTS_OF_FIT
from bank_models.runs.record import FACTS, RunRecord, read

ROOTS = (Path("runs"), Path("multirun"))
MARKS = {MANIFEST, FACTS}
FILTERS = ("use_case", "model", "metric", "task")
DIFFERING = ("data_source", "data_split", "cv", "early_stopping", "tuning", "calibration", "class_weight", "device", "seed")
MOST_DIFFERENCES = 4
FEWEST_COMPARED, MOST_COMPARED = 2, 6  # runs on one page


@dataclass(frozen=True)
class ListedRun:
    """A run folder and its record."""

    folder: Path
    record: RunRecord

    @property
    def created_at(self) -> str:
        return self.record.fact("created_at") or ""

    def facts(self) -> dict[str, Any]:
        """What a filter compares, and what a line of a list shows."""
        run, primary = self.record, self.record.headline
        return {
            "run": str(self.folder),
            "use_case": run.facts["use_case_key"],
            "model": run.facts["model"],
            "task": run.task,
            "metric": run.metric,
            "value": primary.value,
            "low": primary.low,
            "high": primary.high,
            "val_score": run.metrics.get("val_score"),
            "created_at": self.created_at or None,
            "seconds": round(sum((run.fact("durations_s") or {}).values()), 1) or None,
        }


def on_one_page(folders: Iterable[Path | str]) -> str:
    """What to type to see runs beside one another, the first ones if they are many."""
    first = list(folders)[:MOST_COMPARED]
    return as_typed(f"On one page: python -m src.report compare {shlex.join(map(str, first))}")


def find(roots: Iterable[Path] = ROOTS) -> tuple[list[ListedRun], list[str]]:
    """Every run below some folders, the newest first, and a sentence on each that cannot be read.

    Links to other folders are not followed.
    """
    found, broken = [], []
    for root in roots:
        for folder, names, files in os.walk(root):
            names[:] = sorted(name for name in names if not name.startswith("."))
            if not MARKS & set(files):
                continue
            names.clear()
            if FACTS_OF_FIT in files and FACTS not in files:  # a stage of DVC; the run that evaluates it stands beside it
                continue
            try:
                run = ListedRun(Path(folder), read(Path(folder)))
                run.facts()
                found.append(run)
            except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
                broken.append(f"{folder} cannot be read: {' '.join(str(error).split())[:120]}")
    return sorted(found, key=lambda run: run.created_at, reverse=True), broken


def chosen(runs: Iterable[ListedRun], filters: Iterable[str]) -> list[ListedRun]:
    """Runs that every filter lets through.

    Raises
    ------
    ConfigError
        If a filter is no `key=value` of a key that there is.
    """
    kept = list(runs)
    for text in filters:
        key, is_pair, values = text.partition("=")
        if not is_pair or key not in FILTERS:
            raise ConfigError(f"{text} is not a filter. A filter is written key=value: {', '.join(FILTERS)}")
        kept = [run for run in kept if run.facts()[key] in values.split(",")]
    return kept


def best(runs: Iterable[ListedRun]) -> list[ListedRun]:
    """The run of each use case with the best score on val, which is there to choose by; test is not."""
    found: dict[str, ListedRun] = {}
    for run in runs:
        key, score = run.facts()["use_case"], run.record.metrics.get("val_score")
        if score is not None and (key not in found or score > found[key].record.metrics["val_score"]):
            found[key] = run
    return [found[key] for key in sorted(found)]


def at(folder: Path) -> ListedRun:
    """The run in a folder.

    Raises
    ------
    ConfigError
        If there is none.
    """
    try:
        run = ListedRun(folder, read(folder))
        run.facts()
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ConfigError(f"{folder} is not a run folder. To list those that there are: python -m src.runs list") from error
    return run


def settings(run: ListedRun) -> dict[str, Any]:
    """Settings that a number of the run may depend on, flat, by the names that the command line knows."""
    config = {key: value for key, value in run.record.facts["config"].items() if key not in (*NO_NUMBER, "use_case", "members")}
    model = config.pop("model")
    chosen_of = {f"model.params.{name}": value for name, value in (run.record.fact("params") or {}).items()}
    return {"model": model["name"], **_flat({key: config[key] for key in DIFFERING if key in config}), **chosen_of}


def differences(runs: list[ListedRun]) -> dict[str, list[Any]]:
    """Settings in which some runs differ, each with the value of every run; None where a run has no such setting."""
    all_of = [settings(run) for run in runs]
    names = dict.fromkeys(name for one in all_of for name in one)
    values = {name: [one.get(name) for one in all_of] for name in names}
    return {name: each for name, each in values.items() if any(one != each[0] for one in each)}


def in_words(run: ListedRun, others: list[ListedRun]) -> str:
    """What tells a run from others of the same use case and model: `model.params.max_depth=3, seed=1`."""
    alike = [one for one in others if one.facts()["use_case"] == run.facts()["use_case"]]
    alike = [one for one in alike if one.facts()["model"] == run.facts()["model"]]
    found = differences([run, *alike]) if len(alike) > 1 else {}
    said = [f"{name.removeprefix('model.params.')}={_short(values[0])}" for name, values in found.items()]
    more = f" and {len(said) - MOST_DIFFERENCES} more" if len(said) > MOST_DIFFERENCES else ""
    return ", ".join(said[:MOST_DIFFERENCES]) + more


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= 24 else f"{text[:23]}…"


def _flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in values.items():
        found |= _flat(value, f"{prefix}{name}.") if isinstance(value, Mapping) and value else {prefix + name: value}
    return found
