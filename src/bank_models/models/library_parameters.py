"""Pass-through parameters of an estimator: checked against its own signature, except those that we decide."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Mapping
from typing import Any

from bank_models.errors import ConfigError
from bank_models.models.estimators import ESTIMATORS, class_of, named

OURS = {  # what says it here
    **dict.fromkeys(("n_jobs", "nthread", "n_threads", "num_threads"), "n_threads"),
    **dict.fromkeys(("random_state", "seed"), "seed"),
    **dict.fromkeys(("objective", "loss", "quantile", "quantile_alpha"), "the task of the use case, and its quantile"),
    **dict.fromkeys(("eval_metric", "scoring"), "the metric of the use case"),
    **dict.fromkeys(
        ("early_stopping", "early_stopping_rounds", "n_iter_no_change", "validation_fraction", "warm_start", "callbacks"),
        "early_stopping",
    ),
    **dict.fromkeys(("monotone_constraints", "monotonic_cst"), "monotone of a feature"),
    **dict.fromkeys(
        ("enable_categorical", "categorical_features", "feature_types", "missing", "init"), "the preprocessing of the model"
    ),
    **dict.fromkeys(("booster", "boosting_type", "tree_method", "multi_strategy", "validate_parameters"), "the model"),
    "device": "device",
    "class_weight": "class_weight",
    "verbose": "hydra.verbose",
    "verbosity": "hydra.verbose",
}
PLAIN = (bool, int, float, str, type(None))


def check(model: str, estimator: str, params: Mapping[str, Any], listed: set[str]) -> None:
    """Refuse parameters that are neither listed nor in the signature of an estimator, or that it cannot have.

    Parameters
    ----------
    model : str
        Name of the model, for the message.
    estimator : str
        A key of `ESTIMATORS`.
    params : mapping
        All parameters of the model.
    listed : set of str
        Those that the model's file lists; their values were checked.

    Raises
    ------
    ConfigError
    """
    extra = {name: value for name, value in params.items() if name not in listed}
    if not extra:
        return
    estimator = named(estimator, params)
    algorithm = ESTIMATORS[estimator]
    for name, value in extra.items():  # what needs no library is said before one is imported
        place = f"model.params.{name}"
        if name in OURS or name in algorithm.fixed:
            raise ConfigError(f"{place} is decided by {OURS.get(name, 'the model')}, so it cannot be set.")
        if not isinstance(value, PLAIN):
            raise ConfigError(f"{place}={value}: must be a number, a word, true, false or null")
    kind = class_of(estimator)
    if algorithm.module.startswith("bank_models.") and not hasattr(kind, "_parameter_constraints"):
        kind = None
    accepted = _parameters_of(kind) - set(OURS) - set(algorithm.fixed) if kind else set()
    for name in extra:
        if name not in accepted:
            raise ConfigError(_unknown(model, estimator, name, sorted({*accepted, *listed})))
    if kind and hasattr(kind, "_parameter_constraints"):
        _check_values(kind, extra)


def _parameters_of(kind: type) -> set[str]:
    """What an estimator says it has; one that tells only what was set has the rest in its signature."""
    signature = inspect.signature(kind).parameters.values()
    return {*kind().get_params(), *(one.name for one in signature if one.kind is not one.VAR_KEYWORD)}


def _unknown(model: str, estimator: str, name: str, known: list[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    starting = [one for one in known if one.startswith(f"{name}_")]
    meant = " or ".join(f"model.params.{one}" for one in starting or near)
    said = f"model.params.{name} is not a setting: model={model} is {estimator}, which has no such parameter."
    return f"{said}\nDid you mean {meant}?" if meant else said


def _check_values(kind: type, params: Mapping[str, Any]) -> None:
    """As scikit-learn would, before a row is read."""
    from sklearn.utils._param_validation import InvalidParameterError, validate_parameter_constraints

    constraints = {name: kind._parameter_constraints[name] for name in params if name in kind._parameter_constraints}
    try:
        validate_parameter_constraints(constraints, {name: params[name] for name in constraints}, kind.__name__)
    except InvalidParameterError as error:
        raise ConfigError(f"model.params: {str(error).splitlines()[0]}") from None
