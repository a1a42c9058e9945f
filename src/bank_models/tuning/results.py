"""Results of a search: best parameters, their importance, saved work."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from bank_models.tuning.search import best_trial
from bank_models.tuning.storage import Trial, quiet_optuna

FEWEST_FOR_IMPORTANCE = 10


def summary(
    trials: Sequence[Trial], distributions: Mapping[str, Mapping[str, Any]], n_folds: int, preparation_s: float, seed: int
) -> dict[str, Any]:
    """What a run's metadata says of its search.

    Parameters
    ----------
    trials : sequence of Trial
    distributions : mapping of str to mapping of str to optuna distribution
        Of every parameter that a trial may have, by model.
    n_folds : int
    preparation_s : float
        Seconds that drawing, preprocessing and transforming the folds took, once.
    seed : int

    Returns
    -------
    dict
        Counts of trials by state, the best of them, `importance` of each parameter of its model (None where trials are too
        few), and estimates of the seconds that giving up trials, long fits that answer for shorter ones, and folds that were
        prepared once have saved.
    """
    best = best_trial(trials)
    states = [trial.state for trial in trials]
    return {
        "n_trials": len(trials),
        "n_dropped": states.count("PRUNED"),
        "n_failed": states.count("FAIL"),
        "best_trial": best.number,
        "best_value": best.value,
        "best_params": best.params,
        "best_model": best.model,
        "importance": importance([trial for trial in trials if trial.model == best.model], distributions[best.model], seed),
        "seconds": round(sum({trial.proposal: trial.seconds for trial in trials}.values()), 3),
        "saved_seconds": {
            "by_dropping": round(_saved_by_dropping(trials, n_folds), 3),
            "by_long_fits": round(_saved_by_long_fits(trials), 3),
            "by_shared_folds": round(_saved_by_folds(trials, n_folds, preparation_s), 3),
        },
    }


def importance(trials: Sequence[Trial], distributions: Mapping[str, Any], seed: int) -> dict[str, float] | None:
    """How much each parameter tells of the metric, in [0, 1], summing to 1; of trials on all rows that saw all folds.

    By the mean decrease of impurity in a forest that predicts the metric. (The functional analysis of variance that Optuna
    2.10 also has cannot read the trees of today's scikit-learn.)
    """
    whole = [trial for trial in trials if trial.state == "COMPLETE" and trial.share >= 1]
    varied = [name for name in distributions if len({trial.params.get(name) for trial in whole}) > 1]
    if len(whole) < FEWEST_FOR_IMPORTANCE or not varied or np.ptp([trial.value for trial in whole]) == 0:
        return None
    optuna = quiet_optuna()
    from optuna.importance import MeanDecreaseImpurityImportanceEvaluator, get_param_importances
    from optuna.trial import TrialState, create_trial

    study = optuna.create_study()
    for trial in whole:
        params = {name: trial.params[name] for name in varied}
        of_trial = {name: distributions[name] for name in varied}
        study.add_trial(create_trial(state=TrialState.COMPLETE, params=params, distributions=of_trial, value=trial.value))
    found = get_param_importances(study, evaluator=MeanDecreaseImpurityImportanceEvaluator(seed=seed), params=varied)
    return {name: float(value) for name, value in found.items()}


def _saved_by_dropping(trials: Sequence[Trial], n_folds: int) -> float:
    return sum(trial.seconds / trial.dropped_at * (n_folds - trial.dropped_at) for trial in trials if trial.dropped_at)


def _saved_by_long_fits(trials: Sequence[Trial]) -> float:
    """A fit of the longest length took so long; the shorter ones would each have taken their share of it."""
    saved = 0.0
    for place in {trial.proposal for trial in trials}:
        together = [trial for trial in trials if trial.proposal == place]
        lengths = [value for trial in together for name, value in trial.params.items() if name not in trial.setting]
        saved += together[0].seconds * (sum(lengths) / max(lengths) - 1) if lengths else 0.0
    return saved


def _saved_by_folds(trials: Sequence[Trial], n_folds: int, preparation_s: float) -> float:
    n_fits = sum(len(trial.fold_values) for trial in trials)
    return preparation_s * max(0.0, n_fits / n_folds - 1)
