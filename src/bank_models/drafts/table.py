"""Raw table of a draft: cells as text, and the dialect of the file."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from bank_models.data import csv_reader, file, opening, parquet_check, parquet_columns, signatures, table_files
from bank_models.data.formats import is_text_table
from bank_models.data.reading import PLAIN, Reading
from bank_models.drafts import sniffing
from bank_models.errors import DataError

NUMBER = sniffing.number_pattern(".", None)
MOST_VALUES = 5_000  # different ones of a column that are looked at, the most frequent first
MARK = r".,' \x{2019}\x{00a0}\x{202f}"  # within a number
LIKE_A_NUMBER = rf"^[\s€$£%(]*[+\x{{2212}}-]?[\d{MARK}]*\d[\d{MARK}]*([eE][+-]?\d+)?[\s€$£%)-]*$"


@dataclass(frozen=True)
class Opened:
    """A table with all its columns.

    Attributes
    ----------
    cells : Table
        Of text where the file is; without columns that share their name with another.
    reading : Reading
    said : list of str
        How the file was read, a sentence each, with what speaks for it.
    left_out : dict of str to str
        Columns that cannot be named, and why.
    is_text : bool
        Whether cells spell numbers and dates.
    """

    cells: pa.Table
    reading: Reading
    said: list[str] = field(default_factory=list)
    left_out: dict[str, str] = field(default_factory=dict)
    is_text: bool = True


def open_table(source: str | Path | pd.DataFrame, sheet: str | None = None) -> Opened:
    """Read all columns of a file, or take those of a frame.

    Raises
    ------
    DataError
        If the file cannot be read, or holds no rows.
    """
    if isinstance(source, pd.DataFrame):
        opened = _of_frame(source)
    elif is_text_table(str(source)):
        file.check_path(Path(source))
        opened = _of_text(str(source))
    else:
        file.check_path(Path(source))
        opened = _of_other(str(source), Reading(sheet=sheet))
    if not len(opened.cells):
        raise DataError(f"{source if isinstance(source, str | Path) else 'The frame'} has a header but no rows.")
    return opened


@dataclass(frozen=True)
class Values:
    """Texts of a column: how often each of the frequent ones and of those that look like no number stands there, and how many
    different ones there are in all."""

    counts: Counter
    n_different: int


def values_of(column: pa.ChunkedArray) -> Values:
    counted = pc.value_counts(column.combine_chunks() if column.num_chunks != 1 else column.chunk(0))
    values, counts = counted.field("values"), counted.field("counts")
    n_different = len(values) - (column.null_count > 0)
    if len(values) > MOST_VALUES:
        first = pc.array_sort_indices(counts, order="descending")
        is_odd = pc.invert(pc.fill_null(pc.match_substring_regex(values, LIKE_A_NUMBER), False))
        odd = pc.indices_nonzero(is_odd)[:MOST_VALUES]
        chosen = pa.array(sorted({*first[:MOST_VALUES].to_pylist(), *odd.to_pylist()}))
        values, counts = values.take(chosen), counts.take(chosen)
    pairs = zip(values.to_pylist(), counts.to_pylist(), strict=True)
    return Values(Counter({value: n for value, n in pairs if value is not None}), n_different)


def _of_text(path: str) -> Opened:
    raw = opening.read_bytes(Path(path), csv_reader.MEMORY_PER_BYTE)
    pieces = list(csv_reader.pieces_of(path, raw))
    raw = pieces[0] if len(pieces) == 1 else b"".join(pieces)
    if raw.startswith(signatures.GZIP):
        raise DataError(f"{path} is packed with gzip. Rename it: its name must end in .csv.gz.")
    reading, said = sniffing.reading_of(raw)
    recoded = csv_reader.recoded(path, pieces, reading.recoder())
    first = next(recoded, b"")
    found = csv_reader.header(path, first)
    text = csv_reader.checked_text(path, found, first, recoded)
    places = [f"c{i}" for i in range(len(found))]
    try:
        table = pa_csv.read_csv(
            pa.BufferReader(text),
            pa_csv.ReadOptions(
                block_size=csv_reader.BLOCK_BYTES, use_threads=False, column_names=places, skip_rows_after_names=1
            ),
            pa_csv.ParseOptions(newlines_in_values=True),
            pa_csv.ConvertOptions(column_types=dict.fromkeys(places, pa.string()), null_values=[""], strings_can_be_null=True),
        )
    except MemoryError as error:
        raise opening.too_large(path) from error
    except pa.ArrowException as error:
        raise DataError(
            csv_reader.ragged(path, text, found[:1]) or f"{path} cannot be read as CSV: {signatures.one_line(error)}"
        ) from error
    table, left_out = _named(table, reading.names(found))
    return Opened(reading.cells(table, {}), reading, said, left_out)


def _of_other(path: str, reading: Reading) -> Opened:
    if path.lower().endswith(".parquet") and not Path(path).is_dir():
        raw = opening.read_bytes(Path(path))
        try:
            table = table_files.plain(pq.read_table(pa.BufferReader(raw)))
        except MemoryError as error:
            raise opening.too_large(path) from error
        except parquet_check.BROKEN as error:
            raise parquet_columns.broken_parquet(path, raw, error) from error
    else:
        table, _ = table_files.read(path, reading)
    table, left_out = _named(table, table.column_names)
    kind = "a folder of Parquet files" if Path(path).is_dir() else table_files.KINDS.get(Path(path).suffix.lower(), "Parquet")
    is_text = path.lower().endswith((".xlsx", ".jsonl", ".ndjson"))
    return Opened(table, reading, [f"{kind}, {len(table.column_names)} columns"], left_out, is_text)


def _of_frame(frame: pd.DataFrame) -> Opened:
    names = [str(name) for name in frame.columns]
    unique = frame.set_axis(range(frame.shape[1]), axis=1)
    columns = {}
    for place in unique:
        column = unique[place]
        if isinstance(column.dtype, pd.CategoricalDtype):
            column = column.astype(object).where(column.notna(), None)
        try:
            columns[str(place)] = pa.chunked_array([pa.array(column, from_pandas=True)])
        except (pa.ArrowInvalid, pa.ArrowTypeError):
            columns[str(place)] = pa.chunked_array([pa.array([None if v is None or v != v else str(v) for v in column])])
    table, left_out = _named(pa.table(columns), names)
    return Opened(table_files.plain(table), PLAIN, [f"a frame, {len(names)} columns"], left_out, is_text=False)


def _named(table: pa.Table, names: list[str]) -> tuple[pa.Table, dict[str, str]]:
    """The columns under their names, without those that cannot be told by it, and why not."""
    counts, left_out = Counter(names), {}
    for name, n in counts.items():
        if not name.strip():
            left_out[name] = "it has no name"
        elif n > 1:
            left_out[name] = f"{n} columns have this name"
        elif "${" in name or not name.isprintable():
            left_out[name] = "its name holds what no setting can"
    plain = Counter(file.plain_name(name) for name in counts)
    for name in counts:
        if name not in left_out and plain[file.plain_name(name)] > 1:
            left_out[name] = "another column's name looks like it"
    kept = [place for place, name in enumerate(names) if name not in left_out]
    return table.select(kept).rename_columns([names[place] for place in kept]), left_out


def without_blanks(opened: Opened) -> Opened:
    """The table without blanks around its cells: a cell of nothing else is missing."""
    reading = replace(opened.reading, strip=True)
    said = [*opened.said, "blanks around cells are taken away: a cell of nothing else is missing"]
    return replace(opened, cells=replace(reading, separator=",").cells(opened.cells, {}), reading=reading, said=said)


def names_like_values(names: list[str]) -> bool:
    """Whether names of columns look like the cells of a row: numbers that are in no order, or no whole ones."""
    texts = [name.strip() for name in names]
    numbers = [float(text) for text in texts if NUMBER.fullmatch(text)]
    if len(numbers) < 2:
        return bool(numbers) and not numbers[0].is_integer()
    return any(one >= other for one, other in pairwise(numbers))


def with_marks(opened: Opened, values: dict[str, Values]) -> Opened:
    """The table with what its numbers tell of decimal point, thousands and symbols."""
    if not opened.is_text:
        return opened
    decimal, thousands, symbols = sniffing.marks_of([one.counts for one in values.values()])
    reading = replace(opened.reading, decimal=decimal, thousands=thousands, symbols=tuple(symbols))
    said = [*opened.said]
    if decimal != "." or thousands:
        mark = f", {thousands!r} between thousands" if thousands else ""
        said.append(f"numbers are written with {decimal!r} before decimals{mark}")
    if symbols:
        said.append(f"{', '.join(symbols)} beside numbers is not read")
    return replace(opened, reading=reading, said=said)
