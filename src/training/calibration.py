"""Probability calibration: sigmoid and isotonic, on rows that fitted nothing else."""

from __future__ import annotations

import numpy as np
import pandas as pd
from sklearn.calibration import CalibratedClassifierCV
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import StratifiedKFold, cross_val_predict

from src.errors import DataError
from src.metrics.scores import rate_of_ties

FEWEST_ROWS = 5  # of each class: scikit-learn walks through them in folds
FEWEST_FOR_STEPS = 1_000  # rows for isotonic regression, which overfits below: Niculescu-Mizil & Caruana (2005), ICML, 625-632
N_FOLDS = 5


def calibrate(model, method: str, frame, y) -> CalibratedClassifierCV:
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
    return CalibratedClassifierCV(FrozenEstimator(model), method=method, ensemble=False).fit(frame, y)


def cross_fitted(model, method: str, frame, y, seed: int) -> np.ndarray:
    """Calibrated probabilities of the rows that fit the calibrator, each by one that was fitted on the other rows.

    Parameters
    ----------
    model, method, frame, y
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
    found = cross_val_predict(calibrated, frame, y, cv=folds, method="predict_proba")
    return found[:, 1] if found.shape[1] == 2 else found


def reliability(y_true, score, n_bins: int = 10) -> pd.DataFrame:
    """Predicted against observed rates, over bins that hold equally many rows.

    Parameters
    ----------
    y_true : ndarray of shape (n_rows,)
        0 or 1.
    score : ndarray of shape (n_rows,)
        Probability of 1.
    n_bins : int

    Returns
    -------
    DataFrame
        `n_rows`, `mean_predicted` and `observed_rate` of each bin, from the lowest scores to the highest.
    """
    y_true, bins = rate_of_ties(y_true, score), np.array_split(np.argsort(score, kind="stable"), min(n_bins, len(score)))
    return pd.DataFrame(
        {
            "n_rows": [len(rows) for rows in bins],
            "mean_predicted": [score[rows].mean() for rows in bins],
            "observed_rate": [y_true[rows].mean() for rows in bins],
        }
    )
