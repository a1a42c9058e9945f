"""scikit-learn's HistGradientBoosting, round by round: see `bank_models.models.early_stopping`."""

from __future__ import annotations

import numpy as np

from bank_models.models.early_stopping import Matrix, OnRound, Part, Patience


def train(estimator, loss, rows: Part, parts, patience: Patience | None, matrix: Matrix, on_round: OnRound | None):
    """scikit-learn compares the last rounds with one another where patience compares with the best, and keeps them all."""
    val = next((part for part in parts if part.name == "val"), None)
    estimator.set_params(
        early_stopping=val is not None,
        categorical_features=matrix.is_category if any(matrix.is_category) else None,
        monotonic_cst=list(matrix.monotone) if any(matrix.monotone) else None,
    )
    if val is None:
        estimator.fit(rows.X, rows.y, sample_weight=rows.weight)
        return {}, estimator.n_iter_
    best = [0, np.inf]

    def should_stop(scores) -> bool:
        n_rounds, value = len(scores) - 1, _in_unit_of(loss, -scores[-1])  # the first score is that of no round
        if n_rounds and on_round:
            on_round({"train": _in_unit_of(loss, -estimator.train_score_[-1]), "val": value})
        if patience is None or n_rounds == 0:
            return False
        if value < best[1] - patience.min_delta:
            best[:] = n_rounds, value
        return n_rounds - best[0] >= patience.rounds

    estimator._should_stop = should_stop  # no public setting says what counts as an improvement
    estimator.fit(rows.X, rows.y, sample_weight=rows.weight, X_val=val.X, y_val=val.y, sample_weight_val=val.weight)
    del estimator._should_stop
    recorded = {"train": estimator.train_score_, "val": estimator.validation_score_}
    losses = {part.name: [_in_unit_of(loss, -score) for score in recorded[part.name][1:]] for part in parts}
    if patience and patience.restore_best_weights:
        estimator._predictors = estimator._predictors[: best[0]]
        estimator.train_score_ = estimator.train_score_[: best[0] + 1]
        estimator.validation_score_ = estimator.validation_score_[: best[0] + 1]
    return losses, estimator.n_iter_


def _in_unit_of(loss: str, value: float) -> float:
    """scikit-learn halves the squared error."""
    return float(np.sqrt(2 * value)) if loss == "rmse" else float(value)
