"""Dependency order of simulated features."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from bank_models.config.expression import kind_of, parse
from bank_models.config.rule import KINDS
from bank_models.config.simulation.feature import CALENDAR
from bank_models.config.simulation.source import DRAWN
from bank_models.config.simulation.world import Factor

if TYPE_CHECKING:
    from bank_models.config.feature import Feature
    from bank_models.config.simulation import Simulate, Simulation
    from bank_models.config.use_case import UseCase


def read_by(drawn: Simulate, simulation: Simulation) -> list[str]:
    """Columns that a draw looks at: in its expressions and texts, and those whose values share it or one of its factors."""
    named = [name for text in expressions_of(drawn) for name in parse(text).columns if name != DRAWN]
    named += [slot.column for slot in (drawn.slots or {}).values() if slot.column is not None]
    shared = [drawn, *(simulation.factors[factor] for factor in drawn.factors if factor in simulation.factors)]
    return list(dict.fromkeys([*named, *(name for one in shared for name in one.per or () if name != "period")]))


def expressions_of(drawn: Simulate) -> list[str]:
    """Expressions in a draw."""
    return [*([drawn.derived] if drawn.derived else []), *(case.when for case in drawn.given)]


def draw_order(features: Mapping[str, Feature], simulation: Simulation) -> list[str]:
    """Features in the order of their declaration, but each after those that it looks at.

    Raises
    ------
    ValueError
        If features look at each other.
    """
    order: list[str] = []
    begun: list[str] = []

    def place(name: str) -> None:
        if name in order or name not in features:
            return
        if name in begun:
            raise ValueError(f"these features look at each other: {', '.join([*begun[begun.index(name) :], name])}")
        begun.append(name)
        for other in read_by(features[name].simulate, simulation):
            place(other)
        order.append(begun.pop())

    for name in features:
        place(name)
    return order


def check_order(use_case: UseCase) -> None:
    """Refuse expressions that name no column, and values that change within what is to share them.

    Raises
    ------
    ValueError
    """
    features, simulation = use_case.features, use_case.simulation
    kinds = {name: KINDS[feature.type] for name, feature in features.items()}
    kinds |= {use_case.time_column: "date"} if use_case.time_column else {}
    categories = {name: feature.categories for name, feature in features.items()}
    for name in draw_order(features, simulation):
        drawn = features[name].simulate
        for place, text in enumerate(expressions_of(drawn)):
            is_derived = drawn.derived is not None and place == 0
            kind = _kind(name, text, kinds | ({DRAWN: "number"} if is_derived else {}), categories)
            if not is_derived and kind != "truth":
                raise ValueError(f"{name}: given `{text}` is no condition, but a {kind}")
        for column in drawn.per or ():
            if column != "period" and (column not in features or features[column].type != "category"):
                raise ValueError(f"{name}: per names {column}, which is neither a category nor period")
        _check_slots(name, features)
        _check_shared(name, use_case)


def _check_slots(name: str, features: Mapping[str, Feature]) -> None:
    """Refuse words of a column that is no category, or for other values than it has."""
    for key, slot in (features[name].simulate.slots or {}).items():
        if slot.column is None:
            continue
        values = features[slot.column].categories if slot.column in features else None
        if values is None:
            raise ValueError(f"{name}: slot {key} names {slot.column}, which is not a category with categories")
        if set(values) != set(slot.words_of):
            raise ValueError(f"{name}: slot {key} needs words for {', '.join(values)}, but has {', '.join(slot.words_of)}")


def _kind(name: str, text: str, kinds: dict[str, str], categories: dict) -> str:
    try:
        kind = kind_of(parse(text), kinds, categories)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None
    if kind == "text":
        raise ValueError(f"{name}: `{text}` is a text, but derived gives numbers")
    return kind


def _check_shared(name: str, use_case: UseCase) -> None:
    """Refuse a draw that is to be shared, but depends on what is not; what is derived from it may move with anything."""
    drawn, factors = use_case.features[name].simulate, use_case.simulation.factors
    if drawn.level == "row":
        return
    own = _sharers(drawn)
    for case in drawn.given:
        for column in parse(case.when).columns:
            if column not in own and not _varies_with(column, use_case) <= own:
                raise ValueError(f"{name} has level {drawn.level}, but looks at {column}, which changes within it")
    for factor in drawn.factors:
        facts = factors.get(factor, Factor())
        fits = facts.level == drawn.level and facts.per == drawn.per
        if not fits and not (facts.level == "period" and "period" in own):
            raise ValueError(
                f"{name} has level {drawn.level}, so its factor {factor} must have it too, but has level {facts.level}"
            )


def _sharers(drawn: Simulate | Factor) -> set[str]:
    match drawn.level:
        case "category":
            return set(drawn.per)
        case "row":
            return {"row"}
    return {drawn.level}


def _varies_with(column: str, use_case: UseCase) -> set[str]:
    """What has to be equal in two rows, so that a column surely is."""
    periodic = use_case.simulation.frequency is not None
    if column not in use_case.features:
        return {"period" if periodic else "row"}
    drawn = use_case.features[column].simulate
    if drawn.distribution in CALENDAR:
        return {"period" if periodic else "row"}
    found = set() if drawn.distribution is None else _sharers(drawn)
    return found.union(
        *(_varies_with(name, use_case) for text in expressions_of(drawn) for name in parse(text).columns if name != DRAWN)
    )
