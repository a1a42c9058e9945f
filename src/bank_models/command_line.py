"""Command line of a training: check the arguments, compose the settings, check them, then let Hydra run the job.

Hydra imports what a configuration names (callbacks, logging handlers, `_target_`) before the job's first line, and makes
its folder too. So what could do harm, and what is merely wrong, is refused before Hydra starts: `bank_models.config.hydra_node`
says which of its settings may be changed, `bank_models.config.interpolations` which functions a text may call.
"""

from __future__ import annotations

import os
import signal
import sys
from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from bank_models.commands import as_typed
from bank_models.config import project, secrets
from bank_models.config.compose import CONF, check_job, compose_job, composer, implied, options, parse
from bank_models.config.root_file import ROOT, check_root
from bank_models.errors import ConfigError
from bank_models.extensions import packages
from bank_models.runtime.interrupt import answering
from bank_models.runtime.terminal import answer, complain, for_people, leaving, say_last

if TYPE_CHECKING:
    from hydra.types import TaskFunction

INTERRUPTED = "Interrupted: no result was written, an earlier one is as it was."
TRIALS_ARE_KEPT = "The trials that had finished are kept: the same command goes on from there."
COMPLETION = Path(__file__).parent / "runtime" / "completion.bash"


@for_people
def run(task: TaskFunction, argv: list[str], help_text: str) -> int:
    """Run a Hydra job, or with `--multirun` any number of them, for people: clear refusals, dependable exit codes.

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
        0 good, 1 run failed, 2 bad configuration or input, 4 integrity check failed, 5 some jobs of a sweep failed,
        130 interrupted, 143 terminated.
    """
    argv = project.with_config_dir(argv)
    try:
        with leaving(_unwind) if is_sweep(argv) else answering(_leave):
            return _run(task, argv, help_text)
    except KeyboardInterrupt:
        complain(INTERRUPTED)
        return 128 + signal.SIGINT  # as a shell reports it


def _run(task: TaskFunction, argv: list[str], help_text: str) -> int:
    args = _read_arguments(argv)
    config_dirs = _config_dirs(args)
    if args.help:
        print(as_typed(help_text) + "\n\n" + groups_text(config_dirs))
        return 0
    if args.shell_completion and args.overrides == ["install=bash"]:
        print(COMPLETION.read_text(encoding="utf-8"), end="")
        return 0
    refuse_passwords(argv)
    argv = [*argv, *implied(args.overrides)]
    overrides = _compose_and_check(argv)
    flags = [argument for argument in argv if argument not in overrides]
    if args.multirun and args.cfg:
        from bank_models.sweeps.preview import preview

        return preview(overrides, config_dirs, args.config_name or ROOT, args.resolve)
    if is_sweep(argv):
        from bank_models.sweeps.sweep import sweep

        return sweep(task, overrides, flags, config_dirs, hand_over, args.config_name or ROOT)
    return hand_over(_quietly(task), [*flags, *overrides])


def _leave(number: int) -> None:
    """Say the last word of a single run, with nothing half-written left; the process ends at once.

    An exception would have to find its way out of compiled code: raised inside a callback of XGBoost it came out as another
    error, or the process crashed.
    """
    if folders := sys.modules.get("bank_models.files.folders"):
        folders.abandon()
    trials = sys.modules.get("bank_models.tuning.storage")
    say_last(f"{INTERRUPTED}\n{TRIALS_ARE_KEPT}" if trials and trials.STORED_IN else INTERRUPTED)


def _unwind(number: int, frame) -> None:
    """Let a sweep end its jobs first."""
    if number == signal.SIGINT:
        raise KeyboardInterrupt
    sys.exit(128 + number)


def refuse_passwords(argv: list[str]) -> None:
    """Refuse addresses with a password, and values where the name of an environment variable belongs: both would be saved.

    Raises
    ------
    ConfigError
    """
    for argument in argv:
        key, _, value = argument.partition("=")
        if secrets.holds_password(argument) or secrets.would_be_saved(key.lstrip("+"), value):
            raise ConfigError(secrets.NAME_IT.format("A setting" if secrets.holds_password(key) else key))


def groups_text(config_dirs: list[Path]) -> str:
    """The groups and their options, as `--help` shows them."""
    import textwrap

    rows = [
        textwrap.fill(", ".join(names), 100, initial_indent=f"  {group:<16}", subsequent_indent=" " * 18)
        for group, names in options(config_dirs).items()
    ]
    return "Groups (group=option):\n" + "\n".join(rows) + _extensions_text()


def _extensions_text() -> str:
    """What the project's extensions add, as `--help` shows it; nothing of them is imported."""
    rows = [
        f"  {one.name} {one.version}: {', '.join(name for group in one.entries.values() for name in group)}"
        for one in packages.enabled()
    ]
    return "\n\nExtensions (project.yaml):\n" + "\n".join(rows) if rows else ""


def _config_dirs(args: Namespace) -> list[Path]:
    if args.config_dir is None:
        return [CONF]
    folder = Path(args.config_dir)
    if not folder.is_dir():
        raise ConfigError(f"--config-dir {folder} is not a folder. Give the folder that holds use_case/, model/, …")
    project.confine({"--config-dir": folder})
    return [CONF, folder]


def _read_arguments(argv: list[str]) -> Namespace:
    from hydra._internal.utils import get_args_parser

    parser = get_args_parser()
    parser.error = _refuse_flag
    return parser.parse_intermixed_args(argv)


def is_sweep(argv: list[str]) -> bool:
    """Whether Hydra is asked for several jobs, by the flag or by hydra.mode."""
    args = _read_arguments(argv)
    modes = [
        text.partition("=")[2].strip("'\"") for text in args.overrides if text.partition("=")[0].lstrip("+") == "hydra.mode"
    ]
    return args.multirun or modes[-1:] == ["MULTIRUN"]


def _compose_and_check(argv: list[str]) -> list[str]:
    """Check the arguments, compose a single job as Hydra will, and refuse it before Hydra starts; give its overrides."""
    args = _read_arguments(argv)
    config_dirs = _config_dirs(args)
    if args.config_path is not None:
        raise ConfigError("--config-path would replace the pipeline's own configuration: use --config-dir")
    if args.config_name is not None:
        check_root(args.config_name, config_dirs)
    if args.experimental_rerun is not None:
        raise ConfigError("--experimental-rerun would open a pickle: type the command again instead")
    shows_sweep = args.multirun and args.cfg == "job" and not args.package
    if sum(map(bool, (args.run, args.multirun, args.cfg, args.info, args.shell_completion))) > 1 + shows_sweep:
        raise ConfigError("Only one of --run, --multirun, --cfg, --info and --shell-completion can be given")
    if args.cfg in ("hydra", "all") and args.resolve:
        raise ConfigError(
            f"--cfg {args.cfg} --resolve cannot be shown: Hydra's own node refers to what is known only once a job runs.\n"
            f"Type --cfg job --resolve, or --cfg {args.cfg} without --resolve."
        )
    overrides = parse(args.overrides, config_dirs)
    if args.shell_completion or args.multirun or is_sweep(args.overrides):
        return args.overrides
    for override in overrides:
        key, value = override.key_or_group, override.value()
        if override.is_sweep_override():
            raise ConfigError(f"{override.input_line} is for several jobs: add --multirun")
        if key == "resume" and value is True:
            raise ConfigError(
                "resume=true continues a sweep: add --multirun. A single run starts anew, and replaces the earlier one."
            )
    with composer(config_dirs, args.config_name or ROOT) as compose:
        cfg = compose_job(compose, args.overrides, config_dirs)
        if cfg.hydra.mode is not None and cfg.hydra.mode.name == "MULTIRUN":
            raise ConfigError("hydra.mode=MULTIRUN is for the command line: leave it out of the file, and type --multirun")
        check_job(cfg)
    return args.overrides


def _refuse_flag(message: str) -> None:
    raise ConfigError(f"{message}.\nA setting is written key=value; to see them: python -m src.train --help")


def hand_over(job: TaskFunction, argv: list[str]) -> int:
    """Let Hydra run what was checked."""
    import hydra

    sys.argv[1:] = argv  # where Hydra looks; flags first, because its parser takes none between two settings
    if any("output_subdir" in argument for argument in argv):  # the run itself writes this folder, with all the others
        sys.argv.append("hydra.output_subdir=null")
    os.environ["HYDRA_FULL_ERROR"] = "1"  # Hydra then raises what a job raised, instead of printing it and exiting with 1
    hydra.main(version_base="1.3", config_path=str(CONF), config_name=ROOT)(job)()
    return 0


def _quietly(task: TaskFunction) -> TaskFunction:
    """Keep Hydra from adding "Error executing job with overrides" above a message meant for a person."""
    from functools import wraps

    @wraps(task)
    def job(cfg):
        try:
            return task(cfg)
        except Exception as error:
            if (code := answer(error)) is None:
                raise
            sys.exit(code)

    return job
