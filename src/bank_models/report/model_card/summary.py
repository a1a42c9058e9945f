"""Model card: half a page for the person who signs."""

from __future__ import annotations

from bank_models.metrics.names import title
from bank_models.report.answers import DECISIONS, decides, people
from bank_models.report.meaning import against_baseline, meaning
from bank_models.report.model_card.markdown import number, table, text
from bank_models.report.model_card.origin import REAL
from bank_models.report.model_card.recorded import Recorded

OPEN = "**open**"
DECLARED = (
    ("Purpose", "purpose"),
    ("Owner", "owner"),
    ("Users", "users"),
    ("Uses to avoid", "uses_to_avoid"),
)
SIGNED = (("Validation by others than the developers", "validation"), ("Approval", "approval"))


def summary(run: Recorded) -> list[str]:
    """What it is for, how good it is, what speaks against it, and who answers for it."""
    card = run.use_case("card") or {}
    rows = [_declared(label, card.get(name)) for label, name in DECLARED]
    rows += [["A row is", _or_missing(run.use_case("row"))], ["Data", _data(run)], ["Quality on test", _quality(run)]]
    rows += [[label, found] for label, found in (_decision(run), ("Groups of people", _groups(run))) if found]
    rows += [_declared(label, card.get(name)) for label, name in SIGNED]
    is_open = any(OPEN in row for row in rows)
    how = "What is open is declared in the use case, under `card:`." if is_open else ""
    return ["## Summary", table(["", ""], rows), how, "Signed: ______________________ Date: ______________"]


def _declared(label: str, value) -> list[str]:
    if not value:
        return [label, OPEN]
    return [label, "; ".join(map(text, value)) if isinstance(value, list) else text(value)]


def _or_missing(value) -> str:
    return text(value) if value else "not recorded"


def _data(run: Recorded) -> str:
    kind = run("data", "kind")
    said = REAL.get(kind, _or_missing(kind))
    if proxy := run("data", "proxy_for"):
        said += f", which are a proxy for {text(proxy)}"
    rows = run("data", "n_valid_rows")
    return said if rows is None else f"{number(rows)} valid rows; {said}"


def _quality(run: Recorded) -> str:
    """The primary metric beside its baseline, with intervals where there are some, and the report's sentences about them."""
    value = run.metrics.get(run.score_name) if run.metric else None
    if value is None:
        return "not recorded"
    said = f"{title(run.metric)} {_with_ends(run, run.score_name)}"
    beside = run.metrics.get(f"baseline_{run.metric}")
    if beside is not None:
        said += f"; baseline {text(run('baseline') or 'without a name')} {number(beside)}"
    if f"gain_{run.metric}" in run.metrics:
        said += f"; gain {_with_ends(run, f'gain_{run.metric}')}"
    return f"{said}. {text(' '.join(filter(None, [meaning(run.metric, value, run), against_baseline(run)])))}"


def _with_ends(run: Recorded, name: str) -> str:
    low, high = (run.metrics.get(f"{name}_ci_{end}") for end in ("low", "high"))
    ends = "" if low is None or high is None else f" (95 % interval {number(low)} to {number(high)})"
    return f"{number(run.metrics[name])}{ends}"


def _decision(run: Recorded) -> tuple[str, str]:
    """The report's question about decisions, or errors, and its answer."""
    found = decides(run) if run.use_case("task") in DECISIONS else None
    return ("", "") if found is None else (found.question, text(found.text))


def _groups(run: Recorded) -> str:
    """The report's sentence about groups of people."""
    return text(people(run)[0]) if run.use_case("task") == "binary" and run.knows("protected") else ""
