"""Forecasts of a series: lags of a target that has a time and no feature."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

SEASONS = {  # days between two rows, at most: rows of a season, and how it is called
    0.05: (24, "a day of hours"),
    1.6: (7, "a week of days"),
    8: (52, "a year of weeks"),
    32: (12, "a year of months"),
    93: (4, "a year of quarters"),
}
BUSINESS_DAYS = 5


@dataclass(frozen=True)
class SeriesFacts:
    """Facts of a use case that forecasts from earlier values, and what speaks for them."""

    lags: dict[str, dict[str, object]]
    series: dict[str, object]
    said: str


def facts_of_series(target: str, times: pd.Series, entity: str | None) -> SeriesFacts:
    """Propose the last value, that of a season ago and the mean of a season as features.

    Parameters
    ----------
    target : str
    times : Series of datetime
        Of all rows, in any order.
    entity : str, optional
        Column that says whose rows make one series.
    """
    season, called = _season(times.drop_duplicates().sort_values())
    of_entity = {"entity": entity} if entity else {}
    lags: dict[str, dict[str, object]] = {f"{target}_last": {"column": target, **of_entity, "periods": 1}}
    if season > 1:
        lags[f"{target}_season_ago"] = {"column": target, **of_entity, "periods": season}
        lags[f"{target}_season_mean"] = {"column": target, **of_entity, "window": season, "statistic": "mean"}
    said = f"no column but {target} and its time: forecast from the last value" + (
        f", that of {season} rows ago and their mean ({called})" if season > 1 else ""
    )
    return SeriesFacts(lags, {**of_entity, "horizon": 1, **({"season": season} if season > 1 else {})}, said)


def _season(times: pd.Series) -> tuple[int, str]:
    """Rows of a season, by the usual distance of two rows and whether there are weekends; 1 if none is known."""
    step = times.diff().dropna().dt.total_seconds().median() / 86_400
    if 0.9 < step < 1.1 and not (times.dt.day_of_week >= BUSINESS_DAYS).any():
        return BUSINESS_DAYS, "a week of business days"
    return next((season for longest, season in SEASONS.items() if step <= longest), (1, ""))
