from dataclasses import replace

import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import log_loss
from test_fit import FIT, FRAME, NEW, STOP, Y, recipe

from bank_models.models.latency import comparisons
from bank_models.training.ensemble import (
    EnsembleRecipe,
    Latency,
    find_weights,
    greedy_weights,
    inner_folds,
    mean_loss,
    out_of_fold,
)
from bank_models.training.fit import fit

RNG = np.random.default_rng(0)
MEMBERS = {"xgboost": recipe("xgboost"), "lightgbm": recipe("lightgbm")}
ALONE = replace(
    recipe("xgboost"), estimator="EnsembleClassifier", params={"n_folds": 3, "n_picks": 10, "n_members": 10}, patience=None
)
ENSEMBLE = EnsembleRecipe.of(ALONE, MEMBERS)


def test_the_weights_of_a_case_worked_by_hand():
    y = np.array([0.0, 2.0])
    predictions = {"low": np.array([-1.0, 1.0]), "high": np.array([1.0, 3.0]), "wild": np.array([9.0, -9.0])}
    weights = greedy_weights(predictions, y, "rmse", n_picks=7)
    assert weights == {"low": 0.5, "high": 0.5}  # their mean is exact: later picks could only spoil it


def test_of_equally_good_models_one_that_is_in_the_average_already_is_picked():
    y = np.array([0.0, 2.0])
    predictions = {"twin": np.array([-1.0, 1.0]), "low": np.array([-1.0, 1.0]), "high": np.array([1.5, 3.5])}
    assert set(greedy_weights(predictions, y, "rmse", n_picks=7)) == {"twin", "high"}


@pytest.mark.parametrize("n_members", [1, 2, 3])
def test_an_average_has_no_more_members_than_it_may(n_members):
    y = RNG.normal(size=200)
    predictions = {name: y + RNG.normal(size=200) for name in "abcdef"}
    weights = greedy_weights(predictions, y, "rmse", n_picks=30, n_members=n_members)
    assert len(weights) == n_members
    free = greedy_weights(predictions, y, "rmse", n_picks=30)
    assert len(free) > 3


def test_the_losses_of_classes_are_those_of_scikit_learn():
    y, score = RNG.integers(0, 2, 300), RNG.random(300)
    score[:2] = 0, 1  # as sure as can be
    assert mean_loss("log_loss", y, score) == pytest.approx(log_loss(y, score), rel=1e-12)
    y, score = RNG.integers(0, 4, 300), RNG.dirichlet(np.ones(4), 300)
    assert mean_loss("multiclass_log_loss", y, score) == pytest.approx(log_loss(y, score, labels=range(4)), rel=1e-12)


def test_the_weighted_mean_is_no_worse_than_any_member_on_the_rows_that_chose_it():
    y = RNG.integers(0, 2, 500)
    predictions = {
        name: np.clip(0.5 + k * (y - 0.5) + 0.2 * RNG.normal(size=500), 0.01, 0.99) for k, name in enumerate("abc", 1)
    }
    weights = greedy_weights(predictions, y, "log_loss", n_picks=20)
    mean = sum(weight * predictions[name] for name, weight in weights.items())
    assert sum(weights.values()) == pytest.approx(1)
    assert log_loss(y, mean) <= min(log_loss(y, score) for score in predictions.values())


def test_out_of_fold_scores_are_those_of_models_that_never_saw_the_row():
    frame, y = FRAME.iloc[FIT], Y[FIT]
    folds = inner_folds(ENSEMBLE, frame, y, 3)
    changed = y.copy()
    changed[folds[0][1]] = 1 - changed[folds[0][1]]
    n_first = len(folds[0][1])
    before, after = (out_of_fold(MEMBERS["lightgbm"], frame, labels, folds)[0] for labels in (y, changed))
    np.testing.assert_array_equal(before[:n_first], after[:n_first])
    assert (before[n_first:] != after[n_first:]).any()


def test_a_fitted_ensemble_is_the_weighted_mean_of_its_members_fitted_alone():
    fitted = ENSEMBLE.fit(FRAME.iloc[FIT], Y[FIT], FRAME.iloc[STOP], Y[STOP])
    alone = {name: fit(member, FRAME.iloc[FIT], Y[FIT], FRAME.iloc[STOP], Y[STOP]).model for name, member in MEMBERS.items()}
    expected = sum(w * alone[name].predict_proba(FRAME.iloc[NEW]).astype(float) for name, w in fitted.model.weights.items())
    np.testing.assert_array_equal(fitted.model.predict_proba(FRAME.iloc[NEW]), expected)
    assert set(fitted.history.member) == set(fitted.model.weights)


def test_in_time_order_the_folds_of_an_ensemble_are_scored_on_newer_rows():
    frame = FRAME.assign(day=RNG.permutation(len(FRAME)).astype("datetime64[D]"))
    for train, held_out in inner_folds(replace(ENSEMBLE, order_column="day"), frame, Y, 4):
        assert frame.day.iloc[train].max() < frame.day.iloc[held_out].min()


def test_groups_stay_together_in_the_folds_of_an_ensemble():
    frame = FRAME.assign(company=RNG.integers(0, 60, len(FRAME)))
    for train, held_out in inner_folds(replace(ENSEMBLE, group_column="company"), frame, Y, 4):
        assert not set(frame.company.iloc[train]) & set(frame.company.iloc[held_out])


def test_comparisons_are_those_that_the_trees_make():
    X, y = np.random.default_rng(0).random((400, 3)), np.arange(400) % 2
    forest = RandomForestClassifier(5, max_depth=3, random_state=0).fit(X, y)
    counted = np.mean([tree.decision_path(X).sum(axis=1).mean() - 1 for tree in forest.estimators_]) * 5
    told = comparisons("RandomForestClassifier", {"n_estimators": 5, "max_depth": 3}, None, 2, 400)
    assert told == 15
    assert 0.8 * told < counted <= told
    boosted = {"n_estimators": 500, "max_depth": 4}
    assert comparisons("XGBClassifier", boosted, 120.0, 2, 400) == 480
    assert comparisons("XGBClassifier", boosted, 120.0, 3, 400) == 3 * 480
    assert comparisons("LGBMRegressor", {"num_leaves": 8, "max_depth": -1, "n_estimators": 10}, None, 1, 400) == 30
    assert comparisons("RandomForestRegressor", {"n_estimators": 2, "max_depth": None}, None, 1, 1024) == 20
    assert comparisons("LogisticRegression", {"C": 1.0}, None, 2, 400) == 0


@pytest.mark.parametrize("ratio", [0.1, 1.0, 2.5, 100.0])
def test_an_average_takes_no_longer_to_score_than_it_may(ratio):
    y = RNG.normal(size=200)
    predictions = {name: y + RNG.normal(size=200) for name in "abcdef"}
    of_model = dict(zip("abcdef", (100.0, 80.0, 120.0, 300.0, 50.0, 0.0), strict=True))
    weights = greedy_weights(predictions, y, "rmse", 30, latency=Latency.within(ratio, of_model, "a"))
    assert sum(of_model[name] for name in weights) <= 100 * ratio
    if ratio == 100:
        assert weights == greedy_weights(predictions, y, "rmse", 30)


def test_where_every_model_is_too_slow_the_quickest_is_alone():
    y = RNG.normal(size=200)
    predictions = {name: y + RNG.normal(size=200) for name in "abc"}
    weights = greedy_weights(predictions, y, "rmse", 30, latency=Latency({"a": 9.0, "b": 5.0, "c": 7.0}, 1.0))
    assert weights == {"b": 1.0}


def test_an_ensemble_keeps_the_bound_of_its_settings():
    frame, y = FRAME.iloc[FIT], Y[FIT]
    free = find_weights(ENSEMBLE, frame, y)
    tight = replace(ENSEMBLE, params={**ENSEMBLE.params, "max_latency_ratio": 1e-6})
    assert len(find_weights(tight, frame, y)) == 1
    wide = replace(ENSEMBLE, params={**ENSEMBLE.params, "max_latency_ratio": 1e6})
    assert find_weights(wide, frame, y) == free
