"""Settings: from a composed configuration to a checked one."""

from __future__ import annotations

import difflib
import re
import typing
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from pydantic import BaseModel, ValidationError, create_model

from bank_models.config import datasets, interpolations
from bank_models.config.checks import CONF, check
from bank_models.config.members import members
from bank_models.config.schema import EarlyStopping, TrainingConfig
from bank_models.config.strict_model import StrictModel
from bank_models.config.use_case import UseCase
from bank_models.errors import ConfigError, ForbiddenError, at_most

MOST_WORDS = 12  # that are listed in a message
MOST_WITHOUT_NEAR = 40  # where none of them is like what was typed
NEVER = EarlyStopping(patience=None, min_delta=0.0, restore_best_weights=False)


def read(
    cfg: DictConfig,
    where: Callable[[str], str] = lambda setting: "",
    overrides: Iterable[str] = (),
    config_dirs: Iterable[Path] = (CONF,),
) -> TrainingConfig:
    """Turn a composed configuration into a checked, immutable one.

    Parameters
    ----------
    cfg : DictConfig
    where : callable
        Says in which line of which file a setting stands: see `bank_models.config.places`.
    overrides : iterable of str
        Of the command line. A model without rounds is trained without early stopping, unless one asks for it.
    config_dirs : iterable of Path
        Folders whose models an ensemble may average.

    Raises
    ------
    ConfigError
        Naming every setting that is unknown, of the wrong type, out of range or at odds with another.
    """
    _check_names(cfg, where)
    try:
        if missing := sorted(OmegaConf.missing_keys(cfg)):
            raise ConfigError(f"{missing[0]} must be given: add {missing[0]}=… to the command")
        values = OmegaConf.to_container(cfg, resolve=True)
    except OmegaConfBaseException as error:
        raise ConfigError(str(error).splitlines()[0]) from error
    except RecursionError as error:
        raise ConfigError("An interpolation refers to itself, or values are nested too deep.") from error
    if any("${" in text for text in interpolations.strings(values)):
        raise ForbiddenError("A value still holds ${ after it was resolved: who reads it again would resolve that, too.")
    if "members" in values:
        raise ConfigError("members is not a setting. Did you mean model.members?")
    config = _validate(TrainingConfig, values, at="", where=where)
    fields = {name: (constraint.annotation(), ...) for name, constraint in config.model.constraints.items()}
    params = create_model("Params", __base__=StrictModel, **fields)
    listed = {name: value for name, value in config.model.params.items() if name in fields}
    _validate(params, listed, at="model.params.", where=where)
    if config.data_split.method == "random" and config.data_split.stratify:
        config = config.model_copy(update={"data_split": config.data_split.model_copy(update={"method": "stratified"})})
    config = _on_proxy(config)
    config = config.model_copy(update={"members": members(config.model, config.use_case.task, config_dirs)})
    if not config.model.trains_in_rounds and not any(text.lstrip("+").startswith("early_stopping") for text in overrides):
        config = config.model_copy(update={"early_stopping": NEVER})
    check(config)
    return config


def _check_names(cfg: DictConfig, where: Callable[[str], str]) -> None:
    """Refuse settings of no meaning before one is missed that they may have been meant for."""
    known = list(TrainingConfig.model_fields)
    for name in (str(one) for one in cfg if one not in known):
        near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
        raise ConfigError(f"{where(name)}{name} is not a setting." + (f" Did you mean {near[0]}?" if near else ""))


def _on_proxy(config: TrainingConfig) -> TrainingConfig:
    """Where `data_source.name` chooses a proxy, give the use case its columns instead of its own."""
    name, use_case = config.data_source.name, config.use_case
    if config.data_source.kind != "packaged" or name not in use_case.proxies:
        return config
    facts = datasets.facts_of_proxy(name, use_case.metric)
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


def config_dirs_of(hydra_cfg: DictConfig) -> list[Path]:
    """Folders of configuration of a job, ours first: those that are searched as settings say, and those that Hydra was told."""
    searched = [one.removeprefix("file://") for one in hydra_cfg.searchpath or []]
    sources = [] if OmegaConf.is_missing(hydra_cfg.runtime, "config_sources") else hydra_cfg.runtime.config_sources
    told = [source["path"] for source in sources if source["schema"] == "file"]
    return list(dict.fromkeys(Path(one) for one in [CONF, *told, *searched]))


def hydra_files(cfg: DictConfig, hydra_cfg: DictConfig) -> dict[str, str]:
    """The texts that Hydra would write to `.hydra/`, by path, and to the folder that `hydra.output_subdir` was typed for."""
    texts = {
        "config.yaml": OmegaConf.to_yaml(cfg),
        "hydra.yaml": OmegaConf.to_yaml(OmegaConf.create({"hydra": hydra_cfg})),
        "overrides.yaml": OmegaConf.to_yaml(hydra_cfg.overrides.task),
    }
    wished = typed(hydra_cfg, "output_subdir", other_than="null")
    folders = dict.fromkeys([".hydra", *([wished] if wished else [])])
    return {f"{folder}/{name}": text for folder in folders for name, text in texts.items()}


def typed(hydra_cfg: DictConfig, setting: str, other_than: str = "") -> str | None:
    """The last value of a setting of Hydra that was typed; None if there is none.

    Parameters
    ----------
    hydra_cfg : DictConfig
        Hydra's own node.
    setting : str
        Below `hydra`, such as `job.name`.
    other_than : str
        A value that does not count.
    """
    pairs = (text.lstrip("+").partition("=") for text in hydra_cfg.overrides.hydra)
    values = [value.strip("'\"") for key, _, value in pairs if key == f"hydra.{setting}"]
    return next((value for value in reversed(values) if value not in ("", other_than)), None)


def _validate(schema: type[BaseModel], values: Mapping, at: str, where: Callable[[str], str] = lambda setting: ""):
    try:
        return schema.model_validate(values)
    except ValidationError as error:
        mistyped_first = sorted(
            error.errors(), key=lambda fault: fault["type"] == "missing"
        )  # a typo lacks the right name, too
        faults = [_fault(schema, fault, at, where) for fault in mistyped_first]
        raise ConfigError(at_most(3, faults, "settings")) from None


def _fault(schema: type[BaseModel], fault: Mapping, at: str, where: Callable[[str], str]) -> str:
    path = [str(part) for part in fault["loc"] if not str(part).startswith(("function-", "constrained-", "nullable"))]
    place = at + ".".join(path)
    return where(place) + _said(schema, fault, path, place)


def _said(schema: type[BaseModel], fault: Mapping, path: list[str], place: str) -> str:
    if fault["type"] == "extra_forbidden":
        near = difflib.get_close_matches(path[-1], _fields(schema, path[:-1]), n=1, cutoff=0.5)
        return f"{place} is not a setting." + (f" Did you mean {near[0]}?" if near else "")
    if fault["type"] == "missing":
        return f"{place} is missing"
    if fault["type"] == "literal_error":
        return _unknown_word(fault, place)
    if fault["type"] in ("model_type", "model_attributes_type"):
        return f"{place}={fault['input']}: must hold settings by name, such as {{type: int}}"
    said = fault["msg"].removeprefix("Value error, ").replace("Input should be", "must be").replace("Input", "It")
    given = "" if isinstance(fault["input"], dict | BaseModel) else f"={fault['input']}"
    return f"{place}{given}: {said}"


def _unknown_word(fault: Mapping, place: str) -> str:
    """A word that is none of those that are known, with the nearest; all of them if they are few."""
    known = re.findall(r"'([^']*)'", fault["ctx"]["expected"])
    near = difflib.get_close_matches(str(fault["input"]), known, n=1, cutoff=0.5)
    meant = f" Did you mean {near[0]}?" if near else ""
    if len(known) > (MOST_WORDS if meant else MOST_WITHOUT_NEAR):
        return f"{place}={fault['input']} is not known.{meant}"
    said = fault["msg"].replace("Input should be", "must be")
    return f"{place}={fault['input']}: {said}.{meant}" if meant else f"{place}={fault['input']}: {said}"


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
