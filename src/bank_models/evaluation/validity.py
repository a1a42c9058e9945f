"""Validity of a run: overlap of test with train, target leakage, implausible scores."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

ROWS = "the order of the rows"  # as `leakage` names it, and its limits: to import it would cost the scoreboard a second
SUSPICIOUS = {"roc_auc": 0.95, "r2": 0.95}
IMPLAUSIBLE = 0.98  # of ROC-AUC, average precision or R²: no model of a bank's customers is that good on new ones
SHARES = ("roc_auc", "roc_auc_ovr", "average_precision", "r2")
PERFECT = ("accuracy", "f1", "f1_macro", "balanced_accuracy")
DRAWN = ("stratified", "random")  # splits that keep copies together


@dataclass(frozen=True)
class Finding:
    """An answer to one question: "green", "amber" (a person should look at it) or "red" (the numbers do not hold)."""

    name: str
    colour: str
    reason: str


def judge(facts: Mapping[str, Any], metrics: Mapping[str, float | None]) -> list[Finding]:
    """Every question that can be asked of a run's `metadata.json` and `metrics.json`; older ones recorded less."""
    return [*_seed(facts), *_parts(facts), *_leaks(facts), *_plausible(metrics)]


def _seed(facts: Mapping[str, Any]) -> Iterator[Finding]:
    split = facts.get("split") or {}
    declared, chosen = split.get("declared_random_state"), split.get("random_state")
    if chosen is None or "declared_random_state" not in split:
        return
    if said := of_other_split(chosen, declared):
        yield Finding("split seed", "red", said)
    else:
        yield Finding("split seed", "green", f"rows are split by seed {chosen}, as the use case says")


def of_other_split(random_state: int | None, declared: int | None) -> str:
    """What is to be said of a run whose rows are split by another seed than its use case's; else empty."""
    if random_state == declared:
        return ""
    return (
        f"rows are split by seed {random_state}, and the use case's is {declared}: an experiment, whose test rows are others; "
        "leave data_split.random_state out to train what may go into production"
    )


def _parts(facts: Mapping[str, Any]) -> Iterator[Finding]:
    split = facts.get("split")
    shared = split and split.get("overlap")
    if not shared:
        return
    method, faults, doubts = (facts["config"].get("data_split") or {}).get("method"), [], []
    n_test, n_copies = (split.get("n_rows") or {}).get("test", 0), shared.get("n_copies")
    if n_copies:
        said = f"{n_copies:,} of {n_test:,} test rows equal a row of train or val, target included"
        (faults if method in DRAWN else doubts).append(said)
    if n_known := shared.get("n_groups_known"):
        said = f"{n_known:,} of {shared['n_groups']:,} groups of test are in train or val too"
        (faults if method == "group" else doubts).append(
            f"{said}: the score is not one for new ones" if method != "group" else said
        )
    newest, oldest = shared.get("newest_train"), shared.get("oldest_test")
    if newest is not None and newest > oldest:
        said = f"train has rows of {newest}, later than the oldest of test, {oldest}"
        (faults if method == "temporal" else doubts).append(
            f"{said}: the score is not one for the future" if method != "temporal" else said
        )
    colour = "red" if faults else "amber" if doubts else "green"
    looked_at = "no test row equals one of train or val" if n_copies is not None else "no test row is in train or val"
    yield Finding("parts", colour, "; ".join([*faults, *doubts]) or looked_at)


def _leaks(facts: Mapping[str, Any]) -> Iterator[Finding]:
    if "leaks" not in facts:
        return
    known = facts["config"]["use_case"].get("known_in_time") or {}
    leaks = [leak for leak in facts["leaks"] if leak["columns"] != [ROWS] or leak["value"] >= SUSPICIOUS[leak["metric"]]]
    found = [leak for leak in leaks if not set(leak["columns"]) <= set(known)]
    if found:
        said = [f"{' and '.join(leak['columns'])} ({leak['metric']} {leak['value']:.3f})" for leak in found[:3]]
        more = f" and {len(found) - 3} more" if len(found) > 3 else ""
        yield Finding(
            "leakage", "red",
            f"predict the target almost alone: {', '.join(said)}{more}; say why each is known in time with "
            "use_case.known_in_time, or leave it out",
        )  # fmt: skip
    elif leaks:
        columns = sorted({name for leak in leaks for name in leak["columns"]})
        yield Finding("leakage", "green", f"known in time, as the use case says: {', '.join(columns)}")
    else:
        yield Finding("leakage", "green", "no column predicts the target almost alone, nor do two together")


def _plausible(metrics: Mapping[str, float | None]) -> Iterator[Finding]:
    found = {name: metrics.get(f"test_{name}") for name in (*SHARES, *PERFECT)}
    found = {name: value for name, value in found.items() if value is not None}
    limit = {name: 1.0 if name in PERFECT else IMPLAUSIBLE for name in found}
    if high := [f"{name} {value:.3f}" for name, value in found.items() if value >= limit[name]]:
        yield Finding("plausible", "amber", f"{', '.join(high)} on test is too good to be believed without a reason")
    elif found:
        yield Finding("plausible", "green", "no score on test is too good to be true")
