"""Provenance of a run: interpreter, packages, machine, revision."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from bank_models.commands import CHECKOUT
from bank_models.runtime import git
from bank_models.runtime.device import cuda_devices

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
        "packages": {name: version(name) for name in sorted({*PACKAGES, *packages, *_ours()})},
        "git": git.revision(Path() if _ours() else Path(__file__).parent),
    }


def _ours() -> list[str]:
    """This package where it is installed; in a checkout, the revision says which code ran."""
    return [] if CHECKOUT.is_file() else ["bank-models"]


def now() -> str:
    """Time in UTC, to the second, as ISO 8601."""
    return datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
