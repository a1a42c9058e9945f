"""Scoring of a folder of Parquet files by many workers, a row group each; what comes out is what one process writes."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from bank_models.data import file
from bank_models.data.batches import read_group
from bank_models.data.parquet_columns import ParquetFolder
from bank_models.errors import ConfigError, DataError, TrainingError
from bank_models.runtime.cluster import MOST_AGAIN, Cluster, Connection, held, reason_of
from bank_models.scoring.batch import Job, score_batch
from bank_models.scoring.statistics import Tally

if TYPE_CHECKING:
    from bank_models.scoring.model import ScoringModel

AHEAD = 2  # row groups for each core that are sent, so that none waits for the next


@dataclass
class Part:
    """What came of a row group.

    Attributes
    ----------
    scores, rejects : list of Table
        In the order of the rows.
    tally : Tally
    share_read : float
        Of the folder, with all groups before it.
    """

    scores: list[pa.Table] = field(default_factory=list)
    rejects: list[pa.Table] = field(default_factory=list)
    tally: Tally = field(default_factory=Tally)
    share_read: float = 0.0


def parts_of(cluster: Cluster, model: ScoringModel, job: Job, kinds: Mapping[str, str]) -> Iterator[Part]:
    """The scored row groups of a folder, in their order; few of them are in memory at once.

    Raises
    ------
    ConfigError
        If the input is no folder, or a row looks back at others.
    DataError
        If rows do not fit the declaration: of the first such group.
    TrainingError
        If workers keep ending.
    """
    file.check_path(job.input)
    if not job.input.is_dir():
        raise ConfigError(
            f"launcher=ray scores a folder of Parquet files, but input={job.input} is none: leave launcher=ray out."
        )
    if model.use_case.lags:
        raise ConfigError(
            f"use_case={model.use_case.key} has lags: a row looks back at others, so the table is read whole, by one process.\n"
            "Leave launcher=ray out."
        )
    folder = ParquetFolder(str(job.input))
    file.check_columns(str(job.input), folder.names, list(kinds))
    if not folder.n_rows:
        raise DataError(f"{job.input} has a header but no rows.")
    with cluster.connected() as connection:
        try:
            yield from _in_order(connection, folder, (model, job, kinds))
        except connection.died() as error:
            raise TrainingError(
                f"A worker ended {MOST_AGAIN + 1} times in one row group: {reason_of(error)}. Nothing was written.\n"
                "Type the command again; if memory is short, write the folder in smaller row groups."
            ) from error


def _in_order(connection: Connection, folder: ParquetFolder, task: tuple) -> Iterator[Part]:
    sent, first_row, under_way = [connection.put(task)], 0, deque()
    most = connection.n_threads * (AHEAD if connection.has_all else 1)  # more would use more cores than are allowed
    for group, n_rows in folder.groups():
        if len(under_way) >= most:
            yield _got(connection, folder, *under_way.popleft())
        under_way.append((connection.call(score_group, sent, Path.cwd(), group, first_row), first_row + n_rows))
        first_row += n_rows
    while under_way:
        yield _got(connection, folder, *under_way.popleft())


def _got(connection: Connection, folder: ParquetFolder, reference: Any, n_read: int) -> Part:
    part = connection.get(reference)
    part.share_read = n_read / folder.n_rows
    return part


def score_group(task: list[Any], here: Path, group: tuple[int, int], first_row: int) -> Part:
    """In a worker: score a row group with one thread, as `bank_models.scoring.stream.score_file` would.

    Parameters
    ----------
    task : list of reference
        To the model, the job and the kinds of the columns.
    here : Path
        Where the command was typed.
    group : tuple of int
    first_row : int
        How many rows stand before it.
    """
    os.chdir(here)
    model, job, kinds = held(task)
    model.use_cores(1)
    part, scores, rejects = Part(), Collected(), None if job.rejects is None else Collected()
    for batch in read_group(str(job.input), kinds, job.batch_rows, model.reading, group, first_row):
        score_batch(model, job, kinds, batch, part.tally, scores, rejects)
    part.scores, part.rejects = scores.tables, rejects.tables if rejects else []
    return part


class Collected:
    """Tables that will be written elsewhere."""

    def __init__(self):
        self.tables: list[pa.Table] = []

    def write(self, table: pa.Table) -> None:
        self.tables.append(table)
