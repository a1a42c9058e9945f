"""The runs on this machine: `python -m src.runs list`, `show`, `compare`, `best`."""

from __future__ import annotations

import argparse
import json
import signal
import sys
from pathlib import Path
from typing import Any

from bank_models.commands import as_typed
from bank_models.errors import ConfigError
from bank_models.metrics.figures import change, figure
from bank_models.runs import listing
from bank_models.runs.listing import ListedRun
from bank_models.runtime.table import print_table, printable
from bank_models.runtime.terminal import for_people

HELP = """\
The runs in runs/ and multirun/: which there are, what tells them apart, and how good they are.

  python -m src.runs list                                   all, the newest first
  python -m src.runs list use_case=fraud_scoring model=xgboost,lightgbm --last 10
  python -m src.runs show runs/credit_scoring/xgboost       one run: score, settings, rows, notes, files
  python -m src.runs compare RUN RUN …                      what differs, metrics side by side, and a test on the same rows
  python -m src.runs best                                   of each use case the best by its score on val

Filters: use_case, model, metric, task; several values with commas. --json prints JSON, --root DIR looks elsewhere."""
NO_DIFFERENCE = "No setting that a number depends on differs."


class _Parser(argparse.ArgumentParser):
    """A parser that answers a mistake in a sentence."""

    def error(self, message: str) -> None:
        raise ConfigError(f"{message}.\nTo see how: python -m src.runs --help")


@for_people
def main(argv: list[str]) -> int:
    """Do what the command line says; give the exit code: 2 bad input."""
    raw = argparse.RawDescriptionHelpFormatter
    parser = _Parser(
        prog=as_typed("python -m src.runs"),
        usage="%(prog)s list|show|compare|best …",
        description=as_typed(HELP),
        formatter_class=raw,
    )
    parser.add_argument("command", choices=("list", "show", "compare", "best"), nargs="?", help=argparse.SUPPRESS)
    parser.add_argument("words", nargs="*", help=argparse.SUPPRESS)
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--last", type=int, metavar="N", help="list: the newest N")
    parser.add_argument("--root", type=Path, action="append", metavar="DIR", help="list, best: where to look (runs, multirun)")
    args = parser.parse_intermixed_args(argv)
    if args.command is None:
        print(as_typed(HELP))
        return 0
    return {"list": _list, "show": _show, "compare": _compare, "best": _best}[args.command](args)


def _list(args: argparse.Namespace) -> int:
    runs = _found(args)
    return _print(runs[: args.last] if args.last else runs, runs, args.json)


def _best(args: argparse.Namespace) -> int:
    runs = _found(args)
    return _print(listing.best(runs), runs, args.json)


def _found(args: argparse.Namespace) -> list[ListedRun]:
    runs, broken = listing.find(args.root or listing.ROOTS)
    for said in broken:
        print(printable(said), file=sys.stderr)
    return listing.chosen(runs, args.words)


def _print(shown: list[ListedRun], runs: list[ListedRun], as_json: bool) -> int:
    rows = [run.facts() | {"differs": listing.in_words(run, runs)} for run in shown]
    if as_json:
        print(json.dumps(rows, indent=2, ensure_ascii=False))
    elif rows:
        print_table([_line(row) for row in rows], wrapped=("differs",))
        if len(rows) > 1 and len({row["use_case"] for row in rows}) == 1:
            print(f"\n{listing.on_one_page(row['run'] for row in rows)}")
    else:
        print(as_typed("None. To train a model: python -m src.train"))
    return 0


def _line(row: dict[str, Any]) -> dict[str, Any]:
    interval = None if row["low"] is None else f"[{figure(row['low'])}, {figure(row['high'])}]"
    kept = {key: row[key] for key in ("use_case", "model", "metric", "value")}
    about = {"interval": interval, "val": row["val_score"], "created": row["created_at"], "seconds": row["seconds"]}
    return kept | about | {"differs": row["differs"], "run": row["run"]}


def _show(args: argparse.Namespace) -> int:
    run = listing.at(_one(args.words))
    facts, record = run.facts(), run.record
    about = facts | {
        "settings": listing.settings(run),
        "rows": record.fact("split", "n_rows") or {"all": record.fact("data", "n_valid_rows")},
        "data": record.fact("data", "kind"),
        "metrics": dict(record.metrics),
        "notes": list(record.fact("notes") or []),
        "files": sorted(path.name for path in run.folder.iterdir() if not path.name.startswith(".")),
    }
    if args.json:
        print(json.dumps(about, indent=2, ensure_ascii=False))
        return 0
    print_table([_line(facts | {"differs": ""})])
    rows = ", ".join(f"{name} {n:,}" for name, n in about["rows"].items() if n is not None)
    print(f"\nRows ({about['data']}): {rows}")
    given = {name: value for name, value in about["settings"].items() if value is not None}
    print_table([{"setting": name, "value": json.dumps(value)} for name, value in given.items()], ("value",))
    for note in about["notes"]:
        print(printable(note))
    print(f"Files: {', '.join(map(printable, about['files']))}")
    return 0


def _one(words: list[str]) -> Path:
    if len(words) != 1:
        raise ConfigError(f"show takes one run folder, but got {len(words)}. To list them: python -m src.runs list")
    return Path(words[0])


def _compare(args: argparse.Namespace) -> int:
    if len(args.words) < 2:
        raise ConfigError("compare takes two run folders or more. To list them: python -m src.runs list")
    runs = [listing.at(Path(word)) for word in args.words]
    names = [str(run.folder) for run in runs]
    if len({run.facts()["use_case"] for run in runs}) > 1:
        raise ConfigError("The runs are of different use cases: their scores say nothing of one another.")
    differing, metrics = listing.differences(runs), _metrics(runs)
    tests = [_tested(runs[0], other) for other in runs[1:]]
    if args.json:
        print(json.dumps({"runs": names, "settings": differing, "metrics": metrics, "tests": tests}, indent=2))
        return 0
    settings = [{"setting": key, **dict(zip(names, map(json.dumps, values), strict=True))} for key, values in differing.items()]
    print_table(settings, wrapped=names) if settings else print(NO_DIFFERENCE)
    print()
    print_table([{"metric": key, **dict(zip(names, values, strict=True))} for key, values in metrics.items()])
    for test in tests:
        print(f"\n{test['said']}")
    print(f"\n{listing.on_one_page(names)}")
    return 0


def _metrics(runs: list[ListedRun]) -> dict[str, list[float | None]]:
    """Scores on test of every run, the primary one first."""
    primary = runs[0].record.headline.name
    names = dict.fromkeys([primary, *(name for name in runs[0].record.metrics if name.startswith("test_"))])
    kept = [name for name in names if not name.endswith(("_ci_low", "_ci_high"))]
    return {name: [run.record.metrics.get(name) for run in runs] for name in kept}


def _tested(one: ListedRun, other: ListedRun) -> dict[str, Any]:
    """How far the second run is from the first in the primary metric, and whether chance could do that."""
    from bank_models.runs.comparison import difference, of_folder

    found = difference(of_folder(other.folder), of_folder(one.folder))
    about = {"a": str(other.folder), "b": str(one.folder)}
    if found is None:
        return about | {"said": f"{other.folder} cannot be tested against {one.folder}: no test rows, or another metric."}
    ends = f"[{change(found.low)}, {change(found.high)}]"
    verdict = "better" if found.is_better else "worse" if found.is_worse else "no different beyond chance"
    rows = "different test rows" if found.test == "unpaired" else "the same test rows"
    said = f"{other.folder} against {one.folder}: {found.metric} gain {change(found.gain)} {ends}, p = {found.p_value:.2g}"
    facts = {"metric": found.metric, "gain": found.gain, "low": found.low, "high": found.high, "p_value": found.p_value}
    return about | facts | {"test": found.test, "said": f"{said} ({found.test}, {rows}): {verdict}."}


if __name__ == "__main__":
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # `… | head` is no error
    sys.exit(main(sys.argv[1:]))
