"""File source: Parquet, CSV in any common spelling, and the formats of `bank_models.data.table_files`."""

from __future__ import annotations

import difflib
import hashlib
import unicodedata
from collections import Counter
from collections.abc import Collection, Mapping
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from bank_models.data import opening, parquet_check, table_files
from bank_models.data.arrow import to_frame
from bank_models.data.csv_reader import (
    MEMORY_PER_BYTE,
    check_no_header,
    checked_text,
    header,
    notes_on_points,
    parse_csv,
    pieces_of,
    ragged,
    recoded,
)
from bank_models.data.dataset import Dataset
from bank_models.data.formats import ENDINGS, is_text_table, listed
from bank_models.data.reading import PLAIN, Reading
from bank_models.data.signatures import looks_like, one_line
from bank_models.data.table_schema import TableSchema
from bank_models.data.target import as_zero_and_one, convert_target, target_fault
from bank_models.errors import DataError, at_most

MEMORY_PER_CELL = 20
SAMPLE_BYTES = 1 << 20


def load(path: str, schema: TableSchema, reading: Reading = PLAIN, unlabelled: str | None = None) -> Dataset:
    """Read a table from a file; its rows are not compared with the declaration yet, `validate` does that.

    Parameters
    ----------
    path : str
        A file whose name ends as `bank_models.data.formats` lists, a link to one, or a folder of Parquet files. CSV: one header
        line, a line end after every row; UTF-8, comma and decimal point unless `reading` says otherwise.
    schema : TableSchema
        Columns to read. In a CSV, only an empty cell of a category, text or date is missing ("NA" is a country); numbers
        may also be missing as `NA`, `NaN`, `NULL` and the like. A column of numbers with other text stays text, as
        dates do.
    reading : Reading
        How the file spells the table.
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
    types = schema.types()
    try:
        table, columns, notes, sha256 = _read(path, types, reading)
        if table.num_rows == 0:
            raise DataError(f"{path} has a header but no rows.")
        spelled = () if path.lower().endswith(".parquet") else [name for name in types if pa.types.is_string(table[name].type)]
        frame = to_frame(table.select(list(types)), types, as_text=spelled)
        frame, more = _labelled(frame, schema.target, unlabelled)
        frame = with_target(frame, path, schema)
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
    near = [one for one in names if one.casefold() == name.casefold()] or difflib.get_close_matches(name, names, n=1)
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
        table = parse_csv(text, in_file)
    except MemoryError as error:
        raise opening.too_large(path) from error
    except pa.ArrowException as error:
        raise DataError(ragged(path, text, in_file) or f"{path} cannot be read as CSV: {one_line(error)}") from error
    check_no_header(path, table)
    table = table if reading == PLAIN else reading.cells(table.rename_columns(needed), types)
    return table, columns, notes_on_points(table, types)


def with_target(frame: pd.DataFrame, where: str, schema: TableSchema) -> pd.DataFrame:
    """The frame with its target in the final type, or of several classes as it is: validation turns them into codes."""
    target, task = schema.target, schema.task
    if not target:
        return frame
    if schema.positive is not None:
        frame = frame.assign(**{target: as_zero_and_one(frame[target], schema.positive, where)})
    if fault := target_fault(frame[target], task, schema.classes):
        raise DataError(f"{target}: {fault}.\nThis is the target of {where}.")
    return frame if task == "multiclass" else frame.assign(**{target: convert_target(frame[target], task)})


def notes_on_others(what: str, columns: list[str], needed: Collection[str]) -> list[str]:
    """Say which columns of a file or a query were left out."""
    others = [_shown(name) for name in columns if name not in needed]
    if not others:
        return []
    more = f" and {len(others) - 10} more" if len(others) > 10 else ""
    return [f"Columns of the {what} that the use case does not name were left out: {', '.join(others[:10])}{more}."]
