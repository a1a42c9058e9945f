"""Roles of columns: identifier, constant, time, group, protected attribute."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

from bank_models.drafts.columns import Column

ID_NAME = re.compile(
    r"(^|[_\s.-])(id|ids|uuid|guid|key|nr|no|num|number|index|rowid|pk|ref|reference|iban|account|konto)$|^(id|index|row|unnamed)[_\s:.-]?|[a-z]I[Dd]$",
    re.IGNORECASE,
)  # fmt: skip
CAMEL_ID = re.compile(r"[a-z]I[Dd]$")
GROUP_NAME = re.compile(
    r"(customer|client|account|user|person|member|patient|household|card|company|firm|merchant|branch|borrower|applicant|group|entity|kunde|konto|phone|worker)",
    re.IGNORECASE,
)
TIME_NAME = re.compile(
    r"(date|time|timestamp|datum|zeit|day|month|week|quarter|period|created|booked|paid|posted|opened|recorded|observed|as_of|_at$|_on$|^dt$|_dt$|^ts$)",
    re.IGNORECASE,
)
PERIOD_END = re.compile(r"(day|week|month|quarter|year|period)[_\s-]?end$", re.IGNORECASE)
NO_TIME_NAME = re.compile(r"(birth|dob|born|expir|matur|end|until|due|next|last|closed|valid|start|employ|hire)", re.IGNORECASE)
PROTECTED_NAME = re.compile(
    r"(^|_|\b)(sex|gender|race|ethnic\w*|nationality|religion|marital\w*|married|male|female|disab\w*|pregnan\w*|foreign\w*|hispanic|black|white|geschlecht)($|_|\b)",
    re.IGNORECASE,
)
WEIGHT_NAME = re.compile(
    r"(^|[_\s.-])((sample|sampling|survey|design|case|row|inverse|inv)[_\s.-]?(weights?|wgt|wt)|fnlwgt|exposure)$|^weights?$",
    re.IGNORECASE,
)
YEAR_NAME = re.compile(r"(^|_|\b)(year|yr|jahr)($|_|\b)", re.IGNORECASE)
COUNTED = {  # from, to below
    (1900, 2100): "years",
    (20_000, 80_000): "days as a spreadsheet counts them",
    (3e8, 4e9): "seconds since 1970",
    (3e11, 4e12): "milliseconds since 1970",
}
NO_PERSON_NAME = re.compile(r"(premium|insur|polic|cover|benefit|claim)", re.IGNORECASE)  # of a contract, not of who has it
NEARLY_UNIQUE = 0.95
FEWEST_GROUPS = 20
FEWEST_TIMES = 20
FEWEST_IN_PART = 5  # rows of each class, in val and in test


@dataclass(frozen=True)
class Roles:
    """Columns with a role of their own, and why.

    Attributes
    ----------
    columns : list of Column
        All columns but the target; those that are no feature say why.
    time, group, weight : Column, optional
        The weight of a row is never guessed.
    protected : list of str
    said, doubts : list of str
        A sentence each.
    """

    columns: list[Column]
    time: Column | None = None
    group: Column | None = None
    weight: Column | None = None
    protected: list[str] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    doubts: list[str] = field(default_factory=list)


def roles_of(columns: list[Column], frame: pd.DataFrame, labels: np.ndarray | None, is_class: bool) -> Roles:
    """Tell the roles of columns.

    Parameters
    ----------
    columns : list of Column
        Without the target.
    frame : DataFrame
        Their values, as text where the file is; times can be parsed from it.
    labels : ndarray, optional
        Of the rows, to see whether a split by time leaves each part some of each class.
    is_class : bool
    """
    judged = [_judged(column, frame[column.name]) for column in columns]
    protected = [
        column.name
        for column in judged
        if not column.left_out
        and PROTECTED_NAME.search(column.name)
        and not NO_PERSON_NAME.search(column.name)
        and column.n_values <= 20
    ]
    time, about_time = _time(judged, frame, labels, is_class)
    group, about_group = _group(judged, frame, len(frame), time)
    said, doubts = [*about_time[0], *about_group[0]], [*about_time[1], *about_group[1]]
    taken = {
        column.name: what for column, what in ((time, "the time of the row"), (group, "whom the row belongs to")) if column
    }
    taken |= dict.fromkeys(protected, "protected by law in many places")
    judged = [replace(column, left_out=column.left_out or taken.get(column.name, "")) for column in judged]
    if protected:
        said.append(
            f"{', '.join(protected)}: left out of the features, because laws may protect it (fairness can be measured by it)"
        )
    unread = {column.name for column in columns if column.left_out}
    for column in judged:
        doubts += column.doubts if not column.left_out or column is time or column.name in unread else []
    doubts += [_asked_weight(column) for column in judged if not column.left_out and _may_be_weight(column)]
    return Roles(judged, time, group, protected=protected, said=said, doubts=doubts)


def _judged(column: Column, values: pd.Series) -> Column:
    """The column, with the reason why it tells a model nothing."""
    if column.left_out:
        return column
    n_known = len(values) - column.n_missing
    if column.n_values <= 1 and not column.n_missing:
        return replace(column, left_out=f"it has one value in every row ({_short(values.iloc[0])})")
    unique = column.n_values >= NEARLY_UNIQUE * n_known and n_known >= 20
    is_id_name = bool(ID_NAME.search(column.name) or CAMEL_ID.search(column.name))
    many = f"{column.n_values:,} values in {n_known:,} rows"
    if column.type in ("int", "float") and unique and _counts_up(values):
        return replace(column, left_out=f"it numbers the rows ({many})")
    if unique and is_id_name and column.type in ("int", "category"):
        return replace(column, left_out=f"an id, by its name and {many}")
    if unique and column.type == "category":
        return replace(column, left_out=f"nearly every row has its own value ({many}), as an id does")
    return column


def _counts_up(values: pd.Series) -> bool:
    numbers = pd.to_numeric(values, errors="coerce").to_numpy(dtype="float64")
    if np.isnan(numbers).any() or (numbers != np.floor(numbers)).any():
        return False
    return bool(np.all(np.diff(numbers) == 1)) or bool(np.ptp(numbers) == len(numbers) - 1)


def _time(columns: list[Column], frame: pd.DataFrame, labels, is_class: bool) -> tuple[Column | None, tuple[list, list]]:
    """When a row happened: the only date that every row has, or of several the only one that is called so or sorts the rows."""
    dates = [column for column in columns if column.type == "date" and not column.left_out]
    whole = [one for one in dates if not one.n_missing and one.n_values >= FEWEST_TIMES and _may_be_time(one.name)]
    named = [one for one in whole if TIME_NAME.search(one.name)]
    told = whole if len(whole) == 1 else named
    if len(told) > 1:
        told = [one for one in told if moments(frame[one.name], one.format).is_monotonic_increasing]
    if len(told) != 1:
        names = ", ".join(one.name for one in dates)
        asked = [f"{names}: is it when the row happened? Then name it: time_column={dates[0].name}"] if dates else []
        return None, ([], asked or _counted_times(columns, frame))
    column = told[0]
    times = moments(frame[column.name], column.format)
    if column not in named and not times.is_monotonic_increasing:
        return None, ([], [f"{column.name}: is it when the row happened? Then name it: time_column={column.name}"])
    if column.doubts:
        return None, ([], [f"{column.name}: the time of the row? Its format is not sure, so the split is not by time"])
    if not _can_be_split(times.to_numpy(), labels, is_class):
        return None, ([], [f"{column.name}: the newest rows lack a class or are of one day, so the split is not by time"])
    said = f"{column.name}: the time of the row, {times.min():%Y-%m-%d} to {times.max():%Y-%m-%d}: the newest rows are the test"
    return column, ([said], [] if column in named else [f"{column.name}: taken as the time of the row, being the only date"])


def are_numbers(values: pd.Series) -> bool:
    """Whether all values are numbers, or missing."""
    return bool(pd.to_numeric(values, errors="coerce").notna().eq(values.notna()).all())


def _may_be_weight(column: Column) -> bool:
    return column.type in ("int", "float") and bool(WEIGHT_NAME.search(column.name))


def _asked_weight(column: Column) -> str:
    return f"{column.name}: does it say how much a row counts? Then name it: weight_column={column.name}"


def are_years(values: pd.Series) -> bool:
    """Whether all values are years such as 2024."""
    return bool(pd.to_numeric(values, errors="coerce").between(1900, 2100).all())


def _may_be_time(name: str) -> bool:
    return bool(PERIOD_END.search(name)) or not NO_TIME_NAME.search(name)


def _counted_times(columns: list[Column], frame: pd.DataFrame) -> list[str]:
    """Doubts on numbers that may count years, days or seconds, by name and size."""
    said = []
    for column in columns:
        is_named = TIME_NAME.search(column.name) or YEAR_NAME.search(column.name)
        if column.type not in ("int", "float") or not is_named or not _may_be_time(column.name):
            continue
        low, high = pd.to_numeric(frame[column.name], errors="coerce").agg(["min", "max"])
        what = next((what for (least, most), what in COUNTED.items() if least <= low and high < most), "")
        if what:
            name = f"time_column={column.name}" if what == "years" else "in the table, write dates such as 2024-12-31"
            said.append(f"{column.name}: {what}, by its name and size. If the newest rows are to be the test: {name}")
    return said


def moments(values: pd.Series, form: str | None) -> pd.Series:
    """Text or dates as dates without a zone; what is none is missing."""
    if pd.api.types.is_datetime64_any_dtype(values):
        return values.dt.tz_convert(None) if values.dt.tz is not None else values
    if form:
        return pd.to_datetime(values, format=form, errors="coerce")
    return pd.to_datetime(values, format="ISO8601", errors="coerce", utc=True).dt.tz_convert(None)


def _can_be_split(times: np.ndarray, labels, is_class: bool) -> bool:
    """Whether train, val and test by time have rows, and each class enough of them."""
    order = np.argsort(times, kind="stable")
    n, ordered = len(order), times[order]
    cuts = [int(np.searchsorted(ordered, ordered[round(n * share)])) for share in (0.8, 0.9)]
    if not 0 < cuts[0] < cuts[1] < n:
        return False
    if labels is None or not is_class:
        return True
    n_classes = len(set(labels))
    parts = np.split(np.asarray(labels, dtype=object)[order], cuts)
    return all(len(set(part)) == n_classes and min(pd.Series(part).value_counts()) >= FEWEST_IN_PART for part in parts)


def _group(columns: list[Column], frame: pd.DataFrame, n: int, time: Column | None) -> tuple[Column | None, tuple[list, list]]:
    """Whom rows belong to: an id of several rows, by its name, or what has at most one row at each time of a panel."""
    can_be = [
        one
        for one in columns
        if not one.left_out and one.type in ("int", "category") and not one.n_missing and 1 < one.n_values <= 0.8 * n
    ]
    named = [one for one in can_be if _is_named_group(one.name) and one.n_values >= FEWEST_GROUPS]
    found = named or ([one for one in can_be if _has_one_row_a_time(frame, one, time)] if time else [])
    if not found:
        return None, ([], [])
    column = max(found, key=lambda one: one.n_values)
    said = f"{column.name}: whom the row belongs to ({column.n_values:,} values in {n:,} rows"
    if not named:
        said += f", each at most once at a time of {time.name}"
    if time:
        return column, ([f"{said}): no feature; the split by time may put one in two parts"], [])
    return column, ([f"{said}): nobody is in two parts of the split"], [])


def _is_named_group(name: str) -> bool:
    return bool((ID_NAME.search(name) or CAMEL_ID.search(name)) and GROUP_NAME.search(name))


def _has_one_row_a_time(frame: pd.DataFrame, column: Column, time: Column) -> bool:
    if time.n_values * column.n_values < len(frame) or 2 * time.n_values > len(frame):
        return False
    return not frame.duplicated([time.name, column.name]).any()


def _short(value: object) -> str:
    text = "".join(one if one.isprintable() else " " for one in str(value))
    return text if len(text) <= 24 else f"{text[:23]}…"
