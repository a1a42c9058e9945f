"""Conversion of Arrow columns: from text to numbers, and to pandas without losing digits."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from bank_models.data.columns import DIGITS_LOST
from bank_models.errors import DataError, at_most

NO_NUMBER = pa.array(["", "NA", "N/A", "n/a", "NaN", "nan", "NULL", "null", "None"])


LARGEST_EXACT_INTEGER = 2**53


def from_text(text: pa.ChunkedArray, kind: str) -> pa.ChunkedArray:
    """Text cells as booleans or numbers; as text where any cell is neither."""
    numbers = _cast(text, pa.bool_()) if kind == "bool" else None
    if numbers is None:
        numbers = _cast(text, pa.float64())
    if numbers is None:
        trimmed = pc.utf8_trim_whitespace(text)
        known = pc.if_else(pc.is_in(trimmed, value_set=NO_NUMBER), pa.scalar(None, pa.string()), trimmed)
        numbers = _cast(known, pa.float64()) or _cast(_with_minus_in_front(known), pa.float64())
    return text if numbers is None else numbers


def _with_minus_in_front(text: pa.ChunkedArray) -> pa.ChunkedArray:
    """Numbers that are negative as accountants write them, in brackets or with a minus behind, with a minus in front."""
    plain = pc.replace_substring(text, "\u2212", "-")
    return pc.replace_substring_regex(plain, r"^(?:\(\s*(\d[\d.]*)\s*\)|(\d[\d.]*)\s*-)$", r"-\1\2")


def _cast(column: pa.ChunkedArray, to: pa.DataType) -> pa.ChunkedArray | None:
    try:
        return column.cast(to)
    except pa.ArrowInvalid:
        return None


def first_digits_lost(given: pa.ChunkedArray, numbers: pa.ChunkedArray) -> str | None:
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
        Of `bank_models.data.table_schema.TableSchema.types`.
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
        lost = first_digits_lost(given, column) if kind in ("float", "int") else None
        if lost:
            faults.append(f"{name}: {lost}")
        columns[name] = for_pandas(column, kind)
    if faults:
        raise DataError(at_most(3, faults, "columns"))
    return pa.table(columns).to_pandas()


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
