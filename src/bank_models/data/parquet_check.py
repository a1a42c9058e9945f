"""Parquet statistics and checksums, compared with the values read."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

HEADER_BYTES = 32  # more than the beginning of a page's header takes
I32 = 0x15  # the next field of a structure, a number of 32 bits, in Thrift's compact protocol
BYTES_PER_CELL = 16  # as Arrow and as pandas hold a number
EXTREMES = (np.fmin.reduce, np.fmax.reduce)  # which leave NaN out
NO_CHECKSUMS = (
    "The Parquet file has no page checksums, so most changes of single bytes in it cannot be noticed. "
    "To write them: pyarrow.parquet.write_table(…, write_page_checksum=True)."
)


class ContradictionError(Exception):
    """The values are not those that the file says it has."""


BROKEN = (pa.ArrowException, OSError, ValueError, OverflowError, ContradictionError)
"""What reading a damaged file may raise: what Arrow says, and Python of names that are no text and of numbers too large."""


def texts_of(schema: pa.Schema, names: Collection[str]) -> list[str]:
    """Columns of text, which are read as dictionaries: each value once, however many rows have it."""
    kinds = {name: schema.field(name).type for name in names}
    return [name for name, kind in kinds.items() if pa.types.is_string(kind) or pa.types.is_large_string(kind)]


def memory_needed(metadata: pq.FileMetaData, names: Collection[str]) -> int:
    """Bytes that some columns take once they are read, as far as the file tells."""
    chunks = _chunks(metadata, names)
    return sum(chunk.total_uncompressed_size for _, chunk in chunks) + metadata.num_rows * len(names) * BYTES_PER_CELL


def has_page_checksums(metadata: pq.FileMetaData, names: Collection[str], read_at: Callable[[int, int], bytes]) -> bool:
    """Whether the first page of each chunk of some columns has a checksum.

    Parameters
    ----------
    metadata : FileMetaData
    names : collection of str
    read_at : callable
        Gives bytes of the file: ``read_at(offset, n_bytes)``.
    """
    return all(_has_checksum(read_at(_offset(chunk), HEADER_BYTES)) for _, chunk in _chunks(metadata, names))


class StatisticsCheck:
    """Compares values with the statistics of their column chunks, batch after batch.

    Numbers and dates must have the smallest and the largest value that the file names, text must lie between them (some
    writers shorten them), and as many values must be missing.

    Parameters
    ----------
    metadata : FileMetaData
    names : collection of str
        Columns that are read.
    """

    def __init__(self, metadata: pq.FileMetaData, names: Collection[str]):
        self._metadata, self._names = metadata, list(names)
        self._is_exact = (metadata.created_by or "").startswith("parquet-cpp-arrow")
        self._group, self._n_read = 0, 0
        self._parts: dict[str, list[pa.ChunkedArray]] = {name: [] for name in self._names}

    def feed(self, table: pa.Table) -> None:
        """Look at the next rows.

        Raises
        ------
        ContradictionError
        """
        while len(table) and self._group < self._metadata.num_row_groups:
            group = self._metadata.row_group(self._group)
            part = table.slice(0, group.num_rows - self._n_read)
            for name in self._names:
                self._parts[name].append(_summary(part[name]))
            self._n_read += len(part)
            table = table.slice(len(part))
            if self._n_read == group.num_rows:
                self._check_group(group)
                self._group, self._n_read = self._group + 1, 0
                self._parts = {name: [] for name in self._names}
        if len(table):
            raise ContradictionError(f"it has more rows than the {self._metadata.num_rows:,} that it names")

    def finish(self) -> None:
        """Look whether all rows came.

        Raises
        ------
        ContradictionError
        """
        groups = [self._metadata.row_group(i) for i in range(self._group, self._metadata.num_row_groups)]
        if self._n_read or any(group.num_rows for group in groups):
            raise ContradictionError(f"it has fewer rows than the {self._metadata.num_rows:,} that it names")

    def _check_group(self, group: pq.RowGroupMetaData) -> None:
        for name, chunk in _chunks_of(group, self._names):
            try:
                self._check_column(name, chunk, self._parts[name])
            except (ValueError, OverflowError) as error:  # a text or a moment that cannot be
                raise ContradictionError(f"{name} has a value that cannot be") from error

    def _check_column(self, name: str, chunk: pq.ColumnChunkMetaData, found: list[dict[str, Any]]) -> None:
        said = chunk.statistics
        n_missing = sum(part["missing"] for part in found)
        if said is None:
            return
        if said.has_null_count and said.null_count != n_missing:
            raise ContradictionError(f"{name} has {n_missing:,} missing values, not the {said.null_count:,} that it names")
        values = [value for part in found for value in part["extremes"] if value is not None and value == value]
        if not said.has_min_max or not values or said.min != said.min or said.max != said.max:
            return
        low, high, is_text = min(values), max(values), isinstance(values[0], str)
        is_same = (low, high) == (said.min, said.max)
        if not is_same and (self._is_exact or not is_text or low < said.min or high > said.max):
            raise ContradictionError(f"{name} reaches from {low!r} to {high!r}, not from {said.min!r} to {said.max!r}")


def _summary(column: pa.ChunkedArray) -> dict[str, Any]:
    """Missing values, smallest and largest one of a column; none for a type that has no order here."""
    kind, missing, of = column.type, column.null_count, pa.types
    if of.is_dictionary(kind):
        column, kind = pa.chunked_array(map(_used, column.chunks), kind.value_type), kind.value_type
    if of.is_float32(kind) or of.is_float64(kind):
        values = column.drop_null().to_numpy()  # which finds extremes several times faster
        return {"missing": missing, "extremes": [float(find(values)) for find in EXTREMES] if len(values) else []}
    tests = (of.is_integer, of.is_boolean, of.is_string, of.is_large_string, of.is_date, of.is_timestamp, of.is_decimal)
    if not any(test(kind) for test in tests):
        return {"missing": missing, "extremes": []}
    extremes = pc.min_max(column)
    return {"missing": missing, "extremes": [extremes["min"].as_py(), extremes["max"].as_py()]}


def _used(chunk: pa.DictionaryArray) -> pa.Array:
    """Values of a dictionary that some row has."""
    is_used = np.zeros(len(chunk.dictionary), dtype=bool)
    is_used[chunk.indices.drop_null().to_numpy()] = True
    return chunk.dictionary.filter(pa.array(is_used))


def _chunks(metadata: pq.FileMetaData, names: Collection[str]) -> list[tuple[str, pq.ColumnChunkMetaData]]:
    groups = (metadata.row_group(i) for i in range(metadata.num_row_groups))
    return [found for group in groups for found in _chunks_of(group, names)]


def _chunks_of(group: pq.RowGroupMetaData, names: Collection[str]) -> list[tuple[str, pq.ColumnChunkMetaData]]:
    chunks = (group.column(i) for i in range(group.num_columns))
    return [(chunk.path_in_schema, chunk) for chunk in chunks if chunk.path_in_schema in names]


def _offset(chunk: pq.ColumnChunkMetaData) -> int:
    dictionary = chunk.dictionary_page_offset if chunk.has_dictionary_page else None
    return min(dictionary, chunk.data_page_offset) if dictionary else chunk.data_page_offset


def _has_checksum(header: bytes) -> bool:
    """Whether a page's header has a fourth field, the checksum, after its type and its two sizes."""
    place, header = 0, header + bytes(HEADER_BYTES)
    for _ in range(3):
        if header[place] != I32:
            return False
        place += 1
        while header[place] & 0x80:  # the number goes on
            place += 1
        place += 1
    return header[place] == I32
