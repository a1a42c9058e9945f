"""From columns to the matrix an estimator takes. Everything learned here is learned inside the fold that fits it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, PowerTransformer, StandardScaler

if TYPE_CHECKING:
    from src.use_case import Feature

SCALERS = {"standard": StandardScaler, "power": PowerTransformer}
MAX_ONE_HOT = 50  # rarer categories of a column share one indicator


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


def columns_by_kind(features: Mapping[str, Feature]) -> tuple[list[str], list[str]]:
    """Names of the numeric columns and of the categories: the order of the matrix."""
    categories = [name for name, feature in features.items() if feature.type == "category"]
    return [name for name in features if name not in categories], categories


def make_features(features: Mapping[str, Feature], imputer: str | None, scaler: str | None, encoder: str) -> ColumnTransformer:
    """Build the unfitted step that turns a table into a matrix: numeric columns first, then categories.

    Parameters
    ----------
    features : mapping of str to Feature
        Columns to use; others are ignored.
    imputer : {"median", None}
        None leaves missing values to the estimator. "median" adds a column of 0 and 1 for what was missing.
    scaler : {"standard", "power", None}
        "power" makes skewed columns more normal before it standardises them (Yeo & Johnson 2000, Biometrika 87, 954-959).
    encoder : {"native", "ordinal", "one_hot"}
        "native" and "ordinal" give codes; a value that was not seen in fitting is missing for the one, -1 for the other.

    Returns
    -------
    ColumnTransformer
    """
    numeric, categories = columns_by_kind(features)
    steps = [("numbers", AsNumbers(dtype="float64" if scaler else "float32"))]
    if imputer:
        steps.append(("imputer", SimpleImputer(strategy=imputer, add_indicator=True)))
    if scaler:
        steps.append(("scaler", SCALERS[scaler]()))
    transformers = [("number", Pipeline(steps), numeric)] if numeric else []
    if categories:
        transformers.append(("category", _make_encoder(encoder), categories))
    return ColumnTransformer(transformers, sparse_threshold=0.0, verbose_feature_names_out=False)


def _make_encoder(encoder: str):
    if encoder == "one_hot":
        return OneHotEncoder(handle_unknown="infrequent_if_exist", max_categories=MAX_ONE_HOT, sparse_output=False)
    unknown = np.nan if encoder == "native" else -1
    return OrdinalEncoder(
        handle_unknown="use_encoded_value", unknown_value=unknown, encoded_missing_value=unknown, dtype=np.float32
    )
