"""Recipe and fit of a pipeline, with early stopping."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pandas as pd
from scipy.special import logsumexp
from sklearn.pipeline import Pipeline

from bank_models.data.view import BATCH_ROWS, View, as_frame
from bank_models.errors import ConfigError
from bank_models.features.preprocessing import columns_by_kind, make_features, matrix_facts
from bank_models.models.algorithm import AS_THEY_ARE
from bank_models.models.early_stopping import NO_ROUNDS, Matrix, Monitoring, OnRound, Part, Patience, fit_rounds
from bank_models.models.estimators import ESTIMATORS, make_estimator
from bank_models.models.wrappers import TO_LEARN, OnTargetScale, on_target_scale
from bank_models.runtime import memory
from bank_models.runtime.device import openmp_threads, threads_for
from bank_models.runtime.notebook import Shown
from bank_models.training.batches import MOST_SHOWN, BatchedMatrix, at_most, matrix_of_rows, predicted, telling_rows
from bank_models.training.class_weights import weigher

if TYPE_CHECKING:
    from bank_models.config.feature import Feature
    from bank_models.config.transform import Transform
    from bank_models.config.use_case import Cost
    from bank_models.runtime.cluster import Cluster


@dataclass(frozen=True, repr=False)
class Recipe(Shown):
    """All that is needed to fit a model anywhere: in a fold, in a trial, on train.

    Attributes
    ----------
    task : {"binary", "multiclass", "regression", "clustering", "anomaly"}
    estimator : str
        A name of `bank_models.models.estimators.ESTIMATORS`.
    params : mapping
    features : mapping of str to Feature
    imputer, scaler, encoder : str or None
        See `bank_models.features.preprocessing.make_features`.
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
    horizon : int
        How many moments back the newest target is that is known when a row is scored.
    weight_column : str, optional
        Column of the table that says how much a row counts.
    cost : Cost, optional
        Of a wrong decision between two classes: see `bank_models.config.use_case.Cost`.
    class_costs : tuple of tuple of float, optional
        Of each decision between several classes, by true class.
    transforms : mapping of str to Transform
        Transformers of extensions: see `bank_models.features.preprocessing.make_features`.
    n_shards : int, optional
        Parts of the rows that a fit is spread over, a worker of the cluster for each: see `bank_models.training.shards`.
    cluster : Cluster, optional
        Where these workers are.
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
    horizon: int = 1
    weight_column: str | None = None
    cost: Cost | None = None
    class_costs: tuple[tuple[float, ...], ...] | None = None
    transforms: Mapping[str, Transform] = field(default_factory=dict)
    n_shards: int | None = None
    cluster: Cluster | None = None
    members: ClassVar[Mapping[str, Recipe]] = {}

    def _shown(self) -> dict[str, Any]:
        found = {"estimator": self.estimator, "task": self.task, "features": len(self.features)}
        return found | {name: value for name, value in self.params.items() if value is not None}

    @property
    def preprocessing(self) -> dict[str, str | None]:
        """`imputer`, `scaler` and `encoder` as its parameters leave them: `normalize` is the scaler's business."""
        scaler = self.scaler if self.params.get("normalize", True) else None
        return {"imputer": self.imputer, "scaler": scaler, "encoder": self.encoder}

    @property
    def facts(self) -> dict[str, Any]:
        """Attributes of a recipe for one estimator, by name."""
        return {one.name: getattr(self, one.name) for one in fields(Recipe)}

    def row_weights(self, frame) -> np.ndarray | None:
        """How much each row of a table counts; None where all count alike."""
        return frame[self.weight_column].to_numpy(dtype="float64") if self.weight_column and frame is not None else None

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

    def fit(
        self, frame, y, stop_frame=None, y_stop=None, with_train_loss: bool = False, on_round: OnRound | None = None
    ) -> Fitted:
        """Fit the preprocessing and the estimator.

        Parameters
        ----------
        frame : DataFrame of shape (n_rows, at least the features)
        y : ndarray of shape (n_rows,)
            Class codes from 0, or values.
        stop_frame, y_stop : DataFrame, ndarray, optional
            Rows for early stopping and for smearing, and to show the loss on. They teach the model nothing else.
        with_train_loss : bool
            Record the loss on the training rows too; it costs a pass over them every round.
        on_round : callable, optional
            Takes the losses of each round while the next ones are still to come; an ensemble's members do not tell theirs.

        Raises
        ------
        ValueError
            If the recipe smears, and no rows are held out for it.
        """
        is_asked = stop_frame is not None and (ESTIMATORS[self.estimator].rounds or self.smears)
        if is_asked and not self.holds_out:  # nothing is decided by these rows, their loss is only shown
            stop_frame, y_stop = at_most(MOST_SHOWN, stop_frame, y_stop, self.random_state)
        features, X = self._features_and_matrix(frame, self.to_learn(y))
        stop = (matrix_of_rows(features, stop_frame, self.takes_batches), self.to_learn(y_stop)) if is_asked else None
        matrix = matrix_of(self, features)
        weights = self.row_weights(frame), self.row_weights(stop_frame)
        how = matrix, with_train_loss, on_round, weights
        estimator, history, best_iteration = fit_estimator(self, X, self.to_learn(y), stop, *how)
        model = Pipeline([("features", features), ("estimator", estimator)])
        if self.task == "regression":
            smeared = self._smearing(estimator, stop, weights[1])
            model = OnTargetScale(model, self.target_transform, self.target_min, self.target_max, smeared)
        return Fitted(self, model, history, best_iteration)

    def refit(self, fitted: Fitted, frame, y) -> Fitted:
        """Fit again on more rows, with as many rounds as the fit had that was stopped early.

        Parameters
        ----------
        fitted : Fitted
            Of this recipe. What it smears with is kept: residuals of rows that a model is fitted on are too small.
        frame : DataFrame of shape (n_rows, at least the features)
            The rows that it was fitted on and those that stopped it.
        y : ndarray of shape (n_rows,)
        """
        rounds = {ESTIMATORS[self.estimator].round_parameter: fitted.best_iteration} if self.patience is not None else {}
        again = replace(self, params={**self.params, **rounds}, patience=None, smears=False).fit(frame, y)
        if self.smears:
            again.model.smeared = fitted.model.smeared
        return replace(again, history=fitted.history, best_iteration=fitted.best_iteration)

    @property
    def takes_batches(self) -> bool:
        """Whether rows may be read batch by batch: nothing but which categories there are is learnt before the estimator."""
        is_text = any(feature.type == "text" for feature in self.features.values())
        is_native = self.preprocessing == dict(AS_THEY_ARE) and not self.transforms and not is_text
        return bool(self.features) and is_native and ESTIMATORS[self.estimator].takes_batches

    def _features_and_matrix(self, frame, y):
        """The fitted preprocessing, and its matrix: in batches, of a view of many rows."""
        features = self.make_features()
        if not isinstance(frame, View) or len(frame) <= BATCH_ROWS or not self.takes_batches:
            advice = "Choose model=xgboost or model=lightgbm, which read batches, or fewer rows."
            memory.check_rows_at_once(self.estimator, len(frame), len(self.features), advice)
            return features, features.fit_transform(as_frame(frame), y)
        some = telling_rows(frame, columns_by_kind(self.features)[1])
        return features.fit(frame.iloc[some], y[some]), BatchedMatrix(features, frame)

    def make_features(self):
        """The unfitted step that turns a table into the matrix of the estimator."""
        algorithm = ESTIMATORS[self.estimator]
        return make_features(
            self.features if algorithm.reads_columns else {},
            **self.preprocessing,
            random_state=self.random_state,
            takes_sparse=None if algorithm.takes_sparse else False,
            transforms=self.transforms,
        )

    def _smearing(self, estimator, stop, weight) -> float:
        if not self.smears:
            return 0.0
        if stop is None:
            raise ValueError("a recipe that smears needs `stop_frame`: residuals of rows that it is fitted on are too small")
        return smearing(stop[1], predicted(estimator, stop[0]), weight)


@dataclass(frozen=True, repr=False)
class Fitted(Shown):
    """A fitted pipeline and how its training went.

    Attributes
    ----------
    recipe : Recipe
    model : Pipeline, OnTargetScale or ensemble of them
        Takes a table, gives probabilities or values.
    history : DataFrame
        `round`, `train_loss`, `val_loss` and `learning_rate` of every round trained; no rows for a model without rounds.
    best_iteration : int or None
        Rounds in the model, when it trains in rounds.
    members : mapping of str to Fitted
        Of an ensemble.
    """

    recipe: Recipe
    model: Any
    history: pd.DataFrame
    best_iteration: int | None
    members: Mapping[str, Fitted] = field(default_factory=dict)

    def _shown(self) -> dict[str, Any]:
        rounds = {} if self.best_iteration is None else {"rounds": self.best_iteration}
        last = {} if self.history.empty else {"val_loss": f"{self.history['val_loss'].min():.4g}"}
        return {"model": type(self.model).__name__, **rounds, **last}

    @property
    def pipeline(self) -> Pipeline:
        return self.model.pipeline if isinstance(self.model, OnTargetScale) else self.model


def fit(recipe: Recipe, *rows, **how) -> Fitted:
    """Fit a recipe: see `Recipe.fit`."""
    return recipe.fit(*rows, **how)


def smearing(learnt, y_pred, weight=None) -> float:
    """What to add to a prediction of log(1 + y), so that turned back it is the mean of y instead of something like its median.

    The mean of y is that of the prediction with each residual added, turned back. Of a logarithm the residuals are a factor
    of 1 + y that all rows share, whose logarithm this is.

    Parameters
    ----------
    learnt, y_pred : ndarray of shape (n_rows,)
        log(1 + y) and its prediction, of rows that the model was not fitted on: the residuals of its own would be too small.
    weight : ndarray of shape (n_rows,), optional

    References
    ----------
    Duan (1983), Smearing estimate: a nonparametric retransformation method, JASA 78, 605-610.
    """
    residual = np.asarray(learnt, dtype="float64") - y_pred
    if weight is not None:
        return float(logsumexp(residual, b=weight) - np.log(np.sum(weight)))
    return float(logsumexp(residual) - np.log(len(learnt)))


def matrix_of(recipe: Recipe, features) -> Matrix:
    """What the columns of a fitted transformer's output are to the recipe's estimator."""
    algorithm = ESTIMATORS[recipe.estimator]
    if not algorithm.rounds and not algorithm.monotone:
        return Matrix([], [])
    _, is_category, directions = matrix_facts(features, recipe.features)
    return Matrix(is_category, directions if recipe.is_monotone else [0] * len(directions))


def fit_estimator(
    recipe: Recipe,
    X,
    y,
    stop,
    matrix: Matrix,
    with_train_loss: bool = False,
    on_round: OnRound | None = None,
    weights: tuple[np.ndarray | None, np.ndarray | None] = (None, None),
):
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
    weights : tuple of (ndarray or None, ndarray or None)
        How much the rows count that are fitted, and those that stop.

    Returns
    -------
    estimator, history, best_iteration
        As in `Fitted`.
    """
    algorithm = ESTIMATORS[recipe.estimator]
    n_threads = threads_of(recipe, X)
    estimator = make_estimator(recipe.estimator, recipe.params, recipe.random_state, n_threads, recipe.quantile, recipe.device)
    history, best_iteration = NO_ROUNDS, None
    weigh = weigher(recipe.class_weight, y, weights[0])
    weight = weigh(y, weights[0])
    if algorithm.rounds:
        val = Part("val", *stop, weigh(stop[1], weights[1])) if stop else None
        how = Part("train", X, y, weight), val, matrix, Monitoring(recipe.patience, with_train_loss, on_round)
        if recipe.n_shards is not None:
            from bank_models.training.shards import Spread, fit_over_shards

            spread = Spread(recipe.cluster, recipe.n_shards, algorithm.rounds, recipe.loss)
            return fit_over_shards(spread, estimator, *how)
        with openmp_threads(n_threads) if not algorithm.is_threaded else nullcontext():
            history, best_iteration = fit_rounds(estimator, algorithm.rounds, recipe.loss, *how)
    else:
        if algorithm.monotone and any(matrix.monotone):
            estimator.set_params(**{algorithm.monotone: list(matrix.monotone)})
        estimator.fit(X, y, **({} if weight is None else {"sample_weight": weight}))
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
        transforms=recipe.transforms,
    )
    X = features.fit_transform(frame)
    return Pipeline([("features", features), ("estimator", estimator.fit(X))])
