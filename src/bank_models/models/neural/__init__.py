"""Neural network for tables: what its training takes, without PyTorch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np


class Arrays(NamedTuple):
    """Rows as the network takes them.

    Attributes
    ----------
    numbers : ndarray of float32 of shape (n_rows, n_numeric)
    codes : ndarray of int64 of shape (n_rows, n_categories)
        Of categories from 1; 0 is missing or unknown.
    target : ndarray of shape (n_rows,)
        int64 for classes, else float32.
    weight : ndarray of float32 of shape (n_rows,)
        Of mean 1.
    """

    numbers: np.ndarray
    codes: np.ndarray
    target: np.ndarray
    weight: np.ndarray


@dataclass(frozen=True)
class Objective:
    """What training minimises, and where it begins.

    Attributes
    ----------
    loss : {"log_loss", "squared_error", "quantile"}
    start : ndarray of float32 of shape (n_outputs,)
        The best constant output.
    quantile : float, optional
        For the loss "quantile" only.
    unit : float
        Standard deviation of the target before it was standardised; 1 for classes.
    """

    loss: str
    start: np.ndarray
    quantile: float | None = None
    unit: float = 1.0


@dataclass(frozen=True)
class Optimisation:
    """How AdamW goes through the rows: parameters of the estimator, with the size of a batch settled.

    Attributes
    ----------
    learning_rate : float
    schedule : {"none", "cosine", "plateau"}
    schedule_epochs : int
    weight_decay : float
    batch_size, max_epochs : int
    seed : int
        Of the first weights, dropout and the order of rows.
    """

    learning_rate: float
    schedule: str
    schedule_epochs: int
    weight_decay: float
    batch_size: int
    max_epochs: int
    seed: int
