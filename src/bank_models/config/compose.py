"""Composition of jobs, before Hydra starts: the same result as Hydra's, with errors explained."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bank_models.commands import is_in_checkout
from bank_models.config import CONF, hydra_node, interpolations, mistyped, places, project, secrets
from bank_models.config.root_file import NAME, ROOT, search_for_roots
from bank_models.errors import ConfigError, ForbiddenError, unknown
from bank_models.files import yaml_file

if TYPE_CHECKING:
    from hydra.core.override_parser.types import Override
    from omegaconf import DictConfig

    from bank_models.config.schema import TrainingConfig

FILES = ("*.yaml", "*/*.yaml", "hydra/*/*.yaml", "hydra/*/*/*.yaml")  # of a folder of configuration


def options(config_dirs: list[Path]) -> dict[str, list[str]]:
    """Options of every config group, by group: {"model": ["lightgbm", "xgboost"], …}."""
    found: dict[str, set[str]] = {}
    for folder in config_dirs:
        for path in folder.glob("*/*.yaml"):
            found.setdefault(path.parent.name, set()).add(path.stem)
    return {group: sorted(names) for group, names in sorted(found.items()) if group not in ("hydra", "tuned")}


def implied(texts: list[str]) -> list[str]:
    """Overrides that others mean: a budget is for tuning=auto, and tuning=auto is for model=ensemble."""
    typed = {text.partition("=")[0].lstrip("+~"): text.partition("=")[2] for text in texts}
    found = []
    if typed.get("budget", "null") != "null" and "tuning" not in typed:
        found.append("tuning=auto")
    if (found or typed.get("tuning") == "auto") and "model" not in typed:
        found.append("model=ensemble")
    return found


def parse(texts: list[str], config_dirs: list[Path]) -> list[Override]:
    """Read overrides as Hydra does, refuse what none may hold, and check every option of a group that they name.

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
    for override, typed in zip(overrides, texts, strict=True):
        hydra_node.check_override(override, typed)
        if override.is_sweep_override() and override.key_or_group.partition(".")[0] == "hydra":
            key, _, value = typed.partition("=")
            raise ConfigError(f"{key} is one setting for the whole sweep. To give it this text, quote it: '{key}=\"{value}\"'")
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
    if not isinstance(option, str) or not NAME.fullmatch(option):
        raise ConfigError(
            f"{group}={option!r} is not a name: names match {NAME.pattern} in full.\nTo list them: python -m src.train --help"
        )
    if option not in groups[group]:
        raise ConfigError(unknown(group, option, groups[group]))


@contextlib.contextmanager
def composer(config_dirs: list[Path], root: str = ROOT) -> Iterator[Callable[[list[str]], DictConfig]]:
    """Give a function that composes overrides, Hydra's own part of the configuration included.

    Parameters
    ----------
    config_dirs : list of Path
        Folders of configuration; the first is ours.
    root : str
        Name of the file where composition begins: ours, or one of a later folder that begins with ours.

    Raises
    ------
    ConfigError
        If a folder holds what no configuration may.
    """
    from hydra import compose, initialize_config_dir

    for folder in config_dirs[1:]:
        _check_files(folder)
    with initialize_config_dir(str(CONF), version_base="1.3"):
        if root != ROOT:
            search_for_roots(config_dirs[1:])
        yield lambda overrides: compose(root, overrides=overrides + _search(config_dirs), return_hydra_config=True)


def _check_files(folder: Path) -> None:
    """Look at what Hydra resolves and unfolds while it composes: the defaults lists and the aliases of somebody's files."""
    import yaml

    for path in sorted(path for pattern in FILES for path in folder.glob(pattern)):
        text = yaml_file.read_text(path)
        try:
            root = yaml_file.nodes(path, text)
        except (yaml.YAMLError, RecursionError, ValueError):
            continue  # said with its line where the file is used
        yaml_file.check_size(path, root)
        if root is not None and not isinstance(root, yaml.MappingNode):
            raise ConfigError(f"{path} must hold settings by name, such as `seed: 42`, but it holds a {root.id}.")
        defaults = (yaml.load(text, yaml_file.LOADER) or {}).get("defaults") if "${" in text else None
        for one in interpolations.strings(defaults):
            interpolations.check(one, f"{path}: defaults")


def _search(config_dirs: list[Path]) -> list[str]:
    return [f"hydra.searchpath=[{','.join(map(quoted, _sources(config_dirs)))}]"] if config_dirs[1:] else []


def _sources(config_dirs: list[Path]) -> list[str]:
    return [f"file://{folder.resolve()}" for folder in config_dirs[1:]]


def quoted(text: str) -> str:
    """A text as a value of Hydra's grammar that means just this text."""
    from hydra.core.override_parser.types import Quote, QuotedString

    return QuotedString(text, Quote.single).with_quotes()


def compose_job(compose: Callable[[list[str]], DictConfig], overrides: list[str], config_dirs: list[Path]) -> DictConfig:
    """Compose one job.

    Raises
    ------
    ConfigError
        If it cannot be composed, or names code.
    """
    import yaml
    from hydra.errors import HydraException
    from omegaconf.errors import OmegaConfBaseException

    if own := places.own_use_case(overrides, config_dirs):
        places.check_use_case(own)
    try:
        cfg = compose(overrides)
    except HydraException as error:
        raise ConfigError(mistyped.explained(error, compose, overrides, config_dirs, options(config_dirs))) from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        raise yaml_file.fault(mark.name if mark else "A configuration file", error) from error
    except (
        OmegaConfBaseException,
        ArithmeticError,
        AttributeError,
        LookupError,
        RecursionError,
        TypeError,
        ValueError,
    ) as error:
        said = next(iter(str(error).splitlines()), type(error).__name__)
        raise ConfigError(f"The configuration cannot be composed: {said}") from error
    for key, value in _leaves(cfg):
        _check_leaf(key, value)
    if config_dirs[1:] or any("hydra" in text for text in overrides):  # else nobody but our own files had a say
        hydra_node.check(cfg, overrides + _search(config_dirs), _sources(config_dirs))
    if config_dirs[1:]:
        _check_folders(cfg, overrides)
    return cfg


def _check_folders(cfg: DictConfig, overrides: list[str]) -> None:
    """Refuse a run folder outside this one that a file names: what stands at a run folder is replaced, so a person types it."""
    keys = {text.partition("=")[0].lstrip("+") for text in overrides}
    for setting in ("hydra.run.dir", "hydra.sweep.dir"):
        if keys & {setting, setting.removesuffix(".dir")}:
            continue
        try:
            chosen = resolved_path(cfg, setting)
        except ForbiddenError:
            raise
        except ConfigError:  # what is missing is said by whoever needs the folder
            continue
        if not Path(chosen).resolve().is_relative_to(Path.cwd().resolve()):
            raise ForbiddenError(
                f"{setting}={chosen} is refused: a file may only name a folder below the one where the command is typed.\n"
                f"If you mean it, type {setting}=… on the command line."
            )


def check_job(cfg: DictConfig) -> TrainingConfig:
    """Check the pipeline's part of a composed job, and where it reads and writes.

    Raises
    ------
    ConfigError
    """
    from hydra.core.hydra_config import HydraConfig
    from omegaconf import OmegaConf

    from bank_models.config import settings as config

    HydraConfig.instance().set_config(cfg)  # so that ${hydra:job.name} can be read, as in the job itself
    OmegaConf.set_readonly(cfg.hydra, False)  # as it was before Hydra took it
    overrides = OmegaConf.to_container(cfg.hydra.overrides.task, resolve=False)
    folders = config.config_dirs_of(cfg.hydra)
    where = places.finder(places.own_use_case(overrides, folders), overrides)
    checked = config.read(without_hydra(cfg), where, overrides, folders)
    project.confine(_places(checked, cfg))
    if checked.save_tuned:
        _check_place_of_found(folders)
    return checked


def _check_place_of_found(folders: list[Path]) -> None:
    """What a search has found is kept in one's own folder of configuration, or in that of a checkout; never in the package."""
    if len(folders) == 1 and not is_in_checkout():
        raise ConfigError(
            "save_tuned=true keeps what was found beside your own use cases, but you named no folder for these.\n"
            "Type --config-dir my_conf, or write config_dir: my_conf into project.yaml."
        )


def _places(config: TrainingConfig, cfg: DictConfig) -> dict[str, str | None]:
    """Settings that say where to read or to write."""
    query = config.data_source.query
    return {
        "data_source.path": config.data_source.path,
        "data_source.query": query if query and query.endswith(".sql") else None,
        "registry.path": config.registry.path,
        "tracking.path": config.tracking.path,
        "tracking.experiments": config.tracking.experiments,
        "tuning.storage": config.tuning.storage,
        "hydra.run.dir": run_dir(cfg),
        "hydra.launcher.temp_folder": cfg.hydra.launcher.get("temp_folder"),
        "hydra.sweeper.storage": cfg.hydra.sweeper.get("storage"),
    }


def run_dir(cfg: DictConfig) -> str:
    """Where a single run of a composed job goes: see `resolved_path`."""
    return resolved_path(cfg, "hydra.run.dir")


def resolved_path(cfg: DictConfig, setting: str) -> str:
    """A folder of Hydra's node.

    Raises
    ------
    ConfigError
        If it cannot be told, or would mean something else once it is read again.
    """
    from hydra.core.hydra_config import HydraConfig
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    HydraConfig.instance().set_config(cfg)
    try:
        chosen = str(OmegaConf.select(cfg, setting, throw_on_missing=True))
    except (OmegaConfBaseException, RecursionError, ValueError) as error:
        raise ConfigError(f"{setting} cannot be resolved. One looks like runs/${{use_case.key}}/trial") from error
    finally:
        OmegaConf.set_readonly(cfg.hydra, False)  # as it was before Hydra took it
    return plain_path(setting, chosen)


def plain_path(setting: str, path: str) -> str:
    """A path that holds no interpolation: what is left of one after the first reading would be called by the second.

    Raises
    ------
    ForbiddenError
    """
    if "${" in path or "\0" in path:
        raise ForbiddenError(f"{setting} is refused: a path may not hold ${{ after it was resolved, nor a NUL.")
    return path


def without_hydra(cfg: DictConfig) -> DictConfig:
    """The pipeline's part of a configuration."""
    from omegaconf import OmegaConf

    return OmegaConf.masked_copy(cfg, [key for key in cfg if key != "hydra"])


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


def _check_leaf(key: str, value: Any) -> None:
    """No file may name code either, except Hydra's own node, which is looked at apart; nor hold a password or read a secret."""
    if not key.startswith("hydra.") and key.rpartition(".")[2] in hydra_node.CODE:
        raise ForbiddenError(f"{key}={value} is refused: a configuration may not name code to run.")
    if secrets.would_be_saved(key, value):
        raise ForbiddenError(secrets.NAME_IT.format(key))
    if isinstance(value, str):
        interpolations.check(value, key)
