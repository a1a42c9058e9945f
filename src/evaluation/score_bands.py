"""Test rows by what was predicted: ten equal parts with gains and lift, and bands of probability with fixed limits."""

from __future__ import annotations

import numpy as np
import pandas as pd

N_DECILES = 10
LIMITS = (0.0, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.35, 0.5, 0.75, 1.0)  # of probability, finer where most portfolios lie
Z = 1.959963984540054  # of a 95 % interval


def deciles(y_true, score) -> pd.DataFrame:
    """Gains, lift and calibration by tenth of the rows, from the highest scores to the lowest.

    Rows of one score stay in one tenth, so tenths may differ in size where scores are tied.

    Parameters
    ----------
    y_true : ndarray of shape (n_rows,)
        0 or 1, both of them there.
    score : ndarray of shape (n_rows,)
        Probability of 1.

    Returns
    -------
    DataFrame
        `decile` (1 has the highest scores), `highest_score`, `lowest_score`, the columns of `_rates`, `lift`: the rate over
        that of all rows, and cumulated from the highest score: `cumulative_rate`, `gain`: the share of all positives, and
        `ks`: `gain` less the share of all negatives.
    """
    y_true, score = np.asarray(y_true), np.asarray(score, dtype=float)
    _, codes, counts = np.unique(-score, return_inverse=True, return_counts=True)
    middle = np.cumsum(counts) - counts / 2  # of the ranks of equal scores
    tenth = (N_DECILES * middle / len(score)).astype(int)[codes]
    table = _rates(y_true, score, tenth)
    ends = pd.Series(score).groupby(tenth)
    n_rows, n_positive = table["n_rows"].cumsum(), table["n_positive"].cumsum()
    gain, taken = n_positive / n_positive.iloc[-1], (n_rows - n_positive) / (n_rows - n_positive).iloc[-1]
    table.insert(0, "decile", table.pop("group") + 1)
    table.insert(1, "highest_score", ends.max().to_numpy())
    table.insert(2, "lowest_score", ends.min().to_numpy())
    table["lift"] = table["observed_rate"] / y_true.mean()
    table["cumulative_rate"], table["gain"], table["ks"] = n_positive / n_rows, gain, gain - taken
    return _short(table)


def score_bands(y_true, score) -> pd.DataFrame:
    """How many rows fall into each band of probability, and how many of them are positive.

    Its limits never change, so a band means the same for tomorrow's rows and for another model.

    Parameters
    ----------
    y_true : ndarray of shape (n_rows,)
        0 or 1.
    score : ndarray of shape (n_rows,)
        Probability of 1; a band holds its lower limit, and the last one 1.

    Returns
    -------
    DataFrame
        Of each band that has rows `from` and `to`, the columns of `_rates`, and `share` of all rows.
    """
    band = np.searchsorted(LIMITS[1:-1], np.asarray(score, dtype=float), side="right")
    table = _rates(np.asarray(y_true), np.asarray(score, dtype=float), band)
    group = table.pop("group").to_numpy()
    table.insert(0, "from", np.take(LIMITS, group))
    table.insert(1, "to", np.take(LIMITS, group + 1))
    table["share"] = table["n_rows"] / len(band)
    return _short(table)


def wilson(n_positive, n_rows) -> tuple[np.ndarray, np.ndarray]:
    """Ends of the 95 % interval of a rate, of rows that do not depend on one another.

    References
    ----------
    Wilson (1927), Probable inference, the law of succession, and statistical inference, JASA 22, 209-212.
    """
    n_rows = np.asarray(n_rows, dtype=float)
    rate, shrunk = np.asarray(n_positive) / n_rows, Z**2 / n_rows
    middle = (rate + shrunk / 2) / (1 + shrunk)
    half = Z * np.sqrt(rate * (1 - rate) / n_rows + shrunk / (4 * n_rows)) / (1 + shrunk)
    return np.clip(middle - half, 0, 1), np.clip(middle + half, 0, 1)


def _rates(y_true: np.ndarray, score: np.ndarray, group: np.ndarray) -> pd.DataFrame:
    """Of each `group`: `n_rows`, `n_positive`, `observed_rate` with its interval, and `mean_predicted`."""
    of_group = pd.DataFrame({"y": y_true, "score": score}).groupby(group)
    n_rows, n_positive = of_group["y"].size(), of_group["y"].sum().astype(int)
    low, high = wilson(n_positive, n_rows)
    columns = {
        "group": n_rows.index, "n_rows": n_rows, "n_positive": n_positive, "observed_rate": n_positive / n_rows,
        "ci_low": low, "ci_high": high, "mean_predicted": of_group["score"].mean(),
    }  # fmt: skip
    return pd.DataFrame(columns).reset_index(drop=True)


def _short(table: pd.DataFrame) -> pd.DataFrame:
    return table.map(lambda value: float(f"{value:.6g}") if isinstance(value, float) else value)
