"""A weighted average of other models, the weights found on predictions of rows that taught those models nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from sklearn import metrics
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin

if TYPE_CHECKING:
    from src.training.fit import Fitted, Recipe


class EnsembleClassifier(ClassifierMixin, BaseEstimator):
    """The weighted mean of fitted classifiers' probabilities.

    Parameters
    ----------
    models : dict of str to classifier
        Fitted on the same classes, codes from 0; each takes a table.
    weights : dict of str to float
        Of the same names; positive, and 1 in all.
    """

    def __init__(self, models: dict, weights: dict[str, float]):
        self.models = models
        self.weights = weights

    def fit(self, X, y=None):
        """Nothing is left to fit: the members are fitted, and scikit-learn asks an estimator for the method."""
        return self

    def predict_proba(self, X) -> np.ndarray:
        """Probability of each class, as float64 of shape (n_rows, n_classes)."""
        return sum(weight * self.models[name].predict_proba(X).astype("float64") for name, weight in self.weights.items())

    def predict(self, X) -> np.ndarray:
        """The most probable class of each row."""
        return self.classes_[self.predict_proba(X).argmax(axis=1)]

    @property
    def classes_(self) -> np.ndarray:
        return next(iter(self.models.values())).classes_

    def __sklearn_is_fitted__(self):
        return bool(self.models)


class EnsembleRegressor(RegressorMixin, BaseEstimator):
    """The weighted mean of fitted regressors' predictions; parameters are those of `EnsembleClassifier`."""

    def __init__(self, models: dict, weights: dict[str, float]):
        self.models = models
        self.weights = weights

    def predict(self, X) -> np.ndarray:
        return sum(weight * self.models[name].predict(X) for name, weight in self.weights.items())

    def __sklearn_is_fitted__(self):
        return bool(self.models)


def fit_ensemble(recipe: Recipe, frame, y, stop_frame=None, y_stop=None) -> Fitted:
    """Weigh the members of a recipe by their out-of-fold predictions and fit those that count.

    Parameters
    ----------
    recipe : Recipe
        With `members`; its own params say how many folds and how many picks, unless it has `weights` already.
    frame, y, stop_frame, y_stop
        As for `src.training.fit.fit`. The rows that stop the members' training have no say in the weights.

    Returns
    -------
    Fitted
        `history` has a row for each round of each member that trains in rounds, and the column `member`.
    """
    from src.training.fit import Fitted, fit

    weights = recipe.weights or find_weights(recipe, frame, y)
    fitted = {name: fit(recipe.members[name], frame, y, stop_frame, y_stop, with_train_loss=True) for name in weights}
    kind = EnsembleRegressor if recipe.task == "regression" else EnsembleClassifier
    histories = [one.history.assign(member=name) for name, one in fitted.items() if len(one.history)]
    history = pd.concat(histories, ignore_index=True) if histories else next(iter(fitted.values())).history
    return Fitted(kind({name: one.model for name, one in fitted.items()}, weights), history, None)


def find_weights(recipe: Recipe, frame, y) -> dict[str, float]:
    """Weigh the members of a recipe by their out-of-fold predictions for the rows."""
    folds = inner_folds(recipe, frame, y, recipe.params["n_folds"])
    rows = np.concatenate([held_out for _, held_out in folds])
    predictions = {name: out_of_fold(member, frame, y, folds) for name, member in recipe.members.items()}
    return greedy_weights(predictions, y[rows], recipe.loss, recipe.params["n_picks"], recipe.quantile)


def inner_folds(recipe: Recipe, frame, y, n_folds: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Folds of the training rows that keep time and groups as the recipe says."""
    from src.training.cross_validation import draw_folds, make_splitter

    is_class, groups = recipe.task != "regression", None
    if recipe.order_column:
        splitter = make_splitter("time_series", n_folds, False, None)
    elif recipe.group_column:
        method, groups = ("stratified_group_kfold" if is_class else "group_kfold"), frame[recipe.group_column].to_numpy()
        splitter = make_splitter(method, n_folds, True, recipe.random_state)
    else:
        splitter = make_splitter("stratified_kfold" if is_class else "kfold", n_folds, True, recipe.random_state)
    times = frame[recipe.order_column].to_numpy() if recipe.order_column else None
    return draw_folds(splitter, y, recipe.task, times, groups)


def out_of_fold(recipe: Recipe, frame, y, folds) -> np.ndarray:
    """Scores of the held-out rows of each fold, by a model that was fitted on the others; fold after fold."""
    from src.training.cross_validation import fit_fold
    from src.training.fit import predict_score

    groups = frame[recipe.group_column].to_numpy() if recipe.group_column else None
    scores = []
    for train, held_out in folds:
        model = fit_fold(recipe, frame, y, train, recipe.order_column is not None, groups).model
        scores.append(predict_score(model, frame.iloc[held_out], recipe.task))
    return np.concatenate(scores)


def greedy_weights(
    predictions: dict[str, np.ndarray], y_true, loss: str, n_picks: int, quantile: float | None = None
) -> dict[str, float]:
    """Pick, with replacement, whatever lowers the loss of the mean of all picks most; a weight is a share of the picks.

    Parameters
    ----------
    predictions : dict of str to ndarray
        Scores of the same rows by each model, as `src.metrics.scores.Prediction.score` describes them.
    y_true : ndarray of shape (n_rows,)
    loss : {"log_loss", "multiclass_log_loss", "rmse", "pinball_loss"}
    n_picks : int
        At least 1. The picks up to the best mean count, so that a good start is not watered down.
    quantile : float, optional
        Of the pinball loss.

    Returns
    -------
    dict of str to float
        Positive weights that sum to 1, of those that were picked; of equally good ones the first is picked.

    References
    ----------
    Caruana, Niculescu-Mizil, Crew & Ksikes (2004), Ensemble selection from libraries of models, ICML.
    """
    names, total, picks, best = list(predictions), 0.0, [], (np.inf, 0)
    for n in range(1, n_picks + 1):
        losses = [mean_loss(loss, y_true, (total + predictions[name]) / n, quantile) for name in names]
        picked = int(np.argmin(losses))
        picks.append(names[picked])
        total = total + predictions[names[picked]]
        best = min(best, (losses[picked], n))
    kept = picks[: best[1]]
    return {name: kept.count(name) / len(kept) for name in names if name in kept}


def mean_loss(loss: str, y_true, score, quantile: float | None = None) -> float:
    """The loss that training watches, of scores instead of rounds."""
    match loss:
        case "log_loss":
            return metrics.log_loss(y_true, score)
        case "multiclass_log_loss":
            return metrics.log_loss(y_true, score, labels=np.arange(score.shape[1]))
        case "rmse":
            return metrics.root_mean_squared_error(y_true, score)
        case "pinball_loss":
            return metrics.mean_pinball_loss(y_true, score, alpha=quantile)
