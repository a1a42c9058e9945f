"""Free memory of a process."""

from __future__ import annotations

import contextlib
import ctypes
import resource
import sys
from pathlib import Path

import psutil

from bank_models.errors import DataError

GIB = 1 << 30
MEMORY_PER_CELL = 12  # of a table and its matrix
GROUPS = Path("/sys/fs/cgroup")
UNIFIED = ("memory.max", "memory.current", "inactive_file")
BY_CONTROLLER = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")


def available() -> int:
    """Bytes that this process may still take: what the machine, its container and its own limit (`ulimit -v`) leave it."""
    return max(0, min(psutil.virtual_memory().available, _left_in_container(), _left_to_process()))


def check_rows_at_once(what: str, n_rows: int, n_columns: int, advice: str) -> None:
    """Refuse what needs rows in memory at once, as a table and as a matrix, where they are too many.

    Raises
    ------
    DataError
    """
    n_bytes = n_rows * n_columns * MEMORY_PER_CELL
    if n_bytes > (free := available()):
        raise DataError(
            f"{what} needs {n_rows:,} rows in memory at once, about {n_bytes / GIB:,.1f} GiB, but "
            f"{free / GIB:,.1f} GiB are free."
            f"\n{advice}"
        )


def give_back() -> None:
    """Return to the system what was freed but is still held for later: as much as a table, after its columns were read."""
    if "pyarrow" in sys.modules:
        sys.modules["pyarrow"].default_memory_pool().release_unused()
    with contextlib.suppress(AttributeError, OSError):  # of a C library other than GNU's
        ctypes.CDLL(None).malloc_trim(0)


def _left_to_process() -> int:
    limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    return sys.maxsize if limit == resource.RLIM_INFINITY else limit - psutil.Process().memory_info().vms


def _left_in_container() -> int:
    """The least that is left in a control group of this process and in those around it."""
    try:
        lines = Path("/proc/self/cgroup").read_text(encoding="utf-8").splitlines()
    except OSError:
        return sys.maxsize
    left = [sys.maxsize]
    for _, controllers, place in (line.split(":", 2) for line in lines):
        if controllers in ("", "memory"):
            root, names = (GROUPS / controllers, BY_CONTROLLER if controllers else UNIFIED)
            group = root / place.lstrip("/")
            left += [_left_in(folder, *names) for folder in (group, *group.parents) if folder.is_relative_to(root)]
    return min(left)


def _left_in(group: Path, limit: str, usage: str, reclaimable: str) -> int:
    """What a control group leaves; what it holds of files that nobody uses is given back when it is needed."""
    try:
        facts = dict(line.split() for line in (group / "memory.stat").read_text().splitlines())
        used = int((group / usage).read_text()) - int(facts[reclaimable])
        return int((group / limit).read_text()) - used
    except (OSError, ValueError, KeyError):  # there is no such file, or no limit ("max")
        return sys.maxsize
