"""Checks of fitted transformers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from bank_models.runs.model_checks.attributes import columns_of, fitted, is_array, is_finite, is_integer
from bank_models.runs.model_checks.fault import need

DTYPES = ("float32", "float64")
VECTORIZER = {  # what the vectorizer of texts is always told; told otherwise it opens files, or searches for ever
    "analyzer": "word", "binary": False, "decode_error": "strict", "encoding": "utf-8", "input": "content", "lowercase": True,
    "ngram_range": (1, 2), "norm": "l2", "preprocessor": None, "stop_words": None, "strip_accents": None, "tokenizer": None,
    "token_pattern": r"(?u)\b\w\w+\b", "use_idf": True, "vocabulary": None,
}  # fmt: skip
KEYWORDS = {"dtype", "ensure_all_finite"}


def check_one_hot(one: Any) -> None:
    """Codes become positions in a sparse matrix, into which compiled code writes."""
    if (found := fitted(one, "categories_", "_n_features_outs", "_infrequent_enabled")) is None:
        return
    _check_categories(one)
    categories, n_outs, has_rare = found
    n_columns = len(categories)
    need(one.drop is None and one._drop_idx_after_grouping is None, "an encoder leaves categories out")
    codes = one._default_to_infrequent_mappings if has_rare else [None] * n_columns
    rare = one._infrequent_indices if has_rare else [None] * n_columns
    for values in (n_outs, codes, rare):
        need(isinstance(values, list) and len(values) == n_columns, "an encoder has other columns")
    for values, *of_column in zip(categories, n_outs, codes, rare, strict=True):
        _check_codes(len(values), *of_column)


def _check_codes(n_values: int, n_out: Any, codes: Any, rare: Any) -> None:
    need((codes is None) == (rare is None) and is_integer(n_out), "an encoder has no rare categories")
    if rare is None:
        need(n_out == n_values, "an encoder has other codes than categories")
        return
    need(is_array(rare, None, kinds="i") and 0 < len(rare) <= n_values, "an encoder has no rare categories")
    need(
        n_out == n_values - len(rare) + 1 and is_array(codes, n_values, kinds="i"), "an encoder has other codes than categories"
    )
    need(((rare >= 0) & (rare < n_values)).all() and ((codes >= 0) & (codes < n_out)).all(), "a code is out of range")


def check_categories(one: Any) -> None:
    if fitted(one, "categories_") is not None:
        _check_categories(one)


def _check_categories(one: Any) -> None:
    categories = one.categories_
    need(isinstance(categories, list) and len(categories) == columns_of(one), "an encoder has other columns")
    need(all(is_array(values, None, kinds="iufOSU") for values in categories), "an encoder has no categories")


def check_mean_targets(one: Any) -> None:
    if (found := fitted(one, "categories_", "encodings_", "target_mean_", "target_type_")) is None:
        return
    _check_categories(one)
    categories, encodings, mean, kind = found
    n_classes = len(one.classes_) if kind == "multiclass" else 1
    need(isinstance(encodings, list) and len(encodings) == n_classes * len(categories), "an encoder has other columns")
    need(np.size(mean) == n_classes and np.isfinite(mean).all(), "an encoder has no mean")
    for i, means in enumerate(encodings):
        need(is_finite(means, len(categories[i // n_classes])), "an encoder has other means than categories")


def check_vectorizer(one: Any) -> None:
    """Terms become positions in a sparse matrix, which compiled code sorts and multiplies."""
    for name, value in VECTORIZER.items():
        need(vars(one).get(name) == value, f"a vectorizer has an unusual {name}")
    need(one.dtype is np.float64, "a vectorizer has an unusual dtype")
    if (found := fitted(one, "vocabulary_", "_tfidf")) is None:
        return
    vocabulary, weights = found
    need(isinstance(vocabulary, dict) and len(vocabulary) > 0, "a vectorizer has no terms")
    positions = list(vocabulary.values())
    need(all(map(is_integer, positions)) and sorted(positions) == list(range(len(positions))), "a term is out of range")
    need(
        type(weights).__name__ == "TfidfTransformer" and is_finite(weights.idf_, len(positions)),
        "a vectorizer has other weights",
    )


def check_terms(one: Any) -> None:
    """Terms stay sparse, or become few directions: a dense column for each term would not fit into the memory."""
    if (found := fitted(one, "vectorizers_", "directions_")) is None:
        return
    need(all(isinstance(values, list) and len(values) == columns_of(one) for values in found), "texts have other columns")
    for vectorizer, directions in zip(*found, strict=True):
        need(type(vectorizer).__name__ == "TfidfVectorizer", "a vectorizer is none")
        n_terms = len(vectorizer.vocabulary_)
        if directions is None:
            need(one.n_components is None or n_terms <= one.n_components, "texts have no directions")
        else:
            need(type(directions).__name__ == "TruncatedSVD", "directions are none")
            need(is_finite(directions.components_, one.n_components, n_terms), "texts have other directions than terms")


def check_scaler(one: Any) -> None:
    for name in ("mean_", "scale_", "var_"):
        value = vars(one).get(name)
        need(value is None or is_array(value, columns_of(one)), f"a scaler has an unusual {name}")


def check_power(one: Any) -> None:
    if (found := fitted(one, "lambdas_")) is not None:
        need(is_array(found[0], columns_of(one)) and one.method == "yeo-johnson", "a scaler has unusual powers")


def check_quantiles(one: Any) -> None:
    if (found := fitted(one, "quantiles_", "references_")) is not None:
        quantiles, references = found
        need(
            is_array(references, None) and is_array(quantiles, len(references), columns_of(one)),
            "a scaler has unusual quantiles",
        )


def check_imputer(one: Any) -> None:
    if (found := fitted(one, "statistics_")) is not None:
        need(is_array(found[0], columns_of(one)), "an imputer has other columns")


def check_indicator(one: Any) -> None:
    if (found := fitted(one, "features_")) is not None:
        (positions,), n_columns = found, columns_of(one)
        need(is_array(positions, None, kinds="i") and len(positions) <= n_columns, "an indicator has other columns")
        need(((positions >= 0) & (positions < n_columns)).all(), "an indicator has other columns")


def check_function(one: Any) -> None:
    """scikit-learn's histogram boosting sends numbers through its check of arrays; nothing else calls a function."""
    func = one.func
    need(one.inverse_func is None and not one.kw_args and not one.inv_kw_args, "a function is given unusual arguments")
    need(func is None or set(func.keywords) <= KEYWORDS, "a function is given unusual arguments")


def check_dtype(one: Any) -> None:
    """Numbers stay numbers: as texts of a fixed width they would not fit into the memory."""
    need(one.dtype in DTYPES, f"a {type(one).__name__} has an unusual dtype")


def check_own(one: Any) -> None:
    """Columns of an extension have a name and a source each; what its own code reads of it, that code must check."""
    check_dtype(one)
    if (found := fitted(one, "names_", "sources_")) is not None:
        names, sources = found
        need(all(isinstance(values, list) and all(map(_is_text, values)) for values in found), "columns have no names")
        need(len(names) == len(sources) and set(sources) <= set(one.feature_names_in_), "columns have other sources")


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def check_columns(one: Any) -> None:
    """A ColumnTransformer gives no column to two steps, so its matrix grows with the table only."""
    need(one.remainder in ("drop", "passthrough"), "a step takes the other columns")
    steps = vars(one).get("transformers_", [])
    need(isinstance(steps, list) and all(isinstance(step, tuple) and len(step) == 3 for step in steps), "a step is none")
    need(all(not isinstance(step, str) or step in ("drop", "passthrough") for _, step, _ in steps), "a step is none")
    for columns in (_taken(steps), _taken([(None, None, columns) for columns in vars(one).get("_columns", [])])):
        taken = list(columns)
        need(len(set(taken)) == len(taken), "a column goes to two steps")


def _taken(steps: list[tuple]) -> Iterator[str | int]:
    """Every column that a step takes, by name or position."""
    for _, _, columns in steps:
        is_mask = isinstance(columns, list) and len(columns) > 0 and all(isinstance(one, bool) for one in columns)
        if is_mask or is_array(columns, None, kinds="b"):
            yield from np.flatnonzero(columns).tolist()
        else:
            is_fine = isinstance(columns, list) and all(isinstance(one, str) or is_integer(one) for one in columns)
            need(is_fine, "a step takes unusual columns")
            yield from columns
