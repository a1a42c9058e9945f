"""Schema of a table: the columns that a use case declares, as a source reads and validation checks them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bank_models.config.feature import Feature
    from bank_models.config.use_case import UseCase

TARGET_TYPES = {"binary": "bool", "multiclass": "category", "regression": "float"}


@dataclass(frozen=True)
class TableSchema:
    """Columns of a table.

    Attributes
    ----------
    features : mapping of str to Feature
        In the order that models see.
    target : str, optional
        Column without gaps: see `bank_models.data.target`.
    time_column : str, optional
        Dates or ISO 8601 text without gaps; times with an offset become UTC.
    task : {"binary", "multiclass", "regression"}
        What the target is like.
    classes : sequence of str, optional
        Of a multiclass target.
    group_column : str, optional
        Whom a row belongs to; without gaps.
    protected : sequence of str
        Columns for figures on fairness, no features; a value may be missing where somebody did not say.
    positive : str, optional
        The target's value that a source turns into 1 of two classes; without it the target is 0 and 1 already.
    time_format : str, optional
        Of `strptime`, for the time column; None is ISO 8601.
    weight_column : str, optional
        How much a row counts; numbers without gaps, not negative.
    """

    features: Mapping[str, Feature]
    target: str | None = None
    time_column: str | None = None
    task: str = "binary"
    classes: Sequence[str] | None = None
    group_column: str | None = None
    protected: Sequence[str] = ()
    positive: str | None = None
    time_format: str | None = None
    weight_column: str | None = None

    def types(self) -> dict[str, str]:
        """What a source reads the columns as, in the order of its table; the time column as it comes (`time`)."""
        types = {name: feature.type for name, feature in self.features.items()}
        types |= {self.target: TARGET_TYPES.get(self.task, "bool")} if self.target else {}
        types |= {self.time_column: types.get(self.time_column, "time")} if self.time_column else {}
        types |= {self.weight_column: "float"} if self.weight_column else {}
        types |= dict.fromkeys([name for name in (self.group_column, *self.protected) if name], "category")
        return types | ({self.target: "category"} if self.target and self.positive is not None else {})


def schema_of(use_case: UseCase) -> TableSchema:
    """The schema of a use case's table; the labels of anomalies are those of two classes."""
    return TableSchema(
        use_case.features,
        use_case.target,
        use_case.time_column,
        "binary" if use_case.task == "anomaly" else use_case.task,
        use_case.classes,
        use_case.group_column,
        use_case.protected,
        use_case.positive,
        use_case.time_format,
        use_case.weight_column,
    )
