"""Trees of scikit-learn, XGBoost and LightGBM as one ONNX node, which compares in float64 as they do."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from bank_models.export.graph import ML, Graph

AT_MOST, BELOW, MEMBER = 0, 1, 6  # how a node of ONNX compares
LEAF = -1
NO_CODE = -2.0  # that no category has


@dataclass(frozen=True)
class Tree:
    """A tree as arrays over its nodes; the first is the root.

    Attributes
    ----------
    left, right : ndarray of int
        -1 in leaves. A row goes left if its value is at most the threshold, below it (XGBoost), or among the members.
    feature, threshold : ndarray
    missing_left : ndarray of bool
        Where a missing value goes.
    value : ndarray of float
        Of leaves.
    members : dict of int to list of float
        Of nodes that ask for a category: its codes.
    target : int
        Which output the tree adds to.
    """

    left: np.ndarray
    right: np.ndarray
    feature: np.ndarray
    threshold: np.ndarray
    missing_left: np.ndarray
    value: np.ndarray
    members: dict[int, list[float]] = field(default_factory=dict)
    target: int = 0


def add_trees(graph: Graph, matrix: str, trees: list[Tree], n_targets: int, comparison: int = AT_MOST) -> str:
    """Add the sum of trees, of shape (n_rows, n_targets).

    Parameters
    ----------
    graph : Graph
    matrix : str
    trees : list of Tree
    n_targets : int
    comparison : int
        `AT_MOST` or `BELOW`.
    """
    trees = [tree if tree.left[0] != LEAF else _split(tree) for tree in trees]
    is_inner = [tree.left != LEAF for tree in trees]
    starts = np.cumsum([0, *(inner.sum() for inner in is_inner)])
    starts_of_leaves = np.cumsum([0, *((~inner).sum() for inner in is_inner)])
    sides = {"true": "left", "false": "right"}
    attributes: dict[str, Any] = {"tree_roots": starts[:-1].tolist()}
    for side, name in sides.items():
        found = [_children(getattr(tree, name), *at) for tree, *at in zip(trees, is_inner, starts, starts_of_leaves)]  # noqa: B905
        attributes[f"nodes_{side}nodeids"] = np.concatenate([ids for ids, _ in found]).tolist()
        attributes[f"nodes_{side}leafs"] = np.concatenate([leaf for _, leaf in found]).tolist()
    pairs = list(zip(trees, is_inner, strict=True))
    targets = [np.full((~inner).sum(), tree.target) for tree, inner in pairs]
    return graph.add(
        "TreeEnsemble", matrix, domain=ML, n_targets=n_targets, aggregate_function=1, post_transform=0,
        nodes_featureids=_of_nodes(pairs, "feature").astype(int).tolist(),
        nodes_splits=_tensor(_of_nodes(pairs, "threshold").astype("float64")),
        nodes_missing_value_tracks_true=_of_nodes(pairs, "missing_left").astype(int).tolist(),
        leaf_targetids=np.concatenate(targets).astype(int).tolist(),
        leaf_weights=_tensor(np.concatenate([tree.value[~inner] for tree, inner in pairs]).astype("float64")),
        **attributes, **_comparisons(pairs, comparison),
    )  # fmt: skip


def _split(tree: Tree) -> Tree:
    """A tree of one leaf as two that are the same."""
    child, none = np.array([1, LEAF, LEAF]), np.zeros(3)
    return Tree(child, np.array([2, LEAF, LEAF]), none, none, none, np.repeat(tree.value[:1], 3), target=tree.target)


def _children(child: np.ndarray, is_inner: np.ndarray, start: int, start_of_leaves: int) -> tuple[np.ndarray, np.ndarray]:
    """Number of the child of each inner node, among all inner nodes or all leaves, and whether it is a leaf."""
    number = np.where(is_inner, start + np.cumsum(is_inner) - 1, start_of_leaves + np.cumsum(~is_inner) - 1)
    of_inner = child[is_inner]
    return number[of_inner], (~is_inner[of_inner]).astype(int)


def _of_nodes(pairs: list[tuple[Tree, np.ndarray]], name: str) -> np.ndarray:
    return np.concatenate([getattr(tree, name)[inner] for tree, inner in pairs])


def _comparisons(pairs: list[tuple[Tree, np.ndarray]], comparison: int) -> dict[str, Any]:
    """How each node compares, and the members of all nodes that ask for them, each ended by nan."""
    modes, members = [], []
    for tree, inner in pairs:
        for node in np.flatnonzero(inner):
            modes.append(MEMBER if node in tree.members else comparison)
            members += [*tree.members[node], np.nan] if node in tree.members else []
    found = {"nodes_modes": _tensor(np.array(modes, dtype="uint8"))}
    return found | ({"membership_values": _tensor(np.array(members, dtype="float64"))} if members else {})


def _tensor(values: np.ndarray) -> Any:
    from onnx import numpy_helper

    return numpy_helper.from_array(values)


def of_scikit_learn(tree: Any, value: np.ndarray, target: int = 0) -> Tree:
    """A fitted `tree_`, with what it gives in each node."""
    missing = np.asarray(tree.missing_go_to_left).astype(bool)
    return Tree(tree.children_left, tree.children_right, tree.feature, tree.threshold, missing, value, target=target)


def of_histograms(estimator: Any) -> list[Tree]:
    """Trees of HistGradientBoosting, which puts the columns of categories first and numbers their values anew."""
    is_category = estimator.is_categorical_
    n_columns = estimator.n_features_in_
    place = np.arange(n_columns) if is_category is None else np.argsort(~np.asarray(is_category), kind="stable")
    codes = [] if is_category is None else estimator._preprocessor.named_transformers_["encoder"].categories_
    return [_of_histogram(tree, place, codes, target) for one in estimator._predictors for target, tree in enumerate(one)]


def _of_histogram(tree: Any, place: np.ndarray, codes: list[np.ndarray], target: int) -> Tree:
    """Values that fitting did not see go where missing ones go, so members are those that go the other way."""
    nodes, is_inner = tree.nodes, tree.nodes["is_leaf"] == 0
    left, right = (np.where(is_inner, nodes[side].astype("int64"), LEAF) for side in ("left", "right"))
    missing_left, members = nodes["missing_go_to_left"].astype(bool), {}
    for node in np.flatnonzero(is_inner & (nodes["is_categorical"] == 1)):
        known = codes[nodes["feature_idx"][node]]
        bits = tree.raw_left_cat_bitsets[nodes["bitset_idx"][node]]
        goes_left = np.array([bits[value // 32] >> (value % 32) & 1 for value in range(len(known))], dtype=bool)
        if missing_left[node]:
            left[node], right[node], goes_left = right[node], left[node], ~goes_left
        members[int(node)] = [float(code) for code in known[goes_left] if not np.isnan(code)] or [NO_CODE]
        missing_left[node] = False
    threshold = np.where(nodes["is_categorical"] == 1, 0.0, nodes["num_threshold"])
    return Tree(left, right, place[nodes["feature_idx"]], threshold, missing_left, nodes["value"], members, target)


def of_xgboost(booster: Any) -> tuple[list[Tree], np.ndarray]:
    """Trees of a booster, and what it begins with for each output, before the link."""
    learner = json.loads(booster.save_raw("json"))["learner"]
    model, facts = learner["gradient_booster"]["model"], learner["learner_model_param"]
    start = np.atleast_1d(np.asarray(json.loads(facts["base_score"]), dtype="float64"))
    trees = [_xgboost_tree(tree, target) for tree, target in zip(model["trees"], model["tree_info"], strict=True)]
    return trees, start


def _xgboost_tree(tree: dict[str, Any], target: int) -> Tree:
    """Members go right in XGBoost, all others left."""
    left, right = np.array(tree["left_children"]), np.array(tree["right_children"])
    threshold = np.array(tree["split_conditions"], dtype="float32").astype("float64")
    ends = zip(tree["categories_nodes"], tree["categories_segments"], tree["categories_sizes"], strict=True)
    members = {node: tree["categories"][first : first + size] for node, first, size in ends}
    is_member = np.isin(np.arange(len(left)), list(members))
    missing_left = np.array(tree["default_left"], dtype=bool) ^ is_member
    sides = np.where(is_member, right, left), np.where(is_member, left, right)
    return Tree(*sides, np.array(tree["split_indices"]), threshold, missing_left, threshold, members, target)


def of_lightgbm(booster: Any) -> list[Tree]:
    """Trees of a booster."""
    facts = booster.dump_model()
    n_outputs = facts["num_tree_per_iteration"]
    return [_lightgbm_tree(one["tree_structure"], i % n_outputs) for i, one in enumerate(facts["tree_info"])]


def _lightgbm_tree(root: dict[str, Any], target: int) -> Tree:
    nodes, at, children, members = [root], 0, [], {}
    while at < len(nodes):
        node, is_inner = nodes[at], "split_feature" in nodes[at]
        children.append((len(nodes), len(nodes) + 1) if is_inner else (LEAF, LEAF))
        nodes += [node["left_child"], node["right_child"]] if is_inner else []
        if node.get("decision_type") == "==":
            members[at] = [int(code) for code in str(node["threshold"]).split("||")]
        at += 1
    feature = np.array([node.get("split_feature", 0) for node in nodes])
    threshold = np.array([0.0 if i in members else float(node.get("threshold", 0.0)) for i, node in enumerate(nodes)])
    missing_left = np.array([_goes_left(node) for node in nodes])
    value = np.array([node.get("leaf_value", 0.0) for node in nodes], dtype="float64")
    return Tree(*np.array(children).T, feature, threshold, missing_left, value, members, target)


def _goes_left(node: dict[str, Any]) -> bool:
    """Where LightGBM sends a missing value: of a category right; where fitting saw none, to where 0 goes."""
    if node.get("decision_type", "==") == "==":
        return False
    return node["default_left"] if node["missing_type"] == "NaN" else float(node["threshold"]) >= 0
