"""Weighted averages of fitted models."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin

if TYPE_CHECKING:
    pass


class EnsembleClassifier(ClassifierMixin, BaseEstimator):
    """The weighted mean of fitted classifiers' probabilities.

    Parameters
    ----------
    models : dict of str to classifier
        Fitted on the same classes, codes from 0; each takes a table.
    weights : dict of str to float
        Of the same names; positive, and 1 in all.
    """

    def __init__(self, models: dict, weights: dict[str, float]):
        self.models = models
        self.weights = weights

    def fit(self, X, y=None):
        """Nothing is left to fit: the members are fitted, and scikit-learn asks an estimator for the method."""
        return self

    def predict_proba(self, X) -> np.ndarray:
        """Probability of each class, as float64 of shape (n_rows, n_classes)."""
        return sum(weight * self.models[name].predict_proba(X).astype("float64") for name, weight in self.weights.items())

    def predict(self, X) -> np.ndarray:
        """The most probable class of each row."""
        return self.classes_[self.predict_proba(X).argmax(axis=1)]

    @property
    def classes_(self) -> np.ndarray:
        return next(iter(self.models.values())).classes_

    def __sklearn_is_fitted__(self):
        return bool(self.models)


class EnsembleRegressor(RegressorMixin, BaseEstimator):
    """The weighted mean of fitted regressors' predictions; parameters are those of `EnsembleClassifier`."""

    def __init__(self, models: dict, weights: dict[str, float]):
        self.models = models
        self.weights = weights

    def predict(self, X) -> np.ndarray:
        return sum(weight * self.models[name].predict(X) for name, weight in self.weights.items())

    def __sklearn_is_fitted__(self):
        return bool(self.models)
