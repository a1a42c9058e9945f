"""Tuning: prepare the folds, search, return the result."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from src.metrics.names import as_score
from src.metrics.scorer import Scorer
from src.training.ensemble import greedy_weights
from src.training.fit import Recipe
from src.tuning.folds import Candidate, prepare_folds
from src.tuning.results import summary
from src.tuning.search import Search, Told, best_trial
from src.tuning.space import Space, make_method
from src.tuning.storage import Memory, Storage, Trial, table
from src.tuning.trial import value_on

if TYPE_CHECKING:
    from src.tuning.tune import SearchResult


N_PICKS = 25  # of the greedy average


@dataclass(frozen=True)
class SearchResult:
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

    def applied_to(self, recipe: Recipe) -> Recipe:
        """A recipe with the parameters that were found: its own, or those of an ensemble's members and their weights."""
        if not recipe.members:
            (params,) = self.params.values()
            return replace(recipe, params={**recipe.params, **params})
        members = {
            name: replace(recipe.members[name], params={**recipe.members[name].params, **params})
            for name, params in self.params.items()
        }
        return replace(recipe, members=members, weights=self.weights)


def run_search(
    spaces: Mapping[str, Space], frame, y, folds, scorer: Scorer, *, method: str, n_iter: int | None,
    max_concurrent_trials: int, n_workers: int | None, timeout_s: float | None, storage: str | None, study: str,
    advance: Callable, is_ordered: bool = False, groups=None, periods=None, units=None,
) -> SearchResult:  # fmt: skip
    """Search for the parameters with the best mean of the metric over the folds.

    Parameters
    ----------
    spaces : mapping of str to Space
        By model: one, or several for the method "auto".
    frame, y, folds, is_ordered, groups, periods, units
        As for `src.tuning.folds.prepare_folds`.
    scorer : Scorer
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
    SearchResult
    """
    start = time.perf_counter()
    candidates = {
        name: Candidate(space.recipe, prepare_folds(space.recipe, frame, y, folds, is_ordered, groups, periods, units))
        for name, space in spaces.items()
    }
    preparation_s = time.perf_counter() - start
    how = make_method(method, spaces, scorer.metric, n_iter, max_concurrent_trials)
    distributions = {name: space.of_every_parameter(how.is_grid) for name, space in spaces.items()}
    recipe = next(iter(spaces.values())).recipe
    store = Memory() if storage is None else Storage(storage, study, distributions, as_score(scorer.metric, 1.0) < 0)
    search = Search(how, candidates, scorer, max_concurrent_trials, recipe.n_threads, n_workers, timeout_s)

    def tell(trials: list[Trial]) -> None:
        best, n_dropped = best_trial(trials), sum(trial.state == "PRUNED" for trial in trials)
        which = f" ({best.model})" if best and len(spaces) > 1 else ""
        said = f"best {scorer.metric} {best.value:.4f}{which}, {n_dropped} dropped" if best else ""
        advance(len({trial.proposal for trial in trials}), how.n_proposals, said)

    told = search.run(store, tell)
    weights, value = _weights(told, recipe, scorer) if method == "auto" else ({best_trial(told.trials).model: 1.0}, None)
    facts = summary(told.trials, distributions, len(folds), preparation_s, recipe.random_state)
    n_done = len({trial.proposal for trial in told.trials})
    facts |= {"method": method, "is_complete": n_done == how.n_proposals}
    facts |= {"weights": weights, "weighted_value": value} if method == "auto" else {}
    notes = [
        f"{len(told.trials)} trials of {method}: best {scorer.metric} {facts['best_value']:.4f} on {len(folds)} folds of "
        "train. The search chose it, so it is too good; so is cross-validation on the same rows. Test is not."
    ]
    if n_done < how.n_proposals:
        notes.append(f"The search stopped after {timeout_s:.0f} s with {n_done} of {how.n_proposals} settings tried.")
    params = {name: best_trial(told.trials, name).params for name in weights}
    return SearchResult(params, weights, table(told.trials), facts, notes)


def _weights(told: Told, recipe: Recipe, scorer: Scorer) -> tuple[dict[str, float], float]:
    """Weights of the best trials of the models in an average of their answers for held-out rows, and its metric.

    All weight goes to the best one if no average does better over the folds.
    """
    best = {name: trial for name in told.candidates if (trial := best_trial(told.trials, name))}
    folds = next(iter(told.candidates.values())).folds
    answers = {name: told.answers(trial) for name, trial in best.items()}
    stacked = {name: np.concatenate(of_folds) for name, of_folds in answers.items()}
    y_true = np.concatenate([fold.y_held_out for fold in folds])
    weights = greedy_weights(stacked, y_true, recipe.loss, N_PICKS, recipe.quantile)

    def value_of(weighted: dict[str, float]) -> float:
        means = [sum(weight * answers[name][i] for name, weight in weighted.items()) for i in range(len(folds))]
        return float(np.mean([value_on(recipe, scorer, fold, mean) for fold, mean in zip(folds, means, strict=True)]))

    single = {best_trial(told.trials).model: 1.0}
    chosen = max((single, weights), key=lambda one: as_score(scorer.metric, value_of(one)))
    return chosen, value_of(chosen)
