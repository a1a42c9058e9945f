"""Skill score: the share of the way from the baseline to the best score."""

from __future__ import annotations

from dataclasses import dataclass

from bank_models.metrics.names import METRICS, as_score
from bank_models.scoreboard.runs import Run


@dataclass(frozen=True)
class SkillScore:
    """0 is the baseline, 1 the best there can be; below 0 the model is worse than none.

    Attributes
    ----------
    share : float
    low, high : float or None
        Its interval: that of the gain over the baseline, in the same unit.
    of : {"ceiling", "perfect"}
        Simulated data knows the best score that can be reached by most metrics, given what cannot be known. Elsewhere it is
        the perfect score, which nobody reaches: only scores of one kind can be compared.
    """

    share: float
    low: float | None
    high: float | None
    of: str


def skill_score(run: Run) -> SkillScore | None:
    """The skill score of a run; None without a baseline, or where no score is better than it."""
    known, found = METRICS.get(run.metric), run.headline
    best = (known and known.best) if found.ceiling is None else found.ceiling
    if best is None or found.baseline is None or found.gain is None:
        return None
    way = as_score(run.metric, best) - as_score(run.metric, found.baseline)
    if way <= 0:
        return None
    ends = (end if end is None else end / way for end in (found.gain_low, found.gain_high))
    return SkillScore(found.gain / way, *ends, "perfect" if found.ceiling is None else "ceiling")
