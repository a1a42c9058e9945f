"""Conformity tests of a model: fit, reproducibility, serialization, declared capabilities."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd

from bank_models.config.feature import Feature
from bank_models.config.schema import Model
from bank_models.conformity.claim import Claim, tried
from bank_models.evaluation.monotone import TOLERANCE, check_directions
from bank_models.models.algorithm import Algorithm
from bank_models.models.early_stopping import Patience
from bank_models.models.estimators import ESTIMATORS
from bank_models.models.wrappers import predict_score
from bank_models.runs import model_file
from bank_models.runtime.device import cuda_devices
from bank_models.training.fit import Recipe, fit, fit_unsupervised

N, N_VAL = 400, 100
MOST_ROUNDS, PATIENCE = 200, 3
LEVEL, LEAST_COVERED, MOST_COVERED = 0.9, 0.8, 0.98  # of rows that were fitted on
UNSUPERVISED = ("clustering", "anomaly")
WEIGHT = "weight"
FEATURES = {
    "income": Feature(type="float", monotone=1),
    "age": Feature(type="float", max_missing=0.5),
    "region": Feature(type="category"),
}


def judge(model: Model, task: str) -> list[Claim]:
    """Try a model with one of its tasks."""
    algorithm = ESTIMATORS[model.estimator[task]]
    return tried(f"model={model.name}, {task}", _claims(algorithm, model, task))


def _claims(algorithm: Algorithm, model: Model, task: str) -> Iterator[tuple[str, Callable[[], str]]]:
    recipe = recipe_of(model, task)
    yield "answers every row", partial(_answers, recipe)
    yield "gives the same bits again, with two threads too", partial(_repeats, recipe)
    yield "is saved and read", partial(_is_read, recipe)
    if task in UNSUPERVISED:
        return
    if model.trains_in_rounds:
        yield "rounds: stopped early is trained that long", partial(_rounds, recipe, algorithm)
    if model.keeps_monotone and task != "multiclass":
        yield "monotone: directions are kept", partial(_directions, recipe)
    if algorithm.quantile is not None and task == "regression":
        yield f"quantiles: {LEVEL} is above nine rows of ten", partial(_covers, recipe)
    if algorithm.takes_missing:
        yield "missing values are read", partial(_answers, replace(recipe, imputer=None))
    if algorithm.takes_weights:
        yield "weights: rows that count more change it", partial(_weighs, recipe, replace(recipe, weight_column=WEIGHT))
    if algorithm.takes_weights and task != "regression":
        yield "weights: balanced classes change it", partial(_weighs, recipe, replace(recipe, class_weight="balanced"))
    if algorithm.takes_device and cuda_devices():
        yield "device: trains on CUDA", partial(_answers, replace(recipe, device="cuda"))


def recipe_of(model: Model, task: str) -> Recipe:
    """A model as it stands in its file, for the drawn rows."""
    return Recipe(
        task=task,
        estimator=model.estimator[task],
        params=model.params,
        features=FEATURES,
        **model.preprocessing.model_dump(),
        is_monotone=False,
        patience=None,
        random_state=0,
        n_threads=1,
    )


def rows(task: str, has_gaps: bool = True) -> tuple[pd.DataFrame, np.ndarray]:
    """Rows whose target depends on income and region; a tenth of the ages is missing."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "income": rng.normal(size=N),
            "age": np.where((rng.random(N) < 0.1) & has_gaps, np.nan, rng.normal(size=N)),
            "region": pd.Categorical(rng.choice(["north", "south", "east"], N)),
        }
    ).assign(**{WEIGHT: np.where(np.arange(N) % 3 == 0, 5.0, 1.0)})
    signal = frame.income.to_numpy() + (frame.region == "north").to_numpy() + 0.5 * rng.normal(size=N)
    match task:
        case "binary":
            return frame, (signal > 1).astype(np.int8)
        case "multiclass":
            return frame, np.digitize(signal, [-0.5, 1.0]).astype(np.int8)
        case _:
            return frame, np.exp(0.3 * signal)


def _fitted(recipe: Recipe, **how) -> Any:
    frame, y = rows(recipe.task)
    return fit_unsupervised(recipe, frame) if recipe.task in UNSUPERVISED else fit(recipe, frame, y, **how).model


def _said(recipe: Recipe, model) -> np.ndarray:
    frame, _ = rows(recipe.task)
    return np.asarray(model.predict(frame) if recipe.task == "clustering" else predict_score(model, frame, recipe.task))


def _answers(recipe: Recipe) -> str:
    said = _said(recipe, _fitted(recipe))
    n_classes = {"multiclass": (3,)}.get(recipe.task, ())
    if said.shape != (N, *n_classes):
        return f"answers of shape {said.shape} instead of {(N, *n_classes)}"
    if not np.isfinite(said).all():
        return f"{np.sum(~np.isfinite(said))} of {said.size} answers are no numbers"
    is_probability = recipe.task in ("binary", "multiclass")
    return "probabilities lie outside 0 and 1" if is_probability and not ((said >= 0) & (said <= 1)).all() else ""


def _repeats(recipe: Recipe) -> str:
    once, *others = (_said(recipe, _fitted(replace(recipe, n_threads=n))) for n in (1, 1, 2))
    return "" if all(np.array_equal(once, other) for other in others) else "two fits of the same rows differ"


def _is_read(recipe: Recipe) -> str:
    model = _fitted(recipe)
    with TemporaryDirectory() as folder:
        path = Path(folder, "model.skops")
        model_file.dump(path, model)
        read = model_file.loads(path.read_bytes())
    return "" if np.array_equal(_said(recipe, read), _said(recipe, model)) else "what is read answers otherwise"


def _rounds(recipe: Recipe, algorithm: Algorithm) -> str:
    frame, y = rows(recipe.task)
    many = {**recipe.params, algorithm.round_parameter: MOST_ROUNDS}
    known = frame[N_VAL:], y[N_VAL:], frame[:N_VAL], y[:N_VAL]
    stopped = fit(replace(recipe, params=many, patience=Patience(PATIENCE, 0.0, True)), *known)
    if stopped.best_iteration >= MOST_ROUNDS:
        return f"it never stopped within {MOST_ROUNDS} rounds"
    whole = fit(replace(recipe, params=many | {algorithm.round_parameter: stopped.best_iteration}), *known[:2])
    is_same = np.array_equal(_said(recipe, stopped.model), _said(recipe, whole.model))
    return "" if is_same else f"stopped at {stopped.best_iteration} rounds it differs from one that was trained so long"


def _directions(recipe: Recipe) -> str:
    frame, y = rows(recipe.task)
    against = replace(recipe, is_monotone=True, features=FEATURES | {"income": Feature(type="float", monotone=-1)})
    for told in (replace(recipe, is_monotone=True), against):
        model = fit(told, frame, y).model
        if any(step > TOLERANCE for step in check_directions(model, told.task, frame, told.features, False).values()):
            return f"monotone={told.features['income'].monotone} is broken"
    return ""


def _covers(recipe: Recipe) -> str:
    frame, y = rows(recipe.task)
    covered = float(np.mean(y <= fit(replace(recipe, quantile=LEVEL), frame, y).model.predict(frame)))
    return "" if LEAST_COVERED <= covered <= MOST_COVERED else f"{covered:.0%} of the rows lie below it"


def _weighs(*recipes: Recipe) -> str:
    plain, weighted = (_said(recipe, _fitted(recipe)) for recipe in recipes)
    return "the weights of rows change nothing" if np.array_equal(plain, weighted) else ""
