"""Permutation importance and partial dependence."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pandas as pd

from bank_models.metrics.scores import Prediction

N_REPEATS = 5
MOST_ROWS = 1_000
FEWEST_ROWS = 150
MOST_ANSWERS = 30_000  # asked of the model for all shuffles together
SHARE_OF_POSITIVES = 0.25  # at least, where there are as many
MOST_CELLS = 100_000_000  # that the model reads for all shuffles together: of a wide table not every feature can be shuffled
CELLS_AT_ONCE = 4_000_000
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
    beside: Sequence[np.ndarray | None] = (None,),
    usage: np.ndarray | None = None,
) -> dict[str, pd.DataFrame]:
    """Permutation importance of the features, and partial dependence of the answers on the most important ones.

    A feature that the model does not use has the importance 0, exactly, and is not shuffled. Where shuffling all others would
    have the model read more than 100 million cells, those that it uses most are shuffled: of 1,000 features and at least 150
    test rows 133.

    Parameters
    ----------
    frame : DataFrame of shape (n_rows, at least the features)
        Test rows; nothing is fitted.
    features : sequence of str
    y_true : ndarray of shape (n_rows,)
    predict : callable
        From rows to a `Prediction`.
    score : callable
        ``score(y_true, prediction, *beside)``, higher is better.
    seed : int
        Draws rows and shuffles.
    is_binary : bool
        Of two classes, the rarer one makes up a quarter of the rows that are drawn, if it can.
    beside : sequence of ndarray of shape (n_rows,) or None
        What else the score takes of each row: its period, by which rows are drawn if the score is one of periods, and then its
        weight, if rows have weights. Rows are drawn, and answers averaged, without weights.
    usage : ndarray of shape (n_features,), optional
        How much the model uses each feature: see `bank_models.evaluation.explain.usage`. None: every feature, and all alike.

    Returns
    -------
    dict of str to DataFrame
        `importance`: `feature`, `importance` (mean loss of score over 5 shuffles), `std`, `n_rows`, `n_repeats`, the most
        important first; those that were not shuffled have neither importance nor std, and come last. `dependence`: `feature`,
        `value`, `is_number`, `class` (code; missing but for several classes) and `mean_answer`; text and dates have none.

    References
    ----------
    Breiman (2001), Random forests, Machine Learning 45, 5-32. Friedman (2001), Greedy function approximation: a gradient
    boosting machine, Annals of Statistics 29, 1189-1232.
    """
    features, rng = list(features), np.random.default_rng(seed)
    n_rows = min(len(frame), MOST_ROWS, max(FEWEST_ROWS, MOST_ANSWERS // (N_REPEATS * len(features))))
    rows = draw(len(frame), n_rows, rng, y_true if is_binary else None, beside[0])
    some = frame.iloc[rows]
    of_rows = [None if each is None else each[rows] for each in beside]
    importance = permutation_importance(some, features, y_true[rows], predict, score, rng, of_rows, usage)
    rows = rows[np.sort(rng.permutation(len(rows))[:ROWS_OF_DEPENDENCE])]
    chosen = list(itertools.islice((name for name in importance["feature"] if _has_values(frame[name])), N_DEPENDENCES))
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
    n_few = _n_of_rarer(len(few), n, n_rows)
    return np.sort(np.concatenate([few[:n_few], many[: n_rows - n_few]]))


def _n_of_rarer(n_few: int, n: int, n_rows: int) -> int:
    """How many of the rarer class are drawn."""
    return min(n_few, max(round(n_rows * SHARE_OF_POSITIVES), round(n_rows * n_few / n)))


def permutation_importance(frame, features, y_true, predict, score, rng, beside=(None,), usage=None) -> pd.DataFrame:
    """The table `importance` of `explain`, for all rows of a frame."""
    n, usage = len(frame), np.ones(len(features)) if usage is None else np.asarray(usage)
    place = {name: position for position, name in enumerate(features)}
    is_measured = _most_used(usage, MOST_CELLS // max(1, n * N_REPEATS * frame.shape[1]))
    orders = {}
    for name in frame.columns[frame.columns.isin(features)]:
        drawn = np.concatenate([rng.permutation(n) for _ in range(N_REPEATS)])  # of the others too: all draws stay the same
        if is_measured[place[name]]:
            orders[name] = drawn
    usual, shuffled = _scores(frame, orders, y_true, predict, score, beside)
    loss = np.where(usage[:, None] > 0, np.nan, np.zeros((1, N_REPEATS)))
    loss[[place[name] for name in orders]] = usual - shuffled
    table = pd.DataFrame({"feature": features, "importance": loss.mean(axis=1), "std": loss.std(axis=1, ddof=1)})
    table["n_rows"], table["n_repeats"] = n, N_REPEATS
    return table.sort_values("importance", ascending=False, kind="stable", ignore_index=True)


def _most_used(usage: np.ndarray, n_most: int) -> np.ndarray:
    """Which features the model uses, or of too many those that it uses most."""
    used = np.flatnonzero(usage > 0)
    most = used[np.argsort(-usage[used], kind="stable")[: max(1, n_most)]]
    return np.isin(np.arange(len(usage)), most)


def _scores(frame, orders: Mapping[str, np.ndarray], y_true, predict, score, beside) -> tuple[float, np.ndarray]:
    """Score of the rows as they are, and of each shuffle of each feature; the model is asked for many of them at once."""
    n, names, frame = len(frame), list(orders), frame.copy()  # whose columns then lie together: taking rows is quick
    n_at_once = max(1, CELLS_AT_ONCE // max(1, n * N_REPEATS * frame.shape[1]))
    found = []
    for first in range(0, max(1, len(names)), n_at_once):
        some = {name: orders[name] for name in names[first : first + n_at_once]}
        answer = predict(_shuffled(frame, some, n_usual=int(first == 0)))
        n_blocks = len(answer.score) // n
        blocks = zip(np.split(answer.score, n_blocks), np.split(answer.decision, n_blocks), strict=True)
        found += [score(y_true, Prediction(*block), *beside) for block in blocks]
    return found[0], np.array(found[1:]).reshape(len(names), N_REPEATS)


def _shuffled(frame: pd.DataFrame, orders: Mapping[str, np.ndarray], n_usual: int) -> pd.DataFrame:
    """The rows as they are, that many times, and then once for each order of each feature."""
    n = len(frame)
    usual = np.tile(np.arange(n), n_usual + N_REPEATS * len(orders))
    some = frame.take(usual).reset_index(drop=True)
    for i, (name, order) in enumerate(orders.items()):
        first = n * (n_usual + N_REPEATS * i)
        taken = usual.copy()
        taken[first : first + n * N_REPEATS] = order
        some[name] = frame[name].array.take(taken)
    return some


def note(importance: pd.DataFrame, usage: np.ndarray) -> list[str]:
    """A sentence on the features that were not shuffled for want of time, if there are some."""
    n_left_out, n_unused = int(importance["importance"].isna().sum()), int(np.sum(usage == 0))
    if not n_left_out:
        return []
    n_measured = len(importance) - n_left_out - n_unused
    return [
        f"Importance by permutation is known of the {n_measured:,} features that the model uses most; {n_left_out:,} that it "
        f"uses less were not shuffled, and {n_unused:,} that it does not use have none."
    ]


def note_on_sample(importance: pd.DataFrame, y_true) -> list[str]:
    """A sentence where the rows that were shuffled hold more of the rarer of two classes than all test rows do."""
    n, n_rows = len(y_true), int(importance["n_rows"].iloc[0])
    n_few = int(min(np.sum(y_true == 1), np.sum(y_true == 0)))
    if n_rows >= n or (drawn := _n_of_rarer(n_few, n, n_rows) / n_rows) <= 1.1 * n_few / n:
        return []
    return [
        f"Importance by permutation was measured on {n_rows:,} test rows, {drawn:.1%} of them of the rarer class; of all test "
        f"rows {n_few / n:.1%} are. It orders the features; a metric that depends on the base rate loses another amount on all."
    ]


def dependence(frame: pd.DataFrame, rows: np.ndarray, features: Sequence[str], predict) -> pd.DataFrame:
    """The table `dependence` of `explain`: the mean answer to some rows if all of them had a value of a feature."""
    found, start = [], frame.iloc[rows].copy()
    for name in features:
        values, is_number = _values(frame[name])
        some = start.take(np.tile(np.arange(len(rows)), len(values))).reset_index(drop=True)
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
