"""Cross-validation of a run."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from bank_models.data.weights import check_folds
from bank_models.errors import DataError
from bank_models.pipeline.fit.side_by_side import scored
from bank_models.training.cross_validation import FoldScorer, draw_folds, fold_columns, make_splitter
from bank_models.training.recipe import scoring_of

if TYPE_CHECKING:
    from bank_models.config.schema import CrossValidation, TrainingConfig
    from bank_models.data.table import Table
    from bank_models.training.fit import Recipe


def score_folds(
    config: TrainingConfig, recipe: Recipe, table: Table, train: np.ndarray, n_repeats: int, advance: Callable[[], None]
) -> pd.DataFrame:
    """Cross-validate on the train part, as a table with a row for each fold of each repeat; empty for `cv=none`."""
    scoring = scoring_of(config)
    if config.cv.method == "none":
        return pd.DataFrame(columns=fold_columns(scoring))
    drawn = draw_repeats(config.cv, table, train, recipe.task, n_repeats)
    about = [(repeat, *fold) for repeat, (folds, *_) in enumerate(drawn, start=1) for fold in enumerate(folds, start=1)]
    _, is_ordered, groups = drawn[0]
    score = FoldScorer(recipe, table.view(train), table.y[train], scoring, is_ordered, groups, table.periods(train))
    rows: list[dict] = [{}] * len(about)
    for place, row in scored(score, [(number, *fold) for _, number, fold in about]):
        rows[place] = {"repeat": about[place][0], **row} if n_repeats > 1 else row
        advance()
    return pd.DataFrame(rows)


def draw_repeats(cv: CrossValidation, table: Table, train: np.ndarray, task: str, n_repeats: int) -> list[tuple]:
    """Folds of each repeat, see `draw`; of small tables, which are repeated unasked, as many as hold every class."""
    if n_repeats == 1:
        return [draw(cv, table, train, task)]
    state, found = np.random.RandomState(cv.random_state), []
    for _ in range(n_repeats):
        try:
            found.append(draw(cv, table, train, task, random_state=state))
        except DataError:
            if cv.n_repeats or not found:
                raise
    return found


def draw(
    cv: CrossValidation, table: Table, train: np.ndarray, task: str, n_folds: int | None = None, random_state=None
) -> tuple:
    """Folds of the train part, whether they keep the order of time, and the groups that they keep together."""
    times = table.times[train] if cv.method == "time_series" else None
    groups = table.groups[train] if "group" in cv.method else None
    splitter = make_splitter(cv.method, n_folds or cv.n_folds, cv.shuffle, random_state or cv.random_state)
    folds = draw_folds(splitter, table.y[train], task, times, groups, table.contents[train], table.horizon)
    check_folds(folds, table.y[train], table.weights(train), task)
    return folds, times is not None, groups
