"""Clustering that chooses its own settings, labels rows it has not seen, and stays within memory on many rows.

Clusters are numbered by size: 0 is the largest. -1 is noise.
"""

from __future__ import annotations

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial.distance import cdist
from sklearn.base import BaseEstimator, ClusterMixin
from sklearn.cluster import AgglomerativeClustering, KMeans, MiniBatchKMeans
from sklearn.metrics import pairwise_distances_argmin
from sklearn.neighbors import NearestNeighbors
from sklearn.utils.validation import check_is_fitted, validate_data
from threadpoolctl import threadpool_limits

from src.cluster_metrics import MAX_ROWS, NOISE, sample_rows, sampled_silhouette
from src.errors import DataError

N_STARTS = 10  # of k-means, of which the best is kept
MAX_DIMENSIONAL_MIN_SAMPLES = 50
N_MICRO_CLUSTERS = 2_000
MAX_PAIRS = 5_000_000  # of neighbours held at once
MAX_TREE_COLUMNS = 8  # beyond, many neighbours come faster from comparing all rows than from a tree (measured at 10 and 12)
ROUNDING = 1e-6  # by which a search may be wide before distances are taken exactly


class KMeansClustering(ClusterMixin, BaseEstimator):
    """k-means, the number of clusters chosen by silhouette.

    Up to 10,000 rows, drawn at random, decide the number of clusters and where the centres start: each candidate is the
    best of 10 starts. Lloyd's iterations over all rows follow from there. They run in one thread, because threads add up
    the centres in the order they happen to finish.

    Parameters
    ----------
    n_clusters : int, optional
        None tries 2 to `max_clusters` and keeps the highest mean silhouette. It cannot tell that there is only one.
    init : {"k-means++", "random"}
    max_iter : int
        Most iterations of one start.
    max_clusters : int
    random_state : int

    Attributes
    ----------
    n_clusters_ : int
    silhouettes_ : dict of str to float
        Silhouette of each number of clusters that was tried; empty when the number was given.
    cluster_centers_ : ndarray of shape (n_clusters_, n_columns)
    labels_ : ndarray of int of shape (n_rows,)

    References
    ----------
    Arthur & Vassilvitskii (2007), k-means++, SODA, 1027-1035; Rousseeuw (1987), Silhouettes, J. Comput. Appl. Math. 20,
    53-65.
    """

    def __init__(self, n_clusters=None, init="k-means++", max_iter=300, max_clusters=10, random_state=0):
        self.n_clusters = n_clusters
        self.init = init
        self.max_iter = max_iter
        self.max_clusters = max_clusters
        self.random_state = random_state

    def fit(self, X, y=None):
        """Find the centres. `y` is ignored.

        Raises
        ------
        DataError
            If there are fewer distinct rows than clusters.
        """
        X = validate_data(self, X, dtype=np.float64)
        sample = X[sample_rows(len(X), MAX_ROWS, self.random_state)]
        starts = {}

        def labels_for(n_clusters):
            starts[n_clusters] = self._fit(sample, n_clusters, self.init, N_STARTS)
            return starts[n_clusters].labels_

        with threadpool_limits(1):
            self.n_clusters_, self.silhouettes_ = _choose(self, sample, len(sample), labels_for)
            best = starts.get(self.n_clusters_) or self._fit(sample, self.n_clusters_, self.init, N_STARTS)
            if len(sample) < len(X):
                best = self._fit(X, self.n_clusters_, best.cluster_centers_, 1)
        self.cluster_centers_ = best.cluster_centers_[_by_size(best.labels_, self.n_clusters_)]
        self.labels_ = _nearest_label(X, self.cluster_centers_)
        return self

    def chosen_params(self) -> dict[str, int]:
        """What fitting chose where the parameters left it open."""
        return {"n_clusters": self.n_clusters_}

    def predict(self, X):
        """Cluster of the nearest centre, for each row."""
        check_is_fitted(self)
        return _nearest_label(validate_data(self, X, dtype=np.float64, reset=False), self.cluster_centers_)

    def _fit(self, X, n_clusters, init, n_init):
        return KMeans(n_clusters, init=init, n_init=n_init, max_iter=self.max_iter, random_state=self.random_state).fit(X)


class DBSCANClustering(ClusterMixin, BaseEstimator):
    """Dense regions, and how far each row lies from them.

    A core row has at least `min_samples` rows (itself and copies of it included) within `eps`. Core rows at most `eps`
    apart share a cluster; another row takes the cluster of its nearest core row if that is within `eps`, else it is noise.
    So the labels of core rows and the noise are those of scikit-learn's DBSCAN, while a border row between two clusters
    goes to the nearer one instead of the one found first.

    Equal rows count as one of their weight, and neighbours beyond the `min_samples` nearest are looked at in batches and
    only to join clusters: memory grows with rows times `min_samples`, never with rows squared. Distances are taken column
    by column, so they have the same bits for one row as for many.

    Parameters
    ----------
    eps : float, optional
        Radius, in the unit of the scaled columns. None takes the knee of the sorted distances to the `min_samples`-th
        nearest row, see `choose_eps`.
    min_samples : int, optional
        None is twice the number of columns (Sander et al. 1998; at most 50, because indicator columns count little), and
        at least 3 times the logarithm of the number of rows: with fewer neighbours one dense region falls into pieces
        (Maier et al. 2009 prove the logarithm; the 3 was found on simulated clusters).
    max_core_points : int
        Most distinct core rows that are kept for `predict` and `score_samples`; if there are more, as many are drawn
        from each cluster in proportion to its core rows. A new row then finds its nearest core row a little farther off, so
        its score can only be higher, and a row near `eps` can become noise. `labels_` are not affected.
    random_state : int
        Draws the core rows that are kept.

    Attributes
    ----------
    eps_, min_samples_ : float, int
    components_ : ndarray of shape (n_core_points, n_columns)
    component_labels_ : ndarray of int of shape (n_core_points,)
    labels_ : ndarray of int of shape (n_rows,)

    References
    ----------
    Ester, Kriegel, Sander & Xu (1996), A density-based algorithm for discovering clusters, KDD, 226-231; Sander et al.
    (1998), Data Mining and Knowledge Discovery 2, 169-194; Schubert et al. (2017), DBSCAN revisited, revisited, ACM TODS
    42:19; Maier, Hein & von Luxburg (2009), Optimal construction of k-nearest-neighbor graphs for identifying noisy
    clusters, Theoretical Computer Science 410, 1749-1764.
    """

    def __init__(self, eps=None, min_samples=None, max_core_points=100_000, random_state=0):
        self.eps = eps
        self.min_samples = min_samples
        self.max_core_points = max_core_points
        self.random_state = random_state

    def fit(self, X, y=None):
        """Find the dense regions. `y` is ignored.

        Raises
        ------
        DataError
            If no row is dense, or there is no distance to learn `eps` from.
        """
        X = validate_data(self, X, dtype=np.float64)
        points, row_point, weights = np.unique(X, axis=0, return_inverse=True, return_counts=True)
        self.min_samples_ = self.min_samples or _default_min_samples(*X.shape)
        if len(X) < self.min_samples_:
            raise DataError(f"There are {len(X)} rows, fewer than min_samples={self.min_samples_}: lower it or give more rows.")
        distances, neighbours = _nearest(points, points, min(self.min_samples_, len(points)))
        k_distances = _distance_of_weight(distances, weights[neighbours], self.min_samples_)
        self.eps_ = float(self.eps or choose_eps(np.repeat(k_distances, weights)))
        core = np.flatnonzero(k_distances <= self.eps_)
        if not len(core):
            raise DataError(
                f"No row has min_samples={self.min_samples_} rows within eps={self.eps_:g}, so nothing is dense.\n"
                f"Raise eps (null finds one; the densest row needs {k_distances.min():g}) or lower min_samples."
            )
        self.components_ = points[core]
        is_close = distances[core] <= self.eps_
        self.component_labels_ = _join(self.components_, _core_pairs(core, neighbours[core], is_close, len(points)), self.eps_)
        self._label(points, core, row_point)
        self._keep_few()
        return self

    def chosen_params(self) -> dict[str, float]:
        """What fitting chose where the parameters left it open."""
        return {"eps": self.eps_, "min_samples": self.min_samples_}

    def predict(self, X):
        """Cluster of the nearest core row if it is within `eps_`, else -1, for each row."""
        return self._nearest_core(self._checked(X))[0]

    def score_samples(self, X):
        """How anomalous each row is.

        Unlike scikit-learn's outlier detectors, higher means more anomalous.

        Parameters
        ----------
        X : ndarray of shape (n_rows, n_columns)

        Returns
        -------
        ndarray of shape (n_rows,)
            Distance to the nearest core row over `eps_`: 0 for a core row, above 1 for noise.
        """
        return self._nearest_core(self._checked(X))[1] / self.eps_

    def _checked(self, X):
        check_is_fitted(self)
        return validate_data(self, X, dtype=np.float64, reset=False)

    def _nearest_core(self, X):
        distances, neighbours = _nearest(self.components_, X, 1)
        labels = np.where(distances[:, 0] <= self.eps_, self.component_labels_[neighbours[:, 0]], NOISE)
        return labels, distances[:, 0]

    def _label(self, points, core, row_point):
        """Label all rows, then number the clusters by their rows."""
        labels = np.full(len(points), NOISE)
        labels[core] = self.component_labels_
        others = np.setdiff1d(np.arange(len(points)), core, assume_unique=True)
        if len(others):
            labels[others] = self._nearest_core(points[others])[0]
        labels = labels[row_point]
        number = np.argsort(_by_size(labels[labels != NOISE], self.component_labels_.max() + 1))
        self.labels_ = np.where(labels == NOISE, NOISE, number[labels])
        self.component_labels_ = number[self.component_labels_]

    def _keep_few(self):
        n_core = len(self.components_)
        if n_core <= self.max_core_points:
            return
        order = np.random.default_rng(self.random_state).permutation(n_core)
        order = order[np.argsort(self.component_labels_[order], kind="stable")]
        sizes = np.bincount(self.component_labels_)
        rank = np.arange(n_core) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        quota = np.maximum(1, sizes * self.max_core_points // n_core)  # no cluster is forgotten
        kept = np.sort(order[rank < np.repeat(quota, sizes)])
        self.components_, self.component_labels_ = self.components_[kept], self.component_labels_[kept]


class HierarchicalClustering(ClusterMixin, BaseEstimator):
    """Agglomerative clustering, compressed first where the rows are many.

    Up to `max_rows` rows are merged one by one. More are first gathered into 2,000 micro-clusters by mini-batch k-means,
    and the micro-clusters are merged, each with the weight of its rows: Ward's linkage and the average linkage give what
    they would if every row lay at the centre of its micro-cluster. Complete and single linkage know no weights.

    A new row takes the cluster of the nearest row (or micro-centre), not of the nearest centroid: clusters need not be
    round, with single linkage above all, and a row of the training table so gets the label it was given.

    Parameters
    ----------
    n_clusters : int, optional
        None tries 2 to `max_clusters` and keeps the highest mean silhouette.
    linkage : {"ward", "complete", "average", "single"}
    max_clusters : int
    max_rows : int
        Most rows that are merged without micro-clusters; memory grows with its square (100 MiB at 5,000).
    random_state : int

    Attributes
    ----------
    n_clusters_ : int
    silhouettes_ : dict of str to float
        Silhouette of each number of clusters that was tried; empty when the number was given.
    representatives_ : ndarray of shape (n_representatives, n_columns)
        The training rows, or the micro-centres.
    representative_labels_ : ndarray of int of shape (n_representatives,)
    cluster_centers_ : ndarray of shape (n_clusters_, n_columns)
        Means of the clusters, to describe them.
    labels_ : ndarray of int of shape (n_rows,)

    References
    ----------
    Ward (1963), J. Am. Stat. Assoc. 58, 236-244; Lance & Williams (1967), The Computer Journal 9, 373-380; Zhang,
    Ramakrishnan & Livny (1996), BIRCH, SIGMOD, 103-114, for merging micro-clusters by weight.
    """

    def __init__(self, n_clusters=None, linkage="ward", max_clusters=10, max_rows=5_000, random_state=0):
        self.n_clusters = n_clusters
        self.linkage = linkage
        self.max_clusters = max_clusters
        self.max_rows = max_rows
        self.random_state = random_state

    def fit(self, X, y=None):
        """Merge the rows into clusters. `y` is ignored.

        Raises
        ------
        DataError
            If there are fewer distinct rows than clusters.
        """
        X = validate_data(self, X, dtype=np.float64)
        with threadpool_limits(1):
            if len(X) <= self.max_rows:
                self.representatives_, nearest = X, np.arange(len(X))
                merges = _merges(X, self.linkage)
            else:
                self.representatives_, nearest, weights = _micro_clusters(X, self.max_rows, self.random_state)
                merges = weighted_merges(self.representatives_, weights, self.linkage)
            rows = sample_rows(len(X), MAX_ROWS, self.random_state)
            self.n_clusters_, self.silhouettes_ = _choose(
                self, X[rows], len(self.representatives_), lambda n: _cut(merges, n)[nearest[rows]]
            )
        labels = _cut(merges, self.n_clusters_)
        number = np.argsort(_by_size(labels[nearest], self.n_clusters_))
        self.representative_labels_ = number[labels]
        self.labels_ = self.representative_labels_[nearest]
        self.cluster_centers_ = np.array([X[self.labels_ == label].mean(axis=0) for label in range(self.n_clusters_)])
        return self

    def chosen_params(self) -> dict[str, int]:
        """What fitting chose where the parameters left it open."""
        return {"n_clusters": self.n_clusters_}

    def predict(self, X):
        """Cluster of the nearest training row or micro-centre, for each row."""
        check_is_fitted(self)
        X = validate_data(self, X, dtype=np.float64, reset=False)
        return self.representative_labels_[_nearest_label(X, self.representatives_)]


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


def _merges(X, linkage) -> np.ndarray:
    """All merges of scikit-learn's tree, as `weighted_merges` gives them."""
    children = AgglomerativeClustering(n_clusters=None, distance_threshold=0.0, linkage=linkage).fit(X).children_
    a_row_of = np.concatenate([np.arange(len(X)), np.empty(len(children), dtype=np.int64)])
    for i, (left, _) in enumerate(children):
        a_row_of[len(X) + i] = a_row_of[left]
    return a_row_of[children]


def _cut(merges, n_clusters) -> np.ndarray:
    n_points = len(merges) + 1
    return _groups(merges[: n_points - n_clusters], n_points)


def _groups(pairs, n_points) -> np.ndarray:
    """Number the groups that pairs of positions join."""
    graph = coo_array((np.ones(len(pairs), dtype=bool), (pairs[:, 0], pairs[:, 1])), shape=(n_points, n_points))
    return connected_components(graph, directed=False)[1].astype(np.int64)


def _micro_clusters(X, max_rows, random_state):
    n_clusters = min(N_MICRO_CLUSTERS, max_rows)
    found = MiniBatchKMeans(n_clusters, batch_size=4096, n_init=1, random_state=random_state).fit(X)
    weights = np.bincount(found.labels_, minlength=n_clusters)
    is_used = weights > 0
    return found.cluster_centers_[is_used], (np.cumsum(is_used) - 1)[found.labels_], weights[is_used]


def _choose(estimator, sample, n_points, labels_for) -> tuple[int, dict[str, float]]:
    """The number of clusters: as given, or the one whose labels have the highest silhouette."""
    n_distinct = min(n_points, len(np.unique(sample, axis=0)))
    at_least = estimator.n_clusters or 2
    if n_distinct < at_least:
        raise DataError(f"{at_least} clusters need at least as many distinct rows, but there are {n_distinct}.")
    if estimator.n_clusters:
        return estimator.n_clusters, {}
    candidates = range(2, min(estimator.max_clusters, n_distinct) + 1)
    scores = {n: sampled_silhouette(sample, labels_for(n), estimator.random_state) for n in candidates}
    scores = {n: score for n, score in scores.items() if score is not None}
    best = max(scores, key=scores.get) if scores else 2
    return best, {str(n): score for n, score in scores.items()}


def _by_size(labels, n_clusters) -> np.ndarray:
    """Labels, the most frequent first."""
    return np.argsort(-np.bincount(labels, minlength=n_clusters), kind="stable")


def _nearest_label(X, centres) -> np.ndarray:
    return pairwise_distances_argmin(X, centres).astype(np.int64)


def _nearest(points, X, n_neighbors) -> tuple[np.ndarray, np.ndarray]:
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


def _default_min_samples(n_rows, n_columns) -> int:
    return max(4, min(2 * n_columns, MAX_DIMENSIONAL_MIN_SAMPLES), int(np.ceil(3 * np.log(n_rows))))


def _distance_of_weight(distances, weights, weight) -> np.ndarray:
    """For each row, the distance at which the neighbours so far weigh at least `weight`."""
    first = (np.cumsum(weights, axis=1) >= weight).argmax(axis=1)
    return distances[np.arange(len(distances)), first]


def _core_pairs(core, neighbours, is_close, n_points) -> np.ndarray:
    """Pairs of core points, by their position among the core points, that are known to be close."""
    number = np.full(n_points, NOISE)
    number[core] = np.arange(len(core))
    there = number[neighbours]
    here = np.broadcast_to(np.arange(len(core))[:, None], there.shape)
    is_pair = is_close & (there != NOISE)
    return np.column_stack([here[is_pair], there[is_pair]])


def _join(points, pairs, eps) -> np.ndarray:
    """Number the groups of points that steps of at most `eps` join.

    The pairs known already make most of each group. Any step that is missing starts outside of the largest group: only
    those points' neighbours are looked up, in batches.
    """
    group = _groups(pairs, len(points))
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
            group = _groups(steps, group.max() + 1)[group]
    return group
