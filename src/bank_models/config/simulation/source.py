"""Computed features: derived values, values given by conditions, rounding and heaping."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field, model_validator

from bank_models.config.expression import parse
from bank_models.config.rule import Condition
from bank_models.config.simulation.margin import CONTINUOUS, Margin
from bank_models.config.strict_model import Share, StrictModel

if TYPE_CHECKING:
    from bank_models.config.simulation.feature import Simulate

DRAWN = "drawn"
"""What a derived feature calls the draw of its own distribution."""


class Heap(StrictModel):
    """Round numbers that people prefer.

    Attributes
    ----------
    to : float
        What a value is rounded to a multiple of.
    share : float
        Of the values, in (0, 1], that are.
    """

    to: Annotated[float, Field(gt=0)]
    share: Annotated[float, Field(gt=0, le=1)]


class Given(Margin):
    """What a feature is in rows of one kind: a value, other parameters, a range, or nothing at all.

    Attributes
    ----------
    when : str
        Condition over other features: see `bank_models.config.expression`.
    distribution : str, optional
        Another one, with all of its parameters. Without it the parameters that are named replace those of the feature.
    value : float, bool or str, optional
        The one value that such rows have.
    is_missing : bool
        Such rows have no value at all: a column that exists for other kinds of rows only.
    min, max : float, optional
        The distribution is cut there: no value is outside, and the others are as likely as before.
    """

    when: Condition
    distribution: str | None = None
    probability: Share | None = None
    probabilities: Annotated[list[Share], Field(min_length=1)] | None = None
    value: float | bool | str | None = None
    is_missing: bool = False
    min: float | None = None
    max: float | None = None

    @model_validator(mode="after")
    def _facts_agree(self):
        parse(self.when)
        facts = self.parameters or self.distribution or self.min is not None or self.max is not None
        if sum([bool(facts), self.value is not None, self.is_missing]) != 1:
            raise ValueError(
                f"given {self.when}: give either a value, is_missing, or parameters, min and max of a distribution"
            )
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError(f"`min <= max` must hold, but got (min={self.min}, max={self.max})")
        return self

    @property
    def parameters(self) -> dict:
        """Parameters of a distribution that it names."""
        names = (*Margin.model_fields, "probability", "probabilities")
        return {name: value for name in names if (value := getattr(self, name)) is not None}


def check_source_of(drawn: Simulate, parameters: tuple[str, ...]) -> None:
    """Refuse facts about where values come from that contradict each other.

    Parameters
    ----------
    drawn : Simulate
    parameters : tuple of str
        Names of all parameters of distributions.
    """
    if drawn.derived is not None:
        names = parse(drawn.derived).columns
        if (DRAWN in names) != (drawn.distribution is not None):
            raise ValueError(f"`{drawn.derived}` and a distribution go together only if it names {DRAWN}, the draw from it")
    if drawn.distribution is None:
        _check_computed(drawn, parameters)
    if drawn.decimals is not None and drawn.step is not None:
        raise ValueError("decimals and step exclude each other: both say what is rounded to")
    if drawn.given and drawn.distribution not in (*CONTINUOUS, "poisson", "bernoulli", "categorical"):
        raise ValueError(f"given is for numbers, flags and categorical, not for distribution {drawn.distribution}")
    if sum(heap.share for heap in drawn.heaps) > 1:
        raise ValueError("the shares of the heaps sum to 1 at most")
    for case in drawn.given:
        drawn.in_case(case)


def _check_computed(drawn: Simulate, parameters: tuple[str, ...]) -> None:
    if drawn.derived is None:
        raise ValueError("a draw needs a distribution, or an expression in derived")
    if given := [name for name in parameters if getattr(drawn, name) is not None]:
        raise ValueError(f"{given[0]} is for a distribution, and there is none")
    if drawn.factors or drawn.level != "row" or drawn.autocorrelation or drawn.moves:
        raise ValueError("factors, level, autocorrelation, season, trend and regimes are for a distribution, and there is none")
