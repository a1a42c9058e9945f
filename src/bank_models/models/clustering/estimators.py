"""Clustering estimators: k-means, hierarchical and DBSCAN, with chosen settings and bounded memory.

Clusters are numbered by size: 0 is the largest. -1 is noise.
"""

from __future__ import annotations

import numpy as np
from sklearn.base import BaseEstimator, ClusterMixin
from sklearn.cluster import KMeans
from sklearn.metrics import pairwise_distances_argmin, pairwise_distances_argmin_min
from sklearn.utils.validation import check_is_fitted, validate_data
from threadpoolctl import threadpool_limits

from bank_models.errors import DataError
from bank_models.metrics.clusters import MAX_ROWS, NOISE, sample_rows, sampled_silhouette
from bank_models.models.clustering.density import choose_eps, core_pairs, default_min_samples, distance_of_weight, join, nearest
from bank_models.models.clustering.linkage import all_merges, cut, micro_clusters, weighted_merges

N_STARTS = 10  # of k-means, of which the best is kept


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

    def score_samples(self, X):
        """Distance to the nearest centre, for each row."""
        check_is_fitted(self)
        return _nearest_distance(validate_data(self, X, dtype=np.float64, reset=False), self.cluster_centers_)

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
        self.min_samples_ = self.min_samples or default_min_samples(*X.shape)
        if len(X) < self.min_samples_:
            raise DataError(f"There are {len(X)} rows, fewer than min_samples={self.min_samples_}: lower it or give more rows.")
        distances, neighbours = nearest(points, points, min(self.min_samples_, len(points)))
        k_distances = distance_of_weight(distances, weights[neighbours], self.min_samples_)
        self.eps_ = float(self.eps or choose_eps(np.repeat(k_distances, weights)))
        core = np.flatnonzero(k_distances <= self.eps_)
        if not len(core):
            raise DataError(
                f"No row has min_samples={self.min_samples_} rows within eps={self.eps_:g}, so nothing is dense.\n"
                f"Raise eps (null finds one; the densest row needs {k_distances.min():g}) or lower min_samples."
            )
        self.components_ = points[core]
        is_close = distances[core] <= self.eps_
        self.component_labels_ = join(self.components_, core_pairs(core, neighbours[core], is_close, len(points)), self.eps_)
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
        distances, neighbours = nearest(self.components_, X, 1)
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
                self.representatives_, representative = X, np.arange(len(X))
                merges = all_merges(X, self.linkage)
            else:
                self.representatives_, representative, weights = micro_clusters(X, self.max_rows, self.random_state)
                merges = weighted_merges(self.representatives_, weights, self.linkage)
            rows = sample_rows(len(X), MAX_ROWS, self.random_state)
            self.n_clusters_, self.silhouettes_ = _choose(
                self, X[rows], len(self.representatives_), lambda n: cut(merges, n)[representative[rows]]
            )
        labels = cut(merges, self.n_clusters_)
        number = np.argsort(_by_size(labels[representative], self.n_clusters_))
        self.representative_labels_ = number[labels]
        self.labels_ = self.representative_labels_[representative]
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

    def score_samples(self, X):
        """Distance to the nearest training row or micro-centre, for each row."""
        check_is_fitted(self)
        return _nearest_distance(validate_data(self, X, dtype=np.float64, reset=False), self.representatives_)


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


def _nearest_distance(X, centres) -> np.ndarray:
    return pairwise_distances_argmin_min(X, centres)[1]
