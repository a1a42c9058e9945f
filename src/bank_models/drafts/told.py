"""Roles of columns that are told, in place of those that were found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, TypedDict

from bank_models.drafts.roles import Roles, are_numbers, are_years
from bank_models.errors import ConfigError

if TYPE_CHECKING:
    import pandas as pd


class RolesTold(TypedDict, total=False):
    """Columns whose role is known."""

    time_column: str | None
    group_column: str | None
    weight_column: str | None


def as_told(roles: Roles, frame: pd.DataFrame, told: Mapping[str, str | None]) -> Roles:
    """The roles with those that were told in place of those that were found.

    Parameters
    ----------
    roles : Roles
    frame : DataFrame
        Values of the columns, as text where the file is.
    told : mapping of str to str
        Columns by setting: see `RolesTold`.

    Raises
    ------
    ConfigError
        If a column is told twice, or its values are none of its role.
    """
    settings = {name: setting for setting, name in told.items() if name is not None}
    for setting, name in told.items():
        if name is None:
            continue
        if settings[name] != setting:
            raise ConfigError(f"{setting}={name} is the {settings[name]} too: one column has one role.")
        columns = [replace(one, left_out="as you say") if one.name == name else one for one in roles.columns]
        column = next((one for one in columns if one.name == name), None)
        if column is None:
            raise ConfigError(f"{setting}={name} is the target: one column has one role.")
        if setting == "time_column" and column.type == "int" and are_years(frame[name]):
            column = replace(column, type="date", format="%Y")
        if setting == "time_column" and column.type != "date":
            raise ConfigError(f"time_column={name} holds no dates: {column.said}.")
        if setting == "weight_column" and not are_numbers(frame[name]):
            raise ConfigError(f"weight_column={name} holds no numbers: {column.said}.")
        others = {role: None for role in ("time", "group") if (one := getattr(roles, role)) and one.name == name}
        roles = replace(roles, columns=columns, **others | {setting.removesuffix("_column"): column})
    return roles
