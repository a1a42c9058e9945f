"""Statistics of scored rows, over all batches."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pandas as pd
from scipy.special import bdtrc

from bank_models.data.derived_columns import notes_on_undefined, undefined
from bank_models.errors import DataError, at_most

if TYPE_CHECKING:
    from bank_models.config.feature import Feature
    from bank_models.config.use_case import UseCase

BY_CHANCE = 0.001


@dataclass
class Tally:
    """Counts over all rows.

    Attributes
    ----------
    n_scored, n_rejected : int
    n_without_history : int
        Scored rows of which a lag is missing.
    unseen : Counter
        By feature: values that the model did not see in fitting.
    missing : Counter
        By feature.
    undefined : Counter
        By derived column: rows that lack it although they have all that it looks at.
    """

    n_scored: int = 0
    n_rejected: int = 0
    n_without_history: int = 0
    unseen: Counter = field(default_factory=Counter)
    missing: Counter = field(default_factory=Counter)
    undefined: Counter = field(default_factory=Counter)

    def count(self, table: pd.DataFrame, use_case: UseCase, seen: Mapping[str, list[str]]) -> None:
        """Add rows that are scored."""
        self.n_scored += len(table)
        for name, feature in use_case.features.items():
            column = table[name]
            if feature.max_missing:
                self.missing[name] += int(column.isna().sum())
            if feature.type == "category" and name in seen:
                self.unseen[name] += n_unseen(column, seen[name])
        if use_case.lags:
            self.n_without_history += int(table[list(use_case.lags)].isna().any(axis=1).sum())
        self.undefined.update(undefined(table, use_case.derived))

    def add(self, other: Tally) -> None:
        """Add what was counted elsewhere."""
        self.n_scored += other.n_scored
        self.n_rejected += other.n_rejected
        self.n_without_history += other.n_without_history
        for name in ("unseen", "missing", "undefined"):
            getattr(self, name).update(getattr(other, name))

    def too_empty(self, features: Mapping[str, Feature]) -> list[str]:
        """Features that lack more values than is declared, and more than chance would explain once in a thousand times."""
        return [
            f"{name}: {count / self.n_scored:.1%} of the values are missing, at most {features[name].max_missing:.1%} may be"
            for name, count in self.missing.items()
            if count and bdtrc(count - 1, self.n_scored, features[name].max_missing) < BY_CHANCE
        ]

    def check_missing(self, features: Mapping[str, Feature]) -> None:
        """Refuse rows that are emptier than the use case declares.

        Raises
        ------
        DataError
        """
        if faults := self.too_empty(features):
            raise DataError(f"{at_most(2, faults, 'features')}\nTo score them nevertheless: on_bad_row=reject")

    def notes(self, features: Mapping[str, Feature]) -> list[str]:
        """One sentence each."""
        found = [
            f"{name}: {_values(count)} not seen in training, scored as the model's encoder treats them."
            for name, count in self.unseen.items()
            if count
        ]
        if self.n_without_history:
            found.append(
                f"{self.n_without_history:,} of {self.n_scored:,} rows lack some of the history that lags look back at."
            )
        found += notes_on_undefined(self.undefined, self.n_scored)
        return [*found, *(f"{fault}." for fault in self.too_empty(features))]


def n_unseen(column: pd.Series, seen: list[str]) -> int:
    """Values of a column of categories that are not among those seen."""
    categories = column.cat.categories
    new = ~categories.isin(seen)
    if not new.any():
        return 0
    codes = column.cat.codes.to_numpy()
    return int(new[codes[codes >= 0]].sum())


def _values(count: int) -> str:
    return "1 value was" if count == 1 else f"{count:,} values were"
