"""Column store: the columns of a table in memory, or on the disk where the table is larger than a budget.

On the disk they lie in a file without a name, which ends with the process whatever happens to it, and are mapped into memory: a
column still is an array, whose pages the system reads when they are looked at and drops when it needs the memory.
"""

from __future__ import annotations

import mmap
import os
import shutil
import tempfile
import weakref
from collections.abc import Callable

import numpy as np
import pandas as pd
import pyarrow as pa

from bank_models.data import opening
from bank_models.errors import DataError

Keep = Callable[[pd.Series], pd.Series]
BYTES_PER_CELL = 4  # of a number as models read it
ALIGNMENT = 64
WRITTEN_AT_ONCE = 1 << 16  # bytes: the system keeps what is written at once together, and maps all of it for a look at a cell
SPARE = 16  # what a file may grow to, as a multiple of the table: columns are kept as read, and again if they change
_maps: weakref.WeakSet[mmap.mmap] = weakref.WeakSet()


def in_memory(column: pd.Series) -> pd.Series:
    """The column as it is."""
    return column


def is_larger(n_rows: int, n_columns: int, memory_budget: int | None) -> bool:
    """Whether a table is larger than a budget in bytes; without one none is."""
    return memory_budget is not None and n_rows * n_columns * BYTES_PER_CELL > memory_budget


def on_disk(path: str, n_rows: int, n_columns: int) -> Keep:
    """What keeps the columns of a table in a file without a name, in the folder for temporary files (`TMPDIR`).

    Parameters
    ----------
    path : str
        Of the table, for messages.
    n_rows, n_columns : int

    Raises
    ------
    DataError
        If the disk has no room for them.
    """
    n_bytes, folder = n_rows * n_columns * BYTES_PER_CELL, tempfile.gettempdir()
    if n_bytes > (free := shutil.disk_usage(folder).free):
        raise DataError(
            f"{path} is larger than memory_budget, and {folder} has no room for it: {n_bytes / opening.GIB:,.1f} GiB are "
            f"needed, {free / opening.GIB:,.1f} GiB are free.\nName a folder with more room: TMPDIR=…"
        )
    return _File(SPARE * n_bytes + n_columns * ALIGNMENT * SPARE).keep


def taken(frame: pd.DataFrame, rows: np.ndarray, keep: Keep) -> pd.DataFrame:
    """Some rows of a frame, counted from 0, column by column."""
    return pd.DataFrame({name: keep(column.take(rows).reset_index(drop=True)) for name, column in frame.items()}, copy=False)


def kept(values: np.ndarray, keep: Keep) -> np.ndarray:
    """An array of one value a row, kept where the columns are."""
    return keep(pd.Series(values, copy=False)).to_numpy()


def spooled(batches: pa.RecordBatchReader) -> pa.Table:
    """A table of batches that come one after the other, on the disk: no more than one of them is in memory."""
    with tempfile.TemporaryFile() as file:
        with pa.ipc.new_file(pa.PythonFile(file, mode="w"), batches.schema) as writer:
            for batch in batches:
                batch.validate(full=True)
                writer.write_batch(batch)
        file.flush()
        mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    _maps.add(mapped)
    return pa.ipc.open_file(pa.py_buffer(mapped)).read_all()


def release() -> None:
    """Give mapped pages back to the system: what is looked at again is read again."""
    for each in _maps:
        each.madvise(mmap.MADV_DONTNEED)


class _File:
    """Columns, one after the other, in one mapped file."""

    def __init__(self, n_bytes: int):
        self._file, self._end = tempfile.TemporaryFile(), 0  # noqa: SIM115 (open as long as its columns are used)
        os.truncate(self._file.fileno(), n_bytes)  # takes no room before something is written
        self._map = mmap.mmap(self._file.fileno(), n_bytes, access=mmap.ACCESS_READ)
        _maps.add(self._map)

    def keep(self, column: pd.Series) -> pd.Series:
        """The column as before, on the disk; text and times with an offset stay in memory."""
        kind = column.dtype
        if isinstance(kind, pd.CategoricalDtype):
            codes = self._kept(column.cat.codes.to_numpy())
            values = pd.Categorical.from_codes(codes, dtype=kind, validate=False)
        elif isinstance(kind, np.dtype) and kind.kind != "O":
            values = self._kept(column.to_numpy())
        else:
            return column
        return pd.Series(values, index=column.index, name=column.name, copy=False)

    def _kept(self, values: np.ndarray) -> np.ndarray:
        place, raw, written = self._end, memoryview(np.ascontiguousarray(values).view("uint8")), 0
        while written < len(raw):
            written += os.pwrite(self._file.fileno(), raw[written : written + WRITTEN_AT_ONCE], place + written)
        self._end = -(-(place + len(raw)) // ALIGNMENT) * ALIGNMENT
        return np.frombuffer(self._map, dtype=values.dtype, count=len(values), offset=place)
