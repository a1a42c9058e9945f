"""A budget of time for the whole command, and what a search does with it."""

from dataclasses import replace

import numpy as np
import pytest
from test_tuning import SEVERAL, case, search  # noqa: F401

from bank_models import load_config
from bank_models.config.compose import implied
from bank_models.config.members import note_on_optional
from bank_models.config.schema import seconds_of
from bank_models.errors import ConfigError
from bank_models.models.early_stopping import Patience
from bank_models.training.recipe import make_recipe
from bank_models.tuning.fold_fits import with_setting
from bank_models.tuning.folds import SearchRows, prepare_candidates, prepare_folds
from bank_models.tuning.search import MOST_TRIALS
from bank_models.tuning.tune import Average


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        (["budget=60s"], ["tuning=auto", "model=ensemble"]),
        (["tuning=auto"], ["model=ensemble"]),
        (["tuning=auto", "model=ensemble"], []),
        (["budget=60s", "tuning=auto", "model=ensemble"], []),
        (["budget=null"], []),
        (["tuning=bayesian"], []),
        ([], []),
    ],
)
def test_one_word_is_enough_for_a_person_who_knows_his_time_only(typed, meant):
    assert implied(typed) == meant


def test_a_budget_alone_is_a_search_of_several_models():
    settings = load_config("use_case=credit_scoring", "budget=10min")
    assert (settings.model.name, settings.tuning.method) == ("ensemble", "auto")
    known = {"logistic_regression", "lightgbm", "xgboost", "random_forest"}
    assert known <= set(settings.members) <= known | {"catboost"}


def test_an_optional_member_is_there_if_it_is_installed_and_its_absence_is_said(monkeypatch):
    def members(*typed):
        settings = load_config("use_case=credit_scoring", "model=ensemble", *typed)
        return list(settings.members), note_on_optional(settings.model, "binary", settings.members)

    both = "model.members.binary=[lightgbm,optional catboost]"
    monkeypatch.setattr("bank_models.config.members.is_installed", lambda estimator: True)
    assert members(both) == (["lightgbm", "catboost"], [])
    monkeypatch.setattr("bank_models.config.members.is_installed", lambda estimator: "CatBoost" not in estimator)
    advice = "The average has no catboost, which is not installed: make setup EXTRAS=catboost."
    assert members(both) == (["lightgbm"], [advice])
    with pytest.raises(ConfigError, match="catboos"):
        members("model.members.binary=[lightgbm,optional catboos]")


@pytest.mark.parametrize(("text", "seconds"), [("60s", 60), ("10min", 600), ("1.5h", 5400)])
def test_a_budget_is_a_number_with_its_unit(text, seconds):
    assert seconds_of(text) == seconds


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        (["budget=60"], "must be a time from 20 s to 48 h, such as 60s, 10min or 2h"),
        (
            ["use_case=segmentation", "budget=60s"],
            "budget=60s is for a search, which needs labels, but use_case=segmentation is",
        ),
        (["budget=1s"], "must be a time from 20 s to 48 h, such as 60s, 10min or 2h"),
        (["budget=an hour"], "such as 60s, 10min or 2h"),
        (["budget=60s", "tuning=bayesian"], "budget=60s is for tuning=auto, but tuning=bayesian"),
        (["budget=60s", "tuning.timeout_s=5"], "leave tuning.timeout_s=5 out"),
        (["budget=60s", "model=xgboost"], "Type model=ensemble tuning=auto"),
    ],
)
def test_a_budget_that_cannot_be_kept_is_refused(typed, said):
    with pytest.raises(ConfigError, match=said):
        load_config("use_case=credit_scoring", *typed)


def test_a_search_ends_with_its_time_and_says_that_the_clock_decided(case):  # noqa: F811
    found = search(case, **SEVERAL | {"n_iter": MOST_TRIALS}, timeout_s=1.0, fit_s=lambda trials: 0.0)
    assert 1 <= len(found.table) < MOST_TRIALS
    assert any("another machine tries others" in note for note in found.notes)
    assert not found.facts["is_complete"]


def test_members_that_take_longer_to_fit_than_there_is_time_are_left_out(case, monkeypatch):  # noqa: F811
    about = SEVERAL | {"models": ("lightgbm", "logistic_regression"), "n_iter": 14}
    free = search(case, "early_stopping=none", **about)
    assert len(free.weights) > 1
    wide = search(case, "early_stopping=none", **about, timeout_s=1e9, fit_s=lambda trials: 0.0)
    assert wide.weights == free.weights
    monkeypatch.setattr("bank_models.tuning.tune.fit_seconds", lambda trials, n_folds: 1e9 * len(trials))
    bound = search(case, "early_stopping=none", **about, timeout_s=1.5e9, fit_s=lambda trials: 0.0)
    assert len(bound.weights) == 1


def test_a_search_leaves_the_time_that_the_fit_of_its_winners_takes(case):  # noqa: F811
    told = []

    def fit_s(trials):
        told.append(len(trials))
        return 1e9 if len(trials) >= 3 else 0.0

    found = search(case, **SEVERAL | {"n_iter": MOST_TRIALS}, timeout_s=1e6, fit_s=fit_s)
    assert 3 <= len(found.table) <= 3 + 2  # those under way, at most, had finished as well
    assert max(told) >= 3


def test_a_search_ends_when_many_settings_in_a_row_bring_nothing(case):  # noqa: F811
    about = SEVERAL | {"n_iter": 40}
    found = search(case, **about, n_iter_no_change=3)
    best = found.table["number"][found.table["value"].idxmax()] if "number" in found.table else found.table["value"].idxmax()
    assert len(found.table) == best + 1 + 3 < 40
    assert any("the last 3 were no better than the best before" in note for note in found.notes)
    again = search(case, **about, n_iter_no_change=3, n_workers=2)
    assert list(again.table["value"]) == list(found.table["value"])


@pytest.mark.parametrize("model", ["xgboost", "lightgbm", "hist_gradient_boosting"])
def test_at_a_fifth_of_the_learning_rate_a_trial_may_train_five_times_as_long_and_waits_five_times_as_long(case, model):  # noqa: F811
    _, recipe, *_ = case(f"model={model}", "early_stopping=patience")
    length = "max_iter" if model == "hist_gradient_boosting" else "n_estimators"
    n_rounds = recipe.params[length]
    slow = with_setting(recipe, {"learning_rate": 0.01})
    assert slow.params == {**recipe.params, "learning_rate": 0.01, length: 5 * n_rounds}
    assert slow.patience == replace(recipe.patience, rounds=5 * recipe.patience.rounds)
    fast = with_setting(recipe, {"learning_rate": 0.2})
    assert (fast.params[length], fast.patience) == (n_rounds, recipe.patience)
    assert with_setting(recipe, {"learning_rate": 0.0001}).params[length] == 10_000
    given = with_setting(recipe, {"learning_rate": 0.01, length: 30})
    assert (given.params[length], given.patience) == (30, recipe.patience)


def test_without_early_stopping_a_trial_trains_as_long_as_it_was_told():
    settings = load_config("use_case=credit_scoring", "model=xgboost", "early_stopping=none")
    recipe = make_recipe(settings, settings.use_case.features)
    assert recipe.patience is None
    n_rounds = recipe.params["n_estimators"]
    assert with_setting(recipe, {"learning_rate": 0.01}).params["n_estimators"] == n_rounds
    patient = replace(recipe, patience=Patience(10, 0.0, True))
    assert with_setting(patient, {"learning_rate": 0.01}).params["n_estimators"] == 5 * n_rounds


def test_models_that_read_the_same_matrix_share_their_folds_and_others_do_not(case):  # noqa: F811
    recipes, rows = {}, None
    for model in ("xgboost", "lightgbm", "random_forest", "logistic_regression"):
        _, recipes[model], table, folds, _ = case(f"model={model}")
        rows = SearchRows(table.frame, table.y, folds)
    found = prepare_candidates(recipes, rows)
    assert found["xgboost"].folds is found["lightgbm"].folds
    assert len({id(one.folds) for one in found.values()}) == 3
    alone = prepare_folds(recipes["lightgbm"], rows)
    for shared, own in zip(found["lightgbm"].folds, alone, strict=True):
        np.testing.assert_array_equal(shared.X, own.X)
        assert shared.matrix == own.matrix


def test_a_search_whose_time_is_over_before_it_begins_tries_one_setting(case):  # noqa: F811
    found = search(case, **SEVERAL | {"n_iter": MOST_TRIALS}, timeout_s=-5.0, fit_s=lambda trials: 0.0)
    assert len(found.table) == 1
    assert sum(found.weights.values()) == pytest.approx(1)


def test_an_average_of_trials_keeps_the_bound_of_its_time_to_score(case):  # noqa: F811
    about = SEVERAL | {"models": ("random_forest", "xgboost"), "n_iter": 12}
    free = search(case, **about)
    bound = search(case, **about, average=Average(20, 4, max_latency_ratio=1e-9))
    assert len(bound.weights) == 1
    wide = search(case, **about, average=Average(20, 4, max_latency_ratio=1e9))
    assert wide.weights == free.weights
