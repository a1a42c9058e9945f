"""Promotion rules: what a version must show before it goes into production."""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bank_models.config.use_case import UNNAMED
from bank_models.errors import IntegrityError, TrainingError
from bank_models.evaluation import looks, validity
from bank_models.evaluation.requirements import ENDS, FOUR_FIFTHS, PARITY, parity_ratios
from bank_models.files import writing
from bank_models.metrics.figures import change, figure
from bank_models.metrics.names import as_score
from bank_models.registry.comparison import of_version
from bank_models.registry.model_version import Version
from bank_models.registry.store import open_registry
from bank_models.runs.comparison import Difference, Results, by_chance, difference, of_folder

log = logging.getLogger(__name__)
NAME = "gates.json"
BY_CHANCE = 0.025  # the most that may be left to chance of a score
SHARE_OF_GAIN = 0.2  # of a rival's gain on its baseline, by which a version may be worse
CALIBRATION_TOLERANCE = 0.1  # of a rival's Brier score
FAIRNESS_TOLERANCE = 0.02  # by which a difference between groups may grow: less is within the noise of a thousand test rows
DIFFERENCES = ("demographic_parity_difference_", "equal_opportunity_difference_")


@dataclass(frozen=True)
class Gate:
    """A demand, whether it's met, and why."""

    name: str
    is_met: bool
    reason: str

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def judge(version: Version, production: Version | None, earlier: Sequence[Version] = (), n_looks: int = 1) -> list[Gate]:
    """Every gate, in order; those after a failed integrity are not opened.

    Parameters
    ----------
    version : Version
    production : Version or None
        What is in production now.
    earlier : sequence of Version
        What was in production before: the best of them counts too, else many small losses would add up.
    n_looks : int
        At its test rows, of which this version is taken for the best: see `bank_models.evaluation.looks`.
    """
    try:
        version.verify()
    except IntegrityError as error:
        return [Gate("integrity", False, str(error))]
    integrity = Gate("integrity", True, "every byte is the one that was registered")
    if production is None:
        return [integrity, *demands(of_version(version), n_looks)]
    production.verify()
    mine, rival = of_version(version), of_version(production)
    compared = comparisons(mine, rival, n_looks)
    return [integrity, *demands(mine, n_looks), *compared, *_best(mine, rival, earlier, n_looks)]


def demands(mine: Results, n_looks: int = 1) -> list[Gate]:
    """The gates that ask for no other version."""
    found = [*_described(mine.facts), _own_rows(mine.facts), _score(mine, n_looks), *_gain(mine, n_looks)]
    found += [Gate(each.name, each.colour != "red", each.reason) for each in validity.judge(mine.facts, mine.metrics)]
    return [*found, *_four_fifths(mine.metrics)]


def comparisons(mine: Results, rival: Results, n_looks: int = 1) -> list[Gate]:
    """The gates that ask for the version in production."""
    found = [_no_worse("production", mine, rival, n_looks)]
    if "test_brier_score_loss" in mine.metrics and "test_brier_score_loss" in rival.metrics:
        margin = CALIBRATION_TOLERANCE * rival.metrics["test_brier_score_loss"]
        found.append(_not_inferior("calibration", mine, rival, difference(mine, rival, "brier_score_loss"), margin))
    return [*found, *_fairness(mine.metrics, rival)]


def margin_of(mine: Results, rival: Results) -> float:
    """By how much the primary metric may be worse: what the use case declares, or a fifth of the rival's gain.

    References
    ----------
    Food and Drug Administration (2016), Non-inferiority clinical trials to establish effectiveness, on margins that preserve
    a share of the effect that is known.
    """
    declared = mine.facts["config"]["use_case"].get("margin")
    if declared is not None:
        return float(declared)
    return SHARE_OF_GAIN * max(0.0, rival.metrics.get(f"gain_{rival.facts['metric']}") or 0.0)


def _best(mine: Results, rival: Results, earlier: Sequence[Version], n_looks: int) -> list[Gate]:
    """Not inferior to the best version that was ever in production, where it is not the one that is there now."""
    others = [of_version(version) for version in earlier if version.version not in (mine.version, rival.version)]
    others = [one for one in others if one.facts["metric"] == rival.facts["metric"] and one.score_name in one.metrics]
    worth = lambda one: as_score(one.facts["metric"], one.metrics[one.score_name])  # noqa: E731
    if rival.score_name not in rival.metrics or not others or worth(best := max(others, key=worth)) <= worth(rival):
        return []
    return [_no_worse("best in production ever", mine, best, n_looks)]


def of_run(folder: Path, root: Path) -> dict[str, Any]:
    """How a run that is not registered yet stands to what is in production now: what promoting it is going to ask.

    Parameters
    ----------
    folder : Path
        With the run's results.
    root : Path
        Of the registry.

    Returns
    -------
    dict
        `production`: `version`, `model`, `metric` and `score` with `low` and `high`, or None if nothing is in production.
        `difference`: a `Difference`, or None. `gates`: every `Gate` but integrity.

    Raises
    ------
    IntegrityError
        If the registry isn't what was written.
    """
    mine = of_folder(folder)
    known = open_registry(root).versions(mine.facts["use_case_key"])
    production = next((version for version in known if version.status == "production"), None)
    n_looks = (mine.facts.get("looks") or {}).get("n", 1)
    gates, about, apart = demands(mine, n_looks), None, None
    if production is not None:
        production.verify()
        rival = of_version(production)
        apart = difference(mine, rival)
        gates += comparisons(mine, rival, n_looks)
        about = {"low": rival.headline.low, "high": rival.headline.high, "score": rival.headline.value}
        about |= {"version": rival.version, "model": rival.facts["model"], "metric": rival.facts["metric"]}
    return {
        "production": about and _finite(about),
        "difference": apart and _finite(asdict(apart)),
        "gates": [gate.as_dict() for gate in gates],
    }


def write(folder: Path, root: Path) -> None:
    """Write `of_run` into the run's folder as `gates.json`; a registry that cannot be read costs no run, but a warning."""
    try:
        found = of_run(folder, root)
    except (TrainingError, OSError, ValueError, KeyError) as error:
        log.warning(f"The report of this run does not compare it with production: {' '.join(str(error).split())}")
        return
    writing.write_json(folder / NAME, found)


def _finite(values: dict[str, Any]) -> dict[str, Any]:
    """Values as JSON knows them: it has no nan."""
    return {name: None if isinstance(value, float) and not math.isfinite(value) else value for name, value in values.items()}


def _described(facts: dict[str, Any]) -> list[Gate]:
    """Refuse a use case that still lacks what a draft may lack: its id, its owner and what a row is."""
    use_case = facts["config"]["use_case"]
    lacking = [name for name, value in UNNAMED.items() if use_case.get(name) == value]
    said = (
        f"the use case states no {', '.join(lacking)}: add {'it' if len(lacking) == 1 else 'them'} to its file, and train again"
    )
    return [Gate("described", False, said)] if lacking else []


def _own_rows(facts: dict[str, Any]) -> Gate:
    proxy, kind = facts["data"].get("proxy_for"), facts["data"]["kind"]
    of = facts["data"]["source"] if kind == "extension" else kind
    return Gate("data", not proxy, f"trained on a proxy for {proxy}" if proxy else f"{of} rows of the use case")


def _score(mine: Results, n_looks: int) -> Gate:
    """What the use case demands, beside what chance gains by the looks."""
    metric, use_case = mine.facts["metric"], mine.facts["config"]["use_case"]
    floor, why, value = use_case.get("minimum_score"), use_case.get("minimum_reason"), mine.headline.value
    if value is None:
        return Gate("score", False, f"{metric} is not defined for this version")
    if floor is None:
        return Gate("score", True, f"{metric} {figure(value)}; the use case demands no minimum")
    looked = looks.said({"n": n_looks, "optimism": looks.optimism(n_looks, mine.metrics, metric)})
    said = [f"{metric} {figure(value)}, the use case demands {figure(floor)}" + (f": {why}" if why else ""), looked]
    is_met = as_score(metric, value) >= as_score(metric, floor)
    return Gate("score", bool(is_met), "; ".join(filter(None, said)).removesuffix("."))


def _gain(mine: Results, n_looks: int) -> list[Gate]:
    """Better than the best baseline beyond chance, as the best of all looks; clusters have no baseline."""
    facts, metrics = mine.facts, mine.metrics
    metric = facts["metric"]
    if f"gain_{metric}" not in metrics:
        return []
    gain, high = (metrics.get(f"gain_{metric}_ci_{end}") for end in ("low", "high"))
    named = facts.get("baseline") or "the baseline"
    if gain is None or high is None:
        lacks = (facts.get("interval_of") or {}).get("lacks", "it was not recorded")
        return [Gate("gain", False, f"no interval of the gain on {named}: {lacks}")]
    said = f"gain on {named} {change(metrics[f'gain_{metric}'])} [{change(gain)}, {change(high)}]"
    said += "" if gain > 0 else ", which may be chance"
    if gain > 0 and (chance := by_chance(mine)) is not None and chance > BY_CHANCE:
        return [Gate("gain", False, f"{said}, but its answers score as well where they are dealt at random (p = {chance:.2g})")]
    if n_looks == 1:
        return [Gate("gain", gain > 0, said)]
    p_value, most = metrics.get(f"gain_{metric}_p_value"), 1 - looks.confidence(n_looks)
    shown = "was not recorded" if p_value is None else f"is {p_value:.2g}"
    said += f"; as the best of {n_looks:,} looks at these test rows it needs p of at most {most:.2g}, which {shown}"
    return [Gate("gain", gain > 0 and p_value is not None and p_value <= most, said)]


def _no_worse(name: str, mine: Results, rival: Results, n_looks: int) -> Gate:
    """Whether the primary metric isn't worse by more than the margin, at a level that holds for the best of all looks."""
    found = difference(mine, rival, confidence=looks.confidence(n_looks))
    gate = _not_inferior(name, mine, rival, found, margin_of(mine, rival))
    if n_looks == 1 or found is None:
        return gate
    level = f"interval of {100 * looks.confidence(n_looks):.2f} %, for the best of {n_looks:,} looks at these test rows"
    return Gate(name, gate.is_met, f"{gate.reason}; {level}")


def _not_inferior(name: str, mine: Results, rival: Results, found: Difference | None, margin: float) -> Gate:
    if found is None:
        has_no_test = mine.scores is None and rival.scores is None
        return Gate(name, has_no_test, f"cannot be compared with {rival.version}: no test rows, or another metric")
    between = "no interval" if math.isnan(found.low) else f"[{change(found.low)}, {change(found.high)}]"
    said = (
        f"{found.metric} {figure(found.a)} against {figure(found.b)} of {rival.version}: "
        f"gain {change(found.gain)} {between}, {found.test}; may be worse by {figure(margin)}"
    )
    return Gate(name, found.is_not_inferior(margin), said)


def _four_fifths(metrics: dict[str, float]) -> list[Gate]:
    """Selection rates of groups, lowest over highest: broken where the whole interval is below four fifths."""
    ratios = {PARITY + column: value for column, value in parity_ratios(metrics).items()}
    if not ratios:
        return []
    broken = [name for name, value in ratios.items() if metrics.get(f"{name}_ci_high", value) < FOUR_FIFTHS]
    said = "; ".join(f"{name} {ratios[name]:.3f}, below {FOUR_FIFTHS} beyond chance" for name in broken)
    return [Gate("four fifths", not broken, said or f"none of {len(ratios)} ratios is below {FOUR_FIFTHS} beyond chance")]


def _fairness(mine: dict[str, float], rival: Results) -> list[Gate]:
    """No difference between groups may grow beyond chance, and no ratio fall below four fifths where it was above."""
    theirs, faults, n_compared = rival.metrics, [], 0
    for name, value in mine.items():
        if name.startswith((*DIFFERENCES, PARITY)) and name in theirs and not name.endswith(ENDS):
            n_compared += 1
            grows = name.startswith(DIFFERENCES) and not value <= theirs[name] + FAIRNESS_TOLERANCE
            breaks = name.startswith(PARITY) and not value >= FOUR_FIFTHS and theirs[name] >= FOUR_FIFTHS
            if (grows or breaks) and not _may_be_chance(name, mine, theirs):
                faults.append(f"{name} {value:.3f}, {theirs[name]:.3f} in {rival.version}")
    if not n_compared:
        return []
    return [Gate("fairness", not faults, "; ".join(faults) or f"none of {n_compared} differences is larger beyond chance")]


def _may_be_chance(name: str, mine: dict[str, float], theirs: dict[str, float]) -> bool:
    """Whether the intervals of two versions' disparity leave room for no change; without intervals nothing is excused.

    References
    ----------
    Zou & Donner (2008), Construction of confidence limits about effect measures: a general approach, Statistics in Medicine
    27, 1693-1702: the interval of a difference from that of each side.
    """
    ends = [found.get(f"{name}{end}") for found in (mine, theirs) for end in ENDS]
    if None in ends:
        return False
    value, other, (low, high, other_low, other_high) = mine[name], theirs[name], ends
    if value > other:
        return value - other <= math.hypot(value - low, other_high - other)
    return other - value <= math.hypot(high - value, other - other_low)
