"""Business rules: conditions over columns that every row keeps, or a stated share of the rows."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StringConstraints, model_validator

from bank_models.config.expression import kind_of, parse
from bank_models.config.strict_model import StrictModel

Condition = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
KINDS = {"float": "number", "int": "number", "date": "date", "bool": "truth", "category": "text", "text": "text"}


class Rule(StrictModel):
    """What a practitioner knows of every row, whatever a model says.

    A row in which a column is missing that decides is not judged.

    Attributes
    ----------
    when : str, optional
        Condition of the rows that the rule is about; None is all.
    holds : str, optional
        Condition that they keep: see `bank_models.config.expression`.
    constant, within : list of str, optional
        Instead of `holds`: columns that have one value in all rows with the same values in the columns of `within`. A row
        breaks it where it differs from the first of them.
    share : float
        Of the rows that the rule is about, in (0, 1]: how many of them keep it at least. 1 makes the rule exact: a row that
        breaks it is refused.
    reason : str, optional
        Why, where it is not obvious.
    """

    when: Condition | None = None
    holds: Condition | None = None
    constant: Annotated[list[str], Field(min_length=1)] | None = None
    within: Annotated[list[str], Field(min_length=1)] | None = None
    share: Annotated[float, Field(gt=0, le=1)] = 1.0
    reason: str | None = None

    @model_validator(mode="after")
    def _can_be_read(self):
        if (self.holds is None) == (self.constant is None) or (self.constant is None) != (self.within is None):
            raise ValueError("a rule has either holds, or constant and within")
        for text in self.texts:
            parse(text)
        return self

    @property
    def texts(self) -> list[str]:
        """Its conditions."""
        return [text for text in (self.when, self.holds) if text is not None]

    @property
    def columns(self) -> list[str]:
        """Columns that it looks at, those that hold something first."""
        named = [name for text in reversed(self.texts) for name in parse(text).columns]
        return list(dict.fromkeys([*(self.constant or ()), *(self.within or ()), *named]))

    @property
    def is_exact(self) -> bool:
        """Whether no row may break it."""
        return self.share == 1

    def said(self) -> str:
        """The rule in a line."""
        holds = self.holds or f"one value of {', '.join(self.constant)} for each {', '.join(self.within)}"
        return holds if self.when is None else f"where {self.when}: {holds}"


def check_rules(rules: dict[str, Rule], kinds: dict[str, str], categories: dict[str, list[str] | None]) -> None:
    """Refuse rules that name what is no column or that are no conditions.

    Parameters
    ----------
    rules : dict of str to Rule
    kinds : dict of str to {"number", "date", "truth", "text"}
        Of every column of the table.
    categories : dict of str to list of str or None
        Values of columns that have no others.

    Raises
    ------
    ValueError
    """
    for name, rule in rules.items():
        if unknown := [column for column in [*(rule.constant or ()), *(rule.within or ())] if column not in kinds]:
            raise ValueError(f"rule {name}: it names {unknown[0]}, which is not a column")
        for text in rule.texts:
            try:
                kind = kind_of(parse(text), kinds, categories)
            except ValueError as error:
                raise ValueError(f"rule {name}: {error}") from None
            if kind != "truth":
                raise ValueError(f"rule {name}: `{text}` is no condition, but a {kind}")
