"""Page of the scoreboard, and the same rows as CSV, JSON and Markdown."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from bank_models.commands import as_typed
from bank_models.data import csv_cells
from bank_models.metrics import figures
from bank_models.metrics.names import as_score
from bank_models.scoreboard.board import STATES

HERE = Path(__file__).parent
STYLES = (HERE.parent / "report" / "style.css", HERE / "board.css")
ICONS = {"green": "✓", "amber": "▲", "red": "✕", "failed": "✕", "unreadable": "✕", "not trained": "○"}
MEANINGS = {"green": "pass", "amber": "in doubt", "red": "not met"}
MINUS = "\N{MINUS SIGN}"
MOST_VERSIONS, LOWEST_BAR = 12, 20  # of a sparkline; the lowest bar in per cent
TONES = {"green": "good", "amber": "warn", "red": "bad", "failed": "bad", "unreadable": "bad"}
COLUMNS = (
    ("Use case", "name, and use_case= to train it", "low", ""),
    ("Department", "", "low", ""),
    ("Task", "", "low", ""),
    ("Model", "the best on val", "low", ""),
    ("Score", "on test, with its 95 % interval", "high", "number"),
    ("Lift", "share of the way from the baseline to the best there can be", "high", ""),
    ("Change", "against the last commit", "high", "number"),
    ("Gates", "what speaks against it", "low", ""),
    ("Registry", "version in production, and the newest", "low", ""),
    ("Data", "real or simulated", "low", ""),
    ("Age", "of the training", "low", "number"),
    ("Time", "of the training", "high", "number"),
    ("Memory", "largest of the process", "high", "number"),
)
CSV_COLUMNS = (
    "id", "use_case", "name", "department", "task", "state", "model", "metric", "value", "ci_low", "ci_high", "baseline_name",
    "baseline", "ceiling", "gain", "gain_ci_low", "gain_ci_high", "cross_validated", "lift", "lift_ci_low", "lift_ci_high",
    "lift_of", "change", "stability", "production", "newest", "newest_status", "data", "rows", "created_at", "age_s",
    "seconds", "peak_mb", "n_runs", "reasons", "run_dir",
)  # fmt: skip


def as_html(
    board: dict[str, Any], sources: str, link: Callable[[str], str], comparisons: Mapping[str, str] = MappingProxyType({})
) -> str:
    """The page.

    Parameters
    ----------
    board : dict
        From `bank_models.scoreboard.board`.
    sources : str
        Where the runs were found.
    link : callable
        Address of the report in a run folder, as seen from the page.
    comparisons : mapping of str to str
        Address of the page that compares a use case's runs, where there is one.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    environment = Environment(
        loader=FileSystemLoader(HERE), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {
        "age": age, "anchor": _anchor, "duration": duration, "icon": ICONS.get, "judged": judged, "key": _key,
        "meaning": meaning, "moment": _moment, "percent": percent, "place": _place, "score": score,
        "signed": signed, "spaced": spaced, "sparks": sparks, "tone": lambda state: TONES.get(state, ""),
        "why_no_lift": why_no_lift, "words": words,
    }  # fmt: skip
    rows = [{**_with_links(row, link), "comparison": comparisons.get(row["use_case"])} for row in board["use_cases"]]
    script = (HERE / "board.js").read_text(encoding="utf-8")
    return environment.get_template("page.html").render(
        **board,
        trained=[row for row in rows if not is_waiting(row)],
        waiting=[row for row in rows if is_waiting(row)],
        states=STATES,
        tasks=sorted({row["task"] for row in rows}),
        kinds=sorted({row["data"] for row in rows if row["data"]}),
        columns=[dict(zip(("name", "about", "first", "class"), column, strict=True)) for column in COLUMNS],
        sources=sources,
        command=as_typed("python -m src.scoreboard"),
        policy=policy(),
        style=Markup("".join(path.read_text(encoding="utf-8") for path in STYLES)),
        script=Markup(script),
    )


def policy() -> str:
    """What a browser may do with the page: run its own script, and fetch nothing."""
    digest = base64.b64encode(hashlib.sha256((HERE / "board.js").read_bytes()).digest()).decode()
    return (
        f"default-src 'none'; script-src 'sha256-{digest}'; style-src 'unsafe-inline'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )


def as_json(board: dict[str, Any]) -> str:
    """All there is, numbers unrounded."""
    return json.dumps(board, indent=2, allow_nan=False, ensure_ascii=False) + "\n"


def as_csv(board: dict[str, Any]) -> str:
    """A line for each use case."""
    counted = ({**row, "n_runs": len(row["models"]), "reasons": "; ".join(_reasons(row))} for row in board["use_cases"])
    return csv_cells.text_of(CSV_COLUMNS, counted)


def as_markdown(board: dict[str, Any]) -> str:
    """Totals, then a table for each department."""
    from bank_models.report.model_card.markdown import table, text

    totals = board["totals"]
    lines = ["# Scoreboard", "", f"{summary(totals)} As of {_moment(board['built_at'])}.", ""]
    of_score = ["score", "interval", "cross-validated", "baseline", "ceiling", "lift"]
    header = ["use case", "model", "metric", *of_score, "gates", "registry", "data"]
    for one in board["departments"]:
        lines += [f"## {text(words(one['department']))}", "", f"{one['trained']} of {one['use_cases']} trained.", ""]
        rows = [row for row in board["use_cases"] if row["department"] == one["department"]]
        lines += [table(header, [[text(cell) for cell in _cells(row)] for row in rows]), ""]
    if board["unreadable"]:
        lines += ["## Could not be read", ""]
        lines += [f"- {text(one['path'])}: {text(one['reason'])}" for one in board["unreadable"]] + [""]
    return "\n".join(lines)


def summary(totals: dict[str, Any]) -> str:
    """One sentence for the terminal."""
    return (
        f"{totals['trained']} of {totals['use_cases']} use cases trained: {totals['green']} pass every gate, "
        f"{totals['amber']} in doubt, {totals['red']} not met; {totals['in_production']} in production."
    )


def _cells(row: dict[str, Any]) -> list[str]:
    registry = f"production {row['production']}" if row["production"] else f"{row['newest_status']} {row['newest']}"
    lift = row["lift"]
    return [
        row["use_case"],
        row["model"] or "",
        row["metric"],
        score(row["value"]),
        "" if row["ci_low"] is None else f"[{score(row['ci_low'])}, {score(row['ci_high'])}]",
        row["cross_validated"],
        "" if row["baseline"] is None else f"{row['baseline_name']} {score(row['baseline'])}",
        score(row["ceiling"]),
        "" if lift is None else f"{percent(lift)} % of {row['lift_of']}",
        f"{ICONS[row['state']]} {'; '.join([meaning(row['state']), *_reasons(row)])}",
        registry if row["newest"] else "",
        row["data"] or "",
    ]


def _reasons(row: dict[str, Any]) -> list[str]:
    """What speaks against the best run, and what failed."""
    against = [f"{gate['name']}: {gate['reason']}" for gate in row["gates"] if gate["colour"] != "green"]
    return against + [f"{one['model']} {one['status']}: {one['reason']}" for one in row["failures"]]


def _with_links(row: dict[str, Any], link: Callable[[str], str]) -> dict[str, Any]:
    models = [{**one, "report": link(one["run_dir"]) if one["has_report"] else None} for one in row["models"]]
    return {**row, "models": models, "report": models[0]["report"] if models else None}


def is_waiting(row: dict[str, Any]) -> bool:
    """Whether nobody has trained a use case yet, here or for the registry."""
    return row["state"] == "not trained" and row["newest"] is None


def judged(row: dict[str, Any]) -> str:
    """A verdict in two words: how many gates are passed, or which one is not, and how many more."""
    against = [gate["name"] for gate in row["gates"] if gate["colour"] == row["state"] != "green"]
    if not against:
        return f"all {len(row['gates'])}"
    return against[0] + (f" + {len(against) - 1}" if len(against) > 1 else "")


def sparks(row: dict[str, Any]) -> list[tuple[str, float]]:
    """Heights in per cent of the newest versions' bars, the better the higher, each with its words; none of one version."""
    shown = row["versions"][-MOST_VERSIONS:]
    scores = [as_score(row["metric"], one["value"]) for one in shown]
    if len(shown) < 2:
        return []
    span = max(scores) - min(scores)
    heights = [LOWEST_BAR + (100 - LOWEST_BAR) * (one - min(scores)) / span if span else 100 for one in scores]
    return [(f"{one['version']}: {score(one['value'])}", round(high, 1)) for one, high in zip(shown, heights, strict=True)]


def why_no_lift(row: dict[str, Any]) -> str:
    if row["baseline"] is not None:
        return "the baseline is at the best there can be"
    return "no baseline" if row["stability"] is None else f"no baseline; stability {score(row['stability'])}"


def meaning(state: str) -> str:
    return MEANINGS.get(state, state)


def words(key: str) -> str:
    return key.replace("_", " ").capitalize()


def spaced(key: str) -> str:
    return key.replace("_", " ")


def score(value: float | None) -> str:
    """Three decimals, and no more figures than can be read for amounts."""
    if value is None:
        return ""
    if abs(value) >= 1e6:
        return f"{value / 1e6:,.2f} M"
    return figures.score(value)


def signed(value: float) -> str:
    size = f"{abs(value):.3g}" if abs(value) < 100 else f"{abs(value):,.0f}"
    return f"{'+' if value > 0 else MINUS}{size}"


def percent(share: float) -> str:
    return f"{100 * share:.0f}".replace("-", MINUS)


def duration(seconds: float) -> str:
    if seconds < 100:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def age(seconds: float) -> str:
    for size, unit in ((86400 * 2, 86400), (3600 * 2, 3600)):
        if seconds >= size:
            return f"{seconds / unit:.0f} {'d' if unit == 86400 else 'h'}"
    return f"{seconds / 60:.0f} min"


def _moment(iso: str) -> str:
    return iso[:16].replace("T", " ") + " UTC"


def _place(share: float) -> float:
    """Per cent of the bar."""
    return round(min(1.0, max(0.0, share)) * 100, 1)


def _key(state: str) -> str:
    return state.replace(" ", "_")


def _anchor(text: str) -> str:
    return "department-" + re.sub(r"[^A-Za-z0-9_-]", "-", text)
