"""Data preparation: load, validate, split."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from bank_models.data import load
from bank_models.data.split import row_keys, split
from bank_models.data.table import make_table
from bank_models.data.weights import check_parts
from bank_models.pipeline.rows import Parts, Rows

if TYPE_CHECKING:
    from bank_models.config.schema import TrainingConfig
    from bank_models.data.table import Table
    from bank_models.runtime.progress import Steps


def prepare(config: TrainingConfig, steps: Steps, declared_seed: int | None = None) -> Rows:
    """Load, validate and split the rows of a run; for `declared_seed`, see `split_table`."""
    use_case = config.use_case
    with steps.step("load"):
        data = load.load(use_case=use_case, memory_budget=config.memory_budget, **config.data_source.model_dump())
    with steps.step("validate"):
        table = make_table(data, use_case)
        data = replace(data, frame=table.valid.frame)  # the given one has had its day
    if use_case.task == "clustering":
        return Rows(data, table, None)
    with steps.step("split"):
        parts = split_table(config, table, declared_seed)
        return Rows(data, table, replace(parts, split=parts.split.kept(data.keep)))


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
    check_parts(found, table.y, table.weight, use_case.task)
    return Parts(found, (chosen.random_state, chosen.random_state if declared_seed is None else declared_seed))
