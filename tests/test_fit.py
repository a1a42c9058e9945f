from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import log_loss

from src.cross_validation import cross_validate, draw_folds, inner_split, make_splitter, mean_interval, summarise
from src.errors import DataError
from src.fit import Recipe, fit, with_threshold
from src.rounds import Patience
from src.use_case import Feature

BOOSTERS = {
    "xgboost": ("XGBClassifier", {"n_estimators": 300, "learning_rate": 0.2, "max_depth": 4, "subsample": 0.8}),
    "lightgbm": ("LGBMClassifier", {"n_estimators": 300, "learning_rate": 0.2, "num_leaves": 15}),
}
FEATURES = {
    "income": Feature(type="float", monotone=1),
    "age": Feature(type="float"),
    "region": Feature(type="category"),
}
RNG = np.random.default_rng(0)
N = 3000
FRAME = pd.DataFrame(
    {
        "income": RNG.normal(size=N).astype("float32"),
        "age": np.where(RNG.random(N) < 0.1, np.nan, RNG.normal(size=N)).astype("float32"),
        "region": pd.Categorical(RNG.choice(["north", "south", "east"], N)),
    }
)
LOGIT = FRAME.income + FRAME.age.fillna(0) ** 2 + (FRAME.region == "north") - 1
Y = (RNG.random(N) < 1 / (1 + np.exp(-LOGIT))).astype(np.int8).to_numpy()
FIT, STOP, NEW = np.arange(2000), np.arange(2000, 2500), np.arange(2500, 3000)
PATIENCE = Patience(rounds=10, min_delta=0.0, restore_best_weights=True)


def recipe(model: str, patience=PATIENCE, is_monotone=False, **params) -> Recipe:
    estimator, defaults = BOOSTERS[model]
    return Recipe(
        estimator=estimator, params=defaults | params, features=FEATURES, imputer=None, scaler=None, encoder="native",
        is_monotone=is_monotone, patience=patience, random_state=42, n_threads=2,
    )  # fmt: skip


def fit_on(rows, a_recipe, **kwargs):
    return fit(a_recipe, FRAME.iloc[rows], Y[rows], FRAME.iloc[STOP], Y[STOP], **kwargs)


@pytest.mark.parametrize("model", BOOSTERS)
def test_an_early_stopped_model_equals_one_trained_for_exactly_the_best_number_of_rounds(model):
    stopped = fit_on(FIT, recipe(model))
    assert 1 < stopped.best_iteration < 290
    exact = fit(recipe(model, patience=None, n_estimators=stopped.best_iteration), FRAME.iloc[FIT], Y[FIT])
    assert stopped.model.predict_proba(FRAME).tobytes() == exact.model.predict_proba(FRAME).tobytes()


@pytest.mark.parametrize("model", BOOSTERS)
def test_the_restored_round_is_the_one_with_the_least_loss_and_training_stopped_patience_later(model):
    fitted = fit_on(FIT, recipe(model))
    assert fitted.best_iteration == fitted.history["round"][fitted.history.val_loss.idxmin()]
    assert len(fitted.history) == fitted.best_iteration + PATIENCE.rounds


@pytest.mark.parametrize("model", BOOSTERS)
def test_without_restoring_the_model_keeps_every_round_it_was_trained_for(model):
    kept = fit_on(FIT, recipe(model, patience=replace(PATIENCE, restore_best_weights=False)))
    exact = fit(recipe(model, patience=None, n_estimators=len(kept.history)), FRAME.iloc[FIT], Y[FIT])
    np.testing.assert_array_equal(kept.model.predict_proba(FRAME), exact.model.predict_proba(FRAME))


@pytest.mark.parametrize("model", BOOSTERS)
def test_min_delta_stops_sooner(model):
    patient = fit_on(FIT, recipe(model)).best_iteration
    assert fit_on(FIT, recipe(model, patience=replace(PATIENCE, min_delta=0.005))).best_iteration < patient


@pytest.mark.parametrize("model", BOOSTERS)
def test_the_history_is_the_log_loss_of_the_model_after_each_round(model):
    fitted = fit_on(FIT, recipe(model), with_train_loss=True)
    last = fitted.history.iloc[fitted.best_iteration - 1]
    for loss, rows in (("train_loss", FIT), ("val_loss", STOP)):
        assert last[loss] == pytest.approx(log_loss(Y[rows], fitted.model.predict_proba(FRAME.iloc[rows])), rel=1e-5)
    assert set(fitted.history.learning_rate) == {0.2}


@pytest.mark.parametrize("model", BOOSTERS)
def test_the_threads_do_not_change_the_model(model):
    one, two = (fit_on(FIT, replace(recipe(model), n_threads=n)).model.predict_proba(FRAME) for n in (1, 2))
    assert one.tobytes() == two.tobytes()


@pytest.mark.parametrize("model", BOOSTERS)
def test_a_declared_direction_holds_for_every_row(model):
    fitted = fit_on(FIT, recipe(model, is_monotone=True))
    grid = np.linspace(-3, 3, 30)
    curves = np.column_stack([fitted.model.predict_proba(FRAME.iloc[NEW].assign(income=v))[:, 1] for v in grid])
    assert (np.diff(curves, axis=1) >= 0).all()


def test_the_threshold_moves_decisions_and_leaves_probabilities_alone():
    model = fit_on(FIT, recipe("lightgbm")).model
    decided = with_threshold(model, 0.3)
    score = model.predict_proba(FRAME)
    np.testing.assert_array_equal(decided.predict_proba(FRAME), score)
    np.testing.assert_array_equal(decided.predict(FRAME), score[:, 1] >= 0.3)


def folds_of(method="stratified_kfold", n_folds=4, times=None):
    splitter = make_splitter(method, n_folds, method == "stratified_kfold", 42 if method == "stratified_kfold" else None)
    return draw_folds(splitter, Y, times)


def test_a_fold_stops_on_a_part_of_its_own_training_rows():
    for train, test in folds_of():
        inner, stop = inner_split(train, Y, is_ordered=False, random_state=42)
        assert set(inner) | set(stop) == set(train)
        assert not set(inner) & set(stop)
        assert not set(stop) & set(test)


def test_the_labels_of_the_scoring_fold_do_not_reach_its_model():
    folds = folds_of()[:1]
    flipped = Y.copy()
    flipped[folds[0][1]] = 1 - flipped[folds[0][1]]
    one, other = (next(cross_validate(recipe("xgboost"), FRAME, y, folds, ["roc_auc"], False)) for y in (Y, flipped))
    assert one["best_iteration"] == other["best_iteration"]
    assert one["train_roc_auc"] == other["train_roc_auc"]
    assert one["test_roc_auc"] == pytest.approx(1 - other["test_roc_auc"])


def test_folds_in_time_order_train_on_the_past_only():
    times = np.datetime64("2025-01-01", "s") + RNG.permutation(N) * np.timedelta64(1, "h")
    for train, test in folds_of("time_series", times=times):
        assert times[train].max() < times[test].min()
        inner, stop = inner_split(train, Y, is_ordered=True, random_state=42)
        assert times[inner].max() < times[stop].min()


def test_cross_validation_equals_scikit_learns_where_nothing_stops_early():
    from sklearn.model_selection import cross_validate as reference

    scoring = ["accuracy", "precision", "recall", "f1", "roc_auc"]
    plain = recipe("lightgbm", patience=None, n_estimators=30)
    ours = pd.DataFrame(cross_validate(plain, FRAME, Y, folds_of(), scoring, False))
    X = FRAME.assign(region=FRAME.region.cat.codes).astype("float32").to_numpy()
    estimator = fit(plain, FRAME, Y).model.named_steps["estimator"]
    theirs = reference(
        estimator, X, Y, cv=folds_of(), scoring=scoring, return_train_score=True, params={"categorical_feature": [2]}
    )
    for part in ("train", "test"):
        for name in scoring:
            np.testing.assert_allclose(ours[f"{part}_{name}"], theirs[f"{part}_{name}"], atol=1e-12)
    summary = summarise(ours, scoring, "roc_auc")
    assert summary["cv_std"] == pytest.approx(theirs["test_accuracy"].std())
    assert summary["cv_roc_auc"] == pytest.approx(theirs["test_roc_auc"].mean())


def test_the_interval_of_a_mean_over_folds_of_a_case_worked_by_hand():
    low, high = mean_interval([0.7, 0.8], [100, 100], [50, 50])
    half = 12.706 * np.sqrt(0.005 * (1 / 2 + 1 / 2))  # t(0.975, 1) and the sample variance 0.005
    assert (low, high) == pytest.approx((0.75 - half, 0.75 + half), abs=1e-4)


def test_a_class_with_fewer_members_than_folds_is_refused_with_a_number_that_works():
    with pytest.raises(DataError, match=r"Class 1 has 3 training rows, fewer than the 5 folds.\n.*cv.n_folds=3"):
        draw_folds(make_splitter("stratified_kfold", 5, True, 42), np.array([1] * 3 + [0] * 97))


def test_a_time_fold_without_positives_is_refused():
    y = np.array([0] * 50 + [1] * 50)
    with pytest.raises(DataError, match="Fold 1 holds a single class"):
        draw_folds(make_splitter("time_series", 4, False, None), y, np.arange(100).astype("datetime64[s]"))
