"""Display of a sweep: progress bar, lines, table."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from bank_models.sweeps import record, results
from bank_models.sweeps.plan import Planned

EVERY_S = 0.2
SHOWN_AT_ONCE = 3


@contextlib.contextmanager
def checking() -> Iterator[Callable[[int, int], None]]:
    """A bar over the jobs that are being checked, on a terminal."""
    with _progress(TextColumn("checking"), BarColumn(bar_width=24), MofNCompleteColumn()) as progress:
        task = progress.add_task("", total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)


@contextlib.contextmanager
def watching(jobs: list[Planned] | None, sweep_dir: Path) -> Iterator[None]:
    """Tell what becomes of jobs, from their records, while the block runs."""
    if jobs is None:
        yield
        return
    waiting = [job for job in jobs if job.is_waiting(sweep_dir)]
    is_over = threading.Event()
    with _progress(
        TextColumn("{task.fields[failed]}"),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.description}"),
    ) as progress:
        watcher = threading.Thread(target=_watch, args=(waiting, len(jobs), sweep_dir, progress, is_over), daemon=True)
        watcher.start()
        try:
            yield
        finally:
            is_over.set()
            watcher.join()


def _watch(jobs: list[Planned], total: int, sweep_dir: Path, progress: Progress, is_over: threading.Event) -> None:
    done, failed = total - len(jobs), 0
    task = progress.add_task("", total=total, completed=done, failed="")
    is_last = False
    while not is_last:
        is_last = is_over.wait(EVERY_S)
        for job in [job for job in jobs if record.record_path(sweep_dir / job.subdir).exists()]:
            jobs.remove(job)
            done += 1
            row = results.row(job, sweep_dir)
            failed += row["status"] != "ok"
            line = results.closing_line(row, job.title)
            if progress.disable:
                with contextlib.suppress(OSError):  # it cannot be printed, as the table at the end will tell
                    print(f"[{done}/{total}] {line}", flush=True)
            elif row["status"] != "ok":
                progress.console.print(line, highlight=False, markup=False)
        running = [job.title for job in jobs if record.log_path(sweep_dir / job.subdir).exists()]
        more = f" and {len(running) - SHOWN_AT_ONCE} more" if len(running) > SHOWN_AT_ONCE else ""
        progress.update(
            task,
            completed=done,
            failed=f"{failed} failed" if failed else "",
            description=", ".join(running[:SHOWN_AT_ONCE]) + more,
        )


def trial(number: int, n_trials: int, tried: str, ended: dict[str, Any] | None, is_best: bool) -> None:
    """Say what became of a trial of a search."""
    if ended is None or ended["status"] != "ok":
        became = f"failed: {ended['reason'] if ended else 'its process died, twice'}"
    else:
        became = f"score {ended['score']:.4f} on val   {ended['seconds']:.1f} s" + ("   best so far" if is_best else "")
    print(f"[{number}/{n_trials}] {tried}   {became}", flush=True)


def _progress(*columns) -> Progress:
    console = Console(stderr=True)
    return Progress(*columns, console=console, transient=True, disable=not console.is_terminal)


LEAST_MISSED = ("peak MB", "seconds", "ceiling", "baseline", "interval", "department")  # results.md has them all


def table(rows: list[dict[str, Any]]) -> None:
    """Print the table of all runs; a terminal that is too narrow gets fewer columns, and anything else gets all of them."""
    header, lines = results.shown(rows)
    console = Console()
    if not console.is_terminal:
        console.width = 1000
    dropped: set[str] = set()
    for name in (None, *LEAST_MISSED):
        dropped |= {name} - {None}
        shown = _table(header, lines, dropped)
        if console.measure(shown, options=console.options.update(max_width=1000)).maximum <= console.width:
            break
    console.print(shown, markup=False, highlight=False)


def _table(header: list[str], lines: list[list[str]], dropped: set[str]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    kept = [position for position, name in enumerate(header) if name not in dropped]
    for position in kept:
        is_number = header[position] in ("score", "interval", "baseline", "ceiling", "seconds", "peak MB")
        table.add_column(header[position], justify="right" if is_number else "left")
    for line in lines:
        table.add_row(*(escape(line[position]) for position in kept), style=None if line[-1] == "ok" else "red")
    return table
