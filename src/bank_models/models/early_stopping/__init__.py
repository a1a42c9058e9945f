"""Train round by round: patience, the best round restored, the loss of every round, for every library that has rounds.

Each library has a module here. Its `train` fits an estimator in place on `rows`, records the loss on `parts`, of which the
last is watched where there is patience, and gives the losses of each part, round by round, and how many rounds the model holds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import NamedTuple

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


OnRound = Callable[[Mapping[str, float]], None]
"""What to do after each round with the losses that are recorded: `train`, `val`, or both."""


@dataclass(frozen=True)
class Monitoring:
    """What is watched while a model trains round by round.

    Attributes
    ----------
    patience : Patience, optional
        None, or no rows to watch, trains every round.
    with_train_loss : bool
        Record the loss on the training rows too.
    on_round : callable, optional
    """

    patience: Patience | None = None
    with_train_loss: bool = False
    on_round: OnRound | None = None


HISTORY = ["round", "train_loss", "val_loss", "learning_rate"]
NO_ROUNDS = pd.DataFrame(columns=HISTORY)


class Part(NamedTuple):
    """Rows whose loss is recorded each round."""

    name: str
    X: np.ndarray
    y: np.ndarray
    weight: np.ndarray | None


def fit_rounds(
    estimator, library: str, loss: str, train: Part, stop: Part | None, matrix: Matrix, monitoring: Monitoring
) -> tuple[pd.DataFrame, int]:
    """Fit an estimator in place.

    Parameters
    ----------
    estimator : BaseEstimator
        Unfitted.
    library : {"xgboost", "lightgbm", "catboost", "gradient_boosting", "hist_gradient_boosting", "neural_network"}
        The module beside this one that trains it; or with a dot in it, one of an extension.
    loss : {"log_loss", "multiclass_log_loss", "rmse", "pinball_loss"}
        What is watched.
    train : Part
        Rows to fit, of a float32 matrix; their weights count in fitting and in the watched loss.
    stop : Part, optional
        Rows named `val`, whose loss is watched.
    matrix : Matrix
    monitoring : Monitoring

    Returns
    -------
    history : DataFrame
        One row a round trained: `round` (from 1), `train_loss`, `val_loss` and `learning_rate`.
    n_rounds : int
        Rounds the fitted model holds: with `restore_best_weights`, exactly the best number.
    """
    parts = [train] if monitoring.with_train_loss else []
    parts += [stop] if stop else []
    trainer = import_module(library if "." in library else f"bank_models.models.early_stopping.{library}")
    patience = monitoring.patience if stop else None
    losses, n_rounds = trainer.train(estimator, loss, train, parts, patience, matrix, monitoring.on_round)
    n_trained = max((len(values) for values in losses.values()), default=0)
    history = pd.DataFrame(
        {
            "round": np.arange(1, n_trained + 1),
            "train_loss": losses.get("train", np.full(n_trained, np.nan)),
            "val_loss": losses.get("val", np.full(n_trained, np.nan)),
            "learning_rate": losses.get("learning_rate", estimator.get_params().get("learning_rate", np.nan)),
        }
    )
    return history, n_rounds
