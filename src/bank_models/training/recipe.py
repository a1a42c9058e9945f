"""Recipe and scorer of a checked configuration."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bank_models.metrics.scorer import Scorer, make_scorer
from bank_models.metrics.scores import SCORING, statistic_of
from bank_models.metrics.threshold import cost_array
from bank_models.models.early_stopping import Patience
from bank_models.models.estimators import level_to_learn
from bank_models.runtime.cluster import Cluster
from bank_models.runtime.device import usable_cores
from bank_models.training.fit import Recipe

if TYPE_CHECKING:
    from bank_models.config.feature import Feature
    from bank_models.config.schema import Model, TrainingConfig
    from bank_models.config.use_case import UseCase


def make_recipe(config: TrainingConfig, features: dict[str, Feature]) -> Recipe:
    """Everything about the model that a fold, a trial and the final fit have in common."""
    recipe = _recipe_of(config, config.model, features)
    if not config.members:
        return recipe
    from bank_models.training.ensemble import EnsembleRecipe

    return EnsembleRecipe.of(recipe, {name: _recipe_of(config, model, features) for name, model in config.members.items()})


def _recipe_of(config: TrainingConfig, model: Model, features: dict[str, Feature]) -> Recipe:
    stop, use_case, cv = config.early_stopping, config.use_case, config.cv
    estimator = model.estimator[use_case.task]
    stops = stop.patience is not None and model.trains_in_rounds
    level = level_to_learn(estimator, use_case.metric, use_case.quantile, use_case.requires_monotone)
    return Recipe(
        task=use_case.task,
        estimator=estimator,
        params=model.params,
        features=features,
        **model.preprocessing.model_dump(),
        is_monotone=model.keeps_monotone and level is None and use_case.task != "multiclass",  # each class has its own score
        patience=Patience(stop.patience, stop.min_delta, stop.restore_best_weights) if stops else None,
        random_state=config.seed,
        n_threads=config.n_threads or usable_cores(),
        class_weight=config.class_weight,
        quantile=level,
        target_transform=use_case.target_transform,
        target_min=use_case.target_min,
        target_max=use_case.target_max,
        smears=use_case.target_transform is not None and statistic_of(use_case.metric, use_case.quantile) == "mean",
        device=config.device,
        order_column=use_case.time_column if "time_series" in cv.method or config.data_split.method == "temporal" else None,
        horizon=use_case.horizon,
        weight_column=use_case.weight_column,
        cost=use_case.cost,
        class_costs=_class_costs(use_case),
        transforms=use_case.transformers,
        n_shards=config.n_shards,
        cluster=cluster_of(config),
        group_column=use_case.group_column if "group" in cv.method or config.data_split.method == "group" else None,
    )


def _class_costs(use_case: UseCase) -> tuple[tuple[float, ...], ...] | None:
    if use_case.cost_matrix is None:
        return None
    return tuple(map(tuple, cost_array(use_case.cost_matrix.costs, use_case.classes).tolist()))


def cluster_of(config: TrainingConfig) -> Cluster | None:
    """The Ray cluster that a run uses, if it uses one."""
    if config.launcher.kind == "local":
        return None
    return Cluster(config.launcher.address, config.n_threads, config.n_shards or 1)


def scorer_of(use_case: UseCase, y) -> Scorer:
    """The scorer of a use case whose targets are `y`."""
    return make_scorer(use_case.metric, use_case.task, y, use_case.classes, use_case.is_ordered, use_case.quantile)


def scoring_of(config: TrainingConfig) -> list[str]:
    """Metrics of a fold: those that were asked for, or the task's usual ones, and the primary one."""
    return list(dict.fromkeys([*(config.cv.scoring or SCORING[config.use_case.task]), config.use_case.metric]))
