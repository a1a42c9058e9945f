"""Search loop: propose, try, tell, remember."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import psutil

from bank_models.errors import TrainingError
from bank_models.metrics.names import as_score
from bank_models.metrics.scorer import Scorer
from bank_models.tuning.fold_fits import length_parameter
from bank_models.tuning.folds import Candidate, Fold
from bank_models.tuning.methods import Method, Proposal
from bank_models.tuning.predictions import Predictions
from bank_models.tuning.storage import Memory, Storage, Trial
from bank_models.tuning.trial import Outcome, best_length, run_trial, value_on
from bank_models.tuning.workers import workers

if TYPE_CHECKING:
    from bank_models.runtime.cluster import Cluster

MOST_TRIALS = 10_000  # of a search that the clock ends
SHARE_OF_MEMORY = 0.5  # of what is free, that the folds of all processes may take


@dataclass(frozen=True)
class Budget:
    """How many settings a search tries, for how long, and how many at once.

    Attributes
    ----------
    n_iter : int, optional
        Settings in all; of a grid, None takes every point.
    max_concurrent_trials : int
        How many trials may be under way at once; results depend on it, on the number of processes they don't.
    n_workers : int, optional
        Processes that share the cores; None is one for each, as far as memory goes.
    timeout_s : float, optional
        Begin no trial after so many seconds.
    fit_s : callable, optional
        Of a search that is part of a command with an end: takes all finished trials, and gives how many of `timeout_s` the fit
        after the search will need. Once a trial has finished, those that are under way are not waited for either.
    n_iter_no_change : int, optional
        End after so many settings in a row that no model did better with.
    cluster : Cluster, optional
        Whose processes run the trials, instead of this machine's.
    """

    n_iter: int | None
    max_concurrent_trials: int
    n_workers: int | None = None
    timeout_s: float | None = None
    fit_s: Callable[[list[Trial]], float] | None = None
    n_iter_no_change: int | None = None
    cluster: Cluster | None = None


@dataclass(frozen=True)
class Search:
    """How a search goes on.

    Attributes
    ----------
    method : Method
    candidates : dict of str to Candidate
        By the name of the model.
    scorer : Scorer
    n_threads : int
        Cores to use.
    budget : Budget
    predictions : Predictions
        Where those of trials are kept that a later trial is compared with, or an average is made of.
    """

    method: Method
    candidates: dict[str, Candidate]
    scorer: Scorer
    n_threads: int
    budget: Budget
    predictions: Predictions

    def run(self, store: Memory | Storage, advance: Callable[[list[Trial]], None] = lambda trials: None) -> SearchHistory:
        """Go on with the trials that the store has, to the end.

        Parameters
        ----------
        store : Memory or Storage
        advance : callable
            Takes all finished trials whenever there are new ones.

        Returns
        -------
        SearchHistory

        Raises
        ------
        TrainingError
            If no trial saw all rows and all folds.
        """
        history = SearchHistory(self, store, self._with_threads(max(1, self.n_threads // self._n_processes())))
        advance(history.trials)
        if history.n_proposals < self.method.n_proposals:
            with self._workers() as pool:
                self._loop(history, pool, advance)
        if best_trial(history.trials) is None:
            raise TrainingError(_why_none(history.trials))
        return history

    @contextmanager
    def _workers(self) -> Iterator:
        if self.budget.cluster is None:
            n_workers = self._n_processes()
            n_threads = max(1, self.n_threads // n_workers)
            with workers(self._with_threads(n_threads), self.scorer, n_threads, n_workers) as pool:
                yield pool
            return
        with self.budget.cluster.connected() as connection:
            n_workers = self._most(connection.n_threads)
            n_threads = connection.threads_of(n_workers)
            with workers(self._with_threads(n_threads), self.scorer, n_threads, n_workers, connection) as pool:
                yield pool

    def _with_threads(self, n_threads: int) -> dict[str, Candidate]:
        return {
            name: replace(candidate, recipe=replace(candidate.recipe, n_threads=n_threads))
            for name, candidate in self.candidates.items()
        }

    def _most(self, n_cores: int) -> int:
        return min(self.budget.n_workers or n_cores, self.budget.max_concurrent_trials, self.method.n_proposals)

    def _n_processes(self) -> int:
        given, n_workers = self.budget.n_workers, self._most(self.n_threads)
        n_bytes = sum(_bytes(fold) for candidate in self.candidates.values() for fold in candidate.folds)
        is_too_much = n_workers * n_bytes > SHARE_OF_MEMORY * psutil.virtual_memory().available
        return 1 if given is None and is_too_much else n_workers

    def _loop(self, history: SearchHistory, pool, advance) -> None:
        start, proposed, results = time.monotonic(), [], {}
        first = next_to_propose = next_to_submit = history.n_proposals
        while history.n_proposals < self.method.n_proposals and not gains_no_more(history.trials, self.budget.n_iter_no_change):
            while next_to_propose < self.method.n_proposals and history.needs(next_to_propose) <= history.n_proposals:
                proposed.append(history.propose(next_to_propose))
                next_to_propose += 1
            left_s = self._left_s(start, history.trials)
            is_first = self.budget.fit_s is not None and best_trial(history.trials) is None
            while pool.is_free() and next_to_submit < next_to_propose:
                if left_s is not None and left_s <= 0 and not (is_first and next_to_submit == history.n_proposals):
                    break
                if next_to_submit - history.n_proposals >= self.budget.max_concurrent_trials:
                    break
                pool.submit(next_to_submit, (*proposed[next_to_submit - first], self.method.can_drop))
                next_to_submit += 1
            if next_to_submit == history.n_proposals:
                return  # late, and nothing is under way
            may_leave = self.budget.fit_s is not None and best_trial(history.trials) is not None
            finished = pool.next_finished(max(0.0, left_s) if may_leave else None)
            if finished is None:
                return
            number, outcome = finished
            results[number] = outcome
            while history.n_proposals in results and not gains_no_more(history.trials, self.budget.n_iter_no_change):
                place = history.n_proposals
                history.tell(proposed[place - first][0], results.pop(place))
                advance(history.trials)

    def _left_s(self, start: float, trials: list[Trial]) -> float | None:
        """Seconds in which trials may still begin; None if there is no end."""
        if self.budget.timeout_s is None:
            return None
        reserved = self.budget.fit_s(trials) if self.budget.fit_s else 0.0
        return start + self.budget.timeout_s - reserved - time.monotonic()


class SearchHistory:
    """The finished trials in order, and their predictions: of the best of each model, or of all that an average may have."""

    def __init__(self, search: Search, store: Memory | Storage, candidates: dict[str, Candidate]):
        self.method, self.store, self.candidates = search.method, store, candidates
        self.scorer, self.n_pending = search.scorer, search.budget.max_concurrent_trials
        self.trials = store.load()
        self.n_proposals = self._n_whole()
        self.method.remember([trial.model for trial in self._of_first(self.n_proposals)])
        self._predictions, self._proven = search.predictions, set()

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
        """How many proposals must be finished before this one can be made."""
        return max(self.method.known_to(number), self._n_rivals(number))

    def _n_rivals(self, number: int) -> int:
        return max(0, number - self.n_pending + 1) if self.method.can_drop else 0

    def propose(self, number: int) -> tuple[Proposal, list[np.ndarray] | None]:
        """A proposal, and the predictions it is compared with: those of the best trial of the same model."""
        proposal = self.method.propose(number, self._of_first(self.method.known_to(number)))
        if not self.method.can_drop:
            return proposal, None
        best = best_trial(self._of_first(self._n_rivals(number)), proposal.model)
        return proposal, best and self.predictions(best)

    def predictions(self, trial: Trial) -> list[np.ndarray]:
        """A trial's predictions for the held-out rows of each fold; fitted again if there are none that come to its metric."""
        if trial.number not in self._proven and not self._is_kept(trial):
            candidate = self.candidates[trial.model]
            length = tuple(trial.params[name] for name in set(trial.params) - set(trial.setting))
            outcome = run_trial(candidate.recipe, candidate.folds, self.scorer, trial.setting, length, may_drop=True)
            self._predictions[trial.number] = outcome.scores
        self._proven.add(trial.number)
        return self._predictions[trial.number]

    def stacked(self, trial: Trial) -> np.ndarray:
        """A trial's predictions for the held-out rows of all folds, one fold after the other; read from the file as needed."""
        self.predictions(trial)
        return self._predictions.stacked(trial.number)

    def _is_kept(self, trial: Trial) -> bool:
        """Whether an earlier process has left predictions that come to the trial's metric on each fold."""
        candidate = self.candidates[trial.model]
        try:
            scores = self._predictions[trial.number]
            values = [value_on(candidate.recipe, self.scorer, *one) for one in zip(candidate.folds, scores, strict=True)]
        except (OSError, ValueError):
            return False
        return np.allclose(values, trial.fold_values, rtol=1e-9, atol=0)

    def tell(self, proposal: Proposal, outcome: Outcome) -> None:
        """Keep what a proposal came to: a trial for each point of a grid, one trial for everything else."""
        place, first, lengths = self.n_proposals, len(self._of_first(self.n_proposals)), proposal.lengths
        if not self.method.is_grid:
            lengths = (best_length(outcome.values, self.scorer.metric),) if outcome.values else ()
        found = [self._trial(first + i, place, proposal, length, outcome) for i, length in enumerate(lengths or (None,))]
        fresh = found[len(self.trials) - first :]
        self.store.save(fresh)
        self.trials += fresh
        self.n_proposals += 1
        if outcome.scores and (self.method.is_averaged or best_trial(self.trials, proposal.model) is found[0]):
            self._predictions[found[0].number] = outcome.scores
            self._proven.add(found[0].number)
        if not self.method.is_averaged:
            self._forget(proposal.model)

    def _forget(self, model: str) -> None:
        """Drop predictions that no proposal can be compared with any more."""
        oldest = best_trial(self._of_first(max(0, self.n_proposals - self.n_pending)), model)
        for trial in self.trials:
            if trial.model == model and oldest and trial.number < oldest.number:
                del self._predictions[trial.number]
                self._proven.discard(trial.number)

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
            score=None if value is None else as_score(self.scorer.metric, value),
            fold_values=[float(each) for each in values],
            best_iterations=outcome.best_iterations,
            dropped_at=outcome.dropped_at,
            seconds=outcome.seconds,
            reason=outcome.reason or ("" if value is not None else "the metric is not a number"),
        )


def whole_trials(trials: Sequence[Trial], model: str | None = None) -> list[Trial]:
    """Those that saw all folds and all rows, of one model or of any."""
    return [trial for trial in trials if trial.state == "COMPLETE" and trial.share >= 1 and model in (None, trial.model)]


def best_trial(trials: Sequence[Trial], model: str | None = None) -> Trial | None:
    """The best of the trials that saw all folds and all rows, of one model or of any; of equally good ones the first."""
    return max(whole_trials(trials, model), key=lambda trial: (trial.score, -trial.number), default=None)


def gains_no_more(trials: Sequence[Trial], n_iter: int | None) -> bool:
    """Whether so many settings in a row were no better than the best one before them."""
    best = best_trial(trials)
    return n_iter is not None and best is not None and trials[-1].proposal - best.proposal >= n_iter


def _why_none(trials: Sequence[Trial]) -> str:
    failed = [trial for trial in trials if trial.state == "FAIL"]
    if failed and len(failed) == len(trials):
        return f"All {len(trials)} trials failed. The first: {failed[0].reason}"
    return f"The search ended before a trial had seen all rows ({len(trials)} trials): raise tuning.timeout_s"


def _bytes(fold: Fold) -> int:
    return sum(getattr(X, "nbytes", 0) or getattr(getattr(X, "data", None), "nbytes", 0) for X in (fold.X, fold.X_held_out))
