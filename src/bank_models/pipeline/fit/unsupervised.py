"""Fit of an unsupervised run: clustering and anomaly detection."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bank_models.metrics.clusters import stability
from bank_models.models.estimators import make_estimator
from bank_models.pipeline.fit_result import FitResult
from bank_models.training.fit import fit_unsupervised
from bank_models.training.recipe import make_recipe

if TYPE_CHECKING:
    from bank_models.config.schema import TrainingConfig
    from bank_models.pipeline.rows import Rows
    from bank_models.runtime.progress import Steps


def find_clusters(config: TrainingConfig, rows: Rows, steps: Steps) -> FitResult:
    """Fit clusters of all rows, and again of many samples of them, which tells how stable they are."""
    recipe = make_recipe(config, rows.table.features)
    with steps.step("fit"):
        model = fit_unsupervised(recipe, rows.table.frame)
    with steps.step("repeat"):
        fit_result = FitResult(recipe, model)
        params, X = fit_result.params, model.named_steps["features"].transform(rows.table.frame)

        def fit_predict_new(X_fit, X_new, seed):
            return make_estimator(recipe.estimator, params, seed, recipe.n_threads).fit(X_fit).predict(X_new)

        found = stability(fit_predict_new, X, config.seed)
        return FitResult(recipe, model, stability=found, n_fitted_rows=len(rows.table.frame))


def find_anomalies(config: TrainingConfig, rows: Rows, steps: Steps) -> FitResult:
    """Fit a detector of what is unusual beside the train rows, without their labels."""
    recipe = make_recipe(config, rows.table.features)
    train = rows.parts.split.train
    with steps.step("fit"):
        return FitResult(recipe, fit_unsupervised(recipe, rows.table.rows(train)[0]), n_fitted_rows=len(train))
