"""CSV injection: a spreadsheet runs a cell that begins with =, +, -, @, a tab or a line break as a formula.

Texts from data, such as a category called `=cmd|…`, must not become that. In CSV they get an apostrophe in front, by which a
spreadsheet knows a text. Plain numbers stay as they are. A text that begins with apostrophes before such a sign gets one more,
so that `unescaped` gives back what was written.
"""

from __future__ import annotations

import csv
import io
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    import pandas as pd
    import pyarrow as pa

FORMULA = r"^'*[=+\-@\t\r\n]"
NUMBER = r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?"
_IS_FORMULA, _IS_NUMBER, _IS_ESCAPED = re.compile(FORMULA), re.compile(NUMBER), re.compile(FORMULA.replace("*", "+"))
FIRST = b"'=+-@\t\r\n"


def escaped(value: Any) -> Any:
    """A cell as it is written: a text that a spreadsheet would take for a formula with an apostrophe before it."""
    is_formula = isinstance(value, str) and _IS_FORMULA.match(value) and not _IS_NUMBER.fullmatch(value)
    return f"'{value}" if is_formula else value


def unescaped(value: Any) -> Any:
    """The cell that was written as this."""
    return value[1:] if isinstance(value, str) and _IS_ESCAPED.match(value) else value


def text_of(columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> str:
    """Rows as CSV with a header; what a row holds beside the columns is left out."""
    lines = [dict(zip(columns, columns, strict=True)), *rows]
    return _without_bare_returns(lambda quoting: _written(columns, lines, quoting))


def text_of_frame(frame: pd.DataFrame) -> str:
    """A table as CSV."""
    safe = _with_cells(frame, escaped)
    return _without_bare_returns(lambda quoting: safe.to_csv(index=False, quoting=quoting))


def unescaped_frame(frame: pd.DataFrame) -> pd.DataFrame:
    """The table that was written as this."""
    return _with_cells(frame, unescaped)


def escaped_table(table: pa.Table) -> pa.Table:
    """A table of Arrow with every text cell and every column's name as it is written."""
    columns = [_escaped_column(column) for column in table.itercolumns()]
    return type(table).from_arrays(columns, names=[escaped(name) for name in table.column_names])


def _written(columns: Sequence[str], lines: Iterable[Mapping[str, Any]], quoting: int) -> str:
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, columns, extrasaction="ignore", lineterminator="\n", quoting=quoting)
    writer.writerows({name: escaped(value) for name, value in line.items()} for line in lines)
    return buffer.getvalue()


def _without_bare_returns(write: Callable[[int], str]) -> str:
    """Python quotes no lone carriage return, and a spreadsheet would begin a row there."""
    text = write(csv.QUOTE_MINIMAL)
    return write(csv.QUOTE_NONNUMERIC) if "\r" in text else text


def _with_cells(frame: pd.DataFrame, change: Callable[[Any], Any]) -> pd.DataFrame:
    """Change texts; a column without any that changes keeps its type."""
    import pandas as pd

    changed = frame.rename(columns=change)
    for position, (_, column) in enumerate(frame.items()):
        if column.dtype.kind not in "biufcMm":
            before = column.tolist()
            cells = [change(cell) for cell in before]
            if any(new is not old for new, old in zip(cells, before, strict=True)):
                changed.isetitem(position, pd.Series(cells, index=frame.index, dtype=object))
    return changed


def _escaped_column(column: pa.ChunkedArray) -> pa.ChunkedArray:
    import pyarrow as pa
    import pyarrow.compute as pc

    is_text = pa.types.is_string(column.type) or pa.types.is_large_string(column.type)
    if not is_text or not any(_may_hold_formulas(chunk) for chunk in column.chunks):
        return column
    is_number = pc.match_substring_regex(column, f"^{NUMBER}$")
    is_formula = pc.and_not(pc.match_substring_regex(column, FORMULA), is_number)
    quoted = pc.binary_join_element_wise(pa.scalar("'", column.type), column, pa.scalar("", column.type))
    return pc.if_else(is_formula, quoted, column)


def _may_hold_formulas(texts: pa.Array) -> bool:
    """Look at the first byte of each: many times as fast as a pattern."""
    import numpy as np
    import pyarrow as pa

    _, offsets, data = texts.buffers()
    if data is None:
        return False
    width = "int32" if pa.types.is_string(texts.type) else "int64"
    ends = np.frombuffer(offsets, width)[texts.offset : texts.offset + len(texts) + 1]
    is_first = np.zeros(256, dtype=bool)
    is_first[np.frombuffer(FIRST, "uint8")] = True
    return bool(is_first[np.frombuffer(data, "uint8")[ends[:-1][ends[1:] > ends[:-1]]]].any())
