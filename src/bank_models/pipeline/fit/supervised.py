"""Fit of a supervised run: tune, cross-validate, fit, decide."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from bank_models.config.schema import seconds_of
from bank_models.metrics import threshold
from bank_models.models.layers import around
from bank_models.models.wrappers import CheapestClass, predict_score, with_threshold
from bank_models.pipeline.fit.folds import score_folds
from bank_models.pipeline.fit_result import FitResult
from bank_models.training import fit as training
from bank_models.training.calibration import calibrate, cross_fitted
from bank_models.training.recipe import cluster_of, make_recipe, scorer_of
from bank_models.training.repeats import n_repeats_of

if TYPE_CHECKING:
    from bank_models.config.schema import TrainingConfig
    from bank_models.data.table import Table
    from bank_models.pipeline.rows import Parts, Rows
    from bank_models.runtime.progress import Steps
    from bank_models.training.fit import Fitted, Recipe
    from bank_models.tuning.tune import SearchResult

AFTER_S, AFTER = 2.0, 0.8  # seconds at the end of a run that are set aside, and how many more for each before the search


def fit(config: TrainingConfig, rows: Rows, steps: Steps) -> FitResult:
    """Search, cross-validate and fit on train; stop, calibrate and decide on val."""
    cluster = cluster_of(config)
    with cluster.connected() if cluster else nullcontext():
        return _fit(config, rows, steps)


def _fit(config: TrainingConfig, rows: Rows, steps: Steps) -> FitResult:
    table, train = rows.table, rows.parts.split.train
    recipe, search = make_recipe(config, table.features), _search(config, rows, steps)
    recipe = search.applied_to(recipe) if search else recipe
    n_repeats = n_repeats_of(
        config.cv.n_repeats, len(table.frame), len(table.features), config.cv.shuffle, bool(recipe.members)
    )
    cv_results = pd.DataFrame()
    if not config.budget:
        with steps.step("cross-validate", total=config.cv.n_folds * n_repeats) as advance:
            cv_results = score_folds(config, recipe, table, train, n_repeats, advance)
    with steps.step("fit", total=None) as advance:
        val = rows.parts.split.val
        train = table.known_before(train, val)
        known = [each for part in (train, val) for each in (table.view(part), table.y[part])]
        fitted = training.fit(recipe, *known, with_train_loss=True, on_round=steps.rounds(advance, recipe.patience))
    with steps.step("decide"):
        found = decide_on_val(config, recipe, fitted, table, rows.parts, cv_results, search)
    if config.refit == "none":
        return replace(found, n_fitted_rows=len(train))
    with steps.step("refit"):
        return refit(found, fitted, table, rows.parts, config.refit)


def _search(config: TrainingConfig, rows: Rows, steps: Steps) -> SearchResult | None:
    if config.tuning.method == "none":
        return None
    from bank_models.pipeline.fit.search import tune

    recipe, scorer = make_recipe(config, rows.table.features), scorer_of(config.use_case, rows.table.y)
    left_s = _left_s(seconds_of(config.budget), steps.elapsed_s) if config.budget else None
    with steps.step("tune") as advance:
        return tune(config, recipe, rows.table, rows.parts.split.train, scorer, advance, left_s)


def _left_s(budget_s: float, elapsed_s: float) -> float:
    """Seconds of a budget for search and fit: the evaluation and the files take about as long as imports and reading did."""
    return max(1.0, budget_s - elapsed_s - AFTER_S - elapsed_s * AFTER)


def decide_on_val(
    config: TrainingConfig,
    recipe: Recipe,
    fitted: Fitted,
    table: Table,
    parts: Parts,
    cv_results: pd.DataFrame,
    search: SearchResult | None = None,
) -> FitResult:
    """Calibrate and choose how to decide; no test row is looked at."""
    use_case, task = config.use_case, config.use_case.task
    val, y_val = table.view(parts.split.val), table.y[parts.split.val]
    model, weight = fitted.model, table.weights(parts.split.val)
    if config.calibration != "none":
        model = calibrate(model, config.calibration, val.to_frame(), y_val, weight)
    unseen = val_score = predict_score(model, val, task)
    if config.calibration != "none":
        unseen = cross_fitted(fitted.model, config.calibration, val.to_frame(), y_val, config.seed, weight)
    if task == "binary":
        model = with_threshold(model, threshold.choose(y_val, val_score, threshold.prices(use_case.cost, val), weight))
    if use_case.cost_matrix:
        model = CheapestClass(model, threshold.cost_array(use_case.cost_matrix.costs, use_case.classes))
    return FitResult(recipe, model, val_score, unseen, fitted.best_iteration, fitted.history, cv_results, search)


def refit(found: FitResult, fitted: Fitted, table: Table, parts: Parts, on: str) -> FitResult:
    """Fit again on more rows, with the rounds, weights, calibration and threshold that were found without them.

    The scores of val stay those of the first fit: the second has seen the rows. Nothing is scored with the third, of all rows.

    Parameters
    ----------
    found : FitResult
    fitted : Fitted
        Of train.
    table : Table
    parts : Parts
    on : {"train_val", "all"}
    """
    split = parts.split
    both = table.known_before(np.sort(np.concatenate([split.train, split.val])), split.test)
    measured = replace(found, model=_fitted_on(both, found, fitted, table), n_fitted_rows=len(both))
    if on == "train_val":
        return measured
    every = np.arange(len(table.y))
    return replace(measured, deployed=_fitted_on(every, found, fitted, table), n_fitted_rows=len(every))


def _fitted_on(rows: np.ndarray, found: FitResult, fitted: Fitted, table: Table) -> Any:
    return around(found.model, fitted.recipe.refit(fitted, table.view(rows), table.y[rows]).model)
