"""Dialect detection of text tables: encoding, separator, decimal point, missing values."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from bank_models.data.reading import Reading

SAMPLE_BYTES = 1 << 20
SAMPLE_ROWS = 500
SEPARATORS = (",", ";", "\t", "|")
RARE_SEPARATORS = ("^", "~", " ")  # looked for where none of the others separates anything
NAMES = {
    ",": "commas", ";": "semicolons", "\t": "tabs", "|": "vertical bars", "^": "carets", "~": "tildes", " ": "blanks",
}  # fmt: skip
EXCEL_SEPARATOR = re.compile(r"sep=(.)\r?\n", re.IGNORECASE)
MOST_LINES_ABOVE = 30
DIGITS = r"(?:\d+|[1-9]\d{0,2}(?:G\d{2,3})*G\d{3})"
MINUS = ("-", "+", "\u2212")
BRACKETS = re.compile(r"\(\s*(\d.*?)\s*\)|(\d.*?)\s*-")  # negative numbers of accountants
MARKS = ((".", None), (",", None), (".", ","), (",", "."), (",", " "), (".", " "), (".", "'"), (",", "'"))
SYMBOLS = ("€", "$", "£", "¥", "%", "EUR", "USD", "CHF", "GBP", "kr", "zł")
FIRST_OF_SYMBOLS = {symbol[0] for symbol in SYMBOLS}
READ_AS_MISSING = {"NA", "N/A", "n/a", "NaN", "nan", "NULL", "null", "None"}  # in a number, by bank_models.data.file
MISSING = {
    "NA", "N/A", "n/a", "na", "NaN", "nan", "NULL", "null", "Null", "None", "none", "nil", "#N/A", "#NA", "?", "-", "--", "---",
    ".", "..", "*", "missing", "Missing", "MISSING", "unknown", "Unknown", "n.a.", "n.v.", "k.A.", "k. A.", "\\N", "(null)",
    "<NA>",
}  # fmt: skip
MISSING_CATEGORIES = MISSING - {  # words that a category may well have, such as NA for Namibia and None for no garage
    "NA", "na", "#NA", "None", "none", "nil", "missing", "Missing", "MISSING", "unknown", "Unknown", "n.v.", "k. A.",
}  # fmt: skip


def encoding_of(raw: bytes) -> tuple[str, str]:
    """The encoding of a text, and what speaks for it."""
    if raw.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16", "it begins with the mark of UTF-16"
    if order := _order_of_utf16(raw[:SAMPLE_BYTES]):
        return f"utf-16-{order}", "every second byte is zero, as in UTF-16"
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError as error:
        other = f"byte {error.object[error.start]:#04x} at {error.start:,} is none of UTF-8"
    else:
        return "utf-8", "with a byte order mark" if raw.startswith(b"\xef\xbb\xbf") else "all bytes are UTF-8"
    try:
        raw.decode("cp1252")
    except UnicodeDecodeError:
        return "latin-1", f"{other}, and cp1252 lacks one too: any byte is a letter in latin-1"
    return "cp1252", f"{other}; all are letters in cp1252, of Windows"


def _order_of_utf16(raw: bytes) -> str:
    """Which byte of two comes first in UTF-16 without a mark; nothing of other text."""
    zeros = [part.count(0) / max(1, len(part)) for part in (raw[::2], raw[1::2])]
    return "le" if zeros[1] > 0.5 and zeros[0] < 0.1 else "be" if zeros[0] > 0.5 and zeros[1] < 0.1 else ""


@dataclass(frozen=True)
class Dialect:
    """What separates cells, how many columns that gives, and how many lines stand above the header."""

    separator: str
    n_columns: int
    n_above: int = 0


def dialect_of(text: str) -> Dialect:
    """The dialect in which most rows have the same number of cells, and more than one."""
    if told := EXCEL_SEPARATOR.match(text):
        below = _dialect(text[told.end() :], told[1])
        return Dialect(told[1], below.n_columns, below.n_above + 1) if below else Dialect(told[1], 1, 1)
    for marks in (SEPARATORS, RARE_SEPARATORS):
        found = [one for mark in marks if (one := _dialect(text, mark)) and one.n_columns > 1]
        if found:
            return max(found, key=lambda one: one.n_columns)
    return Dialect(",", 1)


def _dialect(text: str, mark: str) -> Dialect | None:
    """Lines above the header have few cells, or one that is not empty; all rows below have as many cells as the header."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=mark)
    try:
        rows = [(row, reader.line_num) for row in _some(reader)][:-1] or [([""], 1)]
    except csv.Error:
        return None
    n_columns = Counter(len(row) for row, _ in rows).most_common(1)[0][0]
    above = 0
    while above < len(rows) - 1 and _is_above(rows[above][0], n_columns):
        above += 1
    rows = rows[above:]
    first, line = rows[0]
    if len(first) != n_columns or sum(len(row) == n_columns for row, _ in rows) <= 0.9 * len(rows) or above > MOST_LINES_ABOVE:
        return None
    return Dialect(mark, n_columns, line - 1 - sum(cell.count("\n") for cell in first) if above else 0)


def _is_above(row: list[str], n_columns: int) -> bool:
    if n_columns < 3:
        return row[0].startswith("#") and len(row) != n_columns
    return len(row) <= n_columns // 2 or sum(bool(cell.strip()) for cell in row) <= 1


def _some(rows):
    for number, row in enumerate(rows):
        if number > SAMPLE_ROWS:
            return
        if row:
            yield row


def reading_of(raw: bytes) -> tuple[Reading, list[str]]:
    """How bytes spell a table, as far as that shows without its columns, and what speaks for it."""
    encoding, why = encoding_of(raw)
    text = raw[:SAMPLE_BYTES].decode(encoding, errors="replace").lstrip("\ufeff")
    dialect = dialect_of(text + "\n")
    said = [f"{encoding} text ({why}), {dialect.n_columns} columns between {NAMES.get(dialect.separator, dialect.separator)}"]
    if dialect.n_above:
        lines = "1 line stands" if dialect.n_above == 1 else f"{dialect.n_above} lines stand"
        said.append(f"{lines} above the header and {'is' if dialect.n_above == 1 else 'are'} skipped: {_line(text)}")
    rows = list(_some(csv.reader(io.StringIO(text, newline=""), delimiter=dialect.separator)))
    cells = [cell for row in rows for cell in row]
    padded = [cell for cell in cells if cell.strip() and cell != cell.strip()]
    if padded:
        said.append(f"blanks around {len(padded):,} of {len(cells):,} names and cells of its first rows are taken away")
    return Reading(dialect.separator, encoding=encoding, strip=bool(padded), skip_lines=dialect.n_above), said


def _line(text: str) -> str:
    line = text.partition("\n")[0].strip()
    return line if len(line) <= 40 else f"{line[:39]}…"


def number_pattern(decimal: str, thousands: str | None) -> re.Pattern:
    """What a number looks like."""
    group = "" if thousands is None else {" ": "[ \u00a0\u202f]", "'": "['\u2019]"}.get(thousands, re.escape(thousands))
    digits = DIGITS.replace("G", group) if group else r"\d+"
    return re.compile(rf"[{''.join(MINUS)}]?(?:{digits}(?:{re.escape(decimal)}\d*)?|{re.escape(decimal)}\d+)(?:[eE][+-]?\d+)?")


def bare(value: str) -> str:
    """A cell without blanks and the symbols that may stand beside a number, and with its minus in front."""
    value = value.strip()
    for symbol in SYMBOLS:
        value = value.removeprefix(symbol).removesuffix(symbol).strip() if symbol in value else value
    if value[-1:] in ("-", ")") and (negative := BRACKETS.fullmatch(value)):
        return f"-{bare(negative[1] or negative[2])}"
    return f"{value[0]}{bare(value[1:])}" if value[:1] in MINUS and value[1:2] in FIRST_OF_SYMBOLS else value


def marks_of(columns: Sequence[Counter]) -> tuple[str, str | None, list[str]]:
    """Decimal point, separator of thousands and symbols of all columns of numbers together.

    Parameters
    ----------
    columns : sequence of Counter
        How often each cell stands in a column.
    """
    patterns = {marks: number_pattern(*marks) for marks in MARKS}
    votes: Counter = Counter()
    symbols: Counter = Counter()
    for cells in columns:
        values = [value for value in cells if value.strip() and value.strip() not in MISSING][:2000]
        plain = [bare(value) for value in values]
        fits = [
            marks
            for marks, pattern in patterns.items()
            if plain and sum(map(bool, map(pattern.fullmatch, plain))) >= 0.97 * len(plain)
        ]
        if not fits:
            continue
        votes.update(fits)
        with_symbol = [value for value, one in zip(values, plain, strict=True) if value.strip() != one]
        symbols.update({symbol for symbol in SYMBOLS for value in with_symbol[:50] if symbol in value})
    best = max(MARKS, key=lambda marks: (votes[marks], -MARKS.index(marks)))
    return (*best, [symbol for symbol in SYMBOLS if symbols[symbol]]) if votes else (".", None, [])


def other_marks(cells: Counter) -> str:
    """How nearly all cells of a column spell numbers, where that is not how the file does; nothing of words."""
    plain = [bare(value) for value in cells if value.strip() not in MISSING][:2000]
    for decimal, thousands in MARKS:
        fits = sum(map(bool, map(number_pattern(decimal, thousands).fullmatch, plain)))
        if fits >= 0.97 * len(plain) and not all(one.isdigit() for one in plain):
            return f"{decimal!r} before decimals" + (f" and {thousands!r} between thousands" if thousands else "")
    return ""


def missing_of(cells: Counter, is_number) -> list[str]:
    """Cells of a column that stand for a missing value, among those that the reader does not take for one anyway."""
    known = {value: n for value, n in cells.items() if value.strip()}
    if not known:
        return []
    total = sum(known.values())
    odd = [value for value in known if not is_number(value)]
    n_numbers = total - sum(known[value] for value in odd)
    words = [value for value in odd if value.strip() in MISSING]
    if n_numbers and len(odd) <= 5 and (len(words) == len(odd) or n_numbers >= 0.95 * total):
        return sorted({value.strip() for value in odd} - READ_AS_MISSING)
    found = {value.strip() for value in known if value.strip() in MISSING_CATEGORIES}
    return sorted(found) if found and sum(known[value] for value in known if value.strip() in found) < 0.9 * total else []
