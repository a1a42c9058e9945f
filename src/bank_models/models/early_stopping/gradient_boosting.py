"""scikit-learn's GradientBoosting, round by round: see `bank_models.models.early_stopping`."""

from __future__ import annotations

import numpy as np

from bank_models.models.early_stopping import Matrix, OnRound, Part, Patience


def train(estimator, loss, rows: Part, parts, patience: Patience | None, matrix: Matrix, on_round: OnRound | None):
    """scikit-learn's own early stopping cuts its own rows; its monitor lets the rows that are given decide."""
    losses: dict[str, list[float]] = {part.name: [] for part in parts}
    raw: dict[str, np.ndarray] = {}
    best = [0, np.inf]

    def after_round(i, fitted, _):
        for part in parts:
            if i == 0:
                raw[part.name] = fitted._raw_predict_init(part.X)  # no public call gives the start that trees add to
            for k, tree in enumerate(fitted.estimators_[i]):
                raw[part.name][:, k] += fitted.learning_rate * tree.predict(part.X)
            losses[part.name].append(_loss_of_raw(loss, part, raw[part.name], fitted))
        if on_round:
            on_round({name: values[-1] for name, values in losses.items()})
        if patience is None:
            return False
        if losses["val"][-1] < best[1] - patience.min_delta:
            best[:] = i + 1, losses["val"][-1]
        return i + 1 - best[0] >= patience.rounds

    estimator.fit(rows.X, rows.y, sample_weight=rows.weight, monitor=after_round)
    if patience and patience.restore_best_weights:
        estimator.estimators_ = estimator.estimators_[: best[0]]
        estimator.train_score_ = estimator.train_score_[: best[0]]
        estimator.n_estimators_ = best[0]
    return losses, len(estimator.estimators_)


def _loss_of_raw(loss: str, part: Part, raw, fitted) -> float:
    """Loss of a sum of trees before it becomes a probability."""
    from scipy.special import log_softmax

    if loss == "log_loss":
        losses = np.logaddexp(0, np.where(part.y == 1, -raw[:, 0], raw[:, 0]))
    elif loss == "multiclass_log_loss":
        losses = -log_softmax(raw, axis=1)[np.arange(len(part.y)), part.y]
    else:
        error = part.y - raw[:, 0]
        if loss == "rmse":
            return float(np.sqrt(np.average(error**2, weights=part.weight)))
        losses = np.where(error >= 0, fitted.alpha * error, (fitted.alpha - 1) * error)
    return float(np.average(losses, weights=part.weight))
