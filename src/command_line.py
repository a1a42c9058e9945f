"""The order of an entry: look at the arguments, compose, check, and only then let Hydra run the job.

Hydra imports what a configuration names (callbacks, logging handlers, `_target_`) before the job's first line, and makes
its folder too. So what could do harm is refused while it is still text, and what is merely wrong is refused before
Hydra has made anything.
"""

from __future__ import annotations

import os
import re
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from src.errors import ConfigError, TrainingError

if TYPE_CHECKING:
    from hydra.types import TaskFunction
    from omegaconf import DictConfig

CONF = Path(__file__).resolve().parents[1] / "conf"
COMPLETION = Path(__file__).with_name("completion.bash")
NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
FORBIDDEN = {
    "_target_": "names code to run",
    "hydra.callbacks": "names code to run",
    "hydra.job_logging": "names code to run",
    "hydra.hydra_logging": "names code to run",
    "hydra.searchpath": "brings in configuration from elsewhere; use --config-dir",
    "oc.env": "would write an environment variable into saved files",
}
PACKAGES_HYDRA_MAY_IMPORT = ("hydra.", "hydra_plugins.", "optuna.", "logging.", "colorlog.")
INTERRUPTED = 130  # 128 + SIGINT, as a shell reports it


def run(task: TaskFunction, argv: list[str], help_text: str) -> int:
    """Run a Hydra job for people: clear refusals, and the exit codes that a scheduler can rely on.

    Parameters
    ----------
    task : callable
        Takes the composed configuration.
    argv : list of str
        The command line after the program's name.
    help_text : str
        What `--help` prints above the list of groups.

    Returns
    -------
    int
        0 good, 1 run failed, 2 bad configuration or input, 4 integrity check failed, 130 interrupted, 143 terminated.
    """
    signal.signal(signal.SIGTERM, _stop)
    try:
        if {"--help", "-h"} & set(argv):
            print(help_text + "\n\n" + groups_text(_config_dirs(argv)))
            return 0
        if argv in (["--shell-completion", "install=bash"], ["-sc", "install=bash"]):
            print(COMPLETION.read_text(), end="")
            return 0
        refuse_code(argv)
        overrides = _compose_and_check(argv)
        flags = [argument for argument in argv if argument not in overrides]
        return _hand_over(task, [*flags, *overrides])
    except TrainingError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("Interrupted: nothing was written, an earlier result is as it was.", file=sys.stderr)
        return INTERRUPTED


def _stop(signal_number, frame):
    """Unwind, so that whatever is being written is taken back."""
    sys.exit(128 + signal_number)


def usable_cores() -> int:
    """Cores that this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def refuse_code(argv: list[str]) -> None:
    """Refuse arguments that could run code, read secrets or leave the folders a run may write to.

    Raises
    ------
    ConfigError
    """
    for argument in argv:
        for text, reason in FORBIDDEN.items():
            if text in argument:
                raise ConfigError(f"{argument!r} is refused: {text} {reason}.")


def options(config_dirs: list[Path]) -> dict[str, list[str]]:
    """Options of every config group, by group: {"model": ["lightgbm", "xgboost"], …}."""
    found: dict[str, set[str]] = {}
    for folder in config_dirs:
        for path in folder.glob("*/*.yaml"):
            found.setdefault(path.parent.name, set()).add(path.stem)
    return {group: sorted(names) for group, names in sorted(found.items()) if group not in ("hydra", "tuned")}


def groups_text(config_dirs: list[Path]) -> str:
    """The groups and their options, as `--help` shows them."""
    import textwrap

    rows = [
        textwrap.fill(", ".join(names), 100, initial_indent=f"  {group:<16}", subsequent_indent=" " * 18)
        for group, names in options(config_dirs).items()
    ]
    return "Groups (group=option):\n" + "\n".join(rows)


def _config_dirs(argv: list[str]) -> list[Path]:
    for position, argument in enumerate(argv):
        flag, _, value = argument.partition("=")
        if flag in ("--config-dir", "-cd"):
            value = value or (argv[position + 1] if position + 1 < len(argv) else "")
            if not Path(value).is_dir():
                raise ConfigError(f"--config-dir {value} is not a folder. Give the folder that holds use_case/, model/, …")
            return [CONF, Path(value)]
    return [CONF]


def _compose_and_check(argv: list[str]) -> list[str]:
    """Compose the job (of a sweep: its first one) as Hydra will, and refuse it before Hydra starts; give its overrides."""
    from hydra._internal.utils import get_args_parser
    from hydra.errors import HydraException, OverrideParseException

    parser = get_args_parser()
    parser.error = _refuse_flag
    args = parser.parse_intermixed_args(argv)
    if args.config_path is not None or args.config_name is not None:
        raise ConfigError("--config-path and --config-name would replace the pipeline's own configuration: use --config-dir")
    if sum(map(bool, (args.run, args.multirun, args.cfg, args.info, args.shell_completion))) > 1:
        raise ConfigError("Only one of --run, --multirun, --cfg, --info and --shell-completion can be given")
    if args.shell_completion or args.hydra_help:
        return args.overrides
    config_dirs = _config_dirs(argv)
    try:
        overrides = _first_job(args.overrides, options(config_dirs))
        cfg = _compose(overrides, config_dirs)
    except OverrideParseException as error:
        raise ConfigError(
            f"{error.override!r} cannot be read: {str(error).splitlines()[0]}.\n"
            "A setting is written key=value; quote a value with special characters: 'key=\"a, b\"'"
        ) from error
    except HydraException as error:
        raise ConfigError(_explain(error, args.overrides, config_dirs)) from error
    for key, value in _leaves(cfg):
        _refuse_import(key, value)

    from omegaconf import open_dict

    from src import config

    with open_dict(cfg):
        del cfg["hydra"]
    config.read(cfg)
    return args.overrides


def _refuse_flag(message: str) -> None:
    raise ConfigError(f"{message}.\nA setting is written key=value; to see them: python -m src.train --help")


def _first_job(texts: list[str], groups: dict[str, list[str]]) -> list[str]:
    """Overrides of the first job, every chosen option checked by name."""
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.core.override_parser.types import ChoiceSweep

    first = []
    for text, override in zip(texts, OverridesParser.create().parse_overrides(texts), strict=True):
        value = override.value()
        if not override.is_sweep_override():
            if override.key_or_group in groups and not override.is_delete():
                _check_option(override.key_or_group, value, groups)
            first.append(text)
        elif isinstance(value, ChoiceSweep):
            if override.key_or_group in groups:
                for choice in value.list:
                    _check_option(override.key_or_group, choice, groups)
            first.append(f"{override.get_key_element()}={override._get_value_element_as_str(value.list[0])}")
    return first


def _check_option(group: str, option: Any, groups: dict[str, list[str]]) -> None:
    from src.config import unknown

    if not isinstance(option, str) or not NAME.fullmatch(option):
        raise ConfigError(
            f"{group}={option!r} is not a name: names match {NAME.pattern} in full.\nTo list them: python -m src.train --help"
        )
    if option not in groups[group]:
        raise ConfigError(unknown(group, option, groups[group]))


def _compose(overrides: list[str], config_dirs: list[Path]) -> DictConfig:
    from hydra import compose, initialize_config_dir

    search = [f"hydra.searchpath=[{','.join(f'file://{folder.resolve()}' for folder in config_dirs[1:])}]"]
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return compose("config", overrides=overrides + (search if config_dirs[1:] else []), return_hydra_config=True)


def _explain(error: Exception, overrides: list[str], config_dirs: list[Path]) -> str:
    """What was mistyped, and what was probably meant."""
    from hydra.errors import HydraException

    from src.config import unknown

    key = re.search(r"Could not (?:override|append|delete)[^']*'([^'@]+)", str(error))
    if key:
        groups = options(config_dirs)
        chosen = [text for text in overrides if text.partition("=")[0].lstrip("+~") in groups]
        try:
            known = [place for place, _ in _leaves(_compose(chosen, config_dirs)) if not place.startswith("hydra.")]
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
    """Configuration files may not name code either, except Hydra's own and its plugins'."""
    names_code = key.endswith(("._target_", ".()", ".class")) or key == "_target_"
    if names_code and not str(value).startswith(PACKAGES_HYDRA_MAY_IMPORT):
        raise ConfigError(f"{key}={value} is refused: a configuration may not name code to run.")
    if isinstance(value, str) and "oc.env" in value:
        raise ConfigError(f"{key}={value} is refused: it would write an environment variable into saved files.")


def _hand_over(task: TaskFunction, argv: list[str]) -> int:
    import hydra

    sys.argv[1:] = argv  # where Hydra looks; flags first, because its parser takes none between two settings
    os.environ["HYDRA_FULL_ERROR"] = "1"  # Hydra then raises what a job raised, instead of printing it and exiting with 1
    hydra.main(version_base="1.3", config_path=str(CONF), config_name="config")(_quiet_in_single_runs(task))()
    return 0


def _quiet_in_single_runs(task: Callable) -> TaskFunction:
    """Keep Hydra from adding "Error executing job with overrides" above a message meant for a person."""
    from functools import wraps

    @wraps(task)
    def job(cfg: DictConfig) -> float:
        from hydra.core.hydra_config import HydraConfig
        from hydra.types import RunMode

        try:
            return task(cfg)
        except TrainingError as error:
            if HydraConfig.get().mode is RunMode.MULTIRUN:
                raise
            print(error, file=sys.stderr)
            sys.exit(error.exit_code)

    return job
