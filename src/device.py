"""What there is to compute with: CUDA devices, and the cores that this process may use."""

from __future__ import annotations

import ctypes
import os


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
