"""Reader of run folders for the scoreboard; a broken one hides no other."""

from __future__ import annotations

import csv
import json
import math
import os
import stat
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bank_models.errors import ConfigError, IntegrityError
from bank_models.evaluation import validity
from bank_models.evaluation.requirements import parity_ratios
from bank_models.files import manifest
from bank_models.metrics.headline import Headline, headline
from bank_models.metrics.names import as_score
from bank_models.runs import extensions
from bank_models.runs.names import FACTS_OF_FIT
from bank_models.training import repeats

MARKS = {manifest.MANIFEST, "metadata.json", "model.skops"}  # a folder with one of them is, or was, a run folder
DATA_KINDS = {"packaged": "real"}


@dataclass(frozen=True)
class Run:
    """A training that ended well.

    Attributes
    ----------
    run_dir, root : Path
        Its folder, and the folder in which it was found.
    use_case, department, task, model, metric : str
    name : str
        Of the use case, for people.
    headline : Headline
        The primary metric.
    baseline_name : str or None
    repeated : str
        Score of a repeated cross-validation with half of its 95 % interval, repeats x folds; empty where it was not repeated.
    score : float or None
        On val, higher is better: by this runs are compared, because test is not there to choose by.
    rows : str
        Hash of the rows and of their parts: scores of others cannot be compared.
    n_rows : int or None
    data, proxy_for : str or None
    weighted_by : str or None
        Column whose weights the figures go by.
    created_at : str or None
        UTC; None in what DVC keeps, which holds no clock times.
    seconds, peak_mb : float or None
    minimum_score : float or None
        That the use case demands, in the metric's own sign; `minimum_reason` says why.
    stability : float or None
        Of clusters.
    directions : dict of str to int
        That features declare; `violations` are the largest steps against them.
    is_direction_required : bool
    parity : dict of str to float
        Lowest over highest selection rate, by protected column.
    validity : tuple of Finding
        What speaks for and against its numbers.
    damage : str or None
        What is wrong with the folder's bytes.
    has_report : bool
    """

    run_dir: Path
    root: Path
    use_case: str
    name: str
    department: str
    task: str
    model: str
    metric: str
    headline: Headline
    baseline_name: str | None
    repeated: str
    score: float | None
    rows: str
    n_rows: int | None
    data: str | None
    proxy_for: str | None
    weighted_by: str | None
    created_at: str | None
    seconds: float | None
    peak_mb: float | None
    minimum_score: float | None
    minimum_reason: str | None
    stability: float | None
    directions: dict[str, int]
    violations: dict[str, float]
    is_direction_required: bool
    parity: dict[str, float]
    validity: tuple[validity.Finding, ...]
    damage: str | None
    has_report: bool


@dataclass(frozen=True)
class Failure:
    """A job of a sweep that left no run: `status` is failed or refused."""

    use_case: str
    model: str
    status: str
    reason: str


@dataclass(frozen=True)
class Unreadable:
    """A run folder that cannot be read; `place` is where it lies below the folder in which it was found."""

    run_dir: Path
    place: Path
    reason: str


@dataclass(frozen=True)
class Found:
    """Everything below some folders."""

    runs: list[Run] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    unreadable: list[Unreadable] = field(default_factory=list)


def find(roots: list[Path]) -> Found:
    """Read every run folder below some folders; links to other folders are not followed."""
    found = Found()
    for root in roots:
        for folder, names, files in os.walk(root):
            names[:] = sorted(name for name in names if not name.startswith("."))
            here = Path(folder)
            if FACTS_OF_FIT in files and "metadata.json" not in files:
                names.clear()
            elif MARKS & set(files):
                names.clear()
                try:
                    found.runs.append(read(here, root))
                except (ConfigError, OSError, ValueError, KeyError, TypeError, AttributeError) as error:
                    found.unreadable.append(Unreadable(here, here.relative_to(root), _in_words(error)))
            else:
                records = (_record(here / name) for name in sorted(files) if name.endswith(".json"))
                found.failures.extend(failure for record in records for failure in _failures(record))
    return found


def read(run_dir: Path, root: Path) -> Run:
    """What the scoreboard shows of a run folder.

    Raises
    ------
    OSError, ValueError, KeyError, TypeError, AttributeError
        If it isn't one, or not all of it is there.
    ConfigError
        If an extension that it was made with is missing.
    """
    facts, metrics = _json(run_dir / "metadata.json"), _json(run_dir / "metrics.json")
    extensions.check(facts)
    names, number = _names(facts), _numbers("metrics.json", metrics)
    metric = names["metric"]
    primary, score = headline(metric, number), number.get("val_score")
    if score is None and primary.value is not None:
        score = as_score(metric, primary.value)
    baseline_name = facts.get("baseline", "prior" if f"baseline_{metric}" in metrics else None)
    return Run(
        run_dir=run_dir,
        root=root,
        **names,
        headline=primary,
        baseline_name=_if_any(_text, "baseline", baseline_name),
        repeated=repeats.described(number, metric, _if_any(_numbers, "cross_validation", facts.get("cross_validation"))),
        score=score,
        **_origin(facts),
        created_at=_if_any(_moment, "created_at", facts.get("created_at")),
        **_costs(run_dir, facts),
        **_demands(facts),
        stability=number.get("stability"),
        violations=_if_any(_numbers, "monotone_violations", facts.get("monotone_violations")) or {},
        parity=parity_ratios(number),
        validity=tuple(validity.judge(facts, number)),
        damage=_damage(run_dir),
        has_report=_is_regular(run_dir / "report.html"),
    )


def _names(facts: Mapping[str, Any]) -> dict[str, str]:
    """What was trained for what."""
    use_case = facts["config"]["use_case"]
    return {
        "use_case": _text("use_case_key", facts["use_case_key"]),
        **{name: _text(name, use_case[name]) for name in ("name", "department", "task")},
        **{name: _text(name, facts[name]) for name in ("model", "metric")},
    }


def _origin(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Where its rows came from."""
    data, split = facts["data"], _if_any(_table, "split", facts.get("split")) or {}
    return {
        "rows": f"{data['frame_sha256']} {split.get('sha256')}",
        "n_rows": _if_any(_number, "n_valid_rows", data.get("n_valid_rows")),
        "data": DATA_KINDS.get(data["kind"], _text("kind", data["kind"])),
        "proxy_for": _if_any(_text, "proxy_for", data.get("proxy_for")),
        "weighted_by": _if_any(_text, "weights", (_if_any(_table, "weights", facts.get("weights")) or {}).get("column")),
    }


def _costs(run_dir: Path, facts: Mapping[str, Any]) -> dict[str, float | None]:
    """Time and memory: of a sweep's job as its record says, else as the run itself saw."""
    record = _record(run_dir.with_name(run_dir.name + ".json"))
    record = record if isinstance(record, dict) else {}
    durations = _if_any(_numbers, "durations_s", facts.get("durations_s"))
    seconds = record.get("seconds", None if durations is None else sum(durations.values()))
    return {
        "seconds": _if_any(_number, "seconds", seconds),
        "peak_mb": _if_any(_number, "peak_mb", record.get("peak_mb", _most_memory(run_dir / "resources.csv"))),
    }


def _demands(facts: Mapping[str, Any]) -> dict[str, Any]:
    """What the use case asks of a model."""
    use_case = facts["config"]["use_case"]
    return {
        "minimum_score": _if_any(_number, "minimum_score", use_case.get("minimum_score")),
        "minimum_reason": _if_any(_text, "minimum_reason", use_case.get("minimum_reason")),
        "directions": _if_any(_table, "monotone", facts.get("monotone")) or {},
        "is_direction_required": bool(use_case.get("requires_monotone")),
    }


def _json(path: Path) -> dict[str, Any]:
    if not _is_regular(path):
        raise ValueError(f"{path.name} is missing" if not path.exists() else f"{path.name} is not a regular file")
    values = json.loads(path.read_text(encoding="utf-8"), parse_constant=_refuse_constant)
    return _table(path.name, values)


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no number that JSON knows")


def _number(name: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"{name} is {value!r}, not a finite number")
    return value


def _numbers(name: str, value: Any) -> dict[str, float]:
    return {key: _number(key, number) for key, number in _table(name, value).items()}


def _table(name: str, value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError(f"{name} is {value!r}, not a table")
    return value


def _text(name: str, value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{name} is {value!r}, not a name")
    return value


def _moment(name: str, value: Any) -> str:
    try:
        return datetime.fromisoformat(value).astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    except (ValueError, TypeError, OverflowError):
        raise ValueError(f"{name} is {value!r}, not a moment") from None


def _if_any(check: Callable[[str, Any], Any], name: str, value: Any) -> Any:
    return None if value is None else check(name, value)


def _is_regular(path: Path) -> bool:
    try:
        return stat.S_ISREG(path.lstat().st_mode)
    except OSError:
        return False


def _record(path: Path) -> Any:
    """A JSON file beside run folders, None if it is none."""
    try:
        return json.loads(path.read_text(encoding="utf-8")) if _is_regular(path) else None
    except (OSError, ValueError):
        return None


def _most_memory(path: Path) -> float | None:
    """The most that a run was seen to hold, in MB; None if nobody looked."""
    if not _is_regular(path):
        return None
    with path.open(newline="", encoding="utf-8") as file:
        return max((float(row["memory_mb"]) for row in csv.DictReader(file)), default=None)


def _failures(record: Any) -> list[Failure]:
    """Jobs without a run, from the record of one or (of those that were refused) from the table of a sweep."""
    rows, statuses = (record, {"refused"}) if isinstance(record, list) else ([record], {"failed"})
    return [
        Failure(*(str(row.get(key) or "") for key in ("use_case", "model", "status", "reason")))
        for row in rows
        if isinstance(row, dict) and row.get("status") in statuses and "overrides" in row
    ]


def _damage(run_dir: Path) -> str | None:
    try:
        manifest.verify(run_dir)
    except IntegrityError as error:
        return str(error).replace(f"{run_dir}/", "")
    return None


def _in_words(error: Exception) -> str:
    said = f"{error.args[0]} is not recorded" if isinstance(error, KeyError) and error.args else str(error)
    return " ".join(said.split())
