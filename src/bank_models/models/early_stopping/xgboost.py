"""XGBoost, round by round: see `bank_models.models.early_stopping`."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from bank_models.errors import ConfigError
from bank_models.models.early_stopping import Matrix, OnRound, Part, Patience

MANY_COLUMNS = 1_000
ONE_BY_ONE = {"grow_policy": "lossguide", "max_cached_hist_node": 8}
LOSSES = {"log_loss": "logloss", "multiclass_log_loss": "mlogloss", "rmse": "rmse", "pinball_loss": "quantile"}


@contextmanager
def explained() -> Iterator[None]:
    """Say in a sentence what XGBoost says with a stack trace.

    Raises
    ------
    ConfigError
        Where several classes cannot be trained: see `_drop_metrics`.
    """
    from xgboost.core import XGBoostError

    try:
        yield
    except XGBoostError as error:
        if "cudaErrorNoDevice" not in str(error):
            raise
        raise ConfigError(
            "XGBoost cannot watch the loss of several classes where NVIDIA's driver is installed and every device hidden.\n"
            "Show it a device (CUDA_VISIBLE_DEVICES=0; device=cpu still trains on the CPU), or choose another model."
        ) from error


def grows_one_by_one(params: Mapping[str, Any], n_columns: int) -> bool:
    """Whether to split one node at a time, because a histogram of a wide table takes megabytes.

    `depthwise` builds the histograms of all nodes of a level at once, for each thread: 430 MB of 5,000 columns. `lossguide`
    finds the same splits in another order, as long as neither the number of leaves nor columns drawn by node depend on it.
    It would keep every node's histogram, so few are kept.
    """
    is_free = params.get("grow_policy") in (None, "depthwise") and not params.get("max_leaves")
    draws_by_node = any(params.get(name) not in (None, 1) for name in ("colsample_bynode", "colsample_bylevel"))
    return n_columns > MANY_COLUMNS and is_free and not draws_by_node


@contextmanager
def _one_by_one(estimator, n_columns: int) -> Iterator[None]:
    """Let a fit split one node at a time where that saves memory; the estimator does not keep it."""
    if not grows_one_by_one(estimator.get_params(), n_columns):
        yield
        return
    policy, others = estimator.grow_policy, dict(getattr(estimator, "kwargs", None) or {})
    estimator.set_params(**ONE_BY_ONE)
    yield
    estimator.set_params(grow_policy=policy)
    del estimator.kwargs
    if others:
        estimator.kwargs = others


def train(estimator, loss, rows: Part, parts, patience: Patience | None, matrix: Matrix, on_round: OnRound | None):
    from xgboost.callback import EarlyStopping

    from bank_models.models.early_stopping.xgboost_batches import making_matrices

    name = LOSSES[loss]
    stopper = patience and EarlyStopping(
        rounds=patience.rounds,
        min_delta=patience.min_delta,
        save_best=patience.restore_best_weights,
        metric_name=name,
        data_name=f"validation_{len(parts) - 1}",
    )
    callbacks = [_telling(on_round, [part.name for part in parts])] if on_round else []
    callbacks += [stopper] if stopper else []  # last: XGBoost calls none after the one that stops
    estimator.set_params(
        eval_metric=name,
        callbacks=callbacks or None,
        feature_types=["c" if category else "q" for category in matrix.is_category],
        monotone_constraints=tuple(matrix.monotone) if any(matrix.monotone) else None,
    )
    with explained(), _one_by_one(estimator, len(matrix.is_category)), making_matrices(estimator):
        estimator.fit(
            rows.X,
            rows.y,
            sample_weight=rows.weight,
            eval_set=[(part.X, part.y) for part in parts],
            sample_weight_eval_set=None if rows.weight is None else [part.weight for part in parts],
            verbose=False,
        )
    booster = estimator.get_booster()
    # rows are scored on the CPU, whatever trained the trees
    estimator.set_params(callbacks=None, eval_metric=None, device="cpu")
    _drop_metrics(booster)
    if patience and not patience.restore_best_weights:
        booster.set_attr(best_iteration=None, best_score=None)  # else predictions would skip later rounds
    results = estimator.evals_result() if parts else {}
    losses = {part.name: results[f"validation_{i}"][name] for i, part in enumerate(parts)}
    return losses, booster.num_boosted_rounds()


def _drop_metrics(booster) -> None:
    """Keep the metrics that were watched out of the model's file, from which loading would make them.

    `mlogloss` cannot be made, so its model not be loaded, where NVIDIA's driver is installed and every device is hidden
    (XGBoost 3.2, `PinnedMemory` in src/common/device_helpers.cu).
    """
    config = json.loads(booster.save_config())
    config["learner"]["metrics"] = []
    booster.load_config(json.dumps(config))


def _telling(on_round: OnRound, parts: list[str]):
    from xgboost.callback import TrainingCallback

    class Telling(TrainingCallback):
        def after_iteration(self, model, epoch, evals_log) -> bool:
            losses = [next(iter(by_metric.values()))[-1] for by_metric in evals_log.values()]
            on_round(dict(zip(parts, losses, strict=True)))
            return False

    return Telling()
