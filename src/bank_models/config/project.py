"""Settings of a project: `project.yaml` in the working directory, which no command can change."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from pydantic import Field, ValidationError

from bank_models.config import CONF
from bank_models.config.secrets import is_variable
from bank_models.config.strict_model import StrictModel
from bank_models.errors import ConfigError
from bank_models.extensions.packages import EXAMPLE, FILE
from bank_models.files import yaml_file

SQLITE = "sqlite:///"
OF_THE_SOURCE = ("conf", "src")


class Project(StrictModel):
    """What holds for every command of a project.

    Attributes
    ----------
    confine : bool
        Refuse every setting that would read or write outside the project, or write into its source: for schedulers and forms
        that pass on settings of people who may not do that.
    config_dir : str, optional
        Folder with use cases and models of the project's own: what `--config-dir` names where it is not typed.
    extensions : list of str
        Installed packages whose models and metrics may be used, each with the version that is needed: see
        `bank_models.extensions.packages`.
    """

    confine: bool = False
    config_dir: str | None = None
    extensions: list[str] = Field(default_factory=list)


def read(root: Path = Path()) -> Project:
    """The settings of the project in a folder; the defaults where there is no file.

    Raises
    ------
    ConfigError
    """
    path = root / FILE
    if not os.path.lexists(path):
        return Project()
    try:
        return Project.model_validate(yaml_file.read(path) or {})
    except ValidationError as error:
        fault = error.errors()[0]
        place = ".".join(map(str, fault["loc"])) or "this"
        raise ConfigError(
            f"{path}: {place} is not a setting of a project. Known: confine: true or false, config_dir: FOLDER, {EXAMPLE}."
        ) from None


def with_config_dir(argv: list[str]) -> list[str]:
    """A command line with the project's own folder of configuration, unless another one is typed."""
    folder = read().config_dir
    is_typed = any(word.partition("=")[0] in ("--config-dir", "-cd") for word in argv)
    return argv if folder is None or is_typed else ["--config-dir", folder, *argv]


def config_dirs(given: str | Path | None = None) -> list[Path]:
    """Folders of configuration: ours, then the one that is given or, without it, the project's own."""
    own = given or read().config_dir
    return [CONF, *([Path(own)] if own else [])]


def confine(places: Mapping[str, str | Path | None], root: Path = Path()) -> None:
    """In a project that is confined, refuse settings that lead out of it, through links too.

    Parameters
    ----------
    places : mapping of str to str, Path or None
        Paths, addresses of databases or names of environment variables that hold one, by setting.
    root : Path
        The project's folder.

    Raises
    ------
    ConfigError
    """
    if not read(root).confine:
        return
    project = root.resolve()
    for setting, place in places.items():
        if place is None or is_address_in_environment(setting, str(place)):
            continue
        path = _path_of(str(place))
        inside = (root / path).resolve() if path is not None else None
        if inside is None or not inside.is_relative_to(project) or _is_source(inside.relative_to(project)):
            raise ConfigError(
                f"{setting}={place} is refused: {FILE} confines this project to its folder, {_what(inside, project)}.\n"
                "Choose a place in it, such as runs/, models/ or data/."
            )


def is_address_in_environment(setting: str, place: str) -> bool:
    """Whether a setting names an environment variable, whose owner chose what it holds."""
    return setting.endswith(".storage") and is_variable(place)


def _path_of(place: str) -> Path | None:
    """The file that a path or an address means; None of an address that is no file."""
    if "://" not in place:
        return Path(place)
    path = place.removeprefix(SQLITE)
    return None if path == place or path.startswith("file:") else Path(path.partition("?")[0])


def _is_source(path: Path) -> bool:
    """Whether a path is that of the project's code or settings, or hidden."""
    return bool(path.parts) and (path.parts[0] in (*OF_THE_SOURCE, FILE) or any(part.startswith(".") for part in path.parts))


def _what(inside: Path | None, project: Path) -> str:
    if inside is None or not inside.is_relative_to(project):
        return "and this is not in it"
    return "and this is its source"
