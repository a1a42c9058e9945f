"""Rows of a run: the valid ones, and their split."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bank_models.runtime.notebook import Shown

if TYPE_CHECKING:
    from bank_models.data.dataset import Dataset
    from bank_models.data.split import Split
    from bank_models.data.table import Table
    from bank_models.evaluation.leakage import Suspect


@dataclass(frozen=True, repr=False)
class Parts(Shown):
    """The rows of a table, split, and the warnings that this gave.

    Attributes
    ----------
    split : Split
        Positions of the train, val and test rows.
    seeds : tuple of (int or None, int or None)
        By which the rows were split, and by which the use case's own options split them.
    suspects : list of Suspect
        Columns of train that predict the target almost alone: see `bank_models.evaluation.leakage`.
    of_split : list of str
        What is to be said where the two seeds differ.
    """

    split: Split
    seeds: tuple[int | None, int | None]
    suspects: list[Suspect] = field(default_factory=list)
    of_split: list[str] = field(default_factory=list)

    def _shown(self) -> dict[str, str]:
        found = {name: f"{len(getattr(self.split, name)):,} rows" for name in ("train", "val", "test")}
        return found | ({"warnings": " ".join(self.warnings)} if self.warnings else {})

    @property
    def warnings(self) -> list[str]:
        """Sentences that were shown before the fit, for it may not be worth waiting."""
        return [*self.of_split, *map(str, self.suspects)]


@dataclass(frozen=True)
class Rows:
    """What a run is fitted on and tested on.

    Attributes
    ----------
    data : Dataset
        What the source says of its rows.
    table : Table
        The valid ones.
    parts : Parts or None
        None for a clustering, which uses them all.
    """

    data: Dataset
    table: Table
    parts: Parts | None
