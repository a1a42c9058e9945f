"""File source: Parquet, CSV in any common spelling, and the formats of `bank_models.data.table_files`."""

from __future__ import annotations

import difflib
import hashlib
import unicodedata
from collections import Counter
from collections.abc import Collection, Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from bank_models.data import column_store, opening, parquet_columns, table_files
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
from bank_models.data.signatures import one_line
from bank_models.data.table_schema import TableSchema
from bank_models.data.target import as_zero_and_one, convert_target, target_fault
from bank_models.errors import DataError, at_most
from bank_models.runtime import memory
from bank_models.runtime.threads import ahead

MEMORY_PER_CELL = 20
SAMPLE_BYTES = 1 << 20


def load(
    path: str,
    schema: TableSchema,
    reading: Reading = PLAIN,
    unlabelled: str | None = None,
    memory_budget: int | None = None,
) -> Dataset:
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
    memory_budget : int, optional
        Bytes. The columns of a larger table of Parquet stay on the disk: see `bank_models.data.column_store`.

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
        if is_parquet(path):
            frame, columns, notes, sha256, keep = _read_parquet(path, types, schema, reading, memory_budget)
        else:
            table, columns, notes, sha256 = _read(path, types, reading)
            spelled = [name for name in types if pa.types.is_string(table[name].type)]
            frame, keep = to_frame(table.select(list(types)), types, as_text=spelled), column_store.in_memory
        if frame.empty:
            raise DataError(f"{path} has a header but no rows.")
        frame, more = _labelled(frame, schema.target, unlabelled, keep)
        frame = with_target(frame, path, schema)
    except MemoryError as error:
        raise opening.too_large(path) from error
    provenance = {"kind": "file", "source": Path(path).name, "sha256": sha256, "rows": len(frame)}
    return Dataset(frame, provenance, notes=[*notes_on_others("file", columns, types), *notes, *more], keep=keep)


def is_parquet(path: str) -> bool:
    """Whether a path is that of a Parquet file or of a folder of them."""
    return path.lower().endswith(".parquet") or Path(path).is_dir()


def _read_parquet(
    path: str, types: Mapping[str, str], schema: TableSchema, reading: Reading, memory_budget: int | None
) -> tuple[pd.DataFrame, list[str], list[str], str, column_store.Keep]:
    """Columns of Parquet, a few at a time, the names of all, notes, the hash of the bytes, and what keeps the columns."""
    others = {schema.target, schema.weight_column}  # whose types are wider
    narrow = {name: one.type for name, one in schema.features.items() if name not in others}
    is_folder, columns = Path(path).is_dir(), {}
    with parquet_columns.opened(path) as source:
        check_columns(path, source.names, list(types))
        keep = column_store.in_memory
        if column_store.is_larger(source.n_rows, len(types), memory_budget):
            keep = column_store.on_disk(path, source.n_rows, len(types))
        else:
            opening.check_memory(path, source.n_rows * len(types) * column_store.BYTES_PER_CELL)
        for names, table in ahead((names, source.read(names, types)) for names in source.pieces(list(types))):
            table = reading.cells(table, types) if is_folder else table
            spelled = [name for name in names if is_folder and pa.types.is_string(table[name].type)]
            frame = to_frame(table, types, as_text=spelled)
            columns |= {name: keep(parquet_columns.narrowed(frame[name], narrow.get(name, ""))) for name in names}
            del table, frame
            memory.give_back()
        notes = source.notes(list(types))
    return pd.DataFrame(columns, copy=False), source.names, notes, source.sha256, keep


def _read(path: str, types: Mapping[str, str], reading: Reading) -> tuple[pa.Table, list[str], list[str], str]:
    """Columns of a file, the names of all, notes, and the hash of its bytes."""
    if not is_text_table(path):
        table, sha256 = table_files.read(path, reading)
        check_columns(path, table.column_names, list(types))
        return reading.cells(table.select(list(types)), types), table.column_names, [], sha256
    raw = opening.read_bytes(Path(path), MEMORY_PER_BYTE if path.lower().endswith(".csv") else 1)
    return *_read_csv(path, raw, types, reading), hashlib.sha256(raw).hexdigest()


def _labelled(
    frame: pd.DataFrame, target: str | None, unlabelled: str | None, keep: column_store.Keep
) -> tuple[pd.DataFrame, list[str]]:
    """The rows whose target is known, where the others may be dropped, and how many those were."""
    if unlabelled != "drop" or not target or not frame[target].hasnans:
        return frame, []
    kept = column_store.taken(frame, np.flatnonzero(frame[target].notna()), keep)
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
        raise DataError(f"{path} is a folder without Parquet files.\nName one with some, or a file that ends in {listed()}.")
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
