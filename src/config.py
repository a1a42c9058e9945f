"""The typed schema of a composed configuration, and the checks that span its groups."""

from __future__ import annotations

import difflib
import typing
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

import yaml
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from pydantic import BaseModel, Field, TypeAdapter, ValidationError, create_model, model_validator

from src.data import packaged
from src.device import cuda_devices
from src.errors import ConfigError, at_most
from src.facts import Facts, Name
from src.models import ESTIMATORS, check_arguments
from src.portfolio.record import replace_text
from src.use_case import Metric, Task, UseCase

CONF = Path(__file__).resolve().parents[1] / "conf"
Seed = Annotated[int, Field(ge=0, lt=2**32)]


class DataSource(Facts):
    kind: Literal["packaged", "simulated", "file"]
    name: Name | None
    path: str | None
    rows: Annotated[int, Field(ge=1)] | None
    seed: Seed | None


class DataSplit(Facts):
    method: Literal["stratified", "random", "temporal", "group", "hashed", "none"]
    train_ratio: Annotated[float, Field(gt=0, le=1)]
    val_ratio: Annotated[float, Field(ge=0, lt=1)]
    test_ratio: Annotated[float, Field(ge=0, lt=1)]
    random_state: Seed | None


class CrossValidation(Facts):
    method: Literal["stratified_kfold", "kfold", "time_series", "group_kfold", "stratified_group_kfold", "none"]
    n_folds: Annotated[int, Field(ge=0)]
    shuffle: bool
    random_state: Seed | None
    scoring: Annotated[list[Metric], Field(min_length=1)] | None


class EarlyStopping(Facts):
    patience: Annotated[int, Field(ge=1)] | None
    min_delta: Annotated[float, Field(ge=0)]
    restore_best_weights: bool


class Tuning(Facts):
    """How parameters are searched for: see `src.tuning`.

    Attributes
    ----------
    method : {"none", "grid_search", "random_search", "bayesian", "halving", "auto"}
    cv : int
        Folds, at least 2.
    n_iter : int, optional
        Settings in all; None of a grid takes every point.
    max_concurrent_trials : int
        How many trials may be under way at once, and so how many results a new one does not know.
    n_workers : int, optional
        Processes that run trials; None is as many as there are threads for, and memory.
    timeout_s : float, optional
        Begin no trial after so many seconds.
    storage : str, optional
        SQLAlchemy's address of the database that keeps the trials.
    """

    method: Literal["none", "grid_search", "random_search", "bayesian", "halving", "auto"]
    cv: Annotated[int, Field(ge=2)] | None
    n_iter: Annotated[int, Field(ge=1)] | None
    max_concurrent_trials: Annotated[int, Field(ge=1)] | None
    n_workers: Annotated[int, Field(ge=1)] | None
    timeout_s: Annotated[float, Field(gt=0)] | None
    storage: str | None


class Tracking(Facts):
    kind: Literal["none"]


class Preprocessing(Facts):
    """What stands between the columns and the estimator; null is nothing.

    `native` hands categories over as codes and missing values as they are, to an estimator that understands both.
    """

    imputer: Literal["median"] | None
    scaler: Literal["standard", "power", "quantile"] | None
    encoder: Literal["native", "ordinal", "one_hot"]


class Constraint(Facts):
    """Type and range of one parameter of a model, in pydantic's words."""

    type: Literal["int", "float", "bool", "str"]
    gt: float | None = None
    ge: float | None = None
    lt: float | None = None
    le: float | None = None
    choices: list[str] | None = None
    nullable: bool = False

    def annotation(self) -> Any:
        if self.choices:
            kind = Literal[tuple(self.choices)]
        else:
            bounds = {k: v for k in ("gt", "ge", "lt", "le") if (v := getattr(self, k)) is not None}
            kind = Annotated[{"int": int, "float": float, "bool": bool, "str": str}[self.type], Field(strict=True, **bounds)]
        return kind | None if self.nullable else kind


class SearchRange(Facts):
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


class Model(Facts):
    """An algorithm: its estimator for each task, its parameters, their ranges and where tuning looks.

    An ensemble also names the models it averages, for each task.
    """

    name: Name
    estimator: Annotated[dict[Task, Literal[tuple(ESTIMATORS)]], Field(min_length=1)]
    members: dict[Task, Annotated[list[Name], Field(min_length=1)]]
    preprocessing: Preprocessing
    trains_in_rounds: bool
    keeps_monotone: bool
    params: dict[str, Any]
    constraints: dict[str, Constraint]
    search_space: dict[str, SearchRange]
    starting_points: list[dict[str, Any]]
    grid: dict[str, list[Any]]


class TrainingConfig(Facts):
    use_case: UseCase
    model: Model
    data_source: DataSource
    data_split: DataSplit
    cv: CrossValidation
    early_stopping: EarlyStopping
    tuning: Tuning
    tracking: Tracking
    calibration: Literal["none", "sigmoid", "isotonic"]
    class_weight: Literal["none", "balanced"]
    device: Literal["cpu", "cuda"]
    seed: Seed
    n_threads: Annotated[int, Field(ge=1)] | None
    resume: bool
    save_tuned: bool
    members: dict[Name, Model] = Field(default_factory=dict)  # of an ensemble, as their own files say; never given


def read(cfg: DictConfig) -> TrainingConfig:
    """Turn a composed configuration into a checked, immutable one.

    Raises
    ------
    ConfigError
        Naming every setting that is unknown, of the wrong type, out of range or at odds with another.
    """
    try:
        if missing := sorted(OmegaConf.missing_keys(cfg)):
            raise ConfigError(f"{missing[0]} must be given: add {missing[0]}=… to the command")
        values = OmegaConf.to_container(cfg, resolve=True)
    except OmegaConfBaseException as error:
        raise ConfigError(str(error).splitlines()[0]) from error
    if "members" in values:
        raise ConfigError("members is not a setting. Did you mean model.members?")
    config = _validate(TrainingConfig, values, at="")
    fields = {name: (constraint.annotation(), ...) for name, constraint in config.model.constraints.items()}
    params = create_model("Params", __base__=Facts, **fields)
    _validate(params, config.model.params, at="model.params.")
    config = _on_proxy(config)
    config = config.model_copy(update={"members": _members(config.model, config.use_case.task)})
    check(config)
    return config


def _members(model: Model, task: str) -> dict[str, Model]:
    """The models an ensemble averages, as their files in `conf/model` describe them."""
    named = model.members.get(task, [])
    for name in named:
        if name not in models_for(task) or name == model.name:
            fits = [fit for fit in models_for(task) if fit != model.name]
            raise ConfigError(unknown(f"model.members.{task}", name, fits))
    return {name: Model.model_validate(_model_facts(CONF / f"model/{name}.yaml")) for name in dict.fromkeys(named)}


def _model_facts(path: Path) -> dict:
    return {key: value for key, value in yaml.safe_load(path.read_text()).items() if key != "defaults"}


def _on_proxy(config: TrainingConfig) -> TrainingConfig:
    """Where `data_source.name` chooses a proxy, give the use case its columns instead of its own."""
    name, use_case = config.data_source.name, config.use_case
    if config.data_source.kind != "packaged" or name not in use_case.proxies:
        return config
    facts = packaged.facts_of_proxy(name)
    paid = (use_case.cost.false_positive, use_case.cost.false_negative) if use_case.cost else ()
    if lacking := [column for column in paid if isinstance(column, str) and column not in facts["features"]]:
        raise ConfigError(
            f"use_case={use_case.key} counts costs by {lacking[0]}, which data_source.name={name} has not got.\n"
            "Add use_case.cost=null: F1 then chooses the decision threshold."
        )
    by_time = (config.data_split.method == "temporal" or config.cv.method == "time_series") and facts["time_column"] is None
    if by_time or "group" in config.data_split.method or "group" in config.cv.method:
        instead = ("random", "kfold") if use_case.task == "regression" else ("stratified", "stratified_kfold")
        raise ConfigError(
            f"data_source.name={name} has no {'time' if by_time else 'group'} column, which data_split and cv go by here.\n"
            f"Add: data_split={instead[0]} cv={instead[1]}"
        )
    use_case = _validate(UseCase, use_case.model_dump() | facts, at="use_case.")
    return config.model_copy(update={"use_case": use_case})


def distributions(search_space: Mapping[str, SearchRange]) -> dict[str, Any]:
    """Optuna's distributions of a search space, made as hydra-optuna-sweeper makes them."""
    from src.tuning.trials import quiet_optuna

    quiet_optuna()
    from hydra_plugins.hydra_optuna_sweeper._impl import create_optuna_distribution_from_config

    return {
        name: create_optuna_distribution_from_config(space.model_dump(exclude_none=True))
        for name, space in search_space.items()
    }


def save_tuned(use_case: str, model: str, params: Mapping[str, Any]) -> Path:
    """Keep found parameters where later runs of the pair take them from; gives the file."""
    path = CONF / "tuned" / f"{use_case}_{model}.yaml"
    path.parent.mkdir(exist_ok=True)
    replace_text(path, yaml.safe_dump(dict(params)))
    return path


def hydra_files(cfg: DictConfig, hydra_cfg: DictConfig) -> dict[str, str]:
    """The texts that Hydra would write to `.hydra/`, by file name."""
    return {
        "config.yaml": OmegaConf.to_yaml(cfg),
        "hydra.yaml": OmegaConf.to_yaml(OmegaConf.create({"hydra": hydra_cfg})),
        "overrides.yaml": OmegaConf.to_yaml(hydra_cfg.overrides.task),
    }


def check(config: TrainingConfig) -> None:
    """Refuse settings that are each fine but cannot work together.

    Raises
    ------
    ConfigError
    """
    _check_model(config.model, config.use_case, config.early_stopping)
    for model in (config.model, *config.members.values()):
        _check_quantile(model, config.use_case)
    _check_device(config)
    _check_data_source(config.data_source, config.use_case)
    _check_data_split(config.data_split, config.use_case)
    _check_cv(config.cv, config.data_split, config.use_case)
    _check_tuning(config)
    if config.calibration != "none" and config.use_case.task != "binary":
        raise ConfigError(f"calibration is for task binary, but use_case={config.use_case.key} is {config.use_case.task}")
    if config.class_weight != "none" and config.use_case.task not in ("binary", "multiclass"):
        raise ConfigError(f"class_weight is for classes, but use_case={config.use_case.key} is {config.use_case.task}")


def _check_model(model: Model, use_case: UseCase, early_stopping: EarlyStopping) -> None:
    if use_case.task not in model.estimator:
        fits = " and ".join(model.estimator)
        raise ConfigError(
            f"model={model.name} fits {fits}, but use_case={use_case.key} is {use_case.task}.\n"
            f"Choose a model that fits {use_case.task}: {', '.join(models_for(use_case.task))}."
        )
    if early_stopping.patience is None and (early_stopping.min_delta or early_stopping.restore_best_weights):
        raise ConfigError("early_stopping without patience has nothing to stop at: choose early_stopping=patience or none")
    if early_stopping.patience is not None and not model.trains_in_rounds:
        raise ConfigError(
            f"early_stopping.patience={early_stopping.patience}, but model={model.name} does not train in rounds.\n"
            "Leave early_stopping out, or choose early_stopping=none."
        )
    if use_case.requires_monotone and not model.keeps_monotone:
        able = [name for name in models_for(use_case.task) if _model_facts(CONF / f"model/{name}.yaml")["keeps_monotone"]]
        raise ConfigError(
            f"use_case={use_case.key} requires the directions of its features, which model={model.name} cannot keep.\n"
            f"Choose a model that can: {', '.join(able)}."
        )
    check_arguments(model.estimator[use_case.task], model.params)


def _check_quantile(model: Model, use_case: UseCase) -> None:
    if use_case.quantile is None or ESTIMATORS[model.estimator[use_case.task]].can_predict(use_case.quantile):
        return
    able = [name for name, tasks in _estimators().items() if "regression" in tasks]
    able = [name for name in able if ESTIMATORS[_estimators()[name]["regression"]].can_predict(use_case.quantile)]
    raise ConfigError(
        f"use_case={use_case.key} predicts the quantile {use_case.quantile}, which model={model.name} cannot.\n"
        f"Choose a model that can: {', '.join(able)}."
    )


def _check_tuning(config: TrainingConfig) -> None:
    tuning, model, use_case = config.tuning, config.model, config.use_case
    if tuning.method == "none":
        given = [name for name, value in tuning.model_dump(exclude={"method"}).items() if value is not None]
        if given or config.save_tuned:
            name = f"tuning.{given[0]}" if given else "save_tuned"
            raise ConfigError(f"{name} is for a search: choose tuning=bayesian, grid_search, random_search or halving")
        return
    if use_case.task in UNSUPERVISED:
        raise ConfigError(f"tuning={tuning.method} needs labels, but use_case={use_case.key} is {use_case.task}: leave it out")
    if (tuning.method == "auto") != bool(config.members):
        raise ConfigError(
            f"tuning={tuning.method} does not go with model={model.name}: tuning=auto searches the models that model=ensemble "
            "averages, and nothing else does.\nType model=ensemble tuning=auto, or choose another search for a single model."
        )
    for member in config.members.values():
        _check_search(member)
    if tuning.method != "auto":
        _check_search(model)
    where = model.grid if tuning.method == "grid_search" else model.search_space
    if not where and tuning.method != "auto":
        raise ConfigError(f"tuning={tuning.method}, but model={model.name} has nothing to tune: choose tuning=none")
    if tuning.cv is None or tuning.max_concurrent_trials is None or (tuning.n_iter is None and tuning.method != "grid_search"):
        raise ConfigError(f"tuning={tuning.method} needs tuning.cv, tuning.max_concurrent_trials and tuning.n_iter")
    if tuning.storage and urlsplit(tuning.storage).password:
        raise ConfigError("tuning.storage holds a password, which would be saved: leave it out and set PGPASSWORD")


def _check_search(model: Model) -> None:
    """Refuse a grid, a space or a starting point that has what a parameter cannot be."""
    known = model.constraints
    tried = {f"grid.{name}": (name, values) for name, values in model.grid.items()}
    tried |= {f"search_space.{name}": (name, space.ends()) for name, space in model.search_space.items()}
    tried |= {f"starting_points.{name}": (name, [value]) for point in model.starting_points for name, value in point.items()}
    for place, (name, values) in tried.items():
        if name not in known:
            raise ConfigError(unknown(f"model.{place.split('.')[0]}", name, list(known)))
        if name == "normalize":
            raise ConfigError("normalize belongs to preprocessing, which is done once for all trials: it cannot be searched")
        for value in values:
            try:
                TypeAdapter(known[name].annotation()).validate_python(value)
            except ValidationError:
                raise ConfigError(f"model.{place} tries {value}, which model.params.{name} cannot be") from None
    if len(model.grid) and any(not values for values in model.grid.values()):
        raise ConfigError("model.grid has a parameter without values")


def _check_device(config: TrainingConfig) -> None:
    """Refuse a device that is absent, or that neither the model nor a member of it could use."""
    if config.device == "cpu":
        return
    task = config.use_case.task
    names = [config.model.estimator[task], *(member.estimator[task] for member in config.members.values())]
    if not any(ESTIMATORS[name].takes_device for name in names):
        able = [name for name, tasks in _estimators().items() if task in tasks and ESTIMATORS[tasks[task]].takes_device]
        raise ConfigError(
            f"device={config.device}, but model={config.model.name} trains on the CPU only.\n"
            f"Choose device=cpu, or a model that can use it: {', '.join(able) or 'there is none for ' + task}."
        )
    if not cuda_devices():
        raise ConfigError("device=cuda, but NVIDIA's driver shows no CUDA device to this process.\nChoose device=cpu.")


def models_for(task: str) -> list[str]:
    """Names of the models in `conf/model` that fit a task."""
    return [name for name, estimators in _estimators().items() if task in estimators]


def _estimators() -> dict[str, dict[str, str]]:
    return {path.stem: yaml.safe_load(path.read_text())["estimator"] for path in sorted((CONF / "model").glob("*.yaml"))}


def _check_data_source(source: DataSource, use_case: UseCase) -> None:
    given = {key for key in ("name", "path", "rows", "seed") if getattr(source, key) is not None}
    understood = {"packaged": {"name"}, "simulated": {"rows", "seed"}, "file": {"path"}}[source.kind]
    if extra := sorted(given - understood):
        raise ConfigError(f"data_source={source.kind} does not understand data_source.{extra[0]}: leave it out")
    if source.kind == "simulated" and use_case.simulation is None:
        raise ConfigError(f"use_case={use_case.key} declares no simulation. Choose data_source=packaged or data_source=file.")
    fits = [name for name in (use_case.packaged, *use_case.proxies) if name]
    if source.kind == "packaged" and source.name not in fits:
        given = f"data_source.name={source.name}" if source.name else "data_source=packaged without data_source.name"
        choices = f"data_source.name={' or '.join(fits)}, or " if fits else ""
        raise ConfigError(
            f"{given} does not fit use_case={use_case.key}.\n"
            f"Choose {choices}data_source={'simulated' if use_case.simulation else 'file data_source.path=…'}."
        )
    if source.kind == "simulated" and source.rows is not None and source.seed is None:
        raise ConfigError("data_source=simulated needs data_source.seed, for example 42")


def _check_data_split(split: DataSplit, use_case: UseCase) -> None:
    total = split.train_ratio + split.val_ratio + split.test_ratio
    if abs(total - 1) > 1e-9:
        raise ConfigError(
            f"data_split ratios must sum to 1, but {split.train_ratio} + {split.val_ratio} + {split.test_ratio} = {total:.6g}"
        )
    is_unsupervised = use_case.task in UNSUPERVISED
    if (split.method == "none") != is_unsupervised:
        choice = "none" if is_unsupervised else "stratified, random, temporal, group or hashed"
        raise ConfigError(f"use_case={use_case.key} is {use_case.task}: choose data_split={choice}")
    if split.method == "none":
        if split.train_ratio != 1:
            raise ConfigError("data_split=none fits on every row: leave its ratios alone")
        return _check_random_state("data_split", split.random_state, is_random=False)
    for part in ("val_ratio", "test_ratio"):
        if not getattr(split, part):
            raise ConfigError(f"data_split.{part}=0: must be greater than 0: early stopping, thresholds and the test need rows")
    if split.method == "stratified" and use_case.task == "regression":
        raise ConfigError(
            f"data_split=stratified keeps classes in proportion, but use_case={use_case.key} predicts a number.\n"
            "Choose data_split=random, temporal, group or hashed."
        )
    if looks_at_targets(use_case) and split.method != "temporal":
        raise ConfigError(
            f"use_case={use_case.key} has lags of its target: rows of train would hold labels of test.\n"
            "Choose data_split=temporal."
        )
    _check_time_column("data_split", split.method == "temporal", use_case)
    _check_group_column("data_split", split.method == "group", use_case)
    return _check_random_state("data_split", split.random_state, is_random=split.method != "temporal")


def looks_at_targets(use_case: UseCase) -> bool:
    """Whether a feature of a row holds the target of an earlier row."""
    return any(lag.column == use_case.target for lag in use_case.lags.values())


UNSUPERVISED = ("clustering", "anomaly")
SAFE_CV = {"temporal": ("time_series",), "group": ("group_kfold", "stratified_group_kfold")}


def _check_cv(cv: CrossValidation, split: DataSplit, use_case: UseCase) -> None:
    if use_case.task in UNSUPERVISED and cv.method != "none":
        raise ConfigError(f"use_case={use_case.key} is {use_case.task}, which has no folds to score: choose cv=none")
    if cv.method == "none":
        if cv.n_folds or cv.scoring:
            raise ConfigError("cv=none has no folds to score: leave cv.n_folds and cv.scoring alone, or choose another cv")
        return
    if cv.n_folds < 2:
        raise ConfigError(f"cv.n_folds must be at least 2, but got {cv.n_folds}. To skip cross-validation choose cv=none.")
    if looks_at_targets(use_case) and cv.method != "time_series":
        raise ConfigError(
            f"use_case={use_case.key} has lags of its target, which other folds would give away: choose cv=time_series"
        )
    if cv.method not in SAFE_CV.get(split.method, (cv.method,)):
        kept = "newer rows" if split.method == "temporal" else "rows of one group"
        raise ConfigError(
            f"cv={cv.method} mixes into the training folds {kept} that data_split={split.method} keeps apart.\n"
            f"Choose cv={' or cv='.join(SAFE_CV[split.method])}."
        )
    if cv.method.startswith("stratified") and use_case.task == "regression":
        raise ConfigError(
            f"cv={cv.method} keeps classes in proportion, but use_case={use_case.key} predicts a number.\n"
            "Choose cv=kfold, group_kfold or time_series."
        )
    if cv.method == "time_series" and cv.shuffle:
        raise ConfigError("cv=time_series keeps rows in time order: leave cv.shuffle at false")
    _check_time_column("cv", cv.method == "time_series", use_case)
    _check_group_column("cv", "group" in cv.method, use_case)
    _check_random_state("cv", cv.random_state, is_random=cv.shuffle)


def _check_group_column(group: str, is_needed: bool, use_case: UseCase) -> None:
    if is_needed and use_case.group_column is None:
        raise ConfigError(
            f"{group} keeps groups together, but use_case={use_case.key} names no group_column.\nChoose another {group}."
        )


def _check_time_column(group: str, is_needed: bool, use_case: UseCase) -> None:
    if is_needed and use_case.time_column is None:
        raise ConfigError(
            f"{group} orders rows by time, but use_case={use_case.key} names no time_column.\n"
            f"Choose another {group}, for example {'stratified' if group == 'data_split' else 'stratified_kfold'}."
        )


def _check_random_state(group: str, random_state: int | None, is_random: bool) -> None:
    if is_random and random_state is None:
        raise ConfigError(f"{group}.random_state must be a number, for example 42: rows are shuffled by it")
    if not is_random and random_state is not None:
        raise ConfigError(f"{group} shuffles nothing, so {group}.random_state={random_state} has no effect: leave it null")


def unknown(what: str, given: str, valid: Iterable[str]) -> str:
    """Say that a name is not known, what was probably meant, and (where they are few) what is."""
    valid = sorted(valid)
    near = difflib.get_close_matches(given, valid, n=1, cutoff=0.5)
    meant = f" Did you mean {near[0]}?" if near else ""
    options = f"\nKnown: {', '.join(valid)}" if len(valid) <= 16 else "\nTo list them: python -m src.train --help"
    return f"{what}={given} is not known.{meant}{options}"


def _validate(schema: type[BaseModel], values: Mapping, at: str):
    try:
        return schema.model_validate(values)
    except ValidationError as error:
        faults = [_fault(schema, fault, at) for fault in error.errors()]
        raise ConfigError(at_most(3, faults, "settings")) from None


def _fault(schema: type[BaseModel], fault: Mapping, at: str) -> str:
    path = [str(part) for part in fault["loc"] if not str(part).startswith(("function-", "constrained-", "nullable"))]
    place = at + ".".join(path)
    if fault["type"] == "extra_forbidden":
        near = difflib.get_close_matches(path[-1], _fields(schema, path[:-1]), n=1, cutoff=0.5)
        return f"{place} is not a setting." + (f" Did you mean {near[0]}?" if near else "")
    if fault["type"] == "missing":
        return f"{place} is missing"
    said = fault["msg"].removeprefix("Value error, ").replace("Input should be", "must be").replace("Input", "It")
    given = "" if isinstance(fault["input"], dict | BaseModel) else f"={fault['input']}"
    return f"{place}{given}: {said}"


def _fields(schema: Any, path: list[str]) -> list[str]:
    """Names that a schema allows at a path."""
    for part in path:
        if isinstance(schema, type) and issubclass(schema, BaseModel):
            schema = schema.model_fields[part].annotation
        else:  # a mapping: all its values share one schema
            schema = typing.get_args(schema)[-1]
        while typing.get_origin(schema) in (Annotated, typing.Union, type(int | None)):
            schema = typing.get_args(schema)[0]
    return list(schema.model_fields) if hasattr(schema, "model_fields") else []
