"""Estimator metadata: module, fixed arguments, capabilities."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

MEDIAN = 0.5
SCALED = MappingProxyType({"imputer": "median", "scaler": "standard", "encoder": "one_hot"})
FOR_TREES = MappingProxyType({"imputer": "median", "scaler": None, "encoder": "ordinal"})
AS_THEY_ARE = MappingProxyType({"imputer": None, "scaler": None, "encoder": "native"})


def as_given(params: Mapping[str, Any]) -> dict[str, Any]:
    return dict(params)


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
        Which trainer of `bank_models.models.early_stopping` fits it round by round; with a dot in it, a module of an extension.
    round_parameter : str, optional
        The parameter that says how many rounds there are at most.
    quantile : callable, optional
        Arguments that make it predict a quantile; None where it cannot.
    median : mapping, optional
        Arguments that make it predict the median, where that is the one quantile it can.
    takes_device : bool
        Can be trained on a CUDA device.
    reads_columns : bool
        Looks at the rows; else nothing is made of them.
    keeps_monotone : bool
        Its trainer of rounds tells it the directions of features, and it keeps them.
    monotone : str, optional
        The parameter that takes a direction of each column, where there is no such trainer.
    takes_weights : bool
        Its `fit` takes `sample_weight`.
    takes_missing, takes_sparse : bool
        Reads missing values, and sparse matrices.
    takes_batches : bool
        Its trainer of rounds takes a matrix in batches: see `bank_models.training.batches`.
    takes_shards : bool
        A fit can be spread over several workers: see `bank_models.training.shards`.
    preprocessing : mapping
        What stands in front of it where its model file says nothing: see `bank_models.features.preprocessing.make_features`.
    extra : str, optional
        Extra of `EXTRAS` that must be installed.
    packages : tuple of str
        Whose versions its numbers depend on, beside what every run needs.
    types : tuple of str
        Full names of the classes that a fitted one is made of, beside those that `bank_models.runs.model_file` trusts anyway.
    arguments : callable
        From our parameters to the estimator's.
    """

    module: str
    fixed: Mapping[str, Any] = field(default_factory=dict)
    is_threaded: bool = False
    is_random: bool = True
    scores_in_one_thread: bool = False
    rounds: str | None = None
    round_parameter: str | None = None
    quantile: Callable[[float], dict[str, Any]] | None = None
    median: Mapping[str, Any] | None = None
    takes_device: bool = False
    reads_columns: bool = True
    keeps_monotone: bool = False
    monotone: str | None = None
    takes_weights: bool = True
    takes_missing: bool = False
    takes_sparse: bool = True
    takes_batches: bool = False
    takes_shards: bool = False
    preprocessing: Mapping[str, str | None] = field(default_factory=lambda: SCALED)
    extra: str | None = None
    packages: tuple[str, ...] = ()
    types: tuple[str, ...] = ()
    arguments: Callable[[Mapping[str, Any]], dict[str, Any]] = as_given

    @property
    def can_keep_directions(self) -> bool:
        return self.keeps_monotone or self.monotone is not None

    def can_predict(self, quantile: float) -> bool:
        return self.quantile is not None or (quantile == MEDIAN and self.median is not None)

    def learning(self, quantile: float) -> Mapping[str, Any]:
        """Arguments that make it predict a quantile."""
        return self.quantile(quantile) if self.quantile else self.median
