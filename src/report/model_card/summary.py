"""Model card: half a page for the person who signs."""

from __future__ import annotations

from src.evaluation.requirements import AND, parity_ratios
from src.metrics.names import title
from src.report.model_card.markdown import number, table, text
from src.report.model_card.origin import REAL
from src.report.model_card.recorded import Recorded

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
    rows += [[label, found] for label, found in (("Threshold", _threshold(run)), ("Groups of people", _groups(run))) if found]
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
    """The primary metric beside its baseline, with intervals where there are some."""
    if run.metric is None or run.metrics.get(run.score_name) is None:
        return "not recorded"
    said = f"{title(run.metric)} {_with_ends(run, run.score_name)}"
    beside = run.metrics.get(f"baseline_{run.metric}")
    if beside is not None:
        said += f"; baseline {text(run('baseline') or 'without a name')} {number(beside)}"
    if f"gain_{run.metric}" in run.metrics:
        said += f"; gain {_with_ends(run, f'gain_{run.metric}')}"
    return said


def _with_ends(run: Recorded, name: str) -> str:
    low, high = (run.metrics.get(f"{name}_ci_{end}") for end in ("low", "high"))
    ends = "" if low is None or high is None else f" (95 % interval {number(low)} to {number(high)})"
    return f"{number(run.metrics[name])}{ends}"


def _threshold(run: Recorded) -> str:
    at = run.metrics.get("threshold")
    if at is None:
        return ""
    cost = run.metrics.get("test_cost")
    unit = text(((run.use_case("cost") or {}).get("unit")) or "as priced")
    return f"{number(at)}, chosen on val" + ("" if cost is None else f"; mistakes on test cost {number(cost)} {unit}")


def _groups(run: Recorded) -> str:
    """The lowest ratio of selection rates, by column."""
    if run.use_case("task") != "binary":
        return ""
    if not run.use_case("protected"):
        return "not compared: no protected column is declared"
    said = [f"{text(name.replace(AND, ' and '))} {number(value)}" for name, value in parity_ratios(run.metrics).items()]
    return f"lowest over highest selection rate by {', '.join(said)}" if said else "too small to be compared"
