"""Checks of a run for the scoreboard."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from bank_models.evaluation.requirements import FOUR_FIFTHS
from bank_models.metrics.figures import figure
from bank_models.metrics.names import as_score
from bank_models.scoreboard.runs import Run

ROUNDING = 1e-6  # of a score: trees add up in float32
COLOURS = ("green", "amber", "red")


@dataclass(frozen=True)
class Gate:
    """A question to a run: green if all is well, amber if that is in doubt, red if not."""

    name: str
    colour: str
    reason: str


def judge(run: Run) -> list[Gate]:
    """Every gate that applies: a run without protected columns is not asked about them."""
    of_model = *_directions(run), *_fairness(run)
    return [*_integrity(run), *_score(run), *_validity(run), *of_model, *_weights(run), *_data(run)]


def verdict(gates: list[Gate]) -> str:
    """The worst colour of some gates."""
    return max((gate.colour for gate in gates), key=COLOURS.index)


def _integrity(run: Run) -> Iterator[Gate]:
    yield Gate("integrity", "red" if run.damage else "green", run.damage or "every byte is the one that was written")


def _score(run: Run) -> Iterator[Gate]:
    """As the registry asks before it puts a version into production."""
    metric, found = run.metric, run.headline
    if found.value is None:
        yield Gate("score", "red", f"{metric} is not defined")
        return
    if run.minimum_score is not None:
        is_met = as_score(metric, found.value) >= as_score(metric, run.minimum_score)
        said = f"{metric} {figure(found.value)}, the use case demands {figure(run.minimum_score)}"
        said = f"{said}: {run.minimum_reason}" if run.minimum_reason else said
        yield Gate("score", "green" if is_met else "red", said)
    if found.gain is None:
        return
    if found.gain_low is None:
        yield Gate("gain", "red", "the gain on the baseline has no interval: the test rows do not show that there is one")
        return
    against = (
        f"{run.baseline_name or 'the baseline'} by {figure(found.gain)} [{figure(found.gain_low)}, {figure(found.gain_high)}]"
    )
    if found.gain <= 0:
        yield Gate("gain", "red", f"no better than {against}")
    elif found.gain_low <= 0:
        yield Gate("gain", "amber", f"better than {against}: that may be chance")
    else:
        yield Gate("gain", "green", f"better than {against}")


def _validity(run: Run) -> Iterator[Gate]:
    return (Gate(found.name, found.colour, found.reason) for found in run.validity)


def _directions(run: Run) -> Iterator[Gate]:
    if not run.directions:
        return
    broken = {name: step for name, step in run.violations.items() if step > ROUNDING}
    if not broken:
        yield Gate("directions", "green", f"{len(run.directions)} declared directions are kept")
        return
    name = max(broken, key=broken.get)
    said = f"{len(broken)} of {len(run.directions)} declared directions are broken, {name} by {broken[name]:.3g} of the score"
    yield Gate("directions", "red" if run.is_direction_required else "amber", said)


def _fairness(run: Run) -> Iterator[Gate]:
    if not run.parity:
        return
    column, ratio = min(run.parity.items(), key=lambda item: item[1])
    said = f"lowest over highest selection rate is {ratio:.2f} for {column}; four fifths are asked for"
    yield Gate("fairness", "green" if ratio >= FOUR_FIFTHS else "red", said)


def _weights(run: Run) -> Iterator[Gate]:
    if run.weighted_by:
        yield Gate("weights", "green", f"figures are weighted by {run.weighted_by}")


def _data(run: Run) -> Iterator[Gate]:
    if run.proxy_for:
        yield Gate("data", "amber", f"trained on a proxy for {run.proxy_for}: it shows the method, not the bank's model")
