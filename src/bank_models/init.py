"""Start a project: `bank-models init loans` makes a folder with a use case, a table, a test and what runs them."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from bank_models.commands import as_typed, is_in_checkout
from bank_models.config import CONF
from bank_models.errors import ConfigError, at_most
from bank_models.runtime.terminal import for_people

TEMPLATE = CONF.with_name("template")
PACKAGE = "bank-models"
HELP = """\
Start a project of your own: my_conf/ with a use case, data/ with a small table, tests/, Makefile, dvc.yaml and CI.

  python -m src.init            in this folder
  python -m src.init loans      in the folder loans, which is made if it is not there

Nothing is overwritten."""
FIRST = "A project needs the package, not a checkout: docs/how-to/install-the-package.md says how.\n"


@for_people
def main(argv: list[str]) -> int:
    """Write the files of a new project; give the exit code."""
    parser = argparse.ArgumentParser(
        prog=as_typed("python -m src.init"), description=as_typed(HELP), formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", nargs="?", type=Path, default=Path())
    folder = parser.parse_args(argv).folder
    for name in start(folder):
        print(os.path.relpath(folder / name))
    there = "" if folder == Path() else f"cd {os.path.relpath(folder)} && "
    print(f"{FIRST if is_in_checkout() else ''}To train: {there}make train")
    return 0


def start(folder: Path) -> list[str]:
    """Write a new project into a folder.

    Parameters
    ----------
    folder : Path
        Made if it is not there.

    Returns
    -------
    list of str
        The files, as the folder names them.

    Raises
    ------
    ConfigError
        If one of them is there already: nothing is written then.
    """
    files = dict(_files())
    if there := [name for name in files if os.path.lexists(folder / name)]:
        raise ConfigError(
            at_most(1, [f"{folder / name} is there already" for name in there], "files")
            + "\nA project starts in a folder that has none of its files: give another one, such as init loans."
        )
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    return list(files)


def _files() -> Iterator[tuple[str, str]]:
    yield "requirements.txt", f"{PACKAGE}[train]{_pin()}\npytest\n"
    for path in sorted(path for path in TEMPLATE.rglob("*") if path.is_file() and "__pycache__" not in path.parts):
        yield path.relative_to(TEMPLATE).as_posix(), path.read_text(encoding="utf-8")


def _pin() -> str:
    """The version that is installed; nothing in a checkout, which is none."""
    try:
        return f"=={version(PACKAGE)}"
    except PackageNotFoundError:
        return ""


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
