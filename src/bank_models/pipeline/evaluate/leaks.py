"""Warnings of a run's rows: target leakage, and a split by another seed."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bank_models.config.schema import TrainingConfig
    from bank_models.data.table import Table
    from bank_models.pipeline.rows import Parts, Rows

log = logging.getLogger(__name__)


def warned(config: TrainingConfig, rows: Rows) -> Rows:
    """Look for what makes a score worth less, and warn at once: the fit may not be worth waiting for."""
    return rows if rows.parts is None else replace(rows, parts=warned_parts(config, rows.table, rows.parts))


def warned_parts(config: TrainingConfig, table: Table, parts: Parts) -> Parts:
    """The parts with the columns of train that give the target away, and what there is to say of another seed."""
    from bank_models.evaluation import leakage, validity

    use_case = config.use_case
    train, y_train = table.view(parts.split.train), table.y[parts.split.train]
    task = "binary" if use_case.task == "anomaly" else use_case.task  # as its labels look
    looked_at = [name for name in use_case.inputs() if name not in use_case.lags]
    suspects = leakage.find(train[looked_at], y_train, task, config.seed, table.times is not None)
    said = validity.of_other_split(*parts.seeds)
    found = replace(parts, suspects=suspects, of_split=[f"Careful: {said}."] if said else [])
    for warning in found.warnings:
        log.warning(warning)
    return found
