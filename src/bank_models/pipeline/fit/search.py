"""Tuning step of a run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import yaml

from bank_models.data.hashing import frame_sha256
from bank_models.files import writing
from bank_models.pipeline.fit.folds import draw
from bank_models.runs.fingerprint import code_sha256, fingerprint
from bank_models.runtime import memory
from bank_models.training.ensemble import inner_folds
from bank_models.training.recipe import cluster_of
from bank_models.tuning.folds import SearchRows
from bank_models.tuning.search import MOST_TRIALS, Budget, whole_trials
from bank_models.tuning.space import Space, distributions
from bank_models.tuning.tune import Average, SearchResult, fit_seconds, run_search

if TYPE_CHECKING:
    from bank_models.config.schema import TrainingConfig
    from bank_models.data.table import Table
    from bank_models.metrics.scorer import Scorer
    from bank_models.training.fit import Recipe
    from bank_models.tuning.storage import Trial


NOT_VALIDATED = "Not cross-validated after the search: budget={} is for the search and the fit."
NOT_OF_TRIALS = {"budget", "launcher", "memory_budget", "n_shards", "refit", "save_tuned"}
N_TO_FIT = 5  # members that the average of a search usually has
MOST_FOR_FIT = 0.3  # of the seconds that a search and the fit have together


def tune(
    config: TrainingConfig,
    recipe: Recipe,
    table: Table,
    train: np.ndarray,
    scorer: Scorer,
    advance: Callable,
    left_s: float | None = None,
) -> SearchResult:
    """Search for parameters by cross-validation on the train rows; of several models with `tuning=auto`.

    `left_s` are the seconds that the search and the fit may take together, where the whole command has a budget.
    """
    tuning, settings = config.tuning, config.model_dump(mode="json", exclude=NOT_OF_TRIALS)
    for name in ("n_workers", "timeout_s", "storage", "n_iter_no_change", *(["n_iter"] if tuning.n_iter_only_ends else [])):
        del settings["tuning"][name]  # what does not change a trial
    if config.cv.method != "none":
        folds, is_ordered, groups = draw(config.cv, table, train, recipe.task, tuning.cv)
    else:  # as the parts were cut
        frame, y = table.rows(train)
        folds, is_ordered = inner_folds(recipe, frame, y, tuning.cv), recipe.order_column is not None
        groups = table.groups[train] if recipe.group_column else None
    advice = "Choose tuning=none, or fewer rows."
    memory.check_rows_at_once(f"tuning={tuning.method}", len(train), len(table.features), advice)
    models = config.members if tuning.method == "auto" else {config.model.name: config.model}
    recipes = recipe.members if tuning.method == "auto" else {config.model.name: recipe}
    spaces = {
        name: Space(recipes[name], model.grid, distributions(model.search_space), model.starting_points)
        for name, model in models.items()
    }
    rows = SearchRows(*table.rows(train), folds, is_ordered, groups, table.periods(train), table.units(train))
    budget = Budget(
        tuning.n_iter,
        tuning.max_concurrent_trials,
        tuning.n_workers,
        tuning.timeout_s,
        n_iter_no_change=tuning.n_iter_no_change,
        cluster=cluster_of(config),
    )
    n_fits = {"none": 1, "train_val": 2, "all": 3}[config.refit]
    if left_s is not None:
        fit_s = partial(_fit_seconds, n_folds=len(folds), n_fits=n_fits, at_most=left_s * MOST_FOR_FIT)
        budget = replace(budget, n_iter=MOST_TRIALS, timeout_s=left_s, fit_s=fit_s)
    study = fingerprint(settings, code_sha256(), rows=frame_sha256(table.frame))
    params = config.model.params
    average = None
    if tuning.method == "auto":
        average = Average(params["n_picks"], params["n_members"], n_fits, params["max_latency_ratio"])
    found = run_search(spaces, rows, scorer, tuning.method, budget, advance, tuning.storage, study, average)
    return found if left_s is None else replace(found, notes=[*found.notes, NOT_VALIDATED.format(config.budget)])


def _fit_seconds(trials: list[Trial], n_folds: int, n_fits: int, at_most: float) -> float:
    """Seconds to set aside for the fit of the average: those of the members that it would usually have by now."""
    best = sorted(whole_trials(trials), key=lambda trial: trial.score, reverse=True)[:N_TO_FIT]
    return min(at_most, n_fits * fit_seconds(best, n_folds))


def save_tuned(conf: Path, use_case: str, model: str, params: Mapping[str, Any]) -> Path:
    """Keep found parameters in a folder of configuration, where later runs of the pair take them from; gives the file."""
    path = conf / "tuned" / f"{use_case}_{model}.yaml"
    path.parent.mkdir(exist_ok=True)
    writing.replace_text(path, yaml.safe_dump(dict(params)))
    return path
