"""Batch scoring of a file."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from bank_models.data.batches import Batch, read_batches, to_frame
from bank_models.errors import ConfigError, DataError, TrainingError
from bank_models.evaluation.explain.shapley import RAW_SCORES
from bank_models.files import folders, writing
from bank_models.scoring.model import SCORES, ScoringModel
from bank_models.scoring.statistics import Tally
from bank_models.scoring.writer import TableWriter

if TYPE_CHECKING:
    from bank_models.runtime.cluster import Cluster


@dataclass(frozen=True)
class Job:
    """What to score, how, and where to.

    Attributes
    ----------
    input, output : Path
    rejects : Path, optional
        Where bad rows go; None makes one an error.
    reasons : int
    batch_rows : int
    id_column : str, optional
        None numbers the rows from 1.
    escape_formulas : bool
        Whether CSV is written for spreadsheets: see `bank_models.data.csv_cells`.
    """

    input: Path
    output: Path
    rejects: Path | None = None
    reasons: int = 0
    batch_rows: int = 100_000
    id_column: str | None = None
    escape_formulas: bool = True


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
    for batch in _ahead(_as_one(batches) if model.use_case.lags else batches):
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


def score_batch(model: ScoringModel, job: Job, kinds, batch: Batch, tally: Tally, to_scores, to_rejects) -> None:
    """Score the good rows of a batch, and write them and the bad ones; without a place for bad ones, one is an error."""
    if batch.ragged and not to_rejects:
        row, said = next(iter(batch.ragged.items()))
        raise DataError(
            f"{job.input}: row {row + 1} has {said}.\n"
            "A last row cut short means a cut file: copy it again. Otherwise put cells that hold a comma in double quotes."
        )
    kept, reasons = np.arange(0), {}
    if len(batch.rows):

        def frame_of(positions):
            is_whole = len(positions) == len(batch.rows)
            cells = batch.cells if is_whole else batch.cells.take(pa.array(positions))
            return to_frame(cells.select(list(model.needed)), batch.rows[positions], model.needed)

        checked = model.check(len(batch.rows), frame_of, to_rejects is None)
        kept, reasons = checked.kept, checked.reasons
        table = model.with_history(checked.table) if len(kept) else checked.table
        for first in range(0, len(kept), job.batch_rows):
            part = slice(first, first + job.batch_rows)
            answer = model.score(table.iloc[part], job.reasons, tally)
            if job.id_column in answer:
                raise ConfigError(
                    f"id_column={job.id_column} has the name of a column of the output: give it another in the input."
                )
            to_scores.write(_as_arrow(_ids(job, batch, kept[part]) | answer))
    tally.n_rejected += len(reasons) + len(batch.ragged)
    if to_rejects:
        to_rejects.write(_rejected(batch, reasons))


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


def _ahead(batches: Iterator[Batch]) -> Iterator[Batch]:
    """Read the next batch while one is scored."""
    with ThreadPoolExecutor(1) as reader:
        coming = reader.submit(next, batches, None)
        while (batch := coming.result()) is not None:
            coming = reader.submit(next, batches, None)
            yield batch


def _as_one(batches: Iterable[Batch]) -> Iterator[Batch]:
    """All batches as one."""
    found = list(batches)
    ragged = {row: said for batch in found for row, said in batch.ragged.items()}
    cells = pa.concat_tables(batch.cells for batch in found).unify_dictionaries()
    yield Batch(cells, np.concatenate([batch.rows for batch in found]), ragged)


def _ids(job: Job, batch: Batch, kept: np.ndarray) -> dict[str, Any]:
    if job.id_column is None:
        return {"row": batch.rows[kept] + 1}
    return {job.id_column: _plain(batch.cells[job.id_column]).take(pa.array(kept))}


def _plain(column: pa.ChunkedArray) -> pa.ChunkedArray:
    return column.cast(column.type.value_type) if pa.types.is_dictionary(column.type) else column


def _as_arrow(columns: dict[str, Any]) -> pa.Table:
    n_rows = len(columns["score"])
    return pa.table({name: _array(values, n_rows) for name, values in columns.items()})


def _array(values: Any, n_rows: int) -> Any:
    if isinstance(values, str):
        return pa.repeat(values, n_rows)
    return pa.array(values, pa.string()) if isinstance(values, np.ndarray) and values.dtype == object else values


def _rejected(batch: Batch, reasons: dict[int, str]) -> pa.Table:
    """Bad rows as they came, each with its number and what is wrong with it; those of other lengths without their cells."""
    positions = np.fromiter(reasons, dtype=np.int64, count=len(reasons))
    rows = np.append(batch.rows[positions], np.fromiter(batch.ragged, dtype=np.int64, count=len(batch.ragged)))
    columns = {"row": pa.array(rows + 1), "reasons": pa.array([*reasons.values(), *batch.ragged.values()], pa.string())}
    for name in batch.cells.column_names:
        column = _plain(batch.cells[name])
        cells = column.take(pa.array(positions)).combine_chunks()
        columns[f"input.{name}" if name in columns else name] = pa.concat_arrays(
            [*(cells.chunks if isinstance(cells, pa.ChunkedArray) else [cells]), pa.nulls(len(batch.ragged), column.type)]
        )
    return pa.table(columns)


def _about(model: ScoringModel) -> dict[str, str]:
    task = model.use_case.task
    about = {"use_case": model.use_case.key, "model_version": model.version, "score": SCORES[task]}
    return about | ({"raw_score": RAW_SCORES[task]} if task in RAW_SCORES else {})
