"""Wide to long: one row for each entity and time."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd


def stack(figures: Mapping[str, pd.DataFrame | pd.Series], time: str, entity: str) -> pd.DataFrame:
    """Rows in order of time and, within a moment, of the entities' names.

    Parameters
    ----------
    figures : mapping of str to DataFrame of shape (n_moments, n_entities), or to Series of shape (n_moments,)
        By the name of the column that it becomes. A Series holds for every entity.
    time, entity : str
        Names of the columns for the index and the columns of the frames.

    Returns
    -------
    DataFrame of shape (n_rows, n_figures + 2)
        `time`, `entity` and a column for each figure. Rows that lack any figure are left out.
    """
    frame = next(figure for figure in figures.values() if isinstance(figure, pd.DataFrame))
    moments, entities = frame.index, sorted(frame.columns)
    columns = {time: moments.repeat(len(entities)), entity: np.tile(np.array(entities, dtype=object), len(moments))}
    for name, figure in figures.items():
        aligned = figure.reindex(moments)
        by_entity = isinstance(figure, pd.DataFrame)
        columns[name] = aligned[entities].to_numpy().ravel() if by_entity else aligned.to_numpy().repeat(len(entities))
    return pd.DataFrame(columns).dropna(ignore_index=True).astype({entity: "str"})
