"""Least-squares boosting of stumps: a step at one number of one column in each round."""

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin

N_CUTS = 16


class _Stumps(BaseEstimator):
    """Parameters: the number of rounds, how much of each step counts, and the direction that each column must keep."""

    def __init__(self, n_rounds=50, learning_rate=0.3, directions=None):
        self.n_rounds = n_rounds
        self.learning_rate = learning_rate
        self.directions = directions

    def start(self, X, y, weight=None):
        """Begin with the mean."""
        self.n_features_in_ = X.shape[1]
        self.weight_ = np.ones(len(y)) if weight is None else np.asarray(weight, dtype="float64")
        self.mean_ = float(np.average(y, weights=self.weight_))
        self.columns_, self.cuts_, self.below_, self.above_ = [], [], [], []

    def grow(self, X, rest):
        """Add the step that leaves least of the rest."""
        best = (-np.inf, None)
        for column in range(X.shape[1]):
            for cut in np.unique(np.quantile(X[:, column], np.linspace(0, 1, N_CUTS + 2)[1:-1])):
                best = max(best, self._step(X[:, column] > cut, rest, column, float(cut)), key=lambda each: each[0])
        if best[1] is not None:
            for values, value in zip((self.columns_, self.cuts_, self.below_, self.above_), best[1], strict=True):
                values.append(value)

    def _step(self, is_above, rest, column, cut):
        weights = [self.weight_[side].sum() for side in (~is_above, is_above)]
        if min(weights) == 0:
            return -np.inf, None
        means = [np.average(rest[side], weights=self.weight_[side]) for side in (~is_above, is_above)]
        direction = self.directions[column] if self.directions else 0
        if direction * (means[1] - means[0]) < 0:
            return -np.inf, None
        gain = sum(weight * mean**2 for weight, mean in zip(weights, means, strict=True))
        return gain, (column, cut, *(float(self.learning_rate * mean) for mean in means))

    def cut_to(self, n_rounds):
        """Forget later rounds."""
        for name in ("columns_", "cuts_", "below_", "above_"):
            setattr(self, name, getattr(self, name)[:n_rounds])

    def fit(self, X, y, sample_weight=None):
        X = np.asarray(X, dtype="float64")
        self.classes_ = np.unique(y)
        self.start(X, y, sample_weight)
        for _ in range(self.n_rounds):
            self.grow(X, y - self.raw(X))
        del self.weight_
        return self

    def raw(self, X):
        X, total = np.asarray(X, dtype="float64"), np.full(len(X), self.mean_)
        for column, cut, below, above in zip(self.columns_, self.cuts_, self.below_, self.above_, strict=True):
            total += np.where(X[:, column] > cut, above, below)
        return total


class StumpsRegressor(RegressorMixin, _Stumps):
    def predict(self, X):
        return self.raw(X)


class StumpsClassifier(ClassifierMixin, _Stumps):
    """Of two classes: the mean of 0 and 1 is a probability."""

    def predict_proba(self, X):
        of_one = np.clip(self.raw(X), 0.001, 0.999)
        return np.column_stack([1 - of_one, of_one])

    def predict(self, X):
        return self.classes_[(self.raw(X) >= 0.5).astype(int)]
