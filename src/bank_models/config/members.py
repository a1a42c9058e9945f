"""Members of an ensemble: models by name, ours and those of a project's own folder."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from pydantic import ValidationError

from bank_models.config.schema import OPTIONAL, Model
from bank_models.errors import ConfigError, unknown
from bank_models.files import yaml_file
from bank_models.models.estimators import EXTRAS, is_installed


def members(model: Model, task: str, config_dirs: Iterable[Path]) -> dict[str, Model]:
    """The models that an ensemble averages, as their files describe them; of the optional ones those that are installed.

    Raises
    ------
    ConfigError
        If one is not known, does not fit the task, averages models itself, or is no whole file.
    """
    listed = model.members.get(task, [])
    named = [name.removeprefix(OPTIONAL) for name in listed]
    paths = {path.stem: path for folder in config_dirs for path in sorted(folder.glob("model/*.yaml"))} if named else {}
    fits = [name for name, path in paths.items() if name != model.name and _fits(path, task)]
    if lacking := [name for name in named if name not in fits]:
        raise ConfigError(unknown(f"model.members.{task}", lacking[0], fits))
    found = {name: _read(paths[name]) for name in dict.fromkeys(named)}
    return {name: one for name, one in found.items() if name in listed or is_installed(one.estimator[task])}


def note_on_optional(model: Model, task: str, taken: Iterable[str]) -> list[str]:
    """A sentence on optional members that are not installed, if there are some."""
    lacking = [name.removeprefix(OPTIONAL) for name in model.members.get(task, []) if name.startswith(OPTIONAL)]
    lacking = [name for name in lacking if name not in taken]
    if not lacking:
        return []
    advice = f": make setup EXTRAS={' '.join(lacking)}" if set(lacking) <= set(EXTRAS) else ""
    return [f"The average has no {' and no '.join(lacking)}, which is not installed{advice}."]


def _fits(path: Path, task: str) -> bool:
    facts = yaml_file.read(path)
    return isinstance(facts, dict) and task in (facts.get("estimator") or {}) and not facts.get("members")


def _read(path: Path) -> Model:
    facts = yaml_file.read(path)
    others = [one for one in facts.pop("defaults", []) if isinstance(one, str) and one != "_self_"]
    if others:
        raise ConfigError(f"{path} takes settings from {others[0]}: a model that an ensemble averages stands in one file.")
    try:
        return Model.model_validate(facts)
    except ValidationError as error:
        fault = error.errors()[0]
        place = ".".join(map(str, fault["loc"]))
        raise ConfigError(f"{path}: {place}: {fault['msg'].removeprefix('Value error, ')}") from None
