"""Simulation facts of all rows: number, period, entities, factors, labels."""

from datetime import date
from typing import Annotated, Literal

from pydantic import Field, StringConstraints, model_validator

from bank_models.config.simulation.margin import Outcome
from bank_models.config.strict_model import StrictModel

Frequency = Literal["hour", "business_hour", "day", "business_day", "week", "month", "quarter", "year"]
Level = Literal["row", "entity", "period", "category"]
Day = Annotated[date, Field(strict=False)]
# what repeats within a season can only be seen at periods shorter than it
SEASONS = {
    "yearly": ("hour", "business_hour", "day", "business_day", "week", "month", "quarter"),
    "monthly": ("hour", "business_hour", "day", "business_day", "week"),
    "weekly": ("hour", "business_hour", "day", "business_day"),
    "daily": ("hour", "business_hour"),
}
_PATTERN_LENGTHS = {"yearly": 12, "weekly": 7, "daily": 24}


def check_level(level: str, per: list[str] | None, autocorrelation: float) -> None:
    """Refuse facts about what shares a value that contradict each other."""
    if (level == "category") != (per is not None):
        raise ValueError("level category and per go together: per says whose rows share a value")
    if autocorrelation and (level == "entity" or (per is not None and "period" not in per)):
        raise ValueError(f"level {level} never changes, so it has no autocorrelation")


class Factor(StrictModel):
    """A standard normal value that features share.

    Attributes
    ----------
    level : {"row", "entity", "period", "category"}
        One value for each row, for all rows of an entity, for all rows of a period, such as the state of a market, or for
        all rows that have the same values in the columns of `per`.
    per : list of str, optional
        Of level category: the columns of categories, and `period` for a value that changes from one period to the next.
    autocorrelation : float
        In (-1, 1), from one period to the next.
    """

    level: Level = "row"
    per: Annotated[list[str], Field(min_length=1)] | None = None
    autocorrelation: Annotated[float, Field(gt=-1, lt=1)] = 0.0

    @model_validator(mode="after")
    def _facts_agree(self):
        check_level(self.level, self.per, self.autocorrelation)
        return self


class Interaction(StrictModel):
    """Two features whose latent values multiply: the effect of one depends on the other.

    For unordered classes `effects` stands in place of `effect`: change of the log-odds of each named class.
    """

    features: Annotated[list[str], Field(min_length=2, max_length=2)]
    effect: float = 0.0
    effects: Annotated[dict[str, float], Field(min_length=1)] | None = None

    @model_validator(mode="after")
    def _facts_agree(self):
        if self.features[0] == self.features[1]:
            raise ValueError(f"{self.features[0]} cannot interact with itself; shape: u_shape says that")
        if bool(self.effect) == (self.effects is not None):
            raise ValueError("an interaction needs either an effect other than 0 or effects")
        return self


class Panel(StrictModel):
    """Rows that belong to entities: branches over months, customers with several accounts.

    Attributes
    ----------
    entity : str
        The use case's group_column; its values are made of its name: branch_id gives branch_0001.
    rows_per_entity : int, optional
        Without a frequency, which gives an entity one row in every period.
    effect : float
        Standard deviation of what an entity adds to the index in all of its rows.
    """

    entity: str
    rows_per_entity: Annotated[int, Field(ge=1)] | None = None
    effect: Annotated[float, Field(ge=0)] = 0.0


class Season(StrictModel):
    """What the calendar adds to the index: the standard deviation of a pattern that is drawn, or the pattern.

    Attributes
    ----------
    yearly : float, or list of 12
        A smooth wave over the year, or a value for each month.
    monthly : float
        Peaks at the end of the month (pay-day) and around its middle.
    weekly : float, or list of 7
        A value for each weekday, Monday first.
    daily : float, or list of 24
        A smooth wave over the day, or a value for each hour.
    """

    yearly: Annotated[float, Field(ge=0)] | list[float] = 0.0
    monthly: Annotated[float, Field(ge=0)] = 0.0
    weekly: Annotated[float, Field(ge=0)] | list[float] = 0.0
    daily: Annotated[float, Field(ge=0)] | list[float] = 0.0

    @model_validator(mode="after")
    def _patterns_are_complete(self):
        for name, length in _PATTERN_LENGTHS.items():
            pattern = getattr(self, name)
            if isinstance(pattern, list) and len(pattern) != length:
                raise ValueError(f"a {name} pattern has {length} values, but got {len(pattern)}")
        return self

    def given(self) -> dict[str, float | list[float]]:
        """The seasons that move the index."""
        return {name: amount for name in SEASONS if (amount := getattr(self, name))}


class Regime(StrictModel):
    """A state of the world that holds from a day until the next regime begins.

    Attributes
    ----------
    start : date
    effect : float
        Added to the index.
    volatility : float
        What the noise of a regression outcome is multiplied with.
    """

    start: Day
    effect: float = 0.0
    volatility: Annotated[float, Field(gt=0)] = 1.0


class Component(StrictModel):
    """A kind of row in a mixture: a segment of customers, or the fraudsters.

    Attributes
    ----------
    name : str
    share : float
        In (0, 1), of all rows; the shares of all components sum to 1.
    shift : dict of str to float
        Feature to the mean of its latent value, in standard deviations; 0 for those that are not named.
    spread : float
        Standard deviation of all latent values.
    is_anomaly : bool
        What task anomaly has to find.
    """

    name: str
    share: Annotated[float, Field(gt=0, lt=1)]
    shift: dict[str, Annotated[float, Field(ge=-6, le=6)]] = Field(default_factory=dict)
    spread: Annotated[float, Field(gt=0, le=5)] = 1.0
    is_anomaly: bool = False


class Simulation(StrictModel):
    """How rows of the use case are made when there is no real data to show.

    Attributes
    ----------
    rows : int
        Rows to draw when the command line does not say.
    source : str, optional
        Where the base rate, or the level of the outcome, comes from.
    positive_rate : float, optional
        Of task binary: mean true probability of the positive class, in (0, 1).
    class_rates : list of float, optional
        Of task multiclass: mean true probability of each class; they sum to 1.
    outcome : Outcome, optional
        Of task regression.
    components : list of Component, optional
        Of tasks clustering and anomaly.
    label_noise : float
        Share of labels, in [0, 0.5), that do not follow the features: flipped, or drawn from `class_rates`.
    interactions : list of Interaction
    factors : dict of str to Factor
        Of the factors that features load on, those that are not a value of each single row.
    start, end : date, optional
        First and last day of the time column; the use case must name one.
    frequency : str, optional
        Regular periods within start and end: hour and business_hour (its start; the latter from Monday to Friday), day and
        business_day (that day), week (its Sunday), month, quarter and year (its last day). Without it rows happen at random
        moments.
    hours : list of int, optional
        First and last hour of the day that an hourly frequency has; without it all 24.
    season : Season
    trend : float
        Change of the index from start to end.
    regimes : list of Regime
    panel : Panel, optional
        Without it a frequency makes a single series.
    """

    rows: Annotated[int, Field(ge=1)]
    source: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)] | None = None
    positive_rate: Annotated[float, Field(gt=0, lt=1)] | None = None
    class_rates: list[Annotated[float, Field(gt=0, lt=1)]] | None = None
    outcome: Outcome | None = None
    components: Annotated[list[Component], Field(min_length=2)] | None = None
    label_noise: Annotated[float, Field(ge=0, lt=0.5)] = 0.0
    interactions: list[Interaction] = Field(default_factory=list)
    factors: dict[str, Factor] = Field(default_factory=dict)
    start: Day | None = None
    end: Day | None = None
    frequency: Frequency | None = None
    hours: Annotated[list[Annotated[int, Field(ge=0, le=23)]], Field(min_length=2, max_length=2)] | None = None
    season: Season = Season()
    trend: float = 0.0
    regimes: list[Regime] = Field(default_factory=list)
    panel: Panel | None = None

    @model_validator(mode="after")
    def _rates_agree(self):
        if self.positive_rate is not None and not self.label_noise < self.positive_rate < 1 - self.label_noise:
            raise ValueError(
                "`label_noise < positive_rate < 1 - label_noise` must hold, "
                f"but got (label_noise={self.label_noise}, positive_rate={self.positive_rate})"
            )
        if self.class_rates and abs(sum(self.class_rates) - 1) > 1e-9:
            raise ValueError(f"class_rates must sum to 1, but sum to {sum(self.class_rates):.6g}")
        if self.components is None:
            return self
        if abs(total := sum(component.share for component in self.components) - 1) > 1e-9:
            raise ValueError(f"the shares of the components must sum to 1, but sum to {total + 1:.6g}")
        names = [component.name for component in self.components]
        if len(set(names)) < len(names):
            raise ValueError(f"components need different names, but got {', '.join(names)}")
        return self

    @model_validator(mode="after")
    def _period_agrees(self):
        if (self.start is None) != (self.end is None):
            raise ValueError("a period needs start and end")
        if self.start is not None and self.start > self.end:
            raise ValueError(f"`start <= end` must hold, but got (start={self.start}, end={self.end})")
        if self.start is None and (self.frequency or self.season.given() or self.trend or self.regimes):
            raise ValueError("frequency, season, trend and regimes need start and end")
        if self.hours is not None and self.frequency not in ("hour", "business_hour"):
            raise ValueError("hours are for frequency hour and business_hour")
        if self.hours is not None and self.hours[0] > self.hours[1]:
            raise ValueError(f"hours are the first and the last one of a day, but got {self.hours[0]} and {self.hours[1]}")
        for name in self.season.given():
            if self.frequency not in (None, *SEASONS[name]):
                raise ValueError(f"season {name} cannot be seen at frequency {self.frequency}")
        starts = [regime.start for regime in self.regimes]
        if starts != sorted(set(starts)):
            raise ValueError("regimes must be in the order of their start, each with another one")
        if starts and not (self.start < starts[0] and starts[-1] <= self.end):
            raise ValueError(f"regimes must start after {self.start} and not after {self.end}")
        return self

    @model_validator(mode="after")
    def _panel_agrees(self):
        if self.panel is not None and (self.panel.rows_per_entity is None) == (self.frequency is None):
            raise ValueError("a panel needs either a frequency (one row in every period) or rows_per_entity")
        for name, factor in self.factors.items():
            self.check_level(f"factor {name}", factor)
        if self.outcome is not None and self.outcome.memory and self.frequency is None:
            raise ValueError("the memory of an outcome needs a frequency: it is from one period to the next")
        return self

    def check_level(self, what: str, drawn: Factor) -> None:
        """Refuse a level or an autocorrelation that these rows cannot have."""
        if drawn.level == "entity" and self.panel is None:
            raise ValueError(f"{what}: level entity needs a panel")
        if "period" in (drawn.level, *(drawn.per or ())) and self.frequency is None:
            raise ValueError(f"{what}: level period needs a frequency")
        if drawn.autocorrelation and self.frequency is None:
            raise ValueError(f"{what}: autocorrelation needs a frequency: it is from one period to the next")
