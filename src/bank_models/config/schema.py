"""The typed schema of a composed configuration."""

from __future__ import annotations

import codecs
import re
from functools import partial
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, field_validator, model_validator

from bank_models.config.strict_model import Name, StrictModel, known_in
from bank_models.config.transform import Value
from bank_models.config.use_case import Metric, Task, UseCase
from bank_models.extensions.data_sources import SOURCES
from bank_models.extensions.report_sections import SECTIONS
from bank_models.models.estimators import ESTIMATORS
from bank_models.runtime.notebook import Shown

BUDGET = re.compile(r"(\d{1,6}(?:\.\d{1,3})?)(s|min|h)")
SHORTEST_S, LONGEST_S = 20, 48 * 3600  # of a whole command: a start and an evaluation take some 10 s
SIZE, UNITS = re.compile(r"(\d{1,9}(?:\.\d{1,3})?) ?(B|kB|MB|GB)?"), {"B": 1, "kB": 10**3, "MB": 10**6, "GB": 10**9}
HOST_AND_PORT = re.compile(r"([A-Za-z0-9._-]+|\[[0-9A-Fa-f:]+\]):(\d{1,5})")
UNSUPERVISED = ("clustering", "anomaly")
MOST_LAYERS, WIDEST = 16, 8192
OPTIONAL = "optional "  # before a member of an ensemble: only if what it needs is installed
Member = Annotated[str, Field(pattern=rf"^({OPTIONAL})?[a-z0-9][a-z0-9_-]{{0,63}}$")]
Seed = Annotated[int, Field(ge=0, lt=2**32)]


class DataSource(StrictModel):
    """Where rows come from, and how a file spells them: see `bank_models.data.reading`.

    Of kind `extension`, a function of an extension gives them: `source` names it, `settings` are its arguments.
    """

    kind: Literal["packaged", "simulated", "file", "sql", "extension"]
    name: Name | None = None
    path: str | None = None
    query: str | None = None
    url_env: str | None = None
    order_by: list[str] | None = None
    rows: Annotated[int, Field(ge=1)] | None = None
    seed: Seed | None = None
    source: Annotated[str, AfterValidator(known_in(SOURCES))] | None = None
    settings: dict[str, Value] | None = None
    separator: Annotated[str, Field(pattern=r"^[ -~\t]$")] | None = None
    decimal: Literal[".", ","] | None = None
    thousands: Literal[".", ",", " ", "'", "_"] | None = None
    encoding: str | None = None
    na_values: list[str] | None = None
    symbols: list[str] | None = None
    strip: bool | None = None
    sheet: str | None = None
    skip_lines: Annotated[int, Field(ge=1, le=1000)] | None = None

    @field_validator("encoding")
    @classmethod
    def _is_known(cls, value: str | None) -> str | None:
        try:
            return value if value is None or codecs.lookup(value)._is_text_encoding else None
        except LookupError:
            raise ValueError("is no encoding: try utf-8, cp1252, latin-1 or utf-16") from None

    @model_validator(mode="after")
    def _marks_differ(self):
        if self.thousands is not None and self.thousands == (self.decimal or "."):
            raise ValueError(f"thousands and decimal cannot both be {self.thousands}: set data_source.decimal as well")
        return self


class DataSplit(StrictModel):
    method: Literal["stratified", "random", "temporal", "group", "hashed", "none"]
    train_ratio: Annotated[float, Field(gt=0, le=1)]
    val_ratio: Annotated[float, Field(ge=0, lt=1)]
    test_ratio: Annotated[float, Field(ge=0, lt=1)]
    random_state: Seed | None
    stratify: bool | None = None  # None: what the method does

    @property
    def how(self) -> dict[str, Any]:
        """Arguments of `bank_models.data.split.split`."""
        return self.model_dump(exclude={"train_ratio", "stratify"})


class CrossValidation(StrictModel):
    method: Literal["stratified_kfold", "kfold", "time_series", "group_kfold", "stratified_group_kfold", "none"]
    n_folds: Annotated[int, Field(ge=0)]
    n_repeats: Annotated[int, Field(ge=1)] | None
    shuffle: bool
    random_state: Seed | None
    scoring: Annotated[list[Metric], Field(min_length=1)] | None


class EarlyStopping(StrictModel):
    patience: Annotated[int, Field(ge=1)] | None
    min_delta: Annotated[float, Field(ge=0)]
    restore_best_weights: bool


class Tuning(StrictModel):
    """How parameters are searched for: see `bank_models.tuning`.

    Attributes
    ----------
    method : {"none", "grid_search", "random_search", "bayesian", "halving", "auto"}
    cv : int
        Folds, at least 2.
    n_iter : int, optional
        Settings in all; None of a grid takes every point.
    n_iter_no_change : int, optional
        End after so many settings in a row that were no better than the best one before them.
    max_concurrent_trials : int
        How many trials may be under way at once, and so how many results a new one does not know.
    n_workers : int, optional
        Processes that run trials; None is as many as there are threads for, and memory.
    timeout_s : float, optional
        Begin no trial after so many seconds.
    storage : str, optional
        SQLAlchemy's address of the database that keeps the trials, or the environment variable that holds it.
    """

    method: Literal["none", "grid_search", "random_search", "bayesian", "halving", "auto"]
    cv: Annotated[int, Field(ge=2)] | None
    n_iter: Annotated[int, Field(ge=1)] | None
    n_iter_no_change: Annotated[int, Field(ge=1)] | None
    max_concurrent_trials: Annotated[int, Field(ge=1)] | None
    n_workers: Annotated[int, Field(ge=1)] | None
    timeout_s: Annotated[float, Field(gt=0)] | None
    storage: str | None

    @property
    def n_iter_only_ends(self) -> bool:
        """Whether `n_iter` says when the search ends, and nothing about a trial."""
        return self.method in ("random_search", "bayesian", "auto")


def _budget(text: Any) -> str:
    if not isinstance(text, str) or not BUDGET.fullmatch(text) or not SHORTEST_S <= seconds_of(text) <= LONGEST_S:
        raise ValueError(f"must be a time from {SHORTEST_S} s to {LONGEST_S // 3600} h, such as 60s, 10min or 2h")
    return text


def seconds_of(budget: str) -> float:
    """Seconds of a time such as 60s, 10min or 2h."""
    number, unit = BUDGET.fullmatch(budget).groups()
    return float(number) * {"s": 1, "min": 60, "h": 3600}[unit]


TimeBudget = Annotated[str, BeforeValidator(_budget)]


def _bytes(given: Any) -> int:
    found = SIZE.fullmatch(given) if isinstance(given, str) else None
    n_bytes = int(float(found[1]) * UNITS[found[2] or "B"]) if found else given
    if type(n_bytes) is not int or n_bytes < 0:
        raise ValueError("must be a size such as 500MB or 4GB, or a whole number of bytes")
    return n_bytes


MemoryBudget = Annotated[int, BeforeValidator(_bytes)]


class Tracking(StrictModel):
    kind: Literal["dvclive", "mlflow", "none"]
    path: str | None
    uri_env: str | None
    experiments: str | None

    @model_validator(mode="after")
    def _facts_agree(self):
        if (self.kind == "dvclive") != bool(self.path):
            raise ValueError("a path goes with tracking=dvclive, and only with it")
        if (self.kind == "mlflow") != bool(self.uri_env):
            raise ValueError("uri_env goes with tracking=mlflow, and only with it")
        return self


class Registry(StrictModel):
    kind: Literal["local", "none"]
    path: str | None

    @model_validator(mode="after")
    def _path_agrees(self):
        if (self.kind == "local") != bool(self.path):
            raise ValueError("a path goes with registry=local, and only with it")
        return self


def cluster_address(text: str) -> str:
    """Where the head of a cluster is.

    Raises
    ------
    ValueError
        If it is neither `auto` nor a host and a port.
    """
    found = HOST_AND_PORT.fullmatch(text)
    if text != "auto" and not (found and 0 < int(found[2]) < 2**16):
        raise ValueError("must be auto, or a host and a port such as 10.0.0.7:6379")
    return text


class Launcher(StrictModel):
    """Where trials and spread fits run: see `bank_models.runtime.cluster`."""

    kind: Literal["local", "ray"]
    address: Annotated[str, AfterValidator(cluster_address)] | None

    @model_validator(mode="after")
    def _address_agrees(self):
        if self.kind == "local" and self.address:
            raise ValueError("an address goes with launcher=ray, and only with it")
        return self


class Report(StrictModel):
    """What `report.html` shows: see `bank_models.report`.

    Attributes
    ----------
    cases : int
        Single test rows with their values and reasons, at most; with 0 the page shows no row's values.
    sections : list of str
        Sections of extensions, in order, at the end of the page.
    """

    cases: Annotated[int, Field(ge=0, le=5)]
    sections: list[Annotated[str, AfterValidator(known_in(SECTIONS))]] = Field(default_factory=list)


class Preprocessing(StrictModel):
    """What stands between the columns and the estimator; null is nothing.

    `native` hands categories over as codes and missing values as they are, to an estimator that understands both.
    """

    imputer: Literal["median"] | None
    scaler: Literal["standard", "power", "quantile"] | None
    encoder: Literal["native", "ordinal", "one_hot"]


def _share(value: Any, choices: list[str], nullable: bool) -> Any:
    is_share = type(value) is float and 0 < value <= 1
    if is_share or (type(value) is int and value >= 1) or value in choices or (value is None and nullable):
        return value
    raise ValueError(f"must be {', '.join(choices)}, a share such as 0.5, or a number of columns such as 3")


def _layers(value: Any) -> Any:
    widths = value if isinstance(value, list) else []
    is_list = 1 <= len(widths) <= MOST_LAYERS and all(type(width) is int and 1 <= width <= WIDEST for width in widths)
    if is_list or (type(value) is int and 0 <= value <= MOST_LAYERS):
        return value
    raise ValueError(f"must be a number of layers up to {MOST_LAYERS}, or a list of their widths such as [64, 32]")


class Constraint(StrictModel):
    """Type and range of one parameter of a model, in pydantic's words.

    A `share` is a share of the columns in (0, 1], or a number of them; `layers` are so many, or a list of their widths.
    """

    type: Literal["int", "float", "bool", "str", "share", "layers"]
    gt: float | None = None
    ge: float | None = None
    lt: float | None = None
    le: float | None = None
    choices: list[str] | None = None
    nullable: bool = False

    def annotation(self) -> Any:
        if self.type == "share":
            return Annotated[Any, AfterValidator(partial(_share, choices=self.choices or [], nullable=self.nullable))]
        if self.type == "layers":
            return Annotated[Any, AfterValidator(_layers)]
        if self.choices:
            kind = Literal[tuple(self.choices)]
        else:
            bounds = {k: v for k in ("gt", "ge", "lt", "le") if (v := getattr(self, k)) is not None}
            kind = Annotated[{"int": int, "float": float, "bool": bool, "str": str}[self.type], Field(strict=True, **bounds)]
        return kind | None if self.nullable else kind


class SearchRange(StrictModel):
    """Where tuning looks for one parameter, in the words of hydra-optuna-sweeper."""

    type: Literal["int", "float", "categorical"]
    low: float | None = None
    high: float | None = None
    step: float | None = None
    log: bool = False
    choices: list[Any] | None = None

    @model_validator(mode="after")
    def _facts_agree(self):
        if (self.type == "categorical") != (self.choices is not None):
            raise ValueError("choices go with type categorical, and only with it")
        if self.type != "categorical" and (self.low is None or self.high is None or self.low >= self.high):
            raise ValueError(f"`low < high` must hold, but got (low={self.low}, high={self.high})")
        return self

    def ends(self) -> list[Any]:
        """Values that must all be allowed if the range is."""
        if self.choices is not None:
            return self.choices
        return [int(end) if self.type == "int" else float(end) for end in (self.low, self.high)]


class Model(StrictModel):
    """An algorithm: its estimator for each task, its parameters, their ranges and where tuning looks.

    An ensemble also names the models it averages, for each task.
    """

    name: Name
    estimator: Annotated[dict[Task, Annotated[str, AfterValidator(known_in(ESTIMATORS))]], Field(min_length=1)]
    members: dict[Task, Annotated[list[Member], Field(min_length=1)]] = Field(default_factory=dict)
    preprocessing: Preprocessing
    trains_in_rounds: bool
    keeps_monotone: bool
    params: dict[str, Any] = Field(default_factory=dict)
    constraints: dict[str, Constraint] = Field(default_factory=dict)
    search_space: dict[str, SearchRange] = Field(default_factory=dict)
    starting_points: list[dict[str, Any]] = Field(default_factory=list)
    grid: dict[str, list[Any]] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _fill_in(cls, given):
        """What a file leaves out, as its estimator can do it and needs it."""
        named = given.get("estimator") if isinstance(given, dict) else None
        lacking = {"preprocessing", "trains_in_rounds", "keeps_monotone"} - set(given if named else ())
        known = [name for name in named.values() if name in ESTIMATORS] if lacking and isinstance(named, dict) else []
        if not known:
            return given
        first = ESTIMATORS[known[0]]
        filled = {
            "preprocessing": dict(first.preprocessing),
            "trains_in_rounds": first.rounds is not None,
            "keeps_monotone": first.can_keep_directions,
        }
        return filled | given

    @model_validator(mode="after")
    def _can_what_it_says(self):
        for name in set(self.estimator.values()) if not self.members else ():
            algorithm = ESTIMATORS[name]
            claims = {
                "trains_in_rounds": self.trains_in_rounds and algorithm.rounds is None,
                "keeps_monotone": self.keeps_monotone and not algorithm.can_keep_directions,
            }
            for claim in (claim for claim, is_empty in claims.items() if is_empty):
                raise ValueError(f"model={self.name} says {claim}: true, which {name} cannot")
        return self


class TrainingConfig(Shown, StrictModel):
    """All settings of a run."""

    use_case: UseCase
    model: Model
    data_source: DataSource
    data_split: DataSplit
    cv: CrossValidation
    early_stopping: EarlyStopping
    tuning: Tuning
    tracking: Tracking
    registry: Registry
    launcher: Launcher
    report: Report
    budget: TimeBudget | None
    calibration: Literal["none", "sigmoid", "isotonic"]
    artifacts: Literal["skops", "joblib", "pickle"]
    class_weight: Literal["none", "balanced"]
    refit: Literal["none", "train_val", "all"]
    device: Literal["cpu", "cuda"]
    seed: Seed
    n_threads: Annotated[int, Field(ge=1)] | None
    n_shards: Annotated[int, Field(ge=1, le=1024)] | None
    memory_budget: MemoryBudget
    resume: bool
    save_tuned: bool
    members: dict[Name, Model] = Field(default_factory=dict)  # of an ensemble, as their own files say; never given

    def _shown(self) -> dict[str, Any]:
        return {
            "use_case": self.use_case.key, "task": self.use_case.task, "metric": self.use_case.metric,
            "features": len(self.use_case.features), "model": self.model.name, "data_source": self.data_source.kind,
            "data_split": self.data_split.method, "cv": self.cv.method, "tuning": self.tuning.method, "seed": self.seed,
        }  # fmt: skip
