"""Units of columns, told by the ends of their names: what may be added and compared."""

from __future__ import annotations

from bank_models.config.expression import Expression

MONEY = ("eur", "usd", "gbp", "chf", "keur", "kusd", "meur", "musd")
UNITS = {*MONEY, "pct", "pp", "bp", "years", "months", "days", "hours", "minutes", "seconds", "km", "m2"}
ALIKE = ("+", "-", "<", "<=", ">", ">=", "==", "!=")
CHOOSING = ("min", "max", "coalesce")
OF_FUNCTION = {"days_between": "days", "months_between": "months"}


def unit_of_name(name: str) -> str | None:
    """The unit that a name ends with, such as `eur` of `income_eur`; None where it ends with none that is known."""
    end = name.rpartition("_")[2]
    return end if end in UNITS and end != name else None


def check_units(name: str, expression: Expression) -> None:
    """Refuse to add, compare or choose between values of different units, and a name with another unit than its value.

    A product and a quotient have no unit that is known here: a factor may convert one.

    Raises
    ------
    ValueError
    """
    found, named = _unit(expression.tree, expression.text), unit_of_name(name)
    if found and named and found != named:
        raise ValueError(f"the name ends with {named}, but `{expression.text}` is in {found}: convert it, or name it so")


def _unit(tree: tuple, text: str) -> str | None:
    match tree:
        case ("column", name):
            return unit_of_name(name)
        case ("negative" | "not", side):
            return _unit(side, text)
        case ("call", "where", condition, *values):
            _unit(condition, text)
            return _same(values, text)
        case ("call", name, *values) if name in CHOOSING:
            return _same(values, text)
        case (sign, *sides) if sign in ALIKE:
            unit = _same(sides, text)
            return unit if sign in ("+", "-") else None
        case ("number" | "text" | "truth", _):
            return None
    for part in tree[1:2] if tree[0] == "in" else tree[1:]:
        if isinstance(part, tuple):
            _unit(part, text)
    return OF_FUNCTION.get(tree[1]) if tree[0] == "call" else None


def _same(trees: list[tuple], text: str) -> str | None:
    units = [unit for unit in (_unit(tree, text) for tree in trees) if unit]
    if different := [unit for unit in units if unit != units[0]]:
        raise ValueError(f"`{text}` puts {units[0]} and {different[0]} together: convert one, such as by a factor")
    return units[0] if units else None
