"""Batched reading of files that are scored."""

from __future__ import annotations

import gzip
import io
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from bank_models.data import arrow, csv_reader, file, opening, parquet_check, parquet_columns, signatures, table_files
from bank_models.data.columns import DIGITS_LOST, first_of, how_many
from bank_models.data.csv_check import TextCheck
from bank_models.data.fault import Fault
from bank_models.data.formats import is_text_table
from bank_models.data.reading import PLAIN, Reading
from bank_models.errors import DataError

BUFFER_BYTES = 1 << 20
NUMBERS = ("float", "int", "bool")


@dataclass(frozen=True)
class Batch:
    """Some rows as a file has them.

    Attributes
    ----------
    cells : Table
        In a CSV every cell is text.
    rows : ndarray of shape (n_rows,)
        Places in the file, the first row being 0.
    ragged : dict of int to str
        Rows with too few or too many cells, which are not among the cells, and what is wrong with them.
    share_read : float
        Of the file, in [0, 1].
    """

    cells: pa.Table
    rows: np.ndarray
    ragged: dict[int, str] = field(default_factory=dict)
    share_read: float = 1.0


def read_batches(path: str, kinds: Mapping[str, str], batch_rows: int, reading: Reading = PLAIN) -> Iterator[Batch]:
    """Read columns of a table, a number of rows at a time.

    Parameters
    ----------
    path : str
        A file that `bank_models.data.file.load` would read.
    kinds : mapping of str to str
        Columns to read, and the feature type of each.
    batch_rows : int
        Most rows of a batch. A CSV is read in blocks of 16 MiB, so that its batches may be smaller.
    reading : Reading
        How the table was spelled that the model learnt from. A plain CSV is read as one all the same.

    Yields
    ------
    Batch

    Raises
    ------
    DataError
        If there is no such file, it is cut short, damaged or not a table, or columns are missing. At most three lines.
    """
    file.check_path(Path(path))
    n_rows = 0
    try:
        for batch in _batches(path, kinds, batch_rows, reading):
            n_rows += len(batch.rows) + len(batch.ragged)
            yield batch
    except MemoryError as error:
        raise opening.too_large(path) from error
    if n_rows == 0:
        raise DataError(f"{path} has a header but no rows.")


def read_group(
    path: str, kinds: Mapping[str, str], batch_rows: int, reading: Reading, group: tuple[int, int], first_row: int
) -> Iterator[Batch]:
    """The batches of `read_batches` that come from one row group of a folder of Parquet files.

    Parameters
    ----------
    path, kinds, batch_rows, reading
        As of `read_batches`.
    group : tuple of int
        One that `bank_models.data.parquet_columns.ParquetFolder.groups` names.
    first_row : int
        How many rows stand before it.
    """
    n_read = first_row
    for table in parquet_columns.ParquetFolder(path).batches(list(kinds), batch_rows, group):
        rows = np.arange(n_read, n_read + len(table))
        n_read += len(table)
        yield Batch(reading.cells(table, kinds), rows)


def _batches(path: str, kinds: Mapping[str, str], batch_rows: int, reading: Reading) -> Iterator[Batch]:
    if is_text_table(path):
        return _read_csv(path, kinds, batch_rows, _reading_of(path, kinds, reading))
    if path.lower().endswith(".parquet") and not Path(path).is_dir():
        return _read_parquet(path, kinds, batch_rows)
    read = _read_folder if Path(path).is_dir() else _read_whole
    return read(path, kinds, batch_rows, reading)


def _read_folder(path: str, kinds: Mapping[str, str], batch_rows: int, reading: Reading) -> Iterator[Batch]:
    """A folder of Parquet files, in the order of their names."""
    folder, n_read = parquet_columns.ParquetFolder(path), 0
    file.check_columns(path, folder.names, list(kinds))
    for table in folder.batches(list(kinds), batch_rows):
        rows = np.arange(n_read, n_read + len(table))
        n_read += len(table)
        yield Batch(reading.cells(table, kinds), rows, {}, n_read / folder.n_rows)


def _read_whole(path: str, kinds: Mapping[str, str], batch_rows: int, reading: Reading) -> Iterator[Batch]:
    """A table of a kind that is read at once, cut into batches."""
    table, _ = table_files.read(path, reading)
    file.check_columns(path, table.column_names, list(kinds))
    table = reading.cells(table.select(list(kinds)), kinds)
    for start in range(0, len(table), batch_rows):
        cells = table.slice(start, batch_rows)
        yield Batch(cells, np.arange(start, start + len(cells)), {}, (start + len(cells)) / len(table))


def _reading_of(path: str, kinds: Mapping[str, str], reading: Reading) -> Reading:
    """The reading of the model's own table, unless only as plain CSV the file has the columns."""
    if reading == PLAIN:
        return reading
    fits = []
    for one in (reading, PLAIN):
        try:
            fits.append(set(kinds) <= set(one.names(csv_reader.header(path, _first_text(path, one)))))
        except DataError:
            fits.append(False)
    return PLAIN if fits == [False, True] else reading


def to_frame(cells: pa.Table, rows: np.ndarray, kinds: Mapping[str, str]) -> tuple[pd.DataFrame, list[Fault]]:
    """Cells as pandas has them, with the places of the rows as index; and integers that no number can hold.

    Text becomes a number where that is the column's type and every cell can be one.
    """
    columns, lost = {}, {}
    for name, kind in kinds.items():
        given = column = cells[name]
        if kind in NUMBERS and pa.types.is_string(given.type):
            column = arrow.from_text(given, kind)
            beyond = None if column is given else arrow.digits_lost(given, column)
            if beyond is not None:
                lost[name] = beyond.fill_null(False).to_numpy()
        columns[name] = arrow.for_pandas(column, kind)
    frame = pa.table(columns).to_pandas()
    is_whole = len(rows) and rows[-1] - rows[0] == len(rows) - 1
    frame.index = pd.RangeIndex(rows[0], rows[-1] + 1) if is_whole else pd.Index(rows)
    faults = [
        Fault(name, f"{how_many(bad)} {DIGITS_LOST} ({first_of(bad, frame[name])})", bad, DIGITS_LOST)
        for name, bad in lost.items()
        if bad.any()
    ]
    return frame, faults


def _read_parquet(path: str, kinds: Mapping[str, str], batch_rows: int) -> Iterator[Batch]:
    start, names = _start(path), list(kinds)
    with opening.open_file(Path(path)) as opened:
        try:
            schema = pq.read_schema(opened)
            file.check_columns(path, schema.names, names)
            texts = [name for name in parquet_check.texts_of(schema, names) if kinds[name] == "category"]
            table = pq.ParquetFile(
                opened, read_dictionary=texts, buffer_size=BUFFER_BYTES, pre_buffer=False, page_checksum_verification=True
            )
            check = parquet_check.StatisticsCheck(table.metadata, names)
            n_rows, n_read = table.metadata.num_rows, 0
            for cells in table.iter_batches(batch_rows, columns=names):
                cells.validate(full=True)
                batch = pa.Table.from_batches([cells])
                check.feed(batch)
                rows = np.arange(n_read, n_read + len(cells))
                n_read += len(cells)
                yield Batch(batch, rows, {}, n_read / n_rows)
            check.finish()
        except MemoryError:
            raise
        except parquet_check.BROKEN as error:
            raise parquet_columns.broken_parquet(path, start, error) from error


def _read_csv(path: str, kinds: Mapping[str, str], batch_rows: int, reading: Reading) -> Iterator[Batch]:
    columns, found = list(kinds), csv_reader.header(path, _first_text(path, reading))
    names = reading.names(found)
    file.check_columns(path, names, columns)
    in_file = [found[names.index(name)] for name in columns]
    ragged: dict[int, str] = {}

    def skip(row: pa_csv.InvalidRow) -> str:
        ragged[row.number - 2] = f"{row.actual_columns} cells instead of {row.expected_columns}"  # the header is row 1
        return "skip"

    n_read, n_told = 0, 0
    with _Text(path, found, reading) as text:
        try:
            reader = pa_csv.open_csv(
                pa.PythonFile(text, mode="r"),
                pa_csv.ReadOptions(block_size=csv_reader.BLOCK_BYTES, use_threads=False),
                pa_csv.ParseOptions(newlines_in_values=True, invalid_row_handler=skip),
                pa_csv.ConvertOptions(
                    include_columns=in_file,
                    column_types=dict.fromkeys(in_file, pa.string()),
                    null_values=[""],
                    strings_can_be_null=True,
                ),
            )
            for block in reader:
                for start in range(0, len(block), batch_rows):
                    cells = block.slice(start, batch_rows)
                    rows = _places(n_read, len(cells), ragged)
                    table = pa.Table.from_batches([cells])
                    csv_reader.check_no_header(path, table, int(rows[0]))
                    table = table if reading == PLAIN else reading.cells(table.rename_columns(columns), kinds)
                    n_read += len(cells)
                    new = dict(list(ragged.items())[n_told:])
                    n_told = len(ragged)
                    yield Batch(table, rows, new, text.share_read)
        except MemoryError:
            raise
        except (pa.ArrowException, OSError) as error:
            raise DataError(f"{path} cannot be read as CSV: {signatures.one_line(error)}") from error
        text.finish()
    if new := dict(list(ragged.items())[n_told:]):
        yield Batch(pa.table({name: pa.array([], pa.string()) for name in columns}), np.arange(0), new)


def _places(n_read: int, n_rows: int, ragged: Mapping[int, str]) -> np.ndarray:
    """Where rows stand in the file, those counted that were left out because they are ragged."""
    places = np.arange(n_read, n_read + n_rows)
    left_out = np.sort(np.fromiter(ragged, dtype=np.int64, count=len(ragged)))
    return places + np.searchsorted(left_out - np.arange(len(left_out)), places, side="right")


class _Text:
    """The bytes of a CSV, unpacked where it is packed and checked, for a reader that takes them piece by piece."""

    def __init__(self, path: str, columns: list[str], reading: Reading):
        self._path, self._recoder = path, reading.recoder()
        self._packed = opening.open_file(Path(path))
        self._size = os.fstat(self._packed.fileno()).st_size
        self._text = _unpacked(path, self._packed, self._size)
        self._check = TextCheck(path, columns, lambda: _open_text(path))
        self.closed = False

    def __enter__(self) -> _Text:
        return self

    def __exit__(self, *exc_info) -> None:
        self.close()

    def close(self) -> None:
        self.closed = True
        self._text.close()
        self._packed.close()

    @property
    def share_read(self) -> float:
        return self._packed.tell() / self._size

    def read(self, n_bytes: int) -> bytes:
        (piece,) = csv_reader.recoded(self._path, [self._text.read(n_bytes)], self._recoder)
        self._check.feed(piece)
        return piece

    def finish(self) -> None:
        """Look at how the text ended."""
        self._check.finish()


def _is_packed(path: str) -> bool:
    return path.lower().endswith(".gz")


def _unpacked(path: str, packed: BinaryIO, size: int) -> BinaryIO | opening.Unpacked:
    """The text of a file as a stream; what Zstandard packed is unpacked at once."""
    if path.lower().endswith(".zst"):
        return io.BytesIO(table_files.unpacked_zst(path, packed.read()))
    return opening.Unpacked(path, packed, size) if _is_packed(path) else packed


def _open_text(path: str) -> BinaryIO:
    opened = opening.open_file(Path(path))
    if path.lower().endswith(".zst"):
        return io.BytesIO(table_files.unpacked_zst(path, opened.read()))
    return gzip.GzipFile(fileobj=opened) if _is_packed(path) else opened


def _start(path: str) -> bytes:
    with opening.open_file(Path(path)) as opened:
        try:
            start = opened.read(BUFFER_BYTES)
        except OSError as error:
            raise DataError(f"{path} cannot be read: {error.strerror}.") from error
    if not start:
        raise DataError(f"{path} is empty (0 bytes).")
    return start


def _first_text(path: str, reading: Reading) -> bytes:
    start = _start(path)
    if _is_packed(path):
        csv_reader.check_gzip(path, start)
    with opening.open_file(Path(path)) as opened:
        text = _unpacked(path, opened, os.fstat(opened.fileno()).st_size).read(BUFFER_BYTES)
    return next(csv_reader.recoded(path, [text], reading.recoder()))
