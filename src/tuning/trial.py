"""One trial: a setting fitted and scored fold by fold, given up as soon as it can hardly win."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from src.bootstrap import resample
from src.cross_validation import THRESHOLD
from src.evaluate import Yardstick
from src.fit import Recipe
from src.metrics import as_score, compute, decide
from src.tuning.fold_fits import LENGTHS, fit_and_score
from src.tuning.folds import Fold

N_RESAMPLES = 60  # an estimated standard error of a difference is then off by about a tenth
Z = 2.326  # a trial that is given up would have won once in a hundred times


@dataclass(frozen=True)
class Rival:
    """The best trial so far, as far as another one must know it to give up.

    Attributes
    ----------
    number : int
    scores : list of ndarray
        Its answers for the held-out rows of each fold.
    """

    number: int
    scores: list[np.ndarray]


@dataclass(frozen=True)
class Outcome:
    """What a trial came to.

    Attributes
    ----------
    values : dict of int to list of float
        The metric of each fold that was scored, by length; of None where the setting says how long.
    scores : list of ndarray
        Answers for the held-out rows of each fold at the best length.
    best_iterations : list of int
        Rounds of each fold's model, where it trains in rounds.
    seconds : float
    dropped_at : int or None
        Fold after which it was given up, from 1.
    reason : str
        Why it failed; empty if it did not.
    """

    values: dict[int | None, list[float]]
    scores: list[np.ndarray] = field(default_factory=list)
    best_iterations: list[int] = field(default_factory=list)
    seconds: float = 0.0
    dropped_at: int | None = None
    reason: str = ""


def run_trial(
    recipe: Recipe,
    folds: Sequence[Fold],
    yardstick: Yardstick,
    params: dict[str, Any],
    lengths: Sequence[int] = (),
    rival: Rival | None = None,
    share: float = 1.0,
    with_scores: bool = False,
) -> Outcome:
    """Score a setting on the folds in turn.

    Parameters
    ----------
    recipe : Recipe
    folds : sequence of Fold
    yardstick : Yardstick
    params : dict
        What differs from the recipe's own parameters.
    lengths : sequence of int, optional
        Numbers of rounds or trees, ascending, that one fit answers for.
    rival : Rival, optional
        Whom the trial is compared with after each fold but the last.
    share : float
        Of each fold's training rows.
    with_scores : bool
        Give the answers too.

    Returns
    -------
    Outcome
    """
    start = time.perf_counter()
    recipe = replace(recipe, params={**recipe.params, **params})
    values: dict[int | None, list[float]] = {length: [] for length in lengths or (None,)}
    answers: list[dict[int | None, np.ndarray]] = []
    iterations: list[int] = []
    variances: list[float] = []
    for number, fold in enumerate(folds, start=1):
        scores, n_rounds = fit_and_score(recipe, fold.share(share, recipe.random_state), lengths)
        answers.append(scores)
        iterations += [] if n_rounds is None else [n_rounds]
        for length, score in scores.items():
            values[length].append(value_on(recipe, yardstick, fold, score))
        if rival is None or number == len(folds):
            continue
        best = best_length(values, yardstick.metric)
        mine, theirs = (_prediction(recipe, score) for score in (scores[best], rival.scores[number - 1]))
        variances.append(variance_of_gain(yardstick, fold, mine, theirs, recipe.random_state))
        gains = [
            as_score(yardstick.metric, value) - as_score(yardstick.metric, value_on(recipe, yardstick, rivalled, score))
            for value, rivalled, score in zip(values[best], folds, rival.scores, strict=False)
        ]
        if cannot_win(gains, variances, len(folds)):
            return Outcome(values, [], iterations, time.perf_counter() - start, number)
    best = best_length(values, yardstick.metric)
    kept = [scores[best] for scores in answers] if with_scores else []
    return Outcome(values, kept, iterations, time.perf_counter() - start)


def best_length(values: dict[int | None, list[float]], metric: str) -> int | None:
    """The length with the best mean over the folds so far; of equally good ones the first."""
    return max(values, key=lambda length: as_score(metric, float(np.mean(values[length]))))


def cannot_win(gains: list[float], variances: list[float], n_folds: int) -> bool:
    """Whether a trial's mean over all folds is very unlikely to exceed the best trial's.

    Let d be the gain on the best trial, fold by fold, with variance s² in a fold. After j of K folds the gain over all has
    the expectation mean(d) and, as (K - j) / K of it is still to come, the variance ((K - j) / K)² (s² / (K - j) + s² / j).

    Parameters
    ----------
    gains : list of float
        Of each fold so far, above 0 where the trial is better.
    variances : list of float
        Of each of these gains: how far it would vary with other held-out rows.
    n_folds : int
        More than there are gains.
    """
    n_done, n_left = len(gains), n_folds - len(gains)
    spread = n_left / n_folds * np.sqrt(np.mean(variances) * (1 / n_left + 1 / n_done))
    return bool(np.mean(gains) + Z * spread < 0)


def variance_of_gain(yardstick: Yardstick, fold: Fold, mine, theirs, seed: int) -> float:
    """How far a difference of two metrics on the same rows would vary with other rows: the paired bootstrap."""
    values = resample(
        yardstick.metric, yardstick.task, fold.y_held_out, [mine, theirs], seed, N_RESAMPLES, yardstick.quantile, fold.periods
    )
    return float(np.var(values[:, 0] - values[:, 1], ddof=1))


def value_on(recipe: Recipe, yardstick: Yardstick, fold: Fold, score) -> float:
    """The metric of scores for the held-out rows of a fold."""
    prediction = _prediction(recipe, score)
    return compute([yardstick.metric], fold.y_held_out, prediction, yardstick.quantile, fold.periods)[yardstick.metric]


def _prediction(recipe: Recipe, score):
    return decide(recipe.task, score, THRESHOLD if recipe.task == "binary" else None)


def length_parameter(estimator: str) -> str | None:
    """The parameter whose shorter values a longer fit answers for, if the estimator has one."""
    return LENGTHS.get(estimator)
