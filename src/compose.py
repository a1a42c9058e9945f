"""Compose jobs as Hydra will, before Hydra starts, and explain what cannot be composed."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from src import address
from src.errors import ConfigError

if TYPE_CHECKING:
    from hydra.core.override_parser.types import Override
    from omegaconf import DictConfig

    from src.schema import TrainingConfig

CONF = Path(__file__).resolve().parents[1] / "conf"
NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
PACKAGES_HYDRA_MAY_IMPORT = ("hydra.", "hydra_plugins.", "optuna.", "logging.", "colorlog.")


class ForbiddenError(ConfigError):
    """A configuration that names code to run, or would give a secret away."""


def options(config_dirs: list[Path]) -> dict[str, list[str]]:
    """Options of every config group, by group: {"model": ["lightgbm", "xgboost"], …}."""
    found: dict[str, set[str]] = {}
    for folder in config_dirs:
        for path in folder.glob("*/*.yaml"):
            found.setdefault(path.parent.name, set()).add(path.stem)
    return {group: sorted(names) for group, names in sorted(found.items()) if group not in ("hydra", "tuned")}


def parse(texts: list[str], config_dirs: list[Path]) -> list[Override]:
    """Read overrides as Hydra does, and check every option of a group that they name.

    Raises
    ------
    ConfigError
    """
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.core.override_parser.types import ChoiceSweep
    from hydra.errors import OverrideParseException

    try:
        overrides = OverridesParser.create().parse_overrides(texts)
    except OverrideParseException as error:
        raise ConfigError(
            f"{error.override!r} cannot be read: {str(error).splitlines()[0]}.\n"
            "A setting is written key=value; quote a value with special characters: 'key=\"a, b\"'"
        ) from error
    groups = options(config_dirs)
    for override in overrides:
        if override.key_or_group not in groups or override.is_delete():
            continue
        value = override.value()
        if not override.is_sweep_override():
            _check_option(override.key_or_group, value, groups)
        elif isinstance(value, ChoiceSweep):
            for choice in value.list:
                _check_option(override.key_or_group, choice, groups)
    return overrides


def _check_option(group: str, option: Any, groups: dict[str, list[str]]) -> None:
    from src.errors import unknown

    if not isinstance(option, str) or not NAME.fullmatch(option):
        raise ConfigError(
            f"{group}={option!r} is not a name: names match {NAME.pattern} in full.\nTo list them: python -m src.train --help"
        )
    if option not in groups[group]:
        raise ConfigError(unknown(group, option, groups[group]))


@contextlib.contextmanager
def composer(config_dirs: list[Path]) -> Iterator[Callable[[list[str]], DictConfig]]:
    """Give a function that composes overrides, Hydra's own part of the configuration included."""
    from hydra import compose, initialize_config_dir

    search = [f"hydra.searchpath=[{','.join(f'file://{folder.resolve()}' for folder in config_dirs[1:])}]"]
    with initialize_config_dir(str(CONF), version_base="1.3"):
        yield lambda overrides: compose(
            "config", overrides=overrides + (search if config_dirs[1:] else []), return_hydra_config=True
        )


def compose_job(compose: Callable[[list[str]], DictConfig], overrides: list[str], config_dirs: list[Path]) -> DictConfig:
    """Compose one job.

    Raises
    ------
    ConfigError
        If it cannot be composed, or a configuration file names code.
    """
    from hydra.errors import HydraException

    try:
        cfg = compose(overrides)
    except HydraException as error:
        raise ConfigError(_explain(error, compose, overrides, config_dirs)) from error
    for key, value in _leaves(cfg):
        _refuse_import(key, value)
    return cfg


def check_job(cfg: DictConfig) -> TrainingConfig:
    """Check the pipeline's part of a composed job.

    Raises
    ------
    ConfigError
    """
    from src import config

    return config.read(without_hydra(cfg))


def without_hydra(cfg: DictConfig) -> DictConfig:
    """The pipeline's part of a configuration."""
    from omegaconf import OmegaConf

    return OmegaConf.masked_copy(cfg, [key for key in cfg if key != "hydra"])


def _explain(error: Exception, compose: Callable, overrides: list[str], config_dirs: list[Path]) -> str:
    """What was mistyped, and what was probably meant."""
    from hydra.errors import HydraException, MissingConfigException

    from src.errors import unknown

    if isinstance(error, MissingConfigException) and error.options:
        group, _, option = error.missing_cfg_file.rpartition("/")
        extra = "\nIt comes with an extra: make setup EXTRAS=ray" if option == "ray" else ""
        return unknown(group, option, error.options) + extra
    key = re.search(r"Could not (?:override|append|delete)[^']*'([^'@]+)", str(error))
    if key:
        groups = options(config_dirs)
        chosen = [text for text in overrides if text.partition("=")[0].lstrip("+~") in groups]
        try:
            known = [place for place, _ in _leaves(compose(chosen)) if not place.startswith("hydra.")]
        except HydraException:
            known = []
        return unknown("setting", key[1], [*known, *groups]).replace("setting=", "")
    return "\n".join(str(error).splitlines()[:2])


def _leaves(node: Any, at: str = "") -> Iterator[tuple[str, Any]]:
    """Dotted key and uninterpolated value of everything in a configuration."""
    from omegaconf import OmegaConf

    if OmegaConf.is_config(node):
        node = OmegaConf.to_container(node, resolve=False)
    if isinstance(node, dict):
        for key, value in node.items():
            yield from _leaves(value, f"{at}.{key}" if at else str(key))
    elif isinstance(node, list):
        for position, value in enumerate(node):
            yield from _leaves(value, f"{at}.{position}")
    else:
        yield at, node


def _refuse_import(key: str, value: Any) -> None:
    """Configuration files may not name code either, except Hydra's own and its plugins', nor hold a password."""
    names_code = key.endswith(("._target_", ".()", ".class")) or key == "_target_"
    if names_code and not str(value).startswith(PACKAGES_HYDRA_MAY_IMPORT):
        raise ForbiddenError(f"{key}={value} is refused: a configuration may not name code to run.")
    if address.would_be_saved(key, value):
        raise ForbiddenError(address.NAME_IT.format(key))
    if isinstance(value, str) and "oc.env" in value:
        raise ForbiddenError(f"{key}={value} is refused: it would write an environment variable into saved files.")
