"""Splitting step of a run, with the leak check."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from src.data.split import Split, overlap, row_keys, split
from src.evaluation import drift, leakage, looks, validity
from src.runs import writer

if TYPE_CHECKING:
    from src.config.schema import TrainingConfig
    from src.data.table import Table

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Parts:
    """The rows of a table, split, and the warnings that this gave.

    Attributes
    ----------
    split : Split
        Positions of the train, val and test rows.
    suspects : list of Suspect
        Columns of train that predict the target almost alone: see `src.evaluation.leakage`.
    seeds : tuple of (int or None, int or None)
        By which the rows were split, and by which the use case's own options split them.
    of_split : list of str
        What is to be said where the two differ.
    """

    split: Split
    suspects: list[leakage.Suspect]
    seeds: tuple[int | None, int | None]
    of_split: list[str]

    @property
    def warnings(self) -> list[str]:
        """Sentences that were shown before the fit, for it may not be worth waiting."""
        return [*self.of_split, *map(str, self.suspects)]

    def facts(self, table: Table, reference: dict[str, Any]) -> dict[str, Any]:
        """What the record says of the split: rows, overlap of test with train, drift of its features."""
        test = table.frame.iloc[self.split.test]
        return {
            **writer.facts_of_parts(self.split, table.y),
            **dict(zip(("random_state", "declared_random_state"), self.seeds, strict=True)),
            "overlap": overlap(self.split, table.contents, table.y, table.times, table.groups),
            "drift": {name: drift.psi(was, test[name]) for name, was in reference["features"].items()},
        }


def split_table(config: TrainingConfig, table: Table, declared_seed: int | None) -> Parts:
    """Split a table as its configuration says, look for leaks in the train rows, and warn at once.

    Parameters
    ----------
    config : TrainingConfig
    table : Table
        With a target.
    declared_seed : int, optional
        By which the use case's own options split the rows; a run with another seed is an experiment.
    """
    use_case, chosen = config.use_case, config.data_split
    keys = row_keys(table.frame, use_case.group_column) if chosen.method == "hashed" else table.groups
    how = chosen.how
    found = split(table.y, **how, task=use_case.task, times=table.times, keys=keys, contents=table.contents)
    train, y_train = table.rows(found.train)
    task = "binary" if use_case.task == "anomaly" else use_case.task  # as its labels look
    suspects = leakage.find(train[list(use_case.features)], y_train, task, config.seed, table.times is not None)
    seeds = chosen.random_state, declared_seed
    said = validity.of_other_split(*seeds)
    parts = Parts(found, suspects, seeds, [f"Careful: {said}."] if said else [])
    for warning in parts.warnings:
        log.warning(warning)
    return parts


def announce(parts: Parts, facts: dict[str, Any]) -> None:
    """Print the notes of a run that were not shown before the fit, and how often its test rows were looked at."""
    for note in facts["notes"]:
        if note not in parts.warnings:
            log.info(note)
    if said := looks.said(facts["looks"]):
        log.info(said)
