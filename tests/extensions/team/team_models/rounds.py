"""Stumps, round by round, stopped where the loss of val stops falling."""

import numpy as np
from sklearn.metrics import log_loss, root_mean_squared_error


def train(estimator, loss, rows, parts, patience, matrix, on_round):
    """As the training system asks: see `bank_models.models.early_stopping`."""
    estimator.set_params(directions=list(matrix.monotone) if any(matrix.monotone) else None)
    X = np.asarray(rows.X, dtype="float64")
    estimator.classes_ = np.unique(rows.y)
    estimator.start(X, rows.y, rows.weight)
    losses, best = {part.name: [] for part in parts}, (np.inf, 0)
    for n in range(1, estimator.n_rounds + 1):
        estimator.grow(X, rows.y - estimator.raw(X))
        for part in parts:
            losses[part.name].append(_loss(loss, estimator, part))
        if on_round and parts:
            on_round({name: values[-1] for name, values in losses.items()})
        if patience and losses[parts[-1].name][-1] < best[0] - patience.min_delta:
            best = losses[parts[-1].name][-1], n
        if patience and n - best[1] >= patience.rounds:
            break
    if patience and patience.restore_best_weights:
        estimator.cut_to(best[1])
    del estimator.weight_
    return losses, len(estimator.columns_)


def _loss(loss, estimator, part):
    if loss == "rmse":
        return root_mean_squared_error(part.y, estimator.predict(part.X), sample_weight=part.weight)
    return log_loss(part.y, estimator.predict_proba(part.X), sample_weight=part.weight)
