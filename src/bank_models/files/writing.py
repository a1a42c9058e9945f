"""Atomic writes: a reader sees the earlier file or folder, or the new one, whole."""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

RENAME_EXCHANGE = 2


def write_json(path: Path, values: Any) -> None:
    """Sorted keys, no NaN, one final newline."""
    path.write_text(json.dumps(values, indent=2, sort_keys=True, allow_nan=False, ensure_ascii=False) + "\n", encoding="utf-8")


def replace_text(path: Path, text: str, mode: int = 0o644) -> None:
    """Put a text in a file, in one step for whoever reads it."""
    with replaced(path, mode) as part:
        part.write_text(text, encoding="utf-8")


@contextlib.contextmanager
def replaced(path: Path, mode: int = 0o644) -> Iterator[Path]:
    """Give a file beside a path to write to, and put it there in one step; of a block that fails nothing stays."""
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
    os.close(descriptor)
    part = Path(name)
    try:
        yield part
        part.chmod(mode)
        sync(part)
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def sync(path: Path) -> None:
    """Wait until a file or a folder is on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def replace_folder(run_dir: Path, staging: Path) -> None:
    """Put `staging` at `run_dir`; what stood there is at `staging` afterwards."""
    if run_dir.is_dir() and any(run_dir.iterdir()):
        if not _exchange(staging, run_dir):
            aside = staging.with_name(staging.name + "-old")
            run_dir.rename(aside)
            staging.rename(run_dir)
            aside.rename(staging)
    else:
        staging.rename(run_dir)
    sync(run_dir.parent)


def _exchange(a: Path, b: Path) -> bool:
    """Swap two folders in one step where the system can (Linux' renameat2); Python offers no call for it."""
    rename = getattr(ctypes.CDLL(None), "renameat2", None)
    at_cwd = -100
    return bool(rename) and rename(at_cwd, os.fsencode(a), at_cwd, os.fsencode(b), RENAME_EXCHANGE) == 0
