"""Made-up names of categories and words of texts."""

from math import prod
from string import Formatter
from typing import Annotated

from pydantic import Field, model_validator

from bank_models.config.strict_model import StrictModel

Words = Annotated[list[str], Field(min_length=1)]


class Slot(StrictModel):
    """Words that can stand at one place of a text.

    Attributes
    ----------
    words : list of str, optional
        Equally frequent; with a correlation ordered from what goes with low values to what goes with high ones.
    correlation : float
        In (-1, 1), of the word's place in the list with the latent value of the text; 0 picks words at random.
    column : str, optional
        Category that the text must agree with, instead of `words`.
    words_of : dict of str to list of str, optional
        Equally frequent words for each value of `column`.
    """

    words: Words | None = None
    correlation: Annotated[float, Field(gt=-1, lt=1)] = 0.0
    column: str | None = None
    words_of: dict[str, Words] | None = None

    @model_validator(mode="after")
    def _facts_agree(self):
        if (self.column is None) != (self.words_of is None) or (self.words is None) == (self.words_of is None):
            raise ValueError("a slot needs either words, or a column and words_of its values")
        if self.column is not None and self.correlation:
            raise ValueError(f"words of {self.column} follow that column, so they have no correlation")
        return self

    @property
    def all_words(self) -> list[str]:
        """Every word, those of a column in the order of its values."""
        return self.words or [word for words in self.words_of.values() for word in words]


def check_value_names(n_values: int, parts: list[list[str]] | None, prefix: str | None) -> None:
    """Refuse names of a zipf's values that are too few, or given twice."""
    if (parts is None) == (prefix is None):
        raise ValueError("distribution zipf needs either parts or a prefix to name its values")
    if parts is None:
        return
    for words in parts:
        if len(set(words)) < len(words):
            raise ValueError(f"parts must not repeat a word within a list, but got {', '.join(words)}")
    if (n_names := prod(len(words) for words in parts)) < n_values:
        raise ValueError(f"parts name {n_names} values, but n_values is {n_values}")


def check_templates(templates: list[str], slots: dict[str, Slot]) -> None:
    """Refuse templates whose slots are not those that are given."""
    named = set()
    for template in templates:
        try:
            fields = [(field, plain, how) for _, field, plain, how in Formatter().parse(template) if field is not None]
        except ValueError as error:
            raise ValueError(f'template "{template}" cannot be read: {error}') from None
        for field, plain, how in fields:
            if field not in slots or plain or how:
                raise ValueError(f'template "{template}" names {{{field}}}, which is not a slot')
            named.add(field)
    if unused := [name for name in slots if name not in named]:
        raise ValueError(f"no template has the slot {', '.join(unused)}")
