"""Results table of a sweep: on the terminal, and as CSV, JSON and Markdown."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bank_models.data import csv_cells
from bank_models.files import writing
from bank_models.metrics.figures import score
from bank_models.sweeps import record

COLUMNS = (
    "department", "use_case", "model", "metric", "value", "ci_low", "ci_high", "baseline", "ceiling", "seconds", "peak_mb",
    "status", "reason", "run_dir",
)  # fmt: skip


def row(job: Any, sweep_dir: Path) -> dict[str, Any]:
    """A line of the table: what a planned job is, and what its record says became of it."""
    found = dict.fromkeys(COLUMNS) | {
        "department": job.department,
        "use_case": job.use_case,
        "model": job.model,
        "overrides": list(job.overrides),
        "differs": job.differs,
    }
    if job.refusal is not None:
        return found | {"status": "refused", "reason": " ".join(job.refusal.split())}
    ended = record.read(sweep_dir / job.subdir)
    if ended is None:
        return found | {"status": "failed", "reason": "the process that was to run it died, twice"}
    found |= {key: ended[key] for key in COLUMNS if key in ended}
    return found | {"run_dir": job.subdir if ended["status"] == "ok" else None}


def rows_found(sweep_dir: Path) -> list[dict[str, Any]]:
    """Lines for the jobs that left a record, where nobody planned them."""
    rows = []
    for path in sorted(sweep_dir.rglob("*.json")):
        run_dir = path.with_suffix("")
        ended = record.read(run_dir)
        if isinstance(ended, dict) and {"status", "overrides"} <= set(ended):
            place = run_dir.relative_to(sweep_dir).as_posix()
            row = dict.fromkeys(COLUMNS) | {key: ended[key] for key in COLUMNS if key in ended}
            rows.append(row | {"run_dir": place, "overrides": ended["overrides"], "differs": _split(ended["overrides"])})
    constant = set.intersection(*(set(row["differs"].items()) for row in rows)) if len(rows) > 1 else set()
    for row in rows:
        row["differs"] = {key: value for key, value in row["differs"].items() if (key, value) not in constant}
    return rows


def _split(overrides: list[str]) -> dict[str, str]:
    pairs = (override.partition("=")[::2] for override in overrides)
    return {key.lstrip("+"): value for key, value in pairs if key not in ("use_case", "model")}


def in_order(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Sorted by department, use case, model, and what else differs."""

    def key(row):
        return row["department"] or "~", row["use_case"], row["model"], [_as_number(value) for value in row["differs"].values()]

    return sorted(rows, key=key)


def _as_number(text: str) -> tuple[float, str]:
    try:
        return float(text), ""
    except ValueError:
        return float("inf"), text


def write(sweep_dir: Path, rows: list[dict[str, Any]]) -> None:
    """Write `results.json`, `results.csv` and `results.md` into the sweep folder, each whole or not at all."""
    text = json.dumps(rows, indent=2, allow_nan=False, ensure_ascii=False) + "\n"
    writing.replace_text(sweep_dir / "results.json", text)
    writing.replace_text(sweep_dir / "results.csv", as_csv(rows))
    writing.replace_text(sweep_dir / "results.md", as_markdown(rows))


def as_csv(rows: list[dict[str, Any]]) -> str:
    """One line for each run; a column for each setting that differs."""
    return csv_cells.text_of([*COLUMNS[:3], *_differing(rows), *COLUMNS[3:]], (row | row["differs"] for row in rows))


def as_markdown(rows: list[dict[str, Any]]) -> str:
    """The table as a person reads it."""
    header, lines = shown(rows)
    cells = [[cell.replace("|", "\\|") for cell in line] for line in (header, ["---"] * len(header), *lines)]
    return "".join(f"| {' | '.join(line)} |\n" for line in cells)


def shown(rows: list[dict[str, Any]]) -> tuple[list[str], list[list[str]]]:
    """Names of columns, and the cells of every row as text."""
    differing = _differing(rows)
    header = ["department", "use case", "model", *short_names(differing), "metric", "score", "interval", "baseline", "ceiling"]
    lines = [
        [
            row["department"] or "",
            row["use_case"] or "",
            row["model"] or "",
            *(short(row["differs"].get(key, "")) for key in differing),
            row["metric"] or "",
            _number(row["value"]),
            "" if row["ci_low"] is None else f"[{_number(row['ci_low'])}, {_number(row['ci_high'])}]",
            _number(row["baseline"]),
            _number(row["ceiling"]),
            "" if row["seconds"] is None else f"{row['seconds']:.1f}",
            "" if row["peak_mb"] is None else f"{row['peak_mb']:.0f}",
            row["status"],
        ]
        for row in rows
    ]
    return [*header, "seconds", "peak MB", "status"], lines


def short_names(keys: list[str]) -> list[str]:
    """Settings by the last part of their names, if that is enough to tell them apart."""
    names = [key.rpartition(".")[2] for key in keys]
    return names if len(set(names)) == len(names) else keys


def short(value: str) -> str:
    """A number with many digits, rounded for reading."""
    try:
        return f"{float(value):.4g}" if len(value) > 8 else value
    except ValueError:
        return value


def _differing(rows: list[dict[str, Any]]) -> list[str]:
    return list(dict.fromkeys(key for row in rows for key in row["differs"]))


def _number(value: float | None) -> str:
    return "" if value is None else score(value)


def closing_line(row: dict[str, Any], title: str) -> str:
    """What a person is told when a job of a sweep has ended."""
    if row["status"] != "ok":
        return f"{title}   {row['status']}: {row['reason']}"
    interval = "" if row["ci_low"] is None else f" [{_number(row['ci_low'])}, {_number(row['ci_high'])}]"
    found = "is not defined" if row["value"] is None else _number(row["value"])
    return f"{title}   {row['metric']} {found}{interval}   {row['seconds']:.1f} s"


def commands(jobs: Sequence[Sequence[str]], before: str, after: Sequence[str]) -> list[str]:
    """Shell commands, as few as can be found simply, that mean exactly the given jobs.

    Parameters
    ----------
    jobs : sequence of sequences of str
        Overrides of each job: the same keys in the same order.
    before : str
        The program and its flags.
    after : sequence of str
        Overrides that go with every job.
    """
    boxes = [tuple((override,) for override in job) for job in jobs]
    for position in range(len(boxes[0]) if boxes else 0):
        merged: dict[tuple, tuple] = {}
        for box in boxes:
            others = box[:position] + box[position + 1 :]
            merged[others] = merged.get(others, ()) + tuple(one for one in box[position] if one not in merged.get(others, ()))
        boxes = [(*others[:position], values, *others[position:]) for others, values in merged.items()]
    return [" ".join([before, *map(shlex.quote, [*map(_as_choice, box), *after])]) for box in boxes]


def _as_choice(overrides: tuple[str, ...]) -> str:
    """`key=a` and `key=b` as `key=a,b`."""
    key = overrides[0].partition("=")[0]
    return f"{key}={','.join(override.partition('=')[2] for override in overrides)}"
