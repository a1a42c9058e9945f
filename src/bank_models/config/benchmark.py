"""Simple models that a use case wants beaten."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from bank_models.config.strict_model import StrictModel


class Benchmark(StrictModel):
    """A simple model or a rule of thumb, fitted on the training rows, that the model has to beat.

    Attributes
    ----------
    linear : list of str, optional
        Features or lags of a linear regression, a logistic one for classes, a quantile regression for a quantile or for
        absolute errors.
    scaled : str, optional
        A numeric feature times a factor that is fitted: a volatility times the quantile of losses in its unit is a VaR.
    feature : str, optional
        A numeric feature as it stands: the latest price is a forecast of the next one.
    """

    linear: Annotated[list[str], Field(min_length=1)] | None = None
    scaled: str | None = None
    feature: str | None = None

    @property
    def columns(self) -> list[str]:
        """What it looks at."""
        return self.linear or [self.scaled or self.feature]

    @model_validator(mode="after")
    def _is_one(self):
        if sum(each is not None for each in (self.linear, self.scaled, self.feature)) != 1:
            raise ValueError("a benchmark is one of linear: [columns], scaled: column, feature: column")
        return self
