"""The neural network, epoch by epoch: see `bank_models.models.early_stopping`."""

from __future__ import annotations

from bank_models.models.early_stopping import Matrix, OnRound, Part, Patience


def train(estimator, loss, rows: Part, parts, patience: Patience | None, matrix: Matrix, on_round: OnRound | None):
    stop = next(((part.X, part.y, part.weight) for part in parts if part.name == "val"), None)
    estimator.fit(
        rows.X,
        rows.y,
        is_category=matrix.is_category,
        stop=stop,
        patience=patience,
        with_train_loss=any(part.name == "train" for part in parts),
        sample_weight=rows.weight,
        on_round=on_round,
    )
    losses = {part.name: estimator.history_[f"{part.name}_loss"] for part in parts}
    return losses | {"learning_rate": estimator.history_["learning_rate"]}, estimator.best_iteration_
