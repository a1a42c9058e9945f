"""Table: the validated rows of a use case with target, timestamps and groups."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from bank_models.data.column_store import kept, release
from bank_models.data.derived_columns import add_derived, notes_on_undefined, undefined
from bank_models.data.lags import add_lags, naive_forecasts
from bank_models.data.split import known_before
from bank_models.data.table_schema import schema_of
from bank_models.data.validation import Validated, validate
from bank_models.data.view import View
from bank_models.errors import DataError
from bank_models.metrics.units import Units, make_units
from bank_models.runtime.notebook import Shown

if TYPE_CHECKING:
    from bank_models.config.feature import Feature
    from bank_models.config.use_case import UseCase
    from bank_models.data.dataset import Dataset

FEWEST_PER_PERIOD = 5  # rows of one moment, on average, from which a metric is taken moment by moment


@dataclass(frozen=True, repr=False)
class Table(Shown):
    """Valid rows with everything that is computed from rows before they are split.

    Attributes
    ----------
    frame : DataFrame of shape (n_rows, n_columns)
        Features, lags, derived columns, target, time, group and weight column.
    features : mapping of str to Feature
        Declared features, lags and derived columns: what a model may look at.
    y : ndarray of shape (n_rows,), optional
        Class codes from 0, or values.
    times, groups, true_score : ndarray of shape (n_rows, …), optional
    forecasts : dict of str to ndarray of shape (n_rows,)
        Naive forecasts of a series.
    valid : Validated
        What validation gave, with its notes.
    contents : ndarray of uint64 of shape (n_rows,)
        Hash of each row's declared features: equal for copies.
    horizon : int
        How many rows back the newest target is that is known when a row is scored.
    weight : ndarray of float of shape (n_rows,), optional
        How much each row counts.
    """

    frame: pd.DataFrame
    features: Mapping[str, Feature]
    y: np.ndarray | None
    times: np.ndarray | None
    groups: np.ndarray | None
    true_score: np.ndarray | None
    forecasts: dict[str, np.ndarray]
    valid: Validated
    contents: np.ndarray
    horizon: int = 1
    weight: np.ndarray | None = None

    def _shown(self) -> dict[str, str]:
        rows, columns = self.frame.shape
        found = {"rows": f"{rows:,}", "features": str(len(self.features)), "columns": str(columns)}
        return found | ({"notes": " ".join(self.valid.notes)} if self.valid.notes else {})

    def rows(self, positions) -> tuple[pd.DataFrame, np.ndarray]:
        """Table and target of some rows."""
        return self.frame.iloc[positions], self.y[positions]

    def known_before(self, positions, later) -> np.ndarray:
        """Those of some rows whose target is known when the later rows are scored; all, where the others are not later.

        Raises
        ------
        DataError
            If there are none, or none of a class.
        """
        if self.times is None or not self.times[positions].max() < (first := self.times[later].min()):
            return positions
        found = known_before(positions, self.times, first, self.horizon)
        is_class = self.y.dtype.kind == "i"
        if not len(found) or (is_class and len(np.unique(self.y[found])) < len(np.unique(self.y[positions]))):
            raise DataError(
                f"Of {len(positions):,} rows before {pd.Timestamp(first)} the target of {len(found):,} is known by then, "
                f"{self.horizon} moments after its row: {'they lack a class' if len(found) else 'nothing can be learnt'}.\n"
                "Bring more rows, or forecast less far: lags of the target with fewer periods."
            )
        return found

    def view(self, positions) -> View:
        """Some rows without a copy of them."""
        return View(self.frame, positions)

    def periods(self, positions) -> np.ndarray | None:
        """When some rows happened, if so many share a moment that a metric can be taken moment by moment."""
        if self.times is None or len(self.times) < FEWEST_PER_PERIOD * len(np.unique(self.times)):
            return None
        return self.times[positions]

    def units(self, positions) -> Units:
        """What rows came into the sample together: those of a group, those of a moment; and their weights."""
        groups, times = (None if values is None else values[positions] for values in (self.groups, self.times))
        return make_units(groups, times, self.horizon, self.weights(positions))

    def weights(self, positions) -> np.ndarray | None:
        """How much some rows count; None where all count alike."""
        return None if self.weight is None else self.weight[positions]


def make_table(data: Dataset, use_case: UseCase) -> Table:
    """Validate the rows of a source and add what is computed from earlier rows.

    Raises
    ------
    DataError
        If the rows are not what the use case declares.
    """
    valid = validate(data.frame, schema_of(use_case), use_case.duplicates, use_case.rules, data.keep)
    table = table_of(valid, use_case, None if data.true_score is None else data.true_score[valid.rows])
    lacking = notes_on_undefined(undefined(table.frame, use_case.derived), len(table.frame))
    valid = replace(valid, rows=kept(valid.rows, data.keep), notes=[*valid.notes, *lacking])
    return replace(table, valid=valid, contents=kept(table.contents, data.keep))


def table_of(valid: Validated, use_case: UseCase, true_score: np.ndarray | None) -> Table:
    """Add to valid rows what is computed from them: lags, derived columns, naive forecasts, and a hash of what each says."""
    frame, time_column, series = valid.frame, use_case.time_column, use_case.series
    forecasts = naive_forecasts(frame, use_case.target, time_column, **series.model_dump()) if series else {}
    with_lags = add_lags(frame, use_case.lags, time_column) if use_case.lags else frame
    whole = add_derived(with_lags, use_case.derived) if use_case.derived else with_lags
    contents = pd.util.hash_pandas_object(frame[list(use_case.features)], index=False).to_numpy()
    release()
    return Table(
        frame=whole,
        features=use_case.inputs(),
        y=frame[use_case.target].to_numpy() if use_case.target else None,
        times=frame[time_column].to_numpy() if time_column else None,
        groups=frame[use_case.group_column].to_numpy() if use_case.group_column else None,
        true_score=true_score,
        forecasts=forecasts,
        valid=valid,
        contents=contents,
        horizon=use_case.horizon,
        weight=frame[use_case.weight_column].to_numpy() if use_case.weight_column else None,
    )
