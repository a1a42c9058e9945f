"""CatBoost, round by round: see `bank_models.models.early_stopping`."""

from __future__ import annotations

from bank_models.models.early_stopping import Matrix, OnRound, Part, Patience


def train(estimator, loss, rows: Part, parts, patience: Patience | None, matrix: Matrix, on_round: OnRound | None):
    return estimator.train(rows, parts, patience, matrix.is_category, matrix.monotone, on_round)
