"""Columns of one kind to numbers: plain values, dates, categories, texts. Each learns only from the rows it is fitted on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import sparse
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.model_selection import KFold, StratifiedKFold
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler, TargetEncoder
from threadpoolctl import threadpool_limits

from src.errors import DataError

MAX_ONE_HOT = 50  # columns with more values than this, a missing one included, are encoded by their mean target
N_ENCODING_FOLDS = 5
MIN_TEXT_ROWS = 5  # rows a term must stand in: rarer ones teach nothing and may name a person
MAX_TERMS = 20_000
DATE_PARTS = ("year", "month", "day", "weekday", "day_of_year", "is_month_end", "days_since_1970")
DATE_CYCLES = ("year_sin", "year_cos", "week_sin", "week_cos")


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


class DateParts(TransformerMixin, BaseEstimator):
    """Dates as numbers: year, month, day of month, weekday (Monday is 0), day of year, whether a month ends, and days.

    Days count from 1970-01-01 rather than from the first training date: nothing is learned, so no fold can differ.

    Parameters
    ----------
    is_linear : bool
        For models that see only straight lines: adds sine and cosine of the year and of the week.
    flags_missing : bool
        For models that cannot see a missing value: a column of 0 and 1 for each date that lacks values in fitting.
    dtype : {"float32", "float64"}
        Of the output.
    """

    def __init__(self, is_linear: bool = False, flags_missing: bool = False, dtype: str = "float32"):
        self.is_linear = is_linear
        self.flags_missing = flags_missing
        self.dtype = dtype

    def fit(self, X, y=None):
        self.n_features_in_ = X.shape[1]
        self.feature_names_in_ = np.asarray(X.columns, dtype=object)
        self.has_indicator_ = X.isna().any().to_numpy() & self.flags_missing
        return self

    def transform(self, X):
        blocks = [self._parts(X.iloc[:, i], has) for i, has in enumerate(self.has_indicator_)]
        return np.column_stack(blocks).astype(self.dtype, copy=False)

    def get_feature_names_out(self, input_features=None):
        return np.asarray([column.name for column in self.columns()], dtype=object)

    def columns(self) -> list[MatrixColumn]:
        """What stands in the output, column by column."""
        parts = DATE_PARTS + (DATE_CYCLES if self.is_linear else ())
        found = []
        for name, has_indicator in zip(self.feature_names_in_, self.has_indicator_, strict=True):
            found += [MatrixColumn(f"{name}.{part}", name) for part in parts]
            found += [MatrixColumn(f"{name}=(missing)", name)] if has_indicator else []
        return found

    def _parts(self, column, has_indicator: bool) -> np.ndarray:
        dates = pd.to_datetime(column).dt
        day, weekday = dates.day_of_year, dates.day_of_week
        since_1970 = dates.as_unit("s").to_numpy().astype("datetime64[D]").astype("int64")
        parts = [dates.year, dates.month, dates.day, weekday, day, dates.is_month_end, since_1970]
        if self.is_linear:
            of_year, of_week = 2 * np.pi * (day - 1) / 365.25, 2 * np.pi * weekday / 7
            parts += [np.sin(of_year), np.cos(of_year), np.sin(of_week), np.cos(of_week)]
        missing = column.isna().to_numpy()
        values = np.column_stack([np.asarray(part, dtype=float) for part in parts])
        values[missing] = np.nan
        return np.column_stack([values, missing]) if has_indicator else values


class CategoryCodes(TransformerMixin, BaseEstimator):
    """Categories as the positions of their values in sorted order.

    scikit-learn's OrdinalEncoder gives the same numbers, but compares every cell as an object: it took half of the time in
    which a booster scores 100,000 rows of 45 columns.

    Parameters
    ----------
    unknown : float
        Code of a missing value and of one that was not seen in fitting.

    Attributes
    ----------
    categories_ : list of ndarray
        Values found in each column.
    """

    def __init__(self, unknown: float = -1.0):
        self.unknown = unknown

    def fit(self, X, y=None):
        self.n_features_in_ = X.shape[1]
        self.categories_ = [np.sort(X[name].dropna().unique().astype(object)) for name in X]
        return self

    def transform(self, X):
        columns = (X.iloc[:, i] for i in range(X.shape[1]))
        codes = [_codes(column, pd.Index(known)) for column, known in zip(columns, self.categories_, strict=True)]
        matrix = np.column_stack(codes).astype(np.float32)
        matrix[matrix < 0] = self.unknown
        return matrix


def _codes(column: pd.Series, known: pd.Index) -> np.ndarray:
    """Position of each value among the known ones, -1 where it is missing or not among them."""
    if not isinstance(column.dtype, pd.CategoricalDtype):
        return known.get_indexer(column.astype(object))
    of_category = known.get_indexer(column.cat.categories.astype(object))
    return np.append(of_category, -1)[column.cat.codes.to_numpy()]


class CategoryEncoder(TransformerMixin, BaseEstimator):
    """Categories as numbers: codes, or an indicator each, or the mean target of each where a column has too many.

    How a column is encoded is decided in fitting, by the number of values found there. `fit_transform` gives training
    rows a mean to which their own fold did not contribute; `transform` uses the means of all of them.

    Parameters
    ----------
    encoder : {"native", "ordinal", "one_hot"}
        See `src.features.make_features`. "native" gives codes however many there are.
    is_scaled : bool
        Standardise the mean targets, which may be tiny rates or large amounts; indicators stay 0 and 1.
    random_state : int
        Draws the folds of the mean targets.

    Attributes
    ----------
    few_, many_ : list of str
        Columns that are encoded one by one, and by their mean target. The output has them in this order.

    References
    ----------
    Micci-Barreca (2001), A preprocessing scheme for high-cardinality categorical attributes in classification and
    prediction problems, SIGKDD Explorations 3(1), 27-32.
    """

    def __init__(self, encoder: str = "one_hot", is_scaled: bool = False, random_state: int = 0):
        self.encoder = encoder
        self.is_scaled = is_scaled
        self.random_state = random_state

    def fit(self, X, y=None):
        self.fit_transform(X, y)
        return self

    def fit_transform(self, X, y=None):
        """Learn from rows and encode them.

        Parameters
        ----------
        X : DataFrame of shape (n_rows, n_categories)
        y : ndarray of shape (n_rows,), optional
            Classes as integers, or floats for a number to predict. Without it no column has a mean target: with "one_hot"
            the rarest values of a column then share one indicator.

        Returns
        -------
        ndarray of shape (n_rows, n_columns)
            float64 for "one_hot", else float32.
        """
        self.n_features_in_ = X.shape[1]
        is_encoded_by_target = self.encoder != "native" and y is not None
        target = _as_target(y) if is_encoded_by_target else None
        self.many_ = [name for name in X if is_encoded_by_target and X[name].nunique(dropna=False) > MAX_ONE_HOT]
        self.few_ = [name for name in X if name not in self.many_]
        self.each_ = _make_encoder(self.encoder) if self.few_ else None
        self.mean_ = _make_target_encoder(self.is_scaled, target, self.random_state) if self.many_ else None
        blocks = [self.each_.fit_transform(X[self.few_])] if self.few_ else []
        if self.many_:
            blocks.append(self.mean_.fit_transform(X[self.many_], target))
        return self._joined(blocks)

    def transform(self, X):
        blocks = [self.each_.transform(X[self.few_])] if self.few_ else []
        if self.many_:
            blocks.append(self.mean_.transform(X[self.many_]))
        return self._joined(blocks)

    def get_feature_names_out(self, input_features=None):
        return np.asarray([column.name for column in self.columns()], dtype=object)

    def columns(self) -> list[MatrixColumn]:
        """What stands in the output, column by column."""
        return [*self._columns_of_few(), *self._columns_of_many()]

    def seen(self) -> dict[str, list[str]]:
        """Values of each column that were found in fitting."""
        found = dict(zip(self.few_, self.each_.categories_ if self.few_ else (), strict=True))
        found |= dict(zip(self.many_, self.mean_.named_steps["mean"].categories_ if self.many_ else (), strict=True))
        return {name: [value for value in values if not pd.isna(value)] for name, values in found.items()}

    def _columns_of_few(self) -> list[MatrixColumn]:
        if self.encoder != "one_hot":
            return [MatrixColumn(name, name, is_category=True) for name in self.few_]
        found = []
        for i, name in enumerate(self.few_):
            rare = self.each_.infrequent_categories_[i]
            values = pd.Index(self.each_.categories_[i], dtype=object)
            frequent = values if rare is None else values[~values.isin(rare)]
            labels = ["(missing)" if pd.isna(value) else value for value in frequent]
            labels += [] if rare is None else ["(rare)"]
            found += [MatrixColumn(f"{name}={label}", name) for label in labels]
        return found

    def _columns_of_many(self) -> list[MatrixColumn]:
        if not self.many_:
            return []
        target = self.mean_.named_steps["mean"]
        classes = [f"={label}" for label in target.classes_] if target.target_type_ == "multiclass" else [""]
        return [MatrixColumn(f"{name}.mean_target{label}", name) for name in self.many_ for label in classes]

    def _joined(self, blocks) -> np.ndarray:
        dtype = "float64" if self.encoder == "one_hot" else "float32"
        return (blocks[0] if len(blocks) == 1 else np.hstack(blocks)).astype(dtype, copy=False)


class TextTerms(TransformerMixin, BaseEstimator):
    """Texts as weights of their words and pairs of words (TF-IDF with logarithmic counts); a missing text is empty.

    Parameters
    ----------
    n_components : int, optional
        None gives one sparse column a term. A number gives that many dense columns instead, the first singular directions
        of the terms (latent semantic analysis: Deerwester et al. 1990, JASIS 41(6), 391-407), where there are more terms.
    min_rows : int
        Rows of fitting that a term must stand in.
    max_terms : int
        The most frequent terms of each column that are kept.
    random_state : int
        Of the search for the singular directions.
    """

    def __init__(
        self,
        n_components: int | None = None,
        min_rows: int = MIN_TEXT_ROWS,
        max_terms: int = MAX_TERMS,
        random_state: int = 0,
    ):
        self.n_components = n_components
        self.min_rows = min_rows
        self.max_terms = max_terms
        self.random_state = random_state

    def fit(self, X, y=None):
        """Learn the terms of each column, and their directions.

        Raises
        ------
        DataError
            If no term of a column stands in `min_rows` rows.
        """
        self.n_features_in_ = X.shape[1]
        self.feature_names_in_ = np.asarray(X.columns, dtype=object)
        self.vectorizers_, self.directions_ = [], []
        for name in X:
            vectorizer = TfidfVectorizer(
                ngram_range=(1, 2), sublinear_tf=True, min_df=self.min_rows, max_features=self.max_terms
            )
            try:
                terms = vectorizer.fit_transform(_texts(X[name]))
            except ValueError as error:
                raise DataError(
                    f"{name}: no word stands in at least {self.min_rows} of {len(X):,} training rows.\n"
                    "Leave this text feature out, or bring more rows."
                ) from error
            self.vectorizers_.append(_without_address(vectorizer))
            self.directions_.append(self._fit_directions(terms))
        return self

    def transform(self, X):
        blocks = []
        for i, (vectorizer, directions) in enumerate(zip(self.vectorizers_, self.directions_, strict=True)):
            terms = vectorizer.transform(_texts(X.iloc[:, i]))
            _without_address(vectorizer)
            blocks.append(terms if directions is None else directions.transform(terms))
        if self.n_components is None:
            return sparse.hstack(blocks, format="csr")
        dense = [block.toarray() if sparse.issparse(block) else block for block in blocks]
        return np.hstack(dense).astype("float32")

    def get_feature_names_out(self, input_features=None):
        return np.asarray([column.name for column in self.columns()], dtype=object)

    def columns(self) -> list[MatrixColumn]:
        """What stands in the output, column by column."""
        found = []
        for name, vectorizer, directions in zip(self.feature_names_in_, self.vectorizers_, self.directions_, strict=True):
            terms = vectorizer.get_feature_names_out()
            labels = terms if directions is None else [f"component_{i + 1}" for i in range(len(directions.components_))]
            found += [MatrixColumn(f"{name}:{label}", name) for label in labels]
        return found

    def _fit_directions(self, terms) -> TruncatedSVD | None:
        if self.n_components is None or min(terms.shape) <= self.n_components:
            return None
        with threadpool_limits(1, "blas"):  # sums in another order would give other last bits
            return TruncatedSVD(self.n_components, random_state=self.random_state).fit(terms)


def _make_encoder(encoder: str):
    if encoder == "one_hot":
        return OneHotEncoder(handle_unknown="infrequent_if_exist", max_categories=MAX_ONE_HOT, sparse_output=False)
    return CategoryCodes(np.nan if encoder == "native" else -1.0)


def _make_target_encoder(is_scaled: bool, y: np.ndarray, random_state: int) -> Pipeline:
    is_number = y.dtype.kind == "f"  # scikit-learn would take whole numbers for classes
    counts = np.unique(y, return_counts=True)[1]
    split = KFold if is_number or counts.min() < N_ENCODING_FOLDS else StratifiedKFold
    folds = split(N_ENCODING_FOLDS, shuffle=True, random_state=random_state)
    mean = TargetEncoder(target_type="continuous" if is_number else "auto", cv=folds)
    return Pipeline([("mean", mean), *([("scaler", StandardScaler())] if is_scaled else [])])


def _as_target(y) -> np.ndarray:
    """scikit-learn's TargetEncoder takes no short integers."""
    y = np.asarray(y)
    return y.astype("float64" if y.dtype.kind == "f" else "int64", copy=False)


def _texts(column: pd.Series) -> np.ndarray:
    return column.astype(object).where(column.notna(), "").to_numpy()


def _without_address(vectorizer: TfidfVectorizer) -> TfidfVectorizer:
    """Drop the memory address that scikit-learn remembers of the stop words: equal models would not be saved as equal bytes."""
    vars(vectorizer).pop("_stop_words_id", None)
    return vectorizer
