"""Source locations of settings: file and line, for error messages."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from pathlib import Path

import yaml

from bank_models.config import CONF
from bank_models.errors import ConfigError
from bank_models.files import yaml_file

FIRST_LINE = "# @package _global_"


def own_use_case(overrides: Iterable[str], folders: list[Path]) -> Path | None:
    """The file of the chosen use case, if it is none of ours.

    Parameters
    ----------
    overrides : iterable of str
        As typed.
    folders : list of Path
        Of configuration; the first is ours.
    """
    chosen = _option("use_case", overrides) or _use_case_of_experiment(_option("experiment", overrides), folders)
    paths = [folder / "use_case" / f"{chosen}.yaml" for folder in folders[1:]] if chosen else []
    return next((path for path in paths if path.is_file()), None)


def _option(group: str, overrides: Iterable[str]) -> str | None:
    typed = (text.lstrip("+").partition("=") for text in overrides)
    return next((value.strip("'\"") for key, _, value in reversed(list(typed)) if key == group), None)


def _use_case_of_experiment(experiment: str | None, folders: list[Path]) -> str | None:
    """The use case that an experiment's file chooses."""
    paths = [path for folder in folders if (path := folder / "experiment" / f"{experiment}.yaml").is_file()]
    values = yaml_file.read(paths[0]) if paths else None
    defaults = values.get("defaults") if isinstance(values, dict) else None
    chosen = (one for one in defaults or [] if isinstance(one, dict)) if isinstance(defaults, list) else ()
    return next((str(value) for one in chosen for key, value in one.items() if key == "override /use_case"), None)


def check_use_case(path: Path) -> None:
    """Refuse a file that cannot be a use case, before Hydra puts its parts where nobody looks for them.

    Raises
    ------
    ConfigError
        With file and line.
    """
    text = yaml_file.read_text(path)
    values = yaml_file.read(path)
    if not isinstance(values, dict):
        kind = "nothing" if values is None else f"a {'list' if isinstance(values, list) else 'text'}"
        raise ConfigError(f"{path}, line 1: it must hold settings by name, such as `seed: 42`, but it holds {kind}.")
    if not {"use_case", "defaults"} & set(values):
        near = "\nIndent its facts below use_case:" if {"features", "target", "task"} & set(values) else ""
        raise ConfigError(f"{path}, line 1: it is not a use case, for it names neither use_case nor defaults.{near}")
    if "use_case" in values and not any(line.replace(" ", "") == "#@package_global_" for line in text.splitlines()):
        raise ConfigError(
            f"{path}, line 1: the first line must be {FIRST_LINE}: it lets the file choose options such as the model."
        )
    for name in ("use_case", "data_source"):
        if name in values and not isinstance(values[name], dict):
            line = line_of(path, name)
            raise ConfigError(f"{path}, line {line}: {name} must hold settings by name, indented below it.")


def finder(path: Path | None, overrides: Iterable[str]) -> Callable[[str], str]:
    """What says where a dotted setting stands: "file, line 7: ", or nothing if it was typed or is not in the file."""
    keys = [text.partition("=")[0].lstrip("+~") for text in overrides]
    typed = [
        key for key in keys if "." in key or not (CONF / key).is_dir()
    ]  # an option of a group says nothing of its settings

    def where(setting: str) -> str:
        if path is None or any(f"{setting}.".startswith(f"{one}.") for one in typed):
            return ""
        line = line_of(path, setting)
        return f"{path}, line {line}: " if line else ""

    return where


def line_of(path: Path, setting: str) -> int | None:
    """The line of a dotted setting, or of the nearest one above it that the file has."""
    try:
        node = yaml_file.nodes(path, yaml_file.read_text(path))
    except (yaml.YAMLError, ConfigError, RecursionError, ValueError):
        return None
    line, rest = None, setting
    while isinstance(node, yaml.MappingNode | yaml.SequenceNode) and rest:
        if isinstance(node, yaml.SequenceNode):
            place, _, rest = rest.partition(".")
            if not place.isdigit() or int(place) >= len(node.value):
                return line
            node = node.value[int(place)]
            line = node.start_mark.line + 1
            continue
        keys = {key.value: (key, value) for key, value in node.value if isinstance(key, yaml.ScalarNode)}
        name = max((key for key in keys if f"{rest}.".startswith(f"{key}.")), key=len, default=None)  # a name may hold dots
        if name is None:
            return line
        key, node = keys[name]
        line, rest = key.start_mark.line + 1, rest[len(name) + 1 :]
    return line


def line_with(path: Path | None, option: str) -> str:
    """Where a file names an option of a group: "file, line 4: ", or nothing."""
    if path is None:
        return ""
    pattern = re.compile(rf":\s*[\"']?{re.escape(option)}[\"']?\s*(#.*)?$")
    lines = enumerate(yaml_file.read_text(path).splitlines(), 1)
    return next((f"{path}, line {number}: " for number, text in lines if pattern.search(text)), "")
