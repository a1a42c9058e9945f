"""Checks of linear models, boosters, networks and clusterings."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from bank_models.runs.model_checks import catboost_json, network
from bank_models.runs.model_checks.attributes import (
    classes_of,
    columns_of,
    fitted,
    is_array,
    is_classifier,
    is_finite,
    is_integer,
    name_of,
)
from bank_models.runs.model_checks.fault import need

POINTS = {
    "DBSCANClustering": ("components_", "component_labels_"),
    "HierarchicalClustering": ("representatives_", "representative_labels_"),
    "KMeansClustering": ("cluster_centers_",),
}
BOOSTERS = {
    "LGBMClassifier": "lightgbm.basic.Booster", "LGBMRegressor": "lightgbm.basic.Booster",
    "XGBClassifier": "xgboost.core.Booster", "XGBRegressor": "xgboost.core.Booster",
}  # fmt: skip
WORD = re.compile(r"[\w:.+-]{0,100}", re.ASCII)
OBJECTIVES = ("binary", "binary:logistic", "multi:softprob", "multiclass", "quantile", "reg:quantileerror", "reg:squarederror",
              "regression", "regression_l1")  # fmt: skip
TEXTS = {  # what decides how the compiled libraries score may only be told so
    "booster": ("gbtree",), "boosting_type": ("gbdt",), "device": ("cpu",), "multi_strategy": ("one_output_per_tree",),
    "objective": OBJECTIVES, "tree_method": ("hist",),
}  # fmt: skip
OTHERS = {  # settings without an attribute of their own
    "alpha", "cat_l2", "cat_smooth", "deterministic", "extra_trees", "feature_pre_filter", "force_row_wise", "max_bin",
    "max_cat_to_onehot", "metric", "min_data_per_group", "monotone_constraints", "quantile_alpha", "verbose",
}  # fmt: skip
RESULTS = {"_best_score", "_class_map", "_classes", "_evals_result", "_le", "evals_result_"}  # that no library is told


def check_linear(one: Any) -> None:
    if (found := fitted(one, "coef_", "intercept_")) is None:
        return
    coefficients, intercepts = found[0], np.asarray(found[1])
    if is_classifier(one):
        n_lines = 1 if classes_of(one) == 2 else classes_of(one)
        is_fine = is_finite(coefficients, n_lines, columns_of(one)) and intercepts.shape in ((n_lines,), ())
    else:
        is_fine = is_finite(coefficients, columns_of(one)) and intercepts.shape == ()
    need(is_fine and intercepts.dtype.kind in "if" and np.isfinite(intercepts).all(), "a line has unusual coefficients")


def check_dummy(one: Any) -> None:
    if (found := fitted(one, "n_outputs_")) is None:
        return
    need(found == [1], "a constant has several outputs")
    if is_classifier(one):
        need(one.n_classes_ == classes_of(one) and is_finite(one.class_prior_, classes_of(one)), "a constant has other classes")
    else:
        need(is_finite(one.constant_, 1, 1), "a constant is no number")


def check_boosted(one: Any) -> None:
    """XGBoost and LightGBM are told every setting as text; the booster itself was read before it was made."""
    booster = vars(one).get("_Booster")
    need(booster is None or name_of(type(booster)) == BOOSTERS[type(one).__name__], "a booster is of an unusual type")
    for name, value in vars(one).items():
        if name in ("_other_params", "kwargs"):
            need(isinstance(value, dict) and set(value) <= OTHERS, "a booster has an unusual setting")
            need(all(_is_setting(other, one) for other, one in value.items()), "a booster has an unusual setting")
        elif value is not booster and name not in RESULTS:
            need(_is_setting(name, value), f"a booster has an unusual {name[:40]}")
    for name in ("n_classes_", "_n_classes"):
        n = vars(one).get(name)
        need(n is None or (is_integer(n) and -1 <= n < 10_000), "a booster has an unusual number of classes")


def _is_setting(name: str, value: Any) -> bool:
    if isinstance(value, list | tuple):
        return all(_is_setting(name, one) and not isinstance(one, list | tuple) for one in value)
    if isinstance(value, str):
        return WORD.fullmatch(value) is not None and value in TEXTS.get(name, (value,))
    return value is None or isinstance(value, bool | int | float | np.number)


def check_network(one: Any) -> None:
    if (found := fitted(one, "architecture_", "state_", "is_category_")) is None:
        return
    architecture, state, is_category = found
    network.check(architecture, state)
    need(isinstance(is_category, list) and all(type(flag) is bool for flag in is_category), "a network has unusual columns")
    need(len(is_category) == columns_of(one), "a network has two numbers of columns")
    need(sum(is_category) == len(architecture["cardinalities"]), "a network has two numbers of categories")
    need(len(is_category) - sum(is_category) == architecture["n_numeric"], "a network has two numbers of columns")
    need(architecture["n_outputs"] == classes_of(one), "a network has other outputs than classes")
    scale = () if is_classifier(one) else (one.y_mean_, one.y_std_)
    need(all(isinstance(value, float) and np.isfinite(value) for value in scale), "a network has an unusual scale")


def check_catboost(one: Any) -> None:
    if (found := fitted(one, "trees_", "is_category_")) is None:
        return
    text, is_category = found
    need(type(text) is bytes, "a booster has no text")
    need(isinstance(is_category, list) and all(type(flag) is bool for flag in is_category), "a booster has unusual columns")
    need(len(is_category) == columns_of(one), "a booster has two numbers of columns")
    n_classes = classes_of(one)
    catboost_json.check(text, len(is_category), sum(is_category), 1 if n_classes == 2 else n_classes)


def check_clustering(one: Any) -> None:
    if (found := fitted(one, *POINTS[type(one).__name__])) is None:
        return
    need(is_finite(found[0], None, columns_of(one)) and len(found[0]) > 0, "clusters have unusual points")
    for labels in found[1:]:
        need(is_array(labels, len(found[0]), kinds="i") and (labels >= 0).all(), "clusters have unusual labels")
