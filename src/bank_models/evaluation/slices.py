"""Slices: the metric by category, quartile, protected group and period, tested against all test rows."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import t as student

from bank_models.evaluation.fairness import NOT_STATED
from bank_models.metrics.intervals import Estimate, Spread, interval, spread
from bank_models.metrics.names import as_score
from bank_models.metrics.scorer import Scorer
from bank_models.metrics.scores import Prediction
from bank_models.metrics.units import Units
from bank_models.metrics.weighted import effective_size, mean

MIN_ROWS = 100
MIN_OF_CLASS = 10  # of each of two classes
MIN_UNITS = 10  # groups or moments whose rows came into the sample together
MAX_FEATURES = 10
MAX_CATEGORIES = 12
SIGNIFICANCE = 0.05
WHOLE = "all test rows"
OTHERS = "all others"
MISSING = "missing"


@dataclass(frozen=True)
class Cut:
    """A column's way to divide the rows.

    Attributes
    ----------
    column : str
    kind : {"category", "quartile", "protected", "period"}
    codes : ndarray of shape (n_rows,)
        The slice of each row; -1 belongs to none that is large enough.
    names : list of str
        Of the slices.
    n_pooled_or_left_out : int
        Categories or quartiles that were pooled or left out.
    """

    column: str
    kind: str
    codes: np.ndarray
    names: list[str]
    n_pooled_or_left_out: int = 0


def compare(
    scorer: Scorer,
    y_true,
    prediction: Prediction,
    columns: Mapping[str, tuple[str, pd.Series]],
    units: Units,
    periods=None,
) -> tuple[pd.DataFrame, dict]:
    """The primary metric in each slice of the test rows, beside that on all of them.

    A slice has at least 100 rows and, of two classes, 10 rows of each; rows that came together must be of 10 groups and of 10
    moments. Smaller categories of a column are pooled as "all others". Features are looked at if the model's answers differ
    most between their slices, at most 10 of them; protected columns and periods always.

    Parameters
    ----------
    scorer : Scorer
    y_true : ndarray of shape (n_rows,)
    prediction : Prediction
        As decided for; nothing is fitted.
    columns : mapping of str to (kind, Series of shape (n_rows,))
        What to cut by. The kind is "feature", "protected" or "time".
    units : Units
    periods : ndarray of shape (n_rows,), optional
        When each row happened, for metrics that are taken moment by moment.

    Returns
    -------
    table : DataFrame
        First all rows, then each slice: `column`, `kind`, `slice`, `n_rows`, `target_mean` and `mean_score` (missing for
        several classes), `value` of the metric, `ci_low` and `ci_high` (95 %, of slices only), `difference` from all rows,
        its `p_value` (Student's t), `p_adjusted` (Holm) and `differs`: "better" or "worse" where `p_adjusted` is below 0.05,
        else empty.
    facts : dict
        How many slices were looked at and left out, of which columns, and by what rules.

    References
    ----------
    Holm (1979), A simple sequentially rejective multiple test procedure, Scandinavian Journal of Statistics 6, 65-70.
    """
    cuts = {name: _cut(name, kind, column, y_true, scorer.task, units) for name, (kind, column) in columns.items()}
    cuts = {name: cut for name, cut in cuts.items() if cut is not None}
    looked_at = _chosen(cuts, columns, prediction)
    slices = [(cut, name, np.flatnonzero(cut.codes == code)) for cut in looked_at for code, name in enumerate(cut.names)]
    groups = [np.arange(len(y_true)), *(rows for _, _, rows in slices)]
    found = [scorer.estimate(y_true, prediction, units, periods, rows) for rows in groups]
    table = pd.DataFrame(
        {
            "column": ["", *(cut.column for cut, _, _ in slices)],
            "kind": ["", *(cut.kind for cut, _, _ in slices)],
            "slice": [WHOLE, *(name for _, name, _ in slices)],
            "n_rows": [len(rows) for rows in groups],
            "target_mean": [np.nan if scorer.task == "multiclass" else _mean(y_true, rows, units) for rows in groups],
            "mean_score": [np.nan if scorer.task == "multiclass" else _mean(prediction.score, rows, units) for rows in groups],
        }
    )
    sizes = [_sizes(rows, y_true, scorer.task, units) for rows in groups]
    table = table.assign(**_differences(scorer.metric, found, sizes))
    return table, {
        "metric": scorer.metric,
        "n_slices": len(slices),
        "n_pooled_or_left_out": sum(cut.n_pooled_or_left_out for cut in cuts.values()),
        "n_differing": int((table["differs"] != "").sum()),
        "columns": [cut.column for cut in looked_at],
        "columns_left_out": [name for name in columns if name not in {cut.column for cut in looked_at}],
        "correction": "Holm",
        "significance": SIGNIFICANCE,
        "min_rows": MIN_ROWS,
        "min_rows_of_class": MIN_OF_CLASS,
        "min_clusters": None if units.entities is None and units.moments is None else MIN_UNITS,
        "max_features": MAX_FEATURES,
    }


def _chosen(cuts: Mapping[str, Cut], columns: Mapping[str, tuple[str, pd.Series]], prediction: Prediction) -> list[Cut]:
    """Protected columns and periods, and the features between whose slices the model's answers differ most."""
    features = [name for name, cut in cuts.items() if len(cut.names) > 1 and columns[name][0] == "feature"]
    told_apart = {name: _share_explained(prediction.score, cuts[name].codes) for name in features}
    chosen = set(sorted(features, key=lambda name: -told_apart[name])[:MAX_FEATURES])
    return [cut for name, cut in cuts.items() if len(cut.names) > 1 and (name in chosen or columns[name][0] != "feature")]


def _differences(metric: str, found: list[Estimate], sizes: list) -> dict[str, Any]:
    """Columns on the metric of each slice: value, interval, difference from the first, which is all rows, and its test.

    The interval of all rows stands in the metrics.
    """
    whole, of_whole = found[0], spread(found[0].influence, found[0].units, found[0].kinds)
    value = np.array([each.value for each in found])
    ends = [
        (np.nan, np.nan),
        *(interval(each) or (np.nan, np.nan) for each in found[1:]),
    ]
    difference = np.where(np.arange(len(value)) > 0, value - value[0], np.nan)
    spreads = [spread(each.influence - whole.influence, each.units, each.kinds) for each in found[1:]]
    p_value = np.array([np.nan, *_p_values(difference[1:], spreads, of_whole, sizes)])
    p_adjusted = np.array([np.nan, *holm(p_value[1:])])
    direction = np.where(as_score(metric, 1.0) * difference > 0, "better", "worse")
    low, high = np.array(ends).T
    return {
        "value": value, "ci_low": low, "ci_high": high, "difference": difference, "p_value": p_value,
        "p_adjusted": p_adjusted, "differs": np.where(p_adjusted < SIGNIFICANCE, direction, ""),
    }  # fmt: skip


def columns_of(frame: pd.DataFrame, features: Iterable[str], protected: Iterable[str], time_column: str | None) -> dict:
    """What to cut the rows of a table by, as `compare` takes it."""
    columns = {name: ("feature", frame[name]) for name in features} | {name: ("protected", frame[name]) for name in protected}
    return columns | ({time_column: ("time", frame[time_column])} if time_column else {})


def holm(p_values) -> np.ndarray:
    """p-values that keep the chance of any false alarm among all of them; what is not a number stays so and isn't counted."""
    p_values = np.asarray(p_values, dtype="float64")
    known = np.flatnonzero(~np.isnan(p_values))
    order = known[np.argsort(p_values[known], kind="stable")]
    adjusted = np.full(len(p_values), np.nan)
    adjusted[order] = np.minimum(1.0, np.maximum.accumulate(p_values[order] * np.arange(len(order), 0, -1)))
    return adjusted


def _cut(name: str, kind: str, column: pd.Series, y_true, task: str, units: Units) -> Cut | None:
    """Divide rows by a column; None for text."""
    is_category = isinstance(column.dtype, pd.CategoricalDtype) or column.dtype == bool or kind == "protected"
    if not is_category and column.dtype.kind not in "iufM":
        return None
    codes, names = _categories(column) if is_category else _quartiles(column)
    missing = NOT_STATED if kind == "protected" else MISSING
    codes, names = np.where(codes < 0, len(names), codes), [*names, missing]
    counted = {code: codes == code for code in np.flatnonzero(np.bincount(codes))}
    large = [code for code, of_slice in counted.items() if _is_large(of_slice, y_true, task, units)]
    if is_category:
        large = sorted(sorted(large, key=lambda code: -counted[code].sum())[:MAX_CATEGORIES])
    found, kept = np.full(len(codes), -1, dtype="int16"), []
    for code in large:
        found[counted[code]] = len(kept)
        kept.append(names[code])
    rest = found < 0
    if is_category and len(counted) - len(large) > 1 and _is_large(rest, y_true, task, units):
        found[rest] = len(kept)
        kept.append(OTHERS)
    shown = {"protected": "protected", "time": "period"}.get(kind, "category" if is_category else "quartile")
    return Cut(name, shown, found, kept, len(counted) - len(large))


def _categories(column: pd.Series) -> tuple[np.ndarray, list[str]]:
    column = column.astype("category")
    return column.cat.codes.to_numpy().astype("int64"), [str(name) for name in column.cat.categories]


def _quartiles(column: pd.Series) -> tuple[np.ndarray, list[str]]:
    """Four slices of equally many rows, fewer where values repeat; equal values stay together."""
    is_time = column.dtype.kind == "M"
    values = column.to_numpy().astype("datetime64[s]").astype("float64") if is_time else column.to_numpy(dtype="float64")
    known = ~column.isna().to_numpy()
    if not known.any():
        return np.full(len(values), -1), []
    edges = np.unique(np.quantile(values[known], [0.25, 0.5, 0.75], method="lower"))
    edges = edges[edges < values[known].max()]
    codes = np.where(known, np.searchsorted(edges, values, side="left"), -1)
    shown = [str(np.datetime64(int(edge), "s")).removesuffix("T00:00:00") if is_time else f"{edge:.6g}" for edge in edges]
    if not shown:
        return codes, ["any value"]
    between = [f"above {low} to {high}" for low, high in itertools.pairwise(shown)]
    return codes, [f"up to {shown[0]}", *between, f"above {shown[-1]}"]


def _is_large(rows: np.ndarray, y_true, task: str, units: Units) -> bool:
    n_rows = int(rows.sum())
    if n_rows < MIN_ROWS or min(_n_units(rows, units), default=MIN_UNITS) < MIN_UNITS:
        return False
    if units.weight is not None and effective_size(units.weight[rows]) < MIN_UNITS:
        return False
    return task != "binary" or MIN_OF_CLASS <= y_true[rows].sum() <= n_rows - MIN_OF_CLASS


def _n_units(rows, units: Units) -> list[int]:
    return [len(np.unique(codes[rows])) for codes in (units.entities, units.moments) if codes is not None]


def _share_explained(score: np.ndarray, codes: np.ndarray) -> float:
    """How much of the answers' variance lies between the slices; of several classes the largest."""
    rows, shares = codes >= 0, []
    for answers in np.atleast_2d(score.T):
        answers = answers[rows].astype("float64")
        sizes = np.bincount(codes[rows])
        means = np.bincount(codes[rows], weights=answers) / np.maximum(sizes, 1)
        spread = answers.var()
        shares.append(float(np.dot(sizes, (means - answers.mean()) ** 2) / len(answers) / spread) if spread > 0 else 0.0)
    return max(shares)


def _sizes(rows, y_true, task: str, units: Units) -> np.ndarray:
    """What a slice's spread shrinks with: how many rows of each of two classes, else rows, or what came together."""
    if n_units := _n_units(rows, units):
        return np.array([min(n_units)])
    if units.weight is not None:  # as many rows of equal weight as tell as much
        kinds = [rows[y_true[rows] == code] for code in (0, 1)] if task == "binary" else [rows]
        return np.array([effective_size(units.weight[some]) for some in kinds])
    return np.bincount(y_true[rows], minlength=2) if task == "binary" else np.array([len(rows)])


def _mean(values: np.ndarray, rows: np.ndarray, units: Units) -> float:
    return mean(values[rows], None if units.weight is None else units.weight[rows])


def _p_values(differences, spreads: list[Spread | None], of_whole: Spread | None, sizes: list[np.ndarray]) -> list[float]:
    """Two-sided, of each slice's difference from all rows.

    Few rows that happen to agree spread too little: no slice is taken to spread less than as many rows of all would.
    """
    found = []
    for difference, there, size in zip(differences, spreads, sizes[1:], strict=True):
        if there is None or of_whole is None:
            found.append(np.nan)
            continue
        error = max(there.error, of_whole.error * np.sqrt(max(np.max(sizes[0] / size) - 1, 0.0)))
        freedom = max(1.0, min(there.freedom, *(size - 1)))
        found.append(float(2 * student.sf(abs(difference) / error, freedom)) if error > 0 else np.nan)
    return found
