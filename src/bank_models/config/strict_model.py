"""Strict pydantic base: unknown fields are refused, records cannot change."""

from collections.abc import Callable
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from pydantic_core import PydanticKnownError

from bank_models.extensions.table import Table

Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$")]
Column = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,63}$")]
Share = Annotated[float, Field(ge=0, le=1)]


class StrictModel(BaseModel):
    """A strict record: unknown keys, wrong types and later changes are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


def known_in(table: Table, *but: str) -> Callable[[str], str]:
    """A validator of names that a table holds; an extension's are looked up when one is given, and not before."""

    def check(name: str) -> str:
        table.check(name)
        if name in table and name not in but:
            return name
        *others, last = (repr(one) for one in table if one not in but)
        raise PydanticKnownError("literal_error", {"expected": f"{', '.join(others)} or {last}"})

    return check
