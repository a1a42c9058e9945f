"""Estimators by name. Only names in this table are ever imported, whatever a configuration says."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
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


def _linear(params: Mapping[str, Any]) -> dict[str, Any]:
    """`normalize` is the pipeline's scaler, not the estimator's business."""
    return {name: value for name, value in params.items() if name != "normalize"}


def _least_squares(params: Mapping[str, Any]) -> dict[str, Any]:
    """Without a penalty there is no `alpha`."""
    return {name: value for name, value in _linear(params).items() if name != "alpha"}


@dataclass(frozen=True)
class Algorithm:
    """Where an estimator lives and how the pipeline has to treat it, whatever its parameters.

    Attributes
    ----------
    module : str
    fixed : mapping
        Arguments it is always given.
    is_threaded : bool
        Takes `n_jobs`.
    is_random : bool
        Takes `random_state`.
    scores_in_one_thread : bool
        Its threads add up a score in the order they happen to finish: the last bits would change from call to call.
    rounds : str, optional
        Which trainer of `src.models.early_stopping` fits it round by round.
    quantile : callable, optional
        Arguments that make it predict a quantile; None where it cannot.
    median : mapping, optional
        Arguments that make it predict the median, where that is the one quantile it can.
    takes_device : bool
        Can be trained on a CUDA device.
    reads_columns : bool
        Looks at the rows; else nothing is made of them.
    extra : str, optional
        Extra of `EXTRAS` that must be installed.
    arguments : callable
        From our parameters to the estimator's.
    """

    module: str
    fixed: Mapping[str, Any]
    is_threaded: bool = False
    is_random: bool = True
    scores_in_one_thread: bool = False
    rounds: str | None = None
    quantile: Callable[[float], dict[str, Any]] | None = None
    median: Mapping[str, Any] | None = None
    takes_device: bool = False
    reads_columns: bool = True
    extra: str | None = None
    arguments: Callable[[Mapping[str, Any]], dict[str, Any]] = _as_given

    def can_predict(self, quantile: float) -> bool:
        return self.quantile is not None or (quantile == MEDIAN and self.median is not None)

    def learning(self, quantile: float) -> Mapping[str, Any]:
        """Arguments that make it predict a quantile."""
        return self.quantile(quantile) if self.quantile else self.median


MEDIAN = 0.5
ROUNDS = {  # the parameter that says how many rounds there are at most
    **dict.fromkeys(("xgboost", "lightgbm", "gradient_boosting"), "n_estimators"),
    "hist_gradient_boosting": "max_iter",
    "neural_network": "max_epochs",
}
EXTRAS = {"neural": {"torch": "torch==2.13.0", "skorch": "skorch==1.4.0"}}
XGBOOST = Algorithm(
    "xgboost",
    {"tree_method": "hist", "enable_categorical": True},
    is_threaded=True,
    rounds="xgboost",
    quantile=lambda level: {"objective": "reg:quantileerror", "quantile_alpha": level},
    takes_device=True,
)
LIGHTGBM = Algorithm(
    "lightgbm",
    {"deterministic": True, "force_row_wise": True, "feature_pre_filter": False, "verbose": -1},
    is_threaded=True,
    rounds="lightgbm",
    quantile=lambda level: {"objective": "quantile", "alpha": level},
)
FOREST = Algorithm("sklearn.ensemble", {}, is_threaded=True, scores_in_one_thread=True, median={"criterion": "absolute_error"})
HIST_GRADIENT_BOOSTING = Algorithm(
    "sklearn.ensemble", {}, rounds="hist_gradient_boosting", quantile=lambda level: {"loss": "quantile", "quantile": level}
)
GRADIENT_BOOSTING = Algorithm(
    "sklearn.ensemble", {}, rounds="gradient_boosting", quantile=lambda level: {"loss": "quantile", "alpha": level}
)
NEURAL_NETWORK = Algorithm(
    "src.models.neural.estimator",
    {},
    is_threaded=True,
    rounds="neural_network",
    quantile=lambda level: {"loss": "quantile", "quantile": level},
    takes_device=True,
    extra="neural",
)
CLUSTERING = Algorithm("src.models.clustering.estimators", {})
ESTIMATORS: dict[str, Algorithm] = {
    "XGBClassifier": XGBOOST,
    "XGBRegressor": XGBOOST,
    "LGBMClassifier": LIGHTGBM,
    "LGBMRegressor": LIGHTGBM,
    "RandomForestClassifier": FOREST,
    "RandomForestRegressor": FOREST,
    "GradientBoostingClassifier": GRADIENT_BOOSTING,
    "GradientBoostingRegressor": GRADIENT_BOOSTING,
    "HistGradientBoostingClassifier": HIST_GRADIENT_BOOSTING,
    "HistGradientBoostingRegressor": HIST_GRADIENT_BOOSTING,
    "LogisticRegression": Algorithm("sklearn.linear_model", {}, arguments=_logistic),
    "NeuralNetworkClassifier": NEURAL_NETWORK,
    "NeuralNetworkRegressor": NEURAL_NETWORK,
    "KMeansClustering": CLUSTERING,
    "DBSCANClustering": CLUSTERING,
    "HierarchicalClustering": CLUSTERING,
    "DummyClassifier": Algorithm("sklearn.dummy", {"strategy": "prior"}, reads_columns=False),
    "DummyRegressor": Algorithm(
        "sklearn.dummy",
        {},
        is_random=False,
        reads_columns=False,
        quantile=lambda level: {"strategy": "quantile", "quantile": level},
    ),
    "EnsembleClassifier": Algorithm("src.training.ensemble", {}),
    "EnsembleRegressor": Algorithm("src.training.ensemble", {}, quantile=lambda level: {}),
    "LinearRegression": Algorithm("sklearn.linear_model", {}, is_random=False, arguments=_least_squares),
    "Ridge": Algorithm("sklearn.linear_model", {}, arguments=_linear),
    "QuantileRegressor": Algorithm(
        "sklearn.linear_model", {"solver": "highs"}, is_random=False, quantile=lambda level: {"quantile": level}
    ),  # of benchmarks
}


def named(estimator: str, params: Mapping[str, Any]) -> str:
    """The estimator that parameters mean: linear regression with a penalty is ridge regression."""
    return "Ridge" if estimator == "LinearRegression" and params.get("alpha", 0) > 0 else estimator


def as_fitted(estimator: str, params: Mapping[str, Any], best_iteration: int | None) -> dict[str, Any]:
    """Parameters of a fitted model: those that were asked for, with the number of rounds that it has."""
    rounds = ROUNDS.get(ESTIMATORS[estimator].rounds or "") if estimator in ESTIMATORS else None
    return dict(params) | ({rounds: best_iteration} if rounds and best_iteration is not None else {})


def check_arguments(estimator: str, params: Mapping[str, Any]) -> None:
    """Refuse parameters that are each in range but exclude one another, and an estimator whose packages are absent.

    Raises
    ------
    ConfigError
    """
    algorithm = ESTIMATORS[estimator]
    if algorithm.extra and any(_is_absent(package) for package in EXTRAS[algorithm.extra]):
        packages = " ".join(EXTRAS[algorithm.extra].values())
        raise ConfigError(
            f"{estimator} needs the extra {algorithm.extra}, which is not installed.\n"
            f"Type: make setup EXTRAS={algorithm.extra}   (or: pip install {packages})"
        )
    algorithm.arguments(params)


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
    make = getattr(import_module(algorithm.module), estimator)
    arguments = {**algorithm.arguments(params), **algorithm.fixed}
    arguments |= {"n_jobs": n_threads} if algorithm.is_threaded else {}
    arguments |= {"random_state": random_state} if algorithm.is_random else {}
    arguments |= algorithm.learning(quantile) if quantile is not None else {}
    arguments |= {"device": device} if algorithm.takes_device else {}
    return make(**arguments)
