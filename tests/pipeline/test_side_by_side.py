"""Folds that are fitted in processes of their own give the numbers of one after the other."""

from __future__ import annotations

import multiprocessing
import os

import numpy as np
import pandas as pd
import pytest

import bank_models
from bank_models.errors import ConfigError, DataError, TrainingError
from bank_models.pipeline.fit import side_by_side
from bank_models.pipeline.fit.folds import score_folds

OF_CLOCK = ["fit_time", "score_time"]
QUICK = "cv.n_folds=4", "cv.n_repeats=1", "n_threads=2"


@pytest.fixture
def is_worth_it(monkeypatch):
    monkeypatch.setattr(side_by_side, "WORTH_S", 0.0)


class Fold:
    """A scorer of folds that does something else, and says where it was done."""

    def __init__(self, does):
        self.does, self.recipe = does, RECIPE

    def __call__(self, number: int, *_) -> dict:
        return {"fold": number, "process": os.getpid(), "found": self.does(number)}


class Recipe:
    """As far as processes look at one."""

    n_threads, members = 2, {}


RECIPE = Recipe()
FOLDS = [(number, None, None) for number in range(1, 7)]


def twice(number: int) -> int:
    return 2 * number


def refuse_the_fifth(number: int) -> int:
    if number == 5:
        raise DataError("The fifth fold has no rows.")
    return number


def end_elsewhere(number: int) -> int:
    if multiprocessing.parent_process():
        os._exit(3)
    return number


@pytest.fixture
def beside(is_worth_it, monkeypatch):
    monkeypatch.setattr(side_by_side, "n_beside", lambda score: 2)
    monkeypatch.setattr(side_by_side, "_with_threads", lambda recipe, n_threads: recipe)
    monkeypatch.setattr(side_by_side, "replace", lambda score, recipe: score)
    return lambda does: sorted(side_by_side.scored(Fold(does), FOLDS))


@pytest.mark.parametrize("model", ["logistic_regression", "xgboost", "random_forest", "ensemble"])
def test_folds_side_by_side_give_the_table_of_one_after_the_other(is_worth_it, monkeypatch, model):
    small = ["model.params.n_folds=2", "model.members.binary=[xgboost,random_forest]"] if model == "ensemble" else []
    config = bank_models.load_config("use_case=credit_scoring", f"model={model}", *QUICK, *small)
    table = bank_models.load_table(config)
    train, recipe = bank_models.split(table, config).split.train, bank_models.make_recipe(config, table)
    found = score_folds(config, recipe, table, train, 1, lambda: None)
    monkeypatch.setattr(side_by_side, "n_beside", lambda score: 1)
    expected = score_folds(config, recipe, table, train, 1, lambda: None)
    pd.testing.assert_frame_equal(found.drop(columns=OF_CLOCK), expected.drop(columns=OF_CLOCK), check_exact=True)


def test_folds_are_fitted_here_and_elsewhere_and_keep_their_places(beside):
    rows = [row for _, row in beside(twice)]
    assert [row["found"] for row in rows] == [2, 4, 6, 8, 10, 12]
    assert rows[0]["process"] == os.getpid()
    assert len({row["process"] for row in rows}) == 2


def test_what_a_fold_raises_is_raised_here(beside):
    with pytest.raises(DataError, match=r"^The fifth fold has no rows\.$"):
        beside(refuse_the_fifth)


def test_a_process_that_ends_is_told_of(beside):
    with pytest.raises(TrainingError, match=r"ended with exit code 3; .*\nType n_threads=1 to fit one fold after the other"):
        beside(end_elsewhere)


@pytest.mark.parametrize("error", [ConfigError("Set TMPDIR to a shorter one"), TrainingError("No further process")])
def test_where_no_process_can_be_started_all_folds_are_fitted_here_and_that_is_said(beside, monkeypatch, caplog, error):
    def refuse(*_):
        raise error

    monkeypatch.setattr(side_by_side, "ProcessPool", refuse)
    with caplog.at_level("INFO"):
        rows = [row for _, row in beside(twice)]
    assert [row["found"] for row in rows] == [2, 4, 6, 8, 10, 12]
    assert {row["process"] for row in rows} == {os.getpid()}
    assert caplog.messages == [f"Folds are fitted one after the other, with the same numbers. {error}"]


def test_folds_that_take_no_time_are_fitted_here(monkeypatch):
    monkeypatch.setattr(side_by_side, "n_beside", None)
    assert {row["process"] for _, row in side_by_side.scored(Fold(twice), FOLDS)} == {os.getpid()}


@pytest.mark.parametrize(
    ("n_threads", "n_rows", "expected"), [(1, 100, 1), (2, 100, 2), (8, 100, 8), (8, 10_000, 8), (8, 30_000, 4)]
)
def test_as_many_folds_are_fitted_at_once_as_the_threads_are_enough_for(n_threads, n_rows, expected):
    config = bank_models.load_config("use_case=credit_scoring", "model=xgboost", f"n_threads={min(n_threads, 2)}")
    table = bank_models.load_table(config)
    rows = np.resize(np.arange(len(table.frame)), n_rows)
    recipe = side_by_side.replace(bank_models.make_recipe(config, table), n_threads=n_threads)
    score = side_by_side.FoldScorer(recipe, table.view(rows), table.y[rows], [], False)
    assert side_by_side.n_beside(score) == expected
