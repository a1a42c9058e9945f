"""Data drift: population stability index against the training rows, and the limits to watch."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from bank_models.metrics.headline import headline
from bank_models.metrics.names import is_loss

WATCH, ACT = 0.10, 0.25
SOURCE = "Siddiqi (2006), Credit risk scorecards, Wiley"
N_BINS = 10
MAX_CATEGORIES = 50  # the most frequent ones; all others are one
SMALLEST_SHARE = 1e-4  # what an empty bin counts as, for the index to be finite
BY_CHANCE = WATCH / 2
UNBINNED = ("text", "date")


def reference(frame: pd.DataFrame, features: Mapping[str, Any], answers: Mapping[str, Any]) -> dict[str, Any]:
    """What the columns and the model's answers looked like when the model was made.

    Parameters
    ----------
    frame : DataFrame of shape (n_rows, n_columns)
        Training rows.
    features : mapping of str to object
        Names of the columns to describe. Of text and dates only how often they are missing is.
    answers : mapping of str to array of shape (n_answers,)
        Scores of rows that the model was not fitted on: val.

    Returns
    -------
    dict
        `features` and `answers`, by name, as `describe` gives them; `limits` of the index, and their `source`.
    """
    return {
        "features": {name: describe(frame[name]) for name in features},
        "answers": {name: describe(pd.Series(values)) for name, values in answers.items()},
        "limits": {"watch": WATCH, "act": ACT},
        "source": SOURCE,
    }


def answers_of(score, classes: Iterable[str] | None = None) -> dict[str, np.ndarray]:
    """Scores by what they are of: the probability of each of several classes, else the score."""
    if classes is None:
        return {"score": score}
    return {f"probability of {name}": score[:, code] for code, name in enumerate(classes)}


def describe(column: pd.Series) -> dict[str, Any]:
    """Bins of a column and the share of rows in each.

    Returns
    -------
    dict
        `kind`, `n_rows`, `missing` (share of rows without a value) and `shares` of the bins, of all rows. A "number" has
        `edges`, the distinct deciles: a bin holds its upper edge, the last one has none. A "category" has `categories`, and
        one more bin for all others. A "text" or a "date", which always moves on, has no bins. `rows_needed`: so many new
        rows have an expected index of at most 0.05 if nothing has changed; None if the reference itself is too small.
    """
    kind, n_rows = kind_of(column), len(column)
    described = {"kind": kind, "n_rows": n_rows, "missing": float(column.isna().mean())}
    if kind in UNBINNED:
        return described
    if kind == "category":
        described["categories"] = _frequent(column)
        described["shares"] = _shares(described, column)
    else:
        described["edges"], counts = _deciles(column.dropna().to_numpy())
        described["shares"] = [float(count / n_rows) for count in counts]
    used = sum(share > 0 for share in [*described["shares"], described["missing"]])
    chance_left = BY_CHANCE / (used - 1) - 1 / n_rows if used > 1 else None
    described["rows_needed"] = int(np.ceil(1 / chance_left)) if chance_left and chance_left > 0 else None
    return described


def psi(described: Mapping[str, Any], column: pd.Series) -> float:
    """How far a column has moved from its reference: 0 not at all, above 0.10 worth a look, above 0.25 a different population.

    Parameters
    ----------
    described : mapping
        Of `describe`.
    column : Series
        New rows, at least one. Missing values are a bin of their own, unknown categories fall into "all others".

    Returns
    -------
    float
        The sum over the bins of (new - old) · ln(new / old), shares below 0.0001 counting as 0.0001. If nothing has changed
        its expectation is (bins - 1) · (1 / old rows + 1 / new rows).

    References
    ----------
    Siddiqi (2006), Credit risk scorecards, Wiley, for the limits. Yurdakul & Naranjo (2020), Statistical properties of the
    population stability index, Journal of Risk Model Validation 14(4), for the expectation.
    """
    if len(column) == 0:
        raise ValueError("a column needs at least one row to be compared with its reference")
    missing = float(column.isna().mean())
    if described["kind"] in UNBINNED:
        old, new = [described["missing"], 1 - described["missing"]], [missing, 1 - missing]
    else:
        old, new = [*described["shares"], described["missing"]], [*_shares(described, column), missing]
    old, new = (np.maximum(shares, SMALLEST_SHARE) for shares in (old, new))
    return float(np.sum((new - old) * np.log(new / old)))


def floors(metric: str, metrics: Mapping[str, float]) -> dict[str, Any]:
    """When a metric measured in production is worth a look, and when the model should be replaced.

    Parameters
    ----------
    metric : str
    metrics : mapping of str to float
        With the metric's value on test, both ends of its interval if it has one, and the baseline's value.

    Returns
    -------
    dict
        `watch` is the worse end of the metric's interval on test. `act` is as far again beyond it, or the baseline's value
        if that is reached first; without an interval there is no `watch`, and `act` is the baseline's value. `is_loss` says
        that larger is worse.
    """
    found, falls = headline(metric, metrics), is_loss(metric)
    value, baseline, watch = found.value, found.baseline, found.high if falls else found.low
    if watch is None:
        return {"metric": metric, "value": value, "watch": None, "act": baseline, "is_loss": falls}
    act = watch - (value - watch)
    act = min(act, baseline) if falls else max(act, baseline)
    return {"metric": metric, "value": value, "watch": watch, "act": act, "is_loss": falls}


def kind_of(column: pd.Series) -> str:
    """How a column is described: "number", "date", "category" or "text"."""
    if isinstance(column.dtype, pd.CategoricalDtype) or pd.api.types.is_bool_dtype(column.dtype):
        return "category"
    if column.dtype.kind == "M":
        return "date"
    return "number" if pd.api.types.is_numeric_dtype(column.dtype) else "text"


def _deciles(known: np.ndarray) -> tuple[list[float], np.ndarray]:
    """The distinct deciles of numbers, and how many numbers lie in each of the bins that they bound."""
    n = len(known)
    if not n:
        return [], np.zeros(1, dtype="int64")
    places = np.maximum(n * np.arange(1, N_BINS) // N_BINS - 1, 0)
    parted = np.partition(known, places)
    edges, first = np.unique(parted[places], return_index=True)
    last = places[np.append(first[1:], len(places)) - 1]  # of the places with an edge's value
    after = [np.sum(parted[place + 1 : end] == edge) for edge, place, end in zip(edges, last, [*last[1:], n], strict=True)]
    up_to = last + 1 + np.array(after)
    return [float(edge) for edge in edges], np.diff(up_to, prepend=0, append=n)


def _frequent(column: pd.Series) -> list[str]:
    codes, names = _codes(column)
    counts = np.bincount(codes[codes >= 0], minlength=len(names))
    order = np.argsort(-counts, kind="stable")[:MAX_CATEGORIES]
    return sorted(names[code] for code in order if counts[code])


def _shares(described: Mapping[str, Any], column: pd.Series) -> list[float]:
    if described["kind"] == "category":
        place = {name: position for position, name in enumerate(described["categories"])}
        codes, names = _codes(column)
        bins = np.array([place.get(name, len(place)) for name in names], dtype="int64")[codes[codes >= 0]]
        n_bins = len(place) + 1
    else:
        bins = np.searchsorted(described["edges"], column.dropna().to_numpy(dtype="float64"), side="left")
        n_bins = len(described["edges"]) + 1
    return [float(count / len(column)) for count in np.bincount(bins, minlength=n_bins)]


def _codes(column: pd.Series) -> tuple[np.ndarray, list[str]]:
    """Position of each row's category among the names, -1 where it is missing."""
    column = column.astype("category")
    return column.cat.codes.to_numpy(), [str(name) for name in column.cat.categories]
