"""Plot tables: ROC, precision and recall, calibration, residuals, learning curves."""

from __future__ import annotations

import numpy as np
import pandas as pd
from sklearn.metrics import confusion_matrix, precision_recall_curve, roc_curve

from bank_models.metrics.figures import six_digits
from bank_models.metrics.scores import Prediction

MOST_POINTS = 200
MOST_ROWS = 500
N_BINS = 10
BINARY_NAMES = ["0", "1"]


def of_test(
    task: str, y_true, prediction: Prediction, class_names: list[str] | None, seed: int, weight=None
) -> dict[str, pd.DataFrame]:
    """Tables for plots of a model's answers.

    Parameters
    ----------
    task : {"binary", "multiclass", "regression", "anomaly"}
    y_true : ndarray of shape (n_rows,)
        Class codes from 0, or values.
    prediction : Prediction
    class_names : list of str, optional
        Of a multiclass target, in the order of its codes.
    seed : int
        Chooses which rows are shown one by one.
    weight : ndarray of shape (n_rows,), optional
        How much each row counts in the curves. Counts are of rows, and so are the residuals.

    Returns
    -------
    dict of str to DataFrame
        `plots/roc` and `plots/precision_recall` of two classes and of anomalies, `plots/confusion` of classes,
        `plots/predictions` and `plots/residuals` of values.
    """
    if task == "regression":
        values = {"predictions": predictions(y_true, prediction.score, seed), "residuals": residuals(y_true, prediction.score)}
    else:
        values = {}
        if task in ("binary", "anomaly"):
            about = y_true, prediction.score, weight
            values |= {"roc": roc(*about), "precision_recall": precision_recall(*about)}
        if task in ("binary", "multiclass"):
            values["confusion"] = confusion(y_true, prediction.decision, class_names or BINARY_NAMES)
    return _placed(values)


def of_history(history: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """`plots/learning_curve`: the losses of a model that trains in rounds, at most 200 of them; nothing of another."""
    if history.empty:
        return {}
    rows = np.unique(np.linspace(0, len(history) - 1, MOST_POINTS).round().astype(int))
    return _placed({"learning_curve": history.iloc[rows][["round", "train_loss", "val_loss"]].map(six_digits)})


def of_clusters(profiles: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """`plots/cluster_sizes`, from `bank_models.metrics.clusters.profiles`."""
    return _placed({"cluster_sizes": profiles[["cluster", "size"]]})


def roc(y_true, score, weight=None) -> pd.DataFrame:
    """Share of positives found against share of negatives alerted on."""
    false, true, _ = roc_curve(y_true, score, sample_weight=weight)
    kept = thinned(false, true)
    return pd.DataFrame({"false_positive_rate": false[kept], "true_positive_rate": true[kept]}).map(six_digits)


def precision_recall(y_true, score, weight=None) -> pd.DataFrame:
    """Share of alerts that are right against share of positives found."""
    precision, recall, _ = precision_recall_curve(y_true, score, sample_weight=weight)
    kept = thinned(recall, precision)
    return pd.DataFrame({"recall": recall[kept], "precision": precision[kept]}).map(six_digits)


def confusion(y_true, decision, class_names: list[str]) -> pd.DataFrame:
    """How many rows of each class were decided to be of each."""
    counts = confusion_matrix(y_true, decision, labels=range(len(class_names)))
    actual, predicted = np.indices(counts.shape).reshape(2, -1)
    names = np.array(class_names, dtype=object)
    return pd.DataFrame({"actual": names[actual], "predicted": names[predicted], "n_rows": counts.ravel()})


def predictions(y_true, value, seed: int) -> pd.DataFrame:
    """Predicted and actual value of at most 500 rows, in order."""
    n_rows = len(y_true)
    rows = np.sort(np.random.default_rng(seed).choice(n_rows, min(n_rows, MOST_ROWS), replace=False))
    return pd.DataFrame({"predicted": value[rows], "actual": y_true[rows]}).map(six_digits)


def residuals(y_true, value) -> pd.DataFrame:
    """What is left to explain (actual minus predicted), from the tenth of rows with the lowest predictions to the highest."""
    bins = np.array_split(np.argsort(value, kind="stable"), min(N_BINS, len(value)))
    left = y_true - value
    rows = [(i + 1, value[rows].mean(), *np.quantile(left[rows], [0.1, 0.5, 0.9])) for i, rows in enumerate(bins)]
    return pd.DataFrame(rows, columns=["bin", "mean_predicted", "low", "median", "high"]).map(six_digits)


def thinned(x, y, most: int = MOST_POINTS) -> np.ndarray:
    """Positions of at most `most` points of a curve, evenly spaced along it, its ends among them."""
    if len(x) <= most:
        return np.arange(len(x))
    along = np.concatenate([[0.0], np.cumsum(np.abs(np.diff(x)) + np.abs(np.diff(y)))])
    found = np.searchsorted(along, np.linspace(0, along[-1], most))
    return np.unique(np.concatenate([[0], found[1:-1], [len(x) - 1]]))


def _placed(tables: dict[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    return {f"plots/{name}": table for name, table in tables.items()}
