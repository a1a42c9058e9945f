"""Shapley values of a sample of test rows, for a beeswarm plot."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from bank_models.evaluation.explain.shapley import N_WALKS, make_explainer, method, n_leaves, texts, walked
from bank_models.metrics.figures import six_digits
from bank_models.models.layers import take_apart

if TYPE_CHECKING:
    from bank_models.config.feature import Feature

MOST_FEATURES = 10
MOST_ROWS = 200
FEWEST_ROWS = 20
MOST_ANSWERS = 8_000  # asked of a model whose contributions are sampled
MOST_LEAVES = 900_000  # of a booster, once for each row: ten thousand take 0.7 to 1.7 ms


def n_explained(model: Any, n_features: int) -> int:
    """How many rows can be explained in a tenth of a second or two: at most 200, fewer of a large booster or by sampling.

    Parameters
    ----------
    model : object
        Of `bank_models.train`, with whatever decides and calibrates around it.
    n_features : int
    """
    core = take_apart(model).core
    if method(core) == "sampled_orders":
        n_rows = MOST_ANSWERS // (N_WALKS * max(1, n_features))
    else:
        n_rows = MOST_LEAVES // max(1, n_leaves(core))
    return min(MOST_ROWS, max(FEWEST_ROWS, n_rows))


def explain(
    model: Any, features: Mapping[str, Feature], frame: pd.DataFrame, decided: np.ndarray | None, reference: pd.DataFrame
) -> tuple[dict[str, pd.DataFrame], list[str]]:
    """Contributions of the features to the raw score of each row: see `bank_models.evaluation.explain.shapley`.

    Parameters
    ----------
    model : object
        Of `bank_models.train`.
    features : mapping of str to Feature
    frame : DataFrame of shape (n_rows, at least the features)
        Its index names the rows.
    decided : ndarray of int of shape (n_rows,), optional
        The class decided for, where there are more than two.
    reference : DataFrame of shape (1, n_features)
        See `bank_models.evaluation.explain.reference`.

    Returns
    -------
    tables : dict of str to DataFrame
        `contributions`: `row`, `feature`, `value` as text (of a text: none, for it may be somebody's), `value_rank` (0 is the
        lowest of these rows, 1 the highest; none without an order) and `contribution`, for the ten features that contribute
        most on average. `explained_rows`: `row`, `class` (its code; missing but for several classes), `base`,
        `other_features_add`, `raw_score` and `method` (of `explain.shapley.method`; "sampled_orders_of_most_used" if not all
        features were looked at one by one). The base and all that is added give the raw score.
    notes : list of str
        Why there are no tables, or how many features were looked at together, if any.
    """
    core, names = take_apart(model).core, list(features)
    try:
        found = make_explainer(core, names, reference)(frame[names], decided)
    except ArithmeticError as error:
        return {}, [f"The contributions of the features to single rows are left out: {error}."]
    rest = 0.0 if found.together is None else found.together
    order = np.argsort(-np.abs(found.values).mean(axis=0), kind="stable")
    top, others = order[:MOST_FEATURES], order[MOST_FEATURES:]
    rows = frame.index.to_numpy()
    parts = [
        pd.DataFrame(
            {
                "row": rows,
                "feature": names[i],
                "value": None if features[names[i]].type == "text" else texts(frame[names[i]]),
                "value_rank": ranks(frame[names[i]], features[names[i]].type),
                "contribution": _six_digits(found.values[:, i]),
            }
        )
        for i in top
    ]
    explained = pd.DataFrame(
        {
            "row": rows,
            "class": pd.array([None] * len(rows) if decided is None else decided, dtype="Int64"),
            "base": _six_digits(found.base),
            "other_features_add": _six_digits(found.values[:, others].sum(axis=1) + rest),
            "raw_score": _six_digits(found.raw_score),
            "method": method(core) if found.together is None else f"{method(core)}_of_most_used",
        }
    )
    tables = {"contributions": pd.concat(parts, ignore_index=True), "explained_rows": explained}
    return tables, [] if found.together is None else [_note_on_together(len(walked(core, names)), len(names))]


def _note_on_together(n_walked: int, n_features: int) -> str:
    return (
        f"Contributions to single rows are those of the {n_walked:,} features that the model uses most; the other "
        f"{n_features - n_walked:,} were looked at together."
    )


def ranks(column: pd.Series, kind: str) -> np.ndarray:
    """Where each value stands among the others, from 0 to 1; of equal ones the same; nan without a value or an order."""
    if kind in ("category", "text"):
        return np.full(len(column), np.nan)
    found = column.rank().to_numpy(dtype="float64")
    low, high = (np.nanmin(found), np.nanmax(found)) if column.notna().any() else (0.0, 0.0)
    return np.where(np.isnan(found), np.nan, 0.5) if low == high else ((found - low) / (high - low)).round(4)


def _six_digits(values: np.ndarray) -> np.ndarray:
    return np.array([six_digits(float(value)) for value in values])
