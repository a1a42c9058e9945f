"""Group fairness on protected columns: selection rates, disparities, four-fifths rule."""

from __future__ import annotations

import itertools
from collections.abc import Mapping

import numpy as np
import pandas as pd
from scipy.stats import t as student

from bank_models.errors import DataError
from bank_models.evaluation.requirements import AND, FOUR_FIFTHS, PARITY
from bank_models.metrics.intervals import CONFIDENCE, spread
from bank_models.metrics.units import Units
from bank_models.metrics.weighted import mean

MIN_ROWS = 30  # of a group whose rates are compared: one person more or less moves a rate by 0.03
NOT_STATED = "not stated"


def group_rates(y_true, y_pred, y_score, protected: Mapping[str, object], favourable: int, weight=None) -> pd.DataFrame:
    """What the model decides, and how well, in each group of each protected column, and of each two of them.

    Parameters
    ----------
    y_true, y_pred : ndarray of shape (n_rows,)
        Labels and decisions, 0 or 1.
    y_score : ndarray of shape (n_rows,)
        Probability of 1.
    protected : mapping of str to array-like of shape (n_rows,)
        The group of each row, by the name of the column. Rows with a missing value make a group, "not stated".
    favourable : {0, 1}
        The decision that people want: 1 where 1 is an approval, 0 where 1 is a default.
    weight : ndarray of shape (n_rows,), optional
        How much each row counts in the rates; `n` counts rows.

    Returns
    -------
    DataFrame
        A row for each column and group, in order: `column` (of two, with "_and_" between them), `group`, `n`;
        `selection_rate` (share that gets the favourable decision), `true_positive_rate` (of those who deserve it),
        `false_positive_rate` (of the others), `precision` (share of the selected who deserve it) and `mean_score` in [0, 1];
        and `is_compared`, False for groups below 30 rows and for "not stated". A rate of no rows is missing.

    Raises
    ------
    DataError
        If the arrays are not of one length.

    References
    ----------
    Names as in Weerts et al. (2023), Fairlearn: assessing and improving fairness of AI systems, JMLR 24(257). Groups of two
    columns as in Kearns et al. (2018), Preventing fairness gerrymandering, ICML, 2564-2572.
    """
    y_true, y_pred, y_score = (np.asarray(values) for values in (y_true, y_pred, y_score))
    rows = []
    for column, groups in groups_of(protected, len(y_true)).items():
        for group in sorted(set(groups), key=lambda name: (NOT_STATED in name, name)):
            of_group = groups == group
            weights = None if weight is None else weight[of_group]
            rates = _rates(y_true[of_group] == favourable, y_pred[of_group] == favourable, y_score[of_group], weights)
            is_compared = bool(of_group.sum() >= MIN_ROWS and NOT_STATED not in group)
            rows.append({"column": column, "group": group, **rates, "is_compared": is_compared})
    return pd.DataFrame(rows)


def groups_of(protected: Mapping[str, object], n_rows: int) -> dict[str, np.ndarray]:
    """The group of each row, as text: by column, then by every two columns.

    Raises
    ------
    DataError
        If a column has another length.
    """
    found = {}
    for column, groups in protected.items():
        groups = pd.Series(groups, copy=False).astype(object)
        if len(groups) != n_rows:
            raise DataError(f"Labels, decisions, scores and {column} differ in length: {n_rows} and {len(groups)}.")
        found[column] = groups.where(groups.notna(), NOT_STATED).astype(str).to_numpy(dtype=object)
    pairs = itertools.combinations(list(found), 2)
    return found | {f"{one}{AND}{other}": found[one] + " and " + found[other] for one, other in pairs}


def disparities(rates: pd.DataFrame) -> dict[str, float]:
    """How far apart the compared groups of each column are.

    Parameters
    ----------
    rates : DataFrame
        From `group_rates`.

    Returns
    -------
    dict of str to float
        By metric and column, such as `demographic_parity_ratio_is_black`. `demographic_parity_difference` and `_ratio` are
        highest minus lowest selection rate, and lowest over highest: below 0.8 breaks the four-fifths rule.
        `equal_opportunity_difference` is highest minus lowest true positive rate. What cannot be told, with fewer than two
        groups to compare or nobody selected, is left out.

    References
    ----------
    Equal Employment Opportunity Commission (1978), Uniform guidelines on employee selection procedures, 29 CFR 1607.4 D, on
    four fifths. Hardt, Price & Srebro (2016), Equality of opportunity in supervised learning, NeurIPS 29, 3315-3323.
    """
    found = {}
    for column, of_column in rates[rates["is_compared"]].groupby("column", sort=False):
        selected, recalled = (of_column[name].dropna() for name in ("selection_rate", "true_positive_rate"))
        if len(selected) > 1:
            found[f"demographic_parity_difference_{column}"] = float(selected.max() - selected.min())
            if selected.max() > 0:
                found[f"{PARITY}{column}"] = float(selected.min() / selected.max())
        if len(recalled) > 1:
            found[f"equal_opportunity_difference_{column}"] = float(recalled.max() - recalled.min())
    return found


def intervals(
    rates: pd.DataFrame, y_true, y_pred, protected: Mapping[str, object], favourable: int, units: Units
) -> dict[str, float]:
    """95 % intervals of the disparities by Student's t, that of a ratio on its logarithm.

    The groups with the lowest and the highest rate were chosen because they are: of many groups the two are further apart than
    chance would have it of any one pair, and the interval is not corrected for that.

    Parameters
    ----------
    rates : DataFrame
        From `group_rates`.
    y_true, y_pred, protected, favourable
        As for `group_rates`.
    units : Units
        What rows came into the sample together.

    Returns
    -------
    dict of str to float
        Each name of `disparities` with `_ci_low` and `_ci_high`; of a ratio of 0 neither.

    References
    ----------
    Katz, Baptista, Azen & Pike (1978), Obtaining confidence intervals for the risk ratio in cohort studies, Biometrics 34,
    469-474.
    """
    found, selected = {}, np.asarray(y_pred) == favourable
    groups, deserves = groups_of(protected, len(selected)), np.asarray(y_true) == favourable
    everybody = np.ones(len(selected), dtype=bool)
    measures = (
        ("demographic_parity_difference", "selection_rate", everybody, False),
        ("demographic_parity_ratio", "selection_rate", everybody, True),
        ("equal_opportunity_difference", "true_positive_rate", deserves, False),
    )
    for column, of_column in rates[rates["is_compared"]].groupby("column", sort=False):
        for measure, rate, among, is_ratio in measures:
            known = of_column.dropna(subset=[rate])
            if len(known) < 2 or (is_ratio and not known[rate].min() > 0):
                continue
            low, high = (known.loc[at] for at in _lowest_and_highest(known[rate]))
            value = low[rate] / high[rate] if is_ratio else high[rate] - low[rate]
            there = {sign: among & (groups[column] == row["group"]) for sign, row in ((1, low), (-1, high))}
            reach = _reach_of(selected, there, (low[rate], high[rate]) if is_ratio else (1.0, 1.0), units)
            if reach is None:
                continue
            ends = (value * np.exp(-reach), value * np.exp(reach)) if is_ratio else (value - reach, value + reach)
            found |= {f"{measure}_{column}_ci_{end}": float(at) for end, at in zip(("low", "high"), ends, strict=True)}
    return found


def _reach_of(selected: np.ndarray, there: Mapping[int, np.ndarray], scales, units: Units) -> float | None:
    """Half the width of the interval of two groups' rates, each divided by its scale, one less the other."""
    influence, kinds = np.zeros(len(selected)), np.full(len(selected), -1)
    for kind, ((sign, rows), scale) in enumerate(zip(there.items(), scales, strict=True)):
        weight = None if units.weight is None else units.weight[rows]
        missed = sign * (selected[rows] - mean(selected[rows], weight))
        influence[rows] += missed / (rows.sum() * scale) if weight is None else weight * missed / (weight.sum() * scale)
        kinds[rows] = kind
    known = spread(influence, units, kinds)
    return None if known is None else float(student.ppf((1 + CONFIDENCE) / 2, known.freedom)) * known.error


def notes_on_fairness(rates: pd.DataFrame, intervals: Mapping[str, float]) -> list[str]:
    """A sentence for each column whose groups break the four-fifths rule, or cannot be compared."""
    ratios, notes = disparities(rates), []
    for column, of_column in rates.groupby("column", sort=False):
        compared = of_column[of_column["is_compared"]]
        name = f"{PARITY}{column}"
        ratio = ratios.get(name)
        if len(compared) < 2 and AND not in column:
            notes.append(f"{column}: fewer than two groups have {MIN_ROWS} test rows, so they are not compared.")
        elif ratio is not None and ratio < FOUR_FIFTHS:
            extremes = _lowest_and_highest(compared["selection_rate"])
            low, high = (compared.loc[at, ["group", "selection_rate"]] for at in extremes)
            ends = [intervals.get(f"{name}_ci_{end}") for end in ("low", "high")]
            known = "" if None in ends else f" [{ends[0]:.2f}, {ends[1]:.2f}]"
            is_sure = ends[1] is None or ends[1] < FOUR_FIFTHS
            said = "breaks the four-fifths rule" if is_sure else "is below four fifths, which may be chance"
            notes.append(
                f"{column}: {low['selection_rate']:.1%} of {low['group']} get the favourable decision on test, but "
                f"{high['selection_rate']:.1%} of {high['group']}: the ratio {ratio:.2f}{known} {said}."
            )
    return notes


def _lowest_and_highest(rates: pd.Series) -> tuple[int, int]:
    """Where they are; two groups, even if their rates are equal."""
    order = rates.sort_values(kind="stable").index
    return order[0], order[-1]


def _rates(deserves: np.ndarray, is_selected: np.ndarray, score: np.ndarray, weight=None) -> dict[str, float]:
    every = np.ones(len(score), dtype=bool)
    share = lambda flags, among: _mean(flags[among], None if weight is None else weight[among])  # noqa: E731
    return {
        "n": len(score),
        "selection_rate": share(is_selected, every),
        "true_positive_rate": share(is_selected, deserves),
        "false_positive_rate": share(is_selected, ~deserves),
        "precision": share(deserves, is_selected),
        "mean_score": _mean(score, weight),
    }


def _mean(values: np.ndarray, weight) -> float:
    return float(mean(values, weight)) if len(values) and (weight is None or weight.any()) else np.nan
