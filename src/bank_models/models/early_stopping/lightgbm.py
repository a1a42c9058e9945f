"""LightGBM, round by round: see `bank_models.models.early_stopping`."""

from __future__ import annotations

from dataclasses import replace

from bank_models.models.early_stopping import Matrix, OnRound, Part, Patience

LOSSES = {
    "log_loss": "binary_logloss",
    "multiclass_log_loss": "multi_logloss",
    "rmse": "rmse",
    "pinball_loss": "quantile",
}


def train(estimator, loss, rows: Part, parts, patience: Patience | None, matrix: Matrix, on_round: OnRound | None):
    import lightgbm

    from bank_models.models.early_stopping.lightgbm_batches import Batches, reading_batches

    name = LOSSES[loss]
    losses: dict[str, dict[str, list[float]]] = {}
    callbacks = [lightgbm.record_evaluation(losses)]
    if patience:
        stop = _of_last_part(lightgbm.early_stopping(patience.rounds, min_delta=patience.min_delta, verbose=False))
        callbacks.append(stop if patience.restore_best_weights else _keeping_every_round(stop))
    if on_round:
        callbacks.append(lambda env: on_round({part: value for part, _, value, _ in env.evaluation_result_list}))
    # LightGBM watches its objective's own metric unless told not to
    estimator.set_params(metric=name, monotone_constraints=list(matrix.monotone) if any(matrix.monotone) else None)
    in_batches = {id(part.X): Batches(part.X) for part in (rows, *parts) if hasattr(part.X, "batches")}
    with reading_batches():
        estimator.fit(
            in_batches.get(id(rows.X), rows.X),
            rows.y,
            sample_weight=rows.weight,
            eval_X=tuple(in_batches.get(id(part.X), part.X) for part in parts) or None,
            eval_y=tuple(part.y for part in parts) or None,
            eval_sample_weight=None if rows.weight is None else [part.weight for part in parts],
            eval_names=[part.name for part in parts] or None,
            categorical_feature=[i for i, category in enumerate(matrix.is_category) if category] or "auto",
            callbacks=callbacks,
        )
    return {part: values[name] for part, values in losses.items()}, estimator.booster_.current_iteration()


def _of_last_part(stop):
    """Show the callback the part that is watched alone: in the last round it would take the best one of the first part."""

    def callback(env):
        stop(replace(env, evaluation_result_list=env.evaluation_result_list[-1:]))

    callback.order = stop.order
    return callback


def _keeping_every_round(stop):
    """LightGBM drops the rounds after the best one when it stops: tell it that the last was the best."""
    from lightgbm.callback import EarlyStopException

    def callback(env):
        try:
            stop(env)
        except EarlyStopException as reached:
            raise EarlyStopException(env.iteration, reached.best_score) from None

    callback.order = stop.order
    return callback
