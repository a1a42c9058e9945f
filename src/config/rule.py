"""A rule of the business: a condition over columns that every row keeps, or a stated share of them."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StringConstraints, model_validator

from src.config.expression import kind_of, parse
from src.config.strict_model import Facts

Condition = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
KINDS = {"float": "number", "int": "number", "date": "number", "bool": "truth", "category": "text", "text": "text"}


class Rule(Facts):
    """What a practitioner knows of every row, whatever a model says.

    A row in which a column is missing that decides is not judged.

    Attributes
    ----------
    when : str, optional
        Condition of the rows that the rule is about; None is all.
    holds : str
        Condition that they keep: see `src.config.expression`.
    share : float
        Of the rows that the rule is about, in (0, 1]: how many of them keep it at least. 1 makes the rule exact: a row that
        breaks it is refused.
    reason : str, optional
        Why, where it is not obvious.
    """

    when: Condition | None = None
    holds: Condition
    share: Annotated[float, Field(gt=0, le=1)] = 1.0
    reason: str | None = None

    @model_validator(mode="after")
    def _can_be_read(self):
        for text in self.texts:
            parse(text)
        return self

    @property
    def texts(self) -> list[str]:
        """Its conditions."""
        return [self.holds] if self.when is None else [self.when, self.holds]

    @property
    def columns(self) -> list[str]:
        """Columns that it looks at, those that hold something first."""
        return list(dict.fromkeys(name for text in reversed(self.texts) for name in parse(text).columns))

    @property
    def is_exact(self) -> bool:
        """Whether no row may break it."""
        return self.share == 1

    def said(self) -> str:
        """The rule in a line."""
        return self.holds if self.when is None else f"where {self.when}: {self.holds}"


def check_rules(rules: dict[str, Rule], kinds: dict[str, str], categories: dict[str, list[str] | None]) -> None:
    """Refuse rules that name what is no column or that are no conditions.

    Parameters
    ----------
    rules : dict of str to Rule
    kinds : dict of str to {"number", "truth", "text"}
        Of every column of the table.
    categories : dict of str to list of str or None
        Values of columns that have no others.

    Raises
    ------
    ValueError
    """
    for name, rule in rules.items():
        for text in rule.texts:
            try:
                kind = kind_of(parse(text), kinds, categories)
            except ValueError as error:
                raise ValueError(f"rule {name}: {error}") from None
            if kind != "truth":
                raise ValueError(f"rule {name}: `{text}` is no condition, but a {kind}")
