"""Show what a run is doing, and remember how long each step took."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable, Iterator

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn

log = logging.getLogger(__name__)


class Steps:
    """A line on the terminal for each step of a run; nothing where there is no terminal.

    Attributes
    ----------
    durations_s : dict of str to float
        Seconds of each finished step, by name.
    """

    def __init__(self, title: str):
        console = Console(stderr=True)
        self.durations_s: dict[str, float] = {}
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn(f"{title} · {{task.description}}"),
            BarColumn(bar_width=24),
            TextColumn("{task.completed:.0f}/{task.total:.0f}"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )

    def __enter__(self) -> Steps:
        self._progress.start()
        return self

    def __exit__(self, *exc_info) -> None:
        self._progress.stop()

    @contextlib.contextmanager
    def step(self, name: str, total: int = 1) -> Iterator[Callable]:
        """Time a step of `total` parts; gives a function to call after each part.

        It may also be told how many parts are done, of how many, and what there is to say.
        """
        task = self._progress.add_task(name, total=total)
        start = time.perf_counter()

        def advance(completed: int | None = None, total: int | None = None, said: str = "") -> None:
            if completed is None:
                self._progress.advance(task)
            else:
                self._progress.update(task, completed=completed, total=total, description=f"{name} · {said}")

        yield advance
        self._progress.remove_task(task)
        self.durations_s[name] = round(time.perf_counter() - start, 3)
        log.debug("%s took %.3f s", name, self.durations_s[name])
