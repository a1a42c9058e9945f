"""Ensemble selection: members weighted by their out-of-fold predictions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from sklearn import metrics

from bank_models.data.view import take
from bank_models.metrics.weighted import mean
from bank_models.models.ensemble import EnsembleClassifier, EnsembleRegressor
from bank_models.models.latency import comparisons
from bank_models.models.wrappers import predict_score
from bank_models.training.cross_validation import draw_folds, fit_fold, make_splitter
from bank_models.training.fit import Fitted, Recipe

if TYPE_CHECKING:
    from bank_models.models.early_stopping import OnRound


@dataclass(frozen=True, repr=False)
class EnsembleRecipe(Recipe):
    """A recipe that fits other recipes and weighs them.

    Attributes
    ----------
    members : mapping of str to Recipe
        By name.
    weights : mapping of str to float, optional
        Of those members, where a search has found them; else their out-of-fold predictions decide. The recipe's own params
        say how many folds and how many picks.
    """

    members: Mapping[str, Recipe] = field(default_factory=dict)
    weights: Mapping[str, float] | None = None

    @classmethod
    def of(cls, recipe: Recipe, members: Mapping[str, Recipe], weights: Mapping[str, float] | None = None) -> EnsembleRecipe:
        """A recipe of the ensemble itself, and those of its members."""
        return cls(**recipe.facts, members=members, weights=weights)

    def fit(
        self, frame, y, stop_frame=None, y_stop=None, with_train_loss: bool = False, on_round: OnRound | None = None
    ) -> Fitted:
        """Weigh the members and fit those that count: see `Recipe.fit`.

        Returns
        -------
        Fitted
            `history` has a row for each round of each member that trains in rounds, and the column `member`. The rows that
            stop the members' training have no say in the weights.
        """
        weights = self.weights or find_weights(self, frame, y)
        fitted = {name: self.members[name].fit(frame, y, stop_frame, y_stop, with_train_loss=True) for name in weights}
        histories = [one.history.assign(member=name) for name, one in fitted.items() if len(one.history)]
        history = pd.concat(histories, ignore_index=True) if histories else next(iter(fitted.values())).history
        return Fitted(self, self._average(fitted, weights), history, None, fitted)

    def refit(self, fitted: Fitted, frame, y) -> Fitted:
        """Fit the members again on more rows, with the same weights: see `Recipe.refit`."""
        again = {name: self.members[name].refit(one, frame, y) for name, one in fitted.members.items()}
        return Fitted(self, self._average(again, fitted.model.weights), fitted.history, None, again)

    def _average(self, fitted: Mapping[str, Fitted], weights: Mapping[str, float]) -> EnsembleClassifier | EnsembleRegressor:
        kind = EnsembleRegressor if self.task == "regression" else EnsembleClassifier
        return kind({name: one.model for name, one in fitted.items()}, dict(weights))


def find_weights(recipe: EnsembleRecipe, frame, y) -> dict[str, float]:
    """Weigh the members of a recipe by their out-of-fold predictions for the rows."""
    folds = inner_folds(recipe, frame, y, recipe.params["n_folds"])
    rows = np.concatenate([held_out for _, held_out in folds])
    predictions, ratio = {}, recipe.params.get("max_latency_ratio")
    of_model = {}
    for name, member in recipe.members.items():
        predictions[name], n_rounds = out_of_fold(member, frame, y, folds)
        of_model[name] = comparisons(member.estimator, member.params, n_rounds, n_classes_of(recipe.task, y), len(y))
    latency = None if ratio is None else Latency.within(ratio, of_model, reference_of(recipe.members, list(of_model)))
    n_picks, n_members = recipe.params["n_picks"], recipe.params["n_members"]
    weight = recipe.row_weights(take(frame, rows))
    return greedy_weights(predictions, y[rows], recipe.loss, n_picks, recipe.quantile, n_members, weight, latency)


def n_classes_of(task: str, y) -> int:
    """Classes of a target; 1 of a number."""
    return 1 if task == "regression" else int(y.max()) + 1


def reference_of(recipes: Mapping[str, Recipe], names: Sequence[str]) -> str:
    """The model whose time to score others are compared with: the first XGBoost of those that are named, else the first."""
    return next((name for name in names if recipes[name].estimator.startswith("XGB")), names[0])


def inner_folds(recipe: Recipe, frame, y, n_folds: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Folds of the training rows that keep time and groups as the recipe says."""
    is_class, groups = recipe.task != "regression", None
    if recipe.order_column:
        splitter = make_splitter("time_series", n_folds, False, None)
    elif recipe.group_column:
        method, groups = ("stratified_group_kfold" if is_class else "group_kfold"), frame[recipe.group_column].to_numpy()
        splitter = make_splitter(method, n_folds, True, recipe.random_state)
    else:
        splitter = make_splitter("stratified_kfold" if is_class else "kfold", n_folds, True, recipe.random_state)
    times = frame[recipe.order_column].to_numpy() if recipe.order_column else None
    return draw_folds(splitter, y, recipe.task, times, groups, horizon=recipe.horizon)


def out_of_fold(recipe: Recipe, frame, y, folds) -> tuple[np.ndarray, float | None]:
    """Scores of the held-out rows of each fold, by a model that was fitted on the others; fold after fold.

    And how many rounds the models have on average, where they train in rounds.
    """
    groups = frame[recipe.group_column].to_numpy() if recipe.group_column else None
    scores, rounds = [], []
    for train, held_out in folds:
        fitted = fit_fold(recipe, frame, y, train, recipe.order_column is not None, groups)
        scores.append(predict_score(fitted.model, take(frame, held_out), recipe.task))
        rounds.append(fitted.best_iteration)
    return np.concatenate(scores), None if None in rounds else float(np.mean(rounds))


def greedy_weights(
    predictions: Mapping[str, np.ndarray],
    y_true,
    loss: str,
    n_picks: int,
    quantile: float | None = None,
    n_members: int | None = None,
    weight=None,
    latency: Latency | None = None,
) -> dict[str, float]:
    """Pick, with replacement, whatever lowers the loss of the mean of all picks most; a weight is a share of the picks.

    Parameters
    ----------
    predictions : mapping of str to ndarray
        Scores of the same rows by each model, as `bank_models.metrics.scores.Prediction.score` describes them.
    y_true : ndarray of shape (n_rows,)
    loss : {"log_loss", "multiclass_log_loss", "rmse", "pinball_loss"}
    n_picks : int
        At least 1. The picks up to the best mean count, so that a good start is not watered down.
    quantile : float, optional
        Of the pinball loss.
    n_members : int, optional
        Different models at most, at least 1: once there are so many, only they are picked again.
    weight : ndarray of shape (n_rows,), optional
        How much each row counts.
    latency : Latency, optional
        Bound of the time to score. What is beyond it alone is picked only where every model is.

    Returns
    -------
    dict of str to float
        Positive weights that sum to 1, of those that were picked; of equally good ones one that is in already, else the first.

    References
    ----------
    Caruana, Niculescu-Mizil, Crew & Ksikes (2004), Ensemble selection from libraries of models, ICML.
    """
    names, total, picks, best = list(predictions), 0.0, [], (np.inf, 0)
    for n in range(1, n_picks + 1):
        open_to = names if n_members is None or len(set(picks)) < n_members else [name for name in names if name in picks]
        open_to = open_to if latency is None else latency.allowed(open_to, set(picks))
        losses = {name: mean_loss(loss, y_true, (total + predictions[name]) / n, quantile, weight) for name in open_to}
        picked = min(open_to, key=lambda name: (losses[name], name not in picks))
        picks.append(picked)
        total = total + predictions[picked]
        best = min(best, (losses[picked], n))
    kept = picks[: best[1]]
    return {name: kept.count(name) / len(kept) for name in names if name in kept}


@dataclass(frozen=True)
class Latency:
    """A bound of the time to score a row.

    Attributes
    ----------
    of_model : mapping of str to float
        See `bank_models.models.latency.comparisons`.
    most : float
        Of all members together.
    """

    of_model: Mapping[str, float]
    most: float

    @classmethod
    def within(cls, ratio: float, of_model: Mapping[str, float], reference: str) -> Latency:
        """So many times that of one model."""
        return cls(of_model, ratio * of_model[reference])

    def allowed(self, names: Sequence[str], picked: set[str]) -> list[str]:
        """Those of some models that may be picked beside others; the quickest, if there is none."""
        found = [name for name in names if sum(self.of_model[one] for one in picked | {name}) <= self.most]
        return found or [min(picked or names, key=lambda name: self.of_model[name])]


def mean_loss(loss: str, y_true, score, quantile: float | None = None, weight=None) -> float:
    """The loss that training watches, of scores instead of rounds.

    That of classes is scikit-learn's `log_loss`, without its checks: they take ten times as long, and hundreds of averages are
    compared.
    """
    match loss:
        case "log_loss":
            return _mean_log(np.where(y_true == 1, score, 1 - score), weight)
        case "multiclass_log_loss":
            return _mean_log(score[np.arange(len(score)), y_true] / score.sum(axis=1), weight)
        case "rmse":
            return metrics.root_mean_squared_error(y_true, score, sample_weight=weight)
        case "pinball_loss":
            return metrics.mean_pinball_loss(y_true, score, alpha=quantile, sample_weight=weight)


def _mean_log(of_true_class: np.ndarray, weight=None) -> float:
    smallest = np.finfo("float64").eps
    return -float(mean(np.log(np.clip(of_true_class, smallest, 1 - smallest)), weight))
