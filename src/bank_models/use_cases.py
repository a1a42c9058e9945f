"""Catalogue of use cases: `python -m src.use_cases department=treasury task=regression data=real --json`."""

from __future__ import annotations

import argparse
import difflib
import json
import signal
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from bank_models.commands import as_typed
from bank_models.config import project
from bank_models.config.catalogue import CONF, catalogue
from bank_models.errors import ConfigError
from bank_models.runtime.table import print_table
from bank_models.runtime.terminal import for_people

PAGE = Path("docs/use_cases.md")
COLUMNS = ("id", "key", "department", "task", "metric", "model", "data", "rows")
FILTERS = ("department", "task", "data", "model", "metric")
HELP = """\
List the use cases that can be trained, one a line.

  python -m src.use_cases                                          all of them
  python -m src.use_cases department=treasury task=regression      those that match; several values: task=binary,multiclass
  python -m src.use_cases data=real --json                         as JSON
  python -m src.use_cases new loans.csv target=defaulted           draft one for a table of your own: new --help
  python -m src.use_cases sample card_fraud rows=1000 out=x.parquet  rows of a simulated one, into a file

Filters: department, task, data (real, simulated or file), model, metric."""


@for_people
def main(argv: list[str]) -> int:
    """Print the catalogue, write its page, draft a use case or draw rows of one; give the exit code."""
    if argv[:1] == ["new"]:
        from bank_models.drafts import command

        return command.main(argv[1:])
    if argv[:1] == ["sample"]:
        from bank_models.data import sample

        return sample.main(argv[1:])
    parser = argparse.ArgumentParser(
        prog=as_typed("python -m src.use_cases"), usage="%(prog)s [filter=value …] [--json | --markdown] [--config-dir DIR]",
        description=as_typed(HELP), formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument("filters", nargs="*", help=argparse.SUPPRESS)
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print JSON instead of a table")
    form.add_argument("--markdown", action="store_true", help=f"write {PAGE} anew, of all use cases")
    parser.add_argument("--config-dir", "-cd", type=Path, help="a folder with use cases of your own")
    args = parser.parse_intermixed_args(argv if "--markdown" in argv else project.with_config_dir(argv))
    broken: list[str] = []
    found = chosen(catalogue([CONF, *([args.config_dir] if args.config_dir else [])], broken), args.filters)
    if args.markdown:
        if args.filters or args.config_dir:
            parser.error("--markdown writes the page of all use cases: leave filters and --config-dir out")
        PAGE.parent.mkdir(exist_ok=True)
        PAGE.write_text(as_markdown(found), encoding="utf-8")
        print(PAGE)
    elif args.json:
        print(json.dumps(found, indent=2, ensure_ascii=False))
    else:
        _print_table(found, f"--config-dir {args.config_dir} " if args.config_dir else "")
    for said in broken:
        print(said, file=sys.stderr)
    return 2 if broken else 0


def chosen(entries: list[dict[str, Any]], filters: list[str]) -> list[dict[str, Any]]:
    """Use cases that every filter lets through.

    Raises
    ------
    ConfigError
        If a filter is no `key=value`, or names what does not exist.
    """
    for text in filters:
        key, is_pair, values = text.partition("=")
        if not is_pair or key not in FILTERS:
            raise ConfigError(
                f"{text} is not a filter.{_meant(key, FILTERS)}\nA filter is written key=value: {', '.join(FILTERS)}"
            )
        known = sorted({entry[key] for entry in entries} | ({"real", "simulated", "file"} if key == "data" else set()))
        for value in values.split(","):
            if value not in known:
                raise ConfigError(f"{key}={value}: no use case has it.{_meant(value, known)}\nKnown: {', '.join(known)}")
        entries = [entry for entry in entries if entry[key] in values.split(",")]
    return entries


def _meant(given: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(given, known, n=1, cutoff=0.5)
    return f" Did you mean {near[0]}?" if near else ""


def as_markdown(entries: list[dict[str, Any]]) -> str:
    """The page of all use cases, a table for each department."""
    lines = ["# Use cases", "", f"{len(entries)} use cases. Written by `python -m src.use_cases --markdown`.", ""]
    for department in dict.fromkeys(entry["department"] for entry in entries):
        lines += [f"## {department.replace('_', ' ').capitalize()}", ""]
        lines += ["| id | `use_case=` | a row is | task | metric | model | data | rows |", "|---|---|---|---|---|---|---|---|"]
        for entry in (entry for entry in entries if entry["department"] == department):
            names = ", ".join(f"`{name}`" for name in (entry["key"], *entry["short_names"]))
            row = entry["row"].rstrip(".").replace("|", "\\|")
            cells = (entry["id"], names, row, entry["task"], entry["metric"], entry["model"], entry["data"], _rows(entry))
            lines.append(f"| {' | '.join(cells)} |")
        lines.append("")
    return "\n".join(lines)


def _rows(entry: dict[str, Any]) -> str:
    return "" if entry["rows"] is None else f"{entry['rows']:,}"


def _print_table(entries: list[dict[str, Any]], flags: str) -> None:
    if entries:
        print_table([_line(entry) for entry in entries])
    to_train = f"python -m src.train {flags}use_case={entries[0]['key']}" if entries else ""
    print(as_typed(f"{len(entries)} use cases. To train one: {to_train}") if entries else "None.")


def _line(entry: dict[str, Any]) -> dict[str, Any]:
    key = " · ".join((entry["key"], *entry["short_names"]))
    return {name: key if name == "key" else entry[name] for name in COLUMNS}


if __name__ == "__main__":
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # `… | head` is no error
    sys.exit(main(sys.argv[1:]))
