"""Tuning: prepare the folds, search, return the result."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from bank_models.metrics.figures import figure
from bank_models.metrics.names import is_loss
from bank_models.metrics.scorer import Scorer
from bank_models.models.latency import comparisons
from bank_models.runtime.notebook import Shown
from bank_models.training.ensemble import Latency, greedy_weights, n_classes_of, reference_of
from bank_models.training.fit import Recipe
from bank_models.tuning.fold_fits import with_setting
from bank_models.tuning.folds import SearchRows, prepare_candidates
from bank_models.tuning.predictions import Predictions, folder_of
from bank_models.tuning.results import summary
from bank_models.tuning.search import MOST_TRIALS, Budget, Search, SearchHistory, best_trial, gains_no_more, whole_trials
from bank_models.tuning.space import Space, make_method
from bank_models.tuning.storage import Memory, Storage, Trial, table
from bank_models.tuning.trial import value_on


@dataclass(frozen=True)
class Average:
    """How trials are averaged.

    Attributes
    ----------
    n_picks, n_members : int
        See `bank_models.training.ensemble.greedy_weights`.
    n_fits : int
        How often the members are fitted after the search.
    max_latency_ratio : float, optional
        How many times as long as the best XGBoost of the search the average may take to score a row.
    """

    n_picks: int
    n_members: int
    n_fits: int = 1
    max_latency_ratio: float | None = None


@dataclass(frozen=True, repr=False)
class SearchResult(Shown):
    """What a search came to.

    Attributes
    ----------
    params : dict of str to dict
        By trial, of those that won: what differs from the recipe's own parameters. A trial is named by its model or, where an
        average is made of trials, by its model and number: "lightgbm:12".
    weights : dict of str to float
        Of the trials that won, 1 in all.
    table : DataFrame
        A row for each trial.
    facts : dict
        See `bank_models.tuning.results.summary`.
    notes : list of str
        What a reader of the run has to know.
    """

    params: dict[str, dict[str, Any]]
    weights: dict[str, float]
    table: pd.DataFrame
    facts: dict[str, Any]
    notes: list[str]

    def _shown(self) -> dict[str, Any]:
        best = {f"best {name} of {model}": value for model, params in self.params.items() for name, value in params.items()}
        return {"trials": len(self.table), **best, **({"notes": " ".join(self.notes)} if self.notes else {})}

    def applied_to(self, recipe: Recipe) -> Recipe:
        """A recipe with the parameters that were found: its own, or those of an ensemble's members and their weights."""
        if not recipe.members:
            (params,) = self.params.values()
            return with_setting(recipe, params)
        members = {name: with_setting(recipe.members[model_of(name)], params) for name, params in self.params.items()}
        return replace(recipe, members=members, weights=self.weights)

    def best_params(self) -> dict[str, dict[str, Any]]:
        """Parameters of the trial with the largest weight of each model that won."""
        by_weight = sorted(self.params, key=lambda name: self.weights[name])
        return {model_of(name): self.params[name] for name in by_weight}


def model_of(name: str) -> str:
    """The model of a trial that won, by its name in a `SearchResult`."""
    return name.partition(":")[0]


def run_search(
    spaces: Mapping[str, Space],
    rows: SearchRows,
    scorer: Scorer,
    method: str,
    budget: Budget,
    advance: Callable,
    storage: str | None = None,
    study: str = "",
    average: Average | None = None,
) -> SearchResult:
    """Search for the parameters with the best mean of the metric over the folds.

    Parameters
    ----------
    spaces : mapping of str to Space
        By model: one, or several for the method "auto".
    rows : SearchRows
    scorer : Scorer
    method : {"grid_search", "random_search", "bayesian", "halving", "auto"}
    budget : Budget
    advance : callable
        Takes the number of finished proposals, that of all, and a line about them.
    storage : str, optional
        Address of a database that keeps the trials.
    study : str
        Stands for all that decides the trials; a search goes on with the trials of this name in the storage.
    average : Average, optional
        Of trials, for the method "auto".

    Returns
    -------
    SearchResult
    """
    start = time.perf_counter()
    candidates = prepare_candidates({name: space.recipe for name, space in spaces.items()}, rows)
    preparation_s = time.perf_counter() - start
    has_an_end = budget.fit_s is not None
    if has_an_end:
        budget = replace(budget, timeout_s=budget.timeout_s - preparation_s)
    how = make_method(method, spaces, scorer.metric, budget.n_iter, budget.max_concurrent_trials)
    distributions = {name: space.of_every_parameter(how.is_grid) for name, space in spaces.items()}
    recipe = next(iter(spaces.values())).recipe
    store = Memory() if storage is None else Storage(storage, study, distributions, is_loss(scorer.metric))

    def tell(trials: list[Trial]) -> None:
        done, in_all, line = _progress(trials, how.n_proposals, scorer.metric, len(spaces) > 1)
        if in_all == MOST_TRIALS and budget.timeout_s:
            in_all = round(budget.timeout_s)
            done = min(in_all, round(time.perf_counter() - start))
        advance(done, in_all, line)

    with folder_of(storage, study) as folder:
        kept = Predictions(folder, [len(held_out) for _, held_out in rows.folds])
        history = Search(how, candidates, scorer, recipe.n_threads, budget, kept).run(store, tell)
        trials = history.trials
        fit_s = budget.timeout_s + preparation_s - (time.perf_counter() - start) if has_an_end else None
        weights, value = (
            _weights(history, recipe, scorer, average, fit_s) if average else ({best_trial(trials).model: 1.0}, None)
        )
    facts = summary(trials, distributions, len(rows.folds), preparation_s, recipe.random_state)
    facts |= {"method": method, "is_complete": _n_proposals(trials) == how.n_proposals}
    facts |= {"weights": weights, "weighted_value": value} if average else {}
    notes = _notes(trials, method, scorer.metric, len(rows.folds), how.n_proposals, budget)
    by_name = (
        {_name(trial): trial for trial in whole_trials(trials)} if average else {best_trial(trials).model: best_trial(trials)}
    )
    params = {name: by_name[name].params for name in weights}
    return SearchResult(params, weights, table(trials), facts, notes)


def _n_proposals(trials: Sequence[Trial]) -> int:
    return len({trial.proposal for trial in trials})


def _progress(trials: Sequence[Trial], n_proposals: int, metric: str, is_of_several: bool) -> tuple[int, int, str]:
    """How many proposals are finished, of how many, and a line about them."""
    best, n_dropped = best_trial(trials), sum(trial.state == "PRUNED" for trial in trials)
    which = f" ({best.model})" if best and is_of_several else ""
    line = f"best {metric} {figure(best.value)}{which}, {n_dropped} dropped" if best else ""
    return _n_proposals(trials), n_proposals, line


def _notes(trials: Sequence[Trial], method: str, metric: str, n_folds: int, n_proposals: int, budget: Budget) -> list[str]:
    n_trials = "1 trial" if len(trials) == 1 else f"{len(trials)} trials"
    notes = [
        f"{n_trials} of {method}: best {metric} {figure(best_trial(trials).value)} on {n_folds} folds of train. "
        "The search chose it, so it is too good; so is cross-validation on the same rows. Test is not."
    ]
    if (n_done := _n_proposals(trials)) < n_proposals:
        of = f" of {n_proposals}" if n_proposals < MOST_TRIALS else ""
        notes.append(
            f"The search ended with {n_done}{of} settings: the last {budget.n_iter_no_change} were no better than the best "
            "before."
            if gains_no_more(trials, budget.n_iter_no_change)
            else f"The search stopped after {max(0, budget.timeout_s):.0f} s with {n_done}{of} "
            f"{'setting' if n_done == 1 and not of else 'settings'} tried: another machine tries others."
        )
    return notes


def _name(trial: Trial) -> str:
    return f"{trial.model}:{trial.number}"


def fit_seconds(trials: Sequence[Trial], n_folds: int) -> float:
    """Seconds in which models with the parameters of trials are fitted on all rows: a fold has fewer."""
    return sum(trial.seconds / (n_folds - 1) for trial in trials)


def _weights(
    history: SearchHistory, recipe: Recipe, scorer: Scorer, average: Average, fit_s: float | None
) -> tuple[dict[str, float], float]:
    """Weights of trials in an average of their predictions for held-out rows, and its metric.

    The average is taken even where its metric is below that of the best trial: a maximum over trials is too good. Where the fit
    must end in `fit_s`, there are as few members as that takes.
    """
    whole = {_name(trial): trial for trial in whole_trials(history.trials)}
    folds = next(iter(history.candidates.values())).folds
    stacked = {name: history.stacked(trial) for name, trial in whole.items()}
    y_true = np.concatenate([fold.y_held_out for fold in folds])
    weight = np.concatenate([fold.units.weight for fold in folds]) if recipe.weight_column else None
    n_members, weights, latency = average.n_members, {}, _latency(history, whole, average.max_latency_ratio, y_true)
    most_s = np.inf if fit_s is None else fit_s / average.n_fits
    while not weights or (n_members and fit_seconds([whole[one] for one in weights], len(folds)) > most_s):
        weights = greedy_weights(stacked, y_true, recipe.loss, average.n_picks, recipe.quantile, n_members, weight, latency)
        n_members = min(n_members, len(weights)) - 1
    means = [sum(share * history.predictions(whole[name])[i] for name, share in weights.items()) for i in range(len(folds))]
    return weights, float(np.mean([value_on(recipe, scorer, fold, mean) for fold, mean in zip(folds, means, strict=True)]))


def _latency(history: SearchHistory, whole: Mapping[str, Trial], ratio: float | None, y) -> Latency | None:
    """The bound of an average's time to score, of trials by name; None if there is none."""
    if ratio is None:
        return None
    recipes = {name: history.candidates[trial.model].recipe for name, trial in whole.items()}
    best_first = sorted(whole, key=lambda name: whole[name].score, reverse=True)
    of_model = {}
    for name, trial in whole.items():
        n_rounds = float(np.mean(trial.best_iterations)) if trial.best_iterations else None
        params, n_classes = {**recipes[name].params, **trial.params}, n_classes_of(recipes[name].task, y)
        of_model[name] = comparisons(recipes[name].estimator, params, n_rounds, n_classes, len(y))
    return Latency.within(ratio, of_model, reference_of(recipes, best_first))
