"""Train round by round: patience, the best round restored, the loss of every round, for every library that has rounds."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd

from src.errors import ConfigError


@dataclass(frozen=True)
class Patience:
    """When to stop, in Keras' words.

    Attributes
    ----------
    rounds : int
        Rounds without improvement before training stops.
    min_delta : float
        Least fall of the loss that counts as an improvement.
    restore_best_weights : bool
        Keep the model of the best round rather than of the last.
    """

    rounds: int
    min_delta: float
    restore_best_weights: bool


@dataclass(frozen=True)
class Matrix:
    """What the columns of a matrix are.

    Attributes
    ----------
    is_category : list of bool
    monotone : list of {-1, 0, 1}
        Direction that each column's effect must keep.
    """

    is_category: list[bool]
    monotone: list[int]


HISTORY = ["round", "train_loss", "val_loss", "learning_rate"]
NO_ROUNDS = pd.DataFrame(columns=HISTORY)
OnRound = Callable[[Mapping[str, float]], None]
"""What to do after each round with the losses that are recorded: `train`, `val`, or both."""


class Part(NamedTuple):
    """Rows whose loss is recorded each round."""

    name: str
    X: np.ndarray
    y: np.ndarray
    weight: np.ndarray | None


def fit_rounds(
    estimator,
    library: str,
    loss: str,
    X,
    y,
    stop,
    patience: Patience | None,
    with_train_loss: bool,
    matrix: Matrix,
    class_weight=None,
    on_round: OnRound | None = None,
) -> tuple[pd.DataFrame, int]:
    """Fit an estimator in place.

    Parameters
    ----------
    estimator : BaseEstimator
        Unfitted.
    library : {"xgboost", "lightgbm", "gradient_boosting", "hist_gradient_boosting", "neural_network"}
    loss : {"log_loss", "multiclass_log_loss", "rmse", "pinball_loss"}
        What is watched.
    X : ndarray of float32 of shape (n_rows, n_columns)
    y : ndarray of shape (n_rows,)
    stop : tuple of (ndarray, ndarray), optional
        Matrix and target of the rows whose loss is watched.
    patience : Patience or None
        None, or no `stop`, trains every round.
    with_train_loss : bool
    matrix : Matrix
    class_weight : ndarray of shape (n_classes,), optional
        Weight of each class, in fitting and in the watched loss.
    on_round : callable, optional

    Returns
    -------
    history : DataFrame
        One row a round trained: `round` (from 1), `train_loss`, `val_loss` and `learning_rate`.
    n_rounds : int
        Rounds the fitted model holds: with `restore_best_weights`, exactly the best number.
    """
    train = Part("train", X, y, None if class_weight is None else class_weight[y])
    parts = [train] if with_train_loss else []
    if stop:
        parts.append(Part("val", *stop, None if class_weight is None else class_weight[stop[1]]))
    losses, n_rounds = TRAINERS[library](estimator, loss, train, parts, patience if stop else None, matrix, on_round)
    n_trained = max((len(values) for values in losses.values()), default=0)
    history = pd.DataFrame(
        {
            "round": np.arange(1, n_trained + 1),
            "train_loss": losses.get("train", np.full(n_trained, np.nan)),
            "val_loss": losses.get("val", np.full(n_trained, np.nan)),
            "learning_rate": losses.get("learning_rate", estimator.get_params()["learning_rate"]),
        }
    )
    return history, n_rounds


XGBOOST_LOSSES = {"log_loss": "logloss", "multiclass_log_loss": "mlogloss", "rmse": "rmse", "pinball_loss": "quantile"}
LIGHTGBM_LOSSES = {
    "log_loss": "binary_logloss",
    "multiclass_log_loss": "multi_logloss",
    "rmse": "rmse",
    "pinball_loss": "quantile",
}


def _fit_xgboost(estimator, loss, train: Part, parts, patience: Patience | None, matrix: Matrix, on_round: OnRound | None):
    from xgboost.callback import EarlyStopping
    from xgboost.core import XGBoostError

    name = XGBOOST_LOSSES[loss]
    stopper = patience and EarlyStopping(
        rounds=patience.rounds,
        min_delta=patience.min_delta,
        save_best=patience.restore_best_weights,
        metric_name=name,
        data_name=f"validation_{len(parts) - 1}",
    )
    callbacks = [_telling_xgboost(on_round, [part.name for part in parts])] if on_round else []
    callbacks += [stopper] if stopper else []  # last: XGBoost calls none after the one that stops
    estimator.set_params(
        eval_metric=name,
        callbacks=callbacks or None,
        feature_types=["c" if category else "q" for category in matrix.is_category],
        monotone_constraints=tuple(matrix.monotone) if any(matrix.monotone) else None,
    )
    try:
        estimator.fit(
            train.X,
            train.y,
            sample_weight=train.weight,
            eval_set=[(part.X, part.y) for part in parts],
            sample_weight_eval_set=None if train.weight is None else [part.weight for part in parts],
            verbose=False,
        )
    except XGBoostError as error:
        if "cudaErrorNoDevice" in str(error):
            raise ConfigError(
                "XGBoost cannot watch the loss of several classes where NVIDIA's driver is installed and every device hidden.\n"
                "Show it a device (CUDA_VISIBLE_DEVICES=0; device=cpu still trains on the CPU), or choose another model."
            ) from error
        raise
    booster = estimator.get_booster()
    # rows are scored on the CPU, whatever trained the trees
    estimator.set_params(callbacks=None, eval_metric=None, device="cpu")
    _drop_metrics(booster)
    if patience and not patience.restore_best_weights:
        booster.set_attr(best_iteration=None, best_score=None)  # else predictions would skip later rounds
    results = estimator.evals_result() if parts else {}
    losses = {part.name: results[f"validation_{i}"][name] for i, part in enumerate(parts)}
    return losses, booster.num_boosted_rounds()


def _drop_metrics(booster) -> None:
    """Keep the metrics that were watched out of the model's file, from which loading would make them.

    `mlogloss` cannot be made, so its model not be loaded, where NVIDIA's driver is installed and every device is hidden
    (XGBoost 3.2, `PinnedMemory` in src/common/device_helpers.cu).
    """
    config = json.loads(booster.save_config())
    config["learner"]["metrics"] = []
    booster.load_config(json.dumps(config))


def _telling_xgboost(on_round: OnRound, parts: list[str]):
    from xgboost.callback import TrainingCallback

    class Telling(TrainingCallback):
        def after_iteration(self, model, epoch, evals_log) -> bool:
            losses = [next(iter(by_metric.values()))[-1] for by_metric in evals_log.values()]
            on_round(dict(zip(parts, losses, strict=True)))
            return False

    return Telling()


def _fit_lightgbm(estimator, loss, train: Part, parts, patience: Patience | None, matrix: Matrix, on_round: OnRound | None):
    import lightgbm

    name = LIGHTGBM_LOSSES[loss]
    losses: dict[str, dict[str, list[float]]] = {}
    callbacks = [lightgbm.record_evaluation(losses)]
    if patience:
        stop = lightgbm.early_stopping(patience.rounds, first_metric_only=True, min_delta=patience.min_delta, verbose=False)
        callbacks.append(stop if patience.restore_best_weights else _keeping_every_round(stop))
    if on_round:
        callbacks.append(lambda env: on_round({part: value for part, _, value, _ in env.evaluation_result_list}))
    # LightGBM watches its objective's own metric unless told not to
    estimator.set_params(metric=name, monotone_constraints=list(matrix.monotone) if any(matrix.monotone) else None)
    estimator.fit(
        train.X,
        train.y,
        sample_weight=train.weight,
        eval_X=tuple(part.X for part in parts) or None,
        eval_y=tuple(part.y for part in parts) or None,
        eval_sample_weight=None if train.weight is None else [part.weight for part in parts],
        eval_names=[part.name for part in parts] or None,
        categorical_feature=[i for i, category in enumerate(matrix.is_category) if category] or "auto",
        callbacks=callbacks,
    )
    return {part: values[name] for part, values in losses.items()}, estimator.booster_.current_iteration()


def _keeping_every_round(stop):
    """LightGBM drops the rounds after the best one when it stops: tell it that the last was the best."""
    from lightgbm.callback import EarlyStopException

    def callback(env):
        try:
            stop(env)
        except EarlyStopException as reached:
            raise EarlyStopException(env.iteration, reached.best_score) from None

    callback.order = stop.order
    return callback


def _fit_gradient_boosting(
    estimator, loss, train: Part, parts, patience: Patience | None, matrix: Matrix, on_round: OnRound | None
):
    """scikit-learn's own early stopping cuts its own rows; its monitor lets the rows that are given decide."""
    losses: dict[str, list[float]] = {part.name: [] for part in parts}
    raw: dict[str, np.ndarray] = {}
    best = [0, np.inf]

    def after_round(i, fitted, _):
        for part in parts:
            if i == 0:
                raw[part.name] = fitted._raw_predict_init(part.X)  # no public call gives the start that trees add to
            for k, tree in enumerate(fitted.estimators_[i]):
                raw[part.name][:, k] += fitted.learning_rate * tree.predict(part.X)
            losses[part.name].append(_loss_of_raw(loss, part, raw[part.name], fitted))
        if on_round:
            on_round({name: values[-1] for name, values in losses.items()})
        if patience is None:
            return False
        if losses["val"][-1] < best[1] - patience.min_delta:
            best[:] = i + 1, losses["val"][-1]
        return i + 1 - best[0] >= patience.rounds

    estimator.fit(train.X, train.y, sample_weight=train.weight, monitor=after_round)
    if patience and patience.restore_best_weights:
        estimator.estimators_ = estimator.estimators_[: best[0]]
        estimator.train_score_ = estimator.train_score_[: best[0]]
        estimator.n_estimators_ = best[0]
    return losses, len(estimator.estimators_)


def _fit_hist_gradient_boosting(
    estimator, loss, train: Part, parts, patience: Patience | None, matrix: Matrix, on_round: OnRound | None
):
    """scikit-learn compares the last rounds with one another where patience compares with the best, and keeps them all."""
    val = next((part for part in parts if part.name == "val"), None)
    estimator.set_params(
        early_stopping=val is not None,
        categorical_features=matrix.is_category if any(matrix.is_category) else None,
        monotonic_cst=list(matrix.monotone) if any(matrix.monotone) else None,
    )
    if val is None:
        estimator.fit(train.X, train.y, sample_weight=train.weight)
        return {}, estimator.n_iter_
    best = [0, np.inf]

    def should_stop(scores) -> bool:
        n_rounds, value = len(scores) - 1, _in_unit_of(loss, -scores[-1])  # the first score is that of no round
        if n_rounds and on_round:
            on_round({"train": _in_unit_of(loss, -estimator.train_score_[-1]), "val": value})
        if patience is None or n_rounds == 0:
            return False
        if value < best[1] - patience.min_delta:
            best[:] = n_rounds, value
        return n_rounds - best[0] >= patience.rounds

    estimator._should_stop = should_stop  # no public setting says what counts as an improvement
    estimator.fit(train.X, train.y, sample_weight=train.weight, X_val=val.X, y_val=val.y, sample_weight_val=val.weight)
    del estimator._should_stop
    recorded = {"train": estimator.train_score_, "val": estimator.validation_score_}
    losses = {part.name: [_in_unit_of(loss, -score) for score in recorded[part.name][1:]] for part in parts}
    if patience and patience.restore_best_weights:
        estimator._predictors = estimator._predictors[: best[0]]
        estimator.train_score_ = estimator.train_score_[: best[0] + 1]
        estimator.validation_score_ = estimator.validation_score_[: best[0] + 1]
    return losses, estimator.n_iter_


def _in_unit_of(loss: str, value: float) -> float:
    """scikit-learn halves the squared error."""
    return float(np.sqrt(2 * value)) if loss == "rmse" else float(value)


def _loss_of_raw(loss: str, part: Part, raw, fitted) -> float:
    """Loss of a sum of trees before it becomes a probability."""
    from scipy.special import log_softmax

    if loss == "log_loss":
        losses = np.logaddexp(0, np.where(part.y == 1, -raw[:, 0], raw[:, 0]))
    elif loss == "multiclass_log_loss":
        losses = -log_softmax(raw, axis=1)[np.arange(len(part.y)), part.y]
    else:
        error = part.y - raw[:, 0]
        if loss == "rmse":
            return float(np.sqrt(np.mean(error**2)))
        losses = np.where(error >= 0, fitted.alpha * error, (fitted.alpha - 1) * error)
    return float(np.average(losses, weights=part.weight))


def _fit_neural_network(
    estimator, loss, train: Part, parts, patience: Patience | None, matrix: Matrix, on_round: OnRound | None
):
    stop = next(((part.X, part.y, part.weight) for part in parts if part.name == "val"), None)
    estimator.fit(
        train.X,
        train.y,
        is_category=matrix.is_category,
        stop=stop,
        patience=patience,
        with_train_loss=any(part.name == "train" for part in parts),
        sample_weight=train.weight,
        on_round=on_round,
    )
    losses = {part.name: estimator.history_[f"{part.name}_loss"] for part in parts}
    return losses | {"learning_rate": estimator.history_["learning_rate"]}, estimator.best_iteration_


TRAINERS = {
    "xgboost": _fit_xgboost,
    "lightgbm": _fit_lightgbm,
    "gradient_boosting": _fit_gradient_boosting,
    "hist_gradient_boosting": _fit_hist_gradient_boosting,
    "neural_network": _fit_neural_network,
}
