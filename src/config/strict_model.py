"""Strict pydantic base: unknown fields are refused, records cannot change."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$")]
Share = Annotated[float, Field(ge=0, le=1)]


class StrictModel(BaseModel):
    """A strict record: unknown keys, wrong types and later changes are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)
