"""Feature usage read from a fitted model, without scoring a row."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bank_models.features.preprocessing import matrix_columns
from bank_models.models.layers import members_of, pipeline_of

LEAST = np.finfo("float64").tiny  # of a split that gains nothing


def usage(core, features: Sequence[str]) -> np.ndarray:
    """How much a model uses each feature, as a share of all: 0 only where no answer of it depends on the feature.

    Trees are measured by what the splits on a feature gain, linear models by the size of coefficients, neural networks by the
    size of the first layer's weights. A feature's columns in the matrix count together. Of any other model nothing is known:
    every feature counts the same.

    Parameters
    ----------
    core : Pipeline, OnTargetScale or ensemble
        A supervised model without calibration: see `bank_models.models.layers`.
    features : sequence of str

    Returns
    -------
    ndarray of shape (n_features,)
        Not negative.
    """
    weights = getattr(core, "weights", None) or {"": 1.0}
    return sum(weights[name] * _usage_of(pipeline_of(member), features) for name, member in members_of(core).items())


def owners(step, features: Sequence[str]) -> np.ndarray:
    """Position of the feature that each column of a fitted step's matrix comes from."""
    place = {name: position for position, name in enumerate(features)}
    return np.array([place[column.feature] for column in matrix_columns(step)], dtype=np.int64)


def _usage_of(pipeline, features: Sequence[str]) -> np.ndarray:
    step, estimator = pipeline.named_steps.values()
    of_column = owners(step, features)
    measured = _of_columns(estimator, len(of_column)) if len(of_column) else np.zeros(0)
    found = np.bincount(of_column, weights=measured, minlength=len(features))
    return found / found.sum() if found.any() else found


def _of_columns(estimator, n_columns: int) -> np.ndarray:
    if hasattr(estimator, "get_booster"):
        return _of_xgboost(estimator.get_booster(), n_columns)
    if hasattr(estimator, "booster_"):
        gain, n_splits = (estimator.booster_.feature_importance(kind) for kind in ("gain", "split"))
        return _of_used(n_splits > 0, gain)
    if hasattr(estimator, "gains"):
        return estimator.gains()
    if hasattr(estimator, "_predictors"):
        return _of_histograms(estimator, n_columns)
    if hasattr(estimator, "estimators_"):
        return sum(_of_tree(tree.tree_) for tree in np.ravel(estimator.estimators_))
    if hasattr(estimator, "coef_"):
        return np.abs(np.atleast_2d(estimator.coef_)).sum(axis=0)
    if hasattr(estimator, "architecture_"):
        return _of_network(estimator)
    return np.ones(n_columns)


def _of_used(is_used: np.ndarray, gain: np.ndarray) -> np.ndarray:
    """A split that gains nothing is one all the same."""
    return np.where(is_used, np.maximum(gain, LEAST), 0.0)


def _of_xgboost(booster, n_columns: int) -> np.ndarray:
    found = np.zeros(n_columns)
    for name, gain in booster.get_score(importance_type="total_gain").items():
        found[int(name[1:])] = max(gain, LEAST)  # a column is called f and its number
    return found


def _of_tree(tree) -> np.ndarray:
    gain = tree.compute_feature_importances(normalize=False)
    return _of_used(np.isin(np.arange(len(gain)), tree.feature), gain)


def _of_histograms(estimator, n_columns: int) -> np.ndarray:
    """Of HistGradientBoosting, which puts the columns of categories first."""
    nodes = np.concatenate([tree.nodes for trees in estimator._predictors for tree in trees])
    splits = nodes[nodes["is_leaf"] == 0]
    gain = np.bincount(splits["feature_idx"], weights=splits["gain"], minlength=n_columns)
    found, is_category = np.empty(n_columns), getattr(estimator, "is_categorical_", None)
    place = np.arange(n_columns) if is_category is None else np.argsort(~np.asarray(is_category), kind="stable")
    found[place] = _of_used(np.bincount(splits["feature_idx"], minlength=n_columns) > 0, gain)
    return found


def _of_network(estimator) -> np.ndarray:
    """Size of the first layer's weights for what each column becomes; a constant number among them may count too."""
    is_category, found = np.array(estimator.is_category_, dtype=bool), np.ones(len(estimator.is_category_))
    first = "hidden.0.weight" if estimator.layers else "output.weight"
    sizes = np.abs(estimator.state_[first]).sum(axis=0)
    n_numeric, cardinalities = estimator.architecture_["n_numeric"], estimator.architecture_["cardinalities"]
    of_category = [min(estimator.embedding_size, (n_codes + 2) // 2) for n_codes in cardinalities]
    blocks = np.split(sizes, np.cumsum([len(sizes) - sum(of_category), *of_category])[:-1])
    if n_numeric:
        found[~is_category] = blocks[0].reshape(n_numeric, -1).sum(axis=1)
    found[is_category] = [block.sum() for block in blocks[1:]]
    return np.maximum(found, LEAST)
