"""Fast fits of one fold: one fit for all numbers of rounds, binned rows shared between trials.

What comes out equals what `fit_estimator` of `bank_models.training.fit` gives for the same parameters: only what does not
depend on them is kept.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from math import ceil
from typing import Any

import numpy as np

from bank_models.models.estimators import ESTIMATORS, make_estimator
from bank_models.training.class_weights import weigher
from bank_models.training.fit import Recipe, fit_estimator, smearing, threads_of
from bank_models.tuning.folds import Fold

LENGTHS = {  # the parameter that says how many trees or rounds: a longer fit holds every shorter one
    "XGBClassifier": "n_estimators",
    "XGBRegressor": "n_estimators",
    "LGBMClassifier": "n_estimators",
    "LGBMRegressor": "n_estimators",
    "CatBoostClassifier": "iterations",
    "CatBoostRegressor": "iterations",
    "RandomForestClassifier": "n_estimators",
    "RandomForestRegressor": "n_estimators",
    "GradientBoostingClassifier": "n_estimators",
    "GradientBoostingRegressor": "n_estimators",
    "HistGradientBoostingClassifier": "max_iter",
    "HistGradientBoostingRegressor": "max_iter",
}
MOST_ROUNDS = 10_000
ROUNDS = 100  # of XGBoost and LightGBM, where a model file says nothing
Scores = dict[int | None, np.ndarray]
GiveUp = Callable[[Scores], bool]
Predict = Callable[[], np.ndarray]
Keep = Callable[[int | None, np.ndarray, Predict], bool]
"""Takes the length, predictions for the held-out rows and how to predict those that stop; says whether to give up."""


def length_parameter(estimator: str) -> str | None:
    """The parameter whose shorter values a longer fit holds, if the estimator has one."""
    return LENGTHS.get(estimator)


def with_setting(recipe: Recipe, setting: Mapping[str, Any]) -> Recipe:
    """A recipe with other parameters; at a lower learning rate it may train longer, and waits longer, in proportion.

    Each round then takes a smaller step: what is the tenth round without gain at one rate is the fiftieth at a fifth of it.
    """
    if _is_slower(recipe, setting):
        return _longer(recipe, setting)
    return replace(recipe, params={**recipe.params, **setting})


def _is_slower(recipe: Recipe, setting: Mapping[str, Any]) -> bool:
    length, own = LENGTHS.get(recipe.estimator), recipe.params.get("learning_rate")
    known = recipe.patience is not None and own and length in recipe.params and length not in setting
    return bool(known and setting.get("learning_rate", own) < own)


def _longer(recipe: Recipe, setting: Mapping[str, Any]) -> Recipe:
    factor, length = recipe.params["learning_rate"] / setting["learning_rate"], LENGTHS[recipe.estimator]
    n_rounds = min(MOST_ROUNDS, ceil(recipe.params[length] * factor))
    patience = replace(recipe.patience, rounds=ceil(recipe.patience.rounds * factor))
    return replace(recipe, params={**recipe.params, **setting, length: n_rounds}, patience=patience)


def fit_and_score(
    recipe: Recipe, fold: Fold, lengths: Sequence[int] = (), give_up: GiveUp | None = None
) -> tuple[Scores, int | None]:
    """Fit on a fold's training rows and predict its held-out rows.

    Parameters
    ----------
    recipe : Recipe
    fold : Fold
    lengths : sequence of int, optional
        Rounds or trees to predict with, ascending; without, what the recipe says, stopped early if it says so.
    give_up : callable, optional
        Takes the scores by length so far, after each length; boosters end their training when it says so.

    Returns
    -------
    scores : dict of int to ndarray
        By length, as `bank_models.metrics.scores.Prediction.score` describes them; of None without lengths.
    best_iteration : int or None
        Rounds in the model, where it trains in rounds.
    """
    recipe = replace(recipe, n_threads=threads_of(recipe, fold.X))
    if lengths:
        recipe = replace(recipe, params={**recipe.params, LENGTHS[recipe.estimator]: lengths[-1]})
    scores: Scores = {}

    def keep(length: int | None, predicted, predict_stop: Predict) -> bool:
        smeared = smearing(fold.stop[1], predict_stop(), fold.weights[1]) if recipe.smears else 0.0
        scores[length] = _as_score(recipe, predicted, smeared)
        return give_up is not None and give_up(scores)

    fit = _FITS.get(ESTIMATORS[recipe.estimator].rounds, _fit_any)
    return scores, fit(recipe, fold, lengths, keep)


def _as_score(recipe: Recipe, predicted, smeared: float) -> np.ndarray:
    if recipe.task == "regression":
        return recipe.from_learnt(predicted, smeared)
    return predicted[:, 1] if recipe.task == "binary" and predicted.ndim == 2 else predicted


def _fit_xgboost(recipe: Recipe, fold: Fold, lengths: Sequence[int], keep: Keep) -> int:
    import xgboost
    from xgboost.callback import EarlyStopping, TrainingCallback

    from bank_models.models.early_stopping.xgboost import explained

    train, stop, held_out = _xgboost_bins(recipe, fold)

    class AtLengths(TrainingCallback):
        def after_iteration(self, model, epoch: int, evals_log) -> bool:
            return epoch + 1 in lengths and keep_after(model, epoch + 1)

    def keep_after(booster, n_rounds: int) -> bool:
        predict = lambda rows: booster.predict(rows, iteration_range=(0, n_rounds))  # noqa: E731
        return keep(n_rounds if lengths else None, predict(held_out), lambda: predict(stop))

    callbacks, patience = [AtLengths()] if lengths else [], recipe.patience
    if patience is not None:
        callbacks.append(
            EarlyStopping(rounds=patience.rounds, min_delta=patience.min_delta, save_best=patience.restore_best_weights)
        )
    with explained():
        booster = xgboost.train(
            _xgboost_params(recipe, fold),
            train,
            num_boost_round=recipe.params.get("n_estimators", ROUNDS),
            evals=[(stop, "stop")] if patience is not None else [],
            callbacks=callbacks,
            verbose_eval=False,
        )
    n_rounds = booster.num_boosted_rounds()
    if not lengths:
        keep_after(booster, n_rounds)
    return n_rounds


def _xgboost_params(recipe: Recipe, fold: Fold) -> dict[str, Any]:
    from bank_models.models.early_stopping.xgboost import LOSSES, ONE_BY_ONE, grows_one_by_one

    estimator = make_estimator(
        recipe.estimator, recipe.params, recipe.random_state, recipe.n_threads, recipe.quantile, recipe.device
    )
    monotone = tuple(fold.matrix.monotone) if any(fold.matrix.monotone) else None
    params = estimator.set_params(monotone_constraints=monotone).get_xgb_params()
    params["eval_metric"] = LOSSES[recipe.loss]
    if grows_one_by_one(params, fold.X.shape[1]):
        params |= ONE_BY_ONE
    if recipe.quantile is None:
        params["objective"] = _XGBOOST_OBJECTIVES[recipe.task]
    if recipe.task == "multiclass":
        params["num_class"] = int(fold.y.max()) + 1
    return params


_XGBOOST_OBJECTIVES = {"binary": "binary:logistic", "multiclass": "multi:softprob", "regression": "reg:squarederror"}


def _xgboost_bins(recipe: Recipe, fold: Fold) -> tuple:
    import xgboost

    max_bin = recipe.params.get("max_bin")
    key = "xgboost", max_bin
    if key not in fold.binned:
        about = {
            "feature_types": ["c" if category else "q" for category in fold.matrix.is_category],
            "enable_categorical": True,
            "nthread": recipe.n_threads,
        }
        weigh = weigher(recipe.class_weight, fold.y, fold.weights[0])
        weight = weigh(fold.y, fold.weights[0])
        train = xgboost.QuantileDMatrix(fold.X, fold.y, weight=weight, max_bin=max_bin, **about)
        stop = None
        if fold.stop:
            X, y = fold.stop
            stop = xgboost.QuantileDMatrix(X, y, weight=weigh(y, fold.weights[1]), ref=train, max_bin=max_bin, **about)
        fold.binned[key] = train, stop, xgboost.DMatrix(fold.X_held_out, **about)
    return fold.binned[key]


def _fit_lightgbm(recipe: Recipe, fold: Fold, lengths: Sequence[int], keep: Keep) -> int:
    import lightgbm
    from lightgbm.callback import EarlyStopException

    params = _lightgbm_params(recipe, fold)
    train, stop = _lightgbm_bins(recipe, fold, params)

    def keep_after(booster, n_rounds: int) -> bool:
        predict = lambda X: booster.predict(X, num_iteration=n_rounds)  # noqa: E731
        return keep(n_rounds if lengths else None, predict(fold.X_held_out), lambda: predict(fold.stop[0]))

    def at_lengths(env) -> None:
        if env.iteration + 1 in lengths and keep_after(env.model, env.iteration + 1):
            raise EarlyStopException(env.iteration, [])

    callbacks, patience = [at_lengths] if lengths else [], recipe.patience
    if patience is not None:
        callbacks.append(lightgbm.early_stopping(patience.rounds, True, verbose=False, min_delta=patience.min_delta))
    booster = lightgbm.train(
        params,
        train,
        num_boost_round=recipe.params.get("n_estimators", ROUNDS),
        valid_sets=[stop] if patience is not None else None,
        callbacks=callbacks,
    )
    keeps_best = patience is not None and patience.restore_best_weights and booster.best_iteration > 0
    n_rounds = booster.best_iteration if keeps_best else booster.current_iteration()
    if not lengths:
        keep_after(booster, n_rounds)
    return n_rounds


def _lightgbm_params(recipe: Recipe, fold: Fold) -> dict[str, Any]:
    from bank_models.models.early_stopping.lightgbm import LOSSES

    estimator = make_estimator(recipe.estimator, recipe.params, recipe.random_state, recipe.n_threads, recipe.quantile)
    params = {name: value for name, value in estimator.get_params().items() if name not in _NOT_OF_LIGHTGBM}
    params |= {"objective": params["objective"] or _LIGHTGBM_OBJECTIVES[recipe.task], "metric": LOSSES[recipe.loss]}
    params |= {"monotone_constraints": fold.matrix.monotone} if any(fold.matrix.monotone) else {}
    if recipe.task == "multiclass":
        params["num_class"] = int(fold.y.max()) + 1
    return params


_NOT_OF_LIGHTGBM = ("n_estimators", "class_weight", "importance_type")
_LIGHTGBM_OBJECTIVES = {"binary": "binary", "multiclass": "multiclass", "regression": "regression"}


def _lightgbm_bins(recipe: Recipe, fold: Fold, params: dict) -> tuple:
    import lightgbm

    key = "lightgbm", recipe.params.get("max_bin")
    if key not in fold.binned:
        weigh = weigher(recipe.class_weight, fold.y, fold.weights[0])
        categories = [i for i, category in enumerate(fold.matrix.is_category) if category]
        about = {"categorical_feature": categories or "auto", "params": params, "free_raw_data": False}
        train = lightgbm.Dataset(fold.X, fold.y, weight=weigh(fold.y, fold.weights[0]), **about).construct()
        stop = None
        if fold.stop:
            X, y = fold.stop
            stop = lightgbm.Dataset(X, y, weight=weigh(y, fold.weights[1]), reference=train, **about).construct()
        fold.binned[key] = train, stop
    return fold.binned[key]


def _fit_catboost(recipe: Recipe, fold: Fold, lengths: Sequence[int], keep: Keep) -> int:
    estimator, _, n_rounds = fit_estimator(recipe, fold.X, fold.y, fold.stop, fold.matrix, weights=fold.weights)
    predict = estimator.predict if recipe.task == "regression" else estimator.predict_proba
    for length in [length for length in lengths if length <= n_rounds] if lengths else (None,):
        keep(length, predict(fold.X_held_out, length or 0), lambda length=length: predict(fold.stop[0], length or 0))
    return n_rounds


def _fit_any(recipe: Recipe, fold: Fold, lengths: Sequence[int], keep: Keep) -> int | None:
    estimator, _, best_iteration = fit_estimator(recipe, fold.X, fold.y, fold.stop, fold.matrix, weights=fold.weights)
    method, X = "predict" if recipe.task == "regression" else "predict_proba", fold.X_held_out
    if not lengths:
        keep(None, getattr(estimator, method)(X), lambda: estimator.predict(fold.stop[0]))
        return best_iteration
    on_stop = _staged(estimator, method, fold.stop[0]) if recipe.smears else itertools.repeat(None)
    for length, (predicted, of_stop) in enumerate(zip(_staged(estimator, method, X), on_stop, strict=False), start=1):
        if length in lengths:
            keep(length, predicted, lambda of_stop=of_stop: of_stop)
    return best_iteration


def _staged(estimator, method: str, X) -> Iterator[np.ndarray]:
    """Predictions after each round, or of the first trees of a forest."""
    if staged := getattr(estimator, f"staged_{method}", None):
        yield from staged(X)
        return
    total, X = 0.0, np.asarray(X, dtype="float32")
    for n_trees, tree in enumerate(estimator.estimators_, start=1):
        total = total + getattr(tree, method)(X)
        yield total / n_trees


_FITS = {"xgboost": _fit_xgboost, "lightgbm": _fit_lightgbm, "catboost": _fit_catboost}
