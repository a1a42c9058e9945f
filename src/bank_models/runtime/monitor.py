"""Resource monitor: processor, memory and GPU of a run."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from typing import TYPE_CHECKING, NamedTuple

import psutil

from bank_models.runtime.device import usable_cores

if TYPE_CHECKING:
    import pandas as pd

MB = 1_000_000
PERIOD_S = 0.1
MOST_SAMPLES = 400  # then every other one is forgotten, and the next ones are taken half as often
LEAST_PAUSE = 200  # times what the last look took: on a machine with thousands of processes a look takes long


class Sample(NamedTuple):
    """The machine at one moment.

    Attributes
    ----------
    at_s : float
        Seconds since the run began.
    step : str
        What the run was doing.
    cpu_percent : float
        Of all cores that this process may use, since the sample before: by this process and those that it started.
    memory_mb : float
        Held by this process, and by those that it started beyond what they share.
    gpu_percent, gpu_memory_mb : float, optional
        Of the whole device; None where the run does not use one, or where the driver does not tell.
    """

    at_s: float
    step: str
    cpu_percent: float
    memory_mb: float
    gpu_percent: float | None
    gpu_memory_mb: float | None


class Monitor:
    """A thread that takes samples while a block runs.

    Parameters
    ----------
    device : {"cpu", "cuda"}

    Attributes
    ----------
    step : str
        What the run is doing now; whoever knows it says so.
    samples : list of Sample
    cost_s : float
        Seconds of processor time that the thread itself took.
    """

    def __init__(self, device: str = "cpu"):
        self.step, self.samples, self.cost_s = "", [], 0.0
        self._gpu = _Gpu() if device == "cuda" else None
        self._period_s, self._ended = PERIOD_S, threading.Event()
        self._me, self._busy_s, self._n_cores = psutil.Process(), {}, usable_cores()
        self._thread = threading.Thread(target=self._watch, name="monitor", daemon=True)

    def __enter__(self) -> Monitor:
        self._start_s = self._last_s = time.perf_counter()
        self._busy_since()
        self._thread.start()
        return self

    def __exit__(self, *exc_info) -> None:
        self._ended.set()
        self._thread.join()

    @property
    def latest(self) -> Sample | None:
        return self.samples[-1] if self.samples else None

    def table(self) -> pd.DataFrame:
        """The samples so far, a row each."""
        import pandas as pd

        table = pd.DataFrame(list(self.samples), columns=Sample._fields)
        return table.astype({"gpu_percent": "float64", "gpu_memory_mb": "float64"})

    def _watch(self) -> None:
        pause_s = self._period_s
        while not self._ended.wait(pause_s):
            before_s = self.cost_s
            self._sample()
            self.cost_s = time.thread_time()
            pause_s = max(self._period_s, LEAST_PAUSE * (self.cost_s - before_s))

    def _sample(self) -> None:
        now = time.perf_counter()
        busy_s, memory = self._busy_since()
        # no more than all: the system counts in hundredths of a second
        percent = min(100 * busy_s / (now - self._last_s) / self._n_cores, 100.0)
        self._last_s = now
        gpu = self._gpu.read() if self._gpu else (None, None)
        self.samples.append(Sample(round(now - self._start_s, 2), self.step, round(percent, 1), round(memory / MB, 1), *gpu))
        if len(self.samples) == MOST_SAMPLES:
            self.samples = self.samples[1::2]
            self._period_s *= 2

    def _busy_since(self) -> tuple[float, int]:
        """Seconds of processor time since the last call, and bytes held now."""
        busy_s, memory, seen = 0.0, 0, {}
        for process in (self._me, *self._me.children(recursive=True)):
            with contextlib.suppress(psutil.Error):  # it has ended meanwhile
                with process.oneshot():
                    times, held = process.cpu_times(), process.memory_info()
                seen[process] = times.user + times.system
                busy_s += seen[process] - self._busy_s.get(process, 0.0)
                memory += held.rss if process == self._me else held.rss - getattr(held, "shared", 0)
        self._busy_s = seen
        return busy_s, memory


class _Gpu:
    """The first CUDA device that this process may use, as NVIDIA's management library sees it."""

    def __init__(self):
        self._handle = None
        with contextlib.suppress(Exception):  # without the library or the rights there is nothing to see
            import pynvml

            pynvml.nvmlInit()
            first = os.environ.get("CUDA_VISIBLE_DEVICES", "0").split(",")[0].strip()  # which the library itself does not heed
            by = pynvml.nvmlDeviceGetHandleByIndex if first.isdecimal() else pynvml.nvmlDeviceGetHandleByUUID
            self._handle = by(int(first) if first.isdecimal() else first)

    def read(self) -> tuple[float | None, float | None]:
        """Per cent of time at work, and MB in use."""
        if self._handle is None:
            return None, None
        import pynvml

        try:
            busy, memory = pynvml.nvmlDeviceGetUtilizationRates(self._handle), pynvml.nvmlDeviceGetMemoryInfo(self._handle)
        except pynvml.NVMLError:
            return None, None
        return float(busy.gpu), round(memory.used / MB, 1)
