"""Type inference of columns: numbers, booleans, dates, categories, texts."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import datetime

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from bank_models.data.columns import NO_CATEGORIES, spelled_as
from bank_models.data.reading import LIKE, Reading
from bank_models.drafts import sniffing
from bank_models.drafts.table import Values, values_of

ISO = re.compile(r"\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}(\.\d+)?)?)?(Z|[+-]\d{2}:?\d{2})?")
DAYS = (
    "%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%Y/%m/%d", "%d-%m-%Y", "%m-%d-%Y", "%d.%m.%y", "%d/%m/%y", "%m/%d/%y", "%d-%m-%y",
    "%Y.%m.%d", "%d %b %Y", "%d-%b-%Y", "%d-%b-%y", "%d%b%Y", "%b %d, %Y", "%d %B %Y", "%B %d, %Y", "%b %Y", "%Y-%m", "%m/%Y",
    "%b-%Y", "%b-%y", "%B %Y", "%A, %d %B %Y", "%A, %B %d, %Y", "%a %d %b %Y",
)  # fmt: skip
CLOCKS = ("", " %H:%M", " %H:%M:%S", " %H:%M:%S.%f", " %I:%M %p", " %I:%M:%S %p")
CODE_NAME = re.compile(r"(^|[_\s.-])(codes?|type|kind|category|zip|plz|postcode|mcc|naics|sic|nace)$|[a-z](Code|Type)$")
ROWS_OF_A_CODE = 20
A_DAY = re.compile(r"\d{1,4}[./-]\d{1,2}[./-]\d{1,4}\b.*")
NINES = re.compile(r"-?9{2,}(\.0+)?")  # what stands for a missing number, in old systems
FAR = 2  # times the span of the other values
FEWEST_DAYS = 20  # different numbers of 8 digits that are all days by no chance
SHOWN = 4
FEWEST_WORDS = 3  # of a text, on average
MOST_OF_ONE_VALUE = 0.5  # share of different values from which on texts are texts and no categories
LARGEST_INTEGER = 2**53


@dataclass(frozen=True)
class Column:
    """A column, as it is proposed.

    Attributes
    ----------
    name : str
    type : {"float", "int", "bool", "category", "text", "date"}
    said : str
        What speaks for the type.
    format : str, optional
        Of dates that are not in ISO 8601.
    n_missing, n_values : int
        Cells without a value, and different values (of long columns at least so many).
    missing : list of str
        Cells that stand for a missing value.
    doubts : list of str
        What is unsure, a sentence each.
    left_out : str
        Why it is no feature; empty if it is one.
    """

    name: str
    type: str
    said: str
    format: str | None = None
    n_missing: int = 0
    n_values: int = 0
    missing: list[str] = field(default_factory=list)
    doubts: list[str] = field(default_factory=list)
    left_out: str = ""


def column_of(name: str, cells: pa.ChunkedArray, seen: Values | None, reading: Reading, any_is_missing: bool = True) -> Column:
    """Tell what a column is.

    Parameters
    ----------
    name : str
    cells : ChunkedArray
    seen : Values, optional
        Its texts; None of a column that has a type already.
    reading : Reading
    any_is_missing : bool
        Whether a word such as "-" may stand for a missing value.
    """
    if seen is None or not pa.types.is_string(cells.type):
        return _of_type(name, cells)
    values = seen.counts
    pattern = sniffing.number_pattern(reading.decimal, reading.thousands)
    is_number = lambda value: bool(pattern.fullmatch(sniffing.bare(value)))  # noqa: E731
    missing = sniffing.missing_of(values, is_number) if any_is_missing else []
    known = Counter({value: n for value, n in values.items() if value.strip() and value.strip() not in missing})
    n_missing = cells.null_count + sum(n for value, n in values.items() if value not in known)
    given, n_values = len(cells) - n_missing, seen.n_different - (len(values) - len(known))
    facts = {"n_missing": n_missing, "n_values": n_values, "missing": missing}
    if not known:
        return Column(name, "category", "no value in any row", **facts, left_out="every value is missing")
    numbers = [value for value in known if is_number(value)]
    words = list(known.keys() - set(numbers))
    if numbers and not [word for word in words if word.strip() not in sniffing.READ_AS_MISSING]:
        lacking = sum(known[word] for word in words)
        facts |= {"n_missing": n_missing + lacking, "n_values": n_values - len(words)}
        odd = [value for value in missing if value not in sniffing.MISSING]
        doubts = [f"{name}: {', '.join(map(_short, odd))} is no number, and is taken as missing"] if odd else []
        told = _of_numbers(name, {value: known[value] for value in numbers}, given - lacking, facts, reading)
        return replace(told, doubts=[*told.doubts, *doubts])
    return _of_words(name, known, given, facts, numbers)


def _of_numbers(name: str, known: dict[str, int], n: int, facts: dict, reading: Reading) -> Column:
    texts = [value.strip() for value in known]
    digits = [text for text in texts if text.isdigit()]
    if len(digits) == len(texts) and any(len(text) > 1 and text.startswith("0") for text in digits):
        zeros = next(text for text in digits if len(text) > 1 and text.startswith("0"))
        return Column(name, "category", f"codes with leading zeros, such as {zeros}", **facts)
    values = [_number(text, reading) for text in texts]
    if form := _compact_dates(digits if len(digits) == len(texts) else []):
        doubt = f"{name}: numbers of 8 digits, all of them days as in {form}: write type: int if they are none"
        doubts = [] if len(digits) >= FEWEST_DAYS else [doubt]
        return Column(name, "date", f"{n:,} values, all days such as {digits[0]}", form, **facts, doubts=doubts)
    is_whole = all(value == int(value) for value in values if abs(value) < 1e300)
    if is_whole and max(map(abs, values)) >= LARGEST_INTEGER:
        return Column(name, "category", f"{n:,} whole numbers with more digits than a number can hold", **facts)
    if set(values) == {0.0, 1.0}:
        return Column(name, "bool", f"{n:,} values, all {_listed(Counter(known))}", **facts)
    lacking = f" but {facts['n_missing']:,}" if facts["n_missing"] else ""
    rows = n + facts["n_missing"]
    kind = "int" if is_whole and not any(mark in text for text in texts for mark in "eE" + reading.decimal) else "float"
    said = f"{facts['n_values']:,} values in {rows:,} rows, all {'whole ' if kind == 'int' else ''}numbers{lacking}"
    if kind == "int" and _are_codes(name, facts["n_values"], n):
        return Column(name, "category", f"{said}, which the name calls codes: type: int if more means more", **facts)
    return Column(name, kind, said, **facts, doubts=_far_nines(name, dict(zip(values, known.values(), strict=True)), texts))


def _are_codes(name: str, n_values: int, n_rows: int) -> bool:
    """Whether whole numbers stand for kinds of things: by name, and each for many rows."""
    return bool(CODE_NAME.search(name)) and 2 < n_values <= n_rows / ROWS_OF_A_CODE


def _far_nines(name: str, counts: dict[float, int], texts: list[str]) -> list[str]:
    """A doubt on values such as -999 that are repeated and far from all others."""
    nines = {value for value, text in zip(counts, texts, strict=False) if NINES.fullmatch(text) and counts[value] > 1}
    others = [value for value in counts if value not in nines]
    if not nines or len(others) < 2:
        return []
    low, high = min(others), max(others)
    far = [value for value in nines if max(low - value, value - high) > FAR * (high - low)]
    return [
        f"{name}: {value:g} stands in {counts[value]:,} rows, far from all other values: if it means missing, "
        f'set data_source.na_values=["{value:g}"]'
        for value in sorted(far)
    ]


def _number(text: str, reading: Reading) -> float:
    text = sniffing.bare(text).replace("\u2212", "-")
    for mark in LIKE.get(reading.thousands, reading.thousands) if reading.thousands else "":
        text = text.replace(mark, "")
    return float(text.replace(",", ".") if reading.decimal == "," else text)


def _compact_dates(digits: list[str]) -> str | None:
    """The format of days such as 20241231, if all numbers are."""
    if len(digits) < 2 or not all(len(text) == 8 and "1900" <= text[:4] <= "2100" for text in digits):
        return None
    return "%Y%m%d" if not pd.to_datetime(pd.Series(digits), format="%Y%m%d", errors="coerce").isna().any() else None


def _of_words(name: str, known: Counter, given: int, facts: dict, numbers: list[str], is_file_of_text: bool = True) -> Column:
    distinct = list(known)
    if len(distinct) <= 6 and len({value.strip().lower() for value in distinct}) == 2 and spelled_as(distinct):
        return Column(name, "bool", f"{given:,} values, all {_listed(known)}", **facts)
    form, doubt = _date_format(distinct)
    if form is not None:
        written = "in ISO 8601" if form == "" else f"in the format {form}"
        doubts = [f"{name}: {doubt}"] if doubt else []
        said = f"{given:,} values, all dates {written}, such as {_short(distinct[0])}"
        return Column(name, "date", said, form or None, **facts, doubts=doubts)
    n_words, n_values = sum(len(value.split()) * n for value, n in known.items()) / sum(known.values()), facts["n_values"]
    if n_words >= FEWEST_WORDS and n_values > MOST_OF_ONE_VALUE * given and n_values > 20:
        return Column(name, "text", f"{n_values:,} texts in {given:,} rows, {n_words:.0f} words on average", **facts)
    share_of_numbers = sum(known[value] for value in numbers) / given
    if is_file_of_text and share_of_numbers < MOST_OF_ONE_VALUE and (marks := sniffing.other_marks(known)):
        said = f"its numbers are written otherwise than those of other columns ({_short(distinct[0])})"
        doubt = f"{name} is left out: {said}. Write all numbers of the table alike"
        return Column(name, "category", f"numbers with {marks}", **facts, doubts=[doubt], left_out=said)
    doubts = []
    if sum(n for value, n in known.items() if A_DAY.fullmatch(value.strip())) > 0.9 * given:
        doubts = [f"{name}: dates in more than one format, such as {_listed(known)}, so it is a category: write them alike"]
    elif share_of_numbers > MOST_OF_ONE_VALUE:
        of_numbers = set(numbers)
        other = next(value for value in distinct if value not in of_numbers)
        doubts = [f"{name}: most values are numbers, but {_short(other)} and others are not, so it is a category"]
    said = f"{n_values:,} values in {given + facts['n_missing']:,} rows: {_listed(known)}"
    broken = ((value, what) for value in distinct for what, is_so in NO_CATEGORIES.items() if is_so(value))
    left_out = next((f"{_short(value)!r} is no category: {what}" for value, what in broken), "")
    return Column(name, "category", said, **facts, doubts=doubts, left_out=left_out)


def _date_format(values: list[str]) -> tuple[str | None, str]:
    """Format of dates ("" is ISO 8601), and what is unsure about it; None of what are no dates."""
    texts = [value.strip() for value in values]
    if not any(character.isdigit() for character in texts[0]) or len(texts[0]) > 32:
        return None, ""
    if all(map(ISO.fullmatch, texts)):
        return (
            ("", "")
            if not pd.to_datetime(pd.Series(texts), format="ISO8601", errors="coerce", utc=True).isna().any()
            else (None, "")
        )
    fits = []
    for form in [day + clock for day in DAYS for clock in CLOCKS]:
        if _is_in(texts[0], form) and _is_in(texts[-1], form):
            found = pd.to_datetime(pd.Series(texts), format=form, errors="coerce")
            fits += [form] if not found.isna().any() else []
    if not fits:
        return None, ""
    others = [form for form in fits if form != fits[0]]
    doubt = f"dates may be read as {fits[0]} or as {others[0]}: it is taken as {fits[0]}" if others else ""
    return fits[0], doubt


def _is_in(text: str, form: str) -> bool:
    try:
        datetime.strptime(text, form)
    except ValueError:
        return False
    return True


def _of_type(name: str, cells: pa.ChunkedArray) -> Column:
    """A column whose file says what it is."""
    kind, n = cells.type, len(cells)
    facts = {"n_missing": cells.null_count, "n_values": len(pc.unique(cells)) - bool(cells.null_count)}
    if cells.null_count == n:
        return Column(name, "category", "no value in any row", **facts, left_out="every value is missing")
    if pa.types.is_boolean(kind):
        return Column(name, "bool", "truth values, as the file says", **facts)
    if pa.types.is_integer(kind):
        extremes = pc.min_max(cells).as_py()
        if max(abs(extremes["min"]), abs(extremes["max"])) >= LARGEST_INTEGER:
            return Column(name, "category", "whole numbers with more digits than a number can hold", **facts)
        if facts["n_values"] == 2 and extremes == {"min": 0, "max": 1}:
            return Column(name, "bool", "0 and 1 in every row", **facts)
        said = f"{facts['n_values']:,} whole numbers in {n:,} rows, as the file says"
        if _are_codes(name, facts["n_values"], n):
            return Column(name, "category", f"{said}, which the name calls codes: type: int if more means more", **facts)
        return Column(name, "int", said, **facts)
    if pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        if facts["n_values"] == 2 and pc.min_max(cells).as_py() == {"min": 0, "max": 1}:
            return Column(name, "bool", "0 and 1 in every row", **facts)
        return Column(name, "float", f"{facts['n_values']:,} numbers in {n:,} rows, as the file says", **facts)
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        return Column(name, "date", "dates, as the file says", **facts)
    if not pa.types.is_string(kind):
        return Column(name, "category", f"{kind}", **facts, left_out=f"its type, {kind}, is none that a model can take")
    return _of_words(name, values_of(cells).counts, n - cells.null_count, facts, [], is_file_of_text=False)


def _listed(known: Counter) -> str:
    shown = [_short(value) for value, _ in known.most_common(SHOWN)]
    return ", ".join(shown) + (", …" if len(known) > SHOWN else "")


def _short(value: str) -> str:
    text = "".join(character if character.isprintable() else " " for character in value)
    return text if len(text) <= 24 else f"{text[:23]}…"
