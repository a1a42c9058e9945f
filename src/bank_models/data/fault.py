"""Fault of a table: the rows and the sentence."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Fault:
    """What is wrong with a column.

    Attributes
    ----------
    column : str
    said : str
        How many values, and where the first one is.
    bad : ndarray of bool of shape (n_rows,), optional
        Which cells; None if it is the column as a whole.
    what : str
        What is wrong with one of them.
    """

    column: str
    said: str
    bad: np.ndarray | None = None
    what: str = ""
