"""Passthrough of numbers."""

from __future__ import annotations

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin


class AsNumbers(TransformerMixin, BaseEstimator):
    """Numeric and boolean columns as one array.

    Values pass through float32 whatever they came as, so that a table read from CSV (float64) scores exactly as the
    training table (float32) did.

    Parameters
    ----------
    dtype : {"float32", "float64"}
        Of the output; linear models solve in float64.
    """

    def __init__(self, dtype: str = "float32"):
        self.dtype = dtype

    def fit(self, X, y=None):
        self.n_features_in_ = X.shape[1]
        return self

    def transform(self, X):
        return X.to_numpy(dtype="float32", na_value=np.nan).astype(self.dtype, copy=False)

    def get_feature_names_out(self, input_features=None):
        return np.asarray(input_features, dtype=object)

    def __sklearn_is_fitted__(self):
        return hasattr(self, "n_features_in_")
