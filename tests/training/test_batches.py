"""Rows that are read batch by batch give the model of the same rows read at once, to the last bit."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import log_loss, root_mean_squared_error

from bank_models.config.feature import Feature
from bank_models.data import view
from bank_models.data.view import View
from bank_models.errors import DataError
from bank_models.features.filling import make_filler
from bank_models.features.preprocessing import make_features
from bank_models.models.early_stopping import Patience
from bank_models.models.wrappers import predict_score
from bank_models.training import batches
from bank_models.training import fit as training
from bank_models.training.fit import Recipe

RNG = np.random.default_rng(0)
N = 3_000
COUNTRIES = np.array(["AT", "DE", "FR", "IT", "PL"])
FRAME = pd.DataFrame(
    {
        "income": np.where(RNG.random(N) < 0.1, np.nan, RNG.normal(size=N)).astype("float32"),
        "age": RNG.integers(18, 90, N).astype("int32"),
        "country": pd.Categorical(np.append(COUNTRIES[RNG.integers(0, 4, N - 1)], "PL")),
        "opened_on": pd.Series(pd.date_range("2020-01-01", periods=N, freq="7h")).astype("datetime64[s]"),
        "exposure": RNG.integers(0, 4, N).astype("float64"),
    }
)
FEATURES = {
    "income": Feature(type="float", max_missing=0.5),
    "age": Feature(type="int"),
    "country": Feature(type="category"),
    "opened_on": Feature(type="date"),
}
NUMBER = (np.nan_to_num(FRAME["income"]) + FRAME["age"] / 30 + RNG.normal(size=N)).to_numpy()
TARGETS = {"binary": (NUMBER > 1.5).astype("int8"), "multiclass": np.digitize(NUMBER, [1, 2]), "regression": NUMBER}
TRAIN, VAL = np.arange(N)[::-1][600:], np.arange(N)[::-1][:600]
PATIENCE = Patience(rounds=5, min_delta=0.0, restore_best_weights=True)


def recipe_of(estimator: str, task: str, patience: Patience | None = PATIENCE, **facts) -> Recipe:
    name = f"{estimator}{'Regressor' if task == 'regression' else 'Classifier'}"
    how = {"imputer": None, "scaler": None, "encoder": "native", "is_monotone": False, "random_state": 7, "n_threads": 2}
    params = {"n_estimators": 12, **({"subsample": 0.8} if estimator == "XGB" else {"min_child_samples": 5})}
    return Recipe(task, name, params, FEATURES, patience=patience, **(how | facts))


def fitted(recipe: Recipe, take):
    y = TARGETS[recipe.task]
    return recipe.fit(take(TRAIN), y[TRAIN], take(VAL), y[VAL], with_train_loss=True)


@pytest.fixture
def in_small_batches(monkeypatch):
    for module in (view, batches, training):
        monkeypatch.setattr(module, "BATCH_ROWS", 500)
    monkeypatch.setattr(batches.BatchedMatrix, "batch_rows", 500)


@pytest.mark.parametrize("weight_column", [None, "exposure"])
@pytest.mark.parametrize("task", TARGETS)
@pytest.mark.parametrize("estimator", ["XGB", "LGBM"])
def test_a_model_of_batches_is_that_of_all_rows_at_once(in_small_batches, estimator, task, weight_column):
    recipe = recipe_of(estimator, task, weight_column=weight_column)
    at_once, in_batches = fitted(recipe, FRAME.iloc.__getitem__), fitted(recipe, lambda rows: View(FRAME, rows))
    pd.testing.assert_frame_equal(in_batches.history, at_once.history)
    assert in_batches.best_iteration == at_once.best_iteration
    scores = [
        predict_score(one.model, rows, task) for one, rows in ((in_batches, View(FRAME, VAL)), (at_once, FRAME.iloc[VAL]))
    ]
    assert np.array_equal(*scores)


@pytest.mark.parametrize("task", ["binary", "regression"])
def test_the_watched_loss_of_the_last_round_is_that_of_the_predictions(in_small_batches, task):
    endless = Patience(rounds=1_000, min_delta=0.0, restore_best_weights=False)
    found = fitted(recipe_of("XGB", task, patience=endless), lambda rows: View(FRAME, rows))
    assert FRAME["income"].iloc[VAL].isna().any()
    score, y = predict_score(found.model, FRAME.iloc[VAL], task), TARGETS[task][VAL]
    loss = log_loss(y, score) if task == "binary" else root_mean_squared_error(y, score)
    assert found.history["val_loss"].iloc[-1] == pytest.approx(loss, rel=1e-6)


def test_a_loss_that_decides_nothing_is_shown_of_a_sample_and_one_that_does_of_all_rows(monkeypatch):
    shown, decides = recipe_of("XGB", "binary", patience=None), recipe_of("XGB", "binary")
    before = [fitted(one, FRAME.iloc.__getitem__) for one in (shown, decides)]
    monkeypatch.setattr(training, "MOST_SHOWN", 100)
    after = [fitted(one, FRAME.iloc.__getitem__) for one in (shown, decides)]
    some, y = batches.at_most(100, FRAME.iloc[VAL], TARGETS["binary"][VAL], shown.random_state)
    loss = log_loss(y, predict_score(after[0].model, some, "binary"))
    assert after[0].history["val_loss"].iloc[-1] == pytest.approx(loss, rel=1e-6)
    assert before[0].history["val_loss"].iloc[-1] != pytest.approx(loss, rel=1e-6)
    pd.testing.assert_frame_equal(before[1].history, after[1].history)


@pytest.mark.parametrize("names", [["income", "age", "country"], ["age", "flag", "exposure"], ["country"], list(FEATURES)])
def test_a_matrix_that_is_filled_column_by_column_is_that_of_its_step(names):
    kinds = {"flag": Feature(type="bool"), "exposure": Feature(type="float"), **FEATURES}
    frame = FRAME.assign(flag=FRAME["age"] > 40)
    step = make_features({name: kinds[name] for name in names}, None, None, "native").fit(frame[frame["country"] != "DE"])
    filled, expected = make_filler(step, frame)(TRAIN[:700]), step.transform(frame.iloc[TRAIN[:700]])
    assert filled.dtype == expected.dtype == "float32"
    np.testing.assert_array_equal(filled, expected)
    assert "country" not in names or np.isnan(filled).any()  # of the country that was not seen in fitting


def test_few_rows_tell_every_category_wherever_its_only_row_lies():
    rows = View(FRAME, TRAIN[::-1])
    some = batches.telling_rows(rows, ["country"])
    assert len(some) <= 1 + len(COUNTRIES)
    assert set(rows.iloc[some]["country"]) == set(rows["country"])


def test_a_model_that_needs_all_rows_at_once_is_refused_where_the_memory_cannot_hold_them(in_small_batches, monkeypatch):
    monkeypatch.setattr("bank_models.runtime.memory.available", lambda: 1000)
    recipe = recipe_of("XGB", "binary", encoder="one_hot")
    with pytest.raises(DataError, match=r"^XGBClassifier needs 2,400 rows in memory at once, about .* GiB are free"):
        fitted(recipe, lambda rows: View(FRAME, rows))
