"""Further file formats: Parquet folders, Arrow, JSON lines, spreadsheets."""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa

from bank_models.data import opening
from bank_models.data.reading import Reading
from bank_models.errors import DataError

KINDS = {
    ".feather": "an Arrow file", ".arrow": "an Arrow file", ".jsonl": "JSON lines", ".ndjson": "JSON lines",
    ".xlsx": "a spreadsheet",
}  # fmt: skip
DEEPEST, MOST_FOLDERS = 5, 10_000
MEMORY_PER_BYTE = 10  # of packed cells


def parts_of(folder: Path) -> list[Path]:
    """The Parquet files in a folder and a few levels below, in order; hidden ones are not among them."""
    found: list[Path] = []
    for n_seen, (place, folders, names) in enumerate(os.walk(folder)):
        depth = len(Path(place).relative_to(folder).parts)
        folders[:] = [one for one in folders if not one.startswith((".", "_")) and depth < DEEPEST]
        found += [Path(place, one) for one in names if one.endswith(".parquet") and not one.startswith((".", "_"))]
        if n_seen > MOST_FOLDERS:  # such as /, where somebody meant something else
            break
    return sorted(found)


def read(path: str, reading: Reading) -> tuple[pa.Table, str]:
    """All columns of such a table, and the hash of its bytes.

    Raises
    ------
    DataError
        If it cannot be read.
    """
    if Path(path).is_dir():
        return _read_folder(Path(path))
    ending = next(end for end in KINDS if path.lower().endswith(end))
    raw = opening.read_bytes(Path(path), MEMORY_PER_BYTE)
    try:
        table = {".xlsx": _read_xlsx, ".jsonl": _read_json, ".ndjson": _read_json}.get(ending, _read_arrow)(raw, reading)
    except MemoryError as error:
        raise opening.too_large(path) from error
    except (pa.ArrowException, OSError, ValueError, KeyError) as error:
        raise DataError(
            f"{path} cannot be read as {KINDS[ending]}: {' '.join(str(error).split())[:160]}.\nWrite the file again, or as CSV."
        ) from error
    return plain(table), hashlib.sha256(raw).hexdigest()


def unpacked_zst(path: str, raw: bytes) -> bytes:
    """The text in a file that Zstandard packed.

    Raises
    ------
    DataError
    """
    most = max(opening.MOST_UNPACKED, opening.LARGEST_RATIO * len(raw))
    try:
        with pa.CompressedInputStream(pa.BufferReader(raw), "zstd") as stream:
            text = stream.read(most + 1)
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{path} is not a whole Zstandard file: {error}.\nWrite or copy the file again.") from error
    if len(text) > most:
        raise opening.too_large(path)
    return text


def _read_arrow(raw: bytes, reading: Reading) -> pa.Table:
    import pyarrow.feather as feather

    table = feather.read_table(io.BytesIO(raw))
    table.validate(full=True)
    return table


def _read_json(raw: bytes, reading: Reading) -> pa.Table:
    import pyarrow.json as pa_json

    table = pa_json.read_json(pa.BufferReader(raw), pa_json.ReadOptions(use_threads=False, block_size=1 << 24))
    if nested := [name for name in table.column_names if pa.types.is_nested(table[name].type)]:
        raise ValueError(f"{nested[0]} holds lists or objects, not single values")
    return table


def _read_xlsx(raw: bytes, reading: Reading) -> pa.Table:
    from bank_models.data import spreadsheet

    rows = spreadsheet.rows_of(raw, reading.sheet)
    names = [str(name or "") for name in rows[0]] if rows else []
    columns = list(zip(*(row + [None] * (len(names) - len(row)) for row in rows[1:]), strict=False))
    columns = columns or [()] * len(names)
    return pa.table([pa.array(column, pa.string()) for column in columns[: len(names)]], names=names)


def _read_folder(folder: Path) -> tuple[pa.Table, str]:
    """Parquet files with the same columns, and further columns from folders that are called name=value."""
    import pyarrow.dataset as dataset

    parts, digest = parts_of(folder), hashlib.sha256()
    opening.check_memory(folder, MEMORY_PER_BYTE * sum(path.stat().st_size for path in parts))
    for path in parts:
        digest.update(f"{path.relative_to(folder).as_posix()}\0".encode())
        digest.update(hashlib.sha256(opening.read_bytes(path)).digest())
    with explained(folder):
        found = dataset.dataset(
            [str(path) for path in parts], format="parquet", partitioning="hive", partition_base_dir=str(folder)
        )
        table = found.to_table(use_threads=False)
        table.validate(full=True)
    return plain(table), digest.hexdigest()


@contextmanager
def explained(folder: Path | str) -> Iterator[None]:
    """Say in a sentence why a folder of Parquet files cannot be read."""
    try:
        yield
    except (pa.ArrowException, OSError, ValueError) as error:
        said = " ".join(str(error).split())[:160]
        raise DataError(f"{folder} cannot be read as a folder of Parquet files: {said}.\nWrite its files again.") from error


def plain(table: pa.Table) -> pa.Table:
    """Text as one type of Arrow, whatever the file stored it as."""
    columns = {}
    for name, column in zip(table.column_names, table.columns, strict=True):
        kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
        is_text = pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_null(kind)
        columns[name] = column.cast(pa.string()) if is_text else column.cast(kind)
    return pa.table(columns) if len(columns) == table.num_columns else table
