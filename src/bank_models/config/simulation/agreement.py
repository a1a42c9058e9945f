"""Consistency of a simulation with the use case that it draws."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bank_models.config.simulation.feature import CALENDAR
from bank_models.config.simulation.order import check_order

if TYPE_CHECKING:
    from bank_models.config.feature import Feature
    from bank_models.config.simulation import Interaction
    from bank_models.config.use_case import UseCase

FACT_OF_TASK = {
    "binary": "positive_rate",
    "multiclass": "class_rates",
    "regression": "outcome",
    "clustering": "components",
    "anomaly": "components",
}
SUPERVISED = ("binary", "multiclass", "regression")


def check_agreement(use_case: UseCase) -> None:
    """Refuse a simulation that does not fit the task, the columns or the features of its use case.

    Raises
    ------
    ValueError
    """
    simulation, features = use_case.simulation, use_case.features
    if undrawn := [name for name, feature in features.items() if feature.simulate is None]:
        raise ValueError(f"a simulation draws every feature, but these have no simulate: {', '.join(undrawn)}")
    if (use_case.time_column is None) != (simulation.start is None):
        raise ValueError("a time_column and the simulation's start and end go together: give both or neither")
    if use_case.group_column != (simulation.panel and simulation.panel.entity):
        raise ValueError(
            "the group_column must be the entity of the simulation's panel, "
            f"but they are {use_case.group_column} and {simulation.panel and simulation.panel.entity}"
        )
    _check_task(use_case)
    _check_target(use_case)
    for name, feature in features.items():
        _check_feature(use_case, name, feature)
    if unused := [name for name in simulation.factors if not any(name in one.simulate.factors for one in features.values())]:
        raise ValueError(f"no feature loads on the factor {', '.join(unused)}")
    check_order(use_case)
    for interaction in simulation.interactions:
        _check_interaction(use_case, interaction)
    for name, feature in features.items():
        _check_monotone(use_case, name, feature)
    if use_case.task in SUPERVISED:
        _check_signal(use_case)
    else:
        _check_components(use_case)


def is_unordered(use_case: UseCase) -> bool:
    """Whether every class has log-odds of its own, so that effects are given by class."""
    return use_case.task == "multiclass" and not use_case.is_ordered


def _check_task(use_case: UseCase) -> None:
    simulation, task = use_case.simulation, use_case.task
    for fact in dict.fromkeys(FACT_OF_TASK.values()):
        if getattr(simulation, fact) is not None and FACT_OF_TASK[task] != fact:
            raise ValueError(f"{fact} in a simulation does not go with task {task}, which needs {FACT_OF_TASK[task]}")
    if getattr(simulation, FACT_OF_TASK[task]) is None:
        raise ValueError(f"the simulation of task {task} needs {FACT_OF_TASK[task]}")
    if simulation.label_noise and task not in ("binary", "multiclass"):
        raise ValueError(f"label_noise is for classes, but the task is {task}")
    if task not in SUPERVISED:
        moved = simulation.interactions or simulation.season.given() or simulation.trend or simulation.regimes
        if moved or (simulation.panel and simulation.panel.effect):
            raise ValueError(f"components alone make task {task}: no interactions, season, trend, regimes or panel effect")
    if is_unordered(use_case) and (simulation.trend or simulation.regimes):
        raise ValueError("trend and regimes move one index, but unordered classes have one each")
    if task != "regression" and any(regime.volatility != 1 for regime in simulation.regimes):
        raise ValueError(f"the volatility of a regime is for task regression, not {task}")


def _check_target(use_case: UseCase) -> None:
    simulation = use_case.simulation
    if use_case.classes and len(simulation.class_rates) != len(use_case.classes):
        raise ValueError(f"{len(use_case.classes)} classes need as many class_rates, but got {len(simulation.class_rates)}")
    if simulation.outcome is None:
        return
    low, high = simulation.outcome.support()
    low = low if use_case.target_min is None else max(low, use_case.target_min)
    if use_case.metric == "rmsle" and low < 0:
        raise ValueError("metric rmsle is for outcomes that are not negative: give a target_min or another distribution")
    if low >= (high if use_case.target_max is None else min(high, use_case.target_max)):
        raise ValueError("target_min and target_max leave nothing of the outcome's distribution")


def _check_feature(use_case: UseCase, name: str, feature: Feature) -> None:
    drawn, simulation = feature.simulate, use_case.simulation
    if drawn.missing_with == name or drawn.missing_with not in (None, *use_case.features):
        raise ValueError(f"{name}: missing_with={drawn.missing_with} is not another feature")
    if drawn.distribution in CALENDAR and use_case.time_column is None:
        raise ValueError(f"{name}: distribution {drawn.distribution} needs a time_column")
    simulation.check_level(name, drawn)
    if drawn.moves and simulation.start is None:
        raise ValueError(f"{name}: season, trend and regimes need the simulation's start and end")
    if use_case.task not in SUPERVISED and drawn.has_effect:
        raise ValueError(f"{name}: task {use_case.task} has no effects, only the shifts of its components")
    if is_unordered(use_case):
        if drawn.effects is None and drawn.has_effect:
            raise ValueError(f"{name}: unordered classes need effects by class, not one effect")
        _check_classes(name, drawn.effects, use_case)
    elif drawn.effects:
        raise ValueError(f"{name}: effects by class are for unordered classes; here it is one effect")
    if drawn.volatility and use_case.task != "regression":
        raise ValueError(f"{name}: volatility is for task regression, not {use_case.task}")


def _check_classes(what: str, effects: dict | None, use_case: UseCase) -> None:
    if unknown := [name for name in effects or {} if name not in use_case.classes]:
        raise ValueError(f"{what}: effects name {', '.join(unknown)}, but the classes are {', '.join(use_case.classes)}")


def _check_interaction(use_case: UseCase, interaction: Interaction) -> None:
    for name in interaction.features:
        if name not in use_case.features:
            raise ValueError(f"an interaction names {name}, which is not a feature")
        drawn = use_case.features[name].simulate
        if drawn.distribution == "categorical" and not any(drawn.category_scores()):
            reason = "can only be in interactions of one index" if is_unordered(use_case) else "need different effects"
            raise ValueError(f"{name} is in an interaction, so its categories {reason}")
    what = f"the interaction of {' and '.join(interaction.features)}"
    if is_unordered(use_case) and interaction.effects is None:
        raise ValueError(f"{what}: unordered classes need effects by class, not one effect")
    if not is_unordered(use_case) and interaction.effects:
        raise ValueError(f"{what}: effects by class are for unordered classes; here it is one effect")
    _check_classes(what, interaction.effects, use_case)


def _check_monotone(use_case: UseCase, name: str, feature: Feature) -> None:
    """Refuse a declared sign that an interaction can turn: slope = effect + sum of effect * the other's value."""
    mine = [interaction for interaction in use_case.simulation.interactions if name in interaction.features]
    if not feature.monotone or not mine:
        return
    slope = feature.monotone * feature.simulate.effect if feature.simulate.shape == "linear" else 0.0
    for interaction in mine:
        other = next(one for one in interaction.features if one != name)
        reached = use_case.features[other].simulate.interaction_range()
        slope += min(feature.monotone * interaction.effect * value for value in reached)
    if slope < 0:
        raise ValueError(f"{name}: monotone is {feature.monotone}, but its interactions can turn the sign")


def _check_signal(use_case: UseCase) -> None:
    simulation = use_case.simulation
    moves = [
        any(feature.simulate.has_effect for feature in use_case.features.values()),
        simulation.interactions,
        simulation.season.given(),
        simulation.trend,
        any(regime.effect for regime in simulation.regimes),
        simulation.panel and simulation.panel.effect,
    ]
    if use_case.task == "regression" and not any(moves):
        raise ValueError(f"signal={simulation.outcome.signal} of an outcome needs a feature with an effect")


def _check_components(use_case: UseCase) -> None:
    components = use_case.simulation.components
    anomalous = [component.is_anomaly for component in components]
    if use_case.task == "anomaly" and (all(anomalous) or not any(anomalous)):
        raise ValueError("task anomaly needs components with is_anomaly and components without")
    if use_case.task == "clustering" and any(anomalous):
        raise ValueError("is_anomaly is for task anomaly, not clustering")
    for component in components:
        for name in component.shift:
            if name not in use_case.features:
                raise ValueError(f"component {component.name} shifts {name}, which is not a feature")
            drawn = use_case.features[name].simulate
            if drawn.distribution in (None, *CALENDAR) or drawn.level != "row":
                raise ValueError(f"component {component.name} cannot shift {name}, which is not a value of each row")
