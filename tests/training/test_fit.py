import json
import pickle
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import f1_score, log_loss
from sklearn.model_selection import RepeatedKFold, RepeatedStratifiedKFold
from xgboost.core import XGBoostError

from bank_models.config.feature import Feature
from bank_models.errors import ConfigError, DataError
from bank_models.metrics.scores import compute, decide, decide_held_out, halves
from bank_models.metrics.threshold import highest_f1
from bank_models.models.early_stopping import Patience
from bank_models.models.early_stopping.xgboost import explained, grows_one_by_one
from bank_models.models.wrappers import predict_score, with_threshold
from bank_models.training.cross_validation import (
    FoldScorer,
    draw_folds,
    fold_columns,
    inner_split,
    make_splitter,
    mean_interval,
    summarise,
)
from bank_models.training.fit import Recipe, fit
from bank_models.training.repeats import n_repeats_of

BOOSTERS = {
    "xgboost": ("XGBClassifier", {"n_estimators": 300, "learning_rate": 0.2, "max_depth": 4, "subsample": 0.8}),
    "lightgbm": ("LGBMClassifier", {"n_estimators": 300, "learning_rate": 0.2, "num_leaves": 15}),
}
CATBOOST = {"catboost": ("CatBoostClassifier", {"iterations": 300, "learning_rate": 0.2, "depth": 4, "subsample": 0.8})}
IMPUTED = {
    "gradient_boosting": (
        "GradientBoostingClassifier", {"n_estimators": 300, "learning_rate": 0.2, "max_depth": 3, "subsample": 0.8},
    ),
    "neural_network": ("NeuralNetworkClassifier", {"layers": 1, "neurons": 32, "learning_rate": 0.01, "max_epochs": 60}),
}  # fmt: skip
HISTOGRAMS = {
    "hist_gradient_boosting": (
        "HistGradientBoostingClassifier", {"max_iter": 300, "learning_rate": 0.2, "max_leaf_nodes": 15, "max_features": 0.8},
    ),
}  # fmt: skip
FAMILIES = BOOSTERS | CATBOOST | IMPUTED | HISTOGRAMS
MONOTONE = [*BOOSTERS, *CATBOOST, *HISTOGRAMS]
LENGTH = {"catboost": "iterations", "neural_network": "max_epochs", "hist_gradient_boosting": "max_iter"}
PREPROCESSING = dict.fromkeys([*BOOSTERS, *CATBOOST], (None, None, "native")) | dict.fromkeys(
    HISTOGRAMS, (None, None, "ordinal")
)
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
KIND = {"multiclass": "Classifier", "regression": "Regressor"}
PATIENCE = Patience(rounds=10, min_delta=0.0, restore_best_weights=True)


def recipe(model: str, patience=PATIENCE, is_monotone=False, **params) -> Recipe:
    estimator, defaults = FAMILIES[model]
    imputer, scaler, encoder = PREPROCESSING.get(model, ("median", "quantile", "ordinal"))
    return Recipe(
        task="binary", estimator=estimator, params=defaults | params, features=FEATURES,
        imputer=imputer, scaler=scaler, encoder=encoder,
        is_monotone=is_monotone, patience=patience, random_state=42, n_threads=2,
    )  # fmt: skip


def fit_on(rows, a_recipe, **kwargs):
    return fit(a_recipe, FRAME.iloc[rows], Y[rows], FRAME.iloc[STOP], Y[STOP], **kwargs)


@pytest.mark.parametrize("model", FAMILIES)
def test_an_early_stopped_model_equals_one_trained_for_exactly_the_best_number_of_rounds(model):
    stopped = fit_on(FIT, recipe(model))
    assert 1 < stopped.best_iteration < len(stopped.history)
    length = {LENGTH.get(model, "n_estimators"): stopped.best_iteration}
    exact = fit(recipe(model, patience=None, **length), FRAME.iloc[FIT], Y[FIT])
    assert stopped.model.predict_proba(FRAME).tobytes() == exact.model.predict_proba(FRAME).tobytes()


@pytest.mark.parametrize("model", FAMILIES)
def test_the_restored_round_is_the_one_with_the_least_loss_and_training_stopped_patience_later(model):
    fitted = fit_on(FIT, recipe(model))
    assert fitted.best_iteration == fitted.history["round"][fitted.history.val_loss.idxmin()]
    assert len(fitted.history) == fitted.best_iteration + PATIENCE.rounds


@pytest.mark.parametrize("with_train_loss", [False, True])
@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
@pytest.mark.parametrize("model", FAMILIES)
def test_the_best_round_is_kept_too_where_patience_never_ran_out(model, task, with_train_loss):
    of_task = {"multiclass": Y + (FRAME.age > 1).to_numpy(), "regression": LOGIT.to_numpy() + RNG.normal(size=N)}
    y = of_task.get(task, Y)
    patient = replace(recipe(model, replace(PATIENCE, rounds=1000), **{LENGTH.get(model, "n_estimators"): 25}), task=task)
    estimator = patient.estimator.replace("Classifier", KIND.get(task, "Classifier"))
    fitted = fit(
        replace(patient, estimator=estimator, params=patient.params | {"learning_rate": 0.9}),
        FRAME.iloc[FIT], y[FIT], FRAME.iloc[STOP], y[STOP], with_train_loss=with_train_loss,
    )  # fmt: skip
    assert len(fitted.history) == 25
    assert fitted.best_iteration == fitted.history["round"][fitted.history.val_loss.idxmin()]


@pytest.mark.parametrize("model", [*MONOTONE, "gradient_boosting"])
def test_without_restoring_the_model_keeps_every_round_it_was_trained_for(model):
    kept = fit_on(FIT, recipe(model, patience=replace(PATIENCE, restore_best_weights=False)))
    length = {LENGTH.get(model, "n_estimators"): len(kept.history)}
    exact = fit(recipe(model, patience=None, **length), FRAME.iloc[FIT], Y[FIT])
    np.testing.assert_array_equal(kept.model.predict_proba(FRAME), exact.model.predict_proba(FRAME))


def test_a_wide_table_is_fitted_node_by_node_and_scores_the_same(monkeypatch):
    usual = fit_on(FIT, recipe("xgboost", n_estimators=20))
    monkeypatch.setattr("bank_models.models.early_stopping.xgboost.MANY_COLUMNS", 2)
    thrifty = fit_on(FIT, recipe("xgboost", n_estimators=20))
    assert thrifty.model.predict_proba(FRAME).tobytes() == usual.model.predict_proba(FRAME).tobytes()
    assert thrifty.pipeline[-1].get_params() == usual.pipeline[-1].get_params()
    assert thrifty.pipeline[-1].__dict__.keys() == usual.pipeline[-1].__dict__.keys()
    own = fit_on(FIT, recipe("xgboost", n_estimators=20, refresh_leaf=True))  # a parameter of the library's
    assert own.pipeline[-1].kwargs == {"refresh_leaf": True}


@pytest.mark.parametrize(
    ("params", "n_columns", "expected"),
    [({}, 5000, True), ({}, 900, False), ({"grow_policy": "lossguide"}, 5000, False), ({"max_leaves": 31}, 5000, False),
     ({"colsample_bynode": 0.5}, 5000, False), ({"colsample_bylevel": 1.0, "grow_policy": "depthwise"}, 5000, True)],
)  # fmt: skip
def test_nodes_are_split_one_by_one_only_where_no_choice_depends_on_their_order(params, n_columns, expected):
    assert grows_one_by_one(params, n_columns) == expected


def test_a_booster_names_no_metric_that_loading_would_have_to_make():
    """That of several classes cannot be made where NVIDIA's driver is installed and every device is hidden."""
    booster = fit_on(FIT, recipe("xgboost")).pipeline[-1].get_booster()
    again = pickle.loads(pickle.dumps(booster))
    assert json.loads(again.save_config())["learner"]["metrics"] == []
    assert json.loads(again.save_config())["learner"]["generic_param"]["device"] == "cpu"


def test_what_xgboost_says_of_hidden_devices_is_said_in_a_sentence():
    with pytest.raises(ConfigError, match="every device hidden"), explained():
        raise XGBoostError("cuda_dr_utils.cc: 32: cudaErrorNoDevice: no CUDA-capable device is detected")
    with pytest.raises(XGBoostError, match="another"), explained():
        raise XGBoostError("another")


@pytest.mark.parametrize("model", MONOTONE)
def test_min_delta_stops_sooner(model):
    patient = fit_on(FIT, recipe(model)).best_iteration
    assert fit_on(FIT, recipe(model, patience=replace(PATIENCE, min_delta=0.005))).best_iteration < patient


@pytest.mark.parametrize("model", FAMILIES)
def test_the_history_is_the_log_loss_of_the_model_after_each_round(model):
    fitted = fit_on(FIT, recipe(model), with_train_loss=True)
    last = fitted.history.iloc[fitted.best_iteration - 1]
    for loss, rows in (("train_loss", FIT), ("val_loss", STOP)):
        # CatBoost hides from a row that it is fitted on what the table of a category owes to that row
        rel = 1e-3 if (model, loss) == ("catboost", "train_loss") else 1e-5
        assert last[loss] == pytest.approx(log_loss(Y[rows], fitted.model.predict_proba(FRAME.iloc[rows])), rel=rel)
    assert set(fitted.history.learning_rate) == {FAMILIES[model][1]["learning_rate"]} or model == "neural_network"


@pytest.mark.parametrize("model", MONOTONE)
def test_the_threads_do_not_change_the_model(model):
    one, two = (fit_on(FIT, replace(recipe(model), n_threads=n)).model.predict_proba(FRAME) for n in (1, 2))
    assert one.tobytes() == two.tobytes()


@pytest.mark.parametrize("model", MONOTONE)
@pytest.mark.parametrize("loss", ["rmse", "pinball_loss", "multiclass_log_loss"])
def test_other_losses_are_watched_and_restored_too(model, loss):
    task = "multiclass" if loss == "multiclass_log_loss" else "regression"
    target = np.digitize(LOGIT, [-1, 1]) if task == "multiclass" else LOGIT.to_numpy() + RNG.normal(size=N)
    watched = replace(recipe(model), task=task, estimator=recipe(model).estimator.replace("Classifier", KIND[task]))
    watched = replace(watched, quantile=0.8 if loss == "pinball_loss" else None)
    parts = FRAME.iloc[FIT], target[FIT], FRAME.iloc[STOP], target[STOP]
    stopped = fit(watched, *parts)
    measured = {"rmse": "rmse", "pinball_loss": "pinball_loss", "multiclass_log_loss": "log_loss"}[loss]
    prediction = decide(task, predict_score(stopped.model, FRAME.iloc[STOP], task))
    found = compute([measured], target[STOP], prediction, watched.quantile)[measured]
    assert stopped.history.val_loss.min() == pytest.approx(found, rel=1e-4)


@pytest.mark.parametrize("model", MONOTONE)
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
    return draw_folds(splitter, Y, "binary", times)


def test_a_fold_stops_on_a_part_of_its_own_training_rows():
    for train, test in folds_of():
        inner, stop = inner_split(train, Y, False, 42)
        assert set(inner) | set(stop) == set(train)
        assert not set(inner) & set(stop)
        assert not set(stop) & set(test)


def test_the_labels_of_the_scoring_fold_do_not_reach_its_model():
    folds = folds_of()[:1]
    flipped = Y.copy()
    flipped[folds[0][1]] = 1 - flipped[folds[0][1]]
    one, other = (FoldScorer(recipe("xgboost"), FRAME, y, ["roc_auc"], False)(1, *folds[0]) for y in (Y, flipped))
    assert one["best_iteration"] == other["best_iteration"]
    assert one["train_roc_auc"] == other["train_roc_auc"]
    assert one["test_roc_auc"] == pytest.approx(1 - other["test_roc_auc"])


def test_folds_in_time_order_train_on_the_past_only():
    times = np.datetime64("2025-01-01", "s") + RNG.permutation(N) * np.timedelta64(1, "h")
    for train, test in folds_of("time_series", times=times):
        assert times[train].max() < times[test].min()
        inner, stop = inner_split(train, Y, True, 42)
        assert times[inner].max() < times[stop].min()


def test_cross_validation_equals_scikit_learns_where_nothing_stops_early():
    from sklearn.model_selection import cross_validate as reference

    scoring = ["accuracy", "precision", "recall", "f1", "roc_auc"]
    plain = recipe("lightgbm", patience=None, n_estimators=30)
    score = FoldScorer(plain, FRAME, Y, scoring, False)
    ours = pd.DataFrame([score(number, *fold) for number, fold in enumerate(folds_of(), start=1)])
    assert list(ours) == fold_columns(scoring)
    X = FRAME.assign(region=FRAME.region.cat.codes).astype("float32").to_numpy()
    estimator = fit(plain, FRAME, Y).model.named_steps["estimator"]
    theirs = reference(
        estimator,
        X,
        Y,
        cv=folds_of(),
        scoring=scoring,
        return_train_score=True,
        return_estimator=True,
        params={"categorical_feature": [2]},
    )
    for part in ("train", "test"):
        np.testing.assert_allclose(ours[f"{part}_roc_auc"], theirs[f"{part}_roc_auc"], atol=1e-12)
    for (_, test), model, row in zip(folds_of(), theirs["estimator"], ours.itertuples(), strict=True):
        decision = decide_held_out("binary", Y[test], model.predict_proba(X[test])[:, 1]).decision
        assert row.test_f1 == pytest.approx(f1_score(Y[test], decision))
        assert row.test_accuracy == pytest.approx(np.mean(Y[test] == decision))
    summary = summarise(ours, scoring, "roc_auc")
    assert summary["cv_std"] == pytest.approx(ours["test_accuracy"].std(ddof=0))
    assert summary["cv_roc_auc"] == pytest.approx(theirs["test_roc_auc"].mean())


def test_held_out_rows_are_decided_at_the_threshold_that_the_other_half_chooses():
    rng = np.random.default_rng(0)
    y = (rng.random(1000) < 0.1).astype(int)
    score = 0.1 * rng.random(1000) + 0.02 * y  # no score is near a half
    found = decide_held_out("binary", y, score)
    assert f1_score(y, found.decision) > f1_score(y, score >= 0.5)
    for one in halves(y):
        assert abs(y[one].mean() - y.mean()) < 0.01
        np.testing.assert_array_equal(found.decision[~one], score[~one] >= highest_f1(y[one], score[one]))


def test_the_interval_of_a_mean_over_folds_of_a_case_worked_by_hand():
    low, high = mean_interval([0.7, 0.8], [100, 100], [50, 50])
    half = 12.706 * np.sqrt(0.005 * (1 / 2 + 1 / 2))  # t(0.975, 1) and the sample variance 0.005
    assert (low, high) == pytest.approx((0.75 - half, 0.75 + half), abs=1e-4)


def test_the_interval_of_repeats_is_the_corrected_resampled_t_of_all_folds():
    scores = RNG.normal(0.8, 0.04, 25)
    low, high = mean_interval(scores, [640] * 25, [160] * 25)
    half = 2.0639 * np.sqrt(scores.var(ddof=1) * (1 / 25 + 160 / 640))  # t(0.975, 24)
    assert (low, high) == pytest.approx((scores.mean() - half, scores.mean() + half), abs=1e-5)
    assert high - low > 2 * 2.0639 * scores.std(ddof=1) / 5  # of 25 samples that share no row


@pytest.mark.parametrize(("method", "reference"), [("stratified_kfold", RepeatedStratifiedKFold), ("kfold", RepeatedKFold)])
def test_repeats_are_drawn_as_scikit_learn_draws_them(method, reference):
    state = np.random.RandomState(42)
    ours = [fold for _ in range(3) for fold in draw_folds(make_splitter(method, 4, True, state), Y)]
    theirs = list(reference(n_splits=4, n_repeats=3, random_state=42).split(Y, Y))
    first = draw_folds(make_splitter(method, 4, True, 42), Y)
    for one, other in zip([*ours, *first], [*theirs, *theirs[:4]], strict=True):
        np.testing.assert_array_equal(np.concatenate(one), np.concatenate(other))


@pytest.mark.parametrize(
    ("n_repeats", "n_rows", "n_features", "shuffle", "expected"),
    [
        (None, 1999, 250, True, 5),
        (None, 2000, 250, True, 1),
        (None, 1000, 501, True, 1),
        (1, 1999, 250, True, 1),
        (3, 2000, 9000, True, 3),
        (None, 1999, 250, False, 1),
    ],
)
def test_small_tables_are_repeated_unless_asked_otherwise_or_the_order_is_one(n_repeats, n_rows, n_features, shuffle, expected):
    assert n_repeats_of(n_repeats, n_rows, n_features, shuffle) == expected
    assert n_repeats_of(n_repeats, n_rows, n_features, shuffle, is_average=True) == (1 if n_repeats is None else expected)


def test_a_class_with_fewer_members_than_folds_is_refused_with_a_number_that_works():
    with pytest.raises(DataError, match=r"Class 1 has 3 training rows, fewer than the 5 folds.\n.*cv.n_folds=3"):
        draw_folds(make_splitter("stratified_kfold", 5, True, 42), np.array([1] * 3 + [0] * 97))


def test_a_time_fold_without_positives_is_refused():
    y = np.array([0] * 50 + [1] * 50)
    with pytest.raises(DataError, match="Fold 1 lacks a class"):
        draw_folds(make_splitter("time_series", 4, False, None), y, times=np.arange(100).astype("datetime64[s]"))


@pytest.mark.parametrize("model", FAMILIES)
def test_balanced_classes_weigh_the_same(model):
    rare = np.flatnonzero((Y == 0) | (np.arange(N) % 10 == 0))
    n_rounds = 40 if model == "catboost" else 10  # it begins at even odds, not at the base rate
    short = recipe(model, patience=None, **{LENGTH.get(model, "n_estimators"): n_rounds})
    models = [fit(replace(short, class_weight=w), FRAME.iloc[rare], Y[rare]).model for w in ("none", "balanced")]
    plain, balanced = (predict_score(model, FRAME.iloc[rare], "binary").mean() for model in models)
    assert plain == pytest.approx(Y[rare].mean(), abs=0.05)
    assert balanced > 2 * plain


def test_predictions_of_a_transformed_target_come_back_and_keep_their_bounds():
    amount = np.exp(LOGIT.to_numpy())
    regression = replace(recipe("lightgbm", patience=None, n_estimators=50), task="regression", estimator="LGBMRegressor")
    plain = fit(regression, FRAME, np.log1p(amount)).model.predict(FRAME)
    logged = fit(replace(regression, target_transform="log1p"), FRAME, amount).model.predict(FRAME)
    np.testing.assert_allclose(logged, np.expm1(plain))
    bounded = fit(replace(regression, target_transform="log1p", target_min=1.0, target_max=2.0), FRAME, amount).model
    np.testing.assert_allclose(bounded.predict(FRAME), np.clip(logged, 1.0, 2.0))


@pytest.mark.parametrize("model", FAMILIES)
def test_who_follows_the_rounds_hears_each_loss_of_the_history_and_changes_nothing(model):
    heard = []
    followed = fit_on(FIT, recipe(model), with_train_loss=True, on_round=lambda losses: heard.append(dict(losses)))
    assert [round_["val"] for round_ in heard] == pytest.approx(followed.history.val_loss.to_list(), rel=1e-12)
    assert [round_["train"] for round_ in heard] == pytest.approx(followed.history.train_loss.to_list(), rel=1e-12)
    alone = fit_on(FIT, recipe(model), with_train_loss=True)
    assert followed.model.predict_proba(FRAME).tobytes() == alone.model.predict_proba(FRAME).tobytes()


def test_folds_in_time_order_need_moments_before_them():
    times = np.repeat(np.array(["2026-01-01", "2026-01-02"], dtype="datetime64[D]"), 6)
    splitter = make_splitter("time_series", 3, False, None)
    with pytest.raises(DataError, match="12 rows at 2 moments are too few for 3 folds in time order"):
        draw_folds(splitter, np.arange(12.0), "regression", times)
