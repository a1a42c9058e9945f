"""Search for parameters: propose, try side by side, tell in order, remember."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
import psutil

from src.errors import TrainingError
from src.evaluate import Yardstick
from src.fit import Recipe
from src.metrics import as_score
from src.tuning.folds import Fold, prepare_folds
from src.tuning.proposals import GridSearch, Halving, Method, Proposal, Sampled, Several
from src.tuning.trial import Outcome, Rival, best_length, length_parameter, run_trial, value_on
from src.tuning.trials import Memory, Storage, Trial, table
from src.tuning.workers import workers

N_PICKS = 25  # of the greedy average
N_LENGTHS = 10  # numbers of rounds that a search without early stopping compares
SHARE_OF_MEMORY = 0.5  # of what is free, that the folds of all processes may take


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


@dataclass(frozen=True)
class Search:
    """How a search goes on.

    Attributes
    ----------
    method : Method
    candidates : dict of str to Candidate
        By the name of the model.
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
    candidates: dict[str, Candidate]
    yardstick: Yardstick
    lag: int
    n_threads: int
    n_workers: int | None = None
    timeout_s: float | None = None

    def run(self, store: Memory | Storage, advance: Callable[[list[Trial]], None] = lambda trials: None) -> Told:
        """Go on with the trials that the store has, to the end.

        Parameters
        ----------
        store : Memory or Storage
        advance : callable
            Told of all finished trials whenever there are new ones.

        Returns
        -------
        Told

        Raises
        ------
        TrainingError
            If every trial failed.
        """
        n_workers = min(self.n_workers or self.n_threads, self.lag, self.method.n_proposals)
        n_bytes = sum(_bytes(fold) for candidate in self.candidates.values() for fold in candidate.folds)
        if self.n_workers is None and n_workers * n_bytes > SHARE_OF_MEMORY * psutil.virtual_memory().available:
            n_workers = 1
        n_threads = max(1, self.n_threads // n_workers)
        candidates = {
            name: replace(candidate, recipe=replace(candidate.recipe, n_threads=n_threads))
            for name, candidate in self.candidates.items()
        }
        with workers(candidates, self.yardstick, n_threads, n_workers) as pool:
            told = Told(self, store, candidates)
            advance(told.trials)
            self._loop(told, pool, advance)
        if not any(trial.state == "COMPLETE" for trial in told.trials):
            reason = f" The first: {told.trials[0].reason}" if told.trials else ""
            raise TrainingError(f"All {len(told.trials)} trials failed.{reason}")
        return told

    def _loop(self, told: Told, pool, advance) -> None:
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
                pool.submit(next_to_submit, (*proposed[next_to_submit - first], self.method.can_drop))
                next_to_submit += 1
            if next_to_submit == told.n_proposals:
                return  # late, and nothing is under way
            number, outcome = pool.next_finished()
            results[number] = outcome
            while told.n_proposals in results:
                place = told.n_proposals
                told.tell(proposed[place - first][0], results.pop(place))
                advance(told.trials)


class Told:
    """The finished trials in order, and the answers of the best of each model."""

    def __init__(self, search: Search, store: Memory | Storage, candidates: dict[str, Candidate]):
        self.method, self.store, self.candidates = search.method, store, candidates
        self.yardstick, self.lag = search.yardstick, search.lag
        self.trials = store.load()
        self.n_proposals = self._n_whole()
        self.method.remember([trial.model for trial in self._of_first(self.n_proposals)])
        self._answers: dict[int, list[np.ndarray]] = {}

    def _n_whole(self) -> int:
        """How many proposals have all their trials: one may have been cut off between two of them."""
        sizes = Counter(trial.proposal for trial in self.trials)
        for place in range(self.method.n_proposals):
            expected = len(self.method.propose(place, []).lengths) if self.method.is_grid else 1
            if sizes[place] < max(expected, 1):
                return place
        return self.method.n_proposals

    def _of_first(self, n_proposals: int) -> list[Trial]:
        return [trial for trial in self.trials if trial.proposal < n_proposals]

    def needs(self, number: int) -> int:
        """How many proposals must be told before this one can be made."""
        return max(self.method.known_to(number), self._n_rivals(number))

    def _n_rivals(self, number: int) -> int:
        return max(0, number - self.lag + 1) if self.method.can_drop else 0

    def propose(self, number: int) -> tuple[Proposal, Rival | None]:
        """A proposal, and whom it is compared with: the best trial of the same model."""
        proposal = self.method.propose(number, self._of_first(self.method.known_to(number)))
        if not self.method.can_drop:
            return proposal, None
        best = best_trial(self._of_first(self._n_rivals(number)), proposal.model)
        return proposal, best and Rival(best.number, self.answers(best))

    def answers(self, trial: Trial) -> list[np.ndarray]:
        """A trial's answers for the held-out rows of each fold, fitted again if another process had them."""
        if trial.number not in self._answers:
            candidate = self.candidates[trial.model]
            length = tuple(trial.params[name] for name in set(trial.params) - set(trial.setting))
            outcome = run_trial(candidate.recipe, candidate.folds, self.yardstick, trial.setting, length, may_drop=True)
            self._answers[trial.number] = outcome.scores
        return self._answers[trial.number]

    def tell(self, proposal: Proposal, outcome: Outcome) -> None:
        """Keep what a proposal came to: a trial for each point of a grid, one trial for everything else."""
        place, first, lengths = self.n_proposals, len(self._of_first(self.n_proposals)), proposal.lengths
        if not self.method.is_grid:
            lengths = (best_length(outcome.values, self.yardstick.metric),) if outcome.values else ()
        found = [self._trial(first + i, place, proposal, length, outcome) for i, length in enumerate(lengths or (None,))]
        fresh = found[len(self.trials) - first :]
        self.store.save(fresh)
        self.trials += fresh
        self.n_proposals += 1
        if outcome.scores and best_trial(self.trials, proposal.model) is found[0]:
            self._answers[found[0].number] = outcome.scores
            self._forget(proposal.model)

    def _forget(self, model: str) -> None:
        """Drop answers that no proposal can be compared with any more."""
        oldest = best_trial(self._of_first(max(0, self.n_proposals - self.lag)), model)
        past = [trial.number for trial in self.trials if trial.model == model and oldest and trial.number < oldest.number]
        for number in past:
            self._answers.pop(number, None)

    def _trial(self, number: int, place: int, proposal: Proposal, length: int | None, outcome: Outcome) -> Trial:
        name = length_parameter(self.candidates[proposal.model].recipe.estimator)
        values = outcome.values.get(length, [])
        value = float(np.mean(values)) if values else None
        if outcome.reason or value is None or not np.isfinite(value):
            state, value = "FAIL", None
        else:
            state = "PRUNED" if outcome.dropped_at else "COMPLETE"
        return Trial(
            number=number,
            proposal=place,
            model=proposal.model,
            params=proposal.params if length is None else {**proposal.params, name: length},
            setting=proposal.params,
            share=proposal.share,
            state=state,
            value=value,
            score=None if value is None else as_score(self.yardstick.metric, value),
            fold_values=[float(each) for each in values],
            best_iterations=outcome.best_iterations,
            dropped_at=outcome.dropped_at,
            seconds=outcome.seconds,
            reason=outcome.reason or ("" if value is not None else "the metric is not a number"),
        )


def best_trial(trials: Sequence[Trial], model: str | None = None) -> Trial | None:
    """The best of the trials that saw all folds and all rows, of one model or of any; of equally good ones the first."""
    whole = [trial for trial in trials if trial.state == "COMPLETE" and trial.share >= 1 and model in (None, trial.model)]
    return max(whole, key=lambda trial: (trial.score, -trial.number), default=None)


def _bytes(fold: Fold) -> int:
    return sum(getattr(X, "nbytes", 0) or getattr(getattr(X, "data", None), "nbytes", 0) for X in (fold.X, fold.X_held_out))


@dataclass(frozen=True)
class Found:
    """What a search came to.

    Attributes
    ----------
    params : dict of str to dict
        By model, of the models that won: what differs from the recipe's own parameters.
    weights : dict of str to float
        Of the models that won, 1 in all.
    table : DataFrame
        A row for each trial.
    facts : dict
        See `src.tuning.results.summary`.
    notes : list of str
        What a reader of the run has to know.
    """

    params: dict[str, dict[str, Any]]
    weights: dict[str, float]
    table: pd.DataFrame
    facts: dict[str, Any]
    notes: list[str]


@dataclass(frozen=True)
class Space:
    """Where the parameters of a model are looked for.

    Attributes
    ----------
    recipe : Recipe
        Without early stopping, a model that trains in rounds also has the number of its rounds searched, up to its own:
        that costs nothing, for a long fit holds the shorter ones.
    grid : mapping of str to list
    distributions : mapping of str to optuna distribution
    starting_points : sequence of dict
        Settings to try first, after the recipe's own; what they lack is the recipe's.
    """

    recipe: Recipe
    grid: Mapping[str, Sequence[Any]]
    distributions: Mapping[str, Any]
    starting_points: Sequence[dict[str, Any]]

    @property
    def length(self) -> str | None:
        """The parameter that one fit answers several values of."""
        return length_parameter(self.recipe.estimator) if self.recipe.patience is None else None

    def lengths(self) -> tuple[int, ...]:
        """What is tried of it where there is no grid."""
        if self.length is None:
            return ()
        longest = self.recipe.params[self.length]
        return tuple(sorted({max(1, longest * part // N_LENGTHS) for part in range(1, N_LENGTHS + 1)}))

    def of_every_parameter(self, is_grid: bool) -> dict[str, Any]:
        """Distributions of all that a trial may have, its number of rounds included."""
        from optuna.distributions import CategoricalDistribution

        if is_grid:
            return {name: CategoricalDistribution(values) for name, values in self.grid.items()}
        lengths = self.lengths()
        return {**self.distributions, **({self.length: CategoricalDistribution(lengths)} if lengths else {})}


def find(
    spaces: Mapping[str, Space], frame, y, folds, yardstick: Yardstick, *, is_ordered: bool, groups, periods, method: str,
    n_iter: int | None, max_concurrent_trials: int, n_workers: int | None, timeout_s: float | None, storage: str | None,
    study: str, advance: Callable,
) -> Found:  # fmt: skip
    """Search for the parameters with the best mean of the metric over the folds.

    Parameters
    ----------
    spaces : mapping of str to Space
        By model: one, or several for the method "auto".
    frame, y, folds, is_ordered, groups, periods
        As for `src.cross_validation.cross_validate`.
    yardstick : Yardstick
    method : {"grid_search", "random_search", "bayesian", "halving", "auto"}
    n_iter : int or None
        Settings in all; of a grid, None takes every point.
    max_concurrent_trials : int
    n_workers : int or None
    timeout_s : float or None
    storage : str or None
        Address of a database.
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
    candidates = {
        name: Candidate(space.recipe, prepare_folds(space.recipe, frame, y, folds, is_ordered, groups, periods))
        for name, space in spaces.items()
    }
    preparation_s = time.perf_counter() - start
    how = _method(method, spaces, yardstick.metric, n_iter, max_concurrent_trials)
    distributions = {name: space.of_every_parameter(how.is_grid) for name, space in spaces.items()}
    recipe = next(iter(spaces.values())).recipe
    store = Memory() if storage is None else Storage(storage, study, distributions, as_score(yardstick.metric, 1.0) < 0)
    search = Search(how, candidates, yardstick, max_concurrent_trials, recipe.n_threads, n_workers, timeout_s)

    def tell(trials: list[Trial]) -> None:
        best, n_dropped = best_trial(trials), sum(trial.state == "PRUNED" for trial in trials)
        which = f" ({best.model})" if best and len(spaces) > 1 else ""
        said = f"best {yardstick.metric} {best.value:.4f}{which}, {n_dropped} dropped" if best else ""
        advance(len({trial.proposal for trial in trials}), how.n_proposals, said)

    told = search.run(store, tell)
    weights, value = _weights(told, recipe, yardstick) if method == "auto" else ({best_trial(told.trials).model: 1.0}, None)
    facts = summary(told.trials, distributions, len(folds), preparation_s, recipe.random_state)
    n_done = len({trial.proposal for trial in told.trials})
    facts |= {"method": method, "is_complete": n_done == how.n_proposals}
    facts |= {"weights": weights, "weighted_value": value} if method == "auto" else {}
    notes = [
        f"{len(told.trials)} trials of {method}: best {yardstick.metric} {facts['best_value']:.4f} on {len(folds)} folds of "
        "train. The search chose it, so it is too good; so is cross-validation on the same rows. Test is not."
    ]
    if n_done < how.n_proposals:
        notes.append(f"The search stopped after {timeout_s:.0f} s with {n_done} of {how.n_proposals} settings tried.")
    params = {name: best_trial(told.trials, name).params for name in weights}
    return Found(params, weights, table(told.trials), facts, notes)


def _weights(told: Told, recipe: Recipe, yardstick: Yardstick) -> tuple[dict[str, float], float]:
    """Weights of the best trials of the models in an average of their answers for held-out rows, and its metric.

    All weight goes to the best one if no average does better over the folds.
    """
    from src.ensemble import greedy_weights

    best = {name: trial for name in told.candidates if (trial := best_trial(told.trials, name))}
    folds = next(iter(told.candidates.values())).folds
    answers = {name: told.answers(trial) for name, trial in best.items()}
    stacked = {name: np.concatenate(of_folds) for name, of_folds in answers.items()}
    y_true = np.concatenate([fold.y_held_out for fold in folds])
    weights = greedy_weights(stacked, y_true, recipe.loss, N_PICKS, recipe.quantile)

    def value_of(weighted: dict[str, float]) -> float:
        means = [sum(weight * answers[name][i] for name, weight in weighted.items()) for i in range(len(folds))]
        return float(np.mean([value_on(recipe, yardstick, fold, mean) for fold, mean in zip(folds, means, strict=True)]))

    single = {best_trial(told.trials).model: 1.0}
    chosen = max((single, weights), key=lambda one: as_score(yardstick.metric, value_of(one)))
    return chosen, value_of(chosen)


def _method(name: str, spaces: Mapping[str, Space], metric: str, n_iter: int | None, lag: int) -> Method:
    model, space = next(iter(spaces.items()))
    recipe = space.recipe
    if name == "grid_search":
        grid = dict(space.grid)
        if recipe.patience is not None:  # it finds the number of rounds
            grid.pop(length_parameter(recipe.estimator), None)
        return GridSearch(model, grid, space.length, n_iter, recipe.random_state)
    sampled = {
        model: Sampled(
            model,
            space.distributions,
            [{**space.recipe.params, **point} for point in ({}, *space.starting_points)][:n_iter],
            n_iter,
            lag,
            space.recipe.random_state,
            as_score(metric, 1.0) < 0,
            space.lengths(),
            learns=name in ("bayesian", "auto"),
        )
        for model, space in spaces.items()
    }
    if name == "auto":
        return Several(sampled, n_iter, lag)
    return Halving(sampled[model]) if name == "halving" else sampled[model]
