"""Drafts: a use case inferred from a table, each inference with its evidence."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

import pyarrow as pa

from bank_models.data.arrow import from_text
from bank_models.data.file import near
from bank_models.data.reading import settings_of
from bank_models.drafts import proof, ranges
from bank_models.drafts.columns import Column, column_of
from bank_models.drafts.roles import Roles, moments, roles_of
from bank_models.drafts.series import facts_of_series
from bank_models.drafts.table import Opened, Values, names_like_values, open_table, values_of, with_marks, without_blanks
from bank_models.drafts.target import Target, target_of
from bank_models.drafts.told import RolesTold, as_told
from bank_models.errors import ConfigError, DataError
from bank_models.runtime.notebook import Shown

if TYPE_CHECKING:
    import pandas as pd

NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
FEWEST_ROWS = 20
NUMBERS = ("int", "float")


@dataclass(frozen=True, repr=False)
class Draft(Shown):
    """A use case as it is proposed.

    Attributes
    ----------
    key : str
    use_case : dict of str to Any
        Facts, as `UseCase` takes them.
    data_source : dict of str to Any
        Path, and how the file spells its table.
    choices : dict of str to str
        Options of groups: data_source, model, data_split, cv.
    columns : list of Column
        All of the table but the target, in order.
    target : Target
    left_out : dict of str to str
        Columns that are no features, and why.
    hints : dict of str to list of str
        What is to be said of a feature beside its type.
    protected : list of str
    said, doubts : list of str
        What was understood, and what is unsure; a sentence each.
    """

    key: str
    use_case: dict[str, Any]
    data_source: dict[str, Any]
    choices: dict[str, str]
    columns: list[Column]
    target: Target
    left_out: dict[str, str]
    hints: dict[str, list[str]]
    protected: list[str]
    said: list[str] = field(default_factory=list)
    doubts: list[str] = field(default_factory=list)

    def _shown(self) -> dict[str, str]:
        found = {"key": self.key, "task": self.use_case["task"], "target": self.use_case["target"], **self.choices}
        found |= {"features": ", ".join(self.use_case["features"]), "understood": "; ".join(self.said)}
        return found | ({"in doubt": "; ".join(self.doubts)} if self.doubts else {})

    @property
    def yaml(self) -> str:
        """The text of the use case's file."""
        from bank_models.drafts.writer import as_yaml

        return as_yaml(self)


def draft_use_case(
    source: str | Path | pd.DataFrame,
    target: str,
    key: str | None = None,
    task: str | None = None,
    positive: str | None = None,
    metric: str | None = None,
    sheet: str | None = None,
    **roles: Unpack[RolesTold],
) -> Draft:
    """Propose a use case for a table.

    Parameters
    ----------
    source : str, Path or DataFrame
        A file that `bank_models.data.file.load` reads, however it is spelled, or a frame.
    target : str
        Column to predict.
    key : str, optional
        Name of the use case; None makes one of the file's name.
    task, positive, metric : str, optional
        What is known, and need not be told from the values.
    sheet : str, optional
        Of a spreadsheet; None is the first.
    **roles : str
        Columns whose role is known: `time_column`, `group_column` and `weight_column`, which is never guessed.

    Returns
    -------
    Draft
        Its schema and every row of the table were checked.

    Raises
    ------
    ConfigError
        If what is given does not fit.
    DataError
        If the table cannot be read, or there is nothing in it to predict or to learn from.
    """
    if unknown := set(roles) - set(RolesTold.__annotations__):
        raise TypeError(f"draft_use_case() got an unexpected keyword argument '{min(unknown)}'")
    opened = open_table(source, sheet)
    _check_names(opened, target, *roles.values())
    opened, columns = columns_of(opened, target)
    if len(opened.cells) < FEWEST_ROWS:
        raise DataError(
            f"The table has {len(opened.cells)} rows: a model needs at least {FEWEST_ROWS} to learn and to be tested."
        )
    if len(columns) == 1:
        raise DataError(f"The table has no column but {target}: there is nothing to learn from.")
    frame = _frame_of(opened, columns)
    aim = next(column for column in columns if column.name == target)
    known = frame[target].notna()
    classes = _labels(frame.loc[known, target], aim)
    asked = target_of(aim, classes, task, positive, metric)
    is_class = asked.task != "regression"
    labels = classes.astype(str).to_numpy()
    found = roles_of([one for one in columns if one.name != target], frame[known].reset_index(drop=True), labels, is_class)
    found = as_told(found, frame, roles)
    draft = _drafted(opened, asked, found, frame, key or _key_of(source), source)
    return proof.proven(draft, source, opened)


def columns_of(opened: Opened, target: str) -> tuple[Opened, list[Column]]:
    """The columns of a table, and the table with what they tell of how it is spelled."""
    values = _texts_of(opened)
    if not opened.reading.strip and any(not value.strip() for one in values.values() for value in one.counts):
        opened = without_blanks(opened)
        values = _texts_of(opened)
    opened = with_marks(opened, values)
    columns = [column_of(name, opened.cells[name], values.get(name), opened.reading) for name in opened.cells.column_names]
    missing = {value for column in columns for value in column.missing}
    place = opened.cells.column_names.index(target)
    if columns[place].n_values == 1 and columns[place].missing:  # such as + and -
        columns[place] = column_of(target, opened.cells[target], values[target], opened.reading, any_is_missing=False)
        missing -= set(values[target].counts)
    missing = sorted(missing)
    reading = replace(opened.reading, na_values=tuple(missing))
    said = [*opened.said, *([f"{', '.join(map(repr, missing))}: missing, beside empty cells"] if missing else [])]
    return replace(opened, reading=reading, said=said), columns


def _texts_of(opened: Opened) -> dict[str, Values]:
    texts = [name for name in opened.cells.column_names if opened.is_text and pa.types.is_string(opened.cells[name].type)]
    return {name: values_of(opened.cells[name]) for name in texts}


def _check_names(opened: Opened, *names: str | None) -> None:
    for name in filter(None, names):
        if name in opened.left_out:
            raise DataError(f"{name} cannot be used: {opened.left_out[name]}. Rename it in the table.")
        if name not in opened.cells.column_names:
            columns = opened.cells.column_names
            more = f" and {len(columns) - 12} more" if len(columns) > 12 else ""
            header = "" if not names_like_values(columns) else "\nThe first line looks like a row: write the names above it."
            some = ", ".join(columns[:12])
            raise ConfigError(f"There is no column {name}.{near(name, columns)}\nColumns: {some}{more}{header}")


def _frame_of(opened: Opened, columns: list[Column]) -> pd.DataFrame:
    """The cells with missing values as such, and numbers as numbers; all others as text where the file is."""
    if not opened.is_text:
        return opened.cells.to_pandas()
    kinds = {column.name: column.type for column in columns}
    cells = replace(opened.reading, separator=",").cells(opened.cells, kinds)
    texts = [name for name, kind in kinds.items() if kind in NUMBERS and pa.types.is_string(cells[name].type)]
    numbers = {name: from_text(cells[name], kinds[name]) for name in texts}
    return pa.table({name: numbers.get(name, cells[name]) for name in cells.column_names}).to_pandas()


def _labels(values: pd.Series, column: Column) -> pd.Series:
    import pandas as pd

    if column.type in NUMBERS:
        return pd.to_numeric(values, errors="coerce").dropna()
    if column.type != "bool" or not values.map(lambda one: isinstance(one, str)).all():
        return values
    frequent = {}
    for name in values.value_counts().index:
        frequent.setdefault(name.strip().lower(), name)
    return values.map(lambda one: frequent[one.strip().lower()])


def _drafted(opened: Opened, asked: Target, roles: Roles, frame: pd.DataFrame, key: str, source: Any) -> Draft:
    """The draft as the columns suggest it, not checked yet."""
    if not NAME.fullmatch(key):
        raise ConfigError(f"key={key} is not a name: names match {NAME.pattern} in full.")
    left_out = {**opened.left_out, **{one.name: one.left_out for one in roles.columns if one.left_out}}
    features = {one.name: _feature(one, frame[one.name]) for one in roles.columns if not one.left_out}
    is_series = not features and asked.task == "regression" and roles.time is not None
    if not features and not is_series:
        raise DataError(f"No column is left to learn from: {_some(left_out)}.\nName one that is a feature in the file by hand.")
    use_case = {"key": key, **_facts_of(asked, roles), "max_missing": ranges.USUAL_MISSING, "features": features}
    said = [f"{len(frame):,} rows, {frame.shape[1]} columns", *opened.said, *asked.said, *roles.said]
    said += [f"{asked.n_missing:,} rows have no {asked.name}: left out"] if asked.n_missing else []
    doubts = [*_of_names(opened), *asked.doubts, *roles.doubts]
    if is_series:
        times = moments(frame[roles.time.name], roles.time.format)
        forecast = facts_of_series(asked.name, times, roles.group and roles.group.name)
        use_case |= {"series": forecast.series, "lags": forecast.lags}
        said.append(forecast.said)
    elif asked.task == "regression" and roles.time:
        doubts.append(f"earlier values of {asked.name} may say most, and are no features: add lags if you forecast it")
    path = "???" if hasattr(source, "columns") else str(source)
    is_of_words = bool(features) and all(feature["type"] == "text" for feature in features.values())
    choices = _choices(asked.task, roles, is_series or is_of_words)
    settings = {"path": path, **settings_of(opened.reading)}
    return Draft(key, use_case, settings, choices, roles.columns, asked, left_out, {}, roles.protected, said, doubts)


def _facts_of(asked: Target, roles: Roles) -> dict[str, Any]:
    """Target, time, group and protected columns, as a use case names them."""
    facts: dict[str, Any] = {"task": asked.task, "target": asked.name, "metric": asked.metric}
    facts |= {name: getattr(asked, name) for name in ("positive", "negative", "classes") if getattr(asked, name)}
    facts |= {"unlabelled": "drop"} if asked.n_missing else {}
    facts |= {"time_column": roles.time.name} if roles.time else {}
    facts |= {"time_format": roles.time.format} if roles.time and roles.time.format else {}
    facts |= {"group_column": roles.group.name} if roles.group else {}
    facts |= {"weight_column": roles.weight.name} if roles.weight else {}
    return facts | ({"protected": roles.protected} if roles.protected and asked.task != "binary" else {})


def _of_names(opened: Opened) -> list[str]:
    """What is unsure about the header."""
    doubts = []
    if opened.is_text and names_like_values(opened.cells.column_names):
        some = ", ".join(opened.cells.column_names[:4])
        doubts = [f"the names of the columns look like a row ({some}): if the file has no header, write one above it"]
    lost = [f"{name!r}: {why}" for name, why in opened.left_out.items() if name.strip()]
    if not lost:
        return doubts
    n_lost = "1 column is" if len(lost) == 1 else f"{len(lost)} columns are"
    return [*doubts, f"{n_lost} left out for the name; rename to use: {', '.join(lost[:3])}"]


def _feature(column: Column, values: pd.Series) -> dict[str, Any]:
    import pandas as pd

    feature: dict[str, Any] = {"type": column.type}
    feature |= {"format": column.format} if column.format else {}
    if column.type in NUMBERS:
        limits = ranges.range_of(pd.to_numeric(values, errors="coerce").to_numpy(dtype="float64"))
        feature |= dict(zip(("min", "max"), limits, strict=True)) if limits else {}
    most = ranges.most_missing(column.n_missing, len(values))
    return feature | ({"max_missing": most} if most != ranges.USUAL_MISSING else {})


def _choices(task: str, roles: Roles, is_linear: bool) -> dict[str, str]:
    """Options of groups.

    A forecast from lags alone is linear, for trees answer no value beyond those that they have seen; so are texts alone, whose
    thousands of words each say a little.
    """
    is_class = task != "regression"
    if roles.time:
        split, cv = "temporal", "time_series"
    elif roles.group:
        split, cv = "group", "stratified_group_kfold" if is_class else "group_kfold"
    else:
        split, cv = ("stratified", "stratified_kfold") if is_class else ("random", "kfold")
    linear = "logistic_regression" if is_class else "linear_regression"
    model = linear if is_linear else "xgboost"
    return {"data_source": "file", "model": model, "data_split": split, "cv": cv}


def _key_of(source: Any) -> str:
    """A name from that of a file: lower case, without what no name may have."""
    stem = "table" if hasattr(source, "columns") else Path(source).name.split(".")[0] or "table"
    return re.sub(r"[^a-z0-9]+", "_", stem.lower()).strip("_")[:64] or "table"


def _some(left_out: dict[str, str]) -> str:
    shown = [f"{name} ({why})" for name, why in list(left_out.items())[:3]]
    return ", ".join(shown) + (f" and {len(left_out) - 3} more" if len(left_out) > 3 else "")
