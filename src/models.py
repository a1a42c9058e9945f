"""Estimators by name. Only names in this table are ever imported, whatever a configuration says."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from src.errors import ConfigError


def _as_given(params: Mapping[str, Any]) -> dict[str, Any]:
    return dict(params)


LINEAR_SOLVERS = {
    "l2": {"lbfgs", "liblinear", "newton-cg", "newton-cholesky", "sag", "saga"},
    "l1": {"liblinear", "saga"},
    "elasticnet": {"saga"},
}


def _logistic(params: Mapping[str, Any]) -> dict[str, Any]:
    """Translate `penalty`, deprecated in scikit-learn 1.8, into the `l1_ratio` that replaced it."""
    arguments = dict(params)
    penalty, l1_ratio, solver = arguments.pop("penalty"), arguments["l1_ratio"], arguments["solver"]
    if solver not in LINEAR_SOLVERS[penalty]:
        raise ConfigError(
            f"model.params.solver={solver} cannot fit model.params.penalty={penalty}.\n"
            f"Choose one of {', '.join(sorted(LINEAR_SOLVERS[penalty]))}."
        )
    if (penalty == "elasticnet") != (l1_ratio is not None):
        raise ConfigError("model.params.l1_ratio goes with model.params.penalty=elasticnet, and only with it")
    arguments["l1_ratio"] = {"l1": 1.0, "l2": 0.0}.get(penalty, l1_ratio)
    return arguments


@dataclass(frozen=True)
class Algorithm:
    """Where an estimator lives and what it is always given, whatever its parameters.

    `scores_in_one_thread` is for estimators whose threads add up a score in the order they happen to finish: the last
    bits of a probability would change from call to call.
    """

    module: str
    fixed: Mapping[str, Any]
    is_threaded: bool
    scores_in_one_thread: bool = False
    arguments: Callable[[Mapping[str, Any]], dict[str, Any]] = _as_given


XGBOOST = Algorithm("xgboost", {"tree_method": "hist", "enable_categorical": True}, is_threaded=True)
LIGHTGBM = Algorithm("lightgbm", {"deterministic": True, "force_row_wise": True, "verbose": -1}, is_threaded=True)
ESTIMATORS: dict[str, Algorithm] = {
    "XGBClassifier": XGBOOST,
    "LGBMClassifier": LIGHTGBM,
    "RandomForestClassifier": Algorithm("sklearn.ensemble", {}, is_threaded=True, scores_in_one_thread=True),
    "LogisticRegression": Algorithm("sklearn.linear_model", {}, is_threaded=False, arguments=_logistic),
}


def check_arguments(estimator: str, params: Mapping[str, Any]) -> None:
    """Refuse parameters that are each in range but exclude one another.

    Raises
    ------
    ConfigError
    """
    ESTIMATORS[estimator].arguments(params)


def make_estimator(estimator: str, params: Mapping[str, Any], random_state: int, n_threads: int):
    """Build an unfitted estimator.

    Parameters
    ----------
    estimator : str
        A key of `ESTIMATORS`.
    params : mapping
        The model's parameters under the names of `conf/model`.
    random_state : int
    n_threads : int
        Threads it may use, at least 1.

    Returns
    -------
    BaseEstimator
    """
    algorithm = ESTIMATORS[estimator]
    make = getattr(import_module(algorithm.module), estimator)
    threads = {"n_jobs": n_threads} if algorithm.is_threaded else {}
    return make(**algorithm.arguments(params), **algorithm.fixed, **threads, random_state=random_state)
