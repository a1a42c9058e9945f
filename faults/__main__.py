"""Try what this project promises to withstand: `python -m faults [--n 10] [--only GROUP …] [--report FILE]`."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from faults import groups, runner, table
from faults.case import Promise

DEFAULT_N = 10
SHOWN = 1000  # of one attempt's complaint


def main(argv: Sequence[str]) -> int:
    """Try the promises that were chosen; 1 if one did not hold."""
    args = _parser().parse_args(argv)
    promises = [one for one in groups.promises(args.only or groups.NAMES) if args.promise in one.name]
    if args.list:
        for promise in promises:
            print(f"{promise.group:<12}{promise.name}\n{'':<12}{promise.means}")
        return 0
    return suite(promises, args.n, args.seed, args.report, args.case)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m faults", description=__doc__.splitlines()[0])
    parser.add_argument("--n", type=int, default=DEFAULT_N, help="how often: 10 takes some minutes, 400 a night (%(default)s)")
    parser.add_argument("--only", nargs="+", choices=groups.NAMES, metavar="GROUP", help=", ".join(groups.NAMES))
    parser.add_argument("--promise", default="", metavar="WORDS", help="only promises whose name has these words")
    parser.add_argument("--case", default="", metavar="WORDS", help="only cases that have these words")
    parser.add_argument("--seed", type=int, default=0, help="what the random moments are drawn from (%(default)s)")
    parser.add_argument("--list", action="store_true", help="say what is promised, and try nothing")
    parser.add_argument("--report", type=Path, metavar="FILE", help="put the table into a page, between its marks")
    return parser


def suite(promises: Sequence[Promise], n: int, seed: int = 0, report: Path | None = None, case: str = "") -> int:
    """Try promises, show the table, write it if asked; 1 if one did not hold."""
    console, start = Console(highlight=False), time.perf_counter()
    if not console.is_terminal:
        console.width = 140
    results = _try(console, runner.jobs(promises, n, case), seed)
    found = table.rows(promises, results)
    if report:
        table.write(report, table.markdown(found, n, time.perf_counter() - start))
        table.write(report, table.meanings(promises), table.MEANING, table.MEANT)
    return conclude(console, found, results)


def _try(console: Console, chosen: Sequence[tuple[Promise, int]], seed: int) -> list[runner.Result]:
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn()
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task("attempts", total=len(chosen))

        told, start = 0, time.perf_counter()

        def on_result(result: runner.Result) -> None:
            nonlocal told
            progress.advance(task)
            done = int(progress.tasks[task].completed)
            if not console.is_terminal and 10 * done // len(chosen) > told:  # a log has no bar
                told = 10 * done // len(chosen)
                console.print(f"{done:,} of {len(chosen):,} attempts after {time.perf_counter() - start:,.0f} s")
            if result.outcome == runner.FAILED:
                _complain(console, result)

        return runner.run(chosen, seed, on_result, sorted(os.sched_getaffinity(0)))


def conclude(console: Console, found: Sequence[table.Row], results: Sequence[runner.Result]) -> int:
    """Show the table and what was not tried; 1 if a promise did not hold."""
    _show(console, found)
    _say_what_was_not_tried(console, results)
    return int(any(row.failed for row in found))


def _complain(console: Console, result: runner.Result) -> None:
    promise = result.promise
    case = f" ({promise.case(result.number)})" if promise.cases else ""
    console.print(
        f"FAILED {promise.group} · {promise.name}{case}, attempt {result.number}: {result.said[:SHOWN]}",
        markup=False,
        soft_wrap=True,
    )


def _show(console: Console, found: Sequence[table.Row]) -> None:
    shown = Table("group", "promise")
    for name in ("attempts", "held", "failed", "seconds"):
        shown.add_column(name, justify="right")
    for row in found:
        figures = row.attempts, row.held, row.failed, f"{row.seconds:.0f}"
        shown.add_row(row.promise.group, row.promise.name, *map(str, figures), style="red" if row.failed else None)
    *counts, seconds = table.totals(found)
    shown.add_section()
    shown.add_row("", "all", *map(str, counts), f"{seconds:.0f}", style="bold")
    console.print(shown)


def _say_what_was_not_tried(console: Console, results: Sequence[runner.Result]) -> None:
    left_out = [one for one in results if one.outcome == runner.NOT_TRIED]
    for said in dict.fromkeys(f"{one.promise.group} · {one.promise.name}: {one.said}" for one in left_out):
        console.print(f"Not tried: {said}", markup=False, soft_wrap=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
