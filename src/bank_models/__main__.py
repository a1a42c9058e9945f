"""The command `bank-models`: `bank-models train use_case=fraud`, in any folder."""

from __future__ import annotations

import runpy
import sys
from importlib.util import find_spec

from bank_models.errors import ConfigError, unknown
from bank_models.runtime.terminal import for_people

COMMANDS = {
    "init": "start a project in a folder of its own",
    "train": "train a model, or with --multirun many",
    "predict": "score a table",
    "use-cases": "list the use cases, or draft one for a table of your own",
    "runs": "list, show and compare runs",
    "report": "write the page of a run, or of several",
    "scoreboard": "write the page of all use cases",
    "registry": "versions of models: show, promote, roll back, verify",
    "gate": "compare the portfolio with a git revision",
    "resolve": "first stage of DVC",
    "reproduce": "the stages of DVC: all that is out of date",
    "check-extension": "conformity tests of an extension",
}
HELP = "usage: bank-models COMMAND …\n\n{rows}\n\nMore of one: bank-models COMMAND --help"
NOT_INSTALLED = (
    'bank-models {command} needs {package}, which the installation for scoring lacks.\nType: pip install "bank-models[train]"'
)


def main() -> int:
    """Run a command as `python -m` runs its module; give the exit code."""
    command, *sys.argv[1:] = sys.argv[1:] or ["--help"]
    return _run(command)


@for_people
def _run(command: str) -> int:
    if command in ("--help", "-h"):
        print(HELP.format(rows="\n".join(f"  {name:<17}{what}" for name, what in COMMANDS.items())))
        return 0
    if command not in COMMANDS:
        raise ConfigError(unknown("COMMAND", command, COMMANDS))
    if command == "reproduce" and find_spec("dvc") is None:  # which it starts in processes of its own
        raise ConfigError(NOT_INSTALLED.format(command=command, package="dvc"))
    try:
        runpy.run_module(f"bank_models.{command.replace('-', '_')}", run_name="__main__", alter_sys=True)
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package in ("", "bank_models"):
            raise
        raise ConfigError(NOT_INSTALLED.format(command=command, package=package)) from error
    return 0


if __name__ == "__main__":
    sys.exit(main())
