"""Models as ONNX graphs: what can be exported exactly, and how."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.calibration import CalibratedClassifierCV
from sklearn.isotonic import IsotonicRegression

from bank_models.config.use_case import UseCase
from bank_models.errors import ConfigError
from bank_models.export import calibration
from bank_models.export.estimators import EXACT, MODELS, Answer, add_estimator, is_single_precision
from bank_models.export.graph import TEXT, Graph
from bank_models.export.matrix import MISSING, SCALERS, add_matrix
from bank_models.models.layers import Layers, members_of, pipeline_of, take_apart
from bank_models.models.wrappers import OnTargetScale

TASKS = ("binary", "multiclass", "regression")
NO_TYPES = {"text": "texts", "date": "dates"}
TOLERANCE = 1e-5  # of probabilities; of numbers, as a share of them
OF_SINGLE, OF_DOUBLE = 1e-6, 1e-12  # how far below the threshold a score still counts as reaching it, as a share of it


def check_exportable(name: str, model: Any, use_case: UseCase) -> None:
    """Refuse a model whose answers an ONNX graph would not give exactly.

    Parameters
    ----------
    name : str
        Of the version, in messages.
    model : object
        What `bank_models.train` saved.
    use_case : UseCase

    Raises
    ------
    ConfigError
    """
    if use_case.task not in TASKS:
        raise _refused(name, f"{use_case.task} is no supervised task")
    for what, found in (
        ("lags", use_case.lags),
        ("derived columns", use_case.derived),
        ("transformers", use_case.transformers),
    ):
        if found:
            raise _refused(name, f"it reads {what} ({', '.join(found)})")
    calibrator = _calibrator(model)
    if isinstance(calibrator, IsotonicRegression) and calibration.rounded(calibrator, _rounding(model)) > TOLERANCE:
        raise _refused(name, "calibration=isotonic has steps, at which rounding decides (calibration=sigmoid has none)")
    features = use_case.inputs()
    for column, feature in features.items():
        if feature.type in NO_TYPES:
            raise _refused(name, f"it reads {NO_TYPES[feature.type]} ({column})")
    for member in members_of(take_apart(model).core).values():
        _check_pipeline(name, pipeline_of(member), list(features))


def _check_pipeline(name: str, pipeline: Any, features: list[str]) -> None:
    step, estimator = pipeline.named_steps.values()
    if type(estimator).__name__ not in EXACT:
        raise _refused(name, f"{type(estimator).__name__} has no exact form in ONNX here")
    if not features:
        raise _refused(name, "it looks at no column")
    numbers = step.named_transformers_.get("number")
    scaler = numbers.named_steps.get("scaler") if numbers is not None else None
    if scaler is not None and not isinstance(scaler, SCALERS):
        raise _refused(name, "its numbers are scaled by rank (model.preprocessing.scaler=quantile)")
    encoder = step.named_transformers_.get("category")
    seen = encoder.seen() if encoder is not None else {}
    if empty := [column for column, values in seen.items() if MISSING in values]:
        raise _refused(name, f"an empty text is a value of {empty[0]}, but means missing in ONNX")


def _refused(name: str, why: str) -> ConfigError:
    return ConfigError(
        f"{name} cannot be exported to ONNX: {why}.\n"
        f"Exact are numbers, booleans and categories with {', '.join(MODELS)}, and ensembles of these.\n"
        f"To score with the model as it is: python -m src.predict use_case={name.replace('@', ' version=')} input=… output=…"
    )


def make_graph(model: Any, use_case: UseCase) -> Graph:
    """Translate a model that `check_exportable` has let pass.

    Parameters
    ----------
    model : object
    use_case : UseCase

    Returns
    -------
    Graph
        Inputs are the features: texts for categories, float32 for all others. Outputs are `score` and, of classes, `decision`.
    """
    graph, layers = Graph(), take_apart(model)
    inputs = {
        name: graph.input(name, TEXT if feature.type == "category" else np.dtype("float32"))
        for name, feature in use_case.inputs().items()
    }
    score = _add_calibration(graph, model, _add_core(graph, layers.core, inputs))
    if use_case.task == "multiclass":
        _add_classes(graph, score, layers, list(use_case.classes))
        return graph
    flat = graph.column(score, 0)
    graph.output("score", flat, np.dtype("float64"))
    if layers.threshold is not None:
        _add_decision(graph, flat, layers, (use_case.negative, use_case.positive))
    return graph


def _add_core(graph: Graph, core: Any, inputs: dict[str, str]) -> Answer:
    members, weights = members_of(core), getattr(core, "weights", None) or {"": 1.0}
    answers = {name: _add_member(graph, members[name], inputs) for name in weights}
    if len(answers) == 1 and "" in answers:
        return answers[""]
    weighted = [graph.add("Mul", answers[name].score, float(weight)) for name, weight in weights.items()]
    return Answer(graph.add("Sum", *weighted))


def _add_member(graph: Graph, member: Any, inputs: dict[str, str]) -> Answer:
    step, estimator = pipeline_of(member).named_steps.values()
    answer = add_estimator(graph, estimator, add_matrix(graph, step, inputs))
    return Answer(_on_target_scale(graph, member, answer.score)) if isinstance(member, OnTargetScale) else answer


def _on_target_scale(graph: Graph, member: OnTargetScale, value: str) -> str:
    if member.transform == "log1p":
        value = graph.expm1(graph.add("Add", value, float(member.smeared)))
    if member.minimum is not None:
        value = graph.add("Max", value, float(member.minimum))
    return value if member.maximum is None else graph.add("Min", value, float(member.maximum))


def _add_calibration(graph: Graph, model: Any, answer: Answer) -> str:
    """The score after calibration, which is of two classes only."""
    calibrator, given = _calibrator(model), answer.margin or answer.score
    if calibrator is None:
        return answer.score
    if isinstance(calibrator, IsotonicRegression):
        return calibration.add_isotonic(graph, calibrator, given)
    line = graph.add("Add", graph.add("Mul", given, float(-calibrator.a_)), float(-calibrator.b_))
    return graph.add("Sigmoid", line)


def _calibrator(model: Any) -> Any:
    core = take_apart(model).core
    while model is not core:
        if isinstance(model, CalibratedClassifierCV):
            return model.calibrated_classifiers_[0].calibrators[0]
        model = next(getattr(model, name) for name in ("estimator_", "model", "estimator") if hasattr(model, name))
    return None


def _rounding(model: Any) -> float:
    """How much of a score is rounding, as a share of it."""
    estimators = [pipeline_of(member)[-1] for member in members_of(take_apart(model).core).values()]
    return OF_SINGLE if any(map(is_single_precision, estimators)) else OF_DOUBLE


def _add_decision(graph: Graph, score: str, layers: Layers, names: tuple[str | None, str | None]) -> None:
    is_positive = graph.add("GreaterOrEqual", score, float(layers.threshold) * (1 - _rounding(layers.core)))
    decision = graph.as_type(is_positive, "int64")
    if None in names:
        graph.output("decision", decision, np.dtype("int64"))
    else:
        graph.output("decision", graph.add("Gather", np.array(names, dtype=TEXT), decision), TEXT)


def _add_classes(graph: Graph, score: str, layers: Layers, classes: list[str]) -> None:
    """Probability of each class, and the class that is likeliest or costs least."""
    graph.output("score", score, np.dtype("float64"), len(classes))
    if layers.costs is None:
        code = graph.add("ArgMax", score, axis=1, keepdims=0)
    else:
        code = graph.add("ArgMin", graph.add("MatMul", score, np.asarray(layers.costs, dtype="float64")), axis=1, keepdims=0)
    graph.output("decision", graph.add("Gather", np.array(classes, dtype=TEXT), code), TEXT)
