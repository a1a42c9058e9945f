"""Marginal distributions and their parameters."""

from math import inf
from typing import Annotated, Literal

from pydantic import Field, model_validator

from bank_models.config.strict_model import StrictModel

CONTINUOUS = {
    "normal": {"mean", "std"},
    "lognormal": {"median", "sigma"},
    "uniform": {"low", "high"},
    "beta": {"a", "b"},
    "gamma": {"mean", "std"},
    "exponential": {"mean"},
}
MAY = {"beta": {"low", "high"}}


class Margin(StrictModel):
    """Parameters of a distribution; which of them it needs is checked by `check_parameters`."""

    mean: float | None = None
    std: Annotated[float, Field(gt=0)] | None = None
    median: Annotated[float, Field(gt=0)] | None = None
    sigma: Annotated[float, Field(gt=0)] | None = None
    low: float | None = None
    high: float | None = None
    a: Annotated[float, Field(gt=0)] | None = None
    b: Annotated[float, Field(gt=0)] | None = None

    def check_parameters(self, needs: dict[str, set[str]], may: dict[str, set[str]], parameters: tuple[str, ...]) -> None:
        """Refuse parameters that the distribution lacks, does not take, or cannot have together."""
        needed = needs[self.distribution]
        given = {name for name in parameters if getattr(self, name) is not None}
        extra = given - needed - may.get(self.distribution, set())
        if missing := needed - given:
            raise ValueError(f"distribution {self.distribution} needs {_listed(missing, parameters)}")
        if extra:
            raise ValueError(f"distribution {self.distribution} takes no {_listed(extra, parameters)}")
        if self.distribution == "beta" and (self.low is None) != (self.high is None):
            raise ValueError("distribution beta takes low and high together or neither")
        if self.low is not None and self.low >= self.high:
            raise ValueError(f"`low < high` must hold, but got (low={self.low}, high={self.high})")
        if self.mean is not None and self.mean <= 0 and self.distribution != "normal":
            raise ValueError(f"`mean > 0` must hold for {self.distribution}, but got (mean={self.mean})")

    def support(self) -> tuple[float, float]:
        """Smallest and largest value the distribution can take."""
        match self.distribution:
            case "normal":
                return -inf, inf
            case "uniform":
                return self.low, self.high
            case "beta":
                return (0.0, 1.0) if self.low is None else (self.low, self.high)
        return 0.0, inf


def _listed(names: set[str], order: tuple[str, ...]) -> str:
    return " and ".join(name for name in order if name in names)


class Outcome(Margin):
    """What a regression target looks like, how much of it the features explain, and how long it remembers.

    The outcome has a latent value ``sqrt(signal) * index + sqrt(1 - signal) * noise``, where the index is the sum of all
    effects, standardised over the drawn rows. It shows the quantile of its distribution at the rank of that value.

    Attributes
    ----------
    distribution : {"normal", "lognormal", "uniform", "beta", "gamma", "exponential"}
        With its parameters, as for features: what a histogram of the target looks like.
    decimals : int, optional
        Digits after the point that the outcome is rounded to.
    step : float, optional
        What the outcome is a multiple of instead: the smallest note of a cash machine.
    signal : float
        Share of the latent variance, in (0, 1), that the index explains.
    low_rate, low_value : float
        Share of rows, in [0, 1), at the low end, and the value they have, which is not above the distribution's values: no
        purchase at all, nothing recovered.
    high_rate, high_value : float
        The same at the high end.
    memory : float
        Autocorrelation, in [0, 1), of the noise over an entity's periods: what earlier outcomes tell beyond the features.
    horizon : int
        Periods until an outcome is known.
    """

    distribution: Literal["normal", "lognormal", "uniform", "beta", "gamma", "exponential"]
    decimals: Annotated[int, Field(ge=0, le=6)] | None = None
    step: Annotated[float, Field(gt=0)] | None = None
    signal: Annotated[float, Field(gt=0, lt=1)]
    low_rate: Annotated[float, Field(ge=0, lt=1)] = 0.0
    low_value: float = 0.0
    high_rate: Annotated[float, Field(ge=0, lt=1)] = 0.0
    high_value: float = 1.0
    memory: Annotated[float, Field(ge=0, lt=1)] = 0.0
    horizon: Annotated[int, Field(ge=1)] = 1

    @model_validator(mode="after")
    def _facts_agree(self):
        self.check_parameters(CONTINUOUS, MAY, tuple(Margin.model_fields))
        low, high = self.support()
        if self.decimals is not None and self.step is not None:
            raise ValueError("decimals and step exclude each other: both say what is rounded to")
        if self.low_rate + self.high_rate >= 1:
            raise ValueError(
                f"`low_rate + high_rate < 1` must hold, but got (low_rate={self.low_rate}, high_rate={self.high_rate})"
            )
        if self.low_rate and not self.low_value <= low:
            raise ValueError(f"low_value={self.low_value} must not be above the values of {self.distribution}, from {low}")
        if self.high_rate and not self.high_value >= high:
            raise ValueError(f"high_value={self.high_value} must not be below the values of {self.distribution}, up to {high}")
        if self.horizon > 1 and not self.memory:
            raise ValueError(f"horizon={self.horizon} says when the noise is known, so it needs a memory above 0")
        return self
