"""Simulation facts of one feature: its distribution and its effect on the target."""

from math import inf, sqrt
from statistics import NormalDist
from typing import Annotated, Literal

from pydantic import Field, model_validator

from bank_models.config.rule import Condition
from bank_models.config.simulation.margin import CONTINUOUS, MAY, Margin
from bank_models.config.simulation.names import Slot, check_templates, check_value_names
from bank_models.config.simulation.source import Given, Heap, check_source_of
from bank_models.config.simulation.world import Level, Regime, Season, check_level
from bank_models.config.strict_model import Share

CALENDAR = {
    "hour": "int",
    "weekday": "int",
    "month": "int",
    "quarter": "int",
    "day_of_month": "int",
    "days_to_month_end": "int",
    "is_month_end": "bool",
    "is_public_holiday": "bool",
    "is_us_holiday": "bool",
    "trend_years": "float",
}
_COUNTED = {"poisson": {"mean"}, "bernoulli": {"probability"}}
_NEEDS = {
    **CONTINUOUS,
    **_COUNTED,
    **{name: set() for name in CALENDAR},
    "categorical": {"probabilities"},
    "zipf": {"n_values", "exponent"},
    "template": {"templates", "slots"},
}
_MAY = {**MAY, "zipf": {"parts", "prefix"}}
_PARAMETERS = (
    *("mean", "std", "median", "sigma", "low", "high", "a", "b", "probability", "probabilities"),
    *("n_values", "exponent", "parts", "prefix", "templates", "slots"),
)
_RARE_DAYS = (-0.7, 3.0)  # scores of a flag of the calendar that is true on a day of the year, or on half of them
DISTRIBUTIONS = {
    "float": {*CONTINUOUS, "trend_years"},
    "int": {*CONTINUOUS, *_COUNTED, *(name for name, type in CALENDAR.items() if type == "int")},
    "bool": {"bernoulli", *(name for name, type in CALENDAR.items() if type == "bool")},
    "category": {"categorical", "zipf"},
    "text": {"template"},
    "date": set(),
}


class Simulate(Margin):
    """How one feature is drawn, and how it moves the target.

    Every feature has a latent standard normal value, correlated through shared `factors`; the feature is that value
    pushed through the quantile function of its distribution (a Gaussian copula), so a larger latent value never means
    a smaller feature.

    Attributes
    ----------
    distribution : str, optional
        normal (mean, std), lognormal (median, sigma), uniform (low, high), beta (a, b and optionally low, high, which
        are 0 and 1), gamma (mean, std), exponential (mean), poisson (mean), bernoulli (probability), categorical
        (probabilities, in the order of the categories), zipf (n_values, exponent, and parts or prefix), template
        (templates, slots); and of the time column hour, weekday (Monday is 0), month, quarter, day_of_month,
        days_to_month_end, is_month_end, is_public_holiday, is_us_holiday and trend_years. A `derived` feature may have none.
    derived : str, optional
        Expression that the feature shows: of other features, and of `drawn`, the value of its own distribution.
    given : list of Given
        Other facts of the distribution in some rows; the first whose condition holds counts.
    n_values : int
        Number of categories of a zipf; the k-th most frequent has a share proportional to ``k ** -exponent``.
    parts : list of list of str, optional
        Words that name a zipf's categories, one of each list: ``[[audi, vw], [suv, compact]]`` has "vw suv".
    prefix : str, optional
        Names a zipf's categories instead: shop gives shop_0001, shop_0002, …
    templates : list of str
        Equally frequent texts with slots in braces: "{company} {verb} its outlook".
    slots : dict of str to Slot
        Their words.
    decimals : int, optional
        Digits after the point that a float is rounded to.
    step : float, optional
        What it is a multiple of instead.
    heaps : list of Heap
        Round numbers that a share of the values is rounded to.
    factors : dict of str to float
        Loading on each shared factor; their squares sum to 1 at most.
    level : {"row", "entity", "period", "category"}
        Whether every row has a latent value of its own, or all rows of an entity, of a period, or with the same values in
        the columns of `per`, share one.
    per : list of str, optional
        Of level category: columns of categories, and `period`.
    season, trend, regimes
        What moves the latent value over time, in standard deviations: see `Season`, `Simulation` and `Regime`.
    autocorrelation : float
        In (-1, 1), of the feature's own part of the latent value from one period to the next.
    effect : float, or list of float for a category
        Change of the target's index (the log-odds of a class) by `shape`, or for each category. Of a zipf: standard
        deviation of the effects that are drawn for its categories.
    effects : dict of str to float or list of float, optional
        For unordered classes, in place of `effect`: change of the log-odds of each named class.
    shape : {"linear", "threshold", "saturating", "u_shape"}
        Of the latent value z: z, 1 where z > 1, tanh(z), z^2 - 1.
    volatility : float
        Change of the logarithm of the outcome's noise with the latent value: what makes a regression target riskier.
    missing_rate : float
        Mean share of values, in [0, 1), that are hidden.
    missing_with : str, optional
        Feature whose high values make this one go missing more often; without it values go missing at random.
    """

    # fmt: off
    distribution: Literal[
        "normal", "lognormal", "uniform", "beta", "gamma", "exponential", "poisson", "bernoulli", "categorical", "zipf",
        "template", "hour", "weekday", "month", "quarter", "day_of_month", "days_to_month_end", "is_month_end", "trend_years",
        "is_public_holiday", "is_us_holiday",
    ] | None = None
    # fmt: on
    probability: Share | None = None
    probabilities: Annotated[list[Share], Field(min_length=1)] | None = None
    n_values: Annotated[int, Field(ge=2, le=100_000)] | None = None
    exponent: Annotated[float, Field(ge=0)] | None = None
    parts: Annotated[list[Annotated[list[str], Field(min_length=1)]], Field(min_length=1)] | None = None
    prefix: str | None = None
    templates: Annotated[list[str], Field(min_length=1)] | None = None
    slots: dict[str, Slot] | None = None
    decimals: Annotated[int, Field(ge=0, le=6)] | None = None
    derived: Condition | None = None
    given: list[Given] = Field(default_factory=list)
    step: Annotated[float, Field(gt=0)] | None = None
    heaps: list[Heap] = Field(default_factory=list)
    factors: dict[str, Annotated[float, Field(ge=-1, le=1)]] = Field(default_factory=dict)
    level: Level = "row"
    per: Annotated[list[str], Field(min_length=1)] | None = None
    season: Season = Season()
    trend: float = 0.0
    regimes: list[Regime] = Field(default_factory=list)
    autocorrelation: Annotated[float, Field(gt=-1, lt=1)] = 0.0
    effect: float | list[float] = 0.0
    effects: Annotated[dict[str, float | list[float]], Field(min_length=1)] | None = None
    shape: Literal["linear", "threshold", "saturating", "u_shape"] = "linear"
    volatility: float = 0.0
    missing_rate: Share = 0.0
    missing_with: str | None = None

    @model_validator(mode="after")
    def _distribution_is_complete(self):
        if self.distribution is None:
            check_source_of(self, _PARAMETERS)
            return self
        self.check_parameters(_NEEDS, _MAY, _PARAMETERS)
        check_source_of(self, _PARAMETERS)
        if self.probabilities and abs(sum(self.probabilities) - 1) > 1e-9:
            raise ValueError(f"probabilities must sum to 1, but sum to {sum(self.probabilities):.6g}")
        if self.distribution == "zipf":
            check_value_names(self.n_values, self.parts, self.prefix)
        if self.distribution == "template":
            check_templates(self.templates, self.slots)
        return self

    @model_validator(mode="after")
    def _latent_value_makes_sense(self):
        if (total := sum(loading**2 for loading in self.factors.values())) > 1:
            raise ValueError(f"the squares of the factor loadings must sum to 1 at most, but sum to {total:.4g}")
        if self.distribution in CALENDAR:
            if self.factors or self.missing_rate:
                raise ValueError(f"distribution {self.distribution} follows the time column: no factors, no missing_rate")
            if self.level != "row" or self.autocorrelation or self.moves:
                raise ValueError(
                    f"distribution {self.distribution} follows the time column: no level, autocorrelation, season or trend"
                )
        check_level(self.level, self.per, self.autocorrelation)
        if self.decimals is not None and self.distribution not in CONTINUOUS and not self.derived:
            raise ValueError(f"decimals are for floats, not for distribution {self.distribution}")
        if self.missing_rate == 1:
            raise ValueError("`missing_rate < 1` must hold: a column without any value cannot be drawn")
        if self.missing_with is not None and not self.missing_rate:
            raise ValueError(f"missing_with={self.missing_with} needs a missing_rate above 0")
        return self

    @model_validator(mode="after")
    def _effect_fits_the_distribution(self):
        if self.effects is not None and self.effect:
            raise ValueError("effect and effects exclude each other: effects are for unordered classes")
        for effect in [self.effect, *(self.effects or {}).values()]:
            self._check_effect(effect)
        if self.distribution in ("categorical", "zipf") and self.shape != "linear":
            raise ValueError(f"shape {self.shape} is for numbers; a category has one effect per category")
        if self.distribution == "categorical" and self.volatility:
            raise ValueError("volatility is for numbers, not for distribution categorical")
        if self.distribution == "template" and self.has_effect and not any(slot.correlation for slot in self.slots.values()):
            raise ValueError("the effect of a text needs a slot with a correlation: its words show the latent value")
        return self

    def _check_effect(self, effect: float | list[float]) -> None:
        if self.distribution == "zipf":
            if isinstance(effect, list) or effect < 0:
                raise ValueError("the effect of a zipf is the standard deviation of its values' effects: a number from 0 on")
        elif self.distribution != "categorical":
            if isinstance(effect, list):
                raise ValueError(f"a list of effects is for categories; {self.distribution} takes a number")
        elif not isinstance(effect, list):
            if effect:
                raise ValueError("a category needs one effect per category, not a number")
        elif len(effect) != len(self.probabilities):
            raise ValueError(f"{len(self.probabilities)} categories need as many effects, but got {len(effect)}")

    def in_case(self, case: Given) -> "Simulate":
        """The distribution, without all that is around it, in rows of a case."""
        own = {name: value for name in _PARAMETERS if (value := getattr(self, name)) is not None}
        if case.distribution is not None:
            return Simulate(distribution=case.distribution, **case.parameters)
        return Simulate(distribution=self.distribution, **own | case.parameters)

    def check_type(self, type: str, categories: list[str] | None) -> None:
        """Refuse a draw that cannot give a feature its type."""
        if self.derived is not None:
            if type in ("category", "text"):
                raise ValueError(f"derived gives numbers, not type {type}: use given")
            known = {None, *CONTINUOUS, *_COUNTED}
        else:
            known = DISTRIBUTIONS[type]
        for drawn in [self, *(self.in_case(case) for case in self.given)]:
            if drawn.distribution not in known:
                raise ValueError(f"distribution {drawn.distribution} cannot draw type {type}")
            if drawn.distribution == "categorical" and len(categories or ()) != len(drawn.probabilities):
                raise ValueError(f"{len(categories or ())} categories, but {len(drawn.probabilities)} probabilities")
        for case in self.given:
            if case.value is not None and isinstance(case.value, str) != (type == "category"):
                raise ValueError(f"given {case.when}: the value {case.value} is not of type {type}")
            if isinstance(case.value, str) and case.value not in (categories or ()):
                raise ValueError(f"given {case.when}: {case.value} is not one of {', '.join(categories or ())}")
            if case.is_missing and type == "bool":
                raise ValueError("a bool cannot be missing; declare a category with the categories yes and no")

    @property
    def moves(self) -> bool:
        """Whether time moves the latent value."""
        return bool(self.season.given() or self.trend or self.regimes)

    @property
    def is_plain(self) -> bool:
        """Whether the distribution alone says how often each value is shown."""
        return not (self.derived or self.given or self.step or self.heaps)

    @property
    def has_effect(self) -> bool:
        """Whether the target depends on this feature by itself."""
        return any(
            any(effect) if isinstance(effect, list) else effect for effect in [self.effect, *(self.effects or {}).values()]
        )

    def interaction_range(self) -> tuple[float, float]:
        """Smallest and largest value this feature can bring into an interaction, infinite where it has no bound."""
        if self.distribution == "bernoulli" and self.is_plain:
            middles = ((1 - self.probability) / 2, 1 - self.probability / 2)
            low, high = (NormalDist().inv_cdf(min(max(middle, 1e-12), 1 - 1e-12)) for middle in middles)
            return low, high
        if CALENDAR.get(self.distribution) == "bool":
            return _RARE_DAYS
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
