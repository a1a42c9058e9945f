"""Names of the two classes of a target."""

from __future__ import annotations

import re
from dataclasses import dataclass

from bank_models.report.run import Run

SPANS = {"d": "day", "m": "month", "y": "year"}


def class_names(run: Run) -> tuple[str, str]:
    """Names of the negative and the positive class: as the use case declares them, else from the target's name."""
    positive, negative = run.use_case("positive"), run.use_case("negative")
    target = in_words(run.use_case("target") or "positive")
    if positive is None or _is_code(positive):
        positive = target if positive is None else f"{target} = {positive}"
    if negative is None or _is_code(negative):
        negative = f"not {positive}" if negative is None else f"{target} = {negative}"
    return negative, positive


@dataclass(frozen=True)
class Decided:
    """Words for decisions: nobody is flagged for what people want, such as an approval."""

    flagged: str
    false_alarms: str
    missed: str


def decided(run: Run) -> Decided:
    """Words for the decisions of a run about two classes."""
    negative, positive = class_names(run)
    if run.use_case("favourable") == 1:
        return Decided(f"called {positive}", f"wrongly called {positive}", f"wrongly called {negative}")
    return Decided("flagged", "false alarms", "missed")


def in_words(target: str) -> str:
    """A target as people say it: `defaulted_12m` is "defaulted within 12 months"."""
    name = target.removeprefix("is_").removeprefix("has_")
    if found := re.fullmatch(r"(.+)_(\d+)([dmy])", name):
        count = int(found[2])
        return f"{found[1].replace('_', ' ')} within {count} {SPANS[found[3]]}{'' if count == 1 else 's'}"
    return name.replace("_", " ")


def _is_code(name: str) -> bool:
    return str(name).replace(".", "", 1).lstrip("-").isdigit()
