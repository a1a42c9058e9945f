"""What there is to compute with: CUDA devices, and the cores that this process may use."""

from __future__ import annotations

import ctypes
import os


def cuda_devices() -> int:
    """Number of CUDA devices that this process may use; 0 without a driver.

    NVIDIA's driver is asked, because a library that could answer takes seconds to import.
    """
    if os.environ.get("CUDA_VISIBLE_DEVICES", "0").strip() in ("", "-1"):
        return 0
    try:
        driver = ctypes.CDLL("libcuda.so.1")
    except OSError:
        return 0
    count = ctypes.c_int(0)
    is_ready = driver.cuInit(0) == 0 and driver.cuDeviceGetCount(ctypes.byref(count)) == 0
    return count.value if is_ready else 0


def usable_cores() -> int:
    """Cores that this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
