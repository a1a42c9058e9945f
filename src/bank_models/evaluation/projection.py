"""Two-dimensional projection of clusters, and silhouette by cluster."""

from __future__ import annotations

import numpy as np
import pandas as pd
from sklearn.metrics import silhouette_samples

from bank_models.metrics.clusters import NOISE

MOST_ROWS = 1_000


def project(X: np.ndarray, labels: np.ndarray, seed: int) -> pd.DataFrame:
    """At most 1,000 rows by their first two principal components.

    Parameters
    ----------
    X : ndarray of shape (n_rows, n_columns)
        Prepared features, as the clusters were found in them.
    labels : ndarray of int of shape (n_rows,)
        -1 is noise.
    seed : int
        Draws the rows.

    Returns
    -------
    DataFrame
        `row` (position), `cluster`, `x`, `y` (0 where there is one column only) and `silhouette` among the rows that were
        drawn; missing for noise, and where these have fewer than two clusters.
    """
    rows = np.sort(np.random.default_rng(seed).choice(len(labels), min(len(labels), MOST_ROWS), replace=False))
    drawn = np.asarray(X[rows], dtype="float64")
    centred = drawn - drawn.mean(axis=0)
    directions = np.linalg.svd(centred, full_matrices=False)[2][:2]
    directions *= np.sign(directions[np.arange(len(directions)), np.abs(directions).argmax(axis=1)])[:, None]
    places = np.zeros((len(rows), 2))
    places[:, : len(directions)] = centred @ directions.T
    silhouette, known = np.full(len(rows), np.nan), np.flatnonzero(labels[rows] != NOISE)
    if 2 <= len(np.unique(labels[rows][known])) < len(known):
        silhouette[known] = silhouette_samples(drawn[known], labels[rows][known])
    found = {"row": rows, "cluster": labels[rows], "x": places[:, 0], "y": places[:, 1], "silhouette": silhouette}
    return pd.DataFrame(found).round({"x": 5, "y": 5, "silhouette": 5})
