"""Rows of a run: loaded, validated, split."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from src.data import load
from src.data.split import Split, row_keys, split
from src.data.table import make_table

if TYPE_CHECKING:
    from src.config.schema import TrainingConfig
    from src.data.dataset import Dataset
    from src.data.table import Table
    from src.evaluation.leakage import Suspect
    from src.runtime.progress import Steps


@dataclass(frozen=True)
class Parts:
    """The rows of a table, split, and the warnings that this gave.

    Attributes
    ----------
    split : Split
        Positions of the train, val and test rows.
    seeds : tuple of (int or None, int or None)
        By which the rows were split, and by which the use case's own options split them.
    suspects : list of Suspect
        Columns of train that predict the target almost alone: see `src.evaluation.leakage`.
    of_split : list of str
        What is to be said where the two seeds differ.
    """

    split: Split
    seeds: tuple[int | None, int | None]
    suspects: list[Suspect] = field(default_factory=list)
    of_split: list[str] = field(default_factory=list)

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


def prepare(config: TrainingConfig, steps: Steps, declared_seed: int | None = None) -> Rows:
    """Load, validate and split the rows of a run; for `declared_seed`, see `split_table`."""
    use_case = config.use_case
    with steps.step("load"):
        data = load.load(use_case=use_case, **config.data_source.model_dump())
    with steps.step("validate"):
        table = make_table(data, use_case)
    if use_case.task == "clustering":
        return Rows(data, table, None)
    with steps.step("split"):
        return Rows(data, table, split_table(config, table, declared_seed))


def split_table(config: TrainingConfig, table: Table, declared_seed: int | None = None) -> Parts:
    """Split a table as its configuration says.

    Parameters
    ----------
    config : TrainingConfig
    table : Table
        With a target.
    declared_seed : int, optional
        By which the use case's own options split the rows; a run with another seed is an experiment. None takes the
        configured one for it.
    """
    use_case, chosen = config.use_case, config.data_split
    keys = row_keys(table.frame, use_case.group_column) if chosen.method == "hashed" else table.groups
    found = split(table.y, **chosen.how, task=use_case.task, times=table.times, keys=keys, contents=table.contents)
    return Parts(found, (chosen.random_state, chosen.random_state if declared_seed is None else declared_seed))
