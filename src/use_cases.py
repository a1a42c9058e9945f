"""The catalogue of use cases: `python -m src.use_cases department=treasury task=regression data=real --json`."""

from __future__ import annotations

import argparse
import difflib
import json
import re
import signal
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from src.config import yaml_file
from src.errors import ConfigError
from src.runtime.terminal import for_people

CONF = Path(__file__).resolve().parents[1] / "conf"
NAME = r"[a-z0-9][a-z0-9_-]{0,63}"
FACTS = ("id", "department", "task", "metric", "name", "row", "target")
CATALOGUE = Path(__file__).parent / "data" / "catalogue"
PAGE = Path(__file__).resolve().parents[1] / "docs" / "use_cases.md"
COLUMNS = ("id", "key", "department", "task", "metric", "model", "data", "rows")
FILTERS = ("department", "task", "data", "model", "metric")
HELP = """\
List the use cases that can be trained, one a line.

  python -m src.use_cases                                          all of them
  python -m src.use_cases department=treasury task=regression      those that match; several values: task=binary,multiclass
  python -m src.use_cases data=real --json                         as JSON
  python -m src.use_cases sample card_fraud rows=1000 out=x.parquet  rows of a simulated one, into a file

Filters: department, task, data (real, simulated or file), model, metric."""


@for_people
def main(argv: list[str]) -> int:
    """Print the catalogue, or write its page; give the exit code."""
    if argv[:1] == ["sample"]:
        from src.data import sample

        return sample.main(argv[1:])
    parser = argparse.ArgumentParser(
        prog="python -m src.use_cases", usage="%(prog)s [filter=value …] [--json | --markdown] [--config-dir DIR]",
        description=HELP, formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument("filters", nargs="*", help=argparse.SUPPRESS)
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print JSON instead of a table")
    form.add_argument("--markdown", action="store_true", help=f"write {PAGE.parent.name}/{PAGE.name} anew, of all use cases")
    parser.add_argument("--config-dir", "-cd", type=Path, help="a folder with use cases of your own")
    args = parser.parse_intermixed_args(argv)
    found = chosen(catalogue([CONF, *([args.config_dir] if args.config_dir else [])]), args.filters)
    if args.markdown:
        if args.filters or args.config_dir:
            parser.error("--markdown writes the page of all use cases: leave filters and --config-dir out")
        PAGE.parent.mkdir(exist_ok=True)
        PAGE.write_text(as_markdown(found), encoding="utf-8")
        print(PAGE.relative_to(CONF.parent))
    elif args.json:
        print(json.dumps(found, indent=2, ensure_ascii=False))
    else:
        _print_table(found)
    return 0


def catalogue(config_dirs: Iterable[Path]) -> list[dict[str, Any]]:
    """Facts of every use case, sorted by department and id; short names (such as fraud) are listed with their use case.

    Parameters
    ----------
    config_dirs : iterable of Path
        Folders that hold `use_case/`.

    Returns
    -------
    list of dict
        With the keys of `COLUMNS`, and `name`, `row`, `target` and `short_names`.
    """
    defaults = _defaults(yaml_file.read(CONF / "config.yaml"))
    entries, short_names = {}, {}
    for path in sorted(path for folder in config_dirs for path in (folder / "use_case").glob("*.yaml")):
        values = _load_use_case(path)
        if "use_case" in values:
            entries[path.stem] = _facts(path.stem, values["use_case"], defaults | _defaults(values))
        else:
            short_names[path.stem] = next(entry for entry in values["defaults"] if entry != "_self_")
    for short, key in short_names.items():
        if key in entries:
            entries[key]["short_names"].append(short)
    return sorted(entries.values(), key=lambda entry: (entry["department"], entry["id"]))


def option_names() -> list[str]:
    """What may stand behind `use_case=`, short names included."""
    return sorted(path.stem for path in (CONF / "use_case").glob("*.yaml"))


def full_name(name: str) -> str:
    """Key of the use case that a short name (such as fraud) stands for; any other name as it is."""
    if not re.fullmatch(NAME, name):
        raise ConfigError(
            f"use_case={name!r} is not a name: names match {NAME} in full.\nTo list them: python -m src.use_cases"
        )
    path = CONF / "use_case" / f"{name}.yaml"
    values = _load_use_case(path) if path.is_file() else {"use_case": None}
    return name if "use_case" in values else next(entry for entry in values["defaults"] if entry != "_self_")


def split_seed(use_case: str, option: str, config_dirs: Iterable[Path]) -> int | None:
    """The seed by which the rows of a use case are split, whatever the command line says.

    Parameters
    ----------
    use_case : str
        As it stands behind `use_case=`.
    option : str
        Of `data_split`, chosen for the run: its seed counts where the use case says none and its own split draws nothing.
    config_dirs : iterable of Path
        In the order in which they are searched.

    Returns
    -------
    int or None
        None where rows aren't drawn.
    """
    folders = list(config_dirs)
    own, chosen = _split_of(use_case, folders)
    for name in () if own is not None else (chosen or _defaults(yaml_file.read(CONF / "config.yaml"))["data_split"], option):
        own = yaml_file.read(_option_file("data_split", name, folders)).get("random_state") if own is None else own
    return own


def _split_of(use_case: str, folders: list[Path]) -> tuple[int | None, str | None]:
    """Seed and `data_split` that a use case's file names, or the file that it takes its facts from."""
    values = _load_use_case(_option_file("use_case", use_case, folders))
    own, chosen = (values.get("data_split") or {}).get("random_state"), _defaults(values).get("data_split")
    for base in (entry for entry in values.get("defaults", []) if isinstance(entry, str) and entry != "_self_"):
        of_base = _split_of(base.rpartition("/")[2], folders)
        own, chosen = of_base[0] if own is None else own, chosen or of_base[1]
    return own, chosen


def _option_file(group: str, name: str, folders: list[Path]) -> Path:
    return next(path for folder in folders if (path := folder / group / f"{name}.yaml").is_file())


def _load_use_case(path: Path) -> dict[str, Any]:
    values = yaml_file.read(path)
    if not isinstance(values, dict) or not {"use_case", "defaults"} & set(values):
        raise ConfigError(f"{path} is not a use case: it names neither use_case nor defaults.")
    return values


def _defaults(values: dict[str, Any]) -> dict[str, str]:
    """Options that a defaults list chooses, by group."""
    pairs = (entry.popitem() for entry in values.get("defaults", []) if isinstance(entry, dict))
    return {key.removeprefix("override ").strip().removeprefix("/"): value for key, value in pairs}


def _facts(option: str, use_case: dict[str, Any], choices: dict[str, str]) -> dict[str, Any]:
    if lacking := [key for key in FACTS if not isinstance(use_case, dict) or key not in use_case]:
        raise ConfigError(f"use_case/{option}.yaml: use_case.{lacking[0]} is missing.")
    kind, simulation = choices["data_source"], use_case.get("simulation") or {}
    rows = {"packaged": _rows_of(use_case.get("packaged")), "simulated": simulation.get("rows")}.get(kind)
    return {
        "id": use_case["id"],
        "key": option,
        "department": use_case["department"],
        "task": use_case["task"],
        "metric": use_case["metric"],
        "model": choices["model"],
        "data": {"packaged": "real", "simulated": "simulated"}.get(kind, "file"),
        "rows": rows,
        "name": use_case["name"],
        "row": " ".join(use_case["row"].split()),
        "target": use_case["target"],
        "short_names": [],
    }


def _rows_of(packaged: str | None) -> int | None:
    return yaml_file.read(CATALOGUE / f"{packaged}.yaml")["shape"][0] if packaged else None


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


def _print_table(entries: list[dict[str, Any]]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in COLUMNS:
        table.add_column(name, justify="right" if name == "rows" else "left", no_wrap=True)
    for entry in entries:
        key = " · ".join((entry["key"], *entry["short_names"]))
        table.add_row(entry["id"], key, *(entry[name] for name in COLUMNS[2:-1]), _rows(entry))
    console = Console()
    if not console.is_terminal:
        console.width = 1000
    console.print(table, highlight=False, markup=False)
    print(f"{len(entries)} use cases. To train one: python -m src.train use_case={entries[0]['key']}" if entries else "None.")


if __name__ == "__main__":
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # `… | head` is no error
    sys.exit(main(sys.argv[1:]))
