"""Tuning step of a run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import yaml

from src.config.checks import CONF
from src.data.hashing import frame_sha256
from src.files import writing
from src.pipeline.fit.folds import draw
from src.runs.fingerprint import code_sha256, fingerprint
from src.training.ensemble import inner_folds
from src.tuning.folds import SearchRows
from src.tuning.search import Budget
from src.tuning.space import Space, distributions
from src.tuning.tune import Average, SearchResult, run_search

if TYPE_CHECKING:
    from src.config.schema import TrainingConfig
    from src.data.table import Table
    from src.metrics.scorer import Scorer
    from src.training.fit import Recipe


def tune(
    config: TrainingConfig, recipe: Recipe, table: Table, train: np.ndarray, scorer: Scorer, advance: Callable
) -> SearchResult:
    """Search for parameters by cross-validation on the train rows; of several models with `tuning=auto`."""
    tuning, settings = config.tuning, config.model_dump(mode="json", exclude={"save_tuned"})
    for name in ("n_workers", "timeout_s", "storage", *(["n_iter"] if tuning.n_iter_only_ends else [])):
        del settings["tuning"][name]  # what does not change a trial
    if config.cv.method != "none":
        folds, is_ordered, groups = draw(config.cv, table, train, recipe.task, tuning.cv)
    else:  # as the parts were cut
        frame, y = table.rows(train)
        folds, is_ordered = inner_folds(recipe, frame, y, tuning.cv), recipe.order_column is not None
        groups = table.groups[train] if recipe.group_column else None
    models = config.members if tuning.method == "auto" else {config.model.name: config.model}
    recipes = recipe.members if tuning.method == "auto" else {config.model.name: recipe}
    spaces = {
        name: Space(recipes[name], model.grid, distributions(model.search_space), model.starting_points)
        for name, model in models.items()
    }
    rows = SearchRows(*table.rows(train), folds, is_ordered, groups, table.periods(train), table.units(train))
    budget = Budget(tuning.n_iter, tuning.max_concurrent_trials, tuning.n_workers, tuning.timeout_s)
    study = fingerprint(settings, code_sha256(), rows=frame_sha256(table.frame))
    params = config.model.params
    average = Average(params["n_picks"], params["n_members"]) if tuning.method == "auto" else None
    return run_search(spaces, rows, scorer, tuning.method, budget, advance, tuning.storage, study, average)


def save_tuned(use_case: str, model: str, params: Mapping[str, Any]) -> Path:
    """Keep found parameters where later runs of the pair take them from; gives the file."""
    path = CONF / "tuned" / f"{use_case}_{model}.yaml"
    path.parent.mkdir(exist_ok=True)
    writing.replace_text(path, yaml.safe_dump(dict(params)))
    return path
