"""Fitted transformers of extensions: declaration and table."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from bank_models.extensions.table import Table

FEATURE_TYPES = ("float", "int", "bool", "category", "text", "date")


@dataclass(frozen=True)
class Transformer:
    """A scikit-learn transformer that takes the place of the usual preprocessing of some columns.

    It is fitted on the training rows of each fold. Each of its output columns belongs to one column that it takes: its name
    in `get_feature_names_out` is that column's, or begins with it and an underscore. So reasons and importance know it.

    Attributes
    ----------
    make : callable
        The class: called with the parameters of the use case, it gives an unfitted transformer.
    takes : tuple of str
        Types of the features that it can take.
    uses_target : bool
        Learns from the target, by a `fit_transform` that lets no row see its own: not for clusters and anomalies.
    keeps_order : bool
        Gives one column for each that it takes, which never falls where that rises: so a direction of the feature holds.
    types : tuple of str
        Full names of the classes that a fitted one is made of, beside those that `bank_models.runs.model_file` trusts anyway.
    packages : tuple of str
        Whose versions its numbers depend on, beside what every run needs.
    """

    make: Callable[..., Any]
    takes: tuple[str, ...] = ("float", "int", "bool")
    uses_target: bool = False
    keeps_order: bool = False
    types: tuple[str, ...] = ()
    packages: tuple[str, ...] = ()


OURS: Mapping[str, Transformer] = {}
TRANSFORMERS: Table[Transformer] = Table(OURS, "features", Transformer)
