"""Checks of scikit-learn's trees, which compiled code follows unchecked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from bank_models.runs.model_checks.attributes import (
    check_kind,
    classes_of,
    columns_of,
    fitted,
    is_array,
    is_classifier,
    is_finite,
)
from bank_models.runs.model_checks.fault import need
from bank_models.runs.model_checks.trees import check_features, check_trees

CATEGORY_CODES = 256  # of histograms: a set of categories is a set of bits


def check_forest(forest: Any) -> None:
    """Trees of the forest's columns and classes, as many of which are added up as it says."""
    if (found := fitted(forest, "estimators_", "n_outputs_")) is None:
        return
    trees, n_outputs = found
    need(isinstance(trees, list) and len(trees) > 0 and n_outputs == 1, "a forest has no trees, or several outputs")
    _check_classes(forest)
    kind = "ExtraTree" if type(forest).__name__.startswith("Extra") else "DecisionTree"
    kind += "Classifier" if is_classifier(forest) else "Regressor"
    _check_decision_trees(trees, kind, columns_of(forest), classes_of(forest))


def check_tree(tree: Any) -> None:
    """A tree that stands for itself."""
    if fitted(tree, "tree_", "n_outputs_", "n_features_in_") is not None:
        _check_decision_trees([tree], type(tree).__name__, columns_of(tree), classes_of(tree))


def check_votes(one: Any) -> None:
    """Trees of which each may have seen some of the columns and classes, which scikit-learn puts in their places."""
    if (found := fitted(one, "estimators_")) is None:
        return
    kind = "DecisionTreeClassifier" if is_classifier(one) else "DecisionTreeRegressor"
    need(isinstance(found[0], list) and len(found[0]) > 0, f"a {type(one).__name__} has no trees")
    for tree in found[0]:
        check_kind(tree, kind)
        check_tree(tree)


def check_gradient_boosting(one: Any) -> None:
    """The trees of every round write into as many columns as there are."""
    if (found := fitted(one, "estimators_", "n_trees_per_iteration_", "init_")) is None:
        return
    rounds, n_trees, start = found
    _check_classes(one)
    need(
        n_trees == _trees_of_a_round(one) and is_array(rounds, None, n_trees, kinds="O"), "a round has other trees than classes"
    )
    need(len(rounds) > 0, "there are no rounds")
    need(
        type(start).__name__ == ("DummyClassifier" if is_classifier(one) else "DummyRegressor"), "boosting has an unusual start"
    )
    need(classes_of(start) == classes_of(one), "boosting starts with other classes")
    _check_decision_trees(list(rounds.ravel()), "DecisionTreeRegressor", columns_of(one), 1)


def check_histograms(one: Any, check: Callable[[Any], None]) -> None:
    """The trees of every round write into as many columns as there are; categories are positions of bits.

    Parameters
    ----------
    one : estimator
    check : callable
        Refuses an encoder that training cannot have made, before it is asked: `bank_models.runs.model_checks.objects.check`.
    """
    if (found := fitted(one, "_predictors", "n_trees_per_iteration_", "_bin_mapper", "_baseline_prediction")) is None:
        return
    rounds, n_trees, mapper, start = found
    need(n_trees == _trees_of_a_round(one) and isinstance(rounds, list) and len(rounds) > 0, "there are no rounds")
    need(all(isinstance(trees, list) and len(trees) == n_trees for trees in rounds), "a round has other trees than classes")
    need(is_finite(start, 1, n_trees), "boosting has an unusual start")
    n_features = _check_bins(mapper)
    need(columns_of(one) == n_features == one._n_features, "boosting has two numbers of columns")
    _check_encoder(one._preprocessor, n_features, check)
    _check_predictors([tree for trees in rounds for tree in trees], mapper.is_categorical_ == 1)


def _check_classes(one: Any) -> None:
    need(not is_classifier(one) or one.n_classes_ == classes_of(one), f"a {type(one).__name__} has two numbers of classes")


def _trees_of_a_round(one: Any) -> int:
    return 1 if classes_of(one) == 2 else classes_of(one)


def _check_decision_trees(trees: list[Any], kind: str, n_features: int, n_classes: int) -> None:
    for tree in trees:
        need(type(tree).__name__ == kind and tree.n_outputs_ == 1, "a tree is of another kind than its model")
        need(columns_of(tree) == tree.tree_.n_features == n_features, "a tree has other columns than its model")
        need(classes_of(tree) == tree.tree_.max_n_classes == n_classes, "a tree has other classes than its model")
        _check_classes(tree)
    states = [tree.tree_.__getstate__() for tree in trees]
    nodes = np.concatenate([state["nodes"] for state in states])
    is_split = nodes["left_child"] != -1
    need((is_split == (nodes["right_child"] != -1)).all(), "a node has one child")
    check_trees(nodes["left_child"], nodes["right_child"], is_split, [len(state["nodes"]) for state in states])
    check_features(nodes["feature"][is_split], n_features)
    need(not np.isnan(nodes["threshold"][is_split]).any(), "a split is at no number")
    need(np.isfinite(np.concatenate([state["values"].ravel() for state in states])).all(), "a leaf holds no number")


def _check_bins(mapper: Any) -> int:
    """Number of columns; each category becomes the position of a bit."""
    is_categorical, thresholds = mapper.is_categorical_, mapper.bin_thresholds_
    need(is_array(is_categorical, None, kinds="u") and is_categorical.dtype == np.uint8, "bins have unusual columns")
    need((is_categorical <= 1).all(), "bins have unusual columns")
    need(isinstance(thresholds, list) and len(thresholds) == len(is_categorical), "bins have other columns than they say")
    need(all(is_array(values, None, kinds="f") for values in thresholds), "bins have no thresholds")
    for i in np.flatnonzero(is_categorical):
        need(((thresholds[i] >= 0) & (thresholds[i] < CATEGORY_CODES)).all(), "a category is out of range")
    return len(is_categorical)


def _check_encoder(encoder: Any, n_features: int, check: Callable[[Any], None]) -> None:
    """Where categories are encoded first, the matrix of the trees is what the encoder gives: ask it."""
    if encoder is None:
        return
    need(type(encoder).__name__ == "ColumnTransformer" and columns_of(encoder) == n_features, "boosting has an unusual encoder")
    check(encoder)
    given = encoder.transform(np.zeros((1, n_features)))
    need(is_array(given, 1, n_features, kinds="f"), "boosting has other columns than its encoder")


def _check_predictors(trees: list[Any], is_categorical: np.ndarray) -> None:
    nodes, sizes = _nodes_of(trees)
    for flag in ("is_leaf", "is_categorical", "missing_go_to_left"):
        need((nodes[flag] <= 1).all(), "a node is of an unusual kind")
    is_split = nodes["is_leaf"] == 0
    check_trees(nodes["left"], nodes["right"], is_split, sizes)
    check_features(nodes["feature_idx"][is_split], len(is_categorical))
    need(np.isfinite(nodes["value"][~is_split]).all(), "a leaf holds no number")
    by_set = is_split & (nodes["is_categorical"] == 1)
    n_sets = np.repeat([_sets_of(tree) for tree in trees], sizes)
    need((nodes["bitset_idx"] < n_sets)[by_set].all(), "a split has categories that there are not")
    need(is_categorical[nodes["feature_idx"][by_set]].all(), "a split has categories of a number")


def _nodes_of(trees: list[Any]) -> tuple[np.ndarray, list[int]]:
    from sklearn.ensemble._hist_gradient_boosting.common import PREDICTOR_RECORD_DTYPE

    for tree in trees:
        need(
            type(tree).__name__ == "TreePredictor" and is_array(tree.nodes, None, kinds="V"),
            "a round has something that is no tree",
        )
        need(tree.nodes.dtype == PREDICTOR_RECORD_DTYPE, "the nodes of a tree are of an unusual form")
    return np.concatenate([tree.nodes for tree in trees]), [len(tree.nodes) for tree in trees]


def _sets_of(tree: Any) -> int:
    """Number of sets of categories of a tree."""
    sets = tree.raw_left_cat_bitsets
    need(is_array(sets, None, CATEGORY_CODES // 32, kinds="u") and sets.dtype == np.uint32, "a tree has unusual categories")
    need(sets.flags.c_contiguous, "a tree has unusual categories")
    return len(sets)
