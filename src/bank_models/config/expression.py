"""Expressions over columns: the closed grammar of business rules and derived columns.

There are columns, numbers, 'texts', true and false; + - * /; < <= > >= == != and in [ … ]; and, or, not; and the functions
of `FUNCTIONS`. Nothing of it is ever run as Python.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

LONGEST = 1000  # characters
FUNCTIONS = {
    "abs": (1, 1),
    "floor": (1, 1),
    "exp": (1, 1),
    "log": (1, 1),
    "sqrt": (1, 1),
    "year": (1, 1),
    "month": (1, 1),
    "missing": (1, 1),
    "days_between": (2, 2),
    "months_between": (2, 2),
    "round": (2, 2),
    "coalesce": (2, 9),
    "min": (2, 9),
    "max": (2, 9),
    "where": (3, 3),
    "instalment": (3, 3),
}
"""Fewest and most arguments of each function."""
OF_DATES = ("days_between", "months_between")
CHOOSING = ("coalesce", "min", "max")
KEYWORDS = {"and", "or", "not", "in", "true", "false"}
COMPARISONS = ("<=", ">=", "==", "!=", "<", ">")
_TOKEN = re.compile(
    r"\s*(?:(?P<number>\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)(?![A-Za-z_])|(?P<text>'[^']*'|\"[^\"]*\")"
    r"|(?P<name>[A-Za-z_][A-Za-z0-9_]*)|(?P<sign><=|>=|==|!=|[-+*/<>()\[\],]))"
)


@dataclass(frozen=True)
class Expression:
    """A parsed expression.

    Attributes
    ----------
    text : str
        As it was written.
    tree : tuple
        ("number", 2.0), ("text", "DE"), ("truth", True), ("column", "age"), ("call", "min", …), ("negative", …), ("not", …),
        ("in", …, values), or an operator with its two sides.
    columns : tuple of str
        Columns that it names, in the order of their first appearance.
    """

    text: str
    tree: tuple
    columns: tuple[str, ...]


@lru_cache(maxsize=4096)
def parse(text: str) -> Expression:
    """Read an expression.

    Raises
    ------
    ValueError
        Where it leaves the grammar, with the place.
    """
    if len(text) > LONGEST:
        raise ValueError(f"an expression has {LONGEST} characters at most, but this one has {len(text)}")
    reader = _Reader(text)
    tree = reader.choice()
    if reader.kind != "end":
        raise reader.error("an operator such as + or and")
    return Expression(text, tree, tuple(dict.fromkeys(_columns(tree))))


def _columns(tree: tuple) -> list[str]:
    if tree[0] == "column":
        return [tree[1]]
    parts = tree[1:2] if tree[0] == "in" else tree[1:]
    return [name for part in parts if isinstance(part, tuple) for name in _columns(part)]


class _Reader:
    """Takes one token after the other; each method reads what binds tighter than the one above it."""

    def __init__(self, text: str):
        self.text, self.place, self.end = text, 0, 0
        self.depth = 0
        self.next()

    def next(self) -> None:
        self.place = self.end
        rest = self.text[self.end :]
        if not rest.strip():
            self.kind, self.token = "end", "the end"
            return
        match = _TOKEN.match(self.text, self.end)
        if match is None:
            self.place += len(rest) - len(rest.lstrip())
            raise ValueError(f"`{self.text}` cannot be read at character {self.place + 1}: {self.text[self.place]}")
        self.kind, self.token = match.lastgroup, match[match.lastgroup]
        self.place, self.end = match.start(match.lastgroup), match.end()

    def error(self, expected: str) -> ValueError:
        return ValueError(f"`{self.text}`: expected {expected} at character {self.place + 1}, but got {self.token}")

    def takes(self, *tokens: str) -> str | None:
        """Go past the token if it is one of these."""
        found = self.token if self.kind in ("sign", "name") and self.token in tokens else None
        if found:
            self.next()
        return found

    def must(self, token: str) -> None:
        if not self.takes(token):
            raise self.error(token)

    def choice(self) -> tuple:
        self.depth += 1
        if self.depth > 50:
            raise ValueError(f"`{self.text[:40]}…` nests deeper than 50 levels")
        left = self.both()
        while self.takes("or"):
            left = ("or", left, self.both())
        self.depth -= 1
        return left

    def both(self) -> tuple:
        left = self.negation()
        while self.takes("and"):
            left = ("and", left, self.negation())
        return left

    def negation(self) -> tuple:
        n_not = 0
        while self.takes("not"):
            n_not += 1
        tree = self.comparison()
        return ("not", tree) if n_not % 2 else tree

    def comparison(self) -> tuple:
        left = self.sum()
        if sign := self.takes(*COMPARISONS):
            return (sign, left, self.sum())
        if self.takes("in"):
            return ("in", left, self.values())
        if self.kind == "name" and self.token == "not":
            self.next()
            self.must("in")
            return ("not", ("in", left, self.values()))
        return left

    def values(self) -> tuple:
        self.must("[")
        found = [self.value()]
        while self.takes(","):
            found.append(self.value())
        self.must("]")
        return tuple(found)

    def value(self) -> float | str:
        sign = -1.0 if self.takes("-") else 1.0
        kind, token = self.kind, self.token
        if kind == "number" or (kind == "text" and sign > 0):
            self.next()
            return sign * float(token) if kind == "number" else token[1:-1]
        raise self.error("a number or a 'text'")

    def sum(self) -> tuple:
        left = self.product()
        while sign := self.takes("+", "-"):
            left = (sign, left, self.product())
        return left

    def product(self) -> tuple:
        left = self.signed()
        while sign := self.takes("*", "/"):
            left = (sign, left, self.signed())
        return left

    def signed(self) -> tuple:
        n_minus = 0
        while self.takes("-"):
            n_minus += 1
        tree = self.single()
        return ("negative", tree) if n_minus % 2 else tree

    def single(self) -> tuple:
        kind, token = self.kind, self.token
        if self.takes("("):
            tree = self.choice()
            self.must(")")
            return tree
        if kind == "end" or kind == "sign" or token in KEYWORDS - {"true", "false"}:
            raise self.error("a column, a number, a 'text' or (")
        self.next()
        if kind == "number":
            return ("number", float(token))
        if kind == "text":
            return ("text", token[1:-1])
        if token in ("true", "false"):
            return ("truth", token == "true")
        return self.call(token) if self.takes("(") else ("column", token)

    def call(self, name: str) -> tuple:
        if name not in FUNCTIONS:
            raise ValueError(f"`{self.text}`: there is no function {name}; there are {', '.join(sorted(FUNCTIONS))}")
        arguments = [self.choice()]
        while self.takes(","):
            arguments.append(self.choice())
        self.must(")")
        fewest, most = FUNCTIONS[name]
        if not fewest <= len(arguments) <= most:
            how_many = f"{fewest} arguments{' or more' if most > fewest else ''}"
            raise ValueError(f"`{self.text}`: {name} takes {how_many}, not {len(arguments)}")
        if name == "missing" and arguments[0][0] != "column":
            raise ValueError(f"`{self.text}`: missing takes a column")
        return ("call", name, *arguments)


def kind_of(expression: Expression, kinds: dict[str, str], categories: dict[str, list[str] | None]) -> str:
    """Whether an expression gives a number, a date, a truth or a text.

    Parameters
    ----------
    expression : Expression
    kinds : dict of str to {"number", "date", "truth", "text"}
        Of every column that it may name.
    categories : dict of str to list of str or None
        Values of columns that are known to have no others.

    Raises
    ------
    ValueError
        If it names another column, mixes kinds, or compares a column with a value that it never has.
    """
    if unknown := [name for name in expression.columns if name not in kinds]:
        raise ValueError(f"`{expression.text}` names {unknown[0]}, which is not a column that it may look at")
    try:
        return _kind(expression.tree, kinds, categories)
    except _Mixed as error:
        raise ValueError(f"`{expression.text}`: {error}") from None


class _Mixed(Exception):
    """Kinds that do not go together."""


def _kind(tree: tuple, kinds: dict[str, str], categories: dict[str, list[str] | None]) -> str:
    known = {"kinds": kinds, "categories": categories}
    match tree:
        case ("number" | "text" | "truth", _):
            return tree[0]
        case ("column", name):
            return kinds[name]
        case ("call", "missing", _):
            return "truth"
        case ("call", "where", condition, *values):
            if _kind(condition, **known) != "truth":
                raise _Mixed("where takes a condition and two numbers")
            return _chosen("where", values, **known)
        case ("call", name, *arguments) if name in CHOOSING:
            return _chosen(name, arguments, **known)
        case ("call", name, *arguments) if name in OF_DATES:
            if any(_kind(one, **known) != "date" for one in arguments):
                raise _Mixed(f"{name} takes two dates")
            return "number"
        case ("call", _, *arguments) | ("negative", *arguments) | ("+" | "-" | "*" | "/", *arguments):
            return _number(arguments, **known)
        case ("and" | "or" | "not", *sides):
            if any(_kind(side, **known) != "truth" for side in sides):
                raise _Mixed("and, or and not take conditions")
        case ("in", left, values):
            sides = [("text" if isinstance(value, str) else "number", value) for value in values]
            for side in sides:
                _compare("==", left, side, **known)
        case (sign, left, right):
            _compare(sign, left, right, **known)
    return "truth"


def _chosen(name: str, trees: list[tuple], kinds: dict[str, str], categories: dict[str, list[str] | None]) -> str:
    """Kind of one of several values: a date if all are, else a number."""
    found = {_kind(tree, kinds, categories) for tree in trees}
    if "date" in found and len(found) > 1:
        raise _Mixed(f"{name} takes dates or numbers, not both")
    return "date" if found == {"date"} else _number(trees, kinds, categories)


def _number(trees: list[tuple], kinds: dict[str, str], categories: dict[str, list[str] | None]) -> str:
    if any(_kind(tree, kinds, categories) == "text" for tree in trees):
        raise _Mixed("a text cannot be calculated with")
    return "number"


def _compare(sign: str, left: tuple, right: tuple, kinds: dict[str, str], categories: dict[str, list[str] | None]) -> None:
    texts = [_kind(side, kinds, categories) == "text" for side in (left, right)]
    if texts[0] != texts[1] or (texts[0] and sign not in ("==", "!=")):
        raise _Mixed("texts are compared with texts, by ==, != or in, and numbers with numbers")
    for column, value in ((left, right), (right, left)):
        known = categories.get(column[1]) if column[0] == "column" and value[0] == "text" else None
        if known is not None and value[1] not in known:
            raise _Mixed(f"{column[1]} is never '{value[1]}'; it is one of {', '.join(known)}")
