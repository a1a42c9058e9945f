"""Scoring of a batch of rows."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from bank_models.data.batches import Batch, to_frame
from bank_models.errors import ConfigError, DataError
from bank_models.scoring.statistics import Tally

if TYPE_CHECKING:
    from bank_models.scoring.model import ScoringModel


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
