"""Progress of a run: steps, rounds, resources and durations."""

from __future__ import annotations

import contextlib
import logging
import math
import time
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING

import psutil
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from bank_models.runtime import memory
from bank_models.runtime.monitor import Monitor

if TYPE_CHECKING:
    from typing import Protocol

    class Patience(Protocol):
        """Early stopping: after how many rounds without a gain of `min_delta`."""

        rounds: int
        min_delta: float


log = logging.getLogger(__name__)
LONGEST_START_S = 15  # from the start of a process until its run begins: imports and composition


class Steps:
    """A line on the terminal for each step of a run; nothing where there is no terminal.

    Parameters
    ----------
    title : str
    device : {"cpu", "cuda"}
        What the run trains on, so that it is watched too.

    Attributes
    ----------
    durations_s : dict of str to float
        Seconds of each finished step, by name.
    monitor : Monitor
    """

    def __init__(self, title: str, device: str = "cpu"):
        console = Console(stderr=True)
        self.durations_s: dict[str, float] = {}
        self._began_s = time.perf_counter() - min(LONGEST_START_S, time.time() - psutil.Process().create_time())
        self.monitor = Monitor(device)
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn(f"{title} · {{task.description}}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            _MachineColumn(self.monitor),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )

    @property
    def elapsed_s(self) -> float:
        """Seconds since the command was typed; of a job of a process that did others before, since about then."""
        return time.perf_counter() - self._began_s

    def __enter__(self) -> Steps:
        self.monitor.__enter__()
        self._progress.start()
        return self

    def __exit__(self, *exc_info) -> None:
        self._progress.stop()
        self.monitor.__exit__(*exc_info)

    @contextlib.contextmanager
    def step(self, name: str, total: int | None = 1) -> Iterator[Callable]:
        """Time a step of `total` parts, None if nobody knows how many; gives a function to call after each part.

        It may also be told how many parts are done, of how many, and what there is to say.
        """
        self.monitor.step = name
        task = self._progress.add_task(name, total=total)
        start = time.perf_counter()

        def advance(completed: int | None = None, total: int | None = None, said: str = "") -> None:
            if completed is None:
                self._progress.advance(task)
            else:
                self._progress.update(task, completed=completed, total=total, description=f"{name} · {said}")

        yield advance
        memory.give_back()
        self._progress.remove_task(task)
        self.durations_s[name] = round(time.perf_counter() - start, 3)
        log.debug("%s took %.3f s", name, self.durations_s[name])

    def rounds(self, advance: Callable, patience: Patience | None) -> Rounds | None:
        """What tells a step of training in rounds how it stands; None where nobody is looking."""
        return None if self._progress.disable else Rounds(advance, patience)


class Rounds:
    """Says after each round how training stands: the loss, the best round so far and how much patience is left.

    Parameters
    ----------
    advance : callable
        Takes the number of rounds, of how many, and the sentence.
    patience : Patience, optional
    """

    def __init__(self, advance: Callable[[int, int | None, str], None], patience: Patience | None):
        self._advance, self._patience = advance, patience
        self._n, self._best, self._best_round = 0, math.inf, 0

    def __call__(self, losses: Mapping[str, float]) -> None:
        self._n += 1
        said = [f"{part} loss {loss:.4g}" for part, loss in losses.items()]
        if "val" in losses:
            if losses["val"] < self._best - (self._patience.min_delta if self._patience else 0):
                self._best, self._best_round = losses["val"], self._n
            said.append(f"best round {self._best_round}")
        if self._patience:
            said.append(f"patience left {self._patience.rounds - (self._n - self._best_round)}")
        self._advance(self._n, None, " · ".join(said))


class _MachineColumn(ProgressColumn):
    """What the run takes of the machine now."""

    def __init__(self, monitor: Monitor):
        super().__init__()
        self._monitor = monitor

    def render(self, task) -> Text:
        now = self._monitor.latest
        if now is None:
            return Text("")
        gpu = "" if now.gpu_percent is None else f" · GPU {now.gpu_percent:.0f} %"
        return Text(f"CPU {now.cpu_percent:.0f} %{gpu} · {now.memory_mb:,.0f} MB", style="progress.data.speed")
