"""What a use case is: facts about a banking problem, its target and its features."""

from datetime import date
from math import inf, sqrt
from statistics import NormalDist
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$")]
Share = Annotated[float, Field(ge=0, le=1)]
Task = Literal["binary", "multiclass", "regression", "clustering", "anomaly"]
# fmt: off
Metric = Literal[
    "accuracy", "balanced_accuracy", "precision", "recall", "f1", "specificity", "precision_macro", "recall_macro",
    "f1_macro", "quadratic_kappa", "roc_auc", "average_precision", "lift_at_10_percent", "recall_at_1_percent_alerts",
    "roc_auc_ovr", "top_3_accuracy", "log_loss", "brier_score_loss", "expected_calibration_error", "mae", "rmse",
    "median_absolute_error", "r2", "information_coefficient", "rmsle", "pinball_loss", "coverage", "kupiec_p_value",
    "silhouette", "davies_bouldin", "calinski_harabasz", "stability",
]
# fmt: on

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
_DISTRIBUTIONS = {
    "float": {*_CONTINUOUS},
    "int": {*_CONTINUOUS, *_COUNTED},
    "bool": {"bernoulli"},
    "category": {"categorical"},
    "text": set(),
    "date": set(),
}


def _listed(names: set[str]) -> str:
    return " and ".join(name for name in _PARAMETERS if name in names)


class Facts(BaseModel):
    """A strict record: unknown keys, wrong types and later changes are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


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
    factors: dict[str, Annotated[float, Field(ge=-1, le=1)]] = {}
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


class Feature(Facts):
    """One column a model may use.

    Attributes
    ----------
    type : {"float", "int", "bool", "category", "text", "date"}
    min, max : float, optional
        Smallest and largest plausible value, in the unit the name ends with.
    categories : list of str, optional
        Every value a category may take; None allows any.
    max_missing : float
        Largest share of rows, in [0, 1], that may lack a value.
    monotone : {-1, 0, 1}
        Sign that the effect on the score must have.
    simulate : Simulate, optional
        How to draw it, for use cases with a simulator.
    """

    type: Literal["float", "int", "bool", "category", "text", "date"]
    description: str = ""
    min: float | None = None
    max: float | None = None
    categories: list[str] | None = None
    max_missing: Share = 0.0
    monotone: Literal[-1, 0, 1] = 0
    simulate: Simulate | None = None

    @model_validator(mode="after")
    def _facts_agree(self):
        if self.type in ("category", "text", "date") and (self.min is not None or self.max is not None or self.monotone):
            raise ValueError(f"a {self.type} has no min, max or monotone")
        if self.categories is not None and self.type != "category":
            raise ValueError(f"categories are for type category, not {self.type}")
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError(f"`min <= max` must hold, but got (min={self.min}, max={self.max})")
        return self

    @model_validator(mode="after")
    def _simulate_agrees(self):
        drawn = self.simulate
        if drawn is None:
            return self
        if drawn.distribution not in _DISTRIBUTIONS[self.type]:
            raise ValueError(f"distribution {drawn.distribution} cannot draw type {self.type}")
        if drawn.decimals is not None and self.type != "float":
            raise ValueError(f"decimals are for type float, not {self.type}")
        if self.type == "category" and len(self.categories or ()) != len(drawn.probabilities):
            raise ValueError(f"{len(self.categories or ())} categories, but {len(drawn.probabilities)} probabilities")
        if self.type == "bool" and drawn.missing_rate:
            raise ValueError("a bool cannot be missing; declare a category with the categories yes and no")
        if drawn.missing_rate and drawn.missing_rate >= self.max_missing:
            raise ValueError(
                "`missing_rate < max_missing` must hold, "
                f"but got (missing_rate={drawn.missing_rate}, max_missing={self.max_missing})"
            )
        if self.monotone and drawn.shape == "u_shape" and drawn.effect:
            raise ValueError(f"monotone is {self.monotone}, but the effect is u-shaped")
        if self.monotone and drawn.effect * self.monotone < 0:
            raise ValueError(f"monotone is {self.monotone}, but the effect is {drawn.effect}")
        return self


class Lag(Facts):
    """A new feature from earlier rows: the value some rows back, or a statistic over a window of rows.

    Rows count backwards from the row that is scored, among the rows of its entity that are earlier in time; rows of one
    moment never see each other. `horizon` says which of them are known by then: a payment is known at once (1, the row
    before), but a default that shows three monthly rows later must not be looked up before the third row back
    (horizon 3). It matters most where `column` is the target.

    Attributes
    ----------
    column : str
        A numeric or boolean column of the table, or the target.
    entity : str, optional
        Column that says whose rows belong together, such as an account; None takes the whole table as one series.
    periods : int, optional
        How many rows back, at least `horizon`.
    window : int, optional
        How many rows a statistic covers; the newest of them is `horizon` rows back.
    statistic : {"mean", "std", "min", "max", "sum"}, optional
        Over the values in the window that are not missing; std is the sample's (divided by n - 1).
    min_periods : int
        Values that a window must hold; with fewer the feature is missing, and so is the std of one value.
    horizon : int
        Distance, in rows, to the newest row whose value is known when this row is scored.
    """

    column: str
    entity: str | None = None
    periods: Annotated[int, Field(ge=1)] | None = None
    window: Annotated[int, Field(ge=2)] | None = None
    statistic: Literal["mean", "std", "min", "max", "sum"] | None = None
    min_periods: Annotated[int, Field(ge=1)] = 1
    horizon: Annotated[int, Field(ge=1)] = 1

    @model_validator(mode="after")
    def _facts_agree(self):
        if (self.periods is None) == (self.window is None):
            raise ValueError("a lag needs either periods or a window")
        if (self.window is None) != (self.statistic is None):
            raise ValueError("a window and its statistic go together: give both or neither")
        if self.min_periods > (self.window or 1):
            at_most = "`min_periods <= window` must hold" if self.window else "min_periods is for a window"
            raise ValueError(f"{at_most}, but got (min_periods={self.min_periods}, window={self.window})")
        if self.periods is not None and self.periods < self.horizon:
            raise ValueError(
                f"`periods >= horizon` must hold, but got (periods={self.periods}, horizon={self.horizon}): "
                "that value is not known yet"
            )
        if self.column == self.entity:
            raise ValueError(f"{self.column} cannot be lagged within itself: it is the entity")
        return self


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
    interactions: list[Interaction] = []
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


class Cost(Facts):
    """What a wrong decision costs: a number, or the name of the column that holds the amount at stake in each row."""

    false_positive: Annotated[float, Field(ge=0)] | str
    false_negative: Annotated[float, Field(ge=0)] | str
    unit: str


class UseCase(Facts):
    """One of the bank's prediction problems.

    Attributes
    ----------
    id, key, name, department : str
        `UC-RISK-001`, `credit_risk_scoring`, what people call it, who owns it.
    row : str
        What one row is, and when its target becomes known.
    target : str
        Column to predict; of two classes, 1 is the positive one. Anomalies are found without it, it only judges them;
        clusters have none.
    metric : str
        Primary metric, a name of `src.metrics.METRICS`.
    classes : list of str, optional
        Of a multiclass target; `is_ordered` says that their order, from low to high, means something.
    quantile : float, optional
        Level in (0, 1) of a regression target that is to be predicted instead of its mean.
    target_transform : {"log1p"}, optional
        What the model learns instead of the target itself; predictions are turned back.
    target_min, target_max : float, optional
        Bounds that a regression target, and so every prediction, keeps.
    cost : Cost, optional
        Chooses the decision threshold; without it F1 does.
    time_column : str, optional
        When the row happened. Never a feature; needed by `data_split=temporal`.
    group_column : str, optional
        Whom the row belongs to. Never a feature; needed by `data_split=group`.
    packaged : str, optional
        Name of the real data set that `data_source=packaged` reads.
    duplicates : {"drop", "keep", "refuse"}
        What to do with rows that repeat another row in every column.
    lags : dict of str to Lag
        Features that are computed from earlier rows, by name; they need a time column.
    """

    id: Annotated[str, StringConstraints(pattern=r"^UC-[A-Z]{4}-\d{3}$")]
    key: Name
    name: str
    department: Name
    row: str
    task: Task
    target: str | None
    metric: Metric
    classes: Annotated[list[str], Field(min_length=3)] | None = None
    is_ordered: bool = False
    quantile: Annotated[float, Field(gt=0, lt=1)] | None = None
    target_transform: Literal["log1p"] | None = None
    target_min: float | None = None
    target_max: float | None = None
    cost: Cost | None = None
    time_column: str | None = None
    group_column: str | None = None
    packaged: Name | None = None
    duplicates: Literal["drop", "keep", "refuse"] = "drop"
    features: Annotated[dict[str, Feature], Field(min_length=1)]
    lags: dict[str, Lag] = {}
    simulation: Simulation | None = None

    @model_validator(mode="after")
    def _facts_agree(self):
        for column in (self.target, self.time_column, self.group_column):
            if column in self.features:
                raise ValueError(f"{column} cannot be a feature: it is the target, the time or the group column")
        if (self.task == "clustering") != (self.target is None):
            raise ValueError("task clustering has no target (null), every other task has one")
        if (self.task == "multiclass") != (self.classes is not None):
            raise ValueError("classes go with task multiclass, and only with it")
        if self.is_ordered and self.classes is None:
            raise ValueError("is_ordered says something about classes, and there are none")
        about_numbers = (self.quantile, self.target_transform, self.target_min, self.target_max)
        if self.task != "regression" and any(fact is not None for fact in about_numbers):
            raise ValueError(f"quantile, target_transform, target_min and target_max go with task regression, not {self.task}")
        if self.cost and self.task != "binary":
            raise ValueError(f"cost goes with task binary, not {self.task}")
        for name in (self.cost.false_positive, self.cost.false_negative) if self.cost else ():
            if isinstance(name, str) and name not in self.features:
                raise ValueError(f"cost names {name}, which is not a feature")
        return self

    @model_validator(mode="after")
    def _lags_agree(self):
        if self.lags and self.time_column is None:
            raise ValueError("lags look back in time, so they need a time_column")
        numbers = {self.target, *(name for name, feature in self.features.items() if feature.type in ("float", "int", "bool"))}
        for name, lag in self.lags.items():
            if name in {*self.features, self.target, self.time_column, self.group_column}:
                raise ValueError(f"lag {name} has the name of a column")
            if lag.column not in numbers:
                raise ValueError(f"lag {name}: {lag.column} is neither a numeric feature nor the target")
            if lag.entity not in {None, self.group_column, *self.features}:
                raise ValueError(f"lag {name}: {lag.entity} is neither a feature nor the group_column")
        return self

    @model_validator(mode="after")
    def _simulation_agrees(self):
        if self.simulation is None:
            return self
        if undrawn := [name for name, feature in self.features.items() if feature.simulate is None]:
            raise ValueError(f"a simulation draws every feature, but these have no simulate: {', '.join(undrawn)}")
        if (self.time_column is None) != (self.simulation.start is None):
            raise ValueError("a time_column and the simulation's start and end go together: give both or neither")
        for name, feature in self.features.items():
            drawn = feature.simulate
            if drawn.missing_with == name or drawn.missing_with not in (None, *self.features):
                raise ValueError(f"{name}: missing_with={drawn.missing_with} is not another feature")
            if drawn.distribution in ("hour", "weekday") and self.time_column is None:
                raise ValueError(f"{name}: distribution {drawn.distribution} needs a time_column")
        for interaction in self.simulation.interactions:
            self._check_interaction(interaction)
        for name, feature in self.features.items():
            self._check_monotone(name, feature)
        return self

    def _check_interaction(self, interaction: Interaction) -> None:
        for name in interaction.features:
            if name not in self.features:
                raise ValueError(f"an interaction names {name}, which is not a feature")
            if self.features[name].type == "category" and not any(self.features[name].simulate.category_scores()):
                raise ValueError(f"{name} is in an interaction, so its categories need different effects")

    def _check_monotone(self, name: str, feature: Feature) -> None:
        """Refuse a declared sign that an interaction can turn: slope = effect + sum of effect * the other's value."""
        mine = [interaction for interaction in self.simulation.interactions if name in interaction.features]
        if not feature.monotone or not mine:
            return
        slope = feature.monotone * feature.simulate.effect if feature.simulate.shape == "linear" else 0.0
        for interaction in mine:
            other = next(one for one in interaction.features if one != name)
            reached = self.features[other].simulate.interaction_range()
            slope += min(feature.monotone * interaction.effect * value for value in reached)
        if slope < 0:
            raise ValueError(f"{name}: monotone is {feature.monotone}, but its interactions can turn the sign")
