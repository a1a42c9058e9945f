"""Row weights in fitting, early stopping, folds, calibration and ensembles: a weight of 2 is the row twice, one of 0 no row."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import log_loss, mean_pinball_loss, root_mean_squared_error

from bank_models.config.feature import Feature
from bank_models.evaluation.baselines import baseline_scores
from bank_models.evaluation.benchmarks import scale
from bank_models.metrics.scorer import make_scorer
from bank_models.models.early_stopping import Patience
from bank_models.models.wrappers import predict_score
from bank_models.training.calibration import calibrate, cross_fitted, reliability
from bank_models.training.class_weights import class_weights
from bank_models.training.cross_validation import FoldScorer
from bank_models.training.ensemble import greedy_weights
from bank_models.training.fit import Recipe, fit, smearing
from bank_models.tuning.fold_fits import fit_and_score
from bank_models.tuning.folds import SearchRows, prepare_folds

RNG = np.random.default_rng(0)
N = 900
WEIGHTS = RNG.integers(0, 4, N)
FRAME = pd.DataFrame(
    {
        "income": RNG.normal(size=N).round(1).astype("float32"),
        "age": RNG.normal(size=N).round(1).astype("float32"),
        "exposure": WEIGHTS.astype(float),
    }
)
LOGIT = FRAME.income + FRAME.age**2 - 1
NUMBER = (LOGIT + RNG.normal(size=N)).to_numpy()
CLASS = (RNG.random(N) < 1 / (1 + np.exp(-LOGIT))).astype(np.int8).to_numpy()
TARGET = {"Classifier": ("binary", CLASS), "Regressor": ("regression", NUMBER), "Regression": ("regression", NUMBER)}
FIT, STOP = np.arange(600), np.arange(600, N)
PATIENCE = Patience(rounds=5, min_delta=0.0, restore_best_weights=True)
EXACT = {  # those that see no more in a doubled row than its weight
    "DecisionTreeClassifier": {"min_samples_leaf": 1, "max_depth": 4},
    "GradientBoostingClassifier": {"n_estimators": 20, "max_depth": 2, "criterion": "squared_error"},
    "HistGradientBoostingRegressor": {"max_iter": 20, "min_samples_leaf": 1},
    "LogisticRegression": {"C": 1.0, "tol": 1e-10, "max_iter": 5000},
    "Ridge": {"alpha": 1.0},
    "XGBClassifier": {"n_estimators": 20, "max_depth": 3},
    "XGBRegressor": {"n_estimators": 20, "max_depth": 3},
}
BOOSTERS = ["XGB", "LGBM", "GradientBoosting", "HistGradientBoosting"]


def recipe(estimator: str, task: str, patience=None, **about) -> Recipe:
    features = {"income": Feature(type="float"), "age": Feature(type="float")}
    known = {"params": {}, "imputer": None, "scaler": None, "encoder": "ordinal", "weight_column": "exposure"} | about
    known |= {"is_monotone": False, "random_state": 0, "n_threads": 1}
    return Recipe(task=task, estimator=estimator, features=features, patience=patience, **known)


def target_of(estimator: str):
    if estimator == "LogisticRegression":
        return "binary", CLASS
    return next((known for ending, known in TARGET.items() if estimator.endswith(ending)), ("regression", NUMBER))


@pytest.mark.parametrize("estimator", EXACT)
def test_a_model_of_weighted_rows_is_that_of_repeated_rows(estimator):
    task, y = target_of(estimator)
    rows = np.repeat(np.arange(N), WEIGHTS)
    weighted = recipe(estimator, task, params=EXACT[estimator])
    repeated = replace(weighted, weight_column=None)
    one, other = fit(weighted, FRAME, y).model, fit(repeated, FRAME.iloc[rows], y[rows]).model
    np.testing.assert_allclose(predict_score(one, FRAME, task), predict_score(other, FRAME, task), atol=2e-5)


def test_a_fit_with_weights_is_the_bare_estimators_with_sample_weight():
    X, w = FRAME[["income", "age"]], FRAME["exposure"]
    bare = LogisticRegression(C=1.0).fit(X, CLASS, sample_weight=w).predict_proba(X)[:, 1]
    found = fit(recipe("LogisticRegression", "binary", params={"C": 1.0}), FRAME, CLASS).model
    np.testing.assert_allclose(predict_score(found, FRAME, "binary"), bare, atol=1e-9)
    bare = Ridge(alpha=1.0, random_state=0).fit(X, NUMBER, sample_weight=w).predict(X)
    found = fit(recipe("Ridge", "regression", params={"alpha": 1.0}), FRAME, NUMBER).model
    np.testing.assert_allclose(found.predict(FRAME), bare, atol=1e-9)


@pytest.mark.parametrize("kind", ["Classifier", "Regressor"])
@pytest.mark.parametrize("library", BOOSTERS)
def test_the_watched_loss_is_weighted_and_stopped_early_is_trained_that_long(library, kind):
    task, y = TARGET[kind]
    length = "max_iter" if library.startswith("Hist") else "n_estimators"
    parts = FRAME.iloc[FIT], y[FIT], FRAME.iloc[STOP], y[STOP]
    one = recipe(library + kind, task, PATIENCE, params={length: 200, "learning_rate": 0.2})
    stopped = fit(one, *parts, with_train_loss=True)
    exact = replace(one, patience=None, params={**one.params, length: stopped.best_iteration})
    alone = fit(exact, *parts[:2])
    np.testing.assert_array_equal(*(predict_score(each.model, FRAME, task) for each in (stopped, alone)))
    loss = root_mean_squared_error if task == "regression" else log_loss
    for part, rows in (("train", FIT), ("val", STOP)):
        expected = loss(y[rows], predict_score(alone.model, FRAME.iloc[rows], task), sample_weight=WEIGHTS[rows])
        assert stopped.history[f"{part}_loss"].iloc[stopped.best_iteration - 1] == pytest.approx(expected, rel=1e-5)


def test_the_watched_loss_of_a_quantile_is_weighted():
    one = recipe("GradientBoostingRegressor", "regression", PATIENCE, quantile=0.8, params={"n_estimators": 100})
    found = fit(one, FRAME.iloc[FIT], NUMBER[FIT], FRAME.iloc[STOP], NUMBER[STOP])
    said = found.model.predict(FRAME.iloc[STOP])
    expected = mean_pinball_loss(NUMBER[STOP], said, alpha=0.8, sample_weight=WEIGHTS[STOP])
    assert found.history["val_loss"].min() == pytest.approx(expected)


def test_balanced_classes_of_weighted_rows_have_the_same_total_weight():
    of_class = class_weights(CLASS, WEIGHTS.astype(float))
    totals = [np.sum((WEIGHTS * of_class[CLASS])[code == CLASS]) for code in (0, 1)]
    assert totals == pytest.approx([WEIGHTS.sum() / 2] * 2)
    weighted = recipe("LogisticRegression", "binary", class_weight="balanced", params=EXACT["LogisticRegression"])
    bare = LogisticRegression(**EXACT["LogisticRegression"]).fit(
        FRAME[["income", "age"]], CLASS, sample_weight=WEIGHTS * of_class[CLASS]
    )
    found = predict_score(fit(weighted, FRAME, CLASS).model, FRAME, "binary")
    np.testing.assert_allclose(found, bare.predict_proba(FRAME[["income", "age"]])[:, 1], atol=1e-6)


@pytest.mark.parametrize(
    ("estimator", "params"),
    [
        ("XGBClassifier", {"n_estimators": 30}),
        ("LGBMClassifier", {"n_estimators": 30}),
        ("HistGradientBoostingClassifier", {"max_iter": 30}),
        ("LogisticRegression", {}),
    ],
)
def test_a_weighted_trial_computes_what_a_weighted_fit_computes(estimator, params):
    patience = PATIENCE if params else None
    one = recipe(estimator, "binary", patience, params=params, class_weight="balanced")
    (fold,) = prepare_folds(one, SearchRows(FRAME, CLASS, [(FIT, STOP)], is_ordered=True))
    scores, n_rounds = fit_and_score(one, fold)
    rows = (FIT[:540], FIT[540:]) if patience else (FIT,)  # the newest tenth stops
    found = fit(one, *(each for some in rows for each in (FRAME.iloc[some], CLASS[some])))
    assert n_rounds == found.best_iteration
    np.testing.assert_allclose(scores[None], predict_score(found.model, FRAME.iloc[STOP], "binary"), atol=1e-6)
    plain = replace(one, weight_column=None)
    (fold,) = prepare_folds(plain, SearchRows(FRAME, CLASS, [(FIT, STOP)], is_ordered=True))
    assert not np.allclose(scores[None], fit_and_score(plain, fold)[0][None])


def test_a_share_of_a_folds_rows_keeps_their_weights():
    one = recipe("XGBClassifier", "binary", PATIENCE)
    (fold,) = prepare_folds(one, SearchRows(FRAME.assign(exposure=FRAME.income + 9), CLASS, [(FIT, STOP)]))
    small = fold.share(0.3, seed=0)
    for X, weight in ((small.X, small.weights[0]), (small.stop[0], small.weights[1])):
        np.testing.assert_allclose(np.asarray(X)[:, 0] + 9, weight, rtol=1e-5)


def test_scores_of_folds_are_those_of_repeated_rows():
    rows = np.repeat(np.arange(N), WEIGHTS)
    of_row = np.where(np.arange(N) < 600, 0, 1)
    folds = [(np.flatnonzero(of_row == 0), np.flatnonzero(of_row == 1))]
    of_copy = [(np.flatnonzero(of_row[rows] == 0), np.flatnonzero(of_row[rows] == 1))]
    one, scoring = recipe("LogisticRegression", "binary", params=EXACT["LogisticRegression"]), ["roc_auc", "log_loss"]
    weighted = FoldScorer(one, FRAME, CLASS, scoring, False)(1, *folds[0])
    of_copies = FoldScorer(replace(one, weight_column=None), FRAME.iloc[rows], CLASS[rows], scoring, False)
    repeated = of_copies(1, *of_copy[0])
    for name in scoring:
        assert weighted[f"test_{name}"] == pytest.approx(repeated[f"test_{name}"], abs=1e-6)
        assert weighted[f"train_{name}"] == pytest.approx(repeated[f"train_{name}"], abs=1e-6)


@pytest.mark.parametrize("method", ["sigmoid", "isotonic"])
@pytest.mark.filterwarnings("error")
def test_a_calibrator_of_weighted_rows_is_that_of_repeated_rows(method):
    frame = pd.concat([FRAME[["income", "age"]]] * 2, ignore_index=True)
    y, w = np.tile(CLASS, 2), np.tile(WEIGHTS, 2)
    rows, model = np.repeat(np.arange(2 * N), w), LogisticRegression().fit(FRAME[["income", "age"]], CLASS)
    one = calibrate(model, method, frame, y, w.astype(float)).predict_proba(frame)
    other = calibrate(model, method, frame.iloc[rows], y[rows]).predict_proba(frame)
    np.testing.assert_allclose(one, other, atol=1e-4 if method == "sigmoid" else 1e-9)
    assert not np.allclose(one, calibrate(model, method, frame, y).predict_proba(frame), atol=1e-3)
    unseen = cross_fitted(model, method, frame, y, 0, w.astype(float))
    assert unseen.shape == (2 * N,)


def test_bins_of_a_reliability_curve_hold_equal_weight():
    score = np.linspace(0.01, 0.99, N)
    found = reliability(CLASS, score, 5, np.ones(N))
    pd.testing.assert_frame_equal(found, reliability(CLASS, score, 5))
    assert reliability(CLASS, score, 5, np.where(score > 0.5, 9.0, 1.0))["n_rows"].is_monotonic_decreasing


def test_smearing_ensemble_weights_and_baselines_are_those_of_repeated_rows():
    rows, w = np.repeat(np.arange(N), WEIGHTS), WEIGHTS.astype(float)
    assert smearing(NUMBER, LOGIT, w) == pytest.approx(smearing(NUMBER[rows], LOGIT[rows]))
    answers = {"one": NUMBER + RNG.normal(size=N), "other": NUMBER + RNG.normal(size=N), "bad": np.zeros(N)}
    repeated = {name: values[rows] for name, values in answers.items()}
    assert greedy_weights(answers, NUMBER, "rmse", 10, weight=w) == greedy_weights(repeated, NUMBER[rows], "rmse", 10)
    for metric in ("rmse", "mae", "rmsle"):
        scorer = make_scorer(metric, "regression", np.exp(NUMBER))
        (found,), (expected,) = (
            baseline_scores(scorer, np.exp(y), 1, weight=weight).values() for y, weight in ((NUMBER, w), (NUMBER[rows], None))
        )
        assert found == pytest.approx(expected)
    scorer = make_scorer("roc_auc", "binary", CLASS)
    assert baseline_scores(scorer, CLASS, 1, weight=w)["prior"] == pytest.approx(CLASS[rows].mean())
    positive = np.exp(NUMBER)
    for level in (None, 0.9):
        assert scale(positive, 2 * positive + LOGIT, level, w) == pytest.approx(
            scale(positive[rows], (2 * positive + LOGIT).to_numpy()[rows], level)
        )
