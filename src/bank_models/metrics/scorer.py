"""The scorer of a use case: its primary metric, task, classes and quantile."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bank_models.metrics.influence import value_of
from bank_models.metrics.intervals import Estimate, estimate
from bank_models.metrics.names import as_score
from bank_models.metrics.scores import Prediction, compute, decide, statistic_of
from bank_models.metrics.units import Units


@dataclass(frozen=True)
class Scorer:
    """How the predictions for a use case are measured.

    Attributes
    ----------
    metric : str
        The primary one.
    task : {"binary", "multiclass", "regression", "anomaly"}
    kinds : tuple of str
        What the target is beyond its task: see `bank_models.metrics.names.Metric.needs`.
    quantile : float, optional
        Level that is predicted instead of the mean.
    classes : tuple of str
        Of a multiclass target, in the order of its codes.
    """

    metric: str
    task: str
    kinds: tuple[str, ...] = ()
    quantile: float | None = None
    classes: tuple[str, ...] = ()

    @property
    def n_classes(self) -> int:
        """How many classes the target has; 0 of a number."""
        return 0 if self.task == "regression" else len(self.classes) or 2

    @property
    def truth(self) -> str:
        """What a simulation's true score is: see `bank_models.metrics.names.Metric.optimum`."""
        return statistic_of(self.metric, self.quantile) if self.task == "regression" else "probability"

    def score(self, y_true, prediction: Prediction, periods=None, weight=None) -> float:
        """The primary metric, higher is better."""
        return as_score(self.metric, compute([self.metric], y_true, prediction, self.quantile, periods, weight)[self.metric])

    def value(self, y_true, prediction: Prediction, periods=None, weight=None) -> float:
        """The primary metric in its own sign."""
        return value_of(self.metric, y_true, prediction, self.n_classes, self.quantile, periods, weight)

    def estimate(self, y_true, prediction: Prediction, units: Units, periods=None, rows=None) -> Estimate:
        """The primary metric and by how much each row moves it: see `bank_models.metrics.intervals.estimate`."""
        return estimate(self.metric, y_true, prediction, self.n_classes, units, self.quantile, periods, rows)


def make_scorer(
    metric: str, task: str, y, classes: list[str] | None = None, is_ordered: bool = False, quantile: float | None = None
) -> Scorer:
    """Find out what kind of target `y` is."""
    kinds = {
        "quantile": quantile is not None,
        "ordered": is_ordered,
        "many_classes": task == "multiclass" and len(classes) > 3,
        "non_negative": task == "regression" and float(np.min(y)) >= 0,
    }
    return Scorer(metric, task, tuple(kind for kind, holds in kinds.items() if holds), quantile, tuple(classes or ()))


def likeliest(scorer: Scorer, score: np.ndarray) -> Prediction:
    """Decisions for the likeliest class, of the truth behind a simulation: two are told apart at one half."""
    return decide(scorer.task, score, threshold=0.5 if scorer.task in ("binary", "anomaly") else None)
