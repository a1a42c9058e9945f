"""Row checks of scoring: which rows fit the declaration, and why others do not."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from bank_models.config.feature import Feature
from bank_models.config.rule import Rule
from bank_models.config.use_case import UseCase
from bank_models.data.columns import as_time_in
from bank_models.data.fault import Fault
from bank_models.data.target import shorten
from bank_models.data.validation import check_rows
from bank_models.errors import DataError, at_most

MakeFrame = Callable[[np.ndarray], tuple[pd.DataFrame, list[Fault]]]


@dataclass(frozen=True)
class Checked:
    """Rows after the check.

    Attributes
    ----------
    table : DataFrame
        Good rows, in the types that models are fed with.
    kept : ndarray of int
        Positions of the good rows among those that were given.
    reasons : dict of int to str
        What is wrong with each other row, by its position.
    """

    table: pd.DataFrame
    kept: np.ndarray
    reasons: dict[int, str]


def check(
    n_rows: int,
    make_frame: MakeFrame,
    features: Mapping[str, Feature],
    others: Mapping[str, Callable],
    is_strict: bool,
    rules: Mapping[str, Rule] | None = None,
) -> Checked:
    """Compare rows with the declaration; without those that do not fit it, until all do.

    A row is left out once all its cells of this round are named, so that a cell that hides behind another fault of its column
    shows in the next.

    Parameters
    ----------
    n_rows : int
    make_frame : callable
        Gives some of the rows by their positions, with the faults that only their source can see. The index of the frame
        counts the rows of the whole input from 0.
    features : mapping of str to Feature
    others : mapping of str to callable
        Further columns and what converts them.
    is_strict : bool
        A bad row is an error.
    rules : mapping of str to Rule, optional
        Of the business; a row that breaks an exact one is bad.

    Raises
    ------
    DataError
        If a row is bad and that is an error, or a column as a whole is.
    """
    kept, reasons = np.arange(n_rows), {}
    while True:
        frame, faults = make_frame(kept)
        table, more = check_rows(frame, features, others, rules)
        faults = faults + more
        if not faults:
            return Checked(table, kept, {row: "; ".join(said) for row, said in sorted(reasons.items())})
        if is_strict or any(fault.bad is None for fault in faults):
            raise DataError(_said(faults, frame, is_strict))
        bad = np.zeros(len(kept), dtype=bool)
        for fault in faults:
            for position in np.flatnonzero(fault.bad):
                cell = frame[fault.column].iloc[position]
                value = "" if pd.isna(cell) else f" ({shorten(cell)})"
                reasons.setdefault(int(kept[position]), []).append(f"{fault.column}: {fault.what}{value}")
            bad |= fault.bad
        kept = kept[~bad]
        if not len(kept):
            return Checked(table.iloc[:0], kept, {row: "; ".join(said) for row, said in sorted(reasons.items())})


def _said(faults: list[Fault], frame: pd.DataFrame, is_strict: bool) -> str:
    lines = at_most(2, [f"{fault.column}: {fault.said}" for fault in faults], "faults")
    if is_strict and all(fault.bad is not None for fault in faults):
        return f"{lines}\nRows up to {frame.index[-1] + 1:,} were looked at. To score the others: on_bad_row=reject"
    return lines


def history_columns(use_case: UseCase) -> dict[str, str]:
    """Columns that only lags and derived columns need, and what kind each is."""
    of_time = use_case.lags or any(use_case.time_column in one.columns for one in use_case.derived.values())
    needed = {use_case.time_column: "time"} if of_time else {}
    for lag in use_case.lags.values():
        needed |= {lag.column: "category" if use_case.classes else "float"} if lag.column == use_case.target else {}
        needed |= {lag.entity: "category"} if lag.entity else {}
    return {name: kind for name, kind in needed.items() if name not in use_case.features}


def history_converters(use_case: UseCase) -> dict[str, Callable]:
    """What gives those columns the types that the lags had in training; the newest targets may be missing."""
    found = {}
    for name in history_columns(use_case):
        if name == use_case.time_column:
            found[name] = as_time_in(use_case.time_format)
        elif name == use_case.target:
            found[name] = _as_codes(use_case.classes) if use_case.classes else _as_number
        else:
            found[name] = lambda column: column
    return found


def _as_number(column: pd.Series) -> pd.Series:
    from bank_models.data.columns import CONVERTERS

    return pd.Series(CONVERTERS["float"](column), column.index).astype("float64")


def _as_codes(classes: list[str]) -> Callable[[pd.Series], pd.Series]:
    def convert(column: pd.Series) -> pd.Series:
        codes = pd.Categorical(column.astype(object).where(column.notna(), None), list(classes)).codes.astype("float64")
        return pd.Series(np.where(codes < 0, np.nan, codes), column.index)

    return convert
