"""Spelling of a text table: separator, decimal point, encoding, missing values."""

from __future__ import annotations

import codecs
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields

import pyarrow as pa
import pyarrow.compute as pc

NUMBERS = ("float", "int", "bool")
LIKE = {" ": "\u0020\u00a0\u202f\u2009", "'": "'\u2019"}  # what separates thousands where a blank or an apostrophe does


@dataclass(frozen=True)
class Reading:
    """How to read a text file that is not plain CSV.

    Attributes
    ----------
    separator : str
        One ASCII character between cells.
    decimal : {".", ","}
    thousands : str, optional
        What separates thousands; a blank stands for narrow and unbreakable ones too, an apostrophe for a curly one.
    encoding : str
        As Python names it.
    na_values : tuple of str
        Cells that are missing beside empty ones, in every column.
    symbols : tuple of str
        What stands beside numbers, such as a currency or a per cent sign, and is not read.
    strip : bool
        Take blanks around names and cells away.
    sheet : str, optional
        Of a spreadsheet; None is the first.
    skip_lines : int
        Lines of a text above the header, such as a title.
    """

    separator: str = ","
    decimal: str = "."
    thousands: str | None = None
    encoding: str = "utf-8"
    na_values: tuple[str, ...] = ()
    symbols: tuple[str, ...] = ()
    strip: bool = False
    sheet: str | None = None
    skip_lines: int = 0

    def recoder(self) -> Recoder:
        """What turns the bytes of a file, piece by piece, into UTF-8 with commas."""
        return Recoder(self)

    def names(self, found: Sequence[str]) -> list[str]:
        """Names of columns as people see them, from a header that was recoded."""
        swapped = [_swapped(name, self.separator) for name in found]
        return [name.strip() for name in swapped] if self.strip else swapped

    def cells(self, table: pa.Table, kinds: Mapping[str, str]) -> pa.Table:
        """Text cells of recoded columns as the file means them; numbers with a decimal point and nothing else.

        Parameters
        ----------
        table : Table
            Of text.
        kinds : mapping of str to str
            Feature type of each column.
        """
        return pa.table({name: self._column(table[name], kinds.get(name, "")) for name in table.column_names})

    def _column(self, column: pa.ChunkedArray, kind: str) -> pa.ChunkedArray:
        if not pa.types.is_string(column.type):
            return column
        if self.separator != ",":
            column = _swap(column, self.separator)
        trimmed = pc.utf8_trim_whitespace(column) if self.strip or kind in NUMBERS else column
        if self.na_values:
            known = pa.array(self.na_values, pa.string())
            is_missing = pc.or_(pc.is_in(column, value_set=known), pc.is_in(trimmed, value_set=known))
            trimmed = pc.if_else(is_missing, pa.scalar(None, pa.string()), trimmed)
        if self.strip or kind in NUMBERS:
            trimmed = pc.if_else(pc.equal(trimmed, ""), pa.scalar(None, pa.string()), trimmed)
        return self._digits(trimmed) if kind in ("float", "int") else trimmed

    def _digits(self, column: pa.ChunkedArray) -> pa.ChunkedArray:
        for symbol in self.symbols:
            column = pc.utf8_trim_whitespace(pc.replace_substring(column, symbol, ""))
        for mark in LIKE.get(self.thousands, self.thousands) if self.thousands else "":
            column = pc.replace_substring(column, mark, "")
        return pc.replace_substring(column, ",", ".") if self.decimal == "," else column


PLAIN = Reading()
SETTINGS = tuple(field.name for field in fields(Reading))


class Recoder:
    """Turns pieces of bytes into UTF-8 in which the separator and the comma have changed places."""

    def __init__(self, reading: Reading):
        is_utf8 = codecs.lookup(reading.encoding).name in ("utf-8", "utf-8-sig")
        self._decoder = None if is_utf8 else codecs.getincrementaldecoder(reading.encoding)()
        self._table = None
        if reading.separator != ",":
            self._table = bytes.maketrans(f"{reading.separator},".encode(), f",{reading.separator}".encode())
        self._n_above = reading.skip_lines

    def feed(self, piece: bytes, is_last: bool = False) -> bytes:
        """The next bytes.

        Raises
        ------
        UnicodeDecodeError
            If they are not text in the encoding.
        """
        if self._decoder is not None:
            piece = self._decoder.decode(piece, is_last).encode("utf-8", "surrogatepass")
        piece = self._below(piece) if self._n_above else piece
        return piece.translate(self._table) if self._table else piece

    def _below(self, piece: bytes) -> bytes:
        while self._n_above and piece:
            _, line_end, piece = piece.partition(b"\n")
            self._n_above -= bool(line_end)
        return piece


def make_reading(path: str, **settings: object) -> Reading:
    """A reading from settings, of which None stands for the plain one; of a .tsv the tab is."""
    given = {name: tuple(value) if isinstance(value, list) else value for name, value in settings.items() if value}
    tab = {"separator": "\t"} if ".tsv" in path.lower()[-8:] else {}
    return Reading(**tab | given)


def settings_of(reading: Reading) -> dict[str, object]:
    """What differs from plain CSV, as settings of `data_source`."""
    found = {name: getattr(reading, name) for name in SETTINGS if getattr(reading, name) != getattr(PLAIN, name)}
    return {name: list(value) if isinstance(value, tuple) else value for name, value in found.items()}


def _swap(column: pa.ChunkedArray, separator: str) -> pa.ChunkedArray:
    """Cells in which the separator and the comma change places; no other character is free, so a rare one stands between."""
    if not pc.any(pc.match_substring_regex(column, f"[,{chr(92)}{separator}]")).as_py():
        return column
    column = pc.replace_substring(column, ",", "\ue000")
    return pc.replace_substring(pc.replace_substring(column, separator, ","), "\ue000", separator)


def _swapped(text: str, separator: str) -> str:
    return text if separator == "," else text.translate(str.maketrans(f"{separator},", f",{separator}"))
