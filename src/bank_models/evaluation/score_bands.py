"""Deciles and score bands of test rows: observed rates, gains and lift."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.stats import t as student

from bank_models.metrics.figures import six_digits
from bank_models.metrics.intervals import spread
from bank_models.metrics.units import Units
from bank_models.metrics.weighted import effective_size, mean

ROWS = Units()  # independent ones
N_DECILES = 10
LIMITS = (0.0, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.35, 0.5, 0.75, 1.0)  # of probability, finer where most portfolios lie
Z = 1.959963984540054  # of a 95 % interval


def deciles(y_true, score, units: Units = ROWS) -> pd.DataFrame:
    """Gains, lift and calibration by tenth of the rows, from the highest scores to the lowest.

    Rows of one score stay in one tenth, so tenths may differ in size where scores are tied.

    Parameters
    ----------
    y_true : ndarray of shape (n_rows,)
        0 or 1, both of them there.
    score : ndarray of shape (n_rows,)
        Probability of 1.
    units : Units
        What came into the sample together; the intervals of rates go by it. Where rows have weights, tenths and rates are of
        weight, and counts of rows.

    Returns
    -------
    DataFrame
        `decile` (1 has the highest scores), `highest_score`, `lowest_score`, the columns of `_rates`, `lift`: the rate over
        that of all rows, and cumulated from the highest score: `cumulative_rate`, `gain`: the share of all positives, and
        `ks`: `gain` less the share of all negatives.
    """
    y_true, score = np.asarray(y_true), np.asarray(score, dtype=float)
    _, codes, counts = np.unique(-score, return_inverse=True, return_counts=True)
    weight = units.weight
    if weight is not None:
        counts = np.bincount(codes, weights=weight)
    middle = np.cumsum(counts) - counts / 2  # of the ranks of equal scores
    tenth = np.minimum((N_DECILES * middle / counts.sum()).astype(int), N_DECILES - 1)[codes]
    table = _rates(y_true, score, tenth, units)
    ends = pd.Series(score).groupby(tenth)
    of_rows, of_positives = table["n_rows"], table["n_positive"]
    if weight is not None:
        of_rows, of_positives = (_sums(each, tenth).reset_index(drop=True) for each in (weight, weight * y_true))
    n_rows, n_positive = of_rows.cumsum(), of_positives.cumsum()
    gain, taken = n_positive / n_positive.iloc[-1], (n_rows - n_positive) / (n_rows - n_positive).iloc[-1]
    table.insert(0, "decile", table.pop("group") + 1)
    table.insert(1, "highest_score", ends.max().to_numpy())
    table.insert(2, "lowest_score", ends.min().to_numpy())
    table["lift"] = table["observed_rate"] / mean(y_true, weight)
    table["cumulative_rate"], table["gain"], table["ks"] = n_positive / n_rows, gain, gain - taken
    return table.map(six_digits)


def score_bands(y_true, score, units: Units = ROWS) -> pd.DataFrame:
    """How many rows fall into each band of probability, and how many of them are positive.

    Its limits never change, so a band means the same for tomorrow's rows and for another model.

    Parameters
    ----------
    y_true : ndarray of shape (n_rows,)
        0 or 1.
    score : ndarray of shape (n_rows,)
        Probability of 1; a band holds its lower limit, and the last one 1.
    units : Units
        What came into the sample together; the intervals of rates go by it.

    Returns
    -------
    DataFrame
        Of each band that has rows `from` and `to`, the columns of `_rates`, and `share` of all rows.
    """
    band = np.searchsorted(LIMITS[1:-1], np.asarray(score, dtype=float), side="right")
    table = _rates(np.asarray(y_true), np.asarray(score, dtype=float), band, units)
    group = table.pop("group").to_numpy()
    table.insert(0, "from", np.take(LIMITS, group))
    table.insert(1, "to", np.take(LIMITS, group + 1))
    table["share"] = table["n_rows"] / len(band)
    if units.weight is not None:
        table["share"] = np.bincount(band, weights=units.weight)[group] / units.weight.sum()
    return table.map(six_digits)


def wilson(n_positive, n_rows) -> tuple[np.ndarray, np.ndarray]:
    """Ends of the 95 % interval of a rate.

    Parameters
    ----------
    n_positive, n_rows : float or ndarray
        Counts, or the effective ones of rows that depend on one another: see `effective_rows`.

    References
    ----------
    Wilson (1927), Probable inference, the law of succession, and statistical inference, JASA 22, 209-212.
    """
    n_rows = np.asarray(n_rows, dtype=float)
    with np.errstate(invalid="ignore"):
        rate, shrunk = np.asarray(n_positive) / n_rows, Z**2 / n_rows
    middle = (rate + shrunk / 2) / (1 + shrunk)
    half = Z * np.sqrt(rate * (1 - rate) / n_rows + shrunk / (4 * n_rows)) / (1 + shrunk)
    return np.clip(middle - half, 0, 1), np.clip(middle + half, 0, 1)


def effective_rows(y_true: np.ndarray, units: Units) -> float:
    """How many independent rows would tell a rate as well as these do; nan where units are too few to say.

    Rows of one customer or one moment repeat one another: the variance of the rate by units, over that of as many independent
    rows, is the design effect. Where all rows are alike, each unit counts as one row.

    References
    ----------
    Korn & Graubard (1998), Confidence intervals for proportions with small expected number of positive counts estimated from
    survey data, Survey Methodology 24, 193-201.
    """
    n, weight = len(y_true), units.weight
    if weight is not None:
        return _effective_by_weight(y_true, units, weight)
    rate = y_true.mean()
    if units.entities is None and units.moments is None:
        return float(n)
    n_units = min(len(np.unique(codes)) for codes in (units.entities, units.moments) if codes is not None)
    if rate in (0, 1):
        return float(n_units) if n_units > 1 else np.nan
    return _by_design(rate, (y_true - rate) / n, units, n)


def _effective_by_weight(y_true: np.ndarray, units: Units, weight: np.ndarray) -> float:
    if not weight.any():
        return np.nan
    n, rate = effective_size(weight), mean(y_true, weight)
    if rate in (0, 1):  # no variance tells what customers or moments repeat: as many units as weigh alike
        codes = [codes for codes in (units.entities, units.moments) if codes is not None]
        n = min([n, *(effective_size(np.bincount(each, weights=weight)) for each in codes)])
        return n if n > 1 else np.nan
    return _by_design(rate, weight * (y_true - rate) / weight.sum(), units, n)


def _by_design(rate: float, influence: np.ndarray, units: Units, n: float) -> float:
    found = spread(influence, units, np.zeros(len(influence), dtype="int64"))
    if found is None or found.error == 0:
        return np.nan
    least_t = student.ppf(0.975, found.freedom) / Z  # few units: a wider interval
    return float(min(n, rate * (1 - rate) / (found.error * least_t) ** 2))


def _rates(y_true: np.ndarray, score: np.ndarray, group: np.ndarray, units: Units) -> pd.DataFrame:
    """Of each `group`: `n_rows`, `n_positive`, `observed_rate` with its interval, and `mean_predicted`."""
    of_group = pd.DataFrame({"y": y_true, "score": score}).groupby(group)
    n_rows, n_positive = of_group["y"].size(), of_group["y"].sum().astype(int)
    effective = [effective_rows(y_true[rows], units.take(rows)) for rows in map(np.flatnonzero, _masks(group, n_rows.index))]
    rate, predicted = n_positive / n_rows, of_group["score"].mean()
    if units.weight is not None:
        rate, predicted = (_sums(units.weight * each, group) / _sums(units.weight, group) for each in (y_true, score))
    low, high = wilson(rate * effective, effective)
    columns = {
        "group": n_rows.index, "n_rows": n_rows, "n_positive": n_positive, "observed_rate": rate,
        "ci_low": low, "ci_high": high, "mean_predicted": predicted,
    }  # fmt: skip
    return pd.DataFrame(columns).reset_index(drop=True)


def _sums(values: np.ndarray, group: np.ndarray) -> pd.Series:
    return pd.Series(values).groupby(group).sum()


def _masks(group: np.ndarray, names) -> list[np.ndarray]:
    return [group == name for name in names]
