"""Whether a model decides alike about groups of people that it was not told of."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from src.errors import DataError

MIN_ROWS = 10  # of a group whose rates are compared: one person more or less moves a rate by 0.1
FOUR_FIFTHS = 0.8
NOT_STATED = "not stated"


def group_rates(y_true, y_pred, y_score, protected: Mapping[str, object]) -> pd.DataFrame:
    """What the model decides, and how well, in each group of each protected column.

    Parameters
    ----------
    y_true, y_pred : ndarray of shape (n_rows,)
        Labels and decisions, 0 or 1. 1 must be the decision that people want, such as an approval.
    y_score : ndarray of shape (n_rows,)
        Probability of 1.
    protected : mapping of str to array-like of shape (n_rows,)
        The group of each row, by the name of the column. Rows with a missing value make a group, "not stated".

    Returns
    -------
    DataFrame
        A row for each column and group, in order: `column`, `group`, `n`; `selection_rate` (share decided 1),
        `true_positive_rate`, `false_positive_rate`, `precision` and `mean_score` in [0, 1]; and `is_compared`, False for
        groups below 10 rows and for "not stated". A rate of no rows is missing.

    Raises
    ------
    DataError
        If the arrays are not of one length.

    References
    ----------
    Names as in Weerts et al. (2023), Fairlearn: assessing and improving fairness of AI systems, JMLR 24(257).
    """
    y_true, y_pred, y_score = (np.asarray(values) for values in (y_true, y_pred, y_score))
    rows = []
    for column, groups in protected.items():
        groups = pd.Series(groups, copy=False).astype(object)
        lengths = {len(y_true), len(y_pred), len(y_score), len(groups)}
        if len(lengths) > 1:
            raise DataError(f"Labels, decisions, scores and {column} differ in length: {', '.join(map(str, sorted(lengths)))}.")
        groups = groups.where(groups.notna(), NOT_STATED).astype(str).to_numpy()
        for group in sorted(set(groups), key=lambda name: (name == NOT_STATED, name)):
            of_group = groups == group
            rates = _rates(y_true[of_group] == 1, y_pred[of_group] == 1, y_score[of_group])
            is_compared = bool(of_group.sum() >= MIN_ROWS and group != NOT_STATED)
            rows.append({"column": column, "group": group, **rates, "is_compared": is_compared})
    return pd.DataFrame(rows)


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
                found[f"demographic_parity_ratio_{column}"] = float(selected.min() / selected.max())
        if len(recalled) > 1:
            found[f"equal_opportunity_difference_{column}"] = float(recalled.max() - recalled.min())
    return found


def notes_on_fairness(rates: pd.DataFrame) -> list[str]:
    """A sentence for each column whose groups break the four-fifths rule, or cannot be compared."""
    ratios, notes = disparities(rates), []
    for column, of_column in rates.groupby("column", sort=False):
        compared = of_column[of_column["is_compared"]]
        ratio = ratios.get(f"demographic_parity_ratio_{column}")
        if len(compared) < 2:
            notes.append(f"{column}: fewer than two groups have {MIN_ROWS} test rows, so they are not compared.")
        elif ratio is not None and ratio < FOUR_FIFTHS:
            low, high = (compared.loc[at, ["group", "selection_rate"]] for at in _lowest_and_highest(compared))
            notes.append(
                f"{column}: {low['selection_rate']:.1%} of {low['group']} are decided positively on test, but "
                f"{high['selection_rate']:.1%} of {high['group']}: the ratio {ratio:.2f} breaks the four-fifths rule."
            )
    return notes


def _lowest_and_highest(compared: pd.DataFrame) -> tuple[int, int]:
    return compared["selection_rate"].idxmin(), compared["selection_rate"].idxmax()


def _rates(is_positive: np.ndarray, is_selected: np.ndarray, score: np.ndarray) -> dict[str, float]:
    return {
        "n": len(score),
        "selection_rate": _share(is_selected),
        "true_positive_rate": _share(is_selected[is_positive]),
        "false_positive_rate": _share(is_selected[~is_positive]),
        "precision": _share(is_positive[is_selected]),
        "mean_score": float(score.mean()),
    }


def _share(flags: np.ndarray) -> float:
    return float(flags.mean()) if len(flags) else np.nan
