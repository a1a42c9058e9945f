"""Estimators as ONNX nodes."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.base import is_classifier

from bank_models.export import trees
from bank_models.export.graph import Graph

LOGISTIC, SOFTMAX = "logistic", "softmax"
LINKS = {  # of objectives of XGBoost and LightGBM; others give what the trees say
    "binary:logistic": LOGISTIC,
    "multi:softprob": SOFTMAX,
    "multi:softmax": SOFTMAX,
    "binary": LOGISTIC,
    "multiclass": SOFTMAX,
}


@dataclass(frozen=True)
class Answer:
    """Results of an estimator.

    Attributes
    ----------
    score : str
        Of shape (n_rows, 1): probability of 1, or the number; of shape (n_rows, n_classes): probability of each class.
    margin : str, optional
        What a calibration learns from, where that is not the score.
    """

    score: str
    margin: str | None = None


def add_estimator(graph: Graph, estimator: Any, matrix: str) -> Answer:
    """Add a fitted estimator of `EXACT`."""
    return EXACT[type(estimator).__name__](graph, estimator, matrix)


def _linear(graph: Graph, estimator: Any, matrix: str) -> Answer:
    return Answer(_product(graph, estimator, matrix))


def _logistic(graph: Graph, estimator: Any, matrix: str) -> Answer:
    margin = _product(graph, estimator, matrix)
    return Answer(_linked(graph, margin, LOGISTIC if len(estimator.classes_) == 2 else SOFTMAX), margin)


def _product(graph: Graph, estimator: Any, matrix: str) -> str:
    coefficients = np.atleast_2d(estimator.coef_).T
    return graph.add("Add", graph.add("MatMul", matrix, coefficients), np.ravel(estimator.intercept_).astype("float64"))


def _linked(graph: Graph, margin: str, link: str | None) -> str:
    if link == SOFTMAX:
        return graph.add("Softmax", margin, axis=1)
    return graph.add("Sigmoid", margin) if link == LOGISTIC else margin


def _forest(graph: Graph, estimator: Any, matrix: str) -> Answer:
    """The mean of trees; of two classes only the second one's probability is summed."""
    classes = range(getattr(estimator, "n_classes_", 1))
    outputs = classes[-1:] if len(classes) <= 2 else classes
    found = [
        trees.of_scikit_learn(one.tree_, one.tree_.value[:, 0, output], target)
        for one in estimator.estimators_
        for target, output in enumerate(outputs)
    ]
    total = trees.add_trees(graph, _in_single_precision(graph, matrix), found, len(outputs))
    return Answer(graph.add("Div", total, float(len(estimator.estimators_))))


def _xgboost(graph: Graph, estimator: Any, matrix: str) -> Answer:
    booster = estimator.get_booster()
    found, start = trees.of_xgboost(booster)
    objective = json.loads(booster.save_config())["learner"]["objective"]["name"]
    link = LINKS.get(objective)
    n_outputs = 1 + max(tree.target for tree in found)
    start = np.log(start / (1 - start)) if link == LOGISTIC else start
    total = trees.add_trees(graph, _in_single_precision(graph, matrix), found, n_outputs, trees.BELOW)
    return Answer(_linked(graph, graph.add("Add", total, start), link))


def _lightgbm(graph: Graph, estimator: Any, matrix: str) -> Answer:
    found = trees.of_lightgbm(estimator.booster_)
    n_outputs = 1 + max(tree.target for tree in found)
    total = trees.add_trees(graph, _in_single_precision(graph, matrix), found, n_outputs)
    link = LINKS.get(estimator.objective_)
    return Answer(_linked(graph, total, link), total if link else None)


def _gradient_boosting(graph: Graph, estimator: Any, matrix: str) -> Answer:
    rate = estimator.learning_rate
    found = [
        trees.of_scikit_learn(one.tree_, rate * one.tree_.value[:, 0, 0], target)
        for stage in estimator.estimators_
        for target, one in enumerate(stage)
    ]
    start = estimator._raw_predict_init(np.zeros((1, estimator.n_features_in_), dtype="float32"))
    total = trees.add_trees(graph, _in_single_precision(graph, matrix), found, start.shape[1])
    return _boosted(graph, estimator, total, start)


def _histograms(graph: Graph, estimator: Any, matrix: str) -> Answer:
    start = estimator._baseline_prediction
    return _boosted(graph, estimator, trees.add_trees(graph, matrix, trees.of_histograms(estimator), start.shape[1]), start)


def _boosted(graph: Graph, estimator: Any, total: str, start: np.ndarray) -> Answer:
    """What trees add to a start, and of classes the probability that it stands for."""
    margin = graph.add("Add", total, np.ravel(start).astype("float64"))
    if not is_classifier(estimator):
        return Answer(margin)
    return Answer(_linked(graph, margin, LOGISTIC if len(estimator.classes_) == 2 else SOFTMAX), margin)


def _in_single_precision(graph: Graph, matrix: str) -> str:
    """Values as trees see them, before they are compared in float64."""
    return graph.as_type(graph.as_type(matrix, "float32"), "float64")


EXACT: dict[str, Callable[[Graph, Any, str], Answer]] = {
    "LogisticRegression": _logistic,
    "LinearRegression": _linear,
    "Ridge": _linear,
    "QuantileRegressor": _linear,
    "RandomForestClassifier": _forest,
    "RandomForestRegressor": _forest,
    "GradientBoostingClassifier": _gradient_boosting,
    "GradientBoostingRegressor": _gradient_boosting,
    "HistGradientBoostingClassifier": _histograms,
    "HistGradientBoostingRegressor": _histograms,
    "XGBClassifier": _xgboost,
    "XGBRegressor": _xgboost,
    "LGBMClassifier": _lightgbm,
    "LGBMRegressor": _lightgbm,
}
MODELS = (
    "gradient_boosting",
    "hist_gradient_boosting",
    "lightgbm",
    "linear_regression",
    "logistic_regression",
    "random_forest",
    "xgboost",
)


def is_single_precision(estimator: Any) -> bool:
    """Whether an estimator itself adds up in float32, so that its scores are no more precise than that."""
    return hasattr(estimator, "get_booster")
