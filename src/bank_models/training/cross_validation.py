"""Cross-validation: splitters, folds, scores."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats
from sklearn.model_selection import (
    GroupKFold,
    GroupShuffleSplit,
    KFold,
    StratifiedGroupKFold,
    StratifiedKFold,
    TimeSeriesSplit,
    train_test_split,
)

from bank_models.data.split import known_before
from bank_models.data.view import View, take
from bank_models.errors import DataError
from bank_models.metrics.names import METRICS
from bank_models.metrics.scores import Prediction, compute, decide_held_out
from bank_models.metrics.threshold import prices
from bank_models.models.wrappers import predict_score
from bank_models.training.fit import Fitted, Recipe

INNER_SIZE = 0.1  # share of a fold's training rows that decides its best round


def make_splitter(method: str, n_folds: int, shuffle: bool, random_state: int | np.random.RandomState | None):
    """Build the scikit-learn splitter of a method.

    One `RandomState` for several splitters draws as scikit-learn's RepeatedKFold and RepeatedStratifiedKFold do.
    """
    if method == "time_series":
        return TimeSeriesSplit(n_splits=n_folds)
    return SPLITTERS[method](n_splits=n_folds, shuffle=shuffle, random_state=random_state)


SPLITTERS = {
    "stratified_kfold": StratifiedKFold,
    "kfold": KFold,
    "group_kfold": GroupKFold,
    "stratified_group_kfold": StratifiedGroupKFold,
}


def draw_folds(
    splitter, y, task: str = "binary", times=None, groups=None, contents=None, horizon: int = 1
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Positions of the training and the scoring rows of each fold.

    Parameters
    ----------
    splitter : scikit-learn splitter
    y : ndarray of shape (n_rows,)
    task : str
        Of a classification, every fold must hold every class.
    times : ndarray of datetime64 of shape (n_rows,), optional
        For a splitter that keeps the order of time. A fold is trained on rows whose target is known when its first row is
        scored; so rows of one moment are scored, never trained on, by the fold they would be cut apart by.
    groups : ndarray of shape (n_rows,), optional
        For a splitter that keeps groups together.
    contents : ndarray of shape (n_rows,), optional
        Hash of each row's features: a splitter that draws rows at random puts those that look the same into one fold.
    horizon : int
        How many moments back the newest target is that is known when a row is scored.

    Returns
    -------
    list of (train, test) ndarrays

    Raises
    ------
    DataError
        If a class or the groups are fewer than the folds, or a fold lacks a class or has no earlier rows.
    """
    n_folds = splitter.get_n_splits()
    if groups is not None and len(np.unique(groups)) < n_folds:
        raise DataError(
            f"{len(np.unique(groups))} groups cannot fill {n_folds} folds: choose fewer with cv.n_folds=…, or cv=none"
        )
    if task != "regression":
        _check_class_sizes(y, n_folds)
    if times is None:
        folds = _drawn(splitter, y, groups, contents)
    else:
        order = np.argsort(times, kind="stable")
        cut = [(order[train], order[test]) for train, test in splitter.split(order)]
        folds = [(known_before(train, times, times[test].min(), horizon), test) for train, test in cut]
        if not all(len(train) for train, _ in folds):
            raise DataError(
                f"{len(y):,} rows at {len(np.unique(times))} moments are too few for {n_folds} folds in time order.\n"
                "Bring more rows, or choose fewer folds with cv.n_folds=… or cv=none."
            )
    if task != "regression":
        _check_every_class(y, folds)
    return folds


def _drawn(splitter, y, groups, contents) -> list[tuple[np.ndarray, np.ndarray]]:
    """Folds at random: of rows with equal contents the first is drawn, and the others go with it."""
    if contents is not None and groups is None:
        _, first, copy_of = np.unique(contents, return_index=True, return_inverse=True)
        if len(first) < len(y):
            folds = splitter.split(first, y[first])
            return [tuple(np.flatnonzero(np.isin(copy_of, part)) for part in fold) for fold in folds]
    return list(splitter.split(np.arange(len(y)), y, groups))


def _check_class_sizes(y, n_folds: int) -> None:
    labels, counts = np.unique(y, return_counts=True)
    if counts.min() < n_folds:
        raise DataError(
            f"Class {labels[counts.argmin()]} has {counts.min()} training rows, fewer than the {n_folds} folds.\n"
            f"Bring more rows of that class, or choose cv.n_folds={max(2, counts.min())} or cv=none."
        )


def _check_every_class(y, folds) -> None:
    n_classes = len(np.unique(y))
    for number, (train, test) in enumerate(folds, start=1):
        if min(len(np.unique(y[train])), len(np.unique(y[test]))) < n_classes:
            raise DataError(f"Fold {number} lacks a class: choose fewer folds with cv.n_folds=…, or cv=none")


@dataclass(frozen=True)
class FoldScorer:
    """Fits and scores a recipe on one fold after the other, in whichever process it is called.

    Where the recipe stops early or smears, each fold does so on a part cut from its own training rows, never on the rows
    that score it: the newest of them when rows are in time order, else a tenth: stratified by class, and of whole groups
    where there are groups.

    Attributes
    ----------
    recipe : Recipe
    frame : DataFrame or View of shape (n_rows, …)
    y : ndarray of shape (n_rows,)
    scoring : list of str
        Names of `bank_models.metrics.scores`.
    is_ordered : bool
        Whether the training rows of a fold are in time order.
    groups : ndarray of shape (n_rows,), optional
        Keeps each group on one side of the cut for early stopping too.
    periods : ndarray of shape (n_rows,), optional
        When each row happened, for metrics that are taken moment by moment.
    """

    recipe: Recipe
    frame: pd.DataFrame | View
    y: np.ndarray
    scoring: list[str]
    is_ordered: bool
    groups: np.ndarray | None = None
    periods: np.ndarray | None = None

    def __call__(self, number: int, train: np.ndarray, test: np.ndarray) -> dict:
        """Score a fold.

        Parameters
        ----------
        number : int
            From 1.
        train, test : ndarray of int
            Positions of the rows that are fitted, and of those that score.

        Returns
        -------
        dict
            `fold`, `n_train`, `n_test`, `fit_time` and `score_time` in seconds, `best_iteration`, and of each metric
            `train_<metric>` and `test_<metric>`.
        """
        recipe, weight = self.recipe, self.recipe.row_weights(self.frame)
        start = time.perf_counter()
        fitted = fit_fold(recipe, self.frame, self.y, train, self.is_ordered, self.groups)
        fit_time = time.perf_counter() - start
        scores = {}
        for part, rows in (("test", test), ("train", train)):
            of_rows = [None if each is None else each[rows] for each in (self.periods, weight)]
            prediction = self._prediction(fitted, take(self.frame, rows), self.y[rows], of_rows[1])
            scored = compute(self.scoring, self.y[rows], prediction, recipe.quantile, *of_rows)
            scores |= {f"{part}_{name}": value for name, value in scored.items()}
        return {
            "fold": number,
            "n_train": len(train),
            "n_test": len(test),
            "fit_time": fit_time,
            "score_time": time.perf_counter() - start - fit_time,
            "best_iteration": fitted.best_iteration,
            **scores,
        }

    def _prediction(self, fitted: Fitted, rows, y, weight) -> Prediction:
        score = predict_score(fitted.model, rows, self.recipe.task)
        if not any(METRICS[name].of == "decision" for name in self.scoring):
            return Prediction(score, score)
        return decided(self.recipe, y, score, prices(self.recipe.cost, rows), weight)


def decided(recipe: Recipe, y, score, costs_of_mistakes=None, weight=None) -> Prediction:
    """Held-out rows of a fold, decided as the finished model decides: see `bank_models.metrics.scores.decide_held_out`."""
    class_costs = None if recipe.class_costs is None else np.array(recipe.class_costs)
    return decide_held_out(recipe.task, y, score, costs_of_mistakes, class_costs, weight)


def fold_columns(scoring: list[str]) -> list[str]:
    """Columns of a table of folds, as `FoldScorer` gives its rows."""
    about = ["fold", "n_train", "n_test", "fit_time", "score_time", "best_iteration"]
    return [*about, *(f"{part}_{name}" for part in ("test", "train") for name in scoring)]


def fit_fold(recipe: Recipe, frame, y, train, is_ordered: bool, groups) -> Fitted:
    """Fit a recipe on the training rows of a fold, a part of which decides the best round and smears: see `FoldScorer`."""
    if not recipe.holds_out:
        return recipe.fit(take(frame, train), y[train])
    labels = None if recipe.task == "regression" else y
    inner, stop = inner_split(train, labels, is_ordered, recipe.random_state, groups)
    return recipe.fit(take(frame, inner), y[inner], take(frame, stop), y[stop])


def inner_split(train, labels, is_ordered: bool, random_state: int, groups=None) -> tuple[np.ndarray, np.ndarray]:
    """Cut the rows that decide the best round from a fold's training rows.

    Parameters
    ----------
    train : ndarray of row positions
    labels : ndarray of shape (n_rows,), optional
        Classes to keep in proportion.
    is_ordered : bool
        Cut the last rows of `train` off.
    random_state : int
    groups : ndarray of shape (n_rows,), optional
        Cut whole groups.

    Returns
    -------
    inner, stop : ndarray of row positions
    """
    if is_ordered:
        cut = len(train) - max(1, round(len(train) * INNER_SIZE))
        return train[:cut], train[cut:]
    if groups is not None:
        cut = GroupShuffleSplit(1, test_size=INNER_SIZE, random_state=random_state)
        inner, stop = next(cut.split(train, groups=groups[train]))
        return train[inner], train[stop]
    stratify = None if labels is None else labels[train]
    inner, stop = train_test_split(train, test_size=INNER_SIZE, random_state=random_state, stratify=stratify)
    return np.sort(inner), np.sort(stop)


def summarise(cv_results: pd.DataFrame, scoring: list[str], metric: str) -> dict[str, float]:
    """Means and spreads over the folds, of all repeats, as they go into the metrics file.

    Returns
    -------
    dict
        `cv_<metric>`, `cv_<metric>_std` over the folds and `cv_train_<metric>` of each; `cv_std`, the specification's name for
        that of accuracy; `cv_<metric>_ci_low` and `_ci_high` of the primary metric, and where folds were drawn repeatedly
        `cv_<metric>_ci_half`, half of that interval, and `cv_<metric>_repeat_std`, by how much one draw's mean varies.
    """
    means = {f"cv_{name}": float(cv_results[f"test_{name}"].mean()) for name in scoring}
    spreads = {f"cv_{name}_std": float(cv_results[f"test_{name}"].std(ddof=0)) for name in scoring}
    train = {f"cv_train_{name}": float(cv_results[f"train_{name}"].mean()) for name in scoring}
    low, high = mean_interval(cv_results[f"test_{metric}"], cv_results["n_train"], cv_results["n_test"])
    std = {"cv_std": spreads["cv_accuracy_std"]} if "accuracy" in scoring else {}
    found = means | spreads | train | std | {f"cv_{metric}_ci_low": low, f"cv_{metric}_ci_high": high}
    if "repeat" in cv_results:
        found[f"cv_{metric}_ci_half"] = (high - low) / 2
        found[f"cv_{metric}_repeat_std"] = float(cv_results.groupby("repeat")[f"test_{metric}"].mean().std(ddof=1))
    return found


def mean_interval(scores, n_train, n_test, confidence: float = 0.95) -> tuple[float, float]:
    """Interval of the mean over folds, by the corrected resampled t: wider than that of a mean, because folds share rows.

    Repeats narrow it little: they show the same rows again.

    Parameters
    ----------
    scores : array of shape (n_folds,)
        Of all repeats.
    n_train, n_test : array of shape (n_folds,)
        Rows fitted on and scored, of each fold.
    confidence : float

    Returns
    -------
    low, high : float

    References
    ----------
    Nadeau & Bengio (2003), Inference for the generalization error, Machine Learning 52, 239-281. Bouckaert & Frank (2004),
    Evaluating the replicability of significance tests for comparing learning algorithms, PAKDD, 3-12, on repeats.
    """
    scores = np.asarray(scores, dtype=float)
    n_folds = len(scores)
    variance = scores.var(ddof=1) * (1 / n_folds + np.mean(np.asarray(n_test) / np.asarray(n_train)))
    half = stats.t.ppf((1 + confidence) / 2, n_folds - 1) * np.sqrt(variance)
    return float(scores.mean() - half), float(scores.mean() + half)
