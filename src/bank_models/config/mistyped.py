"""Explanation of overrides that Hydra cannot apply: what was mistyped, and what was probably meant."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from bank_models.config import hydra_node, places
from bank_models.errors import unknown

if TYPE_CHECKING:
    from omegaconf import DictConfig

    Compose = Callable[[list[str]], DictConfig]
REFUSED = re.compile(r"Could not (override|append|delete)[^']*'([^'@]+)(@[^']*)?|Multiple values for (\w+)\.")


def explained(
    error: Exception, compose: Compose, overrides: list[str], config_dirs: list[Path], groups: dict[str, list[str]]
) -> str:
    """What a person is told of an error of Hydra's.

    Parameters
    ----------
    error : HydraException
    compose : callable
        Composes overrides.
    overrides : list of str
        As typed.
    config_dirs : list of Path
        Of configuration; the first is ours.
    groups : dict of str to list of str
        Options of every group.
    """
    from hydra.errors import MissingConfigException

    if isinstance(error, MissingConfigException) and error.options:
        return _missing_option(error, overrides, config_dirs)
    key = REFUSED.search(str(error))
    if key is None:
        return "\n".join(str(error).splitlines()[:2])
    done, name, package, twice = key.groups()
    name = name or twice
    return _of_group(done, name, package, overrides) if name in groups else _of_setting(name, compose, overrides, groups)


def _missing_option(error, overrides: list[str], config_dirs: list[Path]) -> str:
    group, _, option = error.missing_cfg_file.rpartition("/")
    extra = "\nIt comes with an extra: make setup EXTRAS=ray" if option == "ray" else ""
    typed = any(text.endswith(f"={option}") for text in overrides)
    where = "" if typed else places.line_with(places.own_use_case(overrides, config_dirs), option)
    return where + unknown(group, option, error.options) + extra


def _of_group(done: str | None, group: str, package: str | None, overrides: list[str]) -> str:
    place = f"{group}{package or ''}"
    option = next((text.partition("=")[2] for text in overrides if text.lstrip("+").startswith(f"{place}=")), "…")
    if package:
        return f"{place} is no place of the configuration: options of {group} have one place.\nType {group}={option}"
    if done == "delete":
        return f"{group} has no option that could be left out."
    if done == "override":
        return f"{group} has no option unless one is added. Type it with a plus: +{group}={option}"
    return f"{group} has an option already. Type it without a plus: {group}={option}"


def _of_setting(name: str, compose: Compose, overrides: list[str], groups: dict[str, list[str]]) -> str:
    known = _known([text for text in overrides if text.partition("=")[0].lstrip("+~") in groups], compose)
    if name in known:
        return f"{name} is a setting already. Type it without a plus: {name}=…"
    if _is_left_out(name):
        return f"{name} is not set by this use case. Type it with a plus: +{name}=…"
    starting = [place for place in known if place.startswith(f"{name}_")]
    if name.startswith("model.params.") and starting:  # such as min_samples, the specification's word for two
        return f"{name} is not known. Did you mean {' or '.join(starting)}?"
    said = unknown("setting", name, [*known, *groups]).replace("setting=", "")
    if name.startswith("model.params.") and "Did you mean" not in said:
        return f"{said.splitlines()[0]}\nIf it is a parameter of the library, write it with a plus: +{name}=…"
    return said


def _is_left_out(name: str) -> bool:
    """Whether a setting is one that a use case may leave out."""
    from bank_models.config.use_case import UseCase

    group, _, field = name.partition(".")
    return group == "use_case" and field in UseCase.model_fields


def _known(chosen: list[str], compose: Compose) -> list[str]:
    """Every setting of the job whose options were chosen so."""
    from hydra.errors import HydraException

    try:
        return [place for place in _places(compose(chosen)) if not place.startswith("hydra.")]
    except HydraException:
        return []


def _places(cfg: DictConfig) -> Iterator[str]:
    from omegaconf import OmegaConf

    for key, value in hydra_node.leaves(OmegaConf.to_container(cfg, resolve=False)):
        place = ".".join(key)
        yield from [f"{place}.{at}" for at in range(len(value))] if isinstance(value, list) and value else [place]
