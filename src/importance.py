"""What a model goes by: how much worse it does without a column, and how its answers move with one."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd

from src.metrics import Prediction

N_REPEATS = 5
MOST_ROWS = 1_000
FEWEST_ROWS = 150
MOST_ANSWERS = 30_000  # asked of the model for all shuffles together
SHARE_OF_POSITIVES = 0.25  # at least, where there are as many
N_DEPENDENCES = 6
N_VALUES = 12
ROWS_OF_DEPENDENCE = 100


def explain(
    frame: pd.DataFrame,
    features: Sequence[str],
    y_true: np.ndarray,
    predict: Callable[[pd.DataFrame], Prediction],
    score: Callable[..., float],
    seed: int,
    is_binary: bool = False,
    periods: np.ndarray | None = None,
) -> dict[str, pd.DataFrame]:
    """Permutation importance of every feature, and partial dependence of the answers on the most important ones.

    Parameters
    ----------
    frame : DataFrame of shape (n_rows, at least the features)
        Test rows; nothing is fitted.
    features : sequence of str
    y_true : ndarray of shape (n_rows,)
    predict : callable
        From rows to a `Prediction`.
    score : callable
        ``score(y_true, prediction, periods)``, higher is better.
    seed : int
        Draws rows and shuffles.
    is_binary : bool
        Of two classes, the rarer one makes up a quarter of the rows that are drawn, if it can.
    periods : ndarray of shape (n_rows,), optional
        Rows are drawn by whole periods if the score is one of periods.

    Returns
    -------
    dict of str to DataFrame
        `importance`: `feature`, `importance` (mean loss of score over 5 shuffles), `std`, `n_rows`, `n_repeats`, the most
        important first. `dependence`: `feature`, `value`, `is_number`, `class` (code; missing but for several classes) and
        `mean_answer`; text and dates have none.

    References
    ----------
    Breiman (2001), Random forests, Machine Learning 45, 5-32. Friedman (2001), Greedy function approximation: a gradient
    boosting machine, Annals of Statistics 29, 1189-1232.
    """
    features, rng = list(features), np.random.default_rng(seed)
    n_rows = min(len(frame), MOST_ROWS, max(FEWEST_ROWS, MOST_ANSWERS // (N_REPEATS * len(features))))
    rows = draw(len(frame), n_rows, rng, y_true if is_binary else None, periods)
    importance = permutation_importance(frame.iloc[rows], features, y_true[rows], predict, score, rng, _at(periods, rows))
    rows = rows[np.sort(rng.permutation(len(rows))[:ROWS_OF_DEPENDENCE])]
    chosen = [name for name in importance["feature"] if _has_values(frame[name])][:N_DEPENDENCES]
    return {"importance": importance, "dependence": dependence(frame, rows, chosen, predict)}


def draw(n: int, n_rows: int, rng: np.random.Generator, y=None, periods=None) -> np.ndarray:
    """Positions of about `n_rows` of `n` rows, in order."""
    if n_rows >= n:
        return np.arange(n)
    if periods is not None:
        order = rng.permutation(np.unique(periods))
        sizes = np.array([np.sum(periods == period) for period in order])
        kept = order[: max(1, int(np.searchsorted(np.cumsum(sizes), n_rows, side="right")))]
        return np.flatnonzero(np.isin(periods, kept))
    if y is None:
        return np.sort(rng.choice(n, n_rows, replace=False))
    rare = int(np.mean(y) < 0.5)
    few, many = rng.permutation(np.flatnonzero(y == rare)), rng.permutation(np.flatnonzero(y != rare))
    n_few = min(len(few), max(round(n_rows * SHARE_OF_POSITIVES), round(n_rows * len(few) / n)))
    return np.sort(np.concatenate([few[:n_few], many[: n_rows - n_few]]))


def permutation_importance(frame, features, y_true, predict, score, rng, periods=None) -> pd.DataFrame:
    """The table `importance` of `explain`, for all rows of a frame; the model is asked once, for all shuffles."""
    n, n_blocks = len(frame), 1 + N_REPEATS * len(features)
    usual = np.tile(np.arange(n), n_blocks)
    columns = {}
    for name in frame.columns:
        taken = usual.copy()
        if name in features:
            start = n * (1 + N_REPEATS * features.index(name))
            taken[start : start + n * N_REPEATS] = np.concatenate([rng.permutation(n) for _ in range(N_REPEATS)])
        columns[name] = frame[name].array.take(taken)
    answer = predict(pd.DataFrame(columns))
    blocks = zip(np.split(answer.score, n_blocks), np.split(answer.decision, n_blocks), strict=True)
    scores = np.array([score(y_true, Prediction(*block), periods) for block in blocks])
    loss = scores[0] - scores[1:].reshape(len(features), N_REPEATS)
    table = pd.DataFrame({"feature": features, "importance": loss.mean(axis=1), "std": loss.std(axis=1, ddof=1)})
    table["n_rows"], table["n_repeats"] = n, N_REPEATS
    return table.sort_values("importance", ascending=False, kind="stable", ignore_index=True)


def dependence(frame: pd.DataFrame, rows: np.ndarray, features: Sequence[str], predict) -> pd.DataFrame:
    """The table `dependence` of `explain`: the mean answer to some rows if all of them had a value of a feature."""
    found = []
    for name in features:
        values, is_number = _values(frame[name])
        some = frame.iloc[np.tile(rows, len(values))].reset_index(drop=True)
        some[name] = values.take(np.repeat(np.arange(len(values)), len(rows)))
        answers = predict(some).score.reshape(len(values), len(rows), -1).mean(axis=1)
        for value, means in zip(values, answers, strict=True):
            for code, mean in enumerate(means):
                found.append((name, value, is_number, code if len(means) > 1 else None, float(mean)))
    table = pd.DataFrame(found, columns=["feature", "value", "is_number", "class", "mean_answer"])
    return table.astype({"value": object, "class": "Int64"})


def _values(column: pd.Series):
    """Some values of a column in its own type: quantiles of numbers, the most frequent categories or flags."""
    known = column.dropna()
    if isinstance(column.dtype, pd.CategoricalDtype) or column.dtype == bool or known.nunique() <= 2:
        frequent = known.value_counts().index[:N_VALUES]
        return known[known.isin(frequent)].drop_duplicates().sort_values().array, False
    ordered = known.sort_values().array
    at = np.unique(np.linspace(0.02, 0.98, N_VALUES) * (len(ordered) - 1)).round().astype(int)
    return pd.Series(ordered.take(at)).drop_duplicates().array, True


def _has_values(column: pd.Series) -> bool:
    is_category = isinstance(column.dtype, pd.CategoricalDtype)
    return (is_category or column.dtype.kind in "biuf") and column.notna().any() and column.nunique() > 1


def _at(values, rows):
    return None if values is None else values[rows]
