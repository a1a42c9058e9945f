"""Preprocessing: from columns to a matrix. What it learns, it learns inside the fold that fits it."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import PowerTransformer, QuantileTransformer, StandardScaler

from bank_models.extensions.features import TRANSFORMERS
from bank_models.features.transformers.categories import CategoryEncoder
from bank_models.features.transformers.dates import DateParts
from bank_models.features.transformers.matrix import MatrixColumn, NoColumns
from bank_models.features.transformers.numbers import AsNumbers
from bank_models.features.transformers.own import OwnColumns
from bank_models.features.transformers.texts import TextTerms

if TYPE_CHECKING:
    from bank_models.config.feature import Feature
    from bank_models.config.transform import Transform

N_TEXT_COMPONENTS = 32
# a column without a value in the rows of an early fold has no median there; the imputer leaves it out of that fold
warnings.filterwarnings("ignore", message="Skipping features without any observed values", category=UserWarning)


def columns_by_kind(features: Mapping[str, Feature]) -> tuple[list[str], list[str]]:
    """Names of the numeric columns and of the categories, in declared order."""
    numeric = [name for name, feature in features.items() if feature.type in ("float", "int", "bool")]
    return numeric, _of_type("category", features)


def make_features(
    features: Mapping[str, Feature],
    imputer: str | None,
    scaler: str | None,
    encoder: str,
    random_state: int = 0,
    takes_sparse: bool | None = None,
    flags_missing: bool = True,
    transforms: Mapping[str, Transform] | None = None,
) -> ColumnTransformer | NoColumns:
    """Build the unfitted step that turns a table into a matrix: numeric columns, parts of dates, categories, text.

    Fit it with the target, `fit_transform(X, y)`: categories with more than 50 values are encoded by it.

    Parameters
    ----------
    features : mapping of str to Feature
        Columns to use; others are ignored.
    imputer : {"median", None}
        None leaves missing values to the estimator. "median" adds a column of 0 and 1 for what was missing, unless
        `flags_missing` says no.
    scaler : {"standard", "power", "quantile", None}
        "power" makes skewed columns more normal before it standardises them (Yeo & Johnson 2000, Biometrika 87, 954-959).
        "quantile" gives every number the normal value of its rank, then standardises, for flags and heaped values do not
        become normal. Parts of dates, mean targets and directions of texts are standardised, whichever it is.
    encoder : {"native", "ordinal", "one_hot"}
        "native" and "ordinal" give codes; a value that was not seen in fitting is missing for the one, -1 for the other.
        "ordinal" and "one_hot" encode a column of more than 50 values by its mean target.
    random_state : int
        Of the quantiles' subsample, the folds of the mean targets and the directions of the texts.
    takes_sparse : bool, optional
        Whether the estimator takes a sparse matrix; None means that it does where categories are "one_hot". Text is
        sparse TF-IDF then, and otherwise 32 dense directions of it; without text the matrix is always dense.
    flags_missing : bool
        False for distances: scaled, the flag of a rare gap lies many standard deviations off and would decide alone.
    transforms : mapping of str to Transform, optional
        Transformers of extensions, and the columns that they take in place of all this.

    Returns
    -------
    ColumnTransformer
        Or `NoColumns`, where there are no features.
    """
    if not features:
        return NoColumns()
    own = transforms or {}
    taken = {column for one in own.values() for column in one.columns}
    usual = {name: feature for name, feature in features.items() if name not in taken}
    numeric, categories = columns_by_kind(usual)
    dates, texts = _of_type("date", usual), _of_type("text", usual)
    is_sparse = encoder == "one_hot" if takes_sparse is None else takes_sparse
    dtype = "float64" if scaler else "float32"
    impute = [("imputer", SimpleImputer(strategy=imputer, add_indicator=flags_missing))] if imputer else []
    scale = [("scaler", _make_scaler(scaler, random_state))] if scaler else []
    transformers = []
    if numeric:
        transformers.append(("number", Pipeline([("numbers", AsNumbers(dtype)), *impute, *scale]), numeric))
    if dates:
        transformers.append(("date", _make_date_step(imputer, scaler, encoder == "one_hot", dtype, flags_missing), dates))
    if categories:
        transformers.append(("category", CategoryEncoder(encoder, scaler is not None, random_state), categories))
    if texts:
        terms = TextTerms(None if is_sparse else N_TEXT_COMPONENTS, random_state=random_state)
        standardise = [("scaler", StandardScaler())] if scaler and not is_sparse else []
        transformers.append(("text", Pipeline([("terms", terms), *standardise]), texts))
    for name, one in own.items():
        transformers.append((f"own_{name}", _make_own_step(name, one, imputer, scaler, dtype), one.columns))
    threshold = 1.0 if texts and is_sparse else 0.0
    return ColumnTransformer(transformers, sparse_threshold=threshold, verbose_feature_names_out=False)


def matrix_columns(step: ColumnTransformer | NoColumns) -> list[MatrixColumn]:
    """Name, source and meaning of every column of the matrix.

    Parameters
    ----------
    step : ColumnTransformer
        Of `make_features`, fitted.

    Returns
    -------
    list of MatrixColumn, in the order of the matrix
    """
    found = []
    for kind, fitted, names in step.transformers_:
        if kind == "number":
            found += _number_columns(fitted, names)
        elif kind != "remainder":
            found += (fitted if kind == "category" else fitted[0]).columns()
    return found


def matrix_facts(
    step: ColumnTransformer | NoColumns, features: Mapping[str, Feature]
) -> tuple[list[str], list[bool], list[int]]:
    """What an estimator may be told of the matrix.

    Parameters
    ----------
    step : ColumnTransformer
        Of `make_features`, fitted.
    features : mapping of str to Feature
        Those it was made for.

    Returns
    -------
    names : list of str of length n_columns
    is_category : list of bool of length n_columns
        Whether a column holds codes without an order.
    monotone : list of {-1, 0, 1} of length n_columns
        Declared direction; 0 for columns that are not the feature's own values.
    """
    columns = matrix_columns(step)
    monotone = [features[column.feature].monotone if column.is_value else 0 for column in columns]
    return [column.name for column in columns], [column.is_category for column in columns], monotone


def _of_type(kind: str, features: Mapping[str, Feature]) -> list[str]:
    return [name for name, feature in features.items() if feature.type == kind]


def _make_scaler(scaler: str, random_state: int):
    if scaler == "quantile":
        ranks = QuantileTransformer(n_quantiles=200, output_distribution="normal", subsample=50_000, random_state=random_state)
        return Pipeline([("ranks", ranks), ("standard", StandardScaler())])
    return {"standard": StandardScaler, "power": PowerTransformer}[scaler]()


def _make_date_step(imputer: str | None, scaler: str | None, is_linear: bool, dtype: str, flags_missing: bool) -> Pipeline:
    steps = [("parts", DateParts(is_linear, flags_missing and imputer is not None, dtype))]
    if imputer:
        steps.append(("imputer", SimpleImputer(strategy=imputer, keep_empty_features=True)))
    if scaler:
        steps.append(("scaler", StandardScaler()))
    return Pipeline(steps)


def _make_own_step(name: str, one: Transform, imputer: str | None, scaler: str | None, dtype: str) -> Pipeline:
    declared = TRANSFORMERS[name]
    steps = [("own", OwnColumns(name, declared.make(**one.params), declared.keeps_order, dtype))]
    if imputer:
        steps.append(("imputer", SimpleImputer(strategy=imputer, keep_empty_features=True)))
    if scaler:
        steps.append(("scaler", StandardScaler()))
    return Pipeline(steps)


def _number_columns(fitted: Pipeline, names: list[str]) -> list[MatrixColumn]:
    imputer = fitted.named_steps.get("imputer")
    if imputer is None:
        return [MatrixColumn(name, name, is_value=True) for name in names]
    kept = [name for name, median in zip(names, imputer.statistics_, strict=True) if not np.isnan(median)]
    flagged = [names[i] for i in imputer.indicator_.features_] if imputer.add_indicator else []
    values = [MatrixColumn(name, name, is_value=True) for name in kept]
    return [*values, *(MatrixColumn(f"{name}=(missing)", name) for name in flagged)]
