"""Models that go by the nearest centre: of classes, and of clusters."""

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, ClusterMixin

N_STEPS = 20
SHARE_INSIDE = 0.95  # of the rows that are fitted on


def _distances(X, centres):
    return np.sqrt(((np.asarray(X, dtype="float64")[:, None, :] - centres[None]) ** 2).sum(axis=2))


class NearestClassClassifier(ClassifierMixin, BaseEstimator):
    """The nearer the mean of a class, the likelier it is."""

    def __init__(self, sharpness=1.0):
        self.sharpness = sharpness

    def fit(self, X, y):
        X = np.asarray(X, dtype="float64")
        self.classes_, self.n_features_in_ = np.unique(y), X.shape[1]
        self.centres_ = np.array([X[y == one].mean(axis=0) for one in self.classes_])
        return self

    def predict_proba(self, X):
        near = -self.sharpness * _distances(X, self.centres_)
        weights = np.exp(near - near.max(axis=1, keepdims=True))
        return weights / weights.sum(axis=1, keepdims=True)

    def predict(self, X):
        return self.classes_[self.predict_proba(X).argmax(axis=1)]


class NearestCentres(ClusterMixin, BaseEstimator):
    """Lloyd's means from rows that lie far apart; what lies farther out than most rows belongs to no cluster."""

    def __init__(self, n_clusters=3):
        self.n_clusters = n_clusters

    def fit(self, X, y=None):
        X = np.asarray(X, dtype="float64")
        self.n_features_in_, centres = X.shape[1], X[[0]]
        while len(centres) < self.n_clusters:
            centres = np.vstack([centres, X[_distances(X, centres).min(axis=1).argmax()]])
        for _ in range(N_STEPS):
            nearest = _distances(X, centres).argmin(axis=1)
            is_of = [nearest == k for k in range(len(centres))]
            centres = np.array([X[one].mean(axis=0) if one.any() else centres[k] for k, one in enumerate(is_of)])
        self.centres_ = centres
        self.reach_ = float(np.quantile(_distances(X, centres).min(axis=1), SHARE_INSIDE))
        self.labels_ = self.predict(X)
        return self

    def predict(self, X):
        distances = _distances(X, self.centres_)
        return np.where(distances.min(axis=1) > self.reach_, -1, distances.argmin(axis=1))

    def score_samples(self, X):
        return _distances(X, self.centres_).min(axis=1) / self.reach_
