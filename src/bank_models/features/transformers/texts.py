"""Text features: TF-IDF terms and truncated SVD."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy import sparse
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from threadpoolctl import threadpool_limits

from bank_models.errors import DataError
from bank_models.features.transformers.matrix import MatrixColumn

MIN_TEXT_ROWS = 5  # rows a term must stand in: rarer ones teach nothing and may name a person
MAX_TERMS = 20_000


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


def _texts(column: pd.Series) -> np.ndarray:
    return column.astype(object).where(column.notna(), "").to_numpy()


def _without_address(vectorizer: TfidfVectorizer) -> TfidfVectorizer:
    """Drop the memory address that scikit-learn remembers of the stop words: equal models would not be saved as equal bytes."""
    vars(vectorizer).pop("_stop_words_id", None)
    return vectorizer
