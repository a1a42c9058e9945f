"""Features and lag features: type, range, missing values and direction of a column."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, model_validator

from bank_models.config.simulation import Simulate
from bank_models.config.strict_model import Share, StrictModel


def _label(value: object) -> object:
    """A class as its name: numbers are spelled out; what YAML takes for a truth value is refused with what to type."""
    if isinstance(value, bool):
        raise ValueError("YAML reads Yes, No, True, False, on and off as truth values: put the class in quotes")
    return str(value) if isinstance(value, int) else value


Label = Annotated[str, BeforeValidator(_label)]


class Feature(StrictModel):
    """One column a model may use. Its type alone stands for it: `age: int` is `age: {type: int}`.

    Attributes
    ----------
    type : {"float", "int", "bool", "category", "text", "date"}
    min, max : float, optional
        Smallest and largest plausible value, in the unit the name ends with.
    categories : list of str, optional
        Every value a category may take; None allows any.
    max_missing : float
        Largest share of rows, in [0, 1], that may lack a value.
    monotone : {-1, 0, 1}
        Sign that the effect on the score must have.
    in_model : bool
        Whether a model looks at the column itself. False for one that only derived columns, rules or costs look at.
    format : str, optional
        Of a date that is not in ISO 8601, in the words of `strptime`, such as "%d.%m.%Y".
    simulate : Simulate, optional
        How to draw it, for use cases with a simulator.
    """

    type: Literal["float", "int", "bool", "category", "text", "date"]
    description: str = ""
    min: float | None = None
    max: float | None = None
    categories: list[str] | None = None
    max_missing: Share = 0.0
    monotone: Literal[-1, 0, 1] = 0
    in_model: bool = True
    format: str | None = None
    simulate: Simulate | None = None

    @model_validator(mode="before")
    @classmethod
    def _type_alone(cls, given):
        return {"type": given} if isinstance(given, str) else given

    @model_validator(mode="after")
    def _facts_agree(self):
        if self.format is not None and self.type != "date":
            raise ValueError(f"format is for type date, not {self.type}")
        if self.type in ("category", "text", "date") and (self.min is not None or self.max is not None or self.monotone):
            raise ValueError(f"a {self.type} has no min, max or monotone")
        if self.monotone and not self.in_model:
            raise ValueError(f"monotone is {self.monotone}, but no model looks at it: in_model is false")
        if self.categories is not None and self.type != "category":
            raise ValueError(f"categories are for type category, not {self.type}")
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError(f"`min <= max` must hold, but got (min={self.min}, max={self.max})")
        return self

    @model_validator(mode="after")
    def _simulate_agrees(self):
        drawn = self.simulate
        if drawn is None:
            return self
        drawn.check_type(self.type, self.categories)
        if drawn.decimals is not None and self.type != "float":
            raise ValueError(f"decimals are for type float, not {self.type}")
        if drawn.distribution == "zipf" and self.categories is not None:
            raise ValueError("distribution zipf names its own categories: leave them out")
        if self.type == "bool" and drawn.missing_rate:
            raise ValueError("a bool cannot be missing; declare a category with the categories yes and no")
        if drawn.missing_rate and drawn.missing_rate >= self.max_missing:
            raise ValueError(
                "`missing_rate < max_missing` must hold, "
                f"but got (missing_rate={drawn.missing_rate}, max_missing={self.max_missing})"
            )
        if self.monotone and drawn.effects:
            raise ValueError(f"monotone is {self.monotone}, but the effects differ by class")
        if self.monotone and drawn.shape == "u_shape" and drawn.effect:
            raise ValueError(f"monotone is {self.monotone}, but the effect is u-shaped")
        if self.monotone and drawn.effect * self.monotone < 0:
            raise ValueError(f"monotone is {self.monotone}, but the effect is {drawn.effect}")
        return self


class Lag(StrictModel):
    """A new feature from earlier rows: the value some rows back, or a statistic over a window of rows.

    Rows count backwards from the row that is scored, among the rows of its entity that are earlier in time; rows of one
    moment never see each other. `horizon` says which of them are known by then: a payment is known at once (1, the row
    before), but a default that shows three monthly rows later must not be looked up before the third row back
    (horizon 3). It matters most where `column` is the target.

    Attributes
    ----------
    column : str
        A numeric or boolean column of the table, or the target.
    entity : str, optional
        Column that says whose rows belong together, such as an account; None takes the whole table as one series.
    periods : int, optional
        How many rows back, at least `horizon`.
    window : int, optional
        How many rows a statistic covers; the newest of them is `horizon` rows back.
    statistic : {"mean", "std", "min", "max", "sum"}, optional
        Over the values in the window that are not missing; std is the sample's (divided by n - 1).
    min_periods : int
        Values that a window must hold; with fewer the feature is missing, and so is the std of one value.
    horizon : int
        Distance, in rows, to the newest row whose value is known when this row is scored.
    """

    column: str
    entity: str | None = None
    periods: Annotated[int, Field(ge=1)] | None = None
    window: Annotated[int, Field(ge=2)] | None = None
    statistic: Literal["mean", "std", "min", "max", "sum"] | None = None
    min_periods: Annotated[int, Field(ge=1)] = 1
    horizon: Annotated[int, Field(ge=1)] = 1

    @model_validator(mode="after")
    def _facts_agree(self):
        if (self.periods is None) == (self.window is None):
            raise ValueError("a lag needs either periods or a window")
        if (self.window is None) != (self.statistic is None):
            raise ValueError("a window and its statistic go together: give both or neither")
        if self.min_periods > (self.window or 1):
            at_most = "`min_periods <= window` must hold" if self.window else "min_periods is for a window"
            raise ValueError(f"{at_most}, but got (min_periods={self.min_periods}, window={self.window})")
        if self.periods is not None and self.periods < self.horizon:
            raise ValueError(
                f"`periods >= horizon` must hold, but got (periods={self.periods}, horizon={self.horizon}): "
                "that value is not known yet"
            )
        if self.column == self.entity:
            raise ValueError(f"{self.column} cannot be lagged within itself: it is the entity")
        return self
