"""Is there a CUDA device? Asked of NVIDIA's driver, because a library that could answer takes seconds to import."""

from __future__ import annotations

import ctypes
import os


def cuda_devices() -> int:
    """Number of CUDA devices that this process may use; 0 without a driver."""
    if os.environ.get("CUDA_VISIBLE_DEVICES", "0").strip() in ("", "-1"):
        return 0
    try:
        driver = ctypes.CDLL("libcuda.so.1")
    except OSError:
        return 0
    count = ctypes.c_int(0)
    is_ready = driver.cuInit(0) == 0 and driver.cuDeviceGetCount(ctypes.byref(count)) == 0
    return count.value if is_ready else 0
