"""How rows of a use case are drawn where there is no real data: the facts; `src.data.simulated` draws them."""

from datetime import date
from math import inf, sqrt
from statistics import NormalDist
from typing import Annotated, Literal

from pydantic import Field, model_validator

from src.facts import Facts, Share

_CONTINUOUS = {
    "normal": {"mean", "std"},
    "lognormal": {"median", "sigma"},
    "uniform": {"low", "high"},
    "beta": {"a", "b"},
    "gamma": {"mean", "std"},
    "exponential": {"mean"},
}
_COUNTED = {"poisson": {"mean"}, "bernoulli": {"probability"}, "hour": set(), "weekday": set()}
_NEEDS = _CONTINUOUS | _COUNTED | {"categorical": {"probabilities"}}
_PARAMETERS = ("mean", "std", "median", "sigma", "low", "high", "a", "b", "probability", "probabilities")
DISTRIBUTIONS = {
    "float": {*_CONTINUOUS},
    "int": {*_CONTINUOUS, *_COUNTED},
    "bool": {"bernoulli"},
    "category": {"categorical"},
    "text": set(),
    "date": set(),
}


def _listed(names: set[str]) -> str:
    return " and ".join(name for name in _PARAMETERS if name in names)


class Simulate(Facts):
    """How one feature is drawn, and how it moves the target.

    Every feature has a latent standard normal value, correlated through shared `factors`; the feature is that value
    pushed through the quantile function of its distribution (a Gaussian copula), so a larger latent value never means
    a smaller feature.

    Attributes
    ----------
    distribution : str
        normal (mean, std), lognormal (median, sigma), uniform (low, high), beta (a, b and optionally low, high, which
        are 0 and 1), gamma (mean, std), exponential (mean), poisson (mean), bernoulli (probability), categorical
        (probabilities, in the order of the categories), hour and weekday (of the time column; Monday is 0).
    decimals : int, optional
        Digits after the point that a float is rounded to.
    factors : dict of str to float
        Loading on each shared factor; their squares sum to 1 at most.
    effect : float, or list of float for a category
        Change of the log-odds of the target by `shape`, or for each category.
    shape : {"linear", "threshold", "saturating", "u_shape"}
        Of the latent value z: z, 1 where z > 1, tanh(z), z^2 - 1.
    missing_rate : float
        Mean share of values, in [0, 1), that are hidden.
    missing_with : str, optional
        Feature whose high values make this one go missing more often; without it values go missing at random.
    """

    # fmt: off
    distribution: Literal[
        "normal", "lognormal", "uniform", "beta", "gamma", "exponential", "poisson", "bernoulli", "categorical", "hour",
        "weekday",
    ]
    # fmt: on
    mean: float | None = None
    std: Annotated[float, Field(gt=0)] | None = None
    median: Annotated[float, Field(gt=0)] | None = None
    sigma: Annotated[float, Field(gt=0)] | None = None
    low: float | None = None
    high: float | None = None
    a: Annotated[float, Field(gt=0)] | None = None
    b: Annotated[float, Field(gt=0)] | None = None
    probability: Share | None = None
    probabilities: Annotated[list[Share], Field(min_length=1)] | None = None
    decimals: Annotated[int, Field(ge=0, le=6)] | None = None
    factors: dict[str, Annotated[float, Field(ge=-1, le=1)]] = Field(default_factory=dict)
    effect: float | list[float] = 0.0
    shape: Literal["linear", "threshold", "saturating", "u_shape"] = "linear"
    missing_rate: Share = 0.0
    missing_with: str | None = None

    @model_validator(mode="after")
    def _distribution_is_complete(self):
        needed = _NEEDS[self.distribution]
        given = {name for name in _PARAMETERS if getattr(self, name) is not None}
        extra = given - needed - ({"low", "high"} if self.distribution == "beta" else set())
        if missing := needed - given:
            raise ValueError(f"distribution {self.distribution} needs {_listed(missing)}")
        if extra:
            raise ValueError(f"distribution {self.distribution} takes no {_listed(extra)}")
        if self.distribution == "beta" and (self.low is None) != (self.high is None):
            raise ValueError("distribution beta takes low and high together or neither")
        if self.low is not None and self.low >= self.high:
            raise ValueError(f"`low < high` must hold, but got (low={self.low}, high={self.high})")
        if self.mean is not None and self.mean <= 0 and self.distribution != "normal":
            raise ValueError(f"`mean > 0` must hold for {self.distribution}, but got (mean={self.mean})")
        if self.probabilities and abs(sum(self.probabilities) - 1) > 1e-9:
            raise ValueError(f"probabilities must sum to 1, but sum to {sum(self.probabilities):.6g}")
        return self

    @model_validator(mode="after")
    def _latent_value_makes_sense(self):
        if (total := sum(loading**2 for loading in self.factors.values())) > 1:
            raise ValueError(f"the squares of the factor loadings must sum to 1 at most, but sum to {total:.4g}")
        if self.distribution in ("hour", "weekday") and (self.factors or self.missing_rate):
            raise ValueError(f"distribution {self.distribution} follows the time column: no factors, no missing_rate")
        if self.decimals is not None and self.distribution not in _CONTINUOUS:
            raise ValueError(f"decimals are for floats, not for distribution {self.distribution}")
        if self.missing_rate == 1:
            raise ValueError("`missing_rate < 1` must hold: a column without any value cannot be drawn")
        if self.missing_with is not None and not self.missing_rate:
            raise ValueError(f"missing_with={self.missing_with} needs a missing_rate above 0")
        return self

    @model_validator(mode="after")
    def _effect_fits_the_distribution(self):
        if self.distribution != "categorical":
            if isinstance(self.effect, list):
                raise ValueError(f"a list of effects is for categories; {self.distribution} takes a number")
        elif self.shape != "linear":
            raise ValueError(f"shape {self.shape} is for numbers; a category has one effect per category")
        elif not isinstance(self.effect, list):
            if self.effect:
                raise ValueError("a category needs one effect per category, not a number")
        elif len(self.effect) != len(self.probabilities):
            raise ValueError(f"{len(self.probabilities)} categories need as many effects, but got {len(self.effect)}")
        return self

    def interaction_range(self) -> tuple[float, float]:
        """Smallest and largest value this feature can bring into an interaction, infinite where it has no bound."""
        if self.distribution == "bernoulli":
            middles = ((1 - self.probability) / 2, 1 - self.probability / 2)
            low, high = (NormalDist().inv_cdf(min(max(middle, 1e-12), 1 - 1e-12)) for middle in middles)
            return low, high
        if self.distribution == "categorical":
            scores = self.category_scores()
            return min(scores), max(scores)
        return -inf, inf

    def category_scores(self) -> list[float]:
        """Effects of the categories, scaled to mean 0 and variance 1: what a category is in an interaction."""
        effects = self.effect if isinstance(self.effect, list) else [self.effect] * len(self.probabilities)
        mean = sum(p * effect for p, effect in zip(self.probabilities, effects, strict=True))
        variance = sum(p * (effect - mean) ** 2 for p, effect in zip(self.probabilities, effects, strict=True))
        return [(effect - mean) / sqrt(variance) if variance > 0 else 0.0 for effect in effects]


class Interaction(Facts):
    """Two features whose latent values multiply: the effect of one depends on the other."""

    features: Annotated[list[str], Field(min_length=2, max_length=2)]
    effect: float

    @model_validator(mode="after")
    def _features_differ(self):
        if self.features[0] == self.features[1]:
            raise ValueError(f"{self.features[0]} cannot interact with itself; shape: u_shape says that")
        return self


class Simulation(Facts):
    """How rows of the use case are made when there is no real data to show.

    Attributes
    ----------
    rows : int
        Rows to draw when the command line does not say.
    positive_rate : float
        Mean true probability of the positive class, in (0, 1).
    label_noise : float
        Share of labels, in [0, 0.5), that are flipped whatever the features say.
    interactions : list of Interaction
    start, end : date, optional
        First and last day of the time column; the use case must name one.
    """

    rows: Annotated[int, Field(ge=1)]
    positive_rate: Annotated[float, Field(gt=0, lt=1)]
    label_noise: Annotated[float, Field(ge=0, lt=0.5)] = 0.0
    interactions: list[Interaction] = Field(default_factory=list)
    start: Annotated[date, Field(strict=False)] | None = None
    end: Annotated[date, Field(strict=False)] | None = None

    @model_validator(mode="after")
    def _rates_and_period_agree(self):
        if not self.label_noise < self.positive_rate < 1 - self.label_noise:
            raise ValueError(
                "`label_noise < positive_rate < 1 - label_noise` must hold, "
                f"but got (label_noise={self.label_noise}, positive_rate={self.positive_rate})"
            )
        if (self.start is None) != (self.end is None):
            raise ValueError("a period needs start and end")
        if self.start is not None and self.start > self.end:
            raise ValueError(f"`start <= end` must hold, but got (start={self.start}, end={self.end})")
        return self
