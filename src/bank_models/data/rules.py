"""Validation of rows against the business rules of a use case."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from bank_models.config.expression import parse
from bank_models.config.rule import Rule
from bank_models.data.expressions import Truth, holds, read_column

Z_OF_DOUBT = 3.0  # standard errors by which a share may miss what the rule states, by chance


@dataclass(frozen=True)
class Kept:
    """How a rule fared.

    Attributes
    ----------
    name : str
    rule : Rule
    n_judged : int
        Rows that the rule is about and in which no value is missing that decides.
    broken : ndarray of bool of shape (n_rows,)
    """

    name: str
    rule: Rule
    n_judged: int
    broken: np.ndarray

    @property
    def share(self) -> float:
        """Of the judged rows, those that keep the rule."""
        return 1 - self.broken.sum() / self.n_judged if self.n_judged else 1.0

    @property
    def is_below(self) -> bool:
        """Whether fewer rows keep it than stated, beyond chance."""
        if self.rule.is_exact or not self.n_judged:
            return bool(self.broken.any())
        error = np.sqrt(self.rule.share * (1 - self.rule.share) / self.n_judged)
        return bool(self.share < self.rule.share - Z_OF_DOUBT * error)

    def fault(self) -> tuple[str, str]:
        """What is wrong as a whole, and with one row."""
        n, first = int(self.broken.sum()), int(self.broken.argmax()) + 1
        rows = "1 row breaks it" if n == 1 else f"{n:,} rows break it"
        return f"{rows} (row {first} is the first): {self.rule.said()}", f"breaks the rule {self.name}: {self.rule.said()}"


def judge(rules: Mapping[str, Rule], table: pd.DataFrame) -> list[Kept]:
    """Compare rows with every rule whose columns the table has.

    Parameters
    ----------
    rules : mapping of str to Rule
    table : DataFrame of shape (n_rows, n_columns)
        Columns in the types that models are fed with.

    Returns
    -------
    list of Kept
    """
    here = {name: rule for name, rule in rules.items() if all(column in table for column in rule.columns)}
    columns = {
        column: read_column(table[column]) for column in dict.fromkeys(c for rule in here.values() for c in rule.columns)
    }
    found = []
    for name, rule in here.items():
        kept = _one_value(rule, table) if rule.holds is None else holds(parse(rule.holds), columns, len(table))
        about = np.ones(len(table), dtype=bool) if rule.when is None else holds(parse(rule.when), columns, len(table)).yes
        found.append(Kept(name, rule, int((about & (kept.yes | kept.no)).sum()), about & kept.no))
    return found


def _one_value(rule: Rule, table: pd.DataFrame) -> Truth:
    """Where all columns have the value that the first row of its kind has; neither where one is missing."""
    groups = table.groupby(rule.within, observed=True, sort=False, dropna=False).ngroup().to_numpy()
    yes, no = np.ones(len(table), dtype=bool), np.zeros(len(table), dtype=bool)
    for name in rule.constant:
        codes = pd.factorize(table[name])[0]
        known = codes >= 0
        first = np.full(groups.max(initial=0) + 1, -1)
        first[groups[known][::-1]] = codes[known][::-1]
        yes, no = yes & known & (codes == first[groups]), no | (known & (codes != first[groups]))
    return Truth(yes, no)


def notes(found: list[Kept]) -> list[str]:
    """What a reader of the results should know of the rules, one sentence each."""
    n_exact = sum(one.rule.is_exact for one in found)
    said = [f"The rows keep every exact rule of the business ({n_exact})."] if n_exact else []
    for one in found:
        if not one.rule.is_exact:
            said.append(
                f"Rule {one.name} is kept by {one.share:.2%} of {one.n_judged:,} rows; "
                f"{'it should be' if one.is_below else 'stated are'} {one.rule.share:.2%} at least."
            )
        if not one.n_judged:
            said.append(f"Rule {one.name} is about no row of these.")
    return said
