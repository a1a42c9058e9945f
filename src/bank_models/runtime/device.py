"""Devices: CUDA cards and the cores that this process may use."""

from __future__ import annotations

import contextlib
import ctypes
import os
from collections.abc import Iterator

CELLS_OF_A_THREAD = 250_000  # of the matrix of a fit: with fewer, threads wait for one another longer than they work


def cuda_devices() -> list[str]:
    """Names of the CUDA devices that this process may use; none without a driver.

    NVIDIA's driver is asked, because a library that could answer takes seconds to import.
    """
    if os.environ.get("CUDA_VISIBLE_DEVICES", "0").strip() in ("", "-1"):
        return []
    try:
        driver = ctypes.CDLL("libcuda.so.1")
    except OSError:
        return []
    count, name = ctypes.c_int(0), ctypes.create_string_buffer(256)
    if driver.cuInit(0) or driver.cuDeviceGetCount(ctypes.byref(count)):
        return []
    return [name.value.decode() for i in range(count.value) if driver.cuDeviceGetName(name, len(name), i) == 0]


def usable_cores() -> int:
    """Cores that this process may use: what affinity, a container's share of the processor and LOKY_MAX_CPU_COUNT leave it."""
    from joblib import cpu_count

    return cpu_count()


def threads_for(n_cells: int, most: int) -> int:
    """Threads that a fit of so many cells is worth, from 1 to `most`.

    A second thread shortens the fit of a small table by little on an idle machine, and makes it several times as long where
    another program wants the core: at each of thousands of barriers both wait for the one that is not running.
    """
    return max(1, min(most, n_cells // CELLS_OF_A_THREAD))


@contextlib.contextmanager
def openmp_threads(n_threads: int) -> Iterator[None]:
    """Limit libraries that take the number of their threads from OpenMP, and from no argument, while the block runs."""
    from threadpoolctl import threadpool_limits

    with threadpool_limits(n_threads, "openmp"):
        yield
