"""Cluster metrics without labels, stability and cluster profiles."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
from pandas.api.types import is_numeric_dtype
from sklearn import config_context
from sklearn.metrics import adjusted_rand_score, calinski_harabasz_score, davies_bouldin_score, silhouette_score

from bank_models.errors import DataError

NOISE = -1  # the label of rows that belong to no cluster
MAX_ROWS = 10_000  # of which distances between all pairs are taken
WORKING_MEMORY_MIB = 64


def clustering_metrics(X, labels, seed: int) -> dict[str, float]:
    """Score a clustering by its own geometry.

    A metric that does not exist is left out, for JSON knows no NaN: the first three need at least two clusters, and one
    with more than one row. So does the silhouette among the rows that are drawn for it.

    Parameters
    ----------
    X : ndarray of shape (n_rows, n_columns)
    labels : ndarray of int of shape (n_rows,)
        Cluster of each row; -1 is noise, which counts in `noise_rate` and nowhere else.
    seed : int
        Draws at most 10,000 rows for the silhouette.

    Returns
    -------
    dict of str to float
        `silhouette` in [-1, 1] (higher is better), `davies_bouldin` at least 0 (lower is better), `calinski_harabasz` at
        least 0 (higher is better), `n_clusters`, and `noise_rate` in [0, 1].

    References
    ----------
    Rousseeuw (1987), J. Comput. Appl. Math. 20, 53-65; Davies & Bouldin (1979), IEEE PAMI 1, 224-227; Calinski & Harabasz
    (1974), Communications in Statistics 3, 1-27.
    """
    labels = np.asarray(labels)
    is_clustered = labels != NOISE
    X_clustered, clusters = X[is_clustered], labels[is_clustered]
    metrics: dict[str, float] = {"n_clusters": len(np.unique(clusters)), "noise_rate": float(np.mean(~is_clustered))}
    if _is_scorable(clusters):
        metrics["davies_bouldin"] = float(davies_bouldin_score(X_clustered, clusters))
        metrics["calinski_harabasz"] = float(calinski_harabasz_score(X_clustered, clusters))
        silhouette = sampled_silhouette(X_clustered, clusters, seed)
        if silhouette is not None:
            metrics["silhouette"] = silhouette
    return metrics


def sampled_silhouette(X, labels, seed: int) -> float | None:
    """Mean silhouette of at most 10,000 rows, None where they hold no two clusters to compare.

    Parameters
    ----------
    X : ndarray of shape (n_rows, n_columns)
    labels : ndarray of int of shape (n_rows,)
    seed : int

    Returns
    -------
    float or None
        In [-1, 1].
    """
    rows = sample_rows(len(X), MAX_ROWS, seed)
    if not _is_scorable(labels[rows]):
        return None
    with config_context(working_memory=WORKING_MEMORY_MIB):
        return float(silhouette_score(X[rows], labels[rows]))


def sample_rows(n_rows: int, max_rows: int, seed: int) -> np.ndarray:
    """Positions of at most `max_rows` rows drawn without replacement, in order; all of them where they are few enough."""
    if n_rows <= max_rows:
        return np.arange(n_rows)
    return np.sort(np.random.default_rng(seed).choice(n_rows, max_rows, replace=False))


def _is_scorable(labels) -> bool:
    return 2 <= len(np.unique(labels)) < len(labels)


def stability(
    fit_predict_new: Callable[[np.ndarray, np.ndarray, int], np.ndarray], X, seed: int, n_bootstraps: int = 10
) -> float:
    """Agreement between models that are fitted on different samples of the same rows.

    Two bootstrap samples are drawn, a model is fitted on each, and both label the rows that neither has seen (about
    13 %). One cluster that holds everything is perfectly stable: read this beside the number of clusters.

    Parameters
    ----------
    fit_predict_new : callable
        ``fit_predict_new(X_fit, X_new, seed)`` fits a new model on `X_fit` and returns the labels it gives to `X_new`.
    X : ndarray of shape (n_rows, n_columns)
        At most 10,000 of its rows are used.
    seed : int
    n_bootstraps : int
        Pairs of samples; each costs two fits.

    Returns
    -------
    float
        Mean adjusted Rand index (Hubert & Arabie 1985): 1 for equal partitions, 0 for what chance gives.

    Raises
    ------
    DataError
        If there are fewer than 20 rows: too few are left that neither sample holds.

    References
    ----------
    Hennig (2007), Cluster-wise assessment of cluster stability, Comput. Stat. Data Anal. 52, 258-271; von Luxburg (2010),
    Clustering stability: an overview, Foundations and Trends in Machine Learning 2, 235-274.
    """
    X = X[sample_rows(len(X), MAX_ROWS, seed)]
    n_rows = len(X)
    if n_rows < 20:
        raise DataError(f"The stability of a clustering needs at least 20 rows, but there are {n_rows}.")
    rng = np.random.default_rng(seed)
    agreements = []
    for _ in range(n_bootstraps):
        held = ()
        while len(held) < 2:  # of 20 rows, about 3 are in neither sample
            pair = rng.integers(0, n_rows, (2, n_rows))
            held = np.setdiff1d(np.arange(n_rows), pair)
        one, other = (fit_predict_new(X[drawn], X[held], int(rng.integers(2**31))) for drawn in pair)
        agreements.append(adjusted_rand_score(one, other))
    return float(np.mean(agreements))


def agreement(true_groups, labels) -> float:
    """Adjusted Rand index (Hubert & Arabie 1985) of clusters with the groups that a simulator mixed; noise is one cluster."""
    return float(adjusted_rand_score(true_groups, labels))


def profiles(frame: pd.DataFrame, labels) -> pd.DataFrame:
    """Describe each cluster in the words of the table it came from.

    Parameters
    ----------
    frame : DataFrame of shape (n_rows, n_columns)
        Columns before they were scaled. Missing values are passed over.
    labels : ndarray of int of shape (n_rows,)
        Cluster of each row; -1, if it occurs, is described as well.

    Returns
    -------
    DataFrame
        One row a cluster, in the order of the labels: `cluster`, `size`, `share` of all rows; for a number (or true and
        false, as 1 and 0) `<column>_mean`, `<column>_median` and `<column>_difference_in_sd`, which is the cluster's mean
        less the mean of all rows, in standard deviations of all rows (0 for a constant column); for a category
        `<column>_most_common`, `<column>_most_common_share` in the cluster and `<column>_lift`, that share over the share
        among all rows. A cluster that has no value in a column has none in its profile either.
    """
    labels = np.asarray(labels)
    sizes = pd.Series(labels).value_counts().sort_index()
    described: dict[str, list] = {
        "cluster": sizes.index.tolist(),
        "size": sizes.tolist(),
        "share": (sizes / len(labels)).tolist(),
    }
    members = [labels == label for label in sizes.index]
    for name in frame.columns:
        describe = _number if is_numeric_dtype(frame[name]) else _category
        described |= {f"{name}_{what}": values for what, values in describe(frame[name], members).items()}
    return pd.DataFrame(described)


def _number(column: pd.Series, members: list[np.ndarray]) -> dict[str, list]:
    whole = pd.Series(column.to_numpy(dtype="float64", na_value=np.nan))
    sd = whole.std(ddof=0)
    means = [whole[rows].mean() for rows in members]
    return {
        "mean": means,
        "median": [whole[rows].median() for rows in members],
        "difference_in_sd": [(mean - whole.mean()) / sd if sd > 0 else mean - whole.mean() for mean in means],
    }


def _category(column: pd.Series, members: list[np.ndarray]) -> dict[str, list]:
    values = pd.Series(pd.Categorical(column.astype("object").where(column.notna(), None)))
    whole = values.value_counts(normalize=True, sort=False)
    shares = [values[rows].value_counts(normalize=True, sort=False) for rows in members]
    tops = [share.idxmax() if share.sum() > 0 else None for share in shares]
    return {
        "most_common": tops,
        "most_common_share": [np.nan if top is None else share[top] for share, top in zip(shares, tops, strict=True)],
        "lift": [np.nan if top is None else share[top] / whole[top] for share, top in zip(shares, tops, strict=True)],
    }
