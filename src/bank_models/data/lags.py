"""Lag features: earlier values and rolling statistics, within each entity.

They are made on the whole table, before it is split: every row looks back only, so a test row may see the training rows
that lie before it, as it would in use, and no row sees a later one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from bank_models.config.feature import Lag
from bank_models.errors import DataError


@dataclass(frozen=True)
class _Series:
    """The rows of a table, ordered by entity and time.

    Attributes
    ----------
    order : ndarray of shape (n_rows,)
        Positions of the rows in the table.
    first, moment : ndarray of shape (n_rows,)
        Place in `order` of the first row of the same entity, and of the first one of the same entity at the same time.
    """

    order: np.ndarray
    first: np.ndarray
    moment: np.ndarray


def add_lags(frame: pd.DataFrame, lags: Mapping[str, Lag], time_column: str) -> pd.DataFrame:
    """Add a column for each lag.

    A row sees rows of its entity whose time is strictly before its own, so rows of one moment do not see each other and
    all get the same values. Rows that share an earlier moment are counted one by one, the later one in the table as the
    newer. A row that lacks its entity has no history and is nobody's history.

    Parameters
    ----------
    frame : DataFrame of shape (n_rows, n_columns)
        Rows in any order, with the columns and entities that the lags name. It is not changed.
    lags : mapping of str to Lag
        By the name of the new feature.
    time_column : str
        Column of datetime64 without gaps.

    Returns
    -------
    DataFrame of shape (n_rows, n_columns + n_lags)
        The same rows in the same order; new columns are float32, NaN where history is too short or missing.

    Raises
    ------
    DataError
        If a column is absent, not a number, or would be overwritten.
    """
    _check(frame, lags, time_column)
    series = {entity: _series(frame, entity, time_column) for entity in dict.fromkeys(lag.entity for lag in lags.values())}
    return frame.assign(**{name: _lagged(frame[lag.column], lag, series[lag.entity]) for name, lag in lags.items()})


def _check(frame: pd.DataFrame, lags: Mapping[str, Lag], time_column: str) -> None:
    for name, lag in lags.items():
        for column in (lag.column, lag.entity, time_column):
            if column is not None and column not in frame:
                raise DataError(f"lag {name} needs the column {column}, but the table has none of this name.")
        if name in frame:
            raise DataError(f"lag {name} would overwrite a column of this name: give the lag another one.")
        if not pd.api.types.is_numeric_dtype(frame[lag.column]):
            raise DataError(f"lag {name}: {lag.column} holds {frame[lag.column].dtype}, but only numbers can be lagged.")


def _series(frame: pd.DataFrame, entity: str | None, time_column: str) -> _Series:
    times = frame[time_column].to_numpy()
    codes = np.zeros(len(frame), dtype=np.int64) if entity is None else pd.factorize(frame[entity])[0]
    order = np.lexsort((times, codes))  # stable: rows of one moment keep the table's order
    order = order[codes[order] >= 0]
    codes, times = codes[order], times[order]
    is_new_entity = np.append(True, codes[1:] != codes[:-1])[: len(order)]
    is_new_moment = is_new_entity | np.append(True, times[1:] != times[:-1])[: len(order)]
    return _Series(order, _last_true(is_new_entity), _last_true(is_new_moment))


def _last_true(flags: np.ndarray) -> np.ndarray:
    """For each place the nearest one at or before it where the flag is set; the first flag must be."""
    return np.maximum.accumulate(np.where(flags, np.arange(len(flags)), 0))


def _lagged(column: pd.Series, lag: Lag, series: _Series) -> np.ndarray:
    values = column.to_numpy(dtype="float64", na_value=np.nan)[series.order]
    result = np.full(len(column), np.nan, dtype=np.float32)
    result[series.order] = _over_window(values, series, lag) if lag.window else _back(values, series, lag.periods)
    return result


def _back(values: np.ndarray, series: _Series, n_rows: int) -> np.ndarray:
    """The value so many rows before the row's moment, NaN where the entity's history is shorter."""
    place = series.moment - n_rows
    return np.where(place >= series.first, values[np.maximum(place, 0)], np.nan)


def _over_window(values: np.ndarray, series: _Series, lag: Lag) -> np.ndarray:
    """One pass over the rows for each row of the window, so that a result depends on the values in its window alone.

    Running sums are faster for long windows, but keep rounding errors of values that have left the window: the same
    history cut elsewhere would give other bits.
    """
    distances = range(lag.horizon, lag.horizon + lag.window)
    count = np.zeros(len(values), dtype=np.int64)
    total = np.zeros(len(values))
    extreme = np.full(len(values), np.nan)
    farther = {"min": np.fmin, "max": np.fmax}.get(lag.statistic)
    for distance in distances:
        value = _back(values, series, distance)
        count += ~np.isnan(value)
        if farther:
            extreme = farther(extreme, value)
        else:
            total += np.nan_to_num(value)
    if farther:
        found = extreme
    elif lag.statistic == "sum":
        found = total
    else:
        mean = np.divide(total, count, out=np.full(len(values), np.nan), where=count > 0)
        found = mean if lag.statistic == "mean" else _deviation(values, series, distances, mean, count)
    return np.where(count >= lag.min_periods, found, np.nan)


def _deviation(values: np.ndarray, series: _Series, distances: range, mean: np.ndarray, count: np.ndarray) -> np.ndarray:
    squares = np.zeros(len(values))
    for distance in distances:
        squares += np.nan_to_num((_back(values, series, distance) - mean) ** 2)
    variance = np.divide(squares, count - 1, out=np.full(len(values), np.nan), where=count > 1)
    return np.sqrt(variance)


def naive_forecasts(
    frame: pd.DataFrame, target: str, time_column: str, entity: str | None, horizon: int, season: int | None
) -> dict[str, np.ndarray]:
    """Forecasts that need no model: the last value that is known, the value one season back, and that with its growth.

    Parameters
    ----------
    frame : DataFrame of shape (n_rows, n_columns)
        Rows in any order.
    target, time_column : str
    entity : str, optional
        Column that says whose rows make one series.
    horizon : int
        Rows back to the newest target that is known.
    season : int, optional
        Rows in a season.

    Returns
    -------
    dict of str to ndarray of shape (n_rows,)
        "last_value" and, with a season, "seasonal_naive" and "seasonal_growth", the value one season back times what the
        last known value is of the one a season before it (the former alone where one of them is not positive, or unknown);
        NaN where the history is too short.

    References
    ----------
    Hyndman & Athanasopoulos (2021), Forecasting: principles and practice, 3rd edition, section 5.2.
    """
    series = _series(frame, entity, time_column)
    values = frame[target].to_numpy(dtype="float64")[series.order]
    found = {}
    for name, periods in (("last_value", horizon), ("seasonal_naive", season)):
        if periods is not None:
            found[name] = np.full(len(frame), np.nan)
            found[name][series.order] = _back(values, series, periods)
    if season is not None:
        before = np.full(len(frame), np.nan)
        before[series.order] = _back(values, series, horizon + season)
        grows = (before > 0) & (found["last_value"] > 0)
        growth = np.divide(found["last_value"], before, out=np.ones(len(frame)), where=grows)
        found["seasonal_growth"] = found["seasonal_naive"] * growth
    return found
