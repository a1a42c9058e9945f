"""Derived columns: features that a use case computes from columns of the same row."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Literal

from pydantic import StringConstraints, model_validator

from bank_models.config.expression import Expression, kind_of, parse
from bank_models.config.feature import Feature
from bank_models.config.strict_model import StrictModel
from bank_models.config.units import check_units

OF_TIME = ("days_between", "months_between", "month")
"""Functions that may look at the time column: a model must not learn from how late it is."""


class Derived(StrictModel):
    """A column that is computed. Its expression alone stands for it: `dti: "debt_eur / income_eur"`.

    It is missing where a value that it needs is missing, and where it is no finite number, as after a division by zero.

    Attributes
    ----------
    expression : str
        Over features, lags and other derived columns: see `bank_models.config.expression`.
    description : str
    monotone : {-1, 0, 1}
        Sign that its effect on the score must have.
    """

    expression: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
    description: str = ""
    monotone: Literal[-1, 0, 1] = 0

    @model_validator(mode="before")
    @classmethod
    def _expression_alone(cls, given):
        return {"expression": given} if isinstance(given, str) else given

    @model_validator(mode="after")
    def _can_be_read(self):
        parse(self.expression)
        return self

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns that it looks at."""
        return parse(self.expression).columns

    def feature(self, kind: str) -> Feature:
        """What the column is to a model: a number or a truth that may be missing."""
        type_ = "bool" if kind == "truth" else "float"
        return Feature(type=type_, description=self.description, max_missing=1.0, monotone=self.monotone)


def in_order(derived: Mapping[str, Derived]) -> list[str]:
    """Names of derived columns, each after those that it looks at.

    Raises
    ------
    ValueError
        If columns refer to each other.
    """
    found: list[str] = []

    def add(name: str, above: tuple[str, ...]) -> None:
        if name in above:
            raise ValueError(f"derived columns refer to each other: {' looks at '.join([*above[above.index(name) :], name])}")
        for column in derived[name].columns:
            if column in derived and column not in found:
                add(column, (*above, name))
        if name not in found:
            found.append(name)

    for name in derived:
        add(name, ())
    return found


def features_of(derived: Mapping[str, Derived], kinds: Mapping[str, str]) -> dict[str, Feature]:
    """Derived columns as features, in declared order; the columns were checked.

    Parameters
    ----------
    derived : mapping of str to Derived
    kinds : mapping of str to {"number", "date", "truth", "text"}
        Of every other column.
    """
    known = dict(kinds)
    for name in in_order(derived):
        known[name] = kind_of(parse(derived[name].expression), known, {})
    return {name: one.feature(known[name]) for name, one in derived.items()}


def check_derived(
    derived: Mapping[str, Derived],
    kinds: Mapping[str, str],
    categories: Mapping[str, Sequence[str] | None],
    forbidden: Mapping[str, str],
    time_column: str | None,
) -> None:
    """Refuse derived columns that cannot be computed, or that would tell a model what it must not know.

    Parameters
    ----------
    derived : mapping of str to Derived
    kinds : mapping of str to {"number", "date", "truth", "text"}
        Of features, lags and the time column.
    categories : mapping of str to sequence of str or None
        Values of columns that have no others.
    forbidden : mapping of str to str
        Other columns of the table, and why none may look at them.
    time_column : str, optional

    Raises
    ------
    ValueError
    """
    if taken := [name for name in derived if name in kinds or name in forbidden]:
        raise ValueError(f"derived column {taken[0]} has the name of a column that there is: give it another")
    known = dict(kinds)
    for name in in_order(derived):
        expression = parse(derived[name].expression)
        try:
            _check_names(expression, {*known, *derived}, forbidden)
            _check_time(expression, time_column)
            known[name] = kind_of(expression, known, dict(categories))
            check_units(name, expression)
        except ValueError as error:
            raise ValueError(f"derived column {name}: {error}") from None
        if known[name] not in ("number", "truth"):
            raise ValueError(f"derived column {name}: `{expression.text}` is a {known[name]}, not a number or a condition")


def _check_names(expression: Expression, known: set[str], forbidden: Mapping[str, str]) -> None:
    for column in expression.columns:
        if column in forbidden:
            raise ValueError(f"`{expression.text}` names {column}, which is {forbidden[column]}")
        if column not in known:
            near = difflib.get_close_matches(column, sorted(known), n=1, cutoff=0)
            raise ValueError(f"`{expression.text}` names {column}, which is no column. Did you mean {near[0]}?")


def _check_time(expression: Expression, time_column: str | None) -> None:
    if time_column is None or time_column not in expression.columns:
        return
    for call in _uses(expression.tree, ("column", time_column)):
        is_apart = call[0] == "call" and call[1] in OF_TIME and len(set(call[2:])) == len(call[2:])
        if is_apart:
            continue
        raise ValueError(
            f"`{expression.text}` looks at {time_column}, the time of the row. A model must not learn from how late it is: "
            "use it in days_between or months_between with another date, or in month"
        )


def _uses(tree: tuple, column: tuple) -> Iterator[tuple]:
    """What a column stands directly in; the column itself where it stands alone."""
    if tree == column:
        yield tree
        return
    for part in tree[1:2] if tree[0] == "in" else tree[1:]:
        if part == column:
            yield tree
        elif isinstance(part, tuple):
            yield from _uses(part, column)
