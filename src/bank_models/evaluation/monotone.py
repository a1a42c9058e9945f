"""Monotonicity check: whether a fitted model keeps the declared directions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import numpy as np

from bank_models.errors import GateError
from bank_models.models.wrappers import predict_score

if TYPE_CHECKING:
    import pandas as pd

    from bank_models.config.feature import Feature


TOLERANCE = 1e-6  # of a score: trees add up in float32


def check_directions(
    model, task: str, frame: pd.DataFrame, features: Mapping[str, Feature], is_required: bool
) -> dict[str, float]:
    """Probe a fitted model's directions; see `violations`.

    Parameters
    ----------
    model : classifier or regressor
        Takes a table.
    task : str
        Several classes have no direction.
    frame : DataFrame
        Training rows.
    features : mapping of str to Feature
    is_required : bool
        Whether a wrong step is an error.

    Raises
    ------
    GateError
        If a direction is required and broken.
    """
    if task == "multiclass":
        return {}
    found = violations(lambda rows: predict_score(model, rows, task), frame, features)
    if is_required and (broken := {name: step for name, step in found.items() if not step <= TOLERANCE}):
        name, step = max(broken.items(), key=lambda item: item[1])
        raise GateError(
            f"The fitted model breaks a required direction: {name} moves its score by {step:.3g} against "
            f"monotone={features[name].monotone}{f' (and {len(broken) - 1} more features)' if len(broken) > 1 else ''}.\n"
            "Nothing was written. Choose another model, or set use_case.requires_monotone=false."
        )
    return found


def violations(
    predict: Callable[[pd.DataFrame], np.ndarray],
    frame: pd.DataFrame,
    features: Mapping[str, Feature],
    n_rows: int = 200,
    n_points: int = 20,
    seed: int = 0,
) -> dict[str, float]:
    """Move each feature with a declared direction through its values, all others held, and watch the score.

    These are curves of individual conditional expectation (Goldstein et al. 2015, Journal of Computational and Graphical
    Statistics 24(1), 44-65). They find a violation, they do not prove that there is none.

    Parameters
    ----------
    predict : callable
        Takes a table, gives an ndarray of shape (n,) of finite scores: a probability or a predicted number.
    frame : DataFrame of shape (n_frame_rows, n_columns)
        Training rows: some are drawn as starting points, and the values to try are quantiles of their columns.
    features : mapping of str to Feature
    n_rows, n_points : int
        How many rows are drawn at most, and how many values are tried at most; at least 1 and 2.
    seed : int

    Returns
    -------
    dict of str to float
        For each feature with a direction the largest step between neighbouring values that goes the wrong way, in units
        of the score; 0.0 where there is none.

    Raises
    ------
    ValueError
        If the scores are not one finite number a row.
    """
    rows = np.random.default_rng(seed).choice(len(frame), min(n_rows, len(frame)), replace=False)
    start = frame.iloc[np.sort(rows)]
    directions = {name: feature.monotone for name, feature in features.items() if feature.monotone}
    return {name: _worst_step(predict, start, frame[name], sign, n_points) for name, sign in directions.items()}


def _worst_step(predict, start: pd.DataFrame, column: pd.Series, direction: int, n_points: int) -> float:
    values = _values_to_try(column, n_points)
    if len(values) < 2:
        return 0.0
    moved = start.iloc[np.tile(np.arange(len(start)), len(values))]
    score = np.asarray(predict(moved.assign(**{column.name: np.repeat(values, len(start))})))
    if score.shape != (len(moved),):
        raise ValueError(f"a score must be one number a row, but {len(moved)} rows gave an array of shape {score.shape}")
    if not np.isfinite(score).all():
        raise ValueError(f"a score must be finite, but {np.sum(~np.isfinite(score))} of {len(score)} are not")
    steps = np.diff(score.astype("float64").reshape(len(values), len(start)), axis=0) * direction
    return float(max(0.0, -steps.min(initial=0.0)))


def _values_to_try(column: pd.Series, n_points: int) -> np.ndarray:
    """Observed quantiles, each once, in the column's type: a whole number stays whole and a flag a flag."""
    observed = np.sort(column.dropna().to_numpy())
    places = np.round(np.linspace(0, len(observed) - 1, n_points)).astype(int) if len(observed) else []
    return np.unique(observed[places])
