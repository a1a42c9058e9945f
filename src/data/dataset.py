"""Rows on their way from a source to the split."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd


@dataclass(frozen=True)
class Dataset:
    """What a data source gives.

    Attributes
    ----------
    frame : DataFrame of shape (n_rows, n_features + 1 or 2)
        The declared features, the target and, where the use case names one, the time column; index 0 … n_rows - 1.
    true_score : ndarray of shape (n_rows,), optional
        Probability of the positive class in [0, 1] that drew each label; only a simulator knows it.
    provenance : dict
        Plain facts for the record: `kind` ("real", "simulated" or "file"), `source`, `sha256` of the raw bytes,
        `citation`, `licence` and so on.
    notes : list of str
        What a reader of the results should know about the rows, one sentence each.
    """

    frame: pd.DataFrame
    provenance: dict
    true_score: np.ndarray | None = None
    notes: list[str] = field(default_factory=list)
