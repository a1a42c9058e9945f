"""Trial: a setting scored fold by fold, with pruning."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from bank_models.metrics.intervals import spread
from bank_models.metrics.names import METRICS, as_score
from bank_models.metrics.scorer import Scorer
from bank_models.metrics.scores import Prediction
from bank_models.runtime.system_errors import explained
from bank_models.training.cross_validation import decided
from bank_models.training.fit import Recipe
from bank_models.tuning.fold_fits import fit_and_score, with_setting
from bank_models.tuning.folds import Fold

N_WORSE = 2  # lengths in a row without a new best one, after which a booster stops
Z = 1.645  # a trial that is given up would have won once in twenty times


@dataclass(frozen=True)
class Outcome:
    """What a trial came to.

    Attributes
    ----------
    values : dict of int to list of float
        The metric of each fold that was scored, by length; of None where the setting says how long.
    scores : list of ndarray
        Predictions for the held-out rows of each fold at the best length.
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
    scorer: Scorer,
    params: dict[str, Any],
    lengths: Sequence[int] = (),
    rival: Sequence[np.ndarray] | None = None,
    share: float = 1.0,
    may_drop: bool = False,
) -> Outcome:
    """Score a setting on the folds in turn.

    Parameters
    ----------
    recipe : Recipe
    folds : sequence of Fold
    scorer : Scorer
    params : dict
        What differs from the recipe's own parameters.
    lengths : sequence of int, optional
        Numbers of rounds or trees, ascending, that one fit gives predictions for.
    rival : sequence of ndarray, optional
        Predictions of the best trial so far for the held-out rows of each fold: after each fold but the last, the trial is
        given up if it can hardly beat them.
    share : float
        Of each fold's training rows.
    may_drop : bool
        Stop a booster when several lengths in a row were no better than a shorter one, and give the predictions too.

    Returns
    -------
    Outcome
        Of the lengths that were not given up.
    """
    start = time.perf_counter()
    recipe = with_setting(recipe, params)
    trial = _Trial(recipe, scorer, folds, lengths)
    for number, fold in enumerate(folds, start=1):
        give_up = trial.give_up if may_drop and lengths else None
        scores, n_rounds = fit_and_score(recipe, fold.share(share, recipe.random_state), trial.lengths, give_up)
        trial.add(scores, n_rounds)
        if rival is not None and number < len(folds) and trial.loses_to(rival):
            return trial.outcome(time.perf_counter() - start, dropped_at=number)
    return trial.outcome(time.perf_counter() - start, with_scores=may_drop)


class _Trial:
    """A trial under way: by length, the predictions for the folds so far and what they are worth."""

    def __init__(self, recipe: Recipe, scorer: Scorer, folds: Sequence[Fold], lengths: Sequence[int]):
        self.recipe, self.scorer, self.folds, self.lengths = recipe, scorer, folds, tuple(lengths)
        self.values: dict[int | None, list[float]] = {length: [] for length in self.lengths or (None,)}
        self.predictions: dict[int | None, list[np.ndarray]] = {length: [] for length in self.values}
        self.iterations: list[int] = []
        self.variances: list[float] = []
        self._here: dict[int | None, float] = {}  # values of the fold under way

    def add(self, scores: dict[int | None, np.ndarray], n_rounds: int | None) -> None:
        """Keep the scores of the next fold; lengths that it does not have were given up."""
        fold = self.folds[len(self._of_folds())]
        for length in [length for length in self.values if length not in scores]:
            del self.values[length], self.predictions[length]
        for length, score in scores.items():
            self.predictions[length].append(score)
            known = self._here.get(length)
            self.values[length].append(value_on(self.recipe, self.scorer, fold, score) if known is None else known)
        self._here = {}
        self.iterations += [] if n_rounds is None else [n_rounds]
        if self.lengths:
            self.lengths = tuple(length for length in self.lengths if length in self.values)

    def _of_folds(self) -> list[float]:
        """Values of any length: one for each fold so far."""
        return next(iter(self.values.values()))

    def give_up(self, scores: dict[int | None, np.ndarray]) -> bool:
        """Whether the longest fits so far were no better than a shorter one, on this fold and the earlier ones together."""
        fold = self.folds[len(self._of_folds())]
        for length in scores.keys() - self._here.keys():
            self._here[length] = value_on(self.recipe, self.scorer, fold, scores[length])
        lengths = list(scores)
        best = best_length({length: [*self.values[length], self._here[length]] for length in lengths}, self.scorer.metric)
        return lengths.index(best) < len(lengths) - N_WORSE

    def loses_to(self, rival: Sequence[np.ndarray]) -> bool:
        """Whether the best length so far can hardly beat the best trial so far."""
        best, place = best_length(self.values, self.scorer.metric), len(self._of_folds()) - 1
        self.variances.append(self._variance(self.folds[place], self.predictions[best][place], rival[place]))
        theirs = [
            value_on(self.recipe, self.scorer, fold, score) for fold, score in zip(self.folds[: place + 1], rival, strict=False)
        ]
        return cannot_win(self._gains(self.values[best], theirs), self.variances, len(self.folds))

    def _gains(self, mine: list[float], theirs: list[float]) -> list[float]:
        metric = self.scorer.metric
        return [as_score(metric, one) - as_score(metric, other) for one, other in zip(mine, theirs, strict=True)]

    def _variance(self, fold: Fold, one, other) -> float:
        predictions = (_prediction(self.recipe, self.scorer, fold, each) for each in (one, other))
        return variance_of_gain(self.scorer, fold, *predictions)

    def outcome(self, seconds: float, dropped_at: int | None = None, with_scores: bool = False) -> Outcome:
        best = best_length(self.values, self.scorer.metric)
        scores = self.predictions[best] if with_scores else []
        return Outcome(self.values, scores, self.iterations, seconds, dropped_at)


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


def variance_of_gain(scorer: Scorer, fold: Fold, mine, theirs) -> float:
    """How far a difference of two metrics on the same rows would vary with other rows; not a number where they cannot tell."""
    one, other = (scorer.estimate(fold.y_held_out, each, fold.units, fold.periods) for each in (mine, theirs))
    found = spread(one.influence - other.influence, one.units, one.kinds)
    return np.nan if found is None else found.error**2


def value_on(recipe: Recipe, scorer: Scorer, fold: Fold, score) -> float:
    """The metric of scores for the held-out rows of a fold."""
    return scorer.value(fold.y_held_out, _prediction(recipe, scorer, fold, score), fold.periods, fold.units.weight)


def _prediction(recipe: Recipe, scorer: Scorer, fold: Fold, score) -> Prediction:
    if METRICS[scorer.metric].of == "score":
        return Prediction(score, score)
    return decided(recipe, fold.y_held_out, score, fold.prices, fold.units.weight)


def outcome_of(candidates, scorer, proposal, rival, may_drop: bool) -> Outcome:
    """What a trial came to; an error is its reason to have failed."""
    try:
        candidate = candidates[proposal.model]
        return run_trial(
            candidate.recipe, candidate.folds, scorer, proposal.params, proposal.lengths, rival, proposal.share, may_drop
        )
    except Exception as error:
        return Outcome({}, reason=reason_of(error))


def reason_of(error: Exception) -> str:
    told = explained(error)
    return (f"{type(error).__name__}: {error}" if told in (None, error) else str(told)).splitlines()[0]
