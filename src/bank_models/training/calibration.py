"""Probability calibration: sigmoid and isotonic, on rows that fitted nothing else."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pandas as pd
from sklearn.calibration import CalibratedClassifierCV
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import StratifiedKFold, cross_val_predict

from bank_models.errors import DataError
from bank_models.metrics import weighted
from bank_models.metrics.scores import rate_of_ties

FEWEST_ROWS = 5  # of each class: scikit-learn walks through them in folds
FEWEST_FOR_STEPS = 1_000  # rows for isotonic regression, which overfits below: Niculescu-Mizil & Caruana (2005), ICML, 625-632
N_FOLDS = 5


def calibrate(model, method: str, frame, y, weight=None) -> CalibratedClassifierCV:
    """Put a calibrator behind a fitted classifier.

    Parameters
    ----------
    model : Pipeline
        Fitted; it stays as it is.
    method : {"sigmoid", "isotonic"}
        Platt's two-parameter curve, or a monotone step function, which needs about a thousand rows.
    frame : DataFrame of shape (n_rows, …)
    y : ndarray of shape (n_rows,)
        Rows that the model was not fitted on: val.
    weight : ndarray of shape (n_rows,), optional
        How much each row counts.

    Returns
    -------
    CalibratedClassifierCV

    Raises
    ------
    DataError
        If a class has fewer than 5 rows, or there are fewer than 1,000 for isotonic regression.

    References
    ----------
    Platt (1999), Probabilistic outputs for support vector machines; Zadrozny & Elkan (2002), KDD, 694-699.
    """
    n_rarest = np.unique(y, return_counts=True)[1].min()
    if n_rarest < FEWEST_ROWS:
        raise DataError(
            f"calibration={method} needs at least {FEWEST_ROWS} rows of each class in val, but a class has {n_rarest}.\n"
            "Choose calibration=none, or a larger data_split.val_ratio."
        )
    if method == "isotonic" and len(y) < FEWEST_FOR_STEPS:
        raise DataError(
            f"calibration=isotonic needs at least {FEWEST_FOR_STEPS:,} rows in val, but it has {len(y):,}: fewer are learnt by "
            "heart.\nChoose calibration=sigmoid, or a larger data_split.val_ratio."
        )
    calibrated = CalibratedClassifierCV(FrozenEstimator(model), method=method, ensemble=False)
    with _the_frozen_take_no_weights():
        return calibrated.fit(frame, y, sample_weight=weight)


@contextmanager
def _the_frozen_take_no_weights() -> Iterator[None]:
    """scikit-learn warns that a model which is not fitted again is not fitted with weights either."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*sample_weight", category=UserWarning)
        yield


def cross_fitted(model, method: str, frame, y, seed: int, weight=None) -> np.ndarray:
    """Calibrated probabilities of the rows that fit the calibrator, each by one that was fitted on the other rows.

    Parameters
    ----------
    model, method, frame, y, weight
        As for `calibrate`.
    seed : int
        Draws the folds.

    Returns
    -------
    ndarray of shape (n_rows,) or (n_rows, n_classes)
        Of two classes, of 1 alone.
    """
    folds = StratifiedKFold(min(N_FOLDS, int(np.unique(y, return_counts=True)[1].min())), shuffle=True, random_state=seed)
    calibrated = CalibratedClassifierCV(FrozenEstimator(model), method=method, ensemble=False)
    params = None if weight is None else {"sample_weight": weight}
    with _the_frozen_take_no_weights():
        found = cross_val_predict(calibrated, frame, y, cv=folds, method="predict_proba", params=params)
    return found[:, 1] if found.shape[1] == 2 else found


def reliability(y_true, score, n_bins: int = 10, weight=None) -> pd.DataFrame:
    """Predicted against observed rates, over bins that hold equally many rows, or about equal weight.

    Parameters
    ----------
    y_true : ndarray of shape (n_rows,)
        0 or 1.
    score : ndarray of shape (n_rows,)
        Probability of 1.
    n_bins : int
    weight : ndarray of shape (n_rows,), optional

    Returns
    -------
    DataFrame
        `n_rows`, `mean_predicted` and `observed_rate` of each bin, from the lowest scores to the highest.
    """
    if weight is not None:
        return _weighted_reliability(y_true, score, n_bins, weight)
    y_true, bins = rate_of_ties(y_true, score), np.array_split(np.argsort(score, kind="stable"), min(n_bins, len(score)))
    return pd.DataFrame(
        {
            "n_rows": [len(rows) for rows in bins],
            "mean_predicted": [score[rows].mean() for rows in bins],
            "observed_rate": [y_true[rows].mean() for rows in bins],
        }
    )


def _weighted_reliability(y_true, score, n_bins: int, weight) -> pd.DataFrame:
    y_true, bins = weighted.rate_of_ties(y_true, score, weight), weighted.bins_of_equal_weight(score, n_bins, weight)
    bins = [rows for rows in bins if weight[rows].any()]
    return pd.DataFrame(
        {
            "n_rows": [len(rows) for rows in bins],
            "mean_predicted": [np.average(score[rows], weights=weight[rows]) for rows in bins],
            "observed_rate": [np.average(y_true[rows], weights=weight[rows]) for rows in bins],
        }
    )
