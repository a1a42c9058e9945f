"""Dialect detection of text tables: encoding, separator, decimal point, missing values."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Sequence

from src.data.reading import Reading

SAMPLE_BYTES = 1 << 20
SAMPLE_ROWS = 500
SEPARATORS = (",", ";", "\t", "|")
NAMES = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "vertical bars"}
DIGITS = r"(?:\d+|\d{1,3}(?:G\d{3})+)"
MARKS = ((".", None), (",", None), (".", ","), (",", "."), (",", " "), (".", " "), (".", "'"), (",", "'"))
SYMBOLS = ("€", "$", "£", "¥", "%", "EUR", "USD", "CHF", "GBP", "kr", "zł")
READ_AS_MISSING = {"NA", "N/A", "n/a", "NaN", "nan", "NULL", "null", "None"}  # in a number, by src.data.file
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


def separator_of(text: str) -> tuple[str, int]:
    """What separates cells, and how many columns that gives: as many in all rows as in the header."""
    counts = {}
    for mark in SEPARATORS:
        try:
            rows = list(_some(csv.reader(io.StringIO(text, newline=""), delimiter=mark)))[:-1] or [[""]]
        except csv.Error:
            continue
        n_columns = len(rows[0])
        share = sum(len(row) == n_columns for row in rows) / len(rows)
        counts[mark] = (share > 0.9 and n_columns > 1, n_columns if share > 0.9 else 1)
    best = max(counts, key=lambda mark: (*counts[mark], -SEPARATORS.index(mark)), default=",")
    return (best, counts[best][1]) if counts and counts[best][0] else (",", 1)


def _some(rows):
    for number, row in enumerate(rows):
        if number > SAMPLE_ROWS:
            return
        if row:
            yield row


def reading_of(raw: bytes, path: str) -> tuple[Reading, list[str]]:
    """How bytes spell a table, as far as that shows without its columns, and what speaks for it."""
    encoding, why = encoding_of(raw)
    text = raw[:SAMPLE_BYTES].decode(encoding, errors="replace").lstrip("\ufeff")
    separator, n_columns = separator_of(text + "\n")
    said = [f"{encoding} text ({why}), {n_columns} columns between {NAMES[separator]}"]
    rows = list(_some(csv.reader(io.StringIO(text, newline=""), delimiter=separator)))
    cells = [cell for row in rows for cell in row]
    padded = [cell for cell in cells if cell.strip() and cell != cell.strip()]
    strip = bool(padded)
    if strip:
        said.append(f"blanks around {len(padded):,} of {len(cells):,} names and cells of its first rows are taken away")
    return Reading(separator, encoding=encoding, strip=strip), said


def number_pattern(decimal: str, thousands: str | None) -> re.Pattern:
    """What a number looks like."""
    group = "" if thousands is None else {" ": "[ \u00a0\u202f]"}.get(thousands, re.escape(thousands))
    digits = DIGITS.replace("G", group) if group else r"\d+"
    return re.compile(rf"[+-]?(?:{digits}(?:{re.escape(decimal)}\d*)?|{re.escape(decimal)}\d+)(?:[eE][+-]?\d+)?")


def bare(value: str) -> str:
    """A cell without blanks and the symbols that may stand beside a number."""
    value = value.strip()
    for symbol in SYMBOLS:
        value = value.removeprefix(symbol).removesuffix(symbol).strip() if symbol in value else value
    return value


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
