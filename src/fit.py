"""Fit a pipeline, stopping early where it trains in rounds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import FixedThresholdClassifier
from sklearn.pipeline import Pipeline

from src.features import columns_by_kind, make_features
from src.models import ESTIMATORS, make_estimator
from src.rounds import Patience, fit_rounds

if TYPE_CHECKING:
    from src.use_case import Feature


@dataclass(frozen=True)
class Recipe:
    """All that is needed to fit a model anywhere: in a fold, in a trial, on train.

    Attributes
    ----------
    estimator : str
        A name of `src.models.ESTIMATORS`.
    params : mapping
    features : mapping of str to Feature
    imputer, scaler, encoder : str or None
        See `src.features.make_features`.
    is_monotone : bool
        Whether the estimator is told the monotone directions that the features declare.
    patience : Patience or None
        None trains every round.
    random_state, n_threads : int
    """

    estimator: str
    params: Mapping[str, Any]
    features: Mapping[str, Feature]
    imputer: str | None
    scaler: str | None
    encoder: str
    is_monotone: bool
    patience: Patience | None
    random_state: int
    n_threads: int


@dataclass(frozen=True)
class Fitted:
    """A fitted pipeline and how its training went.

    Attributes
    ----------
    model : Pipeline
        Takes a table, gives probabilities.
    history : DataFrame
        `round`, `train_loss`, `val_loss` and `learning_rate` of every round trained; no rows for a model without rounds.
    best_iteration : int or None
        Rounds in the model, when it trains in rounds.
    """

    model: Pipeline
    history: pd.DataFrame
    best_iteration: int | None


def fit(recipe: Recipe, frame, y, stop_frame=None, y_stop=None, with_train_loss: bool = False) -> Fitted:
    """Fit a recipe.

    Parameters
    ----------
    recipe : Recipe
    frame : DataFrame of shape (n_rows, at least the features)
    y : ndarray of shape (n_rows,)
        0 or 1.
    stop_frame, y_stop : DataFrame, ndarray, optional
        Rows that decide the best round. They teach the model nothing else.
    with_train_loss : bool
        Record the loss on the training rows too; it costs a pass over them every round.

    Returns
    -------
    Fitted
    """
    features = make_features(recipe.features, recipe.imputer, recipe.scaler, recipe.encoder)
    X = features.fit_transform(frame)
    estimator = make_estimator(recipe.estimator, recipe.params, recipe.random_state, recipe.n_threads)
    history, best_iteration = pd.DataFrame(columns=["round", "train_loss", "val_loss", "learning_rate"]), None
    algorithm = ESTIMATORS[recipe.estimator]
    if algorithm.module in ("xgboost", "lightgbm"):
        stop = None if stop_frame is None else (features.transform(stop_frame), y_stop)
        history, best_iteration = fit_rounds(
            estimator, algorithm.module, X, y, stop, recipe.patience, with_train_loss, **_matrix_facts(recipe)
        )
    else:
        estimator.fit(X, y)
    if algorithm.scores_in_one_thread:
        estimator.set_params(n_jobs=1)
    return Fitted(Pipeline([("features", features), ("estimator", estimator)]), history, best_iteration)


def with_threshold(model: Pipeline, threshold: float) -> FixedThresholdClassifier:
    """A fitted model whose `predict` decides at a threshold instead of at 0.5; its probabilities stay as they are."""
    decided = FixedThresholdClassifier(FrozenEstimator(model), threshold=threshold, response_method="predict_proba")
    return decided.fit(None, [0, 1])


def _matrix_facts(recipe: Recipe) -> dict[str, list]:
    """Which matrix columns are categories, and the direction each must keep."""
    numeric, categories = columns_by_kind(recipe.features)
    directions = [recipe.features[name].monotone if recipe.is_monotone else 0 for name in numeric] + [0] * len(categories)
    return {"is_category": [False] * len(numeric) + [True] * len(categories), "monotone": directions}
