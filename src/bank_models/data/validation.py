"""Validation of rows against the use case; every source passes here before the split."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from bank_models.config.feature import Feature
from bank_models.config.rule import Rule
from bank_models.data import rules as rules_of_business
from bank_models.data.column_store import Keep, in_memory, release, taken
from bank_models.data.columns import (
    CONVERTERS,
    ColumnError,
    as_group,
    as_target,
    as_time_in,
    converter_of,
    first_of,
    first_row,
    how_many,
)
from bank_models.data.fault import Fault
from bank_models.data.repeats import note_on_repeats, repeated_rows
from bank_models.data.spelling import look_alikes, notes_on_spelling, used_categories
from bank_models.data.table_schema import TableSchema
from bank_models.data.weights import as_weight
from bank_models.errors import DataError, at_most

FEWEST_ROWS_OF_A_TOTAL = 20


@dataclass(frozen=True)
class Validated:
    """Rows that keep the declaration.

    Attributes
    ----------
    frame : DataFrame of shape (n_kept, n_features + 1 or 2)
        Features in declared order, target, time column (datetime64), group, weight and protected columns if any; index
        0 … n_kept - 1.
    rows : ndarray of shape (n_kept,)
        Positions of the kept rows in the frame that was given, ascending.
    notes : list of str
        What a reader of the results should know, one sentence each.
    """

    frame: pd.DataFrame
    rows: np.ndarray
    notes: list[str]


def validate(
    frame: pd.DataFrame,
    schema: TableSchema,
    duplicates: Literal["drop", "keep", "refuse"] = "keep",
    rules: Mapping[str, Rule] | None = None,
    keep: Keep = in_memory,
) -> Validated:
    """Check the rows of any source and give each column the type that models are fed with.

    Parameters
    ----------
    frame : DataFrame of shape (n_rows, n_columns)
        At least the declared columns; others are left out. It is not changed, and columns that already have the right
        type share their memory with the result.
    schema : TableSchema
        float becomes float32. int becomes int32, or int64 beyond its range; with missing values float32, or float64 above
        2**24. bool stays bool, or becomes float32 with missing values. category becomes a Categorical over the declared
        categories in their order, or over the sorted values found, as protected columns do. text becomes pandas' str; date
        (dates, or ISO 8601 text) becomes datetime64[s], in UTC where it has an offset.
    duplicates : {"drop", "keep", "refuse"}
        What to do with rows that repeat an earlier row in every declared column.
    rules : mapping of str to Rule, optional
        Of the business. A row that breaks an exact one is a fault; how many keep another is noted.
    keep : callable
        What keeps a column that is not the given one: see `bank_models.data.column_store`.

    Returns
    -------
    Validated

    Raises
    ------
    DataError
        With up to three faults, one a line, and a count of the others. The first row of the data is row 1.
    """
    features, converters = schema.features, _converters(schema)
    _check_columns(frame, features, list(converters))
    given = frame.set_axis(pd.RangeIndex(len(frame)))
    table, found = _convert_all(given, converters, keep)
    open_categories = _open_categories(schema, table)
    found += _faults_of_table(table, given, features, open_categories)
    faults = {name: "; ".join(fault.said for fault in found if fault.column == name) for name in {f.column for f in found}}
    repeats = np.zeros(len(table), dtype=bool) if faults else repeated_rows(table)
    if duplicates == "refuse" and repeats.any():
        first = f"row {repeats.argmax() + 1} is the first"
        faults["rows"] = f"{repeats.sum():,} repeat an earlier row in every column ({first})"
    if faults:
        ordered = [f"{name}: {faults[name]}" for name in [*converters, "rows"] if name in faults]
        raise DataError(at_most(3, ordered, "columns"))

    judged = rules_of_business.judge(rules or {}, table)
    if broken := [f"rule {one.name}: {one.fault()[0]}" for one in judged if one.rule.is_exact and one.is_below]:
        raise DataError(at_most(3, broken, "rules"))

    notes = [*_notes_on_columns(frame, table, features, list(converters)), *rules_of_business.notes(judged)]
    notes += [*note_on_repeats(repeats, duplicates, table, schema.target)]
    notes += [note for name in open_categories for note in notes_on_spelling(table[name])]
    rows = np.arange(len(table)) if duplicates == "keep" else np.flatnonzero(~repeats)
    kept = table if len(rows) == len(table) else taken(table, rows, keep)
    wanted = {name: feature.categories for name, feature in features.items() if feature.type == "category"}
    return Validated(_with_categories(kept, wanted | dict.fromkeys(schema.protected), keep), rows, notes)


def _converters(schema: TableSchema) -> dict[str, Callable]:
    """What converts each declared column, in the order of the table."""
    others = (
        (schema.target, as_target(schema.task, schema.classes)),
        (schema.time_column, as_time_in(schema.time_format)),
        (schema.group_column, as_group),
        (schema.weight_column, as_weight),
    )
    converters = {name: converter_of(feature) for name, feature in schema.features.items()}
    converters |= {name: convert for name, convert in others if name}
    if used := [name for name in schema.protected if name in converters]:
        raise DataError(f"{used[0]} is protected, so it cannot be a feature, the target, the time or the group column.")
    return converters | {name: CONVERTERS["category"] for name in schema.protected}


def _open_categories(schema: TableSchema, table: pd.DataFrame) -> list[str]:
    """Columns of categories that nobody listed, as far as they could be converted."""
    of_features = [name for name, one in schema.features.items() if one.type == "category" and not one.categories]
    return [name for name in (*of_features, *schema.protected) if name in table]


def _faults_of_table(
    table: pd.DataFrame, given: pd.DataFrame, features: Mapping[str, Feature], open_categories: list[str]
) -> list[Fault]:
    """Faults of columns that could be converted."""
    found = [fault for name in open_categories for fault in look_alikes(table[name])]
    found += [fault for name in features for fault in _total(table, name)]
    doubtful = [name for name in features if name in table and not _is_sound(table[name], features[name], of_table=True)]
    return found + _schema_faults(table[doubtful], given, {name: _checks(table[name], features[name]) for name in doubtful})


def check_rows(
    frame: pd.DataFrame,
    features: Mapping[str, Feature],
    others: Mapping[str, Callable] | None = None,
    rules: Mapping[str, Rule] | None = None,
) -> tuple[pd.DataFrame, list[Fault]]:
    """Compare rows that are to be scored with the declaration, cell by cell.

    Types and ranges are those of `validate`. What was learnt from many rows is asked of no single one: a value may be missing
    where the declaration lets any be missing, and a category may be one that was not declared.

    Parameters
    ----------
    frame : DataFrame of shape (n_rows, at least the columns named)
        Its index counts the rows of the whole input from 0.
    features : mapping of str to Feature
    others : mapping of str to callable, optional
        Further columns and what converts them: see `bank_models.data.columns`.
    rules : mapping of str to Rule, optional
        Of the business. The exact ones about single rows, whose columns are among the features, are asked of rows without
        another fault.

    Returns
    -------
    table : DataFrame of shape (n_rows, n_columns)
        Columns without a fault, in the types that models are fed with.
    faults : list of Fault
    """
    declared = {name: converter_of(feature) for name, feature in features.items()} | dict(others or {})
    table, faults = _convert_all(frame, declared)
    doubtful = [name for name, feature in features.items() if name in table and not _is_sound(table[name], feature)]
    faults += _schema_faults(table[doubtful], frame, {name: _cell_checks(features[name]) for name in doubtful})
    return table, faults or _broken_rules(table, rules or {}, features)


def _broken_rules(table: pd.DataFrame, rules: Mapping[str, Rule], features: Mapping[str, Feature]) -> list[Fault]:
    """Exact rules that rows break; the fault is said to be in the first feature that a rule names."""
    asked = {name: rule for name, rule in rules.items() if rule.is_exact and rule.holds and set(rule.columns) <= set(features)}
    broken = [one for one in rules_of_business.judge(asked, table) if one.broken.any()]
    return [Fault(one.rule.columns[0], *_said_of_rule(one, table)) for one in broken]


def _said_of_rule(one: rules_of_business.Kept, table: pd.DataFrame) -> tuple[str, np.ndarray, str]:
    n, what = int(one.broken.sum()), one.fault()[1]
    rows = "1 row" if n == 1 else f"{n:,} rows"
    return (
        f"{rows} {what.replace('breaks', 'break' if n > 1 else 'breaks', 1)} ({first_row(one.broken, table)})",
        one.broken,
        what,
    )


def _check_columns(frame: pd.DataFrame, features: Mapping[str, Feature], declared: list[str]) -> None:
    if not declared:
        raise DataError("The use case declares no column, so nothing could be checked.")
    if len(frame) == 0:
        raise DataError("The data has no rows.")
    check_names([str(name) for name in frame.columns], declared)


def check_names(columns: list[str], needed: list[str]) -> None:
    """Refuse a table in which columns are missing or have the same name.

    Raises
    ------
    DataError
    """
    n_of = Counter(columns)
    faults = [f"{name}: there is no such column" for name in needed if not n_of[name]]
    faults += [f"{name}: {n_of[name]} columns have this name" for name in needed if n_of[name] > 1]
    if faults:
        raise DataError(at_most(3, faults, "columns"))


def _convert_all(
    frame: pd.DataFrame, converters: Mapping[str, Callable], keep: Keep = in_memory
) -> tuple[pd.DataFrame, list[Fault]]:
    """Columns in their final types, and the faults of those that resist."""
    converted, faults = {}, []
    for name, convert in converters.items():
        column = frame[name]
        try:
            result = convert(column)
        except ColumnError as error:
            faults.append(Fault(name, str(error), error.bad, error.what))
        else:
            converted[name] = column if result.dtype == column.dtype else keep(pd.Series(result, frame.index, copy=False))
            release()
    return pd.DataFrame(converted, index=frame.index, copy=False), faults


def _schema_faults(table: pd.DataFrame, given: pd.DataFrame, checks: Mapping[str, list]) -> list[Fault]:
    """Faults that the checks find in columns that have their type."""
    if not checks:
        return []
    import pandera.pandas as pandera

    columns = {name: pandera.Column(checks=checks.get(name), nullable=True) for name in table}
    try:
        pandera.DataFrameSchema(columns, strict=True).validate(table, lazy=True, inplace=True)
    except pandera.errors.SchemaErrors as failed:
        return [_fault_of(error, given[error.schema.name]) for error in failed.schema_errors]
    return []


def _is_sound(column: pd.Series, feature: Feature, of_table: bool = False) -> bool:
    """Whether a quick look says already that no cell of a column fails a check: most do, and checks cost more."""
    if column.hasnans and (column.isna().mean() > feature.max_missing if of_table else feature.max_missing == 0):
        return False
    if of_table and column.isna().all():
        return False
    if of_table and feature.categories is not None and not column.cat.categories.isin(feature.categories).all():
        return False
    values = column.to_numpy() if feature.min is not None or feature.max is not None else []
    if not len(values):
        return True
    is_above = feature.min is None or not np.fmin.reduce(values) < feature.min
    return bool(is_above and (feature.max is None or not np.fmax.reduce(values) > feature.max))


def _checks(column: pd.Series, feature: Feature) -> list:
    """What the type of a training column does not guarantee already."""
    import pandera.pandas as pandera

    checks = []
    if column.dtype.kind == "f" or feature.type in ("category", "text", "date"):
        share, most = float(column.isna().mean()), feature.max_missing
        too_many = f"{share:.3%} of the values are missing, at most {most:.3%} may be"
        fault = "every value is missing" if share == 1 else too_many
        checks.append(pandera.Check(lambda _: share < 1 and share <= most, name="missing", error=fault, ignore_na=False))
    if feature.categories is not None:
        checks.append(pandera.Check.isin(feature.categories, error="not among the declared categories"))
    return checks + _range_checks(feature)


def _cell_checks(feature: Feature) -> list:
    """What the type does not guarantee of a cell."""
    import pandera.pandas as pandera

    missing = pandera.Check(lambda column: column.notna(), error="missing", ignore_na=False)
    return [*([missing] if feature.max_missing == 0 else []), *_range_checks(feature)]


def _range_checks(feature: Feature) -> list:
    import pandera.pandas as pandera

    checks = []
    if feature.min is not None:
        checks.append(pandera.Check.ge(feature.min, error=f"below the smallest plausible value {feature.min:.15g}"))
    if feature.max is not None:
        checks.append(pandera.Check.le(feature.max, error=f"above the largest plausible value {feature.max:.15g}"))
    return checks


def _fault_of(error: Exception, column: pd.Series) -> Fault:
    what = error.check.error
    if error.check.name == "missing":
        return Fault(column.name, f"{what} ({first_row(column.isna().to_numpy(), column)})")
    bad = np.zeros(len(column), dtype=bool)
    bad[column.index.get_indexer(error.failure_cases["index"].to_numpy(dtype="int64"))] = True
    return Fault(column.name, f"{how_many(bad)} {what} ({first_of(bad, column)})", bad, what)


def _total(table: pd.DataFrame, name: str) -> list[Fault]:
    """The last value of a column of numbers, if it is far above the others and their sum."""
    values = table[name].to_numpy() if name in table and table[name].dtype.kind in "if" else np.zeros(0)
    if len(values) < FEWEST_ROWS_OF_A_TOTAL or not values[-1] > 5 * float(np.fmax.reduce(values[:1000][:-1])):
        return []
    above, last = values[:-1].astype("float64"), float(values[-1])
    if last > 5 * np.nanmax(np.abs(above)) and np.isclose(last, np.nansum(above), rtol=1e-6, atol=0):
        said = f"the last value is the sum of all others (row {len(values)}: {last:.15g}): take the row of totals out"
        return [Fault(name, said)]
    return []


def _notes_on_columns(
    frame: pd.DataFrame, table: pd.DataFrame, features: Mapping[str, Feature], declared: list[str]
) -> list[str]:
    left_out = [str(name) for name in frame.columns[~frame.columns.isin(declared)]]
    constant = [name for name in features if table[name].head(1000).nunique() <= 1 and table[name].nunique() == 1]
    return [
        *([f"Columns that are not declared were left out: {', '.join(left_out)}."] if left_out else []),
        *([f"Features with one value in every row: {', '.join(constant)}."] if constant else []),
    ]


def _with_categories(table: pd.DataFrame, declared: Mapping[str, list[str] | None], keep: Keep) -> pd.DataFrame:
    """Columns of categories over those that are declared, or over the sorted values found."""
    changed = {}
    for name, categories in declared.items():
        column = table[name].cat
        wanted = categories or sorted(used_categories(table[name]))
        if list(column.categories) != wanted or column.ordered:
            changed[name] = keep(column.set_categories(wanted, ordered=False))
    return table.assign(**changed)
