"""Estimators by name. Only names in this table are ever imported, whatever a configuration says.

It holds what our own model files name, what else of scikit-learn may be named, and what enabled extensions declare.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from bank_models.errors import ConfigError
from bank_models.extensions.table import Table
from bank_models.models.algorithm import AS_THEY_ARE, FOR_TREES, MEDIAN, Algorithm
from bank_models.models.scikit_learn import SCIKIT_LEARN

LINEAR_SOLVERS = {
    "l2": {"lbfgs", "liblinear", "newton-cg", "newton-cholesky", "sag", "saga"},
    "l1": {"liblinear", "saga"},
    "elasticnet": {"saga"},
}


def _logistic(params: Mapping[str, Any]) -> dict[str, Any]:
    """Translate `penalty`, deprecated in scikit-learn 1.8, into the `l1_ratio` that replaced it."""
    arguments = dict(params)
    penalty, l1_ratio = arguments.pop("penalty", "l2"), arguments.get("l1_ratio")
    solver = arguments.get("solver", "lbfgs")
    if solver not in LINEAR_SOLVERS[penalty]:
        raise ConfigError(
            f"model.params.solver={solver} cannot fit model.params.penalty={penalty}.\n"
            f"Choose one of {', '.join(sorted(LINEAR_SOLVERS[penalty]))}."
        )
    if (penalty == "elasticnet") != (l1_ratio is not None):
        raise ConfigError("model.params.l1_ratio goes with model.params.penalty=elasticnet, and only with it")
    arguments["l1_ratio"] = {"l1": 1.0, "l2": 0.0}.get(penalty, l1_ratio)
    return arguments


def _linear(params: Mapping[str, Any]) -> dict[str, Any]:
    """`normalize` is the pipeline's scaler, not the estimator's business."""
    return {name: value for name, value in params.items() if name != "normalize"}


def _least_squares(params: Mapping[str, Any]) -> dict[str, Any]:
    """Without a penalty there is no `alpha`."""
    return {name: value for name, value in _linear(params).items() if name != "alpha"}


EXTRAS = {
    "catboost": {"catboost": "catboost==1.2.10"},
    "neural": {"torch": "torch==2.13.0", "skorch": "skorch==1.4.0"},
}
XGBOOST = Algorithm(
    "xgboost",
    {"tree_method": "hist", "enable_categorical": True},
    is_threaded=True,
    rounds="xgboost",
    round_parameter="n_estimators",
    quantile=lambda level: {"objective": "reg:quantileerror", "quantile_alpha": level},
    takes_device=True,
    keeps_monotone=True,
    takes_missing=True,
    takes_batches=True,
    takes_shards=True,
    preprocessing=AS_THEY_ARE,
    packages=("xgboost",),
)
LIGHTGBM = Algorithm(
    "lightgbm",
    {"deterministic": True, "force_row_wise": True, "feature_pre_filter": False, "verbose": -1},
    is_threaded=True,
    rounds="lightgbm",
    round_parameter="n_estimators",
    quantile=lambda level: {"objective": "quantile", "alpha": level},
    keeps_monotone=True,
    takes_missing=True,
    takes_batches=True,
    takes_shards=True,
    preprocessing=AS_THEY_ARE,
    packages=("lightgbm",),
)
CATBOOST = Algorithm(
    "bank_models.models.catboost.estimator",
    is_threaded=True,
    rounds="catboost",
    round_parameter="iterations",
    quantile=lambda level: {"loss": "quantile", "quantile": level},
    keeps_monotone=True,
    takes_missing=True,
    takes_sparse=False,
    preprocessing=AS_THEY_ARE,
    extra="catboost",
    packages=("catboost",),
)
FOREST = Algorithm(
    "sklearn.ensemble",
    is_threaded=True,
    scores_in_one_thread=True,
    median={"criterion": "absolute_error"},
    preprocessing=FOR_TREES,
)
HIST_GRADIENT_BOOSTING = Algorithm(
    "sklearn.ensemble",
    rounds="hist_gradient_boosting",
    round_parameter="max_iter",
    quantile=lambda level: {"loss": "quantile", "quantile": level},
    keeps_monotone=True,
    takes_missing=True,
    preprocessing=FOR_TREES,
)
GRADIENT_BOOSTING = Algorithm(
    "sklearn.ensemble",
    rounds="gradient_boosting",
    round_parameter="n_estimators",
    quantile=lambda level: {"loss": "quantile", "alpha": level},
    preprocessing=FOR_TREES,
)
NEURAL_NETWORK = Algorithm(
    "bank_models.models.neural.estimator",
    is_threaded=True,
    rounds="neural_network",
    round_parameter="max_epochs",
    quantile=lambda level: {"loss": "quantile", "quantile": level},
    takes_device=True,
    extra="neural",
    packages=("torch", "skorch"),
)
CLUSTERING = Algorithm("bank_models.models.clustering.estimators", takes_weights=False)
OURS: dict[str, Algorithm] = {
    "XGBClassifier": XGBOOST,
    "XGBRegressor": XGBOOST,
    "LGBMClassifier": LIGHTGBM,
    "LGBMRegressor": LIGHTGBM,
    "CatBoostClassifier": CATBOOST,
    "CatBoostRegressor": CATBOOST,
    "RandomForestClassifier": FOREST,
    "RandomForestRegressor": FOREST,
    "GradientBoostingClassifier": GRADIENT_BOOSTING,
    "GradientBoostingRegressor": GRADIENT_BOOSTING,
    "HistGradientBoostingClassifier": HIST_GRADIENT_BOOSTING,
    "HistGradientBoostingRegressor": HIST_GRADIENT_BOOSTING,
    "LogisticRegression": Algorithm("sklearn.linear_model", arguments=_logistic),
    "NeuralNetworkClassifier": NEURAL_NETWORK,
    "NeuralNetworkRegressor": NEURAL_NETWORK,
    "KMeansClustering": CLUSTERING,
    "DBSCANClustering": CLUSTERING,
    "HierarchicalClustering": CLUSTERING,
    "DummyClassifier": Algorithm("sklearn.dummy", {"strategy": "prior"}, reads_columns=False),
    "DummyRegressor": Algorithm(
        "sklearn.dummy",
        is_random=False,
        reads_columns=False,
        quantile=lambda level: {"strategy": "quantile", "quantile": level},
    ),
    "EnsembleClassifier": Algorithm("bank_models.training.ensemble"),
    "EnsembleRegressor": Algorithm("bank_models.training.ensemble", quantile=lambda level: {}),
    "LinearRegression": Algorithm("sklearn.linear_model", is_random=False, arguments=_least_squares),
    "Ridge": Algorithm("sklearn.linear_model", arguments=_linear),
    "QuantileRegressor": Algorithm(
        "sklearn.linear_model",
        {"solver": "highs"},
        is_random=False,
        quantile=lambda level: {"quantile": level},
        types=("sklearn.linear_model._quantile.QuantileRegressor",),
    ),
}
ESTIMATORS: Table[Algorithm] = Table(OURS | SCIKIT_LEARN, "models", Algorithm)


def named(estimator: str, params: Mapping[str, Any]) -> str:
    """The estimator that parameters mean: linear regression with a penalty is ridge regression."""
    return "Ridge" if estimator == "LinearRegression" and params.get("alpha", 0) > 0 else estimator


def as_fitted(estimator: str, params: Mapping[str, Any], best_iteration: int | None) -> dict[str, Any]:
    """Parameters of a fitted model: those that were asked for, with the number of rounds that it has."""
    rounds = ESTIMATORS[estimator].round_parameter if estimator in ESTIMATORS else None
    return dict(params) | ({rounds: best_iteration} if rounds and best_iteration is not None else {})


def is_installed(estimator: str) -> bool:
    """Whether the packages are there that an estimator needs beside those of every training."""
    extra = ESTIMATORS[estimator].extra
    return not extra or not any(_is_absent(package) for package in EXTRAS[extra])


def check_arguments(estimator: str, params: Mapping[str, Any]) -> None:
    """Refuse parameters that are each in range but exclude one another, and an estimator whose packages are absent.

    Raises
    ------
    ConfigError
    """
    algorithm = ESTIMATORS[estimator]
    if not is_installed(estimator):
        packages = " ".join(EXTRAS[algorithm.extra].values())
        raise ConfigError(
            f"{estimator} needs the extra {algorithm.extra}, which is not installed.\n"
            f"Type: make setup EXTRAS={algorithm.extra}   (or: pip install {packages})"
        )
    if estimator not in OURS | SCIKIT_LEARN:
        class_of(estimator)
    algorithm.arguments(params)


def class_of(estimator: str) -> type:
    """Import the class of an estimator.

    Raises
    ------
    ConfigError
        If an extension declares one that is not there.
    """
    module = ESTIMATORS[estimator].module
    try:
        return getattr(import_module(module), estimator)
    except (ImportError, AttributeError) as error:
        raise ConfigError(f"{estimator} cannot be imported from {module}: {error}.") from error


def _is_absent(package: str) -> bool:
    try:
        return find_spec(package) is None
    except (ImportError, ValueError):
        return True


def level_to_learn(estimator: str, metric: str, quantile: float | None, requires_monotone: bool = False) -> float | None:
    """The quantile an estimator should learn: the one that is asked for, or the median where errors count absolutely.

    None stands for the mean: of an estimator that has no median, and where directions are required. No booster keeps
    directions in a quantile: XGBoost and scikit-learn set the leaves anew after the tree has kept them, LightGBM refuses.
    """
    if requires_monotone or quantile is not None or metric not in ("mae", "median_absolute_error"):
        return quantile
    return MEDIAN if ESTIMATORS[estimator].can_predict(MEDIAN) else None


def make_estimator(
    estimator: str,
    params: Mapping[str, Any],
    random_state: int,
    n_threads: int,
    quantile: float | None = None,
    device: str = "cpu",
):
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
    quantile : float, optional
        Level in (0, 1) to predict instead of the mean.
    device : {"cpu", "cuda"}
        Where it is trained.

    Returns
    -------
    BaseEstimator
    """
    estimator = named(estimator, params)
    algorithm = ESTIMATORS[estimator]
    arguments = {**algorithm.arguments(params), **algorithm.fixed}
    arguments |= {"n_jobs": n_threads} if algorithm.is_threaded else {}
    arguments |= {"random_state": random_state} if algorithm.is_random else {}
    arguments |= algorithm.learning(quantile) if quantile is not None else {}
    arguments |= {"device": device} if algorithm.takes_device else {}
    return class_of(estimator)(**arguments)
