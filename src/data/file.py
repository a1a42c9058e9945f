"""File source: Parquet, CSV in any common spelling, and the formats of `src.data.table_files`."""

from __future__ import annotations

import csv
import difflib
import hashlib
import io
import re
import unicodedata
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from src.config.use_case import Feature
from src.data import opening, parquet_check, table_files
from src.data.columns import DIGITS_LOST
from src.data.csv_check import TextCheck
from src.data.dataset import Dataset
from src.data.formats import ENDINGS, is_text_table, listed
from src.data.reading import PLAIN, Reading, Recoder
from src.data.target import as_zero_and_one, convert_target, shorten, target_fault
from src.errors import DataError, at_most

SIGNATURES = {
    b"PAR1": "a Parquet file",
    b"\x89PNG": "a PNG picture",
    b"\xff\xd8\xff": "a JPEG picture",
    b"%PDF": "a PDF document",
    b"PK\x03\x04": "a zip archive or a spreadsheet",
    b"\x1f\x8b": "a gzip file",
    b"\xff\xfe": "text in UTF-16",
    b"\xfe\xff": "text in UTF-16",
    b"{": "JSON",
    b"[": "JSON",
    b"<": "HTML or XML",
}
GZIP = b"\x1f\x8b"
EXPORT = "Export the table as CSV in UTF-8, or as Parquet."
NO_NUMBER = pa.array(["", "NA", "N/A", "n/a", "NaN", "nan", "NULL", "null", "None"])
LARGEST_EXACT_INTEGER = 2**53
TARGET_TYPES = {"binary": "bool", "multiclass": "category", "regression": "float"}
BLOCK_BYTES = 1 << 24  # a row must fit into one block
MEMORY_PER_BYTE = 3  # of a CSV: its bytes, its cells, and what models are fed with
MEMORY_PER_CELL = 20
SAMPLE_BYTES = 1 << 20
A_ROW = re.compile(rb"[\r\n]\s*\S")  # after the header
THOUSANDS = r"^\s*-?[1-9]\d{0,2}\.\d{3}\s*$"


def load(
    path: str,
    features: Mapping[str, Feature],
    target: str | None,
    time_column: str | None = None,
    task: str = "binary",
    classes: Sequence[str] | None = None,
    group_column: str | None = None,
    protected: Sequence[str] = (),
    reading: Reading = PLAIN,
    positive: str | None = None,
    unlabelled: str | None = None,
) -> Dataset:
    """Read a table from a file; its rows are not compared with the declaration yet, `validate` does that.

    Parameters
    ----------
    path : str
        A file whose name ends as `src.data.formats` lists, a link to one, or a folder of Parquet files. CSV: one header line,
        a line end after every row; UTF-8, comma and decimal point unless `reading` says otherwise.
    features : mapping of str to Feature
        Columns to read. In a CSV, only an empty cell of a category, text or date is missing ("NA" is a country); numbers
        may also be missing as `NA`, `NaN`, `NULL` and the like. A column of numbers with other text stays text, as
        dates do.
    target : str
        Column without gaps: of 0 and 1 or booleans, of the declared classes, or of numbers.
    time_column, group_column : str, optional
    task : {"binary", "multiclass", "regression"}
    classes : sequence of str, optional
        Of a multiclass target.
    protected : sequence of str
        Columns for figures on fairness; read as categories.
    reading : Reading
        How the file spells the table.
    positive : str, optional
        The target's value that becomes 1 of two classes; without it the target is 0 and 1 already.
    unlabelled : {"drop"}, optional
        Leave rows out whose target is missing; without it they are refused.

    Returns
    -------
    Dataset
        Features in declared order, target (int8), time column as the file has it, group and protected columns.

    Raises
    ------
    DataError
        If there is no such file, it is cut short, damaged or not a table, the memory cannot hold it, or columns or labels are
        missing. At most three lines.
    """
    check_path(Path(path))
    types = declared_types(features, target, time_column, task, group_column, protected)
    types |= {target: "category"} if target and positive is not None else {}
    try:
        table, columns, notes, sha256 = _read(path, types, reading)
        if table.num_rows == 0:
            raise DataError(f"{path} has a header but no rows.")
        spelled = () if path.lower().endswith(".parquet") else [name for name in types if pa.types.is_string(table[name].type)]
        frame = to_frame(table.select(list(types)), types, as_text=spelled)
        frame, more = _labelled(frame, target, unlabelled)
        frame = with_target(frame, path, target, task, classes, positive)
    except MemoryError as error:
        raise opening.too_large(path) from error
    provenance = {"kind": "file", "source": Path(path).name, "sha256": sha256, "rows": len(frame)}
    return Dataset(frame, provenance, notes=[*notes_on_others("file", columns, types), *notes, *more])


def _read(path: str, types: Mapping[str, str], reading: Reading) -> tuple[pa.Table, list[str], list[str], str]:
    """Columns of a file, the names of all, notes, and the hash of its bytes."""
    if not is_text_table(path) and not (path.lower().endswith(".parquet") and not Path(path).is_dir()):
        table, sha256 = table_files.read(path, reading)
        check_columns(path, table.column_names, list(types))
        return reading.cells(table.select(list(types)), types), table.column_names, [], sha256
    raw = opening.read_bytes(Path(path), MEMORY_PER_BYTE if path.lower().endswith(".csv") else 1)
    sha256 = hashlib.sha256(raw).hexdigest()
    if path.lower().endswith(".parquet"):
        return *_read_parquet(path, raw, types), sha256
    return *_read_csv(path, raw, types, reading), sha256


def _labelled(frame: pd.DataFrame, target: str | None, unlabelled: str | None) -> tuple[pd.DataFrame, list[str]]:
    """The rows whose target is known, where the others may be dropped, and how many those were."""
    if unlabelled != "drop" or not target or not frame[target].hasnans:
        return frame, []
    kept = frame[frame[target].notna()].reset_index(drop=True)
    return kept, [f"{len(frame) - len(kept):,} of {len(frame):,} rows have no {target}: left out."]


def declared_types(
    features: Mapping[str, Feature],
    target: str | None,
    time_column: str | None,
    task: str,
    group_column: str | None,
    protected: Sequence[str],
) -> dict[str, str]:
    """What to read a use case's columns as, in the order of its table; the time column as it comes (`time`)."""
    types = {name: feature.type for name, feature in features.items()}
    types |= {target: TARGET_TYPES.get(task, "bool")} if target else {}
    types |= {time_column: types.get(time_column, "time")} if time_column else {}
    return types | dict.fromkeys([name for name in (group_column, *protected) if name], "category")


def check_path(path: Path) -> None:
    """Refuse what is not a file whose name ends as that of a table does.

    Raises
    ------
    DataError
    """
    kind = opening.kind_at(path)
    if kind == "folder":
        if table_files.parts_of(path):
            return
        raise DataError(f"{path} is a folder, not a file.\nName one file that ends in {listed()}.")
    if not kind and path.is_symlink():
        raise DataError(f"{path} is a link to {path.readlink()}, and there is no such file.")
    if not kind:
        raise DataError(f"There is no file {path}.{near(path.name, _siblings(path))}")
    if not path.name.lower().endswith(ENDINGS):
        raise DataError(f"{path} cannot be read: its name does not end in {listed()}.\nExport the table as one of them.")


def _siblings(path: Path) -> list[str]:
    return [file.name for file in path.parent.iterdir()] if path.parent.is_dir() else []


def near(name: str, names: list[str]) -> str:
    near = difflib.get_close_matches(name, names, n=1)
    return f" Did you mean {_shown(near[0])}?" if near else ""


def _shown(name: str) -> str:
    """The name of a column, in quotes where something in it cannot be seen."""
    return name if name and name.isprintable() and name == name.strip() else repr(name)


def check_columns(path: str, columns: list[str], needed: list[str]) -> None:
    """Refuse a table in which columns are missing, or in which it is not clear which one is meant.

    Raises
    ------
    DataError
    """
    n_named = Counter(columns)
    faults = [f"{name}: not a column of {path}.{near(name, columns)}" for name in needed if name not in n_named]
    faults += [f"{name}: {n_named[name]} columns of {path} have this name." for name in needed if n_named[name] > 1]
    alike: dict[str, list[str]] = {}
    for name in n_named:
        alike.setdefault(plain_name(name), []).append(name)
    for name in needed:
        if others := [other for other in alike.get(plain_name(name), []) if other not in needed]:
            both = f"{path} has this column and {_shown(others[0])}"
            faults += [f"{name}: {both}. Which one is meant? Rename or drop the other."] if name in n_named else []
    if faults:
        raise DataError(at_most(3, faults, "columns"))


def plain_name(name: str) -> str:
    """A name without what is easily overlooked in it: upper case, blanks, other forms of the same letters."""
    return " ".join(unicodedata.normalize("NFKC", name).casefold().split())


def looks_like(raw: bytes) -> str:
    return next((f"it looks like {kind}" for start, kind in SIGNATURES.items() if raw.lstrip().startswith(start)), "")


def _read_parquet(path: str, raw: bytes, types: Mapping[str, str]) -> tuple[pa.Table, list[str], list[str]]:
    """Columns of a Parquet file, the names of all, and notes."""
    names = list(types)
    try:
        file = pq.ParquetFile(pa.BufferReader(raw))
        schema, metadata = file.schema_arrow, file.metadata
        check_columns(path, schema.names, names)
        opening.check_memory(path, parquet_check.memory_needed(metadata, names))
        texts = parquet_check.texts_of(schema, names)
        file = pq.ParquetFile(pa.BufferReader(raw), metadata=metadata, read_dictionary=texts, page_checksum_verification=True)
        table = file.read(columns=names)
        table.validate(full=True)
        check = parquet_check.StatisticsCheck(metadata, names)
        check.feed(table)
        check.finish()
        for name in names:
            if pa.types.is_dictionary(table[name].type) and types[name] != "category":
                table = _spelled_out(path, table, name)
        has_checksums = parquet_check.has_page_checksums(metadata, names, lambda at, n_bytes: raw[at : at + n_bytes])
    except MemoryError as error:
        raise opening.too_large(path) from error
    except parquet_check.BROKEN as error:
        raise broken_parquet(path, raw, error) from error
    return table, schema.names, [] if has_checksums else [parquet_check.NO_CHECKSUMS]


def _spelled_out(path: str, table: pa.Table, name: str) -> pa.Table:
    """The table with a column in which each row has its own copy of its value, if the memory can hold that."""
    column = table[name]
    if pa.types.is_string(column.type.value_type) or pa.types.is_large_string(column.type.value_type):
        lengths = [pc.binary_length(chunk.dictionary).take(chunk.indices) for chunk in column.chunks]
        opening.check_memory(path, 2 * sum(pc.sum(part.cast(pa.int64())).as_py() or 0 for part in lengths))
    place = table.column_names.index(name)
    return table.set_column(place, name, column.cast(column.type.value_type))


def broken_parquet(path: str, start: bytes, error: Exception) -> DataError:
    """Say why a file that starts with these bytes is no Parquet file that can be read."""
    why = looks_like(start) if not start.startswith(b"PAR1") else "it was cut short or changed"
    return DataError(
        f"{path} is not a whole Parquet file: {why or 'it starts with other bytes'}.\n"
        f"The reader says: {one_line(error)}\nWrite or copy the file again."
    )


def _read_csv(path: str, raw: bytes, types: Mapping[str, str], reading: Reading) -> tuple[pa.Table, list[str], list[str]]:
    """Columns of a CSV as text, the names of all, and notes."""
    needed, pieces = list(types), recoded(path, pieces_of(path, raw), reading.recoder())
    first = next(pieces, b"")
    found = header(path, first)
    columns = reading.names(found)
    check_columns(path, columns, needed)
    in_file = [found[columns.index(name)] for name in needed]
    n_lines = first.count(b"\n", 0, SAMPLE_BYTES) * max(1, len(first) / SAMPLE_BYTES)
    opening.check_memory(path, n_lines * len(needed) * MEMORY_PER_CELL)
    text = checked_text(path, columns, first, pieces)
    try:
        table = _parse_csv(text, in_file)
    except MemoryError as error:
        raise opening.too_large(path) from error
    except pa.ArrowException as error:
        raise DataError(ragged(path, text, in_file) or f"{path} cannot be read as CSV: {one_line(error)}") from error
    check_no_header(path, table)
    table = table if reading == PLAIN else reading.cells(table.rename_columns(needed), types)
    return table, columns, _notes_on_points(table, types)


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


def _notes_on_points(table: pa.Table, types: Mapping[str, str]) -> list[str]:
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


def _parse_csv(text: bytes, needed: list[str], **options) -> pa.Table:
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
        _parse_csv(text, needed, invalid_row_handler=collect)
    except pa.ArrowException:
        return None
    first, rows = ragged[0], "1 row" if len(ragged) == 1 else f"{len(ragged):,} rows"
    return (
        f"{path} has {rows} with too few or too many cells: row {first.number - 1} has "
        f"{first.actual_columns} instead of {first.expected_columns}.\n"
        "A last row cut short means a cut file: copy it again. Otherwise put cells that hold a comma in double quotes."
    )


def from_text(text: pa.ChunkedArray, kind: str) -> pa.ChunkedArray:
    """Text cells as booleans or numbers; as text where any cell is neither."""
    numbers = _cast(text, pa.bool_()) if kind == "bool" else None
    if numbers is None:
        numbers = _cast(text, pa.float64())
    if numbers is None:
        trimmed = pc.utf8_trim_whitespace(text)
        known = pc.if_else(pc.is_in(trimmed, value_set=NO_NUMBER), pa.scalar(None, pa.string()), trimmed)
        numbers = _cast(known, pa.float64())
    return text if numbers is None else numbers


def _cast(column: pa.ChunkedArray, to: pa.DataType) -> pa.ChunkedArray | None:
    try:
        return column.cast(to)
    except pa.ArrowInvalid:
        return None


def _digits_lost(given: pa.ChunkedArray, numbers: pa.ChunkedArray) -> str | None:
    """Name the first integer that a floating point number cannot hold."""
    beyond = digits_lost(given, numbers)
    row = -1 if beyond is None else pc.index(beyond, True).as_py()
    return None if row < 0 else f"{DIGITS_LOST} (row {row + 1}: {given[row]})"


def digits_lost(given: pa.ChunkedArray, numbers: pa.ChunkedArray) -> pa.ChunkedArray | None:
    """Which integers a floating point number cannot hold, if there may be some; `given` is text, or numbers as well."""
    is_text = pa.types.is_string(given.type) and pa.types.is_floating(numbers.type)
    if not is_text and not pa.types.is_integer(given.type):
        return None
    extremes = pc.min_max(numbers).as_py()
    if max(abs(extremes["min"] or 0), abs(extremes["max"] or 0)) < LARGEST_EXACT_INTEGER:
        return None
    whole = pc.match_substring_regex(given, r"^\s*[+-]?\d+\s*$") if is_text else pa.scalar(True)
    if pa.types.is_unsigned_integer(numbers.type):  # which cannot be compared with a negative one
        beyond = pc.greater_equal(numbers, pa.scalar(LARGEST_EXACT_INTEGER, numbers.type))
    else:
        beyond = pc.or_(pc.greater_equal(numbers, LARGEST_EXACT_INTEGER), pc.less_equal(numbers, -LARGEST_EXACT_INTEGER))
    return pc.and_(beyond, whole)


def to_frame(table: pa.Table, types: Mapping[str, str], as_text: Collection[str] = ()) -> pd.DataFrame:
    """A table of Arrow as one of pandas that the validation can read.

    Parameters
    ----------
    table : Table
    types : mapping of str to str
        Of `declared_types`.
    as_text : collection of str
        Columns that spell numbers and booleans as text, as a CSV does.

    Raises
    ------
    DataError
        Naming integers that a model could not hold.
    """
    columns, faults = {}, []
    for name in table.column_names:
        given, kind = table[name], types[name]
        column = from_text(given, kind) if name in as_text and kind in ("float", "int", "bool") else given
        lost = _digits_lost(given, column) if kind in ("float", "int") else None
        if lost:
            faults.append(f"{name}: {lost}")
        columns[name] = for_pandas(column, kind)
    if faults:
        raise DataError(at_most(3, faults, "columns"))
    return pa.table(columns).to_pandas()


def with_target(
    frame: pd.DataFrame,
    where: str,
    target: str | None,
    task: str,
    classes: Sequence[str] | None,
    positive: str | None = None,
) -> pd.DataFrame:
    """The frame with its target in the final type, or of several classes as it is: validation turns them into codes."""
    if not target:
        return frame
    if positive is not None:
        frame = frame.assign(**{target: as_zero_and_one(frame[target], positive, where)})
    if fault := target_fault(frame[target], task, classes):
        raise DataError(f"{target}: {fault}.\nThis is the target of {where}.")
    return frame if task == "multiclass" else frame.assign(**{target: convert_target(frame[target], task)})


def for_pandas(column: pa.ChunkedArray, kind: str) -> pa.ChunkedArray:
    """Spare pandas the types that it would hold as Python objects."""
    if kind == "category" and _is_plain(column.type):
        return column.cast(pa.string()).dictionary_encode()
    if pa.types.is_decimal(column.type) or (pa.types.is_boolean(column.type) and column.null_count):
        return column.cast(pa.float64())
    if pa.types.is_date(column.type):
        return column.cast(pa.timestamp("ms"))
    return column


def _is_plain(kind: pa.DataType) -> bool:
    is_text = pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)
    return is_text or pa.types.is_integer(kind) or pa.types.is_boolean(kind)


def one_line(error: object) -> str:
    """A message as one line of at most 120 characters."""
    text = " ".join(str(error).split())
    return text if len(text) <= 120 else f"{text[:119]}…"


def notes_on_others(what: str, columns: list[str], needed: Collection[str]) -> list[str]:
    """Say which columns of a file or a query were left out."""
    others = [_shown(name) for name in columns if name not in needed]
    if not others:
        return []
    more = f" and {len(others) - 10} more" if len(others) > 10 else ""
    return [f"Columns of the {what} that the use case does not name were left out: {', '.join(others[:10])}{more}."]
