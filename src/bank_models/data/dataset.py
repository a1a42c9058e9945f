"""Dataset: rows with their provenance, on their way from a source to the split."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bank_models.data.column_store import Keep, in_memory

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
    true_score : ndarray of shape (n_rows,) or (n_rows, n_classes), optional
        The best answer that knowing the truth gives, which only a simulator can: the probability of the positive or of
        each class that drew the label, the prediction that the use case's metric likes best, the probability of an anomaly.
    true_groups : ndarray of shape (n_rows,), optional
        Codes of the groups that a simulator mixed, of a clustering.
    provenance : dict
        Plain facts for the record: `kind` ("real", "simulated", "file" or "sql"), `source`, `sha256` of the bytes or rows,
        `citation`, `licence` and so on.
    notes : list of str
        What a reader of the results should know about the rows, one sentence each.
    keep : callable
        What keeps columns that are made of these: in memory, or on the disk where they lie there.
    """

    frame: pd.DataFrame
    provenance: dict
    true_score: np.ndarray | None = None
    true_groups: np.ndarray | None = None
    notes: list[str] = field(default_factory=list)
    keep: Keep = in_memory
