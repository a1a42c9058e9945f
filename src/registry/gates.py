"""What a version must show before it may go into production."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from src.errors import IntegrityError
from src.fairness import FOUR_FIFTHS
from src.metrics import as_score
from src.registry.comparison import Difference, compare
from src.registry.store import Version

FAIRNESS_TOLERANCE = 0.02  # by which a difference between groups may grow: less is within the noise of a thousand test rows
DIFFERENCES = ("demographic_parity_difference_", "equal_opportunity_difference_")
RATIO = "demographic_parity_ratio_"


@dataclass(frozen=True)
class Gate:
    """A demand, whether it's met, and why."""

    name: str
    is_met: bool
    reason: str

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def judge(version: Version, production: Version | None) -> list[Gate]:
    """Every gate, in order; those after a failed integrity are not opened.

    Parameters
    ----------
    version : Version
    production : Version or None
        What is in production now.
    """
    try:
        version.verify()
    except IntegrityError as error:
        return [Gate("integrity", False, str(error))]
    facts, metrics = version.read_json("metadata.json"), version.read_json("metrics.json")
    found = [Gate("integrity", True, "every byte is the one that was registered"), _own_rows(facts), _score(facts, metrics)]
    if production is None:
        return found
    production.verify()
    found.append(_not_worse("production", compare(version, production), production))
    if "test_brier_score_loss" in metrics:
        found.append(_not_worse("calibration", compare(version, production, "brier_score_loss"), production))
    return [*found, *_fairness(metrics, production.read_json("metrics.json"), production)]


def _own_rows(facts: dict[str, Any]) -> Gate:
    proxy = facts["data"].get("proxy_for")
    return Gate(
        "data", not proxy, f"trained on a proxy for {proxy}" if proxy else f"{facts['data']['kind']} rows of the use case"
    )


def _score(facts: dict[str, Any], metrics: dict[str, float]) -> Gate:
    metric, floor = facts["metric"], facts["config"]["use_case"].get("minimum_score")
    name = f"test_{metric}" if f"test_{metric}" in metrics else metric
    value = metrics.get(name)
    if value is None:
        return Gate("score", False, f"{metric} is not defined for this version")
    if floor is not None:
        is_met = as_score(metric, value) >= as_score(metric, floor)
        return Gate("score", bool(is_met), f"{metric} {value:.4g}, the use case demands {floor:.4g}")
    gain = metrics.get(f"gain_{metric}_ci_low")
    if gain is None:
        return Gate("score", True, f"{metric} {value:.4g}; the use case demands nothing, and there is no baseline")
    return Gate("score", gain > 0, f"{metric} {value:.4g}, better than the baseline by at least {gain:.4g} (lower end of 95 %)")


def _not_worse(name: str, difference: Difference | None, production: Version) -> Gate:
    if difference is None:
        return Gate(name, True, f"cannot be compared with {production.version}: no test rows, or another metric")
    said = (
        f"{difference.metric} {difference.a:.4g} against {difference.b:.4g} of {production.version}: "
        f"gain {difference.gain:+.4g} [{difference.low:+.4g}, {difference.high:+.4g}], {difference.test}"
    )
    return Gate(name, not difference.is_worse, said)


def _fairness(mine: dict[str, float], theirs: dict[str, float], production: Version) -> list[Gate]:
    """No difference between groups may grow, and no ratio fall below four fifths where it was above."""
    faults, n_compared = [], 0
    for name, value in mine.items():
        if name.startswith((*DIFFERENCES, RATIO)) and name in theirs:
            n_compared += 1
            grows = name.startswith(DIFFERENCES) and not value <= theirs[name] + FAIRNESS_TOLERANCE
            breaks = name.startswith(RATIO) and not value >= FOUR_FIFTHS and theirs[name] >= FOUR_FIFTHS
            if grows or breaks:
                faults.append(f"{name} {value:.3f}, {theirs[name]:.3f} in {production.version}")
    if not n_compared:
        return []
    return [Gate("fairness", not faults, "; ".join(faults) or f"none of {n_compared} differences between groups is larger")]
