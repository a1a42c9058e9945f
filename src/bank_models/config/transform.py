"""Transformers that a use case names: columns and parameters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from pydantic import Field

from bank_models.config.feature import Feature
from bank_models.config.strict_model import StrictModel
from bank_models.errors import ConfigError, at_most
from bank_models.extensions.features import TRANSFORMERS

Value = bool | int | float | str | None | list[bool | int | float | str]


class Transform(StrictModel):
    """A transformer of an extension, and what it is given.

    Attributes
    ----------
    columns : list of str
        Features, lags or derived columns that it takes in place of the usual preprocessing.
    params : mapping
        Arguments of its class.
    """

    columns: Annotated[list[str], Field(min_length=1)]
    params: dict[str, Value] = Field(default_factory=dict)


def check_columns(transforms: Mapping[str, Transform], inputs: Mapping[str, Feature]) -> None:
    """Refuse a transformer of a column that no model looks at, or that another one takes.

    Raises
    ------
    ValueError
    """
    taken: dict[str, str] = {}
    for name, one in transforms.items():
        for column in one.columns:
            if column not in inputs:
                raise ValueError(f"transformer {name} takes {column}, which is neither a feature, a lag nor a derived column")
            if column in taken:
                raise ValueError(f"transformers {taken[column]} and {name} both take {column}: a column goes to one of them")
            taken[column] = name


def check_transforms(transforms: Mapping[str, Transform], inputs: Mapping[str, Feature], task: str) -> None:
    """Refuse a transformer that cannot take its columns, its parameters or the task.

    Raises
    ------
    ConfigError
    """
    for name, one in transforms.items():
        declared = TRANSFORMERS[name]
        faults = [f"{column} is {inputs[column].type}" for column in one.columns if inputs[column].type not in declared.takes]
        if faults:
            raise ConfigError(f"transformer {name} takes {', '.join(declared.takes)}, but {at_most(3, faults, 'columns')}.")
        if declared.uses_target and task in ("clustering", "anomaly"):
            raise ConfigError(f"transformer {name} learns from a target, but the use case is {task}: leave it out.")
        directed = [column for column in one.columns if inputs[column].monotone]
        if directed and not declared.keeps_order:
            raise ConfigError(
                f"transformer {name} keeps no order, so the direction of {directed[0]} would be lost.\n"
                f"Leave {directed[0]} out of its columns, or write monotone: 0."
            )
        try:
            declared.make(**one.params)
        except Exception as error:  # whatever a class of somebody else raises
            raise ConfigError(f"transformer {name} does not take {one.params}: {type(error).__name__}: {error}") from None
