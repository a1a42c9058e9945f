"""Check of XGBoost's binary format."""

from __future__ import annotations

import json
import math
import re
from typing import Any

import numpy as np

from bank_models.runs.model_checks import ubjson
from bank_models.runs.model_checks.fault import need
from bank_models.runs.model_checks.trees import check_features, check_trees

VERSION = 3  # of XGBoost; its older formats are converted by code that believes them
OBJECTIVES = ("binary:logistic", "multi:softprob", "reg:squarederror", "reg:quantileerror")
UPDATERS = ("grow_quantile_histmaker", "grow_gpu_hist", "prune", "refresh", "sync")
ATTRIBUTES = {"best_iteration", "best_score", "scikit_learn"}
MOST_THREADS = 1024
MOST_CLASSES = 10_000
TEXT = re.compile(r"[\w\s.,:;()\[\]{}\"'+-]*")
LEARNER = {"attributes", "feature_names", "feature_types", "gradient_booster", "learner_model_param", "objective"}
CONFIG = {"generic_param", "gradient_booster", "learner_model_param", "learner_train_param", "metrics", "objective"}
NODE_ARRAYS = {  # name and kind of numpy's type of what every node has
    "base_weights": "f", "default_left": "iu", "left_children": "i", "loss_changes": "f", "parents": "i", "right_children": "i",
    "split_conditions": "f", "split_indices": "i", "split_type": "iu", "sum_hessian": "f",
}  # fmt: skip
CATEGORY_ARRAYS = ("categories", "categories_nodes", "categories_segments", "categories_sizes")
TREE = {*NODE_ARRAYS, *CATEGORY_ARRAYS, "id", "tree_param"}
BYTES_OF_CATEGORIES = 64 * 2**20  # XGBoost keeps a bit for every category up to the largest, for each split …
TIMES_THE_FILE = 256  # … which may be this many times the file
NO_PARENT = (-1, 2**31 - 1)


def check_state(state: Any) -> None:
    """Refuse what a booster is restored from unless training could have written it.

    Parameters
    ----------
    state : dict
        Of `xgboost.Booster`: its `handle`, the bytes.

    Raises
    ------
    Malformed
    """
    need(isinstance(state, dict) and set(state) == {"handle"}, "a booster has an unusual state")
    need(isinstance(state["handle"], bytearray), "a booster has no bytes")
    data = bytes(state["handle"])
    found = ubjson.parse(data)
    need(isinstance(found, dict) and set(found) == {"Config", "Model"}, "a booster has other parts than XGBoost writes")
    for part in found.values():
        need(set(part) == {"learner", "version"}, "a booster has other parts than XGBoost writes")
        need(_integers(part["version"]) == 3 and part["version"][0] == VERSION, f"a booster is not of XGBoost {VERSION}")
    model, config = found["Model"]["learner"], found["Config"]["learner"]
    check_model(model, len(data))
    check_config(config, model)


def check_model(learner: dict[str, Any], size: int) -> None:
    """Trees, objective and attributes of a booster whose bytes have a size."""
    need(set(learner) == LEARNER, "a booster has other parts than XGBoost writes")
    _check_attributes(learner["attributes"])
    booster, param = learner["gradient_booster"], learner["learner_model_param"]
    need(set(booster) == {"model", "name"} and booster["name"] == "gbtree", "a booster is not one of trees")
    n_features, n_classes = _number(param["num_feature"]), _number(param["num_class"])
    need(0 <= n_classes <= MOST_CLASSES and _number(param["num_target"]) == 1, "a booster has an unusual number of classes")
    need(
        set(param) == {"base_score", "boost_from_average", "num_class", "num_feature", "num_target"},
        "a booster has other parameters",
    )
    need(_number(param["boost_from_average"]) in (0, 1), "a booster has other parameters")
    _check_base_score(param["base_score"], max(n_classes, 1))
    _check_objective(learner["objective"], n_classes)
    for name in ("feature_names", "feature_types"):
        texts = learner[name]
        need(isinstance(texts, list) and len(texts) in (0, n_features), "a booster has other columns than it says")
        need(all(isinstance(text, str) and TEXT.fullmatch(text) for text in texts), "a booster has columns of unusual names")
    need(set(learner["feature_types"]) <= {"c", "q", "i", "float", "int"}, "a booster has columns of unusual types")
    _check_gbtree(booster["model"], n_features, max(n_classes, 1), size)
    best = _number(learner["attributes"].get("best_iteration", "0"))
    need(0 <= best < max(len(booster["model"]["iteration_indptr"]) - 1, 1), "a booster has no such best round")


def check_config(config: dict[str, Any], model: dict[str, Any]) -> None:
    """How a booster was set: as its model says, with threads that a machine can have."""
    need(set(config) == CONFIG, "a booster has other settings than XGBoost writes")
    _check_plain(config)
    generic, booster, train = config["generic_param"], config["gradient_booster"], config["learner_train_param"]
    need(generic["device"] == "cpu", "a booster is not set to score on the CPU")
    threads = [_number(generic[name]) for name in ("n_jobs", "nthread") if name in generic]
    need(all(-1 <= n <= MOST_THREADS for n in threads), "a booster asks for an unusual number of threads")
    need(config["objective"] == model["objective"], "a booster has two objectives")
    need(config["learner_model_param"] == model["learner_model_param"], "a booster has two numbers of columns or classes")
    need(booster["name"] == train["booster"] == "gbtree", "a booster is not one of trees")
    need(train["objective"] == model["objective"]["name"], "a booster has two objectives")
    need(train["multi_strategy"] == "one_output_per_tree", "a booster has trees of several outputs")
    need(booster["gbtree_train_param"]["process_type"] == "default", "a booster has an unusual setting")
    need(booster["gbtree_model_param"] == model["gradient_booster"]["model"]["gbtree_model_param"], "a booster has two sizes")
    need(all(updater["name"] in UPDATERS for updater in booster["updater"]), "a booster has an unusual setting")


def _check_plain(value: Any) -> None:
    if isinstance(value, dict):
        for one in value.values():
            _check_plain(one)
    elif isinstance(value, list):
        for one in value:
            _check_plain(one)
    else:
        is_plain = isinstance(value, bool | int | float | np.ndarray) or value is None
        need(is_plain or TEXT.fullmatch(value) is not None, "a booster has an unusual setting")


def _number(text: Any) -> int:
    need(isinstance(text, str) and re.fullmatch(r"-?\d{1,10}", text) is not None, "a booster has a text for a number")
    return int(text)


def _integers(value: Any) -> int:
    """How many integers a list or an array has."""
    is_array = isinstance(value, np.ndarray) and value.dtype.kind in "iu"
    need(
        is_array or (isinstance(value, list) and all(type(one) is int for one in value)),
        "a booster has other values than integers",
    )
    return len(value)


def _check_attributes(attributes: Any) -> None:
    need(isinstance(attributes, dict) and set(attributes) <= ATTRIBUTES, "a booster has unusual attributes")
    need(
        all(isinstance(value, str) and TEXT.fullmatch(value) for value in attributes.values()),
        "a booster has unusual attributes",
    )


def _check_base_score(text: Any, n_groups: int) -> None:
    need(isinstance(text, str) and len(text) < 32 * (n_groups + 1), "a booster has an unusual base score")
    scores = json.loads(text)
    scores = scores if isinstance(scores, list) else [scores]
    need(len(scores) in (1, n_groups), "a booster has an unusual base score")
    need(
        all(isinstance(score, float | int) and math.isfinite(score) for score in scores), "a booster has an unusual base score"
    )


def _check_objective(objective: Any, n_classes: int) -> None:
    need(isinstance(objective, dict) and objective.get("name") in OBJECTIVES, "a booster has an unusual objective")
    params = [value for name, value in objective.items() if name != "name"]
    need(all(isinstance(value, dict) for value in params), "a booster has an unusual objective")
    for param in params:
        _check_plain(param)
        need("num_class" not in param or _number(param["num_class"]) == n_classes, "a booster has two numbers of classes")
    is_multiclass = objective["name"] == "multi:softprob"
    need((n_classes > 1) == is_multiclass, "a booster has an unusual number of classes")


def _check_gbtree(model: Any, n_features: int, n_groups: int, size: int) -> None:
    need(
        set(model) == {"cats", "gbtree_model_param", "iteration_indptr", "tree_info", "trees"},
        "a booster has other parts than XGBoost writes",
    )
    need(
        set(model["gbtree_model_param"]) == {"num_parallel_tree", "num_trees"}, "a booster has other parts than XGBoost writes"
    )
    trees, groups, rounds = model["trees"], np.asarray(model["tree_info"]), np.asarray(model["iteration_indptr"])
    need(
        _integers(model["tree_info"]) == len(trees) == _number(model["gbtree_model_param"]["num_trees"]),
        "a booster has other trees than it says",
    )
    need(1 <= _number(model["gbtree_model_param"]["num_parallel_tree"]) <= MOST_THREADS, "a booster has an unusual round")
    need(((groups >= 0) & (groups < n_groups)).all(), "a tree is of no class")
    need(
        _integers(model["iteration_indptr"]) > 0 and rounds[0] == 0 and rounds[-1] == len(trees),
        "a booster has other rounds than trees",
    )
    need((np.diff(rounds) > 0).all(), "a booster has a round without trees")
    need(set(model["cats"]) == {"enc", "feature_segments", "sorted_idx"}, "a booster has other parts than XGBoost writes")
    need(
        all(isinstance(part, list | np.ndarray) and len(part) == 0 for part in model["cats"].values()),
        "a booster has encoded categories",
    )
    if trees:
        _check_tree_arrays(trees, n_features, size)


def _check_tree_arrays(trees: list[Any], n_features: int, size: int) -> None:
    need(all(isinstance(tree, dict) and set(tree) == TREE for tree in trees), "a tree has other parts than XGBoost writes")
    sizes = np.array([_tree_size(i, tree, n_features) for i, tree in enumerate(trees)])
    for name, kinds in NODE_ARRAYS.items():
        need(all(_is_array(tree[name], kinds) for tree in trees), f"a tree has unusual {name}")
        need(all(len(tree[name]) == n for tree, n in zip(trees, sizes, strict=True)), f"a tree has other {name} than nodes")
    arrays = {name: np.concatenate([tree[name] for tree in trees]) for name in NODE_ARRAYS}
    left, right = arrays["left_children"], arrays["right_children"]
    is_split = left != -1
    need(((right == -1) == ~is_split).all(), "a node has one child")
    check_trees(left, right, is_split, sizes)
    check_features(arrays["split_indices"], n_features)
    need(np.isfinite(arrays["split_conditions"][~is_split]).all(), "a leaf holds no number")
    need(np.isin(arrays["default_left"], (0, 1)).all(), "a node has an unusual direction")
    _check_parents(arrays, is_split, sizes)
    _check_categories(trees, arrays["split_type"], is_split, sizes, size)


def _is_array(value: Any, kinds: str) -> bool:
    return isinstance(value, np.ndarray) and value.dtype.kind in kinds


def _tree_size(i: int, tree: dict[str, Any], n_features: int) -> int:
    param = tree["tree_param"]
    need(
        isinstance(param, dict) and set(param) == {"num_deleted", "num_feature", "num_nodes", "size_leaf_vector"},
        "a tree has other parts",
    )
    need(type(tree["id"]) is int and tree["id"] == i, "a tree has an unusual number")
    need(
        _number(param["num_feature"]) == n_features and _number(param["num_deleted"]) == 0,
        "a tree has other columns than its booster",
    )
    need(_number(param["size_leaf_vector"]) in (0, 1), "a tree has several outputs")
    return _number(param["num_nodes"])


def _check_parents(arrays: dict[str, np.ndarray], is_split: np.ndarray, sizes: np.ndarray) -> None:
    first = np.repeat(np.cumsum(sizes) - sizes, sizes)
    own = np.arange(len(is_split)) - first
    for side in ("left_children", "right_children"):
        children = (first + arrays[side])[is_split]
        need((arrays["parents"][children] == own[is_split]).all(), "a node has another parent than it says")
    need(np.isin(arrays["parents"][own == 0], NO_PARENT).all(), "a root has a parent")


def _check_categories(trees, split_type: np.ndarray, is_split: np.ndarray, sizes: np.ndarray, size: int) -> None:
    need(np.isin(split_type, (0, 1)).all(), "a node splits in an unusual way")
    need(all(_is_array(tree[name], "i") for tree in trees for name in CATEGORY_ARRAYS), "a tree has unusual categories")
    roots = np.cumsum(sizes) - sizes
    nodes = np.concatenate([tree["categories_nodes"] + root for tree, root in zip(trees, roots, strict=True)])
    need(np.array_equal(nodes, np.flatnonzero((split_type == 1) & is_split)), "a split has other categories than it says")
    n_bits = 0
    for tree in trees:
        if len(tree["categories_nodes"]) or len(tree["categories"]):
            n_bits += _bits_of_categories(*(tree[name] for name in CATEGORY_ARRAYS))
        else:
            need(not len(tree["categories_segments"]) and not len(tree["categories_sizes"]), "a tree has unusual categories")
    need(n_bits / 8 <= max(BYTES_OF_CATEGORIES, TIMES_THE_FILE * size), "a tree has unusual categories")


def _bits_of_categories(categories, nodes, segments, sizes) -> int:
    need(len(nodes) == len(segments) == len(sizes) > 0, "a tree has unusual categories")
    need((sizes > 0).all() and np.array_equal(segments, np.cumsum(sizes) - sizes), "a tree has unusual categories")
    need(sizes.sum() == len(categories) and (categories >= 0).all(), "a tree has unusual categories")
    return int(np.maximum.reduceat(categories, segments).astype(np.int64).sum()) + len(nodes)
