"""Evaluation of expressions over the columns of a table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import reduce

import numpy as np
import pandas as pd

from bank_models.config.expression import Expression

TOLERANCE = 1e-6  # of the larger side: columns are float32, and what is computed from several of them has fewer digits
DAY_S = 24 * 3600


@dataclass(frozen=True)
class Truth:
    """A condition of each row: true, false, or neither where a value is missing.

    Attributes
    ----------
    yes, no : ndarray of bool of shape (n_rows,)
    """

    yes: np.ndarray
    no: np.ndarray

    def as_numbers(self) -> np.ndarray:
        """1, 0, or NaN."""
        return np.where(self.yes, 1.0, np.where(self.no, 0.0, np.nan))


@dataclass(frozen=True)
class Text:
    """A column of categories.

    Attributes
    ----------
    codes : ndarray of int of shape (n_rows,)
        -1 where the value is missing.
    values : sequence of str
        What the codes stand for.
    """

    codes: np.ndarray
    values: list[str]

    def is_one_of(self, wanted: tuple[str, ...]) -> Truth:
        """Where the value is one of these."""
        found = np.array([value in wanted for value in self.values] + [False])[self.codes]
        return Truth(found, ~found & (self.codes >= 0))


Value = np.ndarray | float | Truth | Text | str


def read_column(column: pd.Series) -> Value:
    """A column of a table as expressions see it: numbers, days since 1970, truths or texts."""
    if isinstance(column.dtype, pd.CategoricalDtype):
        return Text(column.cat.codes.to_numpy(), [str(value) for value in column.cat.categories])
    if column.dtype.kind == "M":
        days = column.to_numpy().astype("datetime64[s]").astype(np.int64) / DAY_S
        return np.where(column.isna().to_numpy(), np.nan, days)
    if column.dtype.kind in "biuf":
        return column.to_numpy().astype(np.float64)
    codes, values = pd.factorize(column)
    return Text(codes, [str(value) for value in values])


def evaluate(expression: Expression, columns: Mapping[str, Value], n_rows: int) -> Value:
    """Value of an expression in each row.

    Parameters
    ----------
    expression : Expression
    columns : mapping of str to ndarray, Truth or Text
        At least those that it names: see `read_column`.
    n_rows : int

    Returns
    -------
    ndarray of float64 of shape (n_rows,), or Truth
        A number is NaN where one that it needs is missing.
    """
    with np.errstate(all="ignore"):
        value = _value(expression.tree, columns)
        if isinstance(value, Truth):
            return Truth(*(np.broadcast_to(side, n_rows) for side in (value.yes, value.no)))
        return np.broadcast_to(np.asarray(value, dtype=np.float64), n_rows)


def holds(expression: Expression, columns: Mapping[str, Value], n_rows: int) -> Truth:
    """Where a condition is true and where it is false."""
    value = evaluate(expression, columns, n_rows)
    return value if isinstance(value, Truth) else _as_truth(value)


def _value(tree: tuple, columns: Mapping[str, Value]) -> Value:
    match tree:
        case ("number" | "text", value):
            return value
        case ("truth", value):
            return Truth(np.bool_(value), np.bool_(not value))
        case ("column", name):
            return columns[name]
        case ("call", "missing", (_, name)):
            missing = _is_missing(columns[name])
            return Truth(missing, ~missing)
        case ("call", name, *arguments):
            return CALLS[name](*(_value(argument, columns) for argument in arguments))
        case ("negative", side):
            return -_number(_value(side, columns))
        case ("not", side):
            truth = _as_truth(_value(side, columns))
            return Truth(truth.no, truth.yes)
        case ("in", left, values):
            return _is_in(_value(left, columns), values)
        case (sign, left, right):
            return OPERATORS[sign](_value(left, columns), _value(right, columns))


def _is_missing(value: Value) -> np.ndarray:
    if isinstance(value, Text):
        return value.codes < 0
    return np.isnan(_number(value))


def _number(value: Value) -> np.ndarray | float:
    return value.as_numbers() if isinstance(value, Truth) else value


def _as_truth(value: Value) -> Truth:
    if isinstance(value, Truth):
        return value
    known = ~np.isnan(value)
    return Truth(known & (value != 0), known & (value == 0))


def _is_in(value: Value, wanted: tuple) -> Truth:
    if isinstance(value, Text):
        return value.is_one_of(wanted)
    return reduce(_or, (_compared("==")(value, one) for one in wanted))


def _and(left: Value, right: Value) -> Truth:
    left, right = _as_truth(left), _as_truth(right)
    return Truth(left.yes & right.yes, left.no | right.no)


def _or(left: Value, right: Value) -> Truth:
    left, right = _as_truth(left), _as_truth(right)
    return Truth(left.yes | right.yes, left.no & right.no)


def _compared(sign: str):
    def compare(left: Value, right: Value) -> Truth:
        if isinstance(left, (Text, str)) or isinstance(right, (Text, str)):
            same = _same_text(left, right)
            return same if sign == "==" else Truth(same.no, same.yes)
        left, right = _number(left), _number(right)
        known = ~(np.isnan(left) | np.isnan(right))
        near = np.abs(left - right) <= TOLERANCE * np.maximum(np.abs(left), np.abs(right))
        found = {"==": near, "!=": ~near, "<=": near | (left < right), ">=": near | (left > right)}
        found |= {"<": ~near & (left < right), ">": ~near & (left > right)}
        return Truth(known & found[sign], known & ~found[sign])

    return compare


def _same_text(left: Value, right: Value) -> Truth:
    if isinstance(left, str) and isinstance(right, str):
        return Truth(np.bool_(left == right), np.bool_(left != right))
    if isinstance(right, str):
        return left.is_one_of((right,))
    if isinstance(left, str):
        return right.is_one_of((left,))
    places = {value: code for code, value in enumerate(left.values)}
    codes = np.array([places.get(value, -2) for value in right.values] + [-1])[right.codes]
    known = (left.codes >= 0) & (right.codes >= 0)
    return Truth(known & (left.codes == codes), known & (left.codes != codes))


def _calculated(operator):
    return lambda *sides: operator(*(_number(side) for side in sides))


def _divided(left, right):
    result = np.divide(left, right)
    return np.where(np.isfinite(result), result, np.nan)


def _chosen(condition: Value, left: Value, right: Value):
    truth = _as_truth(condition)
    return np.where(truth.yes, _number(left), np.where(truth.no, _number(right), np.nan))


def _instalment(loan, yearly_rate_pct, months):
    """What an annuity loan takes each month."""
    rate = np.asarray(yearly_rate_pct, dtype=np.float64) / 1200
    safe = np.where(rate == 0, 1.0, rate)
    return loan * np.where(rate == 0, np.divide(1.0, months), safe / -np.expm1(-np.asarray(months) * np.log1p(safe)))


def _calendar(unit: str):
    def part(days):
        known = ~np.isnan(days)
        moments = np.floor(np.where(known, days, 0)).astype("datetime64[D]")
        months = moments.astype("datetime64[M]").astype(np.int64)
        return np.where(known, months // 12 + 1970 if unit == "year" else months % 12 + 1, np.nan)

    return part


def _months_between(start, end):
    """Whole months, to the end of the month where it has no such day; negative where the end comes first."""
    known = ~(np.isnan(start) | np.isnan(end))
    first, last = (np.where(known, days, 0.0) for days in (start, end))
    months = np.where(first <= last, _whole_months(first, last), -_whole_months(last, first))
    return np.where(known, months, np.nan)


def _whole_months(start, end):
    (month, day, _), (end_month, end_day, n_days) = _parts(start), _parts(end)
    return end_month - month - (end_day < np.minimum(np.floor(day), n_days) + day % 1)


def _parts(days):
    """Months since 1970, day of the month from 1 with its time as a fraction, and days of the month."""
    whole = np.floor(days).astype("datetime64[D]")
    months = whole.astype("datetime64[M]")
    first, after = (one.astype("datetime64[D]").astype(np.float64) for one in (months, months + 1))
    return months.astype(np.int64), days - first + 1, after - first


OPERATORS = {
    **{sign: _compared(sign) for sign in ("<=", ">=", "==", "!=", "<", ">")},
    "and": _and,
    "or": _or,
    "+": _calculated(np.add),
    "-": _calculated(np.subtract),
    "*": _calculated(np.multiply),
    "/": _calculated(_divided),
}
CALLS = {
    **{name: _calculated(getattr(np, name)) for name in ("abs", "floor", "exp", "log", "sqrt")},
    "round": _calculated(lambda value, step: np.rint(value / step) * step),
    "min": _calculated(lambda *values: reduce(np.minimum, values)),
    "max": _calculated(lambda *values: reduce(np.maximum, values)),
    "year": _calculated(_calendar("year")),
    "month": _calculated(_calendar("month")),
    "instalment": _calculated(_instalment),
    "days_between": _calculated(lambda start, end: end - start),
    "months_between": _calculated(_months_between),
    "coalesce": _calculated(lambda *values: reduce(lambda left, right: np.where(np.isnan(left), right, left), values)),
    "where": _chosen,
}
