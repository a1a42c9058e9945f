"""Layers of a saved model: threshold, costs, calibration, core."""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.calibration import CalibratedClassifierCV
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import FixedThresholdClassifier
from sklearn.pipeline import Pipeline

from bank_models.models.wrappers import CheapestClass, OnTargetScale, with_threshold


@dataclass(frozen=True)
class Layers:
    """A model taken apart.

    Attributes
    ----------
    threshold : float, optional
        Probability from which a case is positive.
    costs : ndarray, optional
        Of `bank_models.models.wrappers.CheapestClass`.
    is_calibrated : bool
    core : Pipeline, OnTargetScale or ensemble
        What answers before calibration.
    """

    threshold: float | None
    costs: np.ndarray | None
    is_calibrated: bool
    core: Any


def take_apart(model) -> Layers:
    """Find what a model of `bank_models.train` decides by, and what lies below that."""
    threshold = costs = None
    is_calibrated = False
    while True:
        if isinstance(model, FixedThresholdClassifier):
            threshold, model = model.threshold, model.estimator_
        elif isinstance(model, CheapestClass):
            costs, model = model.costs, model.model
        elif isinstance(model, CalibratedClassifierCV):
            is_calibrated, model = True, model.calibrated_classifiers_[0].estimator
        elif isinstance(model, FrozenEstimator):
            model = model.estimator
        else:
            return Layers(threshold, costs, is_calibrated, model)


def around(model, core):
    """The layers of a model around another core, fitted on the same classes: its threshold, costs and calibration."""
    if isinstance(model, FixedThresholdClassifier):
        return with_threshold(around(model.estimator_, core), model.threshold)
    if isinstance(model, CheapestClass):
        return CheapestClass(around(model.model, core), model.costs)
    if isinstance(model, CalibratedClassifierCV):
        (inner,) = model.calibrated_classifiers_
        moved, inner = copy(model), copy(inner)
        moved.estimator = inner.estimator = FrozenEstimator(core)
        moved.calibrated_classifiers_ = [inner]
        return moved
    return around(model.estimator, core) if isinstance(model, FrozenEstimator) else core


def members_of(core) -> Mapping[str, Any]:
    """The models that an ensemble averages, or the one that there is."""
    return getattr(core, "models", None) or {"": core}


def pipeline_of(member) -> Pipeline:
    return member.pipeline if isinstance(member, OnTargetScale) else member


def categories_seen(core) -> dict[str, list[str]]:
    """Values of each category that were found in fitting, by a model that reads categories."""
    for member in members_of(core).values():
        encoder = pipeline_of(member)[0].named_transformers_.get("category")
        if encoder is not None:
            return encoder.seen()
    return {}
