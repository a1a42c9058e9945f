"""Backtest by period: the primary metric, rate or mean, KS and Gini in each month, quarter or year of the test rows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from bank_models.evaluation.cutoffs import gini, ks
from bank_models.evaluation.score_bands import effective_rows, wilson
from bank_models.metrics.figures import six_digits
from bank_models.metrics.intervals import Estimate, estimate, interval
from bank_models.metrics.scorer import Scorer
from bank_models.metrics.scores import Prediction
from bank_models.metrics.units import Units
from bank_models.metrics.weighted import mean

CALENDAR = ("D", "W", "M", "Q", "Y")
MOST_PERIODS = 12
FEWEST_ROWS = 30  # of a period, on average
FEWEST_OF_CLASS = 10  # of two classes, from which a ranking is measured
UNKNOWN = (np.nan, np.nan)


def by_period(
    scorer: Scorer, y_true: np.ndarray, prediction: Prediction, times: np.ndarray, units: Units, moments=None
) -> pd.DataFrame | None:
    """Quality of the answers in each stretch of time of the test rows.

    Parameters
    ----------
    scorer : Scorer
    y_true : ndarray of shape (n_rows,)
    prediction : Prediction
        As decided for; nothing is fitted.
    times : ndarray of shape (n_rows,)
    units : Units
        What came into the sample together; the intervals go by it.
    moments : ndarray of shape (n_rows,), optional
        When each row happened, for metrics that are taken moment by moment.

    Returns
    -------
    DataFrame or None
        `period`, `n_rows`, `value` of the primary metric with `ci_low` and `ci_high`. Of two classes also `n_positive`,
        `observed_rate` with `rate_ci_low` and `rate_ci_high`, `mean_predicted`, `ks`, and `gini` with `gini_ci_low` and
        `gini_ci_high`; of numbers `target_mean` and `mean_predicted`. None if there are fewer than two periods.
    """
    codes, names = periods_of(times, _n_telling(scorer.task, y_true) // FEWEST_ROWS)
    if len(names) < 2:
        return None
    rows = [np.flatnonzero(codes == code) for code in range(len(names))]
    measured = _Measured(scorer, y_true, prediction, units, moments)
    return pd.DataFrame([{"period": name, **_line(measured, some)} for name, some in zip(names, rows, strict=True)])


def periods_of(times: np.ndarray, most: int = MOST_PERIODS) -> tuple[np.ndarray, list[str]]:
    """The period of each row, and the periods' names: the shortest of days, weeks, months, quarters and years that are few.

    Times that are numbers and no dates are cut into stretches of equally many rows.

    Parameters
    ----------
    times : ndarray of shape (n_rows,)
    most : int
        How many periods the rows are enough for; where all units make more, the longest that makes two is taken.
    """
    most = min(most, MOST_PERIODS)
    if np.asarray(times).dtype.kind != "M":
        return _stretches(np.asarray(times), min(most, MOST_PERIODS // 2))
    cut = {unit: pd.Series(times).dt.to_period(unit) for unit in CALENDAR}
    several = [unit for unit in CALENDAR if 2 <= cut[unit].nunique() <= MOST_PERIODS]
    few = [unit for unit in several if cut[unit].nunique() <= most]
    unit = (few or several[-1:] or ["Y"])[0]
    codes, names = pd.factorize(cut[unit], sort=True)
    return codes, [_name(period, unit) for period in names]


def _n_telling(task: str, y_true: np.ndarray) -> int:
    """Rows; of two classes no more than thrice the rarer one."""
    n_rows = len(y_true)
    return n_rows if task != "binary" else min(n_rows, 3 * int(min(y_true.sum(), n_rows - y_true.sum())))


def _name(period: pd.Period, unit: str) -> str:
    return f"{period.end_time:%G-W%V}" if unit == "W" else str(period)


def _stretches(times: np.ndarray, n: int) -> tuple[np.ndarray, list[str]]:
    edges = np.unique(np.quantile(times, np.arange(1, max(n, 1)) / max(n, 1), method="lower"))
    codes = np.unique(np.searchsorted(edges, times, side="left"), return_inverse=True)[1]
    parts = [times[codes == code] for code in range(codes.max() + 1)]
    return codes, [f"{part.min():g} to {part.max():g}" for part in parts]


@dataclass(frozen=True)
class _Measured:
    """Answers, and how any of their rows are measured."""

    scorer: Scorer
    y_true: np.ndarray
    prediction: Prediction
    units: Units
    moments: np.ndarray | None

    def weight(self, rows: np.ndarray) -> np.ndarray | None:
        return None if self.units.weight is None else self.units.weight[rows]

    def __call__(self, metric: str, rows: np.ndarray) -> Estimate:
        about = self.scorer.n_classes, self.units, self.scorer.quantile, self.moments
        return estimate(metric, self.y_true, self.prediction, *about, rows)


def _line(measured: _Measured, rows: np.ndarray) -> dict[str, float]:
    task, y, score = measured.scorer.task, measured.y_true[rows], measured.prediction.score[rows]
    if task == "binary" and min(y.sum(), len(y) - y.sum()) < FEWEST_OF_CLASS:
        value, ends = np.nan, UNKNOWN
    else:
        found = measured(measured.scorer.metric, rows)
        value, ends = found.value, interval(found) or UNKNOWN
    line = {"n_rows": len(rows), "value": six_digits(value), "ci_low": six_digits(ends[0]), "ci_high": six_digits(ends[1])}
    if task == "regression":
        means = (six_digits(float(mean(values, measured.weight(rows)))) for values in (y, score))
        return line | dict(zip(("target_mean", "mean_predicted"), means, strict=True))
    return line | (_of_two_classes(measured, rows) if task == "binary" else {})


def _of_two_classes(measured: _Measured, rows: np.ndarray) -> dict[str, float]:
    y, score = measured.y_true[rows], measured.prediction.score[rows]
    effective = effective_rows(y, measured.units.take(rows))
    rate, predicted = (mean(values, measured.weight(rows)) for values in (y, score))
    low, high = wilson(rate * effective, effective)
    line = {"n_positive": int(y.sum()), "observed_rate": rate, "rate_ci_low": low, "rate_ci_high": high}
    line |= {"mean_predicted": predicted, **_ranking(measured, rows)}
    return {name: six_digits(value) for name, value in line.items()}


def _ranking(measured: _Measured, rows: np.ndarray) -> dict[str, float]:
    y, score = measured.y_true[rows], measured.prediction.score[rows]
    if min(y.sum(), len(y) - y.sum()) < FEWEST_OF_CLASS:
        return dict.fromkeys(("ks", "gini", "gini_ci_low", "gini_ci_high"), np.nan)
    area = measured("roc_auc", rows)
    low, high = (gini(end) for end in interval(area) or UNKNOWN)
    return {"ks": ks(y, score, measured.weight(rows))[0], "gini": gini(area.value), "gini_ci_low": low, "gini_ci_high": high}
