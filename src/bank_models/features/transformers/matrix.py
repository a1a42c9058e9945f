"""Column facts of the matrix that an estimator takes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin


@dataclass(frozen=True)
class MatrixColumn:
    """One column of the matrix: its name, the feature it comes from, and how it may be read.

    `is_category` is a code without order; `is_value` keeps the order of the feature's values, so that a direction of the
    one is a direction of the other.
    """

    name: str
    feature: str
    is_category: bool = False
    is_value: bool = False


class NoColumns(TransformerMixin, BaseEstimator):
    """No column, for an estimator that looks at none: a ColumnTransformer of nothing would take longer than its fit."""

    transformers_ = ()
    named_transformers_: Mapping = {}

    def fit(self, X, y=None):
        return self

    def transform(self, X):
        return np.empty((len(X), 0), dtype="float32")

    def __sklearn_is_fitted__(self):
        return True
