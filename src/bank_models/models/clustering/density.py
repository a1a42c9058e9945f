"""Density reachability: neighbours, choice of eps, connected components."""

from __future__ import annotations

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from sklearn.neighbors import NearestNeighbors

from bank_models.errors import DataError
from bank_models.metrics.clusters import NOISE

MAX_DIMENSIONAL_MIN_SAMPLES = 50
MAX_PAIRS = 5_000_000  # of neighbours held at once
MAX_TREE_COLUMNS = 8  # beyond, many neighbours come faster from comparing all rows than from a tree (measured at 10 and 12)
ROUNDING = 1e-6  # by which a search may be wide before distances are taken exactly


def choose_eps(k_distances) -> float:
    """A radius within which most rows are dense: the knee of the sorted k-distances, but no more than Tukey's fence.

    One row that lies far off stretches the chord so much that its knee leaves no other row outside. The fence, the third
    quartile and one and a half times the distance between the quartiles, does not see it.

    Parameters
    ----------
    k_distances : ndarray of shape (n_rows,)
        Distance of each row to its `min_samples`-th nearest, itself included. Zeros (rows in a pile of equal ones) are left
        out: they say nothing about distance.

    Returns
    -------
    float
        Above 0, and at least the third quartile or the knee.

    Raises
    ------
    DataError
        If no k-distance is above 0.

    References
    ----------
    Ester et al. (1996), KDD, 226-231, sec. 4.2; Tukey (1977), Exploratory data analysis, ch. 2.
    """
    positive = k_distances[k_distances > 0]
    if not len(positive):
        raise DataError("Every row has as many equal rows as min_samples asks: no distance to learn eps from. Give eps.")
    low, high = np.quantile(positive, [0.25, 0.75])
    return min(knee(positive), float(high + 1.5 * (high - low)))


def knee(values) -> float:
    """Where a sorted curve that bends upwards does so most: its largest distance below the chord from end to end.

    Parameters
    ----------
    values : ndarray of shape (n_values,)
        At least one, in any order.

    Returns
    -------
    float
        One of the values; the largest if the curve does not bend upwards, because then none of them stands apart.

    References
    ----------
    Satopaa, Albrecht, Irwin & Raghavan (2011), Finding a "kneedle" in a haystack, ICDCS Workshops, 166-171.
    """
    curve = np.sort(values)
    height = curve[-1] - curve[0]
    if height == 0:
        return float(curve[-1])
    below = np.linspace(0, 1, len(curve)) - (curve - curve[0]) / height
    return float(curve[below.argmax()] if below.max() > ROUNDING else curve[-1])


def groups(pairs, n_points) -> np.ndarray:
    """Number the groups that pairs of positions join."""
    graph = coo_array((np.ones(len(pairs), dtype=bool), (pairs[:, 0], pairs[:, 1])), shape=(n_points, n_points))
    return connected_components(graph, directed=False)[1].astype(np.int64)


def nearest(points, X, n_neighbors) -> tuple[np.ndarray, np.ndarray]:
    """Distances to the nearest points and their positions, nearest first."""
    algorithm = "brute" if n_neighbors > 1 and X.shape[1] > MAX_TREE_COLUMNS else "auto"
    index = NearestNeighbors(n_neighbors=n_neighbors, algorithm=algorithm).fit(points)
    neighbours = index.kneighbors(X, return_distance=False)
    distances = _distances(X, points, neighbours)
    order = np.argsort(distances, axis=1, kind="stable")
    return np.take_along_axis(distances, order, axis=1), np.take_along_axis(neighbours, order, axis=1)


def _distances(X, points, neighbours) -> np.ndarray:
    squares = np.zeros(neighbours.shape)
    for column in range(X.shape[1]):
        squares += (X[:, column, None] - points[:, column][neighbours]) ** 2
    return np.sqrt(squares)


def default_min_samples(n_rows, n_columns) -> int:
    return max(4, min(2 * n_columns, MAX_DIMENSIONAL_MIN_SAMPLES), int(np.ceil(3 * np.log(n_rows))))


def distance_of_weight(distances, weights, weight) -> np.ndarray:
    """For each row, the distance at which the neighbours so far weigh at least `weight`."""
    first = (np.cumsum(weights, axis=1) >= weight).argmax(axis=1)
    return distances[np.arange(len(distances)), first]


def core_pairs(core, neighbours, is_close, n_points) -> np.ndarray:
    """Pairs of core points, by their position among the core points, that are known to be close."""
    number = np.full(n_points, NOISE)
    number[core] = np.arange(len(core))
    there = number[neighbours]
    here = np.broadcast_to(np.arange(len(core))[:, None], there.shape)
    is_pair = is_close & (there != NOISE)
    return np.column_stack([here[is_pair], there[is_pair]])


def join(points, pairs, eps) -> np.ndarray:
    """Number the groups of points that steps of at most `eps` join.

    The pairs known already make most of each group. Any step that is missing starts outside of the largest group: only
    those points' neighbours are looked up, in batches.
    """
    group = groups(pairs, len(points))
    sizes = np.bincount(group)
    if len(sizes) == 1:
        return group
    anchor = np.flatnonzero(group == sizes.argmax())[0]
    outside = np.flatnonzero(group != group[anchor])
    index = NearestNeighbors(radius=eps * (1 + ROUNDING)).fit(points)
    n_batch = max(1, MAX_PAIRS // len(points))
    for start in range(0, len(outside), n_batch):
        batch = outside[start : start + n_batch]
        batch = batch[group[batch] != group[anchor]]
        if len(batch):
            found = index.radius_neighbors(points[batch], return_distance=False)
            here, there = np.repeat(batch, [len(near) for near in found]), np.concatenate(found)
            is_step = group[here] != group[there]
            here, there = here[is_step], there[is_step]
            is_step = _distances(points[here], points, there[:, None])[:, 0] <= eps
            steps = np.column_stack([group[here[is_step]], group[there[is_step]]])
            group = groups(steps, group.max() + 1)[group]
    return group
