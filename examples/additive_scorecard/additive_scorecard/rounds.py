"""The scorecard, round by round, stopped where the loss of val stops falling: see `bank_models.models.early_stopping`."""

import numpy as np
from sklearn.metrics import log_loss, root_mean_squared_error


def train(estimator, loss, rows, parts, patience, matrix, on_round):
    """Fit round by round.

    Parameters
    ----------
    estimator : scorecard
    loss : {"log_loss", "rmse"}
    rows : Part
        What is learnt from: `X`, `y`, `weight`.
    parts : list of Part
        Whose loss is watched; the last of them decides where to stop.
    patience : Patience or None
    matrix : Matrix
        What the columns are; `monotone` has their directions.
    on_round : callable, optional

    Returns
    -------
    losses : dict of str to list of float
        By part, for each round trained.
    n_rounds : int
        Rounds that are kept.
    """
    estimator.set_params(directions=list(matrix.monotone) if any(matrix.monotone) else None)
    X, weight = np.asarray(rows.X, dtype="float64"), np.ones(len(rows.y)) if rows.weight is None else rows.weight
    estimator.classes_ = np.unique(rows.y)
    estimator.start(X, rows.y, weight)
    codes, raw = estimator.codes(X), np.full(len(X), estimator.base_)
    losses, best = {part.name: [] for part in parts}, (np.inf, 0)
    for n in range(1, estimator.n_rounds + 1):
        raw = estimator.grow(codes, rows.y, raw, weight)
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
    return losses, len(estimator.columns_)


def _loss(loss, estimator, part):
    if loss == "rmse":
        return float(root_mean_squared_error(part.y, estimator.predict(part.X), sample_weight=part.weight))
    return float(log_loss(part.y, estimator.predict_proba(part.X), sample_weight=part.weight))
