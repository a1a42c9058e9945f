"""Time to score a row, as the comparisons that the trees of a model make for it: the same on every machine."""

from __future__ import annotations

from collections.abc import Mapping
from math import log2
from typing import Any

from bank_models.models.estimators import ESTIMATORS

LEVELS = ("max_depth", "depth")
LEAVES = ("num_leaves", "max_leaf_nodes", "max_leaves")
TREES = "n_estimators"  # of forests, which have no rounds


def comparisons(estimator: str, params: Mapping[str, Any], n_rounds: float | None, n_classes: int, n_rows: int) -> float:
    """About how many comparisons a model of trees makes to score a row; 0 of a model without trees.

    Parameters
    ----------
    estimator : str
        A name of `bank_models.models.estimators.ESTIMATORS`.
    params : mapping
    n_rounds : float, optional
        Rounds that were trained, where early stopping has found them.
    n_classes : int
        Boosters grow a tree for each of more than two.
    n_rows : int
        That it is fitted on: trees without a limit are as deep as a balanced one of so many leaves.
    """
    length = ESTIMATORS[estimator].round_parameter
    n_trees = n_rounds or params.get(length or TREES, 0)
    if not any(name in params for name in (*LEVELS, *LEAVES)):
        return 0.0
    limits = [float(params[name]) for name in LEVELS if (params.get(name) or 0) > 0]
    limits += [log2(params[name]) for name in LEAVES if (params.get(name) or 0) > 1]
    per_round = n_classes if length and n_classes > 2 else 1
    return n_trees * per_round * min([*limits, log2(max(2, n_rows))])
