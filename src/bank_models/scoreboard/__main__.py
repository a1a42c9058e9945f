"""The scoreboard: `python -m src.scoreboard`."""

from __future__ import annotations

import argparse
import os
import re
import signal
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

from bank_models.commands import as_typed
from bank_models.errors import ConfigError
from bank_models.runtime.terminal import for_people

HELP = """\
One page for the portfolio: every use case, its best model, how far that is above the baseline, what speaks against it, and
which version is in production.

  python -m src.scoreboard                                of runs/ and portfolio/, written to runs/scoreboard.html
  python -m src.scoreboard --sweep multirun/DATE/TIME     of a sweep, written into its folder
  python -m src.scoreboard --json                         print JSON, write nothing

The page is a file that any browser opens, and links to the reports beside it. To show its folder on this machine:
  python -m http.server --bind 127.0.0.1 --directory runs"""
WITHOUT_SERVER = """\
{flag} is no longer known: the page is a file. Write it with python -m src.scoreboard, and open it in a browser.
To show the folder on this machine: python -m http.server --bind 127.0.0.1 --directory runs"""
WHERE = (Path("runs"), Path("portfolio"))
REGISTRY = Path("models")
NAME = "scoreboard"
COMPARISONS, MOST_COMPARED = "comparisons", 6


@for_people
def main(argv: list[str]) -> int:
    """Do what the command line says; give the exit code: 0 good, 2 bad input."""
    return _run(_parser().parse_args(argv))


class _Parser(argparse.ArgumentParser):
    """A parser that answers a mistake in a sentence instead of with all its options."""

    def error(self, message: str) -> None:
        if gone := re.search(r"--(serve|port)\b", message):
            raise ConfigError(WITHOUT_SERVER.format(flag=gone[0]))
        raise ConfigError(f"{message}.\nTo see how: python -m src.scoreboard --help")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog=as_typed("python -m src.scoreboard"), usage="%(prog)s [--runs DIR … | --sweep DIR] [option …]",
        description=as_typed(HELP), formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    source = parser.add_mutually_exclusive_group()
    source.add_argument("--runs", type=Path, nargs="+", metavar="DIR", help="where run folders are (runs portfolio)")
    source.add_argument("--sweep", type=Path, metavar="DIR", help="the folder of a sweep")
    parser.add_argument("--registry", type=Path, metavar="DIR", help=f"where the versions are ({REGISTRY})")
    parser.add_argument("--config-dir", "-cd", type=Path, metavar="DIR", help="a folder with use cases of your own")
    parser.add_argument("--out", type=Path, metavar="DIR", help="where to write (the first folder of runs)")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print JSON, write nothing")
    form.add_argument("--csv", action="store_true", help="print CSV, write nothing")
    form.add_argument("--markdown", action="store_true", help="print Markdown, write nothing")
    return parser


def _run(args: argparse.Namespace) -> int:
    from bank_models.scoreboard import page

    roots = _roots(args)
    registry, config_dir = _folder("--registry", args.registry, REGISTRY), _folder("--config-dir", args.config_dir, None)
    board = make(roots, registry, config_dir)
    for one in board["unreadable"]:
        print(f"could not be read: {one['path']}: {one['reason']}", file=sys.stderr)
    for form, render in (("json", page.as_json), ("csv", page.as_csv), ("markdown", page.as_markdown)):
        if getattr(args, form):
            print(render(board), end="")
            return 0
    print(page.summary(board["totals"]))
    print(os.path.relpath(write(board, roots, args.out or roots[0])))
    return 0


def make(roots: list[Path], registry: Path, config_dir: Path | None = None) -> dict[str, Any]:
    """The scoreboard of the runs below some folders, as plain values."""
    from bank_models.config.catalogue import CONF, catalogue
    from bank_models.scoreboard.board import board
    from bank_models.scoreboard.production import registered
    from bank_models.scoreboard.runs import find

    entries = catalogue([CONF, *([config_dir] if config_dir else [])])
    return board(entries, find(roots), registered(registry), datetime.now(UTC))


def write(board: dict[str, Any], roots: list[Path], out: Path) -> Path:
    """Write the page, and CSV, JSON and Markdown beside it, each whole or not at all; give the page.

    Raises
    ------
    ConfigError
        If the folder can't be written to.
    """
    from bank_models.files import writing
    from bank_models.scoreboard import page

    def link(run_dir: str) -> str:
        return quote(os.path.relpath(Path(run_dir, "report.html"), out))

    comparisons = {key: text for key, folders in _comparable(board).items() if (text := _comparison(folders)) is not None}
    links = {key: f"{COMPARISONS}/{quote(key)}.html" for key in comparisons}
    texts = {
        "csv": page.as_csv(board),
        "json": page.as_json(board),
        "md": page.as_markdown(board),
        "html": page.as_html(board, _named(roots), link, links),
    }
    try:
        out.mkdir(parents=True, exist_ok=True)
        for ending, text in texts.items():
            writing.replace_text(out / f"{NAME}.{ending}", text)
        for key, text in comparisons.items():
            (out / COMPARISONS).mkdir(exist_ok=True)
            writing.replace_text(out / COMPARISONS / f"{key}.html", text)
    except OSError as error:
        raise ConfigError(f"{out} cannot be written to ({error.strerror}): choose another folder with --out DIR") from error
    return out / f"{NAME}.html"


def _comparable(board: dict[str, Any]) -> dict[str, list[Path]]:
    """Run folders of each use case that has several on the same rows, the best first."""
    of_best = {
        row["use_case"]: [Path(one["run_dir"]) for one in row["models"] if not one["is_on_other_rows"]]
        for row in board["use_cases"]
    }
    return {key: folders[:MOST_COMPARED] for key, folders in of_best.items() if len(folders) > 1}


def _comparison(folders: list[Path]) -> str | None:
    """The page that compares some runs; None if one of them lacks what it takes."""
    from bank_models.report import comparison

    try:
        return comparison.render(folders)
    except (ConfigError, ArithmeticError, AttributeError, LookupError, OSError, TypeError, ValueError):
        return None


def _roots(args: argparse.Namespace) -> list[Path]:
    """Folders in which to look; those that were named must be there."""
    if args.sweep:
        if not (args.sweep / "sweep.json").is_file():
            raise ConfigError(f"--sweep {args.sweep} is not the folder of a sweep: it has no sweep.json. Others: --runs DIR")
        return [args.sweep]
    if args.runs:
        return [_folder("--runs", root, None) for root in args.runs]
    return [root for root in WHERE if root.is_dir()] or [WHERE[0]]


def _folder(flag: str, given: Path | None, otherwise: Path | None) -> Path | None:
    if given is None:
        return otherwise
    if not given.is_dir():
        raise ConfigError(f"{flag} {given} is not a folder")
    return given


def _named(roots: list[Path]) -> str:
    return " and ".join(f"{os.path.relpath(root)}/" for root in roots)


if __name__ == "__main__":
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # `… | head` is no error
    sys.exit(main(sys.argv[1:]))
