"""Columns of a Parquet file, or of a folder of them, read some at a time."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from bank_models.data import opening, parquet_check, table_files
from bank_models.data.columns import INT32
from bank_models.data.signatures import looks_like, one_line
from bank_models.errors import DataError

AT_ONCE = 1 << 24  # bytes of memory that columns may take which are read together
FEWEST = 2  # columns that are read together all the same: each is unpacked on a core of its own
START_BYTES = 1 << 12
BUFFER_BYTES = 1 << 20


class ParquetFile:
    """An open Parquet file.

    Attributes
    ----------
    names : list of str
        Of all columns.
    n_rows : int
    sha256 : str
        Of its bytes.
    """

    def __init__(self, path: str, opened: BinaryIO):
        self._path, self._opened, self._state = path, opened, _state_of(opened)
        self._start = opened.read(START_BYTES)
        if not self._start:
            raise DataError(f"{path} is empty (0 bytes).")
        opened.seek(0)
        self.sha256 = hashlib.file_digest(opened, "sha256").hexdigest()
        self._check_unchanged()
        with self._explained():
            file = pq.ParquetFile(opened)
        self._schema, self._metadata = file.schema_arrow, file.metadata
        self.names, self.n_rows = self._schema.names, file.metadata.num_rows

    def pieces(self, names: list[str]) -> Iterator[list[str]]:
        """Columns that are read together."""
        yield from _pieces(names, self.n_rows)

    def read(self, names: list[str], kinds: dict[str, str]) -> pa.Table:
        """Some columns, compared with what the file says of them."""
        opening.check_memory(self._path, parquet_check.memory_needed(self._metadata, names))
        texts = parquet_check.texts_of(self._schema, names)
        how = {"read_dictionary": texts, "page_checksum_verification": True, "metadata": self._metadata}
        with self._explained():
            table = pq.ParquetFile(self._opened, **how).read(columns=names)
            table.validate(full=True)
            check = parquet_check.StatisticsCheck(self._metadata, names)
            check.feed(table)
            check.finish()
            for name in names:
                if pa.types.is_dictionary(table[name].type) and kinds[name] != "category":
                    table = _spelled_out(self._path, table, name)
        return table

    def notes(self, names: list[str]) -> list[str]:
        """What a reader should know of the file, once it has been read."""
        self._check_unchanged()
        with self._explained():
            has_checksums = parquet_check.has_page_checksums(self._metadata, names, self._read_at)
        return [] if has_checksums else [parquet_check.NO_CHECKSUMS]

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except MemoryError as error:
            raise opening.too_large(self._path) from error
        except parquet_check.BROKEN as error:
            raise broken_parquet(self._path, self._start, error) from error

    def _read_at(self, place: int, n_bytes: int) -> bytes:
        return os.pread(self._opened.fileno(), n_bytes, place)

    def _check_unchanged(self) -> None:
        if _state_of(self._opened) != self._state:
            raise DataError(f"{self._path} was changed while it was read: wait until it is written, then run again.")


class ParquetFolder:
    """A folder of Parquet files with the same columns, and further columns from folders that are called name=value.

    Attributes are those of `ParquetFile`.
    """

    def __init__(self, folder: str):
        import pyarrow.dataset as dataset

        self._folder, self._parts = folder, table_files.parts_of(Path(folder))
        self._keys_of = dataset.get_partition_keys
        read = dataset.ParquetFragmentScanOptions(
            use_buffered_stream=True,
            pre_buffer=False,  # which would hold whole files
            page_checksum_verification=True,
        )
        kind = dataset.ParquetFileFormat(default_fragment_scan_options=read)
        with table_files.explained(folder):
            self._found = dataset.dataset(
                [str(path) for path in self._parts], format=kind, partitioning="hive", partition_base_dir=folder
            )
            self.names, self.n_rows = self._found.schema.names, self._found.count_rows()

    @property
    def sha256(self) -> str:
        """Hash of the names and the bytes of its files."""
        digest = hashlib.sha256()
        for path in self._parts:
            digest.update(f"{path.relative_to(self._folder).as_posix()}\0".encode())
            with opening.open_file(path) as opened:
                digest.update(hashlib.file_digest(opened, "sha256").digest())
        return digest.hexdigest()

    def groups(self) -> list[tuple[tuple[int, int], int]]:
        """Its row groups in order: number of the file and of the group in it, and how many rows it has."""
        with table_files.explained(self._folder):
            return [
                ((number, group.id), group.num_rows)
                for number, fragment in enumerate(self._found.get_fragments())
                for group in fragment.row_groups
            ]

    def batches(self, names: list[str], batch_rows: int, group: tuple[int, int] | None = None) -> Iterator[pa.Table]:
        """Some columns, a number of rows at a time; of one row group, the same batches as when all are read.

        A scan of the folder would read ten times as many ahead.
        """
        with table_files.explained(self._folder):
            for number, part in enumerate(self._found.get_fragments()):
                if group is None or number == group[0]:
                    with opening.open_file(Path(part.path)) as opened:
                        for batch in _batches_of(opened, names, batch_rows, group and group[1]):
                            yield table_files.plain(self._completed(batch, names, self._keys_of(part.partition_expression)))

    def _completed(self, batch: pa.RecordBatch, names: list[str], keys: dict[str, object]) -> pa.Table:
        """Columns in the types of the folder: those of its folders' names, and those that a file lacks, too."""
        columns, n_rows = {}, len(batch)
        for name in names:
            kind = self._found.schema.field(name).type
            kind = kind.value_type if pa.types.is_dictionary(kind) else kind
            if name in keys:
                columns[name] = pa.repeat(pa.scalar(keys[name], kind), n_rows)
            else:
                columns[name] = batch[name].cast(kind) if name in batch.schema.names else pa.nulls(n_rows, kind)
        return pa.table(columns)

    def pieces(self, names: list[str]) -> Iterator[list[str]]:
        """Columns that are read together."""
        yield from _pieces(names, self.n_rows)

    def read(self, names: list[str], kinds: dict[str, str]) -> pa.Table:
        """Some columns, text as it is spelled."""
        opening.check_memory(self._folder, self.n_rows * len(names) * parquet_check.BYTES_PER_CELL)
        with table_files.explained(self._folder):
            table = self._found.to_table(columns=names, use_threads=False)
            table.validate(full=True)
        return table_files.plain(table)

    def notes(self, names: list[str]) -> list[str]:
        """Nothing: the files' checksums are verified where they have some."""
        return []


def _batches_of(opened: BinaryIO, names: list[str], batch_rows: int, group: int | None) -> Iterator[pa.RecordBatch]:
    """Batches of a file, none of them of two row groups."""
    file = pq.ParquetFile(opened, buffer_size=BUFFER_BYTES, pre_buffer=False, page_checksum_verification=True)
    in_file = [name for name in file.schema_arrow.names if name in names] or file.schema_arrow.names[:1]
    for each in range(file.num_row_groups) if group is None else [group]:
        for batch in filter(len, file.iter_batches(batch_rows, [each], in_file, use_threads=False)):
            batch.validate(full=True)
            yield batch


@contextmanager
def opened(path: str) -> Iterator[ParquetFile | ParquetFolder]:
    """Open a Parquet file, or a folder of them.

    Raises
    ------
    DataError
        If it is none, is damaged, or changes while it is read.
    """
    if Path(path).is_dir():
        yield ParquetFolder(path)
        return
    with opening.open_file(Path(path)) as file:
        yield ParquetFile(path, file)


def broken_parquet(path: str, start: bytes, error: Exception) -> DataError:
    """Say why a file that starts with these bytes is no Parquet file that can be read."""
    why = looks_like(start) if not start.startswith(b"PAR1") else "it was cut short or changed"
    return DataError(
        f"{path} is not a whole Parquet file: {why or 'it starts with other bytes'}.\n"
        f"The reader says: {one_line(error)}\nWrite or copy the file again."
    )


def narrowed(column: pd.Series, kind: str) -> pd.Series:
    """Numbers in the type that models read, where it can hold them; what it cannot is left to the validation."""
    values = column.to_numpy() if column.dtype in ("float64", "int64") else None
    if kind == "float" and column.dtype == "float64":
        with np.errstate(over="ignore"):
            narrow = values.astype("float32")
        return column if np.isinf(narrow).any() else pd.Series(narrow, column.index, name=column.name, copy=False)
    if kind == "int" and column.dtype == "int64" and len(values) and INT32.min <= values.min() and values.max() <= INT32.max:
        return column.astype("int32")
    return column


def _state_of(opened: BinaryIO) -> tuple[int, int]:
    found = os.fstat(opened.fileno())
    return found.st_size, found.st_mtime_ns


def _pieces(names: list[str], n_rows: int) -> Iterator[list[str]]:
    n_columns = max(FEWEST, AT_ONCE // max(1, n_rows * parquet_check.BYTES_PER_CELL))
    for first in range(0, len(names), n_columns):
        yield names[first : first + n_columns]


def _spelled_out(path: str, table: pa.Table, name: str) -> pa.Table:
    """The table with a column in which each row has its own copy of its value, if the memory can hold that."""
    column = table[name]
    if pa.types.is_string(column.type.value_type) or pa.types.is_large_string(column.type.value_type):
        lengths = [pc.binary_length(chunk.dictionary).take(chunk.indices) for chunk in column.chunks]
        opening.check_memory(path, 2 * sum(pc.sum(part.cast(pa.int64())).as_py() or 0 for part in lengths))
    place = table.column_names.index(name)
    return table.set_column(place, name, column.cast(column.type.value_type))
