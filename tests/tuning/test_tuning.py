"""Searches on real applications for credit: what is tried, that it is what scikit-learn would compute, and that it lasts."""

import functools
import json
import multiprocessing
import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from conftest import FEW_FOLDS, ROOT
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GridSearchCV, KFold, StratifiedKFold
from sklearn.pipeline import Pipeline

from bank_models import command_line, load_config, load_table
from bank_models.errors import ConfigError, IntegrityError, TrainingError
from bank_models.features.preprocessing import make_features
from bank_models.metrics.scorer import make_scorer
from bank_models.models.estimators import make_estimator
from bank_models.models.wrappers import predict_score
from bank_models.pipeline.fit.search import save_tuned
from bank_models.training.cross_validation import fit_fold
from bank_models.training.ensemble import EnsembleRecipe
from bank_models.training.fit import fit
from bank_models.training.recipe import make_recipe
from bank_models.tuning import workers
from bank_models.tuning.fold_fits import LENGTHS, fit_and_score
from bank_models.tuning.folds import Fold, SearchRows, prepare_folds
from bank_models.tuning.methods import GridSearch, Halving, MultiModelSearch, Proposal
from bank_models.tuning.search import Budget
from bank_models.tuning.space import Space, distributions
from bank_models.tuning.storage import Trial
from bank_models.tuning.trial import cannot_win
from bank_models.tuning.tune import Average, model_of, run_search

SEARCHED = {"learning_rate": (0.02, 0.3), "max_depth": (2, 6), "min_child_weight": (1.0, 20.0)}


@pytest.fixture(scope="module")
def case():
    """Recipe maker, table, folds and scorer of a use case, by its name and further overrides."""

    tables = {}

    @functools.cache
    def made(*overrides):
        settings = load_config("use_case=credit_scoring", "n_threads=1", *overrides)
        use_case = settings.use_case
        table = tables[use_case.key] = tables.get(use_case.key) or load_table(settings)
        recipe = make_recipe(settings, table.features)
        splitter = KFold if use_case.task == "regression" else StratifiedKFold
        folds = list(splitter(3, shuffle=True, random_state=0).split(table.frame, table.y))
        scorer = make_scorer(use_case.metric, use_case.task, table.y, use_case.classes, use_case.is_ordered)
        return settings, recipe, table, folds, scorer

    return made


def space_of(settings, recipe, names=None, grid=None):
    space = {name: settings.model.search_space[name] for name in names or settings.model.search_space}
    return Space(recipe, settings.model.grid if grid is None else grid, distributions(space), settings.model.starting_points)


def silent(*progress) -> None: ...


def search(
    case, *overrides, method="bayesian", n_iter=8, n_concurrent=4, storage=None, n_threads=1, models=("xgboost",), grid=None,
    advance=silent, average=None, **changes,
):  # fmt: skip
    spaces = {}
    for model in models:
        settings, recipe, table, folds, scorer = case(f"model={model}", *overrides)
        quick = {"n_estimators": 60} if "n_estimators" in recipe.params else {}
        recipe = replace(recipe, n_threads=n_threads, params={**recipe.params, **quick})
        spaces[model] = space_of(settings, recipe, SEARCHED if model == "xgboost" else None, grid)
    rows, budget = SearchRows(table.frame, table.y, folds), Budget(n_iter, n_concurrent, **changes)
    average = average or (Average(n_picks=20, n_members=4) if method == "auto" else None)
    return run_search(spaces, rows, scorer, method, budget, advance, storage, "study", average)


def same(first: pd.DataFrame, second: pd.DataFrame) -> bool:
    pd.testing.assert_frame_equal(first.drop(columns="seconds"), second.drop(columns="seconds"), check_exact=True)
    return True


def test_grid_search_finds_what_scikit_learn_finds_to_the_last_digit(case):
    grid = {
        "n_estimators": [20, 40], "max_depth": [2, 4], "learning_rate": [0.05, 0.2], "min_child_weight": [1, 3],
        "subsample": [0.8],
    }  # fmt: skip
    _, recipe, table, folds, _ = case("model=xgboost", "early_stopping=none")
    found = search(case, "early_stopping=none", method="grid_search", n_iter=None, grid=grid)
    features = make_features(recipe.features, **recipe.preprocessing, random_state=recipe.random_state)
    categories = ["c" if feature.type == "category" else "q" for feature in recipe.features.values()]
    names = list(features.fit(table.frame, table.y).get_feature_names_out())
    types = [categories[list(recipe.features).index(name)] for name in names]
    estimator = make_estimator("XGBClassifier", recipe.params, recipe.random_state, 1).set_params(feature_types=types)
    theirs = GridSearchCV(
        Pipeline([("features", features), ("model", estimator)]), {f"model__{name}": grid[name] for name in grid},
        scoring="roc_auc", cv=folds, refit=False,
    ).fit(table.frame, table.y)  # fmt: skip
    assert len(found.table) == len(theirs.cv_results_["params"]) == 16
    for params, *scores in zip(
        theirs.cv_results_["params"], *(theirs.cv_results_[f"split{i}_test_score"] for i in range(3)), strict=True
    ):
        point = {name.removeprefix("model__"): value for name, value in params.items()}
        mine = found.table.loc[np.logical_and.reduce([found.table[name] == value for name, value in point.items()])]
        assert mine[["fold_1", "fold_2", "fold_3"]].to_numpy()[0] == pytest.approx(scores, abs=1e-9)
    assert found.facts["best_value"] == pytest.approx(theirs.best_score_, abs=1e-9)
    assert found.facts["saved_seconds"]["by_long_fits"] > 0


IN_ROUNDS = [
    ("credit_scoring", "xgboost"), ("credit_scoring", "lightgbm"), ("credit_scoring", "hist_gradient_boosting"),
    ("credit_scoring", "gradient_boosting"), ("sentiment_analysis", "lightgbm"), ("sentiment_analysis", "xgboost"),
    ("clv_prediction", "xgboost"), ("clv_prediction", "lightgbm"),
    ("operational_risk", "xgboost"), ("operational_risk", "lightgbm"), ("operational_risk", "gradient_boosting"),
    ("credit_scoring", "catboost"), ("operational_risk", "catboost"),
]  # fmt: skip
WHOLE = [
    ("credit_scoring", "random_forest"), ("credit_scoring", "logistic_regression"), ("clv_prediction", "random_forest"),
    ("operational_risk", "random_forest"), ("operational_risk", "linear_regression"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("use_case", "model", "early_stopping"),
    [*((*pair, "patience") for pair in IN_ROUNDS), *((*pair, "none") for pair in [*IN_ROUNDS, *WHOLE])],
)
def test_a_trial_computes_what_cross_validation_computes_and_a_long_fit_holds_the_shorter_ones(
    case, use_case, model, early_stopping
):
    _, recipe, table, _, _ = case(f"use_case={use_case}", f"model={model}", f"early_stopping={early_stopping}")
    rows = np.random.default_rng(0).permutation(min(len(table.y), 1500))
    train, held_out = np.sort(rows[500:]), np.sort(rows[:500])
    length = LENGTHS.get(recipe.estimator)
    recipe = replace(recipe, params={**recipe.params, **({length: 40} if length else {})})
    fold = prepare_folds(recipe, SearchRows(table.frame, table.y, [(train, held_out)]))[0]
    scores, best_iteration = fit_and_score(recipe, fold)
    fitted = fit_fold(recipe, table.frame, table.y, train, False, None)
    assert best_iteration == fitted.best_iteration
    np.testing.assert_array_equal(scores[None], predict_score(fitted.model, table.frame.iloc[held_out], recipe.task))
    if early_stopping == "none" and length:
        scores, _ = fit_and_score(recipe, fold, (10, 40))
        for n, score in scores.items():
            short = replace(recipe, params={**recipe.params, length: n})
            model = fit_fold(short, table.frame, table.y, train, False, None).model
            expected = predict_score(model, table.frame.iloc[held_out], recipe.task)
            np.testing.assert_allclose(score, expected, rtol=1e-12)


def test_bins_and_preprocessing_of_a_fold_depend_on_its_training_rows_only(case):
    import lightgbm

    for model in ("xgboost", "lightgbm"):
        _, recipe, table, folds, _ = case(f"model={model}")
        train, held_out = folds[0]
        changed = table.frame.copy()
        numbers = [name for name, feature in recipe.features.items() if feature.type in ("int", "float")]
        changed.loc[changed.index[held_out], numbers] *= 3
        made = []
        for frame in (table.frame, changed):
            fold = prepare_folds(recipe, SearchRows(frame, table.y, [(train, held_out)]))[0]
            fit_and_score(recipe, fold)
            made.append(fold)
        np.testing.assert_array_equal(made[0].X, made[1].X)
        assert not np.array_equal(made[0].X_held_out, made[1].X_held_out, equal_nan=True)
        bins = [next(iter(fold.binned.values()))[0] for fold in made]
        if isinstance(bins[0], lightgbm.Dataset):
            edges = [[rows.feature_num_bin(i) for i in range(rows.num_feature())] for rows in bins]
        else:
            edges = [rows.get_quantile_cut()[1].tolist() for rows in bins]
        assert edges[0] == edges[1]


def test_a_search_is_the_same_with_one_process_and_with_two(case):
    alone, together = search(case, n_threads=1), search(case, n_threads=2)
    assert same(alone.table, together.table)
    assert alone.params == together.params
    assert same(alone.table, search(case, n_threads=2).table)


def test_the_model_comes_first_then_the_settings_that_are_known_to_be_good(case):
    settings, recipe, *_ = case("model=xgboost")
    n_points = len(settings.model.starting_points)
    tried = search(case, n_iter=n_points + 4).table
    assert tried.loc[0, list(SEARCHED)].tolist() == [recipe.params[name] for name in SEARCHED]
    for number, point in enumerate(settings.model.starting_points, start=1):
        assert tried.loc[number, list(SEARCHED)].tolist() == [point[name] for name in SEARCHED]
    drawn = tried[list(SEARCHED)].iloc[n_points + 1 :]
    assert len(drawn.drop_duplicates()) == 3
    for name in SEARCHED:
        space = settings.model.search_space[name]
        assert drawn[name].between(space.low, space.high).all()


@pytest.mark.parametrize("model", ["xgboost", "lightgbm"])
def test_without_early_stopping_a_search_finds_the_number_of_rounds_too(case, model):
    found = search(case, "early_stopping=none", models=[model])
    assert set(found.table["n_estimators"]) <= set(range(3, 31, 3))  # the first forty trials train at most half as long as 60
    assert found.params[model]["n_estimators"] in range(3, 31, 3)
    _, recipe, table, folds, _ = case(f"model={model}", "early_stopping=none")
    recipe = replace(recipe, params={**recipe.params, **found.params[model]})  # what was stopped equals what is that short
    values = found.table.loc[found.facts["best_trial"], ["fold_1", "fold_2", "fold_3"]]
    for (train, held_out), value in zip(folds, values, strict=True):
        fitted = fit(recipe, table.frame.iloc[train], table.y[train]).model
        score = predict_score(fitted, table.frame.iloc[held_out], "binary")
        assert value == pytest.approx(roc_auc_score(table.y[held_out], score), abs=1e-12)


@pytest.mark.parametrize("method", ["grid_search", "random_search", "bayesian", "halving"])
def test_a_search_goes_on_where_it_was_and_comes_to_the_same(case, tmp_path, method):
    grid = {"max_depth": [2, 3], "n_estimators": [10, 20], "learning_rate": [0.1, 0.2]}
    about = {"method": method, "n_iter": None if method == "grid_search" else 6, "grid": grid}
    whole = search(case, "early_stopping=none", **about)
    url, told = f"sqlite:///{tmp_path}/s.db", []

    def stop_early(done, n_all, said):
        told.append(done)
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        search(case, "early_stopping=none", storage=url, advance=stop_early, **about)
    again = search(case, "early_stopping=none", storage=url, advance=lambda done, *rest: told.append(done), **about)
    assert same(whole.table, again.table)
    assert told[:5] == [0, 1, 2, 3, 3]  # nothing was tried twice
    assert again.table.loc[0, "seconds"] == search(case, "early_stopping=none", storage=url, **about).table.loc[0, "seconds"]


SEVERAL = {"models": ("logistic_regression", "xgboost", "random_forest"), "method": "auto", "n_iter": 12}


def test_several_models_are_searched_together_and_averaged_if_that_is_better(case, tmp_path):
    found = search(case, "early_stopping=none", **SEVERAL)
    assert found.table["model"].tolist()[:3] == list(SEVERAL["models"])
    assert sum(found.weights.values()) == pytest.approx(1)
    assert found.facts["weighted_value"] >= found.facts["best_value"] > 0.75
    assert set(found.params) == set(found.weights)
    together = search(case, "early_stopping=none", n_threads=2, storage=f"sqlite:///{tmp_path}/s.db", **SEVERAL)
    assert same(found.table, together.table)
    assert found.weights == together.weights
    again = search(case, "early_stopping=none", storage=f"sqlite:///{tmp_path}/s.db", **SEVERAL)
    assert same(again.table, together.table)  # from the storage
    assert again.weights == together.weights


def test_an_average_may_have_several_trials_of_a_model_and_no_more_members_than_it_may(case):
    found = search(case, "early_stopping=none", **SEVERAL | {"models": ("lightgbm", "logistic_regression"), "n_iter": 14})
    numbers = {int(name.partition(":")[2]) for name in found.weights}
    assert len({model_of(name) for name in found.weights}) < len(found.weights) <= 4
    assert set(found.table.loc[sorted(numbers), "state"]) == {"COMPLETE"}
    recipes = {model: case(f"model={model}")[1] for model in ("lightgbm", "logistic_regression")}
    ensemble = EnsembleRecipe.of(replace(recipes["lightgbm"], estimator="EnsembleClassifier"), recipes)
    members = found.applied_to(ensemble).members
    for name, member in members.items():
        assert member.estimator == recipes[model_of(name)].estimator
        assert found.params[name].items() <= member.params.items()
    assert set(found.best_params()) == {model_of(name) for name in found.weights}


def test_a_search_that_goes_on_takes_kept_predictions_only_if_they_come_to_the_metric_of_their_trial(case, tmp_path):
    about = SEVERAL | {"models": ("xgboost", "random_forest"), "n_iter": 6}
    first = search(case, "early_stopping=none", storage=f"sqlite:///{tmp_path}/s.db", **about)
    kept = sorted((tmp_path / "s.db.predictions").rglob("*.npy"))
    assert len(kept) == (first.table["state"] == "COMPLETE").sum()
    written = [path.stat().st_mtime_ns for path in kept]
    assert search(case, "early_stopping=none", storage=f"sqlite:///{tmp_path}/s.db", **about).weights == first.weights
    assert [path.stat().st_mtime_ns for path in kept] == written  # nothing was fitted again
    np.save(kept[0], np.load(kept[0])[::-1])
    kept[1].write_bytes(b"not an array")
    assert search(case, "early_stopping=none", storage=f"sqlite:///{tmp_path}/s.db", **about).weights == first.weights
    assert [path.stat().st_mtime_ns == time for path, time in zip(kept, written, strict=True)][:3] == [False, False, True]


def test_an_ensemble_is_made_of_what_was_found(train, tmp_path):
    members = "model.members.binary=[logistic_regression,lightgbm]"
    result = train(
        "use_case=credit_scoring", "model=ensemble", members, "tuning=auto", "tuning.n_iter=8", "tuning.storage=null", "cv=none"
    )
    assert result.returncode == 0, result.stderr
    facts = json.loads((tmp_path / "run/metadata.json").read_text())
    assert facts["ensemble_weights"] == facts["tuning"]["weights"]
    assert set(facts["params"]) == set(facts["tuning"]["weights"])
    assert json.loads((tmp_path / "run/metrics.json").read_text())["test_roc_auc"] > 0.7


def test_n_iter_is_a_total(case, tmp_path):
    url = f"sqlite:///{tmp_path}/s.db"
    search(case, n_iter=5, storage=url)
    assert same(search(case, n_iter=8, storage=url).table, search(case, n_iter=8).table)


def _search_in_a_process(case, url):
    os.setpgrp()
    search(case, storage=url, n_iter=20, n_concurrent=3)


def test_a_search_that_is_killed_ten_times_ends_with_the_same_trials(case, tmp_path):
    url, rng = f"sqlite:///{tmp_path}/s.db", np.random.default_rng(0)
    context = multiprocessing.get_context("fork")
    killed = 0
    while killed < 10:
        process = context.Process(target=_search_in_a_process, args=(case, url))
        process.start()
        process.join(rng.uniform(0.3, 1.2))
        if process.exitcode is not None:
            assert process.exitcode == 0
            break
        os.kill(process.pid, signal.SIGKILL)
        process.join()
        killed += 1
    assert killed >= 3
    assert same(search(case, n_iter=20, n_concurrent=3, storage=url).table, search(case, n_iter=20, n_concurrent=3).table)


def test_of_permuted_labels_a_search_learns_nothing_that_test_rows_confirm(case):
    _, recipe, table, _, scorer = case("model=xgboost")
    rng = np.random.default_rng(1)
    y, rows = rng.permutation(table.y), rng.permutation(len(table.y))
    train, test = np.sort(rows[:600]), np.sort(rows[600:])
    frame = table.frame.iloc[train]
    folds = list(StratifiedKFold(3, shuffle=True, random_state=0).split(frame, y[train]))
    settings = case("model=xgboost")[0]
    found = run_search(
        {"xgboost": space_of(settings, recipe)}, SearchRows(frame, y[train], folds), scorer, "bayesian",
        Budget(n_iter=15, max_concurrent_trials=4, n_workers=1), silent,
    )  # fmt: skip
    assert found.facts["best_value"] > 0.5  # the best of several scores of nothing
    model = fit(replace(recipe, params={**recipe.params, **found.params["xgboost"]}), frame, y[train], frame, y[train]).model
    auc = roc_auc_score(y[test], predict_score(model, table.frame.iloc[test], "binary"))
    n_bad, n_good = y[test].sum(), (1 - y[test]).sum()
    assert abs(auc - 0.5) < 1.96 * np.sqrt((n_bad + n_good + 1) / (12 * n_bad * n_good))  # of the rank-sum statistic


def test_a_trial_that_cannot_win_is_given_up_and_one_that_might_is_not():
    # after one of three folds the gain over all three is spread by 2/3 sqrt(s² (1/2 + 1)) = 0.8165 s
    assert cannot_win([-0.0135], [0.01**2], 3)
    assert not cannot_win([-0.0133], [0.01**2], 3)
    assert not cannot_win([0.001], [0.01**2], 3)
    # after two: 1/3 sqrt(s² (1 + 1/2)) = 0.4082 s
    assert cannot_win([-0.0068, -0.0068], [0.01**2] * 2, 3)
    assert not cannot_win([-0.0066, -0.0066], [0.01**2] * 2, 3)


def test_hardly_one_in_twenty_winners_is_given_up():
    rng = np.random.default_rng(0)
    for spread_of_settings, n_least in ((0.005, 0.03), (0.05, 0.3)):
        gains = rng.normal(0.0, 0.01, (20_000, 3)) + rng.normal(0, spread_of_settings, (20_000, 1))
        wins = gains.mean(axis=1) > 0
        dropped = np.array([cannot_win(list(gain[:1]), [0.01**2], 3) for gain in gains])
        assert dropped.mean() > n_least
        assert (dropped & wins).sum() / wins.sum() < 0.05


def test_dropped_trials_are_marked_and_the_winner_saw_every_fold(case):
    found = search(case, n_iter=20, n_concurrent=1)
    table = found.table
    assert found.facts["n_dropped"] > 0
    assert (table["state"].eq("PRUNED") == table["dropped_at"].notna()).all()
    assert table.loc[table["state"] == "COMPLETE", ["fold_1", "fold_2", "fold_3"]].notna().all().all()
    assert found.facts["best_value"] == table.loc[table["state"] == "COMPLETE", "value"].max()


def a_trial(number: int, score: float, model: str = "m") -> Trial:
    return Trial(number, number, model, {"x": number}, {"x": number}, 1.0, "COMPLETE", score, score, [score], [], None, 0.0)


class Numbers:
    """A sampler that proposes its place."""

    n_proposals, lengths = 9, ()

    def __init__(self, model="m"):
        self.model = model

    def propose(self, number, told):
        assert all(trial.model == self.model for trial in told)
        return Proposal(self.model, {"x": number})


def test_halving_keeps_the_best_third_and_trebles_the_rows():
    halving = Halving(Numbers())
    assert (halving.sizes, halving.n_proposals) == ([9, 3], 12)
    assert [halving.known_to(number) for number in (0, 8, 9, 11)] == [0, 0, 9, 9]
    assert halving.propose(4, []).share == pytest.approx(1 / 3)
    told = [a_trial(number, score) for number, score in enumerate([3, 9, 1, 7, 2, 8, 0, 5, 4])]
    assert [halving.propose(number, told).params["x"] for number in (9, 10, 11)] == [1, 5, 3]
    assert halving.propose(9, told).share == 1


def test_of_several_models_the_better_ones_are_tried_more_often():
    several = MultiModelSearch({name: Numbers(name) for name in "abc"}, 21, n_pending=2)
    scores, told, made = {"a": 0.1, "b": 0.9, "c": 0.5}, [], []
    for number in range(21):
        made.append(several.propose(number, told[: several.known_to(number)]))
        told.append(a_trial(number, scores[made[-1].model], made[-1].model))
    counts = {name: sum(one.model == name for one in made) for name in "abc"}
    assert counts == {"b": 12, "c": 6, "a": 3}  # 4 : 2 : 1
    assert [one.params["x"] for one in made if one.model == "b"] == list(range(12))
    again = MultiModelSearch({name: Numbers(name) for name in "abc"}, 21, n_pending=2)
    again.remember([one.model for one in made[:10]])
    assert [again.propose(number, told[: again.known_to(number)]) for number in range(10, 21)] == made[10:]


def test_points_of_a_grid_that_differ_in_length_share_a_fit():
    grid = GridSearch("m", {"n_estimators": [100, 200], "max_depth": [2, 3]}, "n_estimators", None, 0)
    assert [(one.params, one.lengths) for one in grid.proposals] == [
        ({"max_depth": 2}, (100, 200)),
        ({"max_depth": 3}, (100, 200)),
    ]
    drawn = GridSearch("m", {"x": list(range(100))}, None, 10, seed=1).proposals
    assert len({one.params["x"] for one in drawn}) == 10


def test_a_process_that_dies_is_one_failed_trial():
    with workers.workers({}, None, n_threads=1, n_workers=2) as pool:
        pool.submit(0, (Proposal("no such model", {}), None, False))
        number, outcome = pool.next_finished()
        assert (number, outcome.reason.split(":")[0]) == (0, "KeyError")  # a trial of these is an error, and no more
        for process in pool._processes.values():
            os.kill(process.pid, signal.SIGKILL)
        pool.submit(1, (Proposal("no such model", {}), None, False))
        number, outcome = pool.next_finished()
        assert (number, outcome.reason) == (1, "its process ended with signal SIGKILL")
        assert pool.is_free()


def test_a_search_whose_trials_all_fail_says_why(case):
    _, recipe, table, folds, scorer = case("model=logistic_regression")
    settings = case("model=logistic_regression")[0]
    rows, budget = SearchRows(table.frame, table.y, folds), Budget(None, max_concurrent_trials=4, n_workers=1)
    space = space_of(settings, recipe, grid={"penalty": ["elasticnet"], "solver": ["liblinear", "lbfgs"]})
    with pytest.raises(TrainingError, match=r"All 2 trials failed\. The first: ConfigError: model\.params\.solver=liblinear"):
        run_search({"logistic_regression": space}, rows, scorer, "grid_search", budget, silent)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["tuning=auto"], "tuning=auto does not go with model=logistic_regression"),
        (["model=ensemble", "tuning=bayesian"], "tuning=bayesian does not go with model=ensemble"),
        (["use_case=segmentation", "tuning=bayesian"], "tuning=bayesian needs labels, but use_case=segmentation is clustering"),
        (["model=dummy", "tuning=bayesian"], "model=dummy has nothing to tune"),
        (["tuning.n_iter=5"], "tuning.n_iter is for a search: choose tuning="),
        (["save_tuned=true"], "save_tuned is for a search"),
        (["tuning=bayesian", "tuning.n_iter=null"], "tuning=bayesian needs tuning.cv, tuning.max"),
        (["model=xgboost", "tuning=grid_search", "model.grid.max_depth=[3,x]"], "model.grid.max_depth tries x, which"),
        (["tuning=bayesian", "tuning.storage=postgresql://me:secret@host/db"], "tuning.storage is saved as typed, so no"),
        (["tuning=bayesian", "tuning.storage=/folder/s.db"], "tuning.storage=/folder/s.db is not an address"),
        (["model=linear_regression", "use_case=clv_prediction", "tuning=grid_search", "+model.grid.normalize=[true,false]"],
         "normalize belongs to preprocessing"),
    ],
)  # fmt: skip
def test_a_search_that_cannot_work_is_refused(compose, overrides, message):
    with pytest.raises(ConfigError) as refusal:
        compose(*overrides)
    assert message in str(refusal.value)


def test_a_search_that_ends_before_a_trial_saw_all_rows_says_so(case):
    with pytest.raises(TrainingError, match=r"The search ended before a trial had seen all rows \(\d+ trials\)"):
        search(case, method="halving", n_iter=9, timeout_s=1e-9)


@pytest.mark.parametrize(("written", "said"), [("NaN", "a score that is not a number"), ("0.99", "a score of 0.99, and its")])
def test_a_trial_whose_score_was_changed_in_the_database_is_refused(case, tmp_path, written, said):
    search(case, storage=f"sqlite:///{tmp_path}/s.db", n_iter=2)
    with sqlite3.connect(tmp_path / "s.db") as database:
        database.execute(f"UPDATE trial_user_attributes SET value_json = '{written}' WHERE key = 'score'")
    with pytest.raises(IntegrityError, match=said):
        search(case, storage=f"sqlite:///{tmp_path}/s.db", n_iter=2)


def test_a_finished_search_starts_no_process(case, tmp_path, monkeypatch):
    url = f"sqlite:///{tmp_path}/s.db"
    first = search(case, storage=url)
    monkeypatch.setattr(workers.InProcessPool, "submit", None)
    assert same(search(case, storage=url).table, first.table)


@pytest.mark.parametrize("is_class", [True, False])
def test_a_share_of_the_rows_keeps_classes_in_proportion_and_numbers_as_they_come(is_class):
    y = np.repeat([0, 1, 2], [300, 30, 1]) if is_class else np.arange(331)
    fold = Fold(np.arange(331)[:, None], y, None, None, None, None, is_class)
    some = fold.share(1 / 3, seed=0)
    assert np.bincount(some.y).tolist() == [100, 10, 1] if is_class else len(some.y) == 110
    assert (np.diff(some.X[:, 0]) > 0).all()
    assert fold.share(1 / 3, seed=0) is some
    assert fold.share(1.0, seed=0) is fold


@pytest.mark.parametrize("url", ["sqlite:////proc/nowhere/s.db", "nosuchdialect://host/db"])
def test_a_storage_that_cannot_be_opened_is_a_users_error(case, url):
    with pytest.raises(ConfigError, match=f"tuning.storage={url} cannot be opened: "):
        search(case, storage=url)


def test_an_interrupted_search_leaves_nothing_but_its_trials_and_says_how_to_go_on(tmp_path):
    command = [sys.executable, "-m", "src.train", "use_case=account_opening", "model=xgboost", "tuning=bayesian"]
    command += ["early_stopping=none", f"tuning.storage=sqlite:///{tmp_path}/s.db", f"hydra.run.dir={tmp_path}/run/x"]
    command += ["n_threads=2", "tuning.n_workers=2", "registry=none", "tracking=none"]
    with tempfile.TemporaryDirectory() as scratch:  # a folder of tmp_path can be too long for a socket
        env = os.environ | {"TMPDIR": scratch}
        process = subprocess.Popen(command, cwd=ROOT, env=env, stderr=subprocess.PIPE, text=True, start_new_session=True)
        deadline = time.monotonic() + 100
        while not list(Path(scratch).glob("folds-*/work.joblib")):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        time.sleep(2)
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does
        _, said = process.communicate(timeout=60)
        assert process.returncode == 130
        assert said.splitlines()[-2:] == [command_line.INTERRUPTED, command_line.TRIALS_ARE_KEPT]
        assert "Traceback" not in said
        assert not list(Path(scratch).glob("folds-*"))
        assert not (tmp_path / "run").exists()


def test_a_temporary_folder_that_is_too_long_for_sockets_is_refused(python, tmp_path):
    scratch = tmp_path / ("s" * 100)
    scratch.mkdir()
    chosen = ["use_case=credit_scoring", "model=xgboost", "tuning=bayesian", "n_threads=2", f"hydra.run.dir={tmp_path}/run"]
    done = python("-m", "src.train", *chosen, env={"TMPDIR": str(scratch)})
    assert done.returncode == 2
    assert "Set TMPDIR to a shorter one" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_command_line_tunes_saves_and_takes_up_what_was_found(train, tmp_path):
    chosen = ["use_case=credit_scoring", "model=xgboost", *FEW_FOLDS, "tuning=bayesian", "tuning.n_iter=6"]
    chosen.append(f"tuning.storage=sqlite:///{tmp_path}/s.db")
    first = train(*chosen, "tuning.n_workers=1", "n_threads=2")
    assert first.returncode == 0, first.stderr
    model, trials = (tmp_path / "run/model.skops").read_bytes(), pd.read_csv(tmp_path / "run/trials.csv")
    facts = json.loads((tmp_path / "run/metadata.json").read_text())
    assert facts["tuning"]["n_trials"] == len(trials) == 6
    assert "6 trials of bayesian: best roc_auc" in first.stderr
    best = trials.loc[facts["tuning"]["best_trial"]]
    assert {name: facts["params"][name] for name in SEARCHED} == {name: best[name] for name in SEARCHED}
    chosen[-1] = "tuning.storage=null"
    assert train(*chosen, "tuning.n_workers=2", "n_threads=2").returncode == 0
    assert (tmp_path / "run/model.skops").read_bytes() == model
    assert same(pd.read_csv(tmp_path / "run/trials.csv"), trials)
    written = save_tuned(tmp_path, "credit_scoring", "xgboost", facts["tuning"]["best_params"])
    assert written == tmp_path / "tuned/credit_scoring_xgboost.yaml"
    assert yaml.safe_load(written.read_text()) == facts["tuning"]["best_params"]
    taken_up = load_config("use_case=credit_scoring", "model=xgboost", config_dir=tmp_path).model.params
    assert facts["tuning"]["best_params"].items() <= taken_up.items()
