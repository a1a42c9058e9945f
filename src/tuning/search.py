"""Search for parameters: propose, try side by side, tell in order, remember."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from src.errors import TrainingError
from src.evaluate import Yardstick
from src.fit import Recipe
from src.metrics import as_score
from src.tuning.folds import Fold, prepare_folds
from src.tuning.proposals import GridSearch, Halving, Method, Sampled
from src.tuning.trial import Outcome, Rival, best_length, length_parameter, run_trial
from src.tuning.trials import Memory, Storage, Trial, table
from src.tuning.workers import workers

N_LENGTHS = 10  # numbers of rounds that a search without early stopping compares
SHARE_OF_MEMORY = 0.5  # of what is free, that the folds of all processes may take


@dataclass(frozen=True)
class Search:
    """How a search goes on.

    Attributes
    ----------
    method : Method
    recipe : Recipe
        What every trial has in common.
    folds : sequence of Fold
    yardstick : Yardstick
    lag : int
        How many trials may be under way at once; results depend on it, on the number of processes they don't.
    n_threads : int
        Cores to use.
    n_workers : int, optional
        Processes that share them; None is one for each, as far as memory goes.
    timeout_s : float, optional
        Begin no trial after so many seconds.
    """

    method: Method
    recipe: Recipe
    folds: Sequence[Fold]
    yardstick: Yardstick
    lag: int
    n_threads: int
    n_workers: int | None = None
    timeout_s: float | None = None

    def run(self, store: Memory | Storage, advance: Callable[[list[Trial]], None] = lambda trials: None) -> list[Trial]:
        """Go on with the trials that the store has, to the end.

        Parameters
        ----------
        store : Memory or Storage
        advance : callable
            Told of all finished trials whenever there are new ones.

        Returns
        -------
        list of Trial

        Raises
        ------
        TrainingError
            If every trial failed.
        """
        n_workers = min(self.n_workers or self.n_threads, self.lag, self.method.n_proposals)
        if self.n_workers is None and n_workers * sum(map(_bytes, self.folds)) > SHARE_OF_MEMORY * _free_bytes():
            n_workers = 1
        recipe = replace(self.recipe, n_threads=max(1, self.n_threads // n_workers))
        with workers((recipe, list(self.folds), self.yardstick), n_workers) as pool:
            told = _Told(self, store, recipe)
            advance(told.trials)
            self._loop(told, pool, advance)
        if not any(trial.state == "COMPLETE" for trial in told.trials):
            raise TrainingError(f"All {len(told.trials)} trials failed. The first: {told.trials[0].reason}")
        return told.trials

    def _loop(self, told: _Told, pool, advance) -> None:
        start, proposed, results = time.monotonic(), [], {}
        first = next_to_propose = next_to_submit = told.n_proposals
        while told.n_proposals < self.method.n_proposals:
            while next_to_propose < self.method.n_proposals and told.needs(next_to_propose) <= told.n_proposals:
                proposed.append(told.propose(next_to_propose))
                next_to_propose += 1
            is_late = self.timeout_s is not None and time.monotonic() - start > self.timeout_s
            while pool.is_free() and next_to_submit < next_to_propose and not is_late:
                if next_to_submit - told.n_proposals >= self.lag:
                    break
                pool.submit(next_to_submit, proposed[next_to_submit - first])
                next_to_submit += 1
            if next_to_submit == told.n_proposals:
                return  # late, and nothing is under way
            number, outcome = pool.next_finished()
            results[number] = outcome
            while told.n_proposals in results:
                place = told.n_proposals
                told.tell(proposed[place - first], results.pop(place))
                advance(told.trials)


class _Told:
    """The finished trials in order, and the best of them."""

    def __init__(self, search: Search, store: Memory | Storage, recipe: Recipe):
        self.search, self.method, self.store, self.recipe = search, search.method, store, recipe
        self.trials = store.load()
        self.n_proposals = self._n_whole()
        self._answers: dict[int, list[np.ndarray]] = {}

    def _n_whole(self) -> int:
        """How many proposals have all their trials: one may have been cut off between two of them."""
        sizes = Counter(trial.proposal for trial in self.trials)
        for place in range(self.method.n_proposals):
            expected = len(self.method.propose(place, []).lengths) if self.method.is_grid else 1
            if sizes[place] < max(expected, 1):
                return place
        return self.method.n_proposals

    def needs(self, number: int) -> int:
        """How many proposals must be told before this one can be made."""
        return max(self.method.known_to(number), self._n_rivals(number))

    def _n_rivals(self, number: int) -> int:
        return max(0, number - self.search.lag + 1) if self.method.can_drop else 0

    def propose(self, number: int) -> tuple:
        """The arguments of a trial, after those that all have in common."""
        known = self.method.known_to(number)
        proposal = self.method.propose(number, [trial for trial in self.trials if trial.proposal < known])
        rival = self._rival(self._n_rivals(number))
        return proposal.params, proposal.lengths, rival, proposal.share, self.method.can_drop

    def _best(self, n_proposals: int) -> Trial | None:
        complete = [trial for trial in self.trials if trial.proposal < n_proposals and trial.state == "COMPLETE"]
        return max(complete, key=lambda trial: (trial.score, -trial.number), default=None)

    def _rival(self, n_known: int) -> Rival | None:
        """The best of the first proposals, with its answers: fitted again if it was another process that had them."""
        best = self._best(n_known)
        if best is None:
            return None
        if best.number not in self._answers:
            length = set(best.params) - set(best.setting)
            outcome = run_trial(
                self.recipe, self.search.folds, self.search.yardstick, best.setting,
                tuple(best.params[name] for name in length), with_scores=True,
            )  # fmt: skip
            self._answers[best.number] = outcome.scores
        self._answers = {number: scores for number, scores in self._answers.items() if number >= best.number}
        return Rival(best.number, self._answers[best.number])

    def tell(self, task: tuple, outcome: Outcome) -> None:
        """Keep what a proposal came to: a trial for each point of a grid, one trial for everything else."""
        params, lengths, _, share, _ = task
        place, first = self.n_proposals, sum(trial.proposal < self.n_proposals for trial in self.trials)
        if not self.method.is_grid:
            lengths = (best_length(outcome.values, self.search.yardstick.metric),) if outcome.values else ()
        found = [self._trial(first + i, place, params, length, share, outcome) for i, length in enumerate(lengths or (None,))]
        fresh = found[len(self.trials) - first :]
        self.store.save(fresh)
        self.trials += fresh
        self.n_proposals += 1
        if outcome.scores and self._best(self.n_proposals) is found[0]:
            self._answers[found[0].number] = outcome.scores

    def _trial(
        self, number: int, place: int, params: dict[str, Any], length: int | None, share: float, outcome: Outcome
    ) -> Trial:
        with_length = params if length is None else {**params, length_parameter(self.recipe.estimator): length}
        values = outcome.values.get(length, [])
        value = float(np.mean(values)) if values else None
        if outcome.reason or value is None or not np.isfinite(value):
            state, value = "FAIL", None
        else:
            state = "PRUNED" if outcome.dropped_at else "COMPLETE"
        return Trial(
            number=number,
            proposal=place,
            params=with_length,
            setting=params,
            share=share,
            state=state,
            value=value,
            score=None if value is None else as_score(self.search.yardstick.metric, value),
            fold_values=[float(each) for each in values],
            best_iterations=outcome.best_iterations,
            dropped_at=outcome.dropped_at,
            seconds=outcome.seconds,
            reason=outcome.reason or ("" if value is not None else "the metric is not a number"),
        )


def winner(trials: Sequence[Trial]) -> Trial:
    """The best of the trials that saw all folds and all rows; of equally good ones the first."""
    complete = [trial for trial in trials if trial.state == "COMPLETE" and trial.share >= 1]
    return max(complete, key=lambda trial: (trial.score, -trial.number))


def _bytes(fold: Fold) -> int:
    return sum(getattr(X, "nbytes", 0) or getattr(getattr(X, "data", None), "nbytes", 0) for X in (fold.X, fold.X_held_out))


def _free_bytes() -> int:
    return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True)
class Found:
    """What a search came to.

    Attributes
    ----------
    params : dict
        Of the winner: what differs from the recipe's own.
    table : DataFrame
        A row for each trial.
    facts : dict
        See `src.tuning.results.summary`.
    notes : list of str
        What a reader of the run has to know.
    """

    params: dict[str, Any]
    table: pd.DataFrame
    facts: dict[str, Any]
    notes: list[str]


def find(
    recipe: Recipe, frame, y, folds, yardstick: Yardstick, *, is_ordered: bool, groups, periods, method: str,
    n_iter: int | None, max_concurrent_trials: int, n_workers: int | None, timeout_s: float | None, storage: str | None, grid,
    distributions, starting_points, study: str, advance: Callable,
) -> Found:  # fmt: skip
    """Search for the parameters of a recipe with the best mean of the metric over the folds.

    Parameters
    ----------
    recipe : Recipe
        Without early stopping, a model that trains in rounds also has the number of its rounds searched, up to its own:
        that costs nothing, for a long fit holds the shorter ones.
    frame, y, folds, is_ordered, groups, periods
        As for `src.cross_validation.cross_validate`.
    yardstick : Yardstick
    method : {"grid_search", "random_search", "bayesian", "halving"}
    n_iter : int or None
        Settings in all; of a grid, None takes every point.
    max_concurrent_trials : int
    n_workers : int or None
    timeout_s : float or None
    storage : str or None
        Address of a database.
    grid : mapping of str to list
    distributions : mapping of str to optuna distribution
    starting_points : sequence of dict
    study : str
        Stands for all that decides the trials; a search goes on with the trials of this name in the storage.
    advance : callable
        Takes the number of finished proposals, that of all, and a line about them.

    Returns
    -------
    Found
    """
    from src.tuning.results import summary

    start = time.perf_counter()
    prepared = prepare_folds(recipe, frame, y, folds, is_ordered, groups, periods)
    preparation_s = time.perf_counter() - start
    length = length_parameter(recipe.estimator) if recipe.patience is None else None
    how = _method(method, recipe, yardstick.metric, grid, distributions, starting_points, n_iter, max_concurrent_trials, length)
    of_all = _distributions(how, grid, distributions, length)
    is_loss = as_score(yardstick.metric, 1.0) < 0
    store = Memory() if storage is None else Storage(storage, study, of_all, is_loss)
    search = Search(how, recipe, prepared, yardstick, max_concurrent_trials, recipe.n_threads, n_workers, timeout_s)

    def tell(trials: list[Trial]) -> None:
        done = len({trial.proposal for trial in trials})
        best = max((trial for trial in trials if trial.state == "COMPLETE"), key=lambda trial: trial.score, default=None)
        n_dropped = sum(trial.state == "PRUNED" for trial in trials)
        said = f"best {yardstick.metric} {best.value:.4f}, {n_dropped} dropped" if best else ""
        advance(done, how.n_proposals, said)

    trials = search.run(store, tell)
    facts = summary(trials, of_all, len(folds), preparation_s, recipe.random_state)
    n_done = len({trial.proposal for trial in trials})
    facts |= {"method": method, "is_complete": n_done == how.n_proposals}
    notes = [
        f"{len(trials)} trials of {method}: best {yardstick.metric} {facts['best_value']:.4f} on {len(folds)} folds of train. "
        "The search chose it, so it is too good; so is cross-validation on the same rows. Test is not."
    ]
    if n_done < how.n_proposals:
        notes.append(f"The search stopped after {timeout_s:.0f} s with {n_done} of {how.n_proposals} settings tried.")
    return Found(winner(trials).params, table(trials), facts, notes)


def _method(name, recipe, metric, grid, distributions, starting_points, n_iter, lag, length) -> Method:
    if name == "grid_search":
        if recipe.patience is not None:  # it finds the number of rounds
            grid = {key: values for key, values in grid.items() if key != length_parameter(recipe.estimator)}
        return GridSearch(grid, length, n_iter, recipe.random_state)
    lengths = ()
    if length is not None:
        longest = recipe.params[length]
        lengths = tuple(sorted({max(1, longest * part // N_LENGTHS) for part in range(1, N_LENGTHS + 1)}))
    starts = [{**recipe.params, **point} for point in ({}, *starting_points)]
    sampled = Sampled(
        distributions, starts[:n_iter], n_iter, lag, recipe.random_state, as_score(metric, 1.0) < 0, lengths,
        learns=name == "bayesian",
    )  # fmt: skip
    return Halving(sampled) if name == "halving" else sampled


def _distributions(how: Method, grid, distributions, length) -> dict[str, Any]:
    """Of every parameter that a trial may have, its number of rounds included."""
    from optuna.distributions import CategoricalDistribution

    if how.is_grid:
        return {name: CategoricalDistribution(values) for name, values in grid.items()}
    lengths = how.propose(0, []).lengths
    return {**distributions, **({length: CategoricalDistribution(lengths)} if lengths else {})}
