"""Folds of a search: drawn, preprocessed and binned once for all trials."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd

from bank_models.metrics.threshold import prices
from bank_models.metrics.units import Units
from bank_models.models.early_stopping import Matrix
from bank_models.models.estimators import ESTIMATORS
from bank_models.training.cross_validation import inner_split
from bank_models.training.fit import Recipe, matrix_of


@dataclass(frozen=True)
class SearchRows:
    """Training rows of a search and their folds, the same for all of its models.

    Attributes
    ----------
    frame, y, is_ordered, groups, periods
        As of `bank_models.training.cross_validation.FoldScorer`.
    folds : list of (train, test) ndarrays
    units : Units, optional
        What rows came into the sample together.
    """

    frame: pd.DataFrame
    y: np.ndarray
    folds: Sequence[tuple[np.ndarray, np.ndarray]]
    is_ordered: bool = False
    groups: np.ndarray | None = None
    periods: np.ndarray | None = None
    units: Units | None = None


@dataclass
class Fold:
    """What a fold's estimators are fitted and scored on.

    Attributes
    ----------
    X, y : matrix of shape (n_rows, n_columns), ndarray of shape (n_rows,)
        To fit on, the target as it is learnt.
    stop : tuple of (matrix, ndarray), optional
        A part of the fold's training rows that decides the best round, and by which predictions are smeared.
    X_held_out, y_held_out : matrix, ndarray
        To score, the target in its own unit.
    matrix : Matrix
        What the columns are.
    is_class : bool
        Whether `y` are classes.
    periods : ndarray, optional
        When each of the rows to score happened.
    prices : tuple, optional
        What mistakes about the rows to score cost.
    units : Units
        What rows to score came into the sample together, and how much they count.
    weights : tuple of (ndarray or None, ndarray or None)
        How much the rows count that are fitted, and those that stop.
    binned : dict
        Binned rows that a library keeps from one trial to the next; made where they are used.
    """

    X: Any
    y: np.ndarray
    stop: tuple[Any, np.ndarray] | None
    X_held_out: Any
    y_held_out: np.ndarray
    matrix: Matrix
    is_class: bool
    periods: np.ndarray | None = None
    units: Units = field(default_factory=Units)
    prices: tuple | None = None
    weights: tuple[np.ndarray | None, np.ndarray | None] = (None, None)
    binned: dict[Any, Any] = field(default_factory=dict)

    def share(self, share: float, seed: int) -> Fold:
        """The same fold with a random share of its training rows, in their order; what is scored stays."""
        if share >= 1:
            return self
        if ("share", share) not in self.binned:
            rng = np.random.default_rng(seed)
            whole = [(self.X, self.y), *([self.stop] if self.stop else [])]
            kept = [_some(rng, y, share, self.is_class) for _, y in whole]
            parts = [(X[rows], y[rows]) for (X, y), rows in zip(whole, kept, strict=True)]
            of_rows = zip(self.weights, [*kept, slice(None)], strict=False)
            weights = tuple(None if each is None else each[rows] for each, rows in of_rows)
            (X, y), stop = parts[0], parts[1] if self.stop else None
            self.binned["share", share] = replace(self, X=X, y=y, stop=stop, weights=weights, binned={})
        return self.binned["share", share]


def prepare_folds(recipe: Recipe, rows: SearchRows) -> list[Fold]:
    """Fit the preprocessing of each fold on its own training rows and transform all of the fold's rows.

    Parameters
    ----------
    recipe : Recipe
        Its parameters do not matter, but for those of preprocessing.
    rows : SearchRows

    Returns
    -------
    list of Fold
    """
    return [_prepare(recipe, rows, train, held_out) for train, held_out in rows.folds]


def prepare_candidates(recipes: Mapping[str, Recipe], rows: SearchRows) -> dict[str, Candidate]:
    """Candidates of a search, by name; recipes of one use case whose estimators read the same matrix share their folds."""
    made: dict[tuple, list[Fold]] = {}
    for recipe in recipes.values():
        if _read_as(recipe) not in made:
            made[_read_as(recipe)] = prepare_folds(recipe, rows)
    return {name: Candidate(recipe, made[_read_as(recipe)]) for name, recipe in recipes.items()}


def _read_as(recipe: Recipe) -> tuple:
    """What decides the matrix of a recipe, and what it is told of its columns."""
    algorithm = ESTIMATORS[recipe.estimator]
    is_told = bool(algorithm.rounds or algorithm.monotone)
    how = algorithm.reads_columns, algorithm.takes_sparse, is_told, recipe.is_monotone, recipe.holds_out
    return *sorted(recipe.preprocessing.items()), *how


def _prepare(recipe: Recipe, rows: SearchRows, train: np.ndarray, held_out: np.ndarray) -> Fold:
    frame, y, fit_on, stop_on = rows.frame, rows.y, train, None
    if recipe.holds_out:
        labels = None if recipe.task == "regression" else y
        fit_on, stop_on = inner_split(train, labels, rows.is_ordered, recipe.random_state, rows.groups)
    features = recipe.make_features()
    X = features.fit_transform(frame.iloc[fit_on], recipe.to_learn(y[fit_on]))
    stop = None
    if stop_on is not None:
        stop = features.transform(frame.iloc[stop_on]), recipe.to_learn(y[stop_on])
    return Fold(
        X=X,
        y=recipe.to_learn(y[fit_on]),
        stop=stop,
        X_held_out=features.transform(frame.iloc[held_out]),
        y_held_out=y[held_out],
        matrix=matrix_of(recipe, features),
        is_class=recipe.task != "regression",
        periods=None if rows.periods is None else rows.periods[held_out],
        units=Units() if rows.units is None else rows.units.take(held_out),
        prices=prices(recipe.cost, frame.iloc[held_out]),
        weights=(recipe.row_weights(frame.iloc[fit_on]), None if stop_on is None else recipe.row_weights(frame.iloc[stop_on])),
    )


def _some(rng: np.random.Generator, y: np.ndarray, share: float, is_class: bool) -> np.ndarray:
    """Positions of a share of the rows: of each class, if there are classes, and of no class none."""
    strata = [np.flatnonzero(y == label) for label in np.unique(y)] if is_class else [np.arange(len(y))]
    return np.sort(np.concatenate([rng.permutation(rows)[: max(1, round(share * len(rows)))] for rows in strata]))


@dataclass(frozen=True)
class Candidate:
    """A model whose parameters are searched.

    Attributes
    ----------
    recipe : Recipe
        What its trials have in common.
    folds : list of Fold
        The same rows for all candidates of a search.
    """

    recipe: Recipe
    folds: list[Fold]
