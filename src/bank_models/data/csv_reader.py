"""CSV reader: decompression, recoding, header, damage, parsing."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator, Mapping

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv

from bank_models.data import opening, table_files
from bank_models.data.csv_check import TextCheck
from bank_models.data.reading import Recoder
from bank_models.data.signatures import EXPORT, GZIP, looks_like, one_line
from bank_models.data.target import shorten
from bank_models.errors import DataError

BLOCK_BYTES = 1 << 24  # a row must fit into one block


A_ROW = re.compile(rb"[\r\n]\s*\S")  # after the header


THOUSANDS = r"^\s*-?[1-9]\d{0,2}\.\d{3}\s*$"


def check_no_header(path: str, table: pa.Table, n_before: int = 0) -> None:
    """Refuse a row that repeats the names of the columns.

    Raises
    ------
    DataError
    """
    names = iter(table.column_names)
    is_header = pc.equal(table[(first := next(names))], first)
    for name in names:
        if not pc.any(is_header).as_py():
            return
        is_header = pc.and_(is_header, pc.equal(table[name], name))
    if (row := pc.index(is_header, True).as_py()) >= 0:
        raise DataError(
            f"{path}: row {n_before + row + 1} is the header again, as where files were joined.\nTake that line out."
        )


def notes_on_points(table: pa.Table, types: Mapping[str, str]) -> list[str]:
    """Say where all numbers have three decimals, as in 6.837: the point may separate thousands."""
    names = [name for name, kind in types.items() if kind in ("float", "int") and _may_be_thousands(table[name])]
    if not names:
        return []
    example = table[names[0]].drop_null()[0]
    said = f"Every value of {', '.join(names)} has three decimals ({example})"
    return [f"{said}: if the point separates thousands there, the numbers are a thousand times too small."]


def _may_be_thousands(column: pa.ChunkedArray) -> bool:
    """Whether all values look like 6.837; most columns show in their first rows that they do not."""
    given = (part.drop_null() for part in (column.slice(0, 1000), column))
    return all(len(part) and pc.all(pc.match_substring_regex(part, THOUSANDS)).as_py() for part in given)


def pieces_of(path: str, raw: bytes) -> Iterator[bytes]:
    """The text of a CSV: as it is in one piece, or unpacked in many."""
    if path.lower().endswith(".zst"):
        yield table_files.unpacked_zst(path, raw)
        return
    if not path.lower().endswith(".gz"):
        yield raw
        return
    check_gzip(path, raw)
    unpacked = opening.Unpacked(path, io.BytesIO(raw), len(raw))
    while piece := unpacked.read(opening.STEP_BYTES):
        yield piece


def recoded(path: str, pieces: Iterable[bytes], recoder: Recoder) -> Iterator[bytes]:
    """The pieces of a text in UTF-8 with commas.

    Raises
    ------
    DataError
    """
    for piece in pieces:
        try:
            yield recoder.feed(piece)
        except UnicodeDecodeError as error:
            raise DataError(
                f"{path} is not text in {error.encoding}: {one_line(error)}.\nName its encoding: data_source.encoding=cp1252"
            ) from error


def checked_text(path: str, columns: list[str], first: bytes, others: Iterator[bytes]) -> bytes:
    """The pieces of a text as one, each looked at before the next is unpacked."""
    pieces = [first]
    check = TextCheck(path, columns, lambda: io.BytesIO(b"".join(pieces)))
    check.feed(first)
    for piece in others:
        pieces.append(piece)
        opening.check_memory(path, MEMORY_PER_BYTE * sum(map(len, pieces)))
        check.feed(piece)
    text = pieces[0] if len(pieces) == 1 else b"".join(pieces)
    if not A_ROW.search(text):
        raise DataError(f"{path} has a header but no rows.")
    check.finish()
    return text


def check_gzip(path: str, start: bytes) -> None:
    """Refuse what does not start as a gzip file does.

    Raises
    ------
    DataError
    """
    if not start.startswith(GZIP):
        raise opening.broken_gzip(path, looks_like(start) or "it starts with other bytes")


def header(path: str, text: bytes) -> list[str]:
    """Names in the first line, after a look at whether this is comma-separated text at all."""
    kind = looks_like(text)
    try:
        columns = next(csv.reader(io.TextIOWrapper(io.BytesIO(text), encoding="utf-8-sig", newline="")), [])
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path} is not CSV text in UTF-8: {kind or one_line(error)}.\n{EXPORT}") from error
    if kind:
        raise DataError(f"{path} is not CSV: {kind}.\n{EXPORT}")
    if len(columns) == 1 and any(mark in columns[0] for mark in ";\t|"):
        raise DataError(
            f"{path} has one column, {shorten(columns[0])}: its cells are not separated by commas.\n"
            "Name what separates them, such as data_source.separator=';' data_source.decimal=',', or export it with commas."
        )
    return columns


def parse_csv(text: bytes, needed: list[str], **options) -> pa.Table:
    """Every cell as text, missing where it is empty; a row with too few or too many cells is an error.

    One thread: with line ends allowed inside cells, two are no faster (measured), and a row then knows its number.
    """
    return pa_csv.read_csv(
        pa.BufferReader(text),
        read_options=pa_csv.ReadOptions(block_size=BLOCK_BYTES, use_threads=False),
        parse_options=pa_csv.ParseOptions(newlines_in_values=True, **options),
        convert_options=pa_csv.ConvertOptions(
            include_columns=needed,
            column_types=dict.fromkeys(needed, pa.string()),
            null_values=[""],
            strings_can_be_null=True,
        ),
    )


def ragged(path: str, text: bytes, needed: list[str]) -> str | None:
    """Describe the rows with a wrong number of cells, from a second, slower pass."""
    ragged: list[pa_csv.InvalidRow] = []

    def collect(row: pa_csv.InvalidRow) -> str:
        ragged.append(row)
        return "skip"

    try:
        n_whole = parse_csv(text, needed, invalid_row_handler=collect).num_rows
    except pa.ArrowException:
        return None
    first, rows = ragged[0], "1 row" if len(ragged) == 1 else f"{len(ragged):,} rows"
    if len(ragged) > 1 and {row.actual_columns for row in ragged} == {first.expected_columns + 1} and not n_whole:
        return (
            f"{path}: the header has {first.expected_columns} names, but every row has {first.actual_columns} cells.\n"
            "Where rows begin with a name of their own, give that column a name too.\n"
            "Where they end with a separator, let the header end with one."
        )
    return (
        f"{path} has {rows} with too few or too many cells: row {first.number - 1} has "
        f"{first.actual_columns} instead of {first.expected_columns}.\n"
        "A last row cut short means a cut file: copy it again. Otherwise put cells that hold a comma in double quotes."
    )


MEMORY_PER_BYTE = 3  # of a CSV: its bytes, its cells, and what models are fed with
