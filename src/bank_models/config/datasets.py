"""StrictModel of the real data sets that ship with the product or inside Python packages: one file each."""

from __future__ import annotations

import difflib
from typing import Any, Literal

import yaml
from pydantic import Field

from bank_models.config import DATASETS
from bank_models.config.feature import Feature
from bank_models.config.rule import Rule
from bank_models.config.strict_model import StrictModel
from bank_models.errors import DataError


class MinimumScore(StrictModel):
    """What a metric must reach on test, in its natural sign, and why that much."""

    score: float
    reason: str


class Entry(StrictModel):
    """The facts of one data set, as its file in the catalogue states them.

    Attributes
    ----------
    title, citation, licence : str
    package, version : str
        Where the file comes from, as pip knows it.
    path : str
        The file inside that package.
    vendored : str, optional
        Name of our copy of the file in `vendored/`; without it the package must be installed.
    sha256 : str
        Of the file as it is, compressed or not.
    read : dict
        Keywords of `pandas.read_csv`. `na_values` are missing beside empty cells.
    drop : dict of str to str
        Columns of the file that are no features, and why not.
    rename : dict of str to str
        Every feature in order: the file's name, our name.
    missing_codes : dict of str to list
        Values of a feature, by our name, that mean "not known".
    derivation : str, optional
        Name in `bank_models.data.derived.DERIVATIONS` of what makes the rows from the renamed columns of the file.
    derived_from : str, optional
        Another entry, whose facts hold here too unless this one says otherwise.
    tables : dict of str to str
        Further tables that the derivation takes, by the name of its argument: entries in `tables/`.
    target : str, optional
        Column that holds the target; None for rows to be put into groups, and for a table.
    positive : int or str, optional
        The target's value in the positive class.
    time_column : str, optional
        When the row happened; it stays in the frame and is no feature.
    shape : list of int
        Rows and features that must be read.
    row : str, optional
        What one row is, and when its target becomes known; for a set that may stand in for others, as the next seven are.
    features : dict of str to Feature, optional
        The columns that a model may use, by our names.
    target_name : str, optional
        What the target is called, with its true unit; without it, what the use case calls its own.
    rules : dict of str to Rule
        What holds in every row, as `UseCase.rules`.
    benchmarks : dict of str to dict
        Simple models by name, as `UseCase.benchmarks`.
    minimum_scores : dict of str to MinimumScore
        By metric: what a version must reach that was trained on this set.
    protected : list of str
        Columns that are kept for figures on fairness, and are no features.
    favourable : {0, 1}, optional
        The decision that people want, where columns are protected.
    duplicates : {"drop", "keep"}
        Whether rows that repeat an earlier one in every column are copies, or others that look the same.
    positive_rate, target_mean, class_rates : float, float, dict of str to float, optional
        What the target must be: the one that is given makes it binary, a number or a class. None without a target.
    note : str, optional
        What every reader of the results should know.
    """

    title: str
    package: str
    version: str
    path: str
    vendored: str | None = None
    sha256: str
    read: dict[str, Any]
    drop: dict[str, str]
    rename: dict[str, str]
    missing_codes: dict[str, list[int | float | str]]
    derivation: str | None = None
    derived_from: str | None = None
    tables: dict[str, str] = Field(default_factory=dict)
    target: str | None
    positive: int | str | None = None
    time_column: str | None = None
    row: str | None = None
    features: dict[str, Feature] | None = None
    target_name: str | None = None
    rules: dict[str, Rule] = Field(default_factory=dict)
    benchmarks: dict[str, dict[str, Any]] = Field(default_factory=dict)
    minimum_scores: dict[str, MinimumScore] = Field(default_factory=dict)
    protected: list[str] = Field(default_factory=list)
    favourable: Literal[0, 1] | None = None
    duplicates: Literal["drop", "keep"] = "keep"
    shape: list[int]
    positive_rate: float | None = None
    target_mean: float | None = None
    class_rates: dict[str, float] | None = None
    citation: str
    licence: str
    note: str | None

    @property
    def requirement(self) -> str:
        return f"{self.package}=={self.version}"

    @property
    def expected(self) -> dict[str, float]:
        """StrictModel about the target, as `_found` computes them."""
        if self.target is None:
            return {}
        if self.class_rates is not None:
            return {f"rate of {name}": rate for name, rate in self.class_rates.items()}
        return {"target mean": self.target_mean} if self.positive_rate is None else {"positive rate": self.positive_rate}


def names() -> list[str]:
    """Names of the data sets that rows can be loaded from, in order of the alphabet. Opens no file."""
    return sorted(path.stem for path in DATASETS.glob("*.yaml"))


def declared_rows(name: str) -> int:
    """How many rows a data set has, as the catalogue says."""
    return entry_of(name).shape[0]


def facts_of_proxy(name: str, metric: str) -> dict[str, Any]:
    """What takes the place of a use case's own facts when it trains on rows of another kind.

    Parameters
    ----------
    name : str
        One of `names()`, with `features`.
    metric : str
        Of the use case: its minimum score is that of the set, where the set states one.

    Returns
    -------
    dict of str to Any
        Values of `UseCase` by name: features, and all that describes the rows or may name a column.
    """
    entry = entry_of(name)
    if entry.features is None:
        raise DataError(f"{name} cannot be a proxy: {DATASETS.name}/{name}.yaml declares no features.")
    minimum = entry.minimum_scores.get(metric)
    target = {} if entry.target_name is None else {"target": entry.target_name}
    return target | {
        "row": entry.row,
        "features": entry.features,
        "protected": entry.protected,
        "favourable": entry.favourable,
        "benchmarks": entry.benchmarks,
        "minimum_score": None if minimum is None else minimum.score,
        "minimum_reason": None if minimum is None else minimum.reason,
        "known_in_time": {},
        "time_column": entry.time_column,
        "duplicates": entry.duplicates,
        "group_column": None,
        "weight_column": None,
        "lags": {},
        "derived": {},
        "transformers": {},
        "series": None,
        "requires_monotone": False,
        "rules": entry.rules,
        "simulation": None,
    }


def entry_of(name: str) -> Entry:
    known = names()
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1, cutoff=0)
        raise DataError(f"No real data set is called {name!r}. Did you mean {near[0]}?\nKnown: {', '.join(known)}.")
    facts = _facts(f"{name}.yaml")
    origin = facts.get("derived_from")
    return Entry(**(facts if origin is None else _facts(f"{origin}.yaml", f"tables/{origin}.yaml") | facts))


def table_entry_of(name: str) -> Entry:
    return Entry(**_facts(f"tables/{name}.yaml"))


def _facts(*paths: str) -> dict[str, Any]:
    """What the first of these files that is in the catalogue states."""
    path = next(DATASETS / path for path in paths if (DATASETS / path).is_file())
    return yaml.safe_load(path.read_text(encoding="utf-8"))
