"""What a run must record so that somebody else can repeat it."""

from __future__ import annotations

import hashlib
import os
import platform
from collections.abc import Iterable
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd

from src.runtime import git
from src.runtime.device import cuda_devices

PACKAGES = ["hydra-core", "lightgbm", "numpy", "pandas", "scikit-learn", "scipy", "skops", "xgboost"]


def environment(packages: Iterable[str] = (), device: str = "cpu") -> dict:
    """Interpreter, packages, machine and source revision.

    Parameters
    ----------
    packages : iterable of str
        Those that numbers come from beside the ones that every run uses.
    device : {"cpu", "cuda"}
    """
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cpu_count": os.cpu_count(),
        "gpu": cuda_devices()[0] if device == "cuda" else None,
        "packages": {name: version(name) for name in sorted({*PACKAGES, *packages})},
        "git": git.revision(Path(__file__).parent),
    }


def now() -> str:
    """Time in UTC, to the second, as ISO 8601."""
    return datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def frame_sha256(frame: pd.DataFrame) -> str:
    """Hash of a table's column names, types and values."""
    digest = hashlib.sha256()
    for name, column in frame.items():
        digest.update(f"{name}:{column.dtype.name}:{len(column)}:".encode())
        if isinstance(column.dtype, pd.CategoricalDtype):
            digest.update("\0".join(map(str, column.cat.categories)).encode())
            column = column.cat.codes
        elif not isinstance(column.dtype, np.dtype) or column.dtype == object:
            column = pd.Series(pd.util.hash_array(column.to_numpy(dtype=object)))
        digest.update(np.ascontiguousarray(column.to_numpy()).view(np.uint8))
    return digest.hexdigest()
