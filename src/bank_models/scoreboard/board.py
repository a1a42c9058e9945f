"""Rows of the scoreboard as plain values."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

from bank_models.metrics.headline import score_name
from bank_models.metrics.names import is_loss
from bank_models.scoreboard.checks import COLOURS, judge, verdict
from bank_models.scoreboard.git_baseline import metrics_at_head
from bank_models.scoreboard.production import Registered
from bank_models.scoreboard.runs import Failure, Found, Run
from bank_models.scoreboard.skill import skill_score

ROUNDED = 1e-7  # of a value: what DVC keeps has eight digits, so a smaller change is none
STATES = ("green", "amber", "red", "failed", "unreadable", "not trained")
"""A colour is the verdict of the best run's gates."""


def board(catalogue: list[dict[str, Any]], found: Found, registered: dict[str, Registered], now: datetime) -> dict[str, Any]:
    """Put together what is known of the portfolio.

    Parameters
    ----------
    catalogue : list of dict
        Use cases that can be trained: see `bank_models.use_cases`. Others that were trained are added.
    found : Found
    registered : dict of str to Registered
        Versions by use case.
    now : datetime
        In UTC.

    Returns
    -------
    dict
        `built_at`, `totals`, `departments`, `use_cases`, `unreadable`.
    """
    before = metrics_at_head([run.run_dir for run in found.runs])
    known = {entry["key"]: entry for entry in catalogue}
    for run in found.runs:
        known.setdefault(run.use_case, _entry_of(run))
    rows = [
        _row(
            entry,
            [run for run in found.runs if run.use_case == key],
            [failure for failure in found.failures if failure.use_case == key],
            any(key in one.place.parts for one in found.unreadable),
            registered.get(key),
            before,
            now,
        )
        for key, entry in sorted(known.items(), key=lambda item: (item[1]["department"], item[1]["id"], item[0]))
    ]
    return {
        "built_at": now.isoformat(timespec="seconds").replace("+00:00", "Z"),
        "totals": _totals(rows),
        "departments": [
            {"department": name, **_totals([row for row in rows if row["department"] == name])}
            for name in dict.fromkeys(row["department"] for row in rows)
        ],
        "use_cases": rows,
        "unreadable": [{"path": str(one.run_dir), "reason": one.reason} for one in found.unreadable]
        + [{"path": f"registry of {key}", "reason": one.fault} for key, one in sorted(registered.items()) if one.fault],
    }


def _entry_of(run: Run) -> dict[str, Any]:
    return {"key": run.use_case, "id": "", "name": run.name, "department": run.department, "task": run.task,
            "metric": run.metric, "data": run.data}  # fmt: skip


def _row(
    entry: dict[str, Any],
    runs: list[Run],
    failures: list[Failure],
    is_unreadable: bool,
    registered: Registered | None,
    before: dict[Path, dict[str, Any]],
    now: datetime,
) -> dict[str, Any]:
    best, other = choose(runs)
    row = {
        "id": entry["id"],
        "use_case": entry["key"],
        "name": entry["name"],
        "department": entry["department"],
        "task": entry["task"],
        "metric": entry["metric"],
        "state": "unreadable" if is_unreadable else "failed" if failures else "not trained",
        "model": None,
        **dict.fromkeys(("value", "ci_low", "ci_high", "baseline", "baseline_name", "ceiling")),
        **dict.fromkeys(("gain", "gain_ci_low", "gain_ci_high")),
        "cross_validated": "",
        **dict.fromkeys(("lift", "lift_ci_low", "lift_ci_high", "lift_of")),
        **dict.fromkeys(("change", "change_is_better", "stability")),
        "gates": [],
        "data": entry["data"],
        **dict.fromkeys(("rows", "created_at", "age_s", "seconds", "peak_mb", "run_dir")),
        **_of_registry(registered),
        "versions": [],
        "models": [],
        "failures": [asdict(failure) for failure in failures],
    }
    if best is None:
        return row
    row |= _of_best(best, before.get(best.run_dir), now)
    row["versions"] = _versions(registered, row["metric"])
    rest = _by_score(run for run in runs if run is not best)
    return row | {"models": [_of_model(run, best, run in other) for run in (best, *rest)]}


def choose(runs: Iterable[Run]) -> tuple[Run | None, list[Run]]:
    """The best run, and those that cannot be compared with it.

    The best has the highest score on val, not on test, which would then be no test any more. Only runs on the same rows can
    be compared, so what counts are those that share the rows of the newest.
    """
    runs = sorted(runs, key=lambda run: run.created_at or "")
    if not runs:
        return None, []
    same = [run for run in runs if run.rows == runs[-1].rows]
    return _by_score(reversed(same))[0], [run for run in runs if run.rows != runs[-1].rows]


def _by_score(runs: Iterable[Run]) -> list[Run]:
    return sorted(runs, key=lambda run: float("-inf") if run.score is None else run.score, reverse=True)


def _of_best(run: Run, before: dict[str, Any] | None, now: datetime) -> dict[str, Any]:
    found, gates, lifted = run.headline, judge(run), skill_score(run)
    change = _change(run, before)
    return {
        "state": verdict(gates),
        "metric": run.metric,
        "model": run.model,
        "value": found.value,
        "ci_low": found.low,
        "ci_high": found.high,
        "baseline": found.baseline,
        "baseline_name": run.baseline_name,
        "ceiling": found.ceiling,
        "gain": found.gain,
        "gain_ci_low": found.gain_low,
        "gain_ci_high": found.gain_high,
        "cross_validated": run.repeated,
        "lift": lifted and lifted.share,
        "lift_ci_low": lifted and lifted.low,
        "lift_ci_high": lifted and lifted.high,
        "lift_of": lifted and lifted.of,
        "change": change,
        "change_is_better": None if not change else (change < 0) == is_loss(run.metric),
        "stability": run.stability,
        "gates": [asdict(gate) for gate in gates],
        "data": run.data,
        "rows": run.n_rows,
        "created_at": run.created_at,
        "age_s": _age_s(run.created_at, now),
        "seconds": run.seconds,
        "peak_mb": run.peak_mb,
        "run_dir": str(run.run_dir),
    }


def _change(run: Run, before: dict[str, Any] | None) -> float | None:
    """What the score is above the committed one, None where none is committed."""
    if before is None or run.headline.value is None:
        return None
    was = before.get(score_name(run.metric, before))
    if not isinstance(was, int | float):
        return None
    change = run.headline.value - was
    return change if abs(change) > ROUNDED * abs(was) else 0.0


def _age_s(created_at: str | None, now: datetime) -> float | None:
    if created_at is None:
        return None
    return max(0.0, (now - datetime.fromisoformat(created_at)).total_seconds())


def _of_registry(registered: Registered | None) -> dict[str, Any]:
    if registered is None:
        return dict.fromkeys(("production", "newest", "newest_status", "registry_fault"))
    return {
        "production": registered.production,
        "newest": registered.newest,
        "newest_status": registered.newest_status,
        "registry_fault": registered.fault,
    }


def _versions(registered: Registered | None, metric: str) -> list[dict[str, Any]]:
    """Registered versions with the primary metric of each, the oldest first; those that have none are left out."""
    history = registered.history if registered else ()
    return [{"version": version, "value": metrics[metric]} for version, metrics in history if metric in metrics]


def _of_model(run: Run, best: Run, is_other: bool) -> dict[str, Any]:
    return {
        "model": run.model,
        "value": run.headline.value,
        "ci_low": run.headline.low,
        "ci_high": run.headline.high,
        "score_on_val": run.score,
        "state": verdict(judge(run)),
        "is_best": run is best,
        "is_on_other_rows": is_other,
        "run_dir": str(run.run_dir),
        "has_report": run.has_report,
    }


def _totals(rows: list[dict[str, Any]]) -> dict[str, Any]:
    counts = {state: sum(row["state"] == state for row in rows) for state in STATES}
    return {
        "use_cases": len(rows),
        "trained": sum(counts[colour] for colour in COLOURS),
        "runs": sum(len(row["models"]) for row in rows),
        "in_production": sum(row["production"] is not None for row in rows),
        "seconds": sum(row["seconds"] or 0 for row in rows),
        **{state.replace(" ", "_"): count for state, count in counts.items()},
    }
