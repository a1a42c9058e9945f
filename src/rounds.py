"""Train the boosters round by round: patience, the best round restored, the loss of every round."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd


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


def fit_rounds(
    estimator, library, X, y, stop, patience: Patience | None, with_train_loss: bool, is_category, monotone
) -> tuple[pd.DataFrame, int]:
    """Fit a booster in place.

    Parameters
    ----------
    estimator : XGBModel or LGBMModel
        Unfitted.
    library : {"xgboost", "lightgbm"}
    X : ndarray of float32 of shape (n_rows, n_columns)
    y : ndarray of shape (n_rows,)
    stop : tuple of (ndarray, ndarray), optional
        Matrix and target of the rows whose loss is watched.
    patience : Patience or None
        None, or no `stop`, trains `n_estimators` rounds.
    with_train_loss : bool
    is_category : list of bool of length n_columns
    monotone : list of {-1, 0, 1} of length n_columns

    Returns
    -------
    history : DataFrame
        One row a round trained: `round` (from 1), `train_loss`, `val_loss` (log loss) and `learning_rate`.
    n_rounds : int
        Rounds the fitted model holds: with `restore_best_weights`, exactly the best number.
    """
    train = {"xgboost": _fit_xgboost, "lightgbm": _fit_lightgbm}[library]
    parts = ([("train", X, y)] if with_train_loss else []) + ([("val", *stop)] if stop else [])
    losses, n_rounds = train(estimator, X, y, parts, patience if stop else None, is_category, monotone)
    n_trained = max((len(loss) for loss in losses.values()), default=0)
    history = pd.DataFrame(
        {
            "round": np.arange(1, n_trained + 1),
            "train_loss": losses.get("train", np.full(n_trained, np.nan)),
            "val_loss": losses.get("val", np.full(n_trained, np.nan)),
            "learning_rate": estimator.get_params()["learning_rate"],
        }
    )
    return history, n_rounds


def _fit_xgboost(estimator, X, y, parts, patience: Patience | None, is_category, monotone):
    from xgboost.callback import EarlyStopping

    stopper = patience and EarlyStopping(
        rounds=patience.rounds,
        min_delta=patience.min_delta,
        save_best=patience.restore_best_weights,
        metric_name="logloss",
        data_name=f"validation_{len(parts) - 1}",
    )
    estimator.set_params(
        eval_metric="logloss",
        callbacks=[stopper] if stopper else None,
        feature_types=["c" if category else "q" for category in is_category],
        monotone_constraints=tuple(monotone) if any(monotone) else None,
    )
    estimator.fit(X, y, eval_set=[(X_part, y_part) for _, X_part, y_part in parts], verbose=False)
    estimator.set_params(callbacks=None)
    if patience and not patience.restore_best_weights:
        estimator.get_booster().set_attr(best_iteration=None, best_score=None)  # else predictions would skip later rounds
    results = estimator.evals_result() if parts else {}
    losses = {name: results[f"validation_{i}"]["logloss"] for i, (name, _, _) in enumerate(parts)}
    return losses, estimator.get_booster().num_boosted_rounds()


def _fit_lightgbm(estimator, X, y, parts, patience: Patience | None, is_category, monotone):
    import lightgbm

    losses: dict[str, dict[str, list[float]]] = {}
    callbacks = [lightgbm.record_evaluation(losses)]
    if patience:
        stop = lightgbm.early_stopping(patience.rounds, min_delta=patience.min_delta, verbose=False)
        callbacks.append(stop if patience.restore_best_weights else _keeping_every_round(stop))
    estimator.set_params(monotone_constraints=list(monotone) if any(monotone) else None)
    estimator.fit(
        X,
        y,
        eval_X=tuple(X_part for _, X_part, _ in parts) or None,
        eval_y=tuple(y_part for _, _, y_part in parts) or None,
        eval_names=[name for name, _, _ in parts] or None,
        eval_metric="binary_logloss",
        categorical_feature=[i for i, category in enumerate(is_category) if category] or "auto",
        callbacks=callbacks,
    )
    return {name: loss["binary_logloss"] for name, loss in losses.items()}, estimator.booster_.current_iteration()


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
