"""Root file of a composition: ours, or one of somebody's own folder that begins with ours."""

from __future__ import annotations

import re
from pathlib import Path

from bank_models.config import CONF
from bank_models.errors import ConfigError
from bank_models.files import yaml_file

NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
ROOT = "config"  # conf/config.yaml


def check_root(name: str, config_dirs: list[Path]) -> None:
    """Refuse a root file that is not there, or that does not begin with ours.

    Raises
    ------
    ConfigError
    """
    if name == ROOT:
        return
    if not config_dirs[1:]:
        raise ConfigError(f"--config-name {name} names a file of your own folder: add --config-dir DIR, where {name}.yaml is.")
    (folder,) = config_dirs[1:]
    path = folder / f"{name}.yaml"
    if not NAME.fullmatch(name) or not path.is_file():
        there = ", ".join(sorted(one.stem for one in folder.glob("*.yaml"))) or "none"
        raise ConfigError(f"--config-name {name}: {folder} has no file {name}.yaml. Files there: {there}.")
    values = yaml_file.read(path)
    defaults = values.get("defaults") if isinstance(values, dict) else None
    if not isinstance(defaults, list) or ROOT not in defaults:
        raise ConfigError(
            f"{path}, line 1: it must begin with the pipeline's own configuration, {ROOT}.\nWrite: defaults: [{ROOT}, _self_]"
        )


def search_for_roots(folders: list[Path]) -> None:
    """Let Hydra, which is initialised, look for a root file in more folders, as --config-dir does."""
    from hydra._internal.hydra import Hydra
    from hydra._internal.utils import create_config_search_path
    from hydra.core.config_search_path import SearchPathQuery
    from hydra.core.global_hydra import GlobalHydra

    path = create_config_search_path(str(CONF))
    for folder in folders:
        path.prepend("command-line", f"file://{folder.resolve()}", SearchPathQuery(provider="schema"))
    GlobalHydra.instance().clear()
    Hydra.create_main_hydra2("app", path)
