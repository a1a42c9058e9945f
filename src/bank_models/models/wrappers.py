"""Wrappers of a fitted pipeline: target transformation, decision threshold, decisions by cost."""

from __future__ import annotations

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import FixedThresholdClassifier
from sklearn.pipeline import Pipeline

from bank_models.metrics.threshold import cheapest_class

TO_LEARN = {"log1p": np.log1p}
FROM_LEARNT = {"log1p": np.expm1}


class OnTargetScale(RegressorMixin, BaseEstimator):
    """A fitted regression pipeline whose predictions are turned back and kept within bounds.

    scikit-learn's TransformedTargetRegressor refits what is stopped early here, has no bounds, and saves functions.

    Parameters
    ----------
    pipeline : Pipeline
        Fitted on the transformed target.
    transform : {"log1p", None}
    minimum, maximum : float, optional
    smeared : float
        Added to what the pipeline says before it is turned back: see `smearing`.
    """

    smeared = 0.0  # of models that were saved before there was one

    def __init__(self, pipeline, transform: str | None, minimum: float | None, maximum: float | None, smeared: float = 0.0):
        self.pipeline = pipeline
        self.transform = transform
        self.minimum = minimum
        self.maximum = maximum
        self.smeared = smeared

    def predict(self, X):
        return self.on_target_scale(self.pipeline.predict(X))

    def on_target_scale(self, y_pred) -> np.ndarray:
        """What the pipeline says, turned back and kept within bounds."""
        return on_target_scale(y_pred, self.transform, self.minimum, self.maximum, self.smeared)

    def __sklearn_is_fitted__(self):
        return True


def on_target_scale(
    y_pred, transform: str | None, minimum: float | None, maximum: float | None, smeared: float = 0.0
) -> np.ndarray:
    """Turn predictions back and keep them within bounds: see `OnTargetScale`."""
    y_pred = np.asarray(y_pred, dtype="float64")
    y_pred = FROM_LEARNT[transform](y_pred + smeared) if transform else y_pred
    return y_pred if minimum is None and maximum is None else np.clip(y_pred, minimum, maximum)


def predict_score(model, frame, task: str) -> np.ndarray:
    """A fitted model's scores, as `bank_models.metrics.scores.Prediction.score` describes them for each task.

    A view's rows (`bank_models.data.view`) are scored batch by batch.
    """
    if hasattr(type(frame), "batches"):  # of the type: a frame may have a column of this name
        return np.concatenate([predict_score(model, batch, task) for batch in frame.batches()])
    if task == "regression":
        return model.predict(frame)
    if task == "anomaly":
        return model.score_samples(frame)
    probability = model.predict_proba(frame)
    return probability[:, 1] if task == "binary" else probability


def with_threshold(model: Pipeline, threshold: float) -> FixedThresholdClassifier:
    """A fitted model whose `predict` decides at a threshold instead of at 0.5; its probabilities stay as they are."""
    decided = FixedThresholdClassifier(FrozenEstimator(model), threshold=threshold, response_method="predict_proba")
    return decided.fit(None, [0, 1])


class CheapestClass(ClassifierMixin, BaseEstimator):
    """A fitted classifier that decides for the class of least expected cost; its probabilities stay as they are.

    Parameters
    ----------
    model : classifier
        Fitted on class codes from 0.
    costs : ndarray of shape (n_classes, n_classes)
        Of each true class (row) when a class (column) is decided for.

    References
    ----------
    Elkan (2001), The foundations of cost-sensitive learning, IJCAI, 973-978.
    """

    def __init__(self, model, costs):
        self.model = model
        self.costs = costs

    def predict_proba(self, X) -> np.ndarray:
        return self.model.predict_proba(X)

    def predict(self, X) -> np.ndarray:
        return self.classes_[cheapest_class(self.predict_proba(X), self.costs)]

    @property
    def classes_(self) -> np.ndarray:
        return self.model.classes_

    def __sklearn_is_fitted__(self):
        return True
