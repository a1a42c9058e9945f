"""Damage in CSV files that parsers accept silently."""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Callable
from typing import BinaryIO

import numpy as np

from bank_models.data.target import shorten
from bank_models.errors import DataError

STEP_BYTES = 1 << 18  # fits into the cache
LARGEST_ROW_BYTES = 1 << 24
SAMPLE_BYTES = 1 << 18
SHOWN_BYTES = 64
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
QUOTE, COMMA, LF, CR = b'",\n\r'
MAY_STAND_BESIDE = np.isin(np.arange(256), [COMMA, LF, CR, QUOTE])  # what may stand before and after a cell in quotes
NUMBER = re.compile(r"\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*")
LINE_END = re.compile(r"\r\n|\n|\r")
DATE = re.compile(r"\d{4}-\d{2}(-\d{2}.*)?")
FEWEST_ROWS = 20  # from which a column of few values tells which values it has
SHARE_OF_LEVELS = 0.2
AS_TEXT = "If the text is meant so, save the table as Parquet."


class TextCheck:
    """Looks through the bytes of a CSV, piece by piece as they are read.

    Refused are zero bytes, text that is not UTF-8, a quote inside a cell that is not in quotes, anything but a comma or a line
    end after a closing quote, a cell in quotes that holds whole rows of this very table, and a last line without a line end.

    RFC 4180 leaves the last line end to the writer. A file that was cut in its last cell looks the same, and would be read
    with 134 for 1341.50: nothing else in the file can tell. Programs that write tables (databases, pandas, R, spreadsheets)
    end each line, so that one character is asked for. A file that was cut exactly between two rows cannot be told from a
    whole one.

    Cells of several lines stay what they are. One is taken for rows that a stray quote swallowed only if each of its line
    ends has as many commas as a row of the table, at the places that a stray quote would give, and if what stands between
    them could stand in those columns.

    Parameters
    ----------
    path : str
        For messages.
    columns : list of str
    again : callable
        Opens the same bytes once more, to say in which line a fault is.
    """

    def __init__(self, path: str, columns: list[str], again: Callable[[], BinaryIO]):
        self._path, self._columns, self._again = path, columns, again
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self._start, self._line_end = b"", LF  # of the first piece
        self._n_seen = 0
        self._held = b""  # the beginning of a row whose end was not seen yet

    def feed(self, piece: bytes) -> None:
        """Look at the next bytes.

        Raises
        ------
        DataError
        """
        if not self._n_seen:
            self._start = piece[:SAMPLE_BYTES]
            self._line_end = LF if b"\n" in self._start else CR
        for start in range(0, len(piece), STEP_BYTES):
            part = piece[start : start + STEP_BYTES]
            self._check_characters(part)
            self._n_seen += len(part)
            self._check_rows(part)

    def finish(self) -> None:
        """Look at how the bytes ended.

        Raises
        ------
        DataError
        """
        if self._held.count(b'"') % 2:
            raise DataError(
                f"{self._path} has an odd number of double quotes: it was cut short, or a quote is not doubled.\n"
                'Copy the file again, or write a quote inside a cell as "".'
            )
        self._n_seen += 1
        self._check_whole_rows(self._held + bytes([self._line_end]))
        if self._held and not self._held.endswith(b"\r"):
            last = shorten(_cells(self._held)[-1])
            packed = "| gzip " if self._path.lower().endswith(".gz") else ""
            raise DataError(
                f"{self._path} has no line end after its last row, as if it was cut short there: it ends with {last}.\n"
                f"Copy or export the file again. If its last row is whole, add a line end: echo {packed}>> {self._path}"
            )

    def _check_characters(self, part: bytes) -> None:
        if b"\0" in part:
            at = self._n_seen + part.index(b"\0")
            raise self._fault(at, "has a zero byte", "Text has none, so the file was changed: export or copy it again.")
        if part.isascii() and not self._decoder.getstate()[0]:
            return
        n_held = len(self._decoder.getstate()[0])
        try:
            self._decoder.decode(part)
        except UnicodeDecodeError as error:
            at = self._n_seen - n_held + error.start
            value = error.object[error.start]
            raise DataError(
                f"{self._path} is not CSV text in UTF-8: {self._place(at)} has the byte {value:#04x} where none can be.\n"
                "Export the table as CSV in UTF-8, or as Parquet."
            ) from error

    def _check_rows(self, part: bytes) -> None:
        if self._n_seen == len(part) and part.startswith(BYTE_ORDER_MARK):
            part = part[len(BYTE_ORDER_MARK) :]
        if b'"' in part or b'"' in self._held:
            text = self._held + part
            self._held = text[self._check_whole_rows(text) :]
        else:
            end = part.rfind(self._line_end) + 1
            self._held = part[end:] if end else self._held + part
        if len(self._held) > LARGEST_ROW_BYTES:
            at = self._n_seen - len(self._held)
            raise self._fault(at, "begins a row of more than 16 MiB", "Some quote is never closed, or line ends are missing.")

    def _check_whole_rows(self, text: bytes) -> int:
        """Check the cells in quotes of bytes that begin with a row; give the place behind the last whole one."""
        values = np.frombuffer(text, np.uint8)
        marks = np.flatnonzero((values == QUOTE) | (values == self._line_end))
        is_quote = values[marks] == QUOTE
        is_inside = np.logical_xor.accumulate(is_quote)
        row_ends = marks[~is_quote & ~is_inside]
        if not len(row_ends):
            return 0
        end = int(row_ends[-1]) + 1
        quotes = marks[is_quote & (marks < end)]
        opening, closing = quotes[0::2], quotes[1::2]
        before, after = values[opening - 1], values[closing + 1]
        if len(opening) and opening[0] == 0:
            before[0] = self._line_end
        rows = _Rows(text, self._n_seen - len(text), row_ends)
        stray = [*opening[~MAY_STAND_BESIDE[before]][:1], *closing[~MAY_STAND_BESIDE[after]][:1]]
        if stray:
            raise self._stray(rows, int(min(stray)))
        starts, ends = opening[before != QUOTE], closing[after != QUOTE]
        lines = marks[~is_quote & is_inside & (marks < end)]
        for cell in np.unique(np.searchsorted(starts, lines) - 1) if len(lines) else ():
            place = int(starts[cell])
            if self._holds_rows(text[place + 1 : ends[cell]], rows, place):
                raise self._swallowed(rows, place)
        return end

    def _holds_rows(self, cell: bytes, rows: _Rows, place: int) -> bool:
        """Whether a cell of several lines is the end of a row, perhaps whole rows, and the beginning of a row."""
        n_columns, n_lines = len(self._columns), cell.count(b"\n") or cell.count(b"\r")
        if n_columns < 2 or cell.count(b",") != n_lines * (n_columns - 1):
            return False
        first, *whole, last = (line.split(",") for line in LINE_END.split(cell.decode(errors="replace")))
        if len(first) + len(last) != n_columns + 1 or any(len(row) != n_columns for row in whole):
            return False
        if len(last) != len(_cells(rows.before(place))):
            return False
        if not hasattr(self, "_fits"):
            self._fits = _learn(self._start)
        of_others = [*zip(self._fits[len(last) :], first[1:], strict=True), *zip(self._fits, last[:-1], strict=False)]
        of_others += [pair for row in whole for pair in zip(self._fits, row, strict=True)]
        own = self._fits[len(last) - 1]
        told = [fits(value) for fits, value in of_others if fits and value]
        return all(told) and all(own(value) for value in (first[0], last[-1]) if own and value) and bool(told or whole[1:])

    def _swallowed(self, rows: _Rows, place: int) -> DataError:
        return self._fault(
            rows.begins + place,
            "begins a cell in quotes that holds rows of this table, as after a stray quote",
            f'Take the quote out, or write it as a quote inside a cell: "". {AS_TEXT}',
            rows.before(place),
        )

    def _stray(self, rows: _Rows, place: int) -> DataError:
        return self._fault(
            rows.begins + place,
            "has a double quote in the middle of a cell",
            'Put such a cell in quotes and double each quote inside it: "a ""b"" c".',
            rows.before(place),
        )

    def _fault(self, at: int, what: str, advice: str, before: bytes | None = None) -> DataError:
        return DataError(f"{self._path}: {self._place(at, before)} {what}.\n{advice}")

    def _place(self, at: int, before: bytes | None = None) -> str:
        """Line, column and beginning of the cell at an offset; what stands before it in its row or else in its line."""
        n_lines, line = 1, b""
        with self._again() as text:
            while at and (part := text.read(min(at, STEP_BYTES))):
                at, n_lines = at - len(part), n_lines + part.count(self._line_end)
                line = (line + part).rpartition(bytes([self._line_end]))[2][-SAMPLE_BYTES:]
            rest = text.read(SHOWN_BYTES)
        cells = _cells(line if before is None else before)
        column = self._columns[len(cells) - 1] if len(cells) <= len(self._columns) else "beyond the last"
        shown = LINE_END.split(rest.decode(errors="replace"))[0].partition(",")[0]
        return f"line {n_lines}, column {column} ({shorten(cells[-1] + shown)})"


class _Rows:
    """Where rows stand in some bytes."""

    def __init__(self, text: bytes, begins: int, ends: np.ndarray):
        self.text, self.begins, self.ends = text, begins, ends

    def before(self, place: int) -> bytes:
        """The row at a place, up to there."""
        n_before = int(np.searchsorted(self.ends, place))
        return self.text[self.ends[n_before - 1] + 1 if n_before else 0 : place]


def _cells(row: bytes) -> list[str]:
    """The cells of a row that may end anywhere; at least one."""
    try:
        return next(csv.reader(io.StringIO(row.decode(errors="replace"), newline="")), [""])
    except csv.Error:
        return [""]


def _learn(start: bytes) -> list[Callable[[str], object] | None]:
    """For each column what its cells are like, from the first rows; None where they may be anything."""
    rows = list(csv.reader(io.StringIO(start.decode(errors="replace"), newline="")))
    columns = zip(*(row for row in rows[1:-1] if len(row) == len(rows[0])), strict=True)
    return [_kind_of([cell for cell in column if cell]) for column in columns] or [None] * len(rows[0])


def _kind_of(cells: list[str]) -> Callable[[str], object] | None:
    plain = [cell for cell in cells if "\n" not in cell and "\r" not in cell]
    for pattern in (NUMBER, DATE):
        if plain and all(map(pattern.fullmatch, plain)):
            return pattern.fullmatch
    levels = set(plain)
    return levels.__contains__ if len(plain) >= FEWEST_ROWS and len(levels) <= SHARE_OF_LEVELS * len(plain) else None
