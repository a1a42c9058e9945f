"""First section: the score next to baseline, ceiling, production and checks."""

from __future__ import annotations

import json
from typing import Any

from bank_models.evaluation import looks, validity
from bank_models.evaluation.requirements import FOUR_FIFTHS, parity_ratios
from bank_models.metrics.names import as_score, is_loss, title
from bank_models.report import number
from bank_models.report.answers import answers
from bank_models.report.block import Badges, Figures, Heading, Headline, Hero, Missing, Scale, Section, Table, Text
from bank_models.report.decision import decision
from bank_models.report.differences import Said
from bank_models.report.meaning import against_baseline, meaning, meaning_of_baseline, why_no_ceiling
from bank_models.report.number import Number
from bank_models.report.run import Run
from bank_models.training.repeats import described

GATES = "gates.json"


def verdict(run: Run) -> Section:
    """Score with interval, what it means, baseline, gain and ceiling, the version in production and the gates."""
    score = number.metric(run, run.score_name)
    if score is None:
        return Section("verdict", "Verdict", [Missing(f"{run.metric}, the primary metric: it is not defined for this model")])
    small = [f"{title(run.metric)} on {_rows(run)}", *_interval(run, run.score_name, _drawn(run), "; "), *_repeated(run)]
    said = badges(run)
    sentences = [meaning(run.metric, score.value, run), against_baseline(run)]
    left = [Headline(score, small), Text(" ".join(filter(None, sentences)))]
    blocks = [Badges(said), Hero(left, [answers(run, said)]), *decision(run)]
    if beside := figures(run):
        blocks += [Heading("How good that is"), Figures(beside)]
    if (scale := _scale(run)) is not None:
        blocks.append(scale)
    blocks += [*_looks(run), *production(run)]
    return Section("verdict", "Verdict", blocks)


def production(run: Run) -> list:
    """What is in production now, how far this run is from it, and what promoting it is going to ask."""
    order = ["Lower is better."] if is_loss(run.metric) else []
    found = _gates(run)
    if found is None:
        said = "The gates against the version in production are judged when a version is promoted, not by the run itself."
        return [Text(" ".join([said, *order]), is_remark=True)]
    rows = [
        [gate["name"], Said("met", "good") if gate["is_met"] else Said("not met", "bad"), gate["reason"]]
        for gate in found["gates"]
    ]
    caption = (
        f"Gates that this run has to pass to go into production, as they were judged when it was trained: {_counted(found)}. "
        "That no byte was changed is checked when it is promoted."
    )
    if found["production"] is None:
        beside = [Text("No version is in production yet: there is nothing to compare this run with.")]
    else:
        beside = [Figures(_against_production(run, found)), Text(" ".join([_told_apart(found), *order]))]
    table = Table(caption, ["Gate", "", "Why"], rows)
    return [Heading("Production and gates"), *beside, table]


def _looks(run: Run) -> list:
    """How often the test rows were looked at, and by which settings."""
    found = run.fact("looks")
    if not (said := looks.said(found)):
        return []
    rows = [[one["model"], one["use_case"], one["at"] or "", one["where"] or ""] for one in found["of"]]
    named = f"The others: the newest {len(rows)}" if len(rows) < found["n"] - 1 else "The others"
    return [Text(said, is_remark=True), *([Table(named, ["Model", "Use case", "At", "Where"], rows)] if rows else [])]


def _gates(run: Run) -> dict[str, Any] | None:
    """What `bank_models.registry.promotion` found; None for a run that was not to be registered."""
    text = run.text(GATES)
    return None if text is None else json.loads(text)


def _counted(found: dict[str, Any]) -> str:
    n_failed = sum(not gate["is_met"] for gate in found["gates"])
    return f"{n_failed} of {len(found['gates'])} gates not met" if n_failed else f"all {len(found['gates'])} gates met"


def _against_production(run: Run, found: dict[str, Any]) -> list:
    now, apart = found["production"], found["difference"]
    small = [f"{title(now['metric'])} of {now['model']} on its own {'test ' if run.fact('split') else ''}rows"]
    if now["low"] is not None and now["high"] is not None:
        small += ["; 95 % interval ", _of_gates(found, "production", "low"), " to ", _of_gates(found, "production", "high")]
    items = [(f"In production: {now['version']}", _of_gates(found, "production", "score") or "not defined", small)]
    if apart is not None:
        ends = [_of_gates(found, "difference", end, signed=True) for end in ("low", "high")]
        small = ["95 % interval ", ends[0], " to ", ends[1], "; p ", _of_gates(found, "difference", "p_value")]
        items.append((f"Gain over {now['version']}", _of_gates(found, "difference", "gain", signed=True), small))
    return items


def _told_apart(found: dict[str, Any]) -> str:
    """What the difference from production shows, in a sentence or two."""
    version, apart = found["production"]["version"], found["difference"]
    if apart is None:
        return f"This run cannot be compared with {version}: there are no test rows, or the metric is another one."
    if apart["low"] is not None and apart["low"] > 0:
        said = f"This run is better than {version}, by more than chance explains."
    elif apart["high"] is not None and apart["high"] < 0:
        said = f"This run is worse than {version}, by more than chance explains."
    else:
        said = f"This run cannot be told apart from {version}."
    if apart["test"] == "unpaired":
        return f"{said} The test rows are not the same, so the two intervals were compared: that takes a larger gain to show."
    return f"{said} Both answered the same test rows ({apart['test']})."


def _of_gates(found: dict[str, Any], part: str, name: str, signed: bool = False) -> Number | None:
    value = found[part][name]
    return None if value is None else Number(value, number.formatted(value, signed), {"gates": f"{part}/{name}"})


def figures(run: Run) -> list:
    metric, beside = run.metric, f"baseline_{run.metric}"
    items = []
    if beside in run.metrics:
        name = run.fact("baseline") or "prior"
        items.append((f"Baseline ({name})", number.metric(run, beside), [meaning_of_baseline(run, name)]))
        gain = f"gain_{metric}"
        items.append(("Better than the baseline by", number.metric(run, gain, signed=True), _interval(run, gain)))
        ceiling = number.metric(run, f"ceiling_{metric}")
        small = ["what knowing the simulation's truth would reach"]
        if ceiling is None:
            small = [why_no_ceiling(run)]
        items.append(("Ceiling", ceiling or "unknown", small))
    if f"cv_{metric}" in run.metrics:
        spread = number.metric(run, f"cv_{metric}_std")
        small = [*_interval(run, f"cv_{metric}"), "; standard deviation of single folds of train ", spread]
        items.append(("Cross-validation", number.metric(run, f"cv_{metric}"), small))
    for name, label, small in (
        ("stability", "Stability", "agreement of repeated clusterings (adjusted Rand index)"),
        ("n_clusters", "Clusters", ""),
        ("noise_rate", "Noise", f"share of {'train ' if run.fact('split') else ''}rows in no cluster"),
        ("davies_bouldin", "Davies-Bouldin", "lower is better"),
        ("calinski_harabasz", "Calinski-Harabasz", "higher is better"),
        ("adjusted_rand_score", "Agreement with true groups", "adjusted Rand index"),
    ):
        if name in run.metrics and name != run.score_name:
            items.append((label, number.metric(run, name), [small] if small else []))
    return items


VALIDITY = {
    "split seed": "split by a seed of its own",
    "parts": "test shares rows, groups or times with train",
    "leakage": "a column may know the answer",
    "plausible": "a score too good to be true",
}


def badges(run: Run) -> list[tuple[str, str]]:
    kind = run.fact("data", "kind")
    found = [(f"{kind} data", "good" if kind == "real" else "info")]
    if proxy := run.fact("data", "proxy_for"):
        found.append((f"data are a proxy for {proxy}", "warn"))
    low, high = (run.metrics.get(f"gain_{run.metric}_ci_{end}") for end in ("low", "high"))
    if low is not None:
        found.append(
            ("better than the baseline, beyond chance", "good") if low > 0
            else ("worse than the baseline", "bad") if high < 0
            else ("not shown to be better than the baseline", "warn")
        )  # fmt: skip
    floor = run.use_case("minimum_score")
    if floor is not None:
        reached = as_score(run.metric, run.metrics[run.score_name]) >= as_score(run.metric, floor)
        found.append(
            (f"minimum score {number.formatted(floor)} {'reached' if reached else 'missed'}", "good" if reached else "bad")
        )
    if directions := run.fact("monotone"):
        n_broken = len(run.fact("monotone_violations") or {})
        said = f"{n_broken} of {len(directions)} declared directions broken" if n_broken else "all declared directions kept"
        found.append((said, "warn" if n_broken else "good"))
    n_differing = run.fact("slices", "n_differing")
    if n_differing:
        found.append((f"{n_differing} slice{'s differ' if n_differing > 1 else ' differs'} from the whole", "warn"))
    if ratios := parity_ratios(run.metrics).values():
        found.append(("four-fifths rule kept", "good") if min(ratios) >= FOUR_FIFTHS else ("four-fifths rule broken", "bad"))
    tones = {"red": "bad", "amber": "warn"}
    found += [
        (VALIDITY[each.name], tones[each.colour]) for each in validity.judge(run.facts, run.metrics) if each.colour in tones
    ]
    if gates := _gates(run):
        found.append((_counted(gates), "good" if all(gate["is_met"] for gate in gates["gates"]) else "bad"))
    return found


def _interval(run: Run, name: str, drawn: str = "", before: str = "") -> list:
    low, high = (number.metric(run, f"{name}_ci_{end}", signed=name.startswith("gain")) for end in ("low", "high"))
    if low is None:
        lacks = (run.fact("interval_of") or {}).get("lacks")
        return [f"{before}no interval: {lacks}"] if lacks and name == run.score_name else []
    return [f"{before}95 % interval ", low, " to ", high, drawn]


def _drawn(run: Run) -> str:
    drawn = (run.fact("interval_of") or {}).get("drawn")
    if not isinstance(drawn, dict) or "rows" in drawn:
        return ""
    return ", from " + " and ".join(f"{n:,} of {name}" for name, n in drawn.items())


def _repeated(run: Run) -> list[str]:
    """Of few rows, a second headline: repeated cross-validation on train."""
    said = described(run.metrics, run.metric, run.fact("cross_validation"))
    return [f"; cross-validated {said}"] if said else []


def _rows(run: Run) -> str:
    n_test = run.fact("split", "n_rows", "test")
    by = f", weighted by {column}" if (column := run.fact("weights", "column")) else ""
    return f"{run.fact('data', 'n_valid_rows'):,} rows" if n_test is None else f"{n_test:,} test rows{by}"


def _scale(run: Run) -> Scale | None:
    """Baseline, score and ceiling on one line, the better side to the right."""
    metric = run.metric
    names = {"baseline": f"baseline_{metric}", "score": run.score_name, "ceiling": f"ceiling_{metric}"}
    numbers = {label: number.metric(run, name) for label, name in names.items() if name in run.metrics}
    ends = [run.headline.low, run.headline.high]
    if "baseline" not in numbers or None in ends:
        return None
    values = [as_score(metric, value) for value in [*(each.value for each in numbers.values()), *ends]]
    span = max(values) - min(values)
    if span == 0:
        return None
    place = lambda value: round(100 * (as_score(metric, value) - min(values)) / span, 2)  # noqa: E731
    low, high = sorted(map(place, ends))
    label = "; ".join(f"{name} {each.text}" for name, each in numbers.items())
    marks = [(name, each, place(each.value), name == "score") for name, each in numbers.items()]
    return Scale(f"From worse to better: {label}", marks, low, high)
