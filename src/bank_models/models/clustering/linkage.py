"""Linkage trees of hierarchical clustering."""

from __future__ import annotations

import numpy as np
from scipy.spatial.distance import cdist
from sklearn.cluster import AgglomerativeClustering, MiniBatchKMeans

from bank_models.models.clustering.density import groups

N_MICRO_CLUSTERS = 2_000


def weighted_merges(points, weights, linkage: str) -> np.ndarray:
    """Merge points that stand for many rows each, nearest first, by chains of nearest neighbours.

    Parameters
    ----------
    points : ndarray of shape (n_points, n_columns)
    weights : ndarray of shape (n_points,)
        Rows each stands for.
    linkage : {"ward", "complete", "average", "single"}

    Returns
    -------
    ndarray of int of shape (n_points - 1, 2)
        For each merge, in order of height, a point of either side.

    References
    ----------
    Murtagh & Contreras (2012), Algorithms for hierarchical clustering: an overview, WIREs Data Mining and Knowledge
    Discovery 2, 86-97.
    """
    update = LANCE_WILLIAMS[linkage]
    weights = np.asarray(weights, dtype=np.float64).copy()
    apart = cdist(points, points, "sqeuclidean" if linkage == "ward" else "euclidean")
    if linkage == "ward":
        apart *= np.outer(weights, weights) / np.add.outer(weights, weights)
    np.fill_diagonal(apart, np.inf)
    is_open = np.ones(len(points), dtype=bool)
    chain: list[int] = []
    merges, heights = [], []
    while len(merges) < len(points) - 1:
        if not chain:
            chain.append(int(is_open.argmax()))
        last = chain[-1]
        nearest = int(apart[last].argmin())
        if len(chain) < 2 or apart[last, nearest] < apart[last, chain[-2]]:
            chain.append(nearest)
            continue
        a, b = chain.pop(), chain.pop()
        merges.append((a, b))
        heights.append(apart[a, b])
        merged = update(apart[a], apart[b], apart[a, b], weights[a], weights[b], weights)
        merged[[a, b]] = np.inf
        apart[b], apart[:, b] = merged, merged
        apart[a], apart[:, a] = np.inf, np.inf
        weights[b] += weights[a]
        is_open[a] = False
    return np.array(merges, dtype=np.int64).reshape(-1, 2)[np.argsort(heights, kind="stable")]


LANCE_WILLIAMS = {  # distance of all others to the union of a and b
    "single": lambda to_a, to_b, ab, a, b, others: np.minimum(to_a, to_b),
    "complete": lambda to_a, to_b, ab, a, b, others: np.maximum(to_a, to_b),
    "average": lambda to_a, to_b, ab, a, b, others: (a * to_a + b * to_b) / (a + b),
    "ward": lambda to_a, to_b, ab, a, b, others: ((a + others) * to_a + (b + others) * to_b - others * ab) / (a + b + others),
}


def all_merges(X, linkage) -> np.ndarray:
    """All merges of scikit-learn's tree, as `weighted_merges` gives them."""
    children = AgglomerativeClustering(n_clusters=None, distance_threshold=0.0, linkage=linkage).fit(X).children_
    a_row_of = np.concatenate([np.arange(len(X)), np.empty(len(children), dtype=np.int64)])
    for i, (left, _) in enumerate(children):
        a_row_of[len(X) + i] = a_row_of[left]
    return a_row_of[children]


def cut(merges, n_clusters) -> np.ndarray:
    n_points = len(merges) + 1
    return groups(merges[: n_points - n_clusters], n_points)


def micro_clusters(X, max_rows, random_state):
    n_clusters = min(N_MICRO_CLUSTERS, max_rows)
    found = MiniBatchKMeans(n_clusters, batch_size=4096, n_init=1, random_state=random_state).fit(X)
    weights = np.bincount(found.labels_, minlength=n_clusters)
    is_used = weights > 0
    return found.cluster_centers_[is_used], (np.cumsum(is_used) - 1)[found.labels_], weights[is_used]
