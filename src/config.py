"""The typed schema of a composed configuration, and the checks that span its groups."""

from __future__ import annotations

import difflib
import typing
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from pydantic import BaseModel, Field, ValidationError, create_model

from src.data import packaged
from src.errors import ConfigError, at_most
from src.models import ESTIMATORS, check_arguments
from src.use_case import Facts, Name, Task, UseCase

CONF = Path(__file__).resolve().parents[1] / "conf"
Seed = Annotated[int, Field(ge=0, lt=2**32)]
OpenShare = Annotated[float, Field(gt=0, lt=1)]
Scoring = Literal["accuracy", "precision", "recall", "f1", "roc_auc", "average_precision"]


class DataSource(Facts):
    kind: Literal["packaged", "simulated", "file"]
    name: Name | None
    path: str | None
    rows: Annotated[int, Field(ge=1)] | None
    seed: Seed | None


class DataSplit(Facts):
    method: Literal["stratified", "random", "temporal"]
    train_ratio: OpenShare
    val_ratio: OpenShare
    test_ratio: OpenShare
    random_state: Seed | None


class CrossValidation(Facts):
    method: Literal["stratified_kfold", "time_series", "none"]
    n_folds: Annotated[int, Field(ge=0)]
    shuffle: bool
    random_state: Seed | None
    scoring: list[Scoring]


class EarlyStopping(Facts):
    patience: Annotated[int, Field(ge=1)] | None
    min_delta: Annotated[float, Field(ge=0)]
    restore_best_weights: bool


class Tuning(Facts):
    method: Literal["none"]


class Tracking(Facts):
    kind: Literal["none"]


class Preprocessing(Facts):
    """What stands between the columns and the estimator; null is nothing.

    `native` hands categories over as codes and missing values as they are, to an estimator that understands both.
    """

    imputer: Literal["median"] | None
    scaler: Literal["standard", "power"] | None
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


class Model(Facts):
    """An algorithm: its estimator for each task, its parameters, their ranges and where tuning looks."""

    name: Name
    estimator: Annotated[dict[Task, Literal[tuple(ESTIMATORS)]], Field(min_length=1)]
    preprocessing: Preprocessing
    trains_in_rounds: bool
    keeps_monotone: bool
    params: dict[str, Any]
    constraints: dict[str, Constraint]
    search_space: dict[str, dict[str, Any]]
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
    seed: Seed
    n_threads: Annotated[int, Field(ge=1)] | None


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
    config = _validate(TrainingConfig, values, at="")
    fields = {name: (constraint.annotation(), ...) for name, constraint in config.model.constraints.items()}
    params = create_model("Params", __base__=Facts, **fields)
    _validate(params, config.model.params, at="model.params.")
    check(config)
    return config


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
    _check_data_source(config.data_source, config.use_case)
    _check_data_split(config.data_split, config.use_case)
    _check_cv(config.cv, config.data_split, config.use_case)


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
    check_arguments(model.estimator[use_case.task], model.params)


def models_for(task: str) -> list[str]:
    """Names of the models in `conf/model` that fit a task."""
    files = {path.stem: yaml.safe_load(path.read_text()) for path in sorted((CONF / "model").glob("*.yaml"))}
    return [name for name, facts in files.items() if task in facts["estimator"]]


def _check_data_source(source: DataSource, use_case: UseCase) -> None:
    given = {key for key in ("name", "path", "rows", "seed") if getattr(source, key) is not None}
    understood = {"packaged": {"name"}, "simulated": {"rows", "seed"}, "file": {"path"}}[source.kind]
    if extra := sorted(given - understood):
        raise ConfigError(f"data_source={source.kind} does not understand data_source.{extra[0]}: leave it out")
    if source.kind == "simulated" and use_case.simulation is None:
        raise ConfigError(f"use_case={use_case.key} declares no simulation. Choose data_source=packaged or data_source=file.")
    if source.kind == "packaged" and source.name is None:
        raise ConfigError(
            f"use_case={use_case.key} names no packaged data set.\n"
            "Choose data_source=simulated or data_source=file data_source.path=…"
        )
    if source.kind == "packaged" and source.name not in packaged.names():
        raise ConfigError(unknown("data_source.name", source.name, packaged.names()))
    if source.kind == "simulated" and source.rows is not None and source.seed is None:
        raise ConfigError("data_source=simulated needs data_source.seed, for example 42")


def _check_data_split(split: DataSplit, use_case: UseCase) -> None:
    total = split.train_ratio + split.val_ratio + split.test_ratio
    if abs(total - 1) > 1e-9:
        raise ConfigError(
            f"data_split ratios must sum to 1, but {split.train_ratio} + {split.val_ratio} + {split.test_ratio} = {total:.6g}"
        )
    _check_time_column("data_split", split.method == "temporal", use_case)
    _check_random_state("data_split", split.random_state, is_random=split.method != "temporal")


def _check_cv(cv: CrossValidation, split: DataSplit, use_case: UseCase) -> None:
    if cv.method == "none":
        if cv.n_folds or cv.scoring:
            raise ConfigError("cv=none has no folds to score: leave cv.n_folds and cv.scoring alone, or choose another cv")
        return
    if cv.n_folds < 2:
        raise ConfigError(f"cv.n_folds must be at least 2, but got {cv.n_folds}. To skip cross-validation choose cv=none.")
    if cv.method == "stratified_kfold" and split.method == "temporal":
        raise ConfigError(
            "cv=stratified_kfold mixes newer rows into the training folds that data_split=temporal keeps in order.\n"
            "Choose cv=time_series (or data_split=stratified)."
        )
    if cv.method == "time_series" and cv.shuffle:
        raise ConfigError("cv=time_series keeps rows in time order: leave cv.shuffle at false")
    _check_time_column("cv", cv.method == "time_series", use_case)
    _check_random_state("cv", cv.random_state, is_random=cv.shuffle)


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
