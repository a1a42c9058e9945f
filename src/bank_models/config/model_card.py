"""Model card: purpose, owner, users, validation and approval, as a use case declares them."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StringConstraints

from bank_models.config.strict_model import StrictModel

Words = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]


class Card(StrictModel):
    """What a person declares for the model card; what is left out is shown as open.

    Attributes
    ----------
    purpose : str, optional
        Which decision the model supports.
    owner : str, optional
        Who answers for it.
    users : str, optional
        Who works with its answers.
    uses_to_avoid : list of str
        What it must not be used for.
    validation : str, optional
        By whom else than the developers it was validated, when and with what result.
    approval : str, optional
        By whom and when it was approved, and until when.
    """

    purpose: Words | None = None
    owner: Words | None = None
    users: Words | None = None
    uses_to_avoid: list[Words] = Field(default_factory=list)
    validation: Words | None = None
    approval: Words | None = None
