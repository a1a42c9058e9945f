"""Use cases: facts about a banking problem, its target and its features."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from bank_models.config.benchmark import Benchmark
from bank_models.config.derived import Derived, check_derived, features_of
from bank_models.config.feature import Feature, Label, Lag
from bank_models.config.model_card import Card, Words
from bank_models.config.rule import KINDS, Rule, check_rules
from bank_models.config.simulation import Simulation
from bank_models.config.simulation.agreement import check_agreement
from bank_models.config.strict_model import Column, Name, Share, StrictModel, known_in
from bank_models.config.transform import Transform, check_columns
from bank_models.config.weight import check_weight
from bank_models.extensions.features import TRANSFORMERS
from bank_models.metrics.names import METRICS, NEEDS_TRUE_GROUPS

Task = Literal["binary", "multiclass", "regression", "clustering", "anomaly"]
Transformer = Annotated[str, AfterValidator(known_in(TRANSFORMERS))]
Metric = Annotated[str, AfterValidator(known_in(METRICS, NEEDS_TRUE_GROUPS))]


UNNAMED = {"id": "UC-NONE-000", "department": "unassigned", "row": "a row of the table"}  # until a version is promoted


class Cost(StrictModel):
    """What a wrong decision costs: a number, or the name of the column that holds the amount at stake in each row."""

    false_positive: Annotated[float, Field(ge=0)] | str
    false_negative: Annotated[float, Field(ge=0)] | str
    unit: str


class CostMatrix(StrictModel):
    """What each decision costs for each true class.

    Attributes
    ----------
    costs : dict of str to dict of str to float
        By true class, then by the class decided for; what is left out costs nothing.
    unit : str
    """

    costs: dict[str, dict[str, Annotated[float, Field(ge=0)]]]
    unit: str


class Series(StrictModel):
    """What a forecast without a model would look back at.

    Attributes
    ----------
    entity : str, optional
        Column that says whose rows make one series; None takes the whole table as one.
    horizon : int
        How many rows back the newest target is that is known when a row is scored: its value is the "last value" forecast.
    season : int, optional
        How many rows back the same season was; the "seasonal naive" forecast.
    """

    entity: str | None = None
    horizon: Annotated[int, Field(ge=1)] = 1
    season: Annotated[int, Field(ge=2)] | None = None

    @model_validator(mode="after")
    def _season_is_known(self):
        if self.season is not None and self.season < self.horizon:
            raise ValueError(f"`season >= horizon` must hold, but got (season={self.season}, horizon={self.horizon})")
        return self


TAKEN = {"test", "baseline", "ceiling", "val", "cv", "cv_train", "gain", "uncalibrated", "prior", "mean", "median", "quantile"}
TAKEN |= {"last_value", "seasonal_naive", "seasonal_growth"}  # prefixes of metrics, and baselines that there are without asking


class UseCase(StrictModel):
    """One of the bank's prediction problems.

    Attributes
    ----------
    id, key, name, department : str
        `UC-RISK-001`, `credit_risk_scoring`, what people call it, who owns it. All but the key may be left out until a version
        is promoted, and so may the row.
    row : str
        What one row is, and when its target becomes known.
    target : str
        Column to predict; of two classes, 1 is the positive one. Anomalies are found without it, it only judges them;
        clusters have none.
    positive, negative : str, optional
        Names of the two classes of a binary target, where they are not 1 and 0; decisions are given by them.
    unlabelled : {"drop"}, optional
        Leave rows of a file out whose target is missing; without it they are refused.
    metric : str
        Primary metric, a name of `bank_models.metrics.names.METRICS`.
    classes : list of str, optional
        Of a multiclass target; `is_ordered` says that their order, from low to high, means something.
    quantile : float, optional
        Level in (0, 1) of a regression target that is to be predicted instead of its mean.
    target_transform : {"log1p"}, optional
        What the model learns instead of the target itself; predictions are turned back.
    target_min, target_max : float, optional
        Bounds that a regression target, and so every prediction, keeps.
    cost : Cost, optional
        Chooses the decision threshold of two classes; without it F1 does.
    cost_matrix : CostMatrix, optional
        Chooses the class of least expected cost; without it the likeliest class is chosen.
    time_column : str, optional
        When the row happened. Never a feature; needed by `data_split=temporal`.
    time_format : str, optional
        In the words of `strptime`, where the times are not in ISO 8601.
    group_column : str, optional
        Whom the row belongs to. Never a feature; needed by `data_split=group`.
    weight_column : str, optional
        How much the row counts, such as an exposure or a sampling weight: a number that is not negative. Never a feature, and
        not needed where rows are scored.
    protected : list of str
        Columns of the table, such as race or sex, that are kept for figures on fairness and are never features.
    favourable : {0, 1}, optional
        The decision of two that people want; needed where columns are protected. 1 where 1 is an approval, 0 where 1 is a
        default or a fraud.
    packaged : str, optional
        Name of the real data set that `data_source=packaged` reads.
    proxies : list of str
        Real data sets that `data_source.name` may choose instead, although their rows are something else and their columns
        others: the catalogue's facts about a set then replace the features and all that names a column.
    duplicates : {"drop", "keep", "refuse"}
        What to do with rows that repeat another row in every column: two customers may look the same. Copies that are kept
        go into one part of a stratified or random split.
    lags : dict of str to Lag
        Features that are computed from earlier rows, by name; they need a time column.
    derived : dict of str to Derived
        Features that are computed from columns of the same row, by name.
    transformers : dict of str to Transform
        Fitted transformers of extensions, by name, and the columns that they take.
    series : Series, optional
        For a number in time order: forecasts without a model that the model has to beat.
    benchmarks : dict of str to Benchmark
        Simple models by name; the gain that is printed and judged is over the best of them and of the naive answers.
    known_in_time : dict of str to str
        Features that predict the target almost alone, and why each is known when the score is needed all the same.
    max_missing : float, optional
        Largest share of missing values of every feature that states none itself.
    minimum_score : float, optional
        What the metric must reach on test, in its natural sign, before a version may go into production.
    minimum_reason : str, optional
        Why that much, in a sentence; goes with `minimum_score`.
    margin : float, optional
        By how much of its metric a version may be worse than the one it replaces, beyond chance; None is a fifth of what
        that one gains on its baseline.
    requires_monotone : bool
        Refuse models that cannot keep the directions of the features, and a fitted one that breaks them.
    rules : dict of str to Rule
        What a practitioner knows of every row, by name: checked on the rows that train a model and on those that are scored.
    card : Card, optional
        Purpose, owner, users, uses to avoid, validation and approval, for the model card.
    """

    id: Annotated[str, StringConstraints(pattern=r"^UC-[A-Z]{4}-\d{3}$")] = UNNAMED["id"]
    key: Name
    name: str
    department: Name = UNNAMED["department"]
    row: str = UNNAMED["row"]
    task: Task
    target: str | None
    metric: Metric
    positive: Label | None = None
    negative: Label | None = None
    unlabelled: Literal["drop"] | None = None
    classes: Annotated[list[Label], Field(min_length=3)] | None = None
    is_ordered: bool = False
    quantile: Annotated[float, Field(gt=0, lt=1)] | None = None
    target_transform: Literal["log1p"] | None = None
    target_min: float | None = None
    target_max: float | None = None
    cost: Cost | None = None
    cost_matrix: CostMatrix | None = None
    time_column: str | None = None
    time_format: str | None = None
    group_column: str | None = None
    weight_column: str | None = None
    protected: list[str] = Field(default_factory=list)
    favourable: Literal[0, 1] | None = None
    packaged: Name | None = None
    proxies: list[Name] = Field(default_factory=list)
    duplicates: Literal["drop", "keep", "refuse"] = "keep"
    max_missing: Share | None = None
    features: dict[str, Feature]
    lags: dict[str, Lag] = Field(default_factory=dict)
    derived: dict[Column, Derived] = Field(default_factory=dict)
    transformers: dict[Transformer, Transform] = Field(default_factory=dict)
    series: Series | None = None
    benchmarks: dict[Name, Benchmark] = Field(default_factory=dict)
    known_in_time: dict[str, str] = Field(default_factory=dict)
    minimum_score: float | None = None
    minimum_reason: Words | None = None
    margin: Annotated[float, Field(ge=0)] | None = None
    requires_monotone: bool = False
    rules: dict[Name, Rule] = Field(default_factory=dict)
    card: Card | None = None
    simulation: Simulation | None = None

    @model_validator(mode="before")
    @classmethod
    def _fill_in(cls, given):
        """A name where there is none, and the share of missing values that holds for all features."""
        if not isinstance(given, dict):
            return given
        filled = {"name": str(given.get("key", "")).replace("_", " ").capitalize()} | given
        most, features = given.get("max_missing"), given.get("features")
        if isinstance(most, int | float) and isinstance(features, dict):
            written = {name: {"type": one} if isinstance(one, str) else one for name, one in features.items()}
            filled["features"] = {
                name: {"max_missing": most} | one if isinstance(one, dict) else one for name, one in written.items()
            }
        return filled

    @model_validator(mode="after")
    def _facts_agree(self):
        if self.task not in ("binary", "anomaly") and self.positive is not None:
            raise ValueError(f"positive goes with two classes, not with task {self.task}")
        if self.negative is not None and self.negative == (self.positive or self.negative):
            raise ValueError("negative is the other class than positive: give both, and different ones")
        if self.time_format is not None and self.time_column is None:
            raise ValueError("time_format goes with a time_column")
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
        for true, costs in self.cost_matrix.costs.items() if self.cost_matrix else ():
            if unknown := sorted({true, *costs} - set(self.classes or ())):
                raise ValueError(f"cost_matrix names {unknown[0]}, which is not one of the classes")
        if (self.minimum_score is None) != (self.minimum_reason is None):
            raise ValueError("minimum_score and minimum_reason go together: say in a sentence why it must be that much")
        if unknown := sorted(set(self.known_in_time) - {*self.features, *self.derived}):
            raise ValueError(f"known_in_time names {unknown[0]}, which is not a feature")
        directed = any(one.monotone for one in (*self.features.values(), *self.derived.values()))
        if self.requires_monotone and (self.task == "multiclass" or not directed):
            raise ValueError("requires_monotone needs a feature with a direction, and a score with one")
        if self.requires_monotone and self.quantile is not None:
            raise ValueError("requires_monotone does not go with a quantile: no model keeps directions in one")
        return self

    @model_validator(mode="after")
    def _series_agrees(self):
        if self.series and (self.task != "regression" or self.time_column is None):
            raise ValueError("series goes with task regression and a time_column")
        if self.series and self.series.entity not in {None, self.group_column, *self.features}:
            raise ValueError(f"series: {self.series.entity} is neither a feature nor the group_column")
        return self

    @model_validator(mode="after")
    def _protected_agree(self):
        others = {*self.features, *self.lags, self.target, self.time_column, self.group_column}
        if used := [column for column in self.protected if column in others]:
            raise ValueError(f"{used[0]} is protected: it cannot be a feature, a lag, the target, the time or the group column")
        if read := [name for name, lag in self.lags.items() if lag.entity in self.protected]:
            raise ValueError(f"lag {read[0]} looks back within a protected column")
        if self.protected and self.task == "binary" and self.favourable is None:
            raise ValueError(
                "protected columns need `favourable`, the decision that people want: 1 where 1 is an approval, 0 where 1 is a "
                "default or a fraud"
            )
        if self.favourable is not None and self.task != "binary":
            raise ValueError(f"favourable goes with task binary, not {self.task}")
        if self.protected and self.simulation:
            raise ValueError("a simulation draws no protected columns")
        return self

    @model_validator(mode="after")
    def _weight_agrees(self):
        if self.weight_column:
            roles = {"a feature": self.features, "a lag": self.lags, "the target": [self.target]}
            roles |= {"the time column": [self.time_column], "the group column": [self.group_column]}
            roles["a protected column"] = self.protected
            check_weight(self.weight_column, roles, self.task, self.metric, self.simulation is not None)
        return self

    @model_validator(mode="after")
    def _lags_agree(self):
        if not any(one.in_model for one in self.features.values()) and not self.lags and not self.derived:
            raise ValueError("features is empty, and there are no lags: a model learns from one of them at least")
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
    def _derived_agree(self):
        forbidden = dict.fromkeys(self.protected, "protected")
        forbidden |= {self.target: "the target"} if self.target else {}
        forbidden |= {self.group_column: "the group column, which no model may learn"} if self.group_column else {}
        forbidden |= {self.weight_column: "the weight column, which no model may learn"} if self.weight_column else {}
        categories = {name: feature.categories for name, feature in self.features.items()}
        check_derived(self.derived, self._kinds(), categories, forbidden, self.time_column)
        check_columns(self.transformers, self.inputs())
        return self

    def _kinds(self) -> dict[str, str]:
        """Of the columns that derived columns may look at."""
        kinds = {name: KINDS[feature.type] for name, feature in self.features.items()} | dict.fromkeys(self.lags, "number")
        return kinds | ({self.time_column: "date"} if self.time_column else {})

    @property
    def horizon(self) -> int:
        """How many moments back the newest target is that is known when a row is scored."""
        looked_back = [lag.horizon for lag in self.lags.values() if lag.column == self.target]
        return max([*looked_back, self.series.horizon if self.series else 1])

    def inputs(self) -> dict[str, Feature]:
        """What a model may look at: features, lags and derived columns, in this order."""
        looked_at = {name: feature for name, feature in self.features.items() if feature.in_model}
        lags = {name: Feature(type="float", max_missing=1.0) for name in self.lags}  # the first rows of an entity lack them
        return looked_at | lags | features_of(self.derived, self._kinds())

    @model_validator(mode="after")
    def _benchmarks_agree(self):
        if self.benchmarks and self.task not in ("binary", "multiclass", "regression"):
            raise ValueError(f"benchmarks go with tasks binary, multiclass and regression, not {self.task}")
        known = self.inputs()
        for name, benchmark in self.benchmarks.items():
            if name in TAKEN:
                raise ValueError(f"a benchmark cannot be called {name}: metrics of something else begin with that")
            if unknown := [column for column in benchmark.columns if column not in known]:
                raise ValueError(
                    f"benchmark {name} names {unknown[0]}, which is neither a feature, a lag nor a derived column; "
                    f"leave the benchmark out with ~use_case.benchmarks.{name}"
                )
            types = {column: known[column].type for column in benchmark.columns}
            if not_of_it := [column for column, type_ in types.items() if type_ == "text"]:
                raise ValueError(f"benchmark {name}: {not_of_it[0]} is a text, which a linear model cannot take")
            if benchmark.linear is None and self.task != "regression":
                raise ValueError(f"benchmark {name}: scaled and feature go with task regression; use linear: [columns]")
            if benchmark.linear is None and types[benchmark.columns[0]] not in ("float", "int"):
                raise ValueError(f"benchmark {name}: {benchmark.columns[0]} is not a number")
        return self

    @model_validator(mode="after")
    def _rules_agree(self):
        kinds = {name: KINDS[feature.type] for name, feature in self.features.items()}
        kinds |= {self.time_column: "date"} if self.time_column else {}
        kinds |= {self.group_column: "text"} if self.group_column else {}
        kinds |= {self.weight_column: "number"} if self.weight_column else {}
        kinds |= {self.target: "text" if self.classes else "number"} if self.target else {}
        categories = {name: feature.categories for name, feature in self.features.items()}
        check_rules(self.rules, kinds, categories | {self.target: self.classes})
        return self

    @model_validator(mode="after")
    def _simulation_agrees(self):
        if self.simulation is not None:
            check_agreement(self)
        return self
