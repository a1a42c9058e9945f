"""Checks of a launcher: what a Ray cluster can be handed."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING

from bank_models.errors import ConfigError
from bank_models.models.estimators import ESTIMATORS, level_to_learn

if TYPE_CHECKING:
    from bank_models.config.schema import TrainingConfig


def check(config: TrainingConfig) -> None:
    """Refuse a cluster without Ray, and a spread fit of what cannot be spread.

    Raises
    ------
    ConfigError
    """
    if config.launcher.kind == "ray" and find_spec("ray") is None:
        raise ConfigError("launcher=ray needs Ray, which is not installed.\nType: make setup EXTRAS=ray")
    if config.n_shards is None:
        if config.launcher.kind == "ray" and config.tuning.method == "none":
            raise ConfigError(
                "launcher=ray has nothing to hand to a cluster: this run has neither a search (tuning=…) nor a spread fit "
                "(n_shards=…).\nAdd one of them, or leave launcher=ray out."
            )
        return
    if config.launcher.kind == "local":
        raise ConfigError(
            f"n_shards={config.n_shards} spreads a fit over the workers of a cluster: add launcher=ray, or leave it out."
        )
    task = config.use_case.task
    algorithm = ESTIMATORS[config.model.estimator[task]] if task in config.model.estimator else None
    if algorithm is None or not algorithm.takes_shards or config.members:
        raise ConfigError(
            f"n_shards={config.n_shards}, but a fit of model={config.model.name} cannot be spread over several workers.\n"
            "Leave it out, or choose model=xgboost or model=lightgbm."
        )
    use_case = config.use_case
    asked = use_case.metric, use_case.quantile, use_case.requires_monotone
    if level_to_learn(config.model.estimator[task], *asked) is not None:
        raise ConfigError(
            f"n_shards={config.n_shards}, but use_case={use_case.key} learns a quantile ({use_case.metric}), and each worker "
            "would take that of its own rows.\nLeave n_shards out."
        )
    if config.device != "cpu":
        raise ConfigError(f"n_shards={config.n_shards} spreads a fit over processors: leave device={config.device} out.")
