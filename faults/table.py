"""The table of a suite, at a terminal and in the documentation."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from faults.case import Promise
from faults.runner import FAILED, HELD, NOT_TRIED, Result

BEGIN, END = "<!-- begin: written by python -m faults --report -->", "<!-- end -->"
MEANING, MEANT = "<!-- begin: promises -->", "<!-- end: promises -->"
HEADER = "| group | promise | attempts | held | failed | seconds |\n|---|---|---:|---:|---:|---:|"


@dataclass(frozen=True)
class Row:
    """How the attempts of one promise ended; seconds are theirs, added up."""

    promise: Promise
    attempts: int
    held: int
    failed: int
    seconds: float


def rows(promises: Sequence[Promise], results: Sequence[Result]) -> list[Row]:
    """A row for each promise."""
    return [_row(promise, [one for one in results if one.promise == promise]) for promise in promises]


def _row(promise: Promise, results: Sequence[Result]) -> Row:
    outcomes = [one.outcome for one in results]
    n_tried = len(outcomes) - outcomes.count(NOT_TRIED)
    return Row(promise, n_tried, outcomes.count(HELD), outcomes.count(FAILED), sum(one.seconds for one in results))


def totals(found: Sequence[Row]) -> tuple[int, int, int, float]:
    """Attempts, held, failed and seconds of all rows."""
    return tuple(sum(getattr(row, name) for row in found) for name in ("attempts", "held", "failed", "seconds"))


def markdown(found: Sequence[Row], n: int, elapsed_s: float) -> str:
    """The table and, above it, when and where it was made."""
    lines = [
        f"| {row.promise.group} | {row.promise.name} | {row.attempts} | {row.held} | {row.failed} | {row.seconds:.0f} |"
        for row in found
    ]
    attempts, held, failed, seconds = totals(found)
    lines.append(f"| | **all** | **{attempts}** | **{held}** | **{failed}** | **{seconds:.0f}** |")
    cores, system = len(os.sched_getaffinity(0)), f"{platform.system()} {platform.machine()}"
    who = "root" if os.geteuid() == 0 else "a user without rights"
    where = f"{cores} cores, {system}, Python {platform.python_version()}, as {who}"
    made = f"{date.today()}, N = {n}, {where}, {elapsed_s / 60:.0f} minutes."
    return "\n".join([made, "", HEADER, *lines])


def meanings(promises: Sequence[Promise]) -> str:
    """What each promise means, as a table."""
    lines = [f"| {promise.group} | {promise.name} | {promise.means} |" for promise in promises]
    return "\n".join(["| group | promise | what one may rely on |", "|---|---|---|", *lines])


def write(path: Path, text: str, begin: str = BEGIN, end: str = END) -> None:
    """Put a table between two marks of a page; a page without marks, or none, becomes one."""
    page = path.read_text(encoding="utf-8") if path.exists() else ""
    before, _, rest = page.partition(begin)
    _, _, after = rest.partition(end)
    path.write_text(f"{before}{begin}\n{text}\n{end}{after or chr(10)}", encoding="utf-8")
