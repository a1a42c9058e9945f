"""Make probabilities mean what they say, with rows that fitted nothing else."""

from __future__ import annotations

import numpy as np
import pandas as pd
from sklearn.calibration import CalibratedClassifierCV
from sklearn.frozen import FrozenEstimator

from src.errors import DataError

FEWEST_ROWS = 5  # of each class: scikit-learn walks through them in folds


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
        If a class has fewer than 5 rows.

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
    return CalibratedClassifierCV(FrozenEstimator(model), method=method, ensemble=False).fit(frame, y)


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
    bins = np.array_split(np.argsort(score, kind="stable"), min(n_bins, len(score)))
    return pd.DataFrame(
        {
            "n_rows": [len(rows) for rows in bins],
            "mean_predicted": [score[rows].mean() for rows in bins],
            "observed_rate": [y_true[rows].mean() for rows in bins],
        }
    )
