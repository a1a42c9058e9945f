"""Transformer of an extension, inside the pipeline: what it gives is checked, and each output has its column."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin, clone

from bank_models.errors import TrainingError
from bank_models.features.transformers.matrix import MatrixColumn


class OwnColumns(TransformerMixin, BaseEstimator):
    """Columns as a transformer of an extension gives them.

    Parameters
    ----------
    name : str
        In messages.
    transformer : object
        Of scikit-learn's kind, unfitted.
    keeps_order : bool
        See `bank_models.extensions.features.Transformer`.
    dtype : {"float32", "float64"}
        Of the output.
    """

    def __init__(self, name: str, transformer: Any, keeps_order: bool = False, dtype: str = "float32"):
        self.name = name
        self.transformer = transformer
        self.keeps_order = keeps_order
        self.dtype = dtype

    def fit(self, X, y=None):
        self.fit_transform(X, y)
        return self

    def fit_transform(self, X, y=None):
        """Fit, and transform as the transformer does with the rows that it learns from."""
        self.feature_names_in_ = np.asarray(X.columns, dtype=object)
        self.n_features_in_ = X.shape[1]
        self.transformer_ = clone(self.transformer)
        values = self.transformer_.fit_transform(X.copy(), y)
        names = [str(name) for name in self.transformer_.get_feature_names_out()]
        self.names_, self.sources_ = names, [self._source(name) for name in names]
        if self.keeps_order and self.sources_ != list(self.feature_names_in_):
            raise TrainingError(f"{self.name} keeps order, so it must give one column for each that it takes, in their order.")
        return self._checked(values, len(X))

    def transform(self, X):
        return self._checked(self.transformer_.transform(X.copy()), len(X))

    def get_feature_names_out(self, input_features=None):
        return np.asarray(self.names_, dtype=object)

    def columns(self) -> list[MatrixColumn]:
        """What stands in the output, column by column."""
        pairs = zip(self.names_, self.sources_, strict=True)
        return [MatrixColumn(name, source, is_value=self.keeps_order) for name, source in pairs]

    def _source(self, name: str) -> str:
        known = [one for one in self.feature_names_in_ if name == one or name.startswith(f"{one}_")]
        if not known:
            raise TrainingError(
                f"{self.name} gives a column {name}, whose name begins with none of those that it takes: "
                f"{', '.join(self.feature_names_in_)}.\nReasons could not say where it comes from."
            )
        return str(max(known, key=len))

    def _checked(self, values: Any, n_rows: int) -> np.ndarray:
        found = values.to_numpy() if isinstance(values, pd.DataFrame) else np.asarray(values)
        wanted = (n_rows, len(self.names_))
        if found.shape != wanted or found.dtype.kind not in "biuf":
            raise TrainingError(
                f"{self.name} must give numbers of shape {wanted}, but gave {found.dtype} of shape {found.shape}."
            )
        return found.astype(self.dtype)
