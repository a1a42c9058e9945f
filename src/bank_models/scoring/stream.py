"""Batch scoring of a file."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from bank_models.data.batches import Batch, read_batches
from bank_models.errors import DataError, TrainingError
from bank_models.evaluation.explain.shapley import RAW_SCORES
from bank_models.files import folders, writing
from bank_models.runtime.threads import ahead
from bank_models.scoring.batch import Job, score_batch
from bank_models.scoring.model import SCORES, ScoringModel
from bank_models.scoring.statistics import Tally
from bank_models.scoring.writer import TableWriter

if TYPE_CHECKING:
    from bank_models.runtime.cluster import Cluster


def score_file(
    model: ScoringModel, job: Job, advance: Callable[[float], None] = lambda share: None, cluster: Cluster | None = None
) -> Tally:
    """Score the rows of a file; its output is whole or absent.

    With lags the rows are read whole, because each looks back at earlier ones; else memory does not grow with their number.

    Parameters
    ----------
    model : ScoringModel
    job : Job
    advance : callable
        Told the share of the input that was scored.
    cluster : Cluster, optional
        Whose workers score a folder of Parquet files.

    Returns
    -------
    Tally

    Raises
    ------
    DataError
        If the input cannot be read or its rows do not fit the declaration.
    """
    model.check_reasons(job.reasons)
    kinds = model.needed
    if job.id_column and job.id_column not in kinds:
        kinds = kinds | {job.id_column: "id"}
    tally = Tally()
    score = _score_here if cluster is None else partial(_score_on, cluster)
    try:
        with _staged(job.output) as scores, _staged(job.rejects) as rejected:
            with (
                TableWriter(scores, job.output.name, _about(model), job.escape_formulas) as to_scores,
                _rejects(rejected, job) as to_rejects,
            ):
                score(model, job, kinds, tally, to_scores, to_rejects, advance)
            if rejected:
                _publish(rejected, job.rejects)
            if not tally.n_scored:
                raise DataError(f"None of the {tally.n_rejected:,} rows of {job.input} can be scored: {job.rejects} says why.")
            if job.rejects is None:
                tally.check_missing(model.use_case.features)
            _publish(scores, job.output)
    except OSError as error:
        raise TrainingError(f"{job.output} cannot be written: {error.strerror or error}.") from error
    return tally


def _score_here(model: ScoringModel, job: Job, kinds, tally: Tally, to_scores, to_rejects, advance) -> None:
    batches = read_batches(str(job.input), kinds, job.batch_rows, model.reading)
    for batch in ahead(_as_one(batches) if model.use_case.lags else batches):
        score_batch(model, job, kinds, batch, tally, to_scores, to_rejects)
        advance(batch.share_read)


def _score_on(cluster: Cluster, model: ScoringModel, job: Job, kinds, tally: Tally, to_scores, to_rejects, advance) -> None:
    from bank_models.scoring.spread import parts_of

    for part in parts_of(cluster, model, job, kinds):
        for table in part.scores:
            to_scores.write(table)
        for table in part.rejects if to_rejects else ():
            to_rejects.write(table)
        tally.add(part.tally)
        advance(part.share_read)


@contextlib.contextmanager
def _staged(path: Path | None) -> Iterator[Path | None]:
    """A place beside a file for its bytes until they are whole."""
    if path is None:
        yield None
        return
    folders.remove_abandoned(path.parent, path.name)
    with folders.scratch(f".{path.name}-{os.getpid()}-", path.parent) as folder:
        yield folder / "rows"


def _publish(staged: Path, path: Path) -> None:
    writing.sync(staged)
    staged.replace(path)
    writing.sync(path.parent)


def _rejects(staged: Path | None, job: Job):
    return TableWriter(staged, job.rejects.name, {}, job.escape_formulas) if staged else contextlib.nullcontext()


def _as_one(batches: Iterable[Batch]) -> Iterator[Batch]:
    """All batches as one."""
    found = list(batches)
    ragged = {row: said for batch in found for row, said in batch.ragged.items()}
    cells = pa.concat_tables(batch.cells for batch in found).unify_dictionaries()
    yield Batch(cells, np.concatenate([batch.rows for batch in found]), ragged)


def _about(model: ScoringModel) -> dict[str, str]:
    task = model.use_case.task
    about = {"use_case": model.use_case.key, "model_version": model.version, "score": SCORES[task]}
    return about | ({"raw_score": RAW_SCORES[task]} if task in RAW_SCORES else {})
