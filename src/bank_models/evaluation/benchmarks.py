"""Benchmarks: simple models and rules of thumb that a trained model has to beat."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from bank_models.data.view import View, take
from bank_models.models.estimators import MEDIAN
from bank_models.models.wrappers import predict_score
from bank_models.training.fit import Recipe

if TYPE_CHECKING:
    import pandas as pd

    from bank_models.config.benchmark import Benchmark

MOST_ROWS = 20_000  # that a linear benchmark is fitted on: a few coefficients need no more
MOST_ROWS_OF_QUANTILE = 3_000  # a linear programme has a constraint for every row
LOGISTIC = {"C": 1.0, "penalty": "l2", "l1_ratio": None, "solver": "lbfgs", "max_iter": 1000}
LINEAR = {"Ridge": {"alpha": 1.0}, "QuantileRegressor": {"alpha": 0.0}, "LogisticRegression": LOGISTIC}


def benchmark_scores(
    benchmarks: Mapping[str, Benchmark], recipe: Recipe, metric: str, frame: pd.DataFrame | View, y, train: np.ndarray
) -> dict[str, np.ndarray]:
    """Scores of every benchmark for all rows, fitted on the training rows alone.

    Parameters
    ----------
    benchmarks : mapping of str to Benchmark
        See `bank_models.config.use_case.Benchmark`.
    recipe : Recipe
        Of the model that has to beat them: its task, quantile, bounds and transformation of the target hold for them too.
    metric : str
        Primary metric: where it counts absolute errors, a benchmark of numbers learns the median.
    frame : DataFrame or View of shape (n_rows, n_columns)
    y : ndarray of shape (n_rows,)
    train : ndarray of int
        Positions of the training rows.

    Returns
    -------
    dict of str to ndarray of shape (n_rows,) or (n_rows, n_classes)
    """
    level = MEDIAN if metric in ("mae", "median_absolute_error") else None
    level = level if recipe.quantile is None else recipe.quantile
    found = {}
    for name, benchmark in benchmarks.items():
        if benchmark.linear:
            model = _linear(recipe, benchmark.linear, level, take(frame, train), y[train])
            found[name] = predict_score(model, frame, recipe.task)
        else:
            values = frame[benchmark.scaled or benchmark.feature].to_numpy(dtype="float64", na_value=np.nan)
            weight = recipe.row_weights(take(frame, train))
            factor = scale(values[train], y[train], level, weight) if benchmark.scaled else 1.0
            values = np.where(np.isnan(values), np.nanmedian(values[train]), values)
            found[name] = np.clip(factor * values, recipe.target_min, recipe.target_max)
    return found


def scale(values, y, level: float | None, weight=None) -> float:
    """Factor of a feature that fits the target best: for squared errors, or for the pinball loss of a quantile.

    Parameters
    ----------
    values, y : ndarray of shape (n_rows,)
        Rows without a value, or with 0, say nothing.
    level : float, optional
        Quantile in (0, 1); None minimises squared errors.
    weight : ndarray of shape (n_rows,), optional
        How much each row counts.

    Notes
    -----
    The pinball loss of ``y - k * x`` is that of ``y / x - k`` with weight ``x`` where x is positive, so the best k is a
    weighted quantile of the ratios. With x a volatility, that is filtered historical simulation: Hull & White (1998),
    Incorporating volatility updating into the historical simulation method for Value at Risk, Journal of Risk 1(1), 5-19.
    """
    known = ~np.isnan(values) & (values != 0)
    x, y = values[known], np.asarray(y, dtype="float64")[known]
    of_x = x if weight is None else weight[known] * x
    if level is None:
        return float(of_x @ y / (of_x @ x))
    ratio, weight = y / x, np.abs(of_x)
    is_below = x < 0  # for these the ratio's upper end is the residual's lower one
    order = np.argsort(ratio)
    # the slope of the loss in k: at each ratio it rises by the weight, from minus the sum of what lies above
    slope = -(np.where(is_below, 1 - level, level) * weight).sum() + np.cumsum(weight[order])
    return float(ratio[order][np.searchsorted(slope, 0.0)])


def _linear(recipe: Recipe, columns: list[str], level: float | None, frame: pd.DataFrame | View, y):
    """A linear, logistic or quantile regression on some features, fitted on a sample where the rows are many."""
    is_number = recipe.task == "regression"
    estimator = ("Ridge" if level is None else "QuantileRegressor") if is_number else "LogisticRegression"
    most = MOST_ROWS_OF_QUANTILE if estimator == "QuantileRegressor" else MOST_ROWS
    if len(y) > most:
        rows = np.sort(np.random.default_rng(recipe.random_state).permutation(len(y))[:most])
        frame, y = take(frame, rows), y[rows]
    facts = recipe.facts | {
        "estimator": estimator,
        "params": LINEAR[estimator],
        "features": {name: recipe.features[name] for name in columns},
        "imputer": "median",
        "scaler": "power",
        "encoder": "one_hot",
        "is_monotone": False,
        "patience": None,
        "class_weight": "none",
        "quantile": level,
        "device": "cpu",
        "transforms": {},
    }
    simple = Recipe(**facts)
    return simple.fit(frame, y, frame, y).model  # of a few coefficients, so the rows it is fitted on may smear it
