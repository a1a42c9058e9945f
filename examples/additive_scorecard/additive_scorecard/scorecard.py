"""Additive scorecard: each feature has a table of points, and each round improves one of the tables."""

import numpy as np
from scipy.special import expit
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.isotonic import isotonic_regression


class _AdditiveScorecard(BaseEstimator):
    """Boosting of tables of points by Newton steps.

    Parameters
    ----------
    n_rounds : int
    learning_rate : float
        How much of each step counts.
    n_bins : int
        Rows of the table of a feature, at most.
    directions : list of {-1, 0, 1}, optional
        Of each column: points never fall, or never rise, from row to row of its table.
    """

    def __init__(self, n_rounds=200, learning_rate=0.3, n_bins=16, directions=None):
        self.n_rounds = n_rounds
        self.learning_rate = learning_rate
        self.n_bins = n_bins
        self.directions = directions

    def start(self, X, y, weight=None):
        """Cut the columns at their quantiles, and begin without points."""
        self.n_features_in_ = X.shape[1]
        shares = np.linspace(0, 1, self.n_bins + 1)[1:-1]
        self.cuts_ = [np.unique(np.quantile(column, shares, method="lower")) for column in X.T]
        self.columns_, self.steps_ = [], []
        self.base_ = self._base(np.average(y, weights=weight))

    def grow(self, codes, y, raw, weight):
        """Add the step that improves most; gives the new raw scores."""
        gradient, curvature = (weight * values for values in self._slopes(y, raw))
        _, column, step = max((self._step(codes, k, gradient, curvature) for k in range(len(codes))), key=lambda one: one[0])
        self.columns_.append(column)
        self.steps_.append(self.learning_rate * step)
        return raw + self.steps_[-1][codes[column]]

    def _step(self, codes, column, gradient, curvature):
        n_rows = len(self.cuts_[column]) + 1
        total = np.bincount(codes[column], gradient, n_rows)
        scale = np.bincount(codes[column], curvature, n_rows) + 1e-3
        step = total / scale
        if self.directions and self.directions[column]:
            step = isotonic_regression(step, sample_weight=scale, increasing=self.directions[column] > 0)
        return float(np.sum(step * total - step**2 * scale / 2)), column, step

    def codes(self, X):
        """Row of its column's table, for each value."""
        X = np.asarray(X, dtype="float64")
        return [np.searchsorted(cuts, X[:, k], side="left") for k, cuts in enumerate(self.cuts_)]

    def raw(self, X):
        """Sum of the points."""
        codes, total = self.codes(X), np.full(len(X), self.base_)
        for column, step in zip(self.columns_, self.steps_, strict=True):
            total += step[codes[column]]
        return total

    def cut_to(self, n_rounds):
        """Forget later rounds."""
        self.columns_, self.steps_ = self.columns_[:n_rounds], self.steps_[:n_rounds]

    def fit(self, X, y, sample_weight=None):
        X = np.asarray(X, dtype="float64")
        weight = np.ones(len(y)) if sample_weight is None else np.asarray(sample_weight, dtype="float64")
        self.classes_ = np.unique(y)
        self.start(X, y, weight)
        codes, raw = self.codes(X), np.full(len(X), self.base_)
        for _ in range(self.n_rounds):
            raw = self.grow(codes, y, raw, weight)
        return self


class AdditiveScorecardRegressor(RegressorMixin, _AdditiveScorecard):
    def predict(self, X):
        return self.raw(X)

    def _base(self, mean):
        return float(mean)

    def _slopes(self, y, raw):
        return y - raw, np.ones(len(y))


class AdditiveScorecardClassifier(ClassifierMixin, _AdditiveScorecard):
    """Of two classes; points are log odds."""

    def predict_proba(self, X):
        of_one = expit(self.raw(X))
        return np.column_stack([1 - of_one, of_one])

    def predict(self, X):
        return self.classes_[(self.raw(X) >= 0).astype(int)]

    def _base(self, mean):
        return float(np.log(mean / (1 - mean)))

    def _slopes(self, y, raw):
        of_one = expit(raw)
        return y - of_one, of_one * (1 - of_one)
