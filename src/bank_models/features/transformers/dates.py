"""Date features: calendar parts and cyclic encodings."""

from __future__ import annotations

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin

from bank_models.features.transformers.matrix import MatrixColumn

DATE_PARTS = ("year", "month", "day", "weekday", "day_of_year", "is_month_end", "days_since_1970")
DATE_CYCLES = ("year_sin", "year_cos", "week_sin", "week_cos")


class DateParts(TransformerMixin, BaseEstimator):
    """Dates as numbers: year, month, day of month, weekday (Monday is 0), day of year, whether a month ends, and days.

    Days count from 1970-01-01 rather than from the first training date: nothing is learned, so no fold can differ.

    Parameters
    ----------
    is_linear : bool
        For models that see only straight lines: adds sine and cosine of the year and of the week.
    flags_missing : bool
        For models that cannot see a missing value: a column of 0 and 1 for each date that lacks values in fitting.
    dtype : {"float32", "float64"}
        Of the output.
    """

    def __init__(self, is_linear: bool = False, flags_missing: bool = False, dtype: str = "float32"):
        self.is_linear = is_linear
        self.flags_missing = flags_missing
        self.dtype = dtype

    def fit(self, X, y=None):
        self.n_features_in_ = X.shape[1]
        self.feature_names_in_ = np.asarray(X.columns, dtype=object)
        self.has_indicator_ = X.isna().any().to_numpy() & self.flags_missing
        return self

    def transform(self, X):
        blocks = [self._parts(X.iloc[:, i], has) for i, has in enumerate(self.has_indicator_)]
        return np.column_stack(blocks).astype(self.dtype, copy=False)

    def get_feature_names_out(self, input_features=None):
        return np.asarray([column.name for column in self.columns()], dtype=object)

    def columns(self) -> list[MatrixColumn]:
        """What stands in the output, column by column."""
        parts = DATE_PARTS + (DATE_CYCLES if self.is_linear else ())
        found = []
        for name, has_indicator in zip(self.feature_names_in_, self.has_indicator_, strict=True):
            found += [MatrixColumn(f"{name}.{part}", name) for part in parts]
            found += [MatrixColumn(f"{name}=(missing)", name)] if has_indicator else []
        return found

    def _parts(self, column, has_indicator: bool) -> np.ndarray:
        dates = pd.to_datetime(column).dt
        day, weekday = dates.day_of_year, dates.day_of_week
        since_1970 = dates.as_unit("s").to_numpy().astype("datetime64[D]").astype("int64")
        parts = [dates.year, dates.month, dates.day, weekday, day, dates.is_month_end, since_1970]
        if self.is_linear:
            of_year, of_week = 2 * np.pi * (day - 1) / 365.25, 2 * np.pi * weekday / 7
            parts += [np.sin(of_year), np.cos(of_year), np.sin(of_week), np.cos(of_week)]
        missing = column.isna().to_numpy()
        values = np.column_stack([np.asarray(part, dtype=float) for part in parts])
        values[missing] = np.nan
        return np.column_stack([values, missing]) if has_indicator else values
