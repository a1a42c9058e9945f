"""Check of CatBoost's JSON: its reader believes every number of a split, and every size of a table."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

from bank_models.models.catboost.text import DEEPEST, as_text, columns_of_splits
from bank_models.runs.model_checks.attributes import MOST_CLASSES
from bank_models.runs.model_checks.fault import need

PARTS = {"features_info", "oblivious_trees", "scale_and_bias"}
COLUMNS = ("float_features", "categorical_features")
COLUMN = {"feature_id", "feature_index", "flat_feature_index"}
NUMBER = {*COLUMN, "borders", "has_nans", "nan_value_treatment"}
STATISTIC = {
    "borders", "ctr_type", "elements", "identifier", "prior_denomerator", "prior_numerator", "scale", "shift",
    "target_border_idx",
}  # fmt: skip
TABLE = {"counter_denominator", "hash_map", "hash_stride"}
ELEMENTS = {  # what a combination of categories may be made of
    "cat_feature_value": {"cat_feature_index"},
    "float_feature": {"float_feature_index", "border"},
    "cat_feature_exact_value": {"cat_feature_index", "value"},
}
MOST_ELEMENTS = 32
HASH = re.compile(r"\d{1,20}", re.ASCII)
INT32, UINT64 = 2**31, 2**64
FLOAT32 = 3.5e38


def check(text: bytes, n_columns: int, n_categories: int, n_outputs: int) -> None:
    """Refuse a booster that training cannot have written.

    Parameters
    ----------
    text : bytes
        Of `bank_models.models.catboost.text.written`.
    n_columns, n_categories : int
        Of the matrix, and those among them that hold codes.
    n_outputs : int
        Values of a leaf.

    Raises
    ------
    Malformed
    """
    facts = json.loads(text)
    need(isinstance(facts, dict) and as_text(facts) == text, "a booster is not written as CatBoost's are here")
    need(PARTS <= set(facts) <= {*PARTS, "ctr_data"}, "a booster has other parts than CatBoost writes")
    scale, bias = _list(facts["scale_and_bias"], 2)
    need(scale == 1 and len(_numbers(bias)) in (0, 1, n_outputs), "a booster has an unusual scale")
    info = facts["features_info"]
    need(isinstance(info, dict) and set(info) <= {*COLUMNS, "ctrs"}, "a booster has other columns")
    numbers, categories = (_list(info.get(name, [])) for name in COLUMNS)
    need((len(numbers), len(categories)) == (n_columns - n_categories, n_categories), "a booster has other columns")
    _check_columns(numbers, categories)
    _check_statistics(info, facts.get("ctr_data") or {})
    _check_trees(_list(facts["oblivious_trees"]), len(columns_of_splits(info)), n_outputs)


def _check_columns(numbers: list, categories: list) -> None:
    for i, one in enumerate(numbers):
        _keys(one, NUMBER)
        _check_place(one, i, i)
        _check_borders(one["borders"])
        need(type(one["has_nans"]) is bool, "a booster has an unusual column")
        need(one["nan_value_treatment"] in ("AsIs", "AsFalse", "AsTrue"), "a booster has an unusual column")
    for i, one in enumerate(categories):
        _keys(one, COLUMN | ({"values"} & set(one)))
        _check_place(one, i, len(numbers) + i)
        values = _list(one.get("values", []))
        need(all(_is_integer(value, -INT32, INT32) for value in values), "a booster has an unusual category")
        need(len(set(values)) == len(values), "a booster has a category twice")


def _check_place(one: Mapping[str, Any], index: int, flat: int) -> None:
    need(one["feature_index"] == index and one["flat_feature_index"] == flat, "a booster has a column out of place")
    need(one["feature_id"] == "", "a booster has a column with a name")


def _check_borders(borders: Any) -> None:
    found = _numbers(borders)
    need(all(low < high for low, high in pairwise(found)), "the borders of a column do not rise")


def _check_statistics(info: Mapping[str, Any], tables: Any) -> None:
    need(isinstance(tables, dict), "a booster has unusual tables")
    n_classes, statistics = {key: _classes_of(key, table) for key, table in tables.items()}, _list(info.get("ctrs", []))
    for one in statistics:
        _keys(one, STATISTIC)
        _check_borders(one["borders"])
        need(all(_is_number(one[name]) for name in STATISTIC if name.startswith(("prior", "s"))), "a statistic has no prior")
        elements = _list(one["elements"])
        need(0 < len(elements) <= MOST_ELEMENTS, "a statistic is of nothing")
        for element in elements:
            _check_element(element, info)
        key = one["identifier"]
        need(isinstance(key, str) and key in n_classes, "a statistic has no table")
        of_table = {"identifier": elements, "type": one["ctr_type"]}
        need(json.loads(key, object_pairs_hook=_once) == of_table, "a statistic has another table")
        need(_is_integer(one["target_border_idx"], 0, max(1, n_classes[key] - 1)), "a statistic is of no class")
    need({one["identifier"] for one in statistics} == set(tables), "a table is of no statistic")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    need(len(dict(pairs)) == len(pairs), "a statistic is told twice what it is of")
    return dict(pairs)


def _check_element(element: Any, info: Mapping[str, Any]) -> None:
    need(isinstance(element, dict) and element.get("combination_element") in ELEMENTS, "a statistic is of an unusual column")
    kind = element["combination_element"]
    _keys(element, {"combination_element", *ELEMENTS[kind]})
    is_number = kind == "float_feature"
    columns = info.get("float_features" if is_number else "categorical_features", [])
    at = element["float_feature_index" if is_number else "cat_feature_index"]
    need(_is_integer(at, 0, len(columns)), "a statistic is of a column that there is not")
    known = {"float_feature": ("border", "borders"), "cat_feature_exact_value": ("value", "values")}.get(kind)
    need(known is None or element[known[0]] in columns[at].get(known[1], ()), "a statistic is of an unknown value")


def _classes_of(key: str, table: Any) -> int:
    """Classes that a table counts; 0 of one that counts rows."""
    _keys(table, TABLE)
    stride, cells = table["hash_stride"], _list(table["hash_map"])
    need(_is_integer(table["counter_denominator"], 0, INT32), "a table counts an unusual number of rows")
    is_count = key.endswith('"type":"Counter"}')
    need(is_count or key.endswith('"type":"Borders"}'), "a table is of an unusual kind")
    need(stride == 2 if is_count else _is_integer(stride, 3, MOST_CLASSES), "a table has unusual rows")
    need(len(cells) > 0 and len(cells) % stride == 0, "a table is not as large as it says")
    hashes = cells[::stride]
    known = all(isinstance(one, str) and HASH.fullmatch(one) and int(one) < UINT64 for one in hashes)
    need(known and len(set(hashes)) == len(hashes), "a table has an unusual category")
    counts = (one for i, one in enumerate(cells) if i % stride)
    need(all(_is_integer(one, 0, INT32) for one in counts), "a table counts an unusual number of rows")
    return 0 if is_count else stride - 1


def _check_trees(trees: list, n_splits: int, n_outputs: int) -> None:
    need(len(trees) > 0, "a booster has no trees")
    for tree in trees:
        _keys(tree, {"leaf_values", "leaf_weights", "splits"})
        splits = _list(tree["splits"])
        need(len(splits) <= DEEPEST, f"a tree has more than {DEEPEST} levels")
        for split in splits:
            _keys(split, {"split_index"})
            need(_is_integer(split["split_index"], 0, n_splits), "a tree splits by what there is not")
        need(len(_numbers(tree["leaf_values"], most=1e300)) == n_outputs << len(splits), "a tree has other leaves than splits")
        weights = _numbers(tree["leaf_weights"], most=1e300)
        need(len(weights) == 1 << len(splits) and min(weights) >= 0, "a tree has other leaves than splits")


def _keys(value: Any, wanted: set[str]) -> None:
    need(isinstance(value, dict) and set(value) == wanted, "a booster has other parts than CatBoost writes")


def _list(value: Any, length: int | None = None) -> list:
    need(isinstance(value, list) and length in (None, len(value)), "a booster has other parts than CatBoost writes")
    return value


def _numbers(value: Any, most: float = FLOAT32) -> list:
    need(all(_is_number(one, most) for one in _list(value)), "a booster holds what is no number")
    return value


def _is_number(value: Any, most: float = FLOAT32) -> bool:
    return type(value) in (int, float) and math.isfinite(value) and abs(value) <= most


def _is_integer(value: Any, least: int, end: int) -> bool:
    return type(value) is int and least <= value < end
