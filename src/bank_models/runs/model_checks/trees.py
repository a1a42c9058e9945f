"""Check of trees in arrays: every path ends at a leaf."""

from __future__ import annotations

import numpy as np

from bank_models.runs.model_checks.fault import need

DEEPEST = 4096  # levels; compiled code goes down them by recursion


def check_trees(left, right, is_split, sizes) -> None:
    """Refuse trees in which a walk could leave the arrays, go round in circles or never end.

    Parameters
    ----------
    left, right : ndarray of int of shape (n_nodes,)
        Children of the nodes of all trees, one tree after the other, as positions within their own tree. The first node of a
        tree is its root.
    is_split : ndarray of bool of shape (n_nodes,)
        Whether a node has children; of others they are not looked at.
    sizes : sequence of int
        Nodes of each tree.

    Raises
    ------
    Malformed
    """
    sizes = np.asarray(sizes, dtype=np.int64)
    need(len(sizes) > 0 and (sizes > 0).all(), "a tree has no nodes")
    need(sizes.sum() == len(left) == len(right) == len(is_split), "a tree has other nodes than it says")
    roots = np.cumsum(sizes) - sizes
    below = _children(left, right, np.asarray(is_split, dtype=bool), roots, sizes)
    seen = np.bincount(below[below >= 0], minlength=len(left))
    seen[roots] += 1
    need((seen == 1).all(), "the nodes of a tree do not form one")
    _check_depth(below, roots)


def check_features(features, n_features: int) -> None:
    """Refuse splits by a column that the matrix does not have."""
    need(((features >= 0) & (features < n_features)).all(), "a tree splits by a column that there is not")


def _children(left, right, is_split, roots, sizes) -> np.ndarray:
    """Children of every node as positions in the arrays, of shape (n_nodes, 2); -1 for a leaf's."""
    found = np.full((len(left), 2), -1, dtype=np.int64)
    first, size = np.repeat(roots, sizes)[is_split], np.repeat(sizes, sizes)[is_split]
    for side, children in enumerate((left, right)):
        own = children[is_split].astype(np.int64)
        need(((own > 0) & (own < size)).all(), "a child lies outside its tree")
        found[is_split, side] = first + own
    return found


def _check_depth(below: np.ndarray, roots: np.ndarray) -> None:
    """Every node is the child of one, so no level can be larger than all nodes, and each is met once or never."""
    level, n_met = roots, len(roots)
    for _ in range(DEEPEST):
        level = below[level].ravel()
        level = level[level >= 0]
        n_met += len(level)
        if not len(level):
            break
    need(not len(level), f"a tree has more than {DEEPEST:,} levels")
    need(n_met == len(below), "the nodes of a tree do not form one")
