"""Checks of pipelines, calibration, thresholds and ensembles."""

from __future__ import annotations

from typing import Any

import numpy as np

from bank_models.runs.model_checks.attributes import check_kind, classes_of, fitted, is_finite, name_of
from bank_models.runs.model_checks.fault import need
from bank_models.runs.model_checks.sklearn_trees import check_tree

AROUND = {
    "sklearn.calibration.CalibratedClassifierCV", "sklearn.frozen._frozen.FrozenEstimator",
    "bank_models.models.ensemble.EnsembleClassifier",
    "sklearn.model_selection._classification_threshold.FixedThresholdClassifier",
    "bank_models.models.ensemble.EnsembleRegressor", "bank_models.models.wrappers.OnTargetScale",
    "bank_models.models.wrappers.CheapestClass",
}  # fmt: skip
TREES = ("DecisionTreeClassifier", "DecisionTreeRegressor", "ExtraTreeClassifier", "ExtraTreeRegressor")
CLASSIFIERS = ("Pipeline", "EnsembleClassifier")
ROUNDING = 1e-6


def check_pipeline(one: Any) -> None:
    steps = one.steps
    need(isinstance(steps, list) and len(steps) > 0, "a pipeline has no steps")
    need(all(isinstance(step, tuple) and len(step) == 2 and isinstance(step[0], str) for step in steps), "a step is none")
    need(len({name for name, _ in steps}) == len(steps) and one.memory is None, "a pipeline has an unusual form")
    need(not any(name_of(type(step)) in AROUND for _, step in steps), "a model is one of its own steps")
    for _, step in steps:
        if type(step).__name__ in TREES:
            check_tree(step)


def check_on_target_scale(one: Any) -> None:
    from bank_models.models.wrappers import FROM_LEARNT

    check_kind(one.pipeline, "Pipeline")
    need(one.transform is None or one.transform in FROM_LEARNT, "a target is turned back in an unknown way")
    for bound in (one.minimum, one.maximum):
        is_number = isinstance(bound, int | float) and not isinstance(bound, bool)
        need(bound is None or (is_number and bool(np.isfinite(bound))), "a target has unusual bounds")
    need(isinstance(one.smeared, float) and bool(np.isfinite(one.smeared)), "a target is smeared by no number")


def check_ensemble(one: Any) -> None:
    models, weights = one.models, one.weights
    need(isinstance(models, dict) and isinstance(weights, dict) and len(models) > 0, "an ensemble has no models")
    need(set(models) == set(weights), "an ensemble has other weights than models")
    values = list(weights.values())
    need(all(isinstance(weight, int | float) and 0 < weight <= 1 for weight in values), "an ensemble has an unusual weight")
    need(abs(sum(values) - 1) < ROUNDING, "the weights of an ensemble are not 1 in all")
    for model in models.values():
        check_kind(model, "Pipeline", "OnTargetScale")


def check_cheapest(one: Any) -> None:
    check_kind(one.model, *CLASSIFIERS, "CalibratedClassifierCV", "FrozenEstimator")
    n_classes = len(one.model.classes_)
    need(is_finite(one.costs, n_classes, n_classes), "costs are of other classes")


def check_threshold(one: Any) -> None:
    if (found := fitted(one, "estimator_")) is None:
        return
    check_kind(found[0], "FrozenEstimator")
    need(isinstance(one.threshold, float) and bool(np.isfinite(one.threshold)), "a threshold is no number")
    need(one.response_method == "predict_proba" and one.pos_label is None, "a threshold is of something unusual")


def check_frozen(one: Any) -> None:
    check_kind(one.estimator, *CLASSIFIERS, "CalibratedClassifierCV")


def check_calibrated(one: Any) -> None:
    if (found := fitted(one, "calibrated_classifiers_")) is None:
        return
    need(isinstance(found[0], list) and len(found[0]) == 1 and one.ensemble is False, "a calibration has several models")
    (inner,), n_classes = found[0], classes_of(one)
    check_kind(inner, "_CalibratedClassifier")
    check_kind(inner.estimator, "FrozenEstimator")
    check_kind(inner.estimator.estimator, *CLASSIFIERS)
    need(np.array_equal(inner.classes, one.classes_), "a calibration is of other classes")
    need(inner.method in ("sigmoid", "isotonic") and isinstance(inner.calibrators, list), "a calibration has no curves")
    need(len(inner.calibrators) == (1 if n_classes == 2 else n_classes), "a calibration has other curves than classes")
    for curve in inner.calibrators:
        check_kind(curve, "_SigmoidCalibration", "IsotonicRegression")


def check_sigmoid(one: Any) -> None:
    need(bool(np.isfinite([one.a_, one.b_]).all()), "a calibration is no number")


def check_isotonic(one: Any) -> None:
    if (found := fitted(one, "X_thresholds_", "y_thresholds_")) is not None:
        x, y = found
        need(is_finite(x, None) and is_finite(y, len(x)) and len(x) > 0, "a calibration has an unusual curve")
        need(bool((np.diff(x) >= 0).all()), "a calibration has an unusual curve")
