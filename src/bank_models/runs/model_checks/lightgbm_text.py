"""Check of LightGBM's text format, whose parser trusts every count."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from bank_models.runs.model_checks.fault import need
from bank_models.runs.model_checks.trees import check_features, check_trees

TEXT = re.compile(r"[\n\x20-\x7e]*")
HEADER = ("version", "num_class", "num_tree_per_iteration", "label_index", "max_feature_idx", "objective", "feature_names",
          "monotone_constraints", "feature_infos", "tree_sizes")  # fmt: skip
MAY_LACK = {"monotone_constraints"}
OF_SPLITS = ("split_feature", "threshold", "decision_type", "left_child", "right_child")
NOTES_OF_SPLITS = ("split_gain", "internal_value", "internal_weight", "internal_count")
NOTES_OF_LEAVES = ("leaf_weight", "leaf_count")
KEYS = ("num_leaves", "num_cat", "split_feature", "split_gain", "threshold", "decision_type", "left_child", "right_child",
        "leaf_value", "leaf_weight", "leaf_count", "internal_value", "internal_weight", "internal_count", "cat_boundaries",
        "cat_threshold", "is_linear", "shrinkage")  # fmt: skip
OF_CATEGORIES = {"cat_boundaries", "cat_threshold"}
OBJECTIVE = re.compile(r"binary sigmoid:1|multiclass num_class:(\d+)|regression|regression_l1|quantile( alpha:[\d.]+)?")
INTEGERS = re.compile(r"(-?\d{1,10}( -?\d{1,10})*)?")
NUMBER = r"-?(inf|[\d.]+(e[+-]\d{1,3})?)"  # the split of missing values from all others is at inf
NUMBERS = re.compile(rf"({NUMBER}( {NUMBER})*)?")
NOTES = re.compile(r"([-+.\dein f]*[\dnf])?")  # numbers that scoring does not look at
PATTERNS = {"leaf_value": NUMBERS, "threshold": NUMBERS}
WORDS = re.compile(r"\d{1,10}( \d{1,10})*")
CATEGORICAL, DEFAULT_LEFT = 1, 2  # bits of a decision, followed by two that say what is missing
DECISIONS = [bits | (missing << 2) for bits in range(4) for missing in range(3)]
MOST_CLASSES = 10_000
END = "end of trees\n"
PLAIN = (bool, int, float, str, type(None))


def check_state(state: Any) -> None:
    """Refuse what a booster is restored from unless training could have written it.

    Parameters
    ----------
    state : dict
        Of `lightgbm.Booster`: its `_handle`, the text, and plain values.

    Raises
    ------
    Malformed
    """
    need(isinstance(state, dict) and isinstance(state.get("_handle"), str) and "handle" not in state, "a booster has no text")
    _check_plain({name: value for name, value in state.items() if name != "_handle"})
    check_text(state["_handle"])


def check_text(text: str) -> None:
    """Refuse the text of a booster unless training could have written it.

    Raises
    ------
    Malformed
    """
    need(TEXT.fullmatch(text) is not None, "a booster holds unusual characters")
    head, mark, rest = text.partition("\n\n")
    need(mark == "\n\n", "a booster is cut short")
    header = _header(head)
    n_features = _number(header["max_feature_idx"]) + 1
    sizes = (
        [int(size) for size in header["tree_sizes"].split(" ")]
        if INTEGERS.fullmatch(header["tree_sizes"]) and header["tree_sizes"]
        else []
    )
    _check_header(header, n_features, len(sizes))
    need(all(size > 0 for size in sizes), "a booster has a tree of no size")
    ends = np.cumsum(sizes, dtype=np.int64).tolist()
    need(rest[sum(sizes) :].startswith(END), "a booster has other trees than it says")
    trees = [_tree(i, rest[end - size : end]) for i, (size, end) in enumerate(zip(sizes, ends, strict=True))]
    if trees:
        _check_arrays(trees, n_features)


def _check_plain(value: Any, levels_left: int = 6) -> None:
    need(levels_left > 0, "a booster has an unusual state")
    if isinstance(value, dict):
        for one in value.values():
            _check_plain(one, levels_left - 1)
    elif isinstance(value, list | tuple):
        for one in value:
            _check_plain(one, levels_left - 1)
    else:
        need(isinstance(value, (*PLAIN, np.number)), "a booster has an unusual state")


def _header(head: str) -> dict[str, str]:
    first, *lines = head.split("\n")
    need(first == "tree", "a booster has an unusual header")
    header = _values(lines)
    need([name for name in HEADER if name in header or name not in MAY_LACK] == list(header), "a booster has an unusual header")
    return header


def _values(lines: list[str]) -> dict[str, str]:
    pairs = [line.partition("=") for line in lines]
    found = {name: value for name, _, value in pairs}
    need(len(found) == len(pairs), "a booster says something twice")
    return found


def _check_header(header: dict[str, str], n_features: int, n_trees: int) -> None:
    need(header["version"] == "v4" and header["label_index"] == "0", "a booster has an unusual header")
    objective = OBJECTIVE.fullmatch(header["objective"])
    need(objective is not None, "a booster has an unusual objective")
    n_classes, per_round = _number(header["num_class"]), _number(header["num_tree_per_iteration"])
    need(1 <= n_classes == per_round <= MOST_CLASSES, "a booster has an unusual number of classes")
    need(int(objective[1] or 1) == n_classes, "a booster has two numbers of classes")
    need(n_trees % per_round == 0, "a booster has a round without trees")
    for name in ("feature_names", "feature_infos"):
        need(len(header[name].split(" ")) == n_features, "a booster has other columns than it says")
    directions = header.get("monotone_constraints")
    need(directions is None or _counted([directions], INTEGERS)[0] == n_features, "a booster has other columns than it says")


def _number(text: str) -> int:
    need(re.fullmatch(r"\d{1,9}", text) is not None, "a booster has a text for a number")
    return int(text)


def _tree(i: int, text: str) -> dict[str, str]:
    """Values of a tree, by name; each line is there, in order."""
    lines = text.split("\n")
    need(lines[0] == f"Tree={i}" and lines[-3:] == ["", "", ""], "a booster has other trees than it says")
    values = _values(lines[1:-3])
    keys = list(values)
    has_categories = values.get("num_cat") != "0"
    need(
        keys == [key for key in KEYS if has_categories or key not in OF_CATEGORIES],
        "a tree has other lines than LightGBM writes",
    )
    return values


def _check_arrays(trees: list[dict[str, str]], n_features: int) -> None:
    n_leaves = np.array([_number(tree["num_leaves"]) for tree in trees])
    n_categorical = np.array([_number(tree["num_cat"]) for tree in trees])
    need((n_leaves > 0).all() and all(tree["is_linear"] == "0" for tree in trees), "a tree has an unusual form")
    found = {name: _array(trees, name, n_leaves - 1) for name in OF_SPLITS}
    found["leaf_value"] = _array(trees, "leaf_value", n_leaves)
    for name in NOTES_OF_SPLITS:
        _check_notes(trees, name, n_leaves - 1)
    grown = [tree for tree in trees if tree["num_leaves"] != "1"]  # of a single leaf LightGBM reads no more than its value
    for name in NOTES_OF_LEAVES:
        _check_notes(grown, name, n_leaves[n_leaves > 1])
    _check_notes(trees, "shrinkage", np.ones(len(trees), dtype=int))
    need(np.isfinite(found["leaf_value"]).all(), "a leaf holds no number")
    check_features(found["split_feature"], n_features)
    need(np.isin(found["decision_type"], DECISIONS).all(), "a tree decides in an unusual way")
    _check_shapes(found["left_child"], found["right_child"], n_leaves)
    _check_categories(trees, found, n_leaves, n_categorical)


def _array(trees: list[dict[str, str]], name: str, counts: np.ndarray) -> np.ndarray:
    """Numbers of a line of all trees, one tree after the other; as many in each as it must have."""
    texts = [tree[name] for tree in trees]
    need((_counted(texts, PATTERNS.get(name, INTEGERS)) == counts).all(), f"a tree has other {name} than leaves")
    return np.array(" ".join(texts).split(), dtype=np.float64 if name in PATTERNS else np.int64)


def _check_notes(trees: list[dict[str, str]], name: str, counts: np.ndarray) -> None:
    need((_counted([tree[name] for tree in trees], NOTES) == counts).all(), f"a tree has other {name} than leaves")


def _counted(texts: list[str], pattern: re.Pattern) -> np.ndarray:
    need(all(pattern.fullmatch(text) for text in texts), "a tree has a text for a number")
    return np.array([text.count(" ") + 1 if text else 0 for text in texts])


def _check_shapes(left: np.ndarray, right: np.ndarray, n_leaves: np.ndarray) -> None:
    """Splits are numbered from 0 and leaves from -1 downwards: put the leaves of a tree behind its splits."""
    n_splits = n_leaves - 1
    own_splits = np.repeat(n_splits, n_splits)
    sizes = n_splits + n_leaves
    first = np.cumsum(sizes) - sizes
    at = np.repeat(first, n_splits) + np.arange(len(left)) - np.repeat(np.cumsum(n_splits) - n_splits, n_splits)
    is_split = np.zeros(sizes.sum(), dtype=bool)
    is_split[at] = True
    children = np.full((2, len(is_split)), -1)
    for side, given in enumerate((left, right)):
        need(((given >= -own_splits - 1) & (given < own_splits)).all(), "a child lies outside its tree")
        children[side, at] = np.where(given >= 0, given, own_splits + ~given)
    check_trees(children[0], children[1], is_split, sizes)


def _check_categories(trees, found: dict[str, np.ndarray], n_leaves: np.ndarray, n_categorical: np.ndarray) -> None:
    is_categorical = (found["decision_type"] & CATEGORICAL) > 0
    sets, most = found["threshold"][is_categorical], np.repeat(n_categorical, n_leaves - 1)[is_categorical]
    need(((sets >= 0) & (sets < most) & (sets == np.floor(sets))).all(), "a split has other categories than it says")
    for tree, n in zip(trees, n_categorical, strict=True):
        if n:
            need(
                WORDS.fullmatch(tree["cat_boundaries"]) and WORDS.fullmatch(tree["cat_threshold"]),
                "a tree has unusual categories",
            )
            bounds = np.array(tree["cat_boundaries"].split(), dtype=np.int64)
            words = np.array(tree["cat_threshold"].split(), dtype=np.int64)
            need(len(bounds) == n + 1 and bounds[0] == 0 and (np.diff(bounds) > 0).all(), "a tree has unusual categories")
            need(bounds[-1] == len(words) and (words < 2**32).all(), "a tree has unusual categories")
