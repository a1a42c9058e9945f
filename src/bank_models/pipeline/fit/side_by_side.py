"""Folds side by side: in processes of their own, where one fit is too small for all cores."""

from __future__ import annotations

import logging
import multiprocessing
import time
from collections.abc import Iterator
from dataclasses import replace

from bank_models.data.view import as_frame
from bank_models.errors import TrainingError
from bank_models.files import folders
from bank_models.runtime.device import threads_for
from bank_models.runtime.process_pool import ProcessPool, warm_up
from bank_models.training.cross_validation import FoldScorer
from bank_models.training.fit import Recipe

WORTH_S = 5.0  # seconds that processes must promise to save: they need two to start
ENDED = (
    "A process that fitted folds ended with {}; where memory is too small the system ends one with SIGKILL.\n"
    "Type n_threads=1 to fit one fold after the other, or choose fewer folds with cv.n_folds=…"
)
ALONE = "Folds are fitted one after the other, with the same numbers. {}"
log = logging.getLogger(__name__)


def scored(score: FoldScorer, folds: list[tuple]) -> Iterator[tuple[int, dict]]:
    """Score a recipe on folds, in any order; the numbers are those of one after the other.

    The first fold tells how long the others would take. This process goes on to fit folds beside the others.

    Parameters
    ----------
    score : FoldScorer
    folds : list of tuple
        Number, positions of the rows that are fitted, and of those that are scored.

    Yields
    ------
    place, row : int, dict

    Raises
    ------
    TrainingError
        If a process ends.
    """
    start = time.perf_counter()
    yield 0, score(*folds[0])
    others = dict(enumerate(folds[1:], start=1))
    alone_s = (time.perf_counter() - start) * len(others)
    at_once = min(n_beside(score), len(others)) if alone_s > WORTH_S else 1
    if at_once < 2 or alone_s * (1 - 1 / at_once) < WORTH_S:
        yield from ((place, score(*fold)) for place, fold in others.items())
        return
    n_threads = score.recipe.n_threads // at_once
    beside = replace(score, recipe=_with_threads(score.recipe, n_threads))
    with folders.scratch("folds-") as folder:
        try:
            warm_up()
            pool = ProcessPool(beside, n_threads, at_once - 1, folder)
        except TrainingError as error:
            log.info(ALONE.format(str(error).splitlines()[0]))
            yield from ((place, score(*fold)) for place, fold in others.items())
            return
        try:
            yield from _shared(beside, others, pool)
        finally:
            pool.close()


def n_beside(score: FoldScorer) -> int:
    """Fits that the threads of a recipe are enough for at once, each with as many threads as it would have alone."""
    recipe, n_rows = score.recipe, len(score.y)
    is_elsewhere = recipe.device != "cpu" or recipe.n_shards is not None or multiprocessing.current_process().daemon
    if is_elsewhere or threads_for(len(recipe.features) * n_rows, recipe.n_threads) == recipe.n_threads:
        return 1
    frame = as_frame(score.frame)
    widths = [
        one.make_features().fit(frame, one.to_learn(score.y)).transform(frame.iloc[:1]).shape[1]
        for one in (recipe.members or {"": recipe}).values()
    ]
    return recipe.n_threads // threads_for(max(widths) * n_rows, recipe.n_threads)


def _shared(score: FoldScorer, folds: dict[int, tuple], pool: ProcessPool) -> Iterator[tuple[int, dict]]:
    """Score folds here and in other processes, each as soon as somebody is free."""
    left = list(folds.items())
    while left or pool.is_busy():
        while left and pool.is_free():
            pool.submit(*left.pop(0))
        if left:
            place, fold = left.pop(0)
            yield place, score(*fold)
        while pool.is_busy() and (found := pool.next_answer(0 if left else None)):
            place, answer = found
            if answer.end:
                raise TrainingError(ENDED.format(answer.end))
            if answer.error:
                raise answer.error
            yield place, answer.value


def _with_threads(recipe: Recipe, n_threads: int) -> Recipe:
    members = {name: replace(member, n_threads=n_threads) for name, member in recipe.members.items()}
    return replace(recipe, n_threads=n_threads, **({"members": members} if members else {}))
