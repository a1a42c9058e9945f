"""Type conversion of one column, with an explanation where a value does not fit."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from numbers import Real
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from bank_models.data.target import convert_target, shorten, target_fault

if TYPE_CHECKING:
    from bank_models.config.feature import Feature

INTEGERS_EXACT_UP_TO = {"float32": 2**24, "float64": 2**53}
INT32 = np.iinfo("int32")
DIGITS_LOST = "an integer of 2**53 or more loses digits in a model; declare a category"
CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")  # all but tabs and line ends
SPREADSHEET = re.compile(r"=.+|#(N/A|REF!|DIV/0!|VALUE!|NAME\?|NUM!|NULL!)", re.DOTALL)
WORDS = ("now", "today")
PART_OF_A_DATE = r"\d{4}(-\d{2})?"
NUMBERS = (Real, Decimal, np.bool_)
NUMERIC_OBJECTS = {"integer", "floating", "mixed-integer-float", "decimal", "boolean", "empty"}


class ColumnError(Exception):
    """A column that cannot be what it is declared to be.

    Attributes
    ----------
    bad : ndarray of bool of shape (n_rows,), optional
        Cells that are at fault; None if it is the type of the whole column.
    what : str
        What is wrong with one of them.
    """

    def __init__(self, said: str, bad: np.ndarray | None = None, what: str = ""):
        super().__init__(said)
        self.bad = bad
        self.what = what or said


def _refused(bad: np.ndarray, what: str, column: pd.Series) -> ColumnError:
    return ColumnError(f"{how_many(bad)} {what} ({first_of(bad, column)})", bad, what)


def numbers_of(column: pd.Series) -> np.ndarray:
    """Values of a numeric or boolean column, NaN where one is missing; text is never read as a number."""
    inferred = pd.api.types.infer_dtype(column, skipna=True) if column.dtype == object else None
    if inferred in NUMERIC_OBJECTS or (inferred and all(isinstance(value, NUMBERS) for value in column.dropna())):
        values = column.to_numpy(dtype="float64", na_value=np.nan)
    elif inferred or not pd.api.types.is_numeric_dtype(column) or column.dtype.kind == "c":
        raise _not_a_number(column)
    elif isinstance(column.dtype, np.dtype):
        values = column.to_numpy()
    else:
        values = column.to_numpy(dtype="float64", na_value=np.nan) if column.hasnans else column.to_numpy()
    if inferred == "integer" or column.dtype.kind in "iu":
        _check_digits_kept(column, values)
    return values


def _not_a_number(column: pd.Series) -> ColumnError:
    if pd.api.types.is_datetime64_any_dtype(column):
        return ColumnError("dates where numbers are expected")
    unreadable = (pd.to_numeric(column.astype(object), errors="coerce").isna() & column.notna()).to_numpy()
    if unreadable.any():
        return _refused(unreadable, "not a number", column)
    return ColumnError(f"numbers stored as text ({first_of(column.notna().to_numpy(), column)})")


def _check_digits_kept(column: pd.Series, values: np.ndarray) -> None:
    limit = INTEGERS_EXACT_UP_TO["float64"]
    if np.fmax.reduce(values) >= limit or np.fmin.reduce(values) <= -limit:
        beyond = (values >= limit) | (values <= -limit)
        raise ColumnError(f"{DIGITS_LOST} ({first_of(beyond, column)})", beyond, DIGITS_LOST)


def how_many(bad: np.ndarray) -> str:
    return "1 value is" if bad.sum() == 1 else f"{bad.sum():,} values are"


def first_of(bad: np.ndarray, column: pd.Series) -> str:
    """Row number and value of the first bad cell; the index of the column counts its rows from 0."""
    row = int(bad.argmax())
    return f"row {column.index[row] + 1}: {shorten(column.iloc[row])}"


def first_row(bad: np.ndarray, column: pd.Series) -> str:
    return f"row {column.index[int(bad.argmax())] + 1} is the first"


def _check_finite(values: np.ndarray, column: pd.Series) -> None:
    infinite = np.isinf(values)
    if infinite.any():
        raise _refused(infinite, "infinite or beyond float32", column)


def _float(column: pd.Series) -> np.ndarray:
    with np.errstate(over="ignore"):
        values = numbers_of(column).astype("float32", copy=False)
    _check_finite(values, column)
    return values


def _int(column: pd.Series) -> np.ndarray:
    values = numbers_of(column)
    if values.dtype.kind == "f":
        _check_finite(values, column)
        fraction = (values != np.floor(values)) & ~np.isnan(values)
        if fraction.any():
            raise _refused(fraction, "not whole", column)
        _check_digits_kept(column, values)
    low, high = np.fmin.reduce(values), np.fmax.reduce(values)
    if values.dtype.kind == "f" and np.isnan(values).any():
        exact = max(-low, high) <= INTEGERS_EXACT_UP_TO["float32"] or np.isnan(low)
        return values.astype("float32" if exact else "float64", copy=False)
    return values.astype("int32" if INT32.min <= low and high <= INT32.max else "int64", copy=False)


PAIRS = (("yes", "no"), ("y", "n"), ("t", "f"), ("true", "false"), ("ja", "nein"), ("oui", "non"), ("on", "off"))


def spelled_as(values: Iterable[object]) -> dict[str, bool] | None:
    """What words mean that are all of one pair, such as Yes and no, in any case; None of other words."""
    found = {str(value).strip().lower() for value in values}
    return next(({pair[0]: True, pair[1]: False} for pair in PAIRS if found and found <= set(pair)), None)


def _spelled(column: pd.Series) -> pd.Series:
    """Booleans that are spelled in words, as numbers."""
    if not isinstance(column.dtype, pd.StringDtype) and column.dtype != object:
        return column
    words = spelled_as(column.dropna().unique())
    return (
        column.map(lambda value: words[str(value).strip().lower()], na_action="ignore").astype("float64") if words else column
    )


def _bool(column: pd.Series) -> np.ndarray:
    column = _spelled(column)
    try:
        values = numbers_of(column)
    except ColumnError as error:
        raise _not_a_boolean(column) or error from None
    if values.dtype.kind == "b":
        return values
    missing = np.isnan(values)
    other = (values != 0) & (values != 1) & ~missing
    if other.any():
        raise _refused(other, "neither true nor false", column)
    return values.astype("float32" if missing.any() else "bool", copy=False)


def _not_a_boolean(column: pd.Series) -> ColumnError | None:
    """Name the text that is none; None if all of it spells booleans, or if there is no text."""
    if not pd.api.types.is_string_dtype(column.dtype):
        return None
    spelled = column.astype(object).map(lambda value: str(value).strip().lower()).isin(["true", "false", "0", "1"])
    bad = (~spelled & column.notna()).to_numpy()
    return _refused(bad, "neither true nor false", column) if bad.any() else None


def _category(column: pd.Series) -> pd.Categorical:
    """Categories are text; whole numbers are spelled out."""
    values = column.array if isinstance(column.dtype, pd.CategoricalDtype) else pd.Categorical(column)
    levels = values.categories
    if levels.dtype.kind == "f" and np.all(levels == np.floor(levels)):
        levels = levels.astype("int64")
    if levels.dtype.kind in "iub":
        return values.rename_categories(levels.astype(str))
    other = np.array([not isinstance(level, str) for level in levels], dtype=bool)
    if other.any():
        bad = np.isin(values.codes, np.flatnonzero(other))
        raise _refused(bad, "neither text nor whole", column)
    for what, is_so in NO_CATEGORIES.items():
        bad = np.isin(values.codes, [code for code, level in enumerate(levels) if is_so(level)])
        if bad.any():
            raise _refused(bad, what, column)
    return values


NO_CATEGORIES: dict[str, Callable[[str], object]] = {
    "with a control character in it": CONTROL.search,
    "nothing but blanks": str.isspace,
    "a formula or an error of a spreadsheet": SPREADSHEET.fullmatch,
}


def as_target(task: str, classes: Sequence[str] | None) -> Callable[[pd.Series], pd.Series]:
    def convert(column: pd.Series) -> pd.Series:
        if fault := target_fault(column, task, classes):
            raise ColumnError(fault)
        return convert_target(column, task, classes)

    return convert


def as_group(column: pd.Series) -> pd.Series:
    missing = column.isna().to_numpy()
    if missing.any():
        raise ColumnError(f"{missing.sum():,} rows belong to no group ({first_row(missing, column)})", missing, "missing")
    return column


def as_time_in(form: str | None) -> Callable[[pd.Series], pd.Series]:
    """What reads times that are written in a format of `strptime`; None is ISO 8601."""
    return as_time if form is None else lambda column: as_time(_in_iso(column, form))


def converter_of(feature: Feature) -> Callable:
    """What gives a declared column its type."""
    if feature.type == "date" and feature.format:
        return lambda column: _date(_in_iso(column, feature.format))
    return CONVERTERS[feature.type]


def _in_iso(column: pd.Series, form: str) -> pd.Series:
    """Text in a format of `strptime` as dates; what is not in it is refused with its row."""
    if pd.api.types.is_datetime64_any_dtype(column):
        return column
    dates = pd.to_datetime(column, format=form, errors="coerce")
    unread = (dates.isna() & column.notna()).to_numpy()
    if unread.any():
        raise _refused(unread, f"not in the format {form}", column)
    return dates


def as_time(column: pd.Series) -> pd.Series:
    missing = column.isna().to_numpy()
    if missing.any():
        raise ColumnError(f"{missing.sum():,} times are missing ({first_row(missing, column)})", missing, "missing")
    return _moments(column, "time", "2024-12-31T23:59:59")


def _date(column: pd.Series) -> pd.Series:
    if column.isna().all():
        return pd.Series(pd.NaT, index=column.index, dtype="datetime64[s]")
    return _moments(column, "date", "2024-12-31").astype("datetime64[s]")


def _moments(column: pd.Series, noun: str, example: str) -> pd.Series:
    """Dates, or ISO 8601 text, as moments in UTC; NaT where one is missing."""
    missing = column.isna().to_numpy()
    if pd.api.types.is_numeric_dtype(column):
        raise ColumnError(f"a number is not a {noun} ({first_of(~missing, column)}); write it as {example}")
    if not pd.api.types.is_datetime64_any_dtype(column):
        column, text = pd.to_datetime(column, format="ISO8601", errors="coerce", utc=True), column
        unread = column.isna().to_numpy() & ~missing | _is_word(text)
        if unread.any():
            raise _refused(unread, "not in ISO 8601, such as 2024-12-31", text)
        _check_whole_dates(text)
    return column if column.dt.tz is None else column.dt.tz_convert(None)


def _is_word(text: pd.Series) -> np.ndarray:
    """Where a text is "now" or "today", which pandas takes for the moment of reading."""
    return text.astype(object).map(lambda value: isinstance(value, str) and value.strip().lower() in WORDS).to_numpy(dtype=bool)


def _check_whole_dates(text: pd.Series) -> None:
    """Refuse dates without a day where others have one."""
    if isinstance(text.dtype, pd.StringDtype):
        in_part = text.str.fullmatch(PART_OF_A_DATE).eq(True).to_numpy()
        if in_part.any() and not in_part[text.notna().to_numpy()].all():
            raise _refused(in_part, "without a day, which others have", text)


def _text(column: pd.Series) -> pd.Series:
    values = column.astype(object)
    other = np.array([not isinstance(value, str) for value in values], dtype=bool) & column.notna().to_numpy()
    if other.any():
        raise _refused(other, "not text", column)
    text = values.astype("str")
    with_zero = text.str.contains("\0", regex=False).eq(True).to_numpy()
    if with_zero.any():
        raise _refused(with_zero, "with a zero byte in it", column)
    return text


CONVERTERS: dict[str, Callable] = {
    "float": _float,
    "int": _int,
    "bool": _bool,
    "category": _category,
    "text": _text,
    "date": _date,
}
