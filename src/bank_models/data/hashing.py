"""SHA-256 of a table: its column names, types and values."""

from __future__ import annotations

import hashlib

import numpy as np
import pandas as pd

from bank_models.data.column_store import release


def frame_sha256(frame: pd.DataFrame) -> str:
    """Hash of a table's column names, types and values."""
    digest = hashlib.sha256()
    for name, column in frame.items():
        digest.update(f"{name}:{column.dtype.name}:{len(column)}:".encode())
        if isinstance(column.dtype, pd.CategoricalDtype):
            digest.update("\0".join(map(str, column.cat.categories)).encode())
            column = column.cat.codes
        elif not isinstance(column.dtype, np.dtype) or column.dtype == object:
            column = pd.Series(pd.util.hash_array(column.to_numpy(dtype=object)))
        digest.update(np.ascontiguousarray(column.to_numpy()).view(np.uint8))
        release()
    return digest.hexdigest()
