"""Tuning step of a run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
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
from bank_models.tuning.folds import SearchRows
from bank_models.tuning.search import MOST_TRIALS, Budget
from bank_models.tuning.space import Space, distributions
from bank_models.tuning.tune import Average, SearchResult, run_search

if TYPE_CHECKING:
    from bank_models.config.schema import TrainingConfig
    from bank_models.data.table import Table
    from bank_models.metrics.scorer import Scorer
    from bank_models.training.fit import Recipe


NOT_VALIDATED = "Not cross-validated after the search: budget={} is for the search and the fit."
FOR_TRIALS, FOR_FIT = 0.55, 0.2  # of what is left of a budget; the rest is for the evaluation and the files


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

    `left_s` are the seconds left of a budget for the whole command.
    """
    tuning, settings = config.tuning, config.model_dump(mode="json", exclude={"budget", "memory_budget", "save_tuned"})
    for name in ("n_workers", "timeout_s", "storage", *(["n_iter"] if tuning.n_iter_only_ends else [])):
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
    n_iter, timeout_s = tuning.n_iter, tuning.timeout_s
    if left_s is not None:
        n_iter, timeout_s = MOST_TRIALS, max(1.0, left_s * FOR_TRIALS)
    budget = Budget(n_iter, tuning.max_concurrent_trials, tuning.n_workers, timeout_s, leaves_trials=left_s is not None)
    study = fingerprint(settings, code_sha256(), rows=frame_sha256(table.frame))
    params = config.model.params
    fit_s = None if left_s is None else left_s * FOR_FIT
    average = Average(params["n_picks"], params["n_members"], fit_s) if tuning.method == "auto" else None
    found = run_search(spaces, rows, scorer, tuning.method, budget, advance, tuning.storage, study, average)
    return found if left_s is None else replace(found, notes=[*found.notes, NOT_VALIDATED.format(config.budget)])


def save_tuned(conf: Path, use_case: str, model: str, params: Mapping[str, Any]) -> Path:
    """Keep found parameters in a folder of configuration, where later runs of the pair take them from; gives the file."""
    path = conf / "tuned" / f"{use_case}_{model}.yaml"
    path.parent.mkdir(exist_ok=True)
    writing.replace_text(path, yaml.safe_dump(dict(params)))
    return path
