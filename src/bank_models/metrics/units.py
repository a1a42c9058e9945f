"""Sampling units: rows, entities or moments that came into a sample as a whole, and the weights of rows."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np


@dataclass(frozen=True)
class Units:
    """What came into the sample as a whole, when its rows did: each by itself, or those of an entity, of a moment, or both.

    Attributes
    ----------
    entities, moments : ndarray of int of shape (n_rows,), optional
        Codes of whom a row belongs to and of when it happened, these in the order of time.
    horizon : int
        How many moments a target looks ahead: those of fewer moments apart overlap.
    weight : ndarray of float of shape (n_rows,), optional
        How much each row counts; None where all count alike.
    """

    entities: np.ndarray | None = None
    moments: np.ndarray | None = None
    horizon: int = 1
    weight: np.ndarray | None = None

    @cached_property
    def pairs(self) -> np.ndarray:
        """Codes of entity and moment together."""
        both = self.entities.astype("int64") * (int(self.moments.max()) + 1) + self.moments
        return np.unique(both, return_inverse=True)[1]

    def take(self, rows) -> Units:
        """The units of some rows."""
        entities, moments, weight = (
            None if each is None else each[rows] for each in (self.entities, self.moments, self.weight)
        )
        return make_units(entities, moments, self.horizon, weight)


def make_units(entities=None, moments=None, horizon: int = 1, weight=None) -> Units:
    """Units of rows by whom they belong to and when they happened; values of any kind that can be sorted."""
    codes = [None if values is None else np.unique(values, return_inverse=True)[1] for values in (entities, moments)]
    return Units(*codes, horizon, weight)
