"""Rank of a value among those that were learnt from."""

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin


class QuantileRank(TransformerMixin, BaseEstimator):
    """The share of the learnt values that a value is not below: extreme amounts weigh no more than others.

    Parameters
    ----------
    n_quantiles : int
        How many values of each column are remembered.
    """

    def __init__(self, n_quantiles=200):
        self.n_quantiles = n_quantiles

    def fit(self, X, y=None):
        self.feature_names_in_ = np.asarray(X.columns, dtype=object)
        shares = np.linspace(0, 1, self.n_quantiles)
        self.quantiles_ = [np.quantile(self._known(X[name]), shares, method="lower") for name in X]
        return self

    def transform(self, X):
        columns = []
        for name, quantiles in zip(X, self.quantiles_, strict=True):
            values = X[name].to_numpy(dtype="float64", na_value=np.nan)
            ranks = np.searchsorted(quantiles, values, side="right") / len(quantiles)
            columns.append(np.where(np.isnan(values), np.nan, ranks))
        return np.column_stack(columns)

    def get_feature_names_out(self, input_features=None):
        return self.feature_names_in_

    def _known(self, column):
        values = column.to_numpy(dtype="float64", na_value=np.nan)
        known = values[~np.isnan(values)]
        return known if len(known) else np.zeros(1)
