"""Fit a pipeline, stopping early where it trains in rounds."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy.special import logsumexp
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import FixedThresholdClassifier
from sklearn.pipeline import Pipeline

from src.errors import ConfigError
from src.features.preprocessing import make_features, matrix_facts
from src.models.early_stopping import NO_ROUNDS, Matrix, OnRound, Patience, fit_rounds
from src.models.estimators import ESTIMATORS, make_estimator
from src.runtime.device import openmp_threads, threads_for

if TYPE_CHECKING:
    from src.config.use_case import Cost, Feature

TO_LEARN = {"log1p": np.log1p}
FROM_LEARNT = {"log1p": np.expm1}


@dataclass(frozen=True)
class Recipe:
    """All that is needed to fit a model anywhere: in a fold, in a trial, on train.

    Attributes
    ----------
    task : {"binary", "multiclass", "regression", "clustering", "anomaly"}
    estimator : str
        A name of `src.models.estimators.ESTIMATORS`.
    params : mapping
    features : mapping of str to Feature
    imputer, scaler, encoder : str or None
        See `src.features.preprocessing.make_features`.
    is_monotone : bool
        Whether the estimator is told the monotone directions that the features declare.
    patience : Patience or None
        None trains every round.
    random_state, n_threads : int
    class_weight : {"none", "balanced"}
        "balanced" gives every class the same total weight, in fitting and in the loss that is watched.
    quantile : float, optional
        Level to predict instead of the mean.
    target_transform : {"log1p"}, optional
        What is learnt instead of the target.
    target_min, target_max : float, optional
        Bounds that predictions keep.
    smears : bool
        Whether predictions are turned back to the mean, see `smearing`; else what is the mean of the learnt target becomes
        something like a median.
    device : {"cpu", "cuda"}
        Where a model that can is trained.
    order_column, group_column : str, optional
        Column of the table that says when a row happened, or whom it belongs to, where folds must respect it.
    members : mapping of str to Recipe
        What an ensemble averages, by name; nothing for every other estimator.
    weights : mapping of str to float, optional
        Of those members, where a search has found them.
    cost : Cost, optional
        Of a wrong decision between two classes: see `src.config.use_case.Cost`.
    class_costs : tuple of tuple of float, optional
        Of each decision between several classes, by true class.
    """

    task: str
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
    class_weight: str = "none"
    quantile: float | None = None
    target_transform: str | None = None
    target_min: float | None = None
    target_max: float | None = None
    smears: bool = False
    device: str = "cpu"
    order_column: str | None = None
    group_column: str | None = None
    members: Mapping[str, Recipe] = field(default_factory=dict)
    weights: Mapping[str, float] | None = None
    cost: Cost | None = None
    class_costs: tuple[tuple[float, ...], ...] | None = None

    @property
    def preprocessing(self) -> dict[str, str | None]:
        """`imputer`, `scaler` and `encoder` as its parameters leave them: `normalize` is the scaler's business."""
        scaler = self.scaler if self.params.get("normalize", True) else None
        return {"imputer": self.imputer, "scaler": scaler, "encoder": self.encoder}

    def to_learn(self, y):
        """The target as the estimator learns it."""
        return TO_LEARN[self.target_transform](y) if self.target_transform and y is not None else y

    def from_learnt(self, y_pred, smeared: float = 0.0) -> np.ndarray:
        """An estimator's predictions of a number, turned back and kept within bounds."""
        return on_target_scale(y_pred, self.target_transform, self.target_min, self.target_max, smeared)

    @property
    def holds_out(self) -> bool:
        """Whether a fit needs rows of its own beside those that teach the estimator: to stop at the best round, or to smear."""
        return self.patience is not None or self.smears

    @property
    def loss(self) -> str:
        """The loss that training watches."""
        if self.task == "regression":
            return "rmse" if self.quantile is None else "pinball_loss"
        return "log_loss" if self.task == "binary" else "multiclass_log_loss"


@dataclass(frozen=True)
class Fitted:
    """A fitted pipeline and how its training went.

    Attributes
    ----------
    model : Pipeline, OnTargetScale or ensemble of them
        Takes a table, gives probabilities or values.
    history : DataFrame
        `round`, `train_loss`, `val_loss` and `learning_rate` of every round trained; no rows for a model without rounds.
    best_iteration : int or None
        Rounds in the model, when it trains in rounds.
    """

    model: Any
    history: pd.DataFrame
    best_iteration: int | None

    @property
    def pipeline(self) -> Pipeline:
        return self.model.pipeline if isinstance(self.model, OnTargetScale) else self.model


class OnTargetScale(RegressorMixin, BaseEstimator):
    """A fitted regression pipeline whose predictions are turned back and kept within bounds.

    scikit-learn's TransformedTargetRegressor refits what is stopped early here, has no bounds, and saves functions.

    Parameters
    ----------
    pipeline : Pipeline
        Fitted on the transformed target.
    transform : {"log1p", None}
    minimum, maximum : float, optional
    smeared : float
        Added to what the pipeline says before it is turned back: see `smearing`.
    """

    smeared = 0.0  # of models that were saved before there was one

    def __init__(self, pipeline, transform: str | None, minimum: float | None, maximum: float | None, smeared: float = 0.0):
        self.pipeline = pipeline
        self.transform = transform
        self.minimum = minimum
        self.maximum = maximum
        self.smeared = smeared

    def predict(self, X):
        return self.on_target_scale(self.pipeline.predict(X))

    def on_target_scale(self, y_pred) -> np.ndarray:
        """What the pipeline says, turned back and kept within bounds."""
        return on_target_scale(y_pred, self.transform, self.minimum, self.maximum, self.smeared)

    def __sklearn_is_fitted__(self):
        return True


def on_target_scale(
    y_pred, transform: str | None, minimum: float | None, maximum: float | None, smeared: float = 0.0
) -> np.ndarray:
    """Turn predictions back and keep them within bounds: see `OnTargetScale`."""
    y_pred = np.asarray(y_pred, dtype="float64")
    y_pred = FROM_LEARNT[transform](y_pred + smeared) if transform else y_pred
    return y_pred if minimum is None and maximum is None else np.clip(y_pred, minimum, maximum)


def smearing(learnt, y_pred) -> float:
    """What to add to a prediction of log(1 + y), so that turned back it is the mean of y instead of something like its median.

    The mean of y is that of the prediction with each residual added, turned back. Of a logarithm the residuals are a factor
    of 1 + y that all rows share, whose logarithm this is.

    Parameters
    ----------
    learnt, y_pred : ndarray of shape (n_rows,)
        log(1 + y) and its prediction, of rows that the model was not fitted on: the residuals of its own would be too small.

    References
    ----------
    Duan (1983), Smearing estimate: a nonparametric retransformation method, JASA 78, 605-610.
    """
    return float(logsumexp(np.asarray(learnt, dtype="float64") - y_pred) - np.log(len(learnt)))


def fit(
    recipe: Recipe, frame, y, stop_frame=None, y_stop=None, with_train_loss: bool = False, on_round: OnRound | None = None
) -> Fitted:
    """Fit a recipe.

    Parameters
    ----------
    recipe : Recipe
    frame : DataFrame of shape (n_rows, at least the features)
    y : ndarray of shape (n_rows,)
        Class codes from 0, or values.
    stop_frame, y_stop : DataFrame, ndarray, optional
        Rows that decide the best round, and how far predictions of a logarithm are off when turned back. They teach the model
        nothing else.
    with_train_loss : bool
        Record the loss on the training rows too; it costs a pass over them every round.
    on_round : callable, optional
        Takes the losses of each round while the next ones are still to come; an ensemble's members do not tell theirs.

    Returns
    -------
    Fitted

    Raises
    ------
    ValueError
        If the recipe smears, and no rows are held out for it.
    """
    if recipe.members:
        from src.training.ensemble import fit_ensemble

        return fit_ensemble(recipe, frame, y, stop_frame, y_stop)
    columns = recipe.features if ESTIMATORS[recipe.estimator].reads_columns else {}
    features = make_features(columns, **recipe.preprocessing, random_state=recipe.random_state)
    X = features.fit_transform(frame, recipe.to_learn(y))
    is_asked = stop_frame is not None and (ESTIMATORS[recipe.estimator].rounds or recipe.smears)
    stop = (features.transform(stop_frame), recipe.to_learn(y_stop)) if is_asked else None
    matrix = matrix_of(recipe, features)
    estimator, history, best_iteration = fit_estimator(recipe, X, recipe.to_learn(y), stop, matrix, with_train_loss, on_round)
    model = Pipeline([("features", features), ("estimator", estimator)])
    if recipe.task == "regression":
        smeared = 0.0
        if recipe.smears:
            if stop is None:
                raise ValueError(
                    "a recipe that smears needs `stop_frame`: residuals of rows that it is fitted on are too small"
                )
            smeared = smearing(stop[1], estimator.predict(stop[0]))
        model = OnTargetScale(model, recipe.target_transform, recipe.target_min, recipe.target_max, smeared)
    return Fitted(model, history, best_iteration)


def matrix_of(recipe: Recipe, features) -> Matrix:
    """What the columns of a fitted transformer's output are to the recipe's estimator."""
    if not ESTIMATORS[recipe.estimator].rounds:
        return Matrix([], [])
    _, is_category, directions = matrix_facts(features, recipe.features)
    return Matrix(is_category, directions if recipe.is_monotone else [0] * len(directions))


def fit_estimator(recipe: Recipe, X, y, stop, matrix: Matrix, with_train_loss: bool = False, on_round: OnRound | None = None):
    """Fit a recipe's estimator on rows that have gone through its preprocessing.

    Parameters
    ----------
    recipe : Recipe
    X : ndarray or sparse matrix of shape (n_rows, n_columns)
    y : ndarray of shape (n_rows,)
        As it is learnt: see `Recipe.to_learn`.
    stop : tuple of (matrix, ndarray), optional
        Rows that decide the best round.
    matrix : Matrix
        What the columns are.
    with_train_loss : bool
    on_round : callable, optional

    Returns
    -------
    estimator, history, best_iteration
        As in `Fitted`.
    """
    algorithm = ESTIMATORS[recipe.estimator]
    n_threads = threads_of(recipe, X)
    estimator = make_estimator(recipe.estimator, recipe.params, recipe.random_state, n_threads, recipe.quantile, recipe.device)
    history, best_iteration = NO_ROUNDS, None
    weight = class_weights(y) if recipe.class_weight == "balanced" else None
    if algorithm.rounds:
        with openmp_threads(n_threads) if not algorithm.is_threaded else nullcontext():
            history, best_iteration = fit_rounds(
                estimator, algorithm.rounds, recipe.loss, X, y, stop, recipe.patience, with_train_loss, matrix, weight, on_round
            )
    else:
        estimator.fit(X, y, **({} if weight is None else {"sample_weight": weight[y]}))
    if algorithm.scores_in_one_thread:
        estimator.set_params(n_jobs=1)
    return estimator, history, best_iteration


def threads_of(recipe: Recipe, X) -> int:
    """Threads that a recipe is fitted with on a matrix; trees of a forest wait for no other, so they may have all there are."""
    return threads_for(X.shape[0] * X.shape[1], recipe.n_threads) if ESTIMATORS[recipe.estimator].rounds else recipe.n_threads


def fit_unsupervised(recipe: Recipe, frame) -> Pipeline:
    """Fit a recipe without labels: clusters, or what is normal.

    Raises
    ------
    ConfigError
        If anomalies are asked of an estimator that can score no rows but those that it was fitted on.
    """
    estimator = make_estimator(recipe.estimator, recipe.params, recipe.random_state, recipe.n_threads)
    if recipe.task == "anomaly" and not hasattr(estimator, "score_samples"):
        raise ConfigError(
            f"{recipe.estimator} cannot score rows that it was not fitted on: nothing would show whether it finds anomalies.\n"
            "Choose one that can: model=dbscan."
        )
    features = make_features(
        recipe.features,
        recipe.imputer,
        recipe.scaler,
        recipe.encoder,
        random_state=recipe.random_state,
        takes_sparse=False,
        flags_missing=False,
    )
    X = features.fit_transform(frame)
    return Pipeline([("features", features), ("estimator", estimator.fit(X))])


def predict_score(model, frame, task: str) -> np.ndarray:
    """A fitted model's scores, as `src.metrics.scores.Prediction.score` describes them for each task."""
    if task == "regression":
        return model.predict(frame)
    if task == "anomaly":
        return model.score_samples(frame)
    probability = model.predict_proba(frame)
    return probability[:, 1] if task == "binary" else probability


def with_threshold(model: Pipeline, threshold: float) -> FixedThresholdClassifier:
    """A fitted model whose `predict` decides at a threshold instead of at 0.5; its probabilities stay as they are."""
    decided = FixedThresholdClassifier(FrozenEstimator(model), threshold=threshold, response_method="predict_proba")
    return decided.fit(None, [0, 1])


def class_weights(y) -> np.ndarray:
    """Weight of each class code: inverse to its frequency, 1 on average over the rows (scikit-learn's "balanced")."""
    counts = np.bincount(y)
    return len(y) / (np.count_nonzero(counts) * np.maximum(counts, 1))
