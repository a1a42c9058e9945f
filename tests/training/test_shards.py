"""Fits over several workers: the model of one worker, the same each time, and never that of a shard alone."""

import contextlib
import json
import sys
import threading
import time
from dataclasses import replace
from importlib.util import find_spec

import numpy as np
import pandas as pd
import psutil
import pytest

from bank_models import load_config
from bank_models.config.feature import Feature
from bank_models.errors import ConfigError, TrainingError
from bank_models.models.early_stopping import Patience
from bank_models.models.early_stopping.lightgbm_shards import train_losses
from bank_models.models.wrappers import predict_score
from bank_models.runs import model_file
from bank_models.runtime.cluster import Cluster
from bank_models.training import shards
from bank_models.training.fit import fit
from bank_models.training.recipe import make_recipe
from bank_models.training.shard_worker import ShardWorker
from bank_models.training.shards import shard_of

on_ray = [pytest.mark.slow, pytest.mark.skipif(find_spec("ray") is None, reason="make setup EXTRAS=ray")]
N_ROWS, N_TRAIN = 12_000, 10_000


def rows(task: str) -> tuple[pd.DataFrame, np.ndarray]:
    """A table whose numbers have few values, so that bins of sketches are exact, with gaps, categories and weights."""
    rng = np.random.default_rng(3)
    frame = pd.DataFrame({f"x{i}": rng.integers(0, 100, N_ROWS).astype("float32") for i in range(6)})
    frame.loc[rng.random(N_ROWS) < 0.1, "x1"] = np.nan
    frame["kind"] = pd.Categorical.from_codes(rng.integers(0, 6, N_ROWS), list("abcdef"))
    frame["weight"] = rng.integers(1, 4, N_ROWS).astype("float64")
    signal = frame["x0"] / 30 + frame["x2"] * frame["x3"] / 3000 + (frame["kind"].cat.codes > 3) + rng.logistic(size=N_ROWS)
    if task == "regression":
        return frame, signal.to_numpy()
    cuts = [3.0] if task == "binary" else [2.0, 4.0]
    return frame, np.digitize(signal, cuts)


def recipe_of(model: str, task: str, **changes):
    settings = load_config("use_case=credit_scoring", f"model={model}", "n_threads=1")
    features = {f"x{i}": Feature(type="float", max_missing=0.2) for i in range(6)}
    features["kind"] = Feature(type="category", categories=list("abcdef"))
    recipe = replace(
        make_recipe(settings, features), task=task, estimator=settings.model.estimator[task], weight_column="weight"
    )
    patience = Patience(5, 0.0, True)
    params = {**recipe.params, "n_estimators": 25, "subsample": 1.0}  # each worker draws from its own rows, so other ones
    return replace(recipe, params=params, patience=patience, cost=None, **changes)


def fitted(recipe):
    frame, y = rows(recipe.task)
    train, val = slice(0, N_TRAIN), slice(N_TRAIN, None)
    return fit(recipe, frame.iloc[train], y[train], frame.iloc[val], y[val], with_train_loss=True)


def text_of(found) -> str:
    estimator = found.pipeline[-1]
    booster = estimator.get_booster() if hasattr(estimator, "get_booster") else estimator.booster_
    if not hasattr(booster, "model_to_string"):
        return json.dumps(json.loads(bytes(booster.save_raw("json")))["learner"], sort_keys=True)
    return booster.model_to_string().partition("\nparameters:")[0]  # which say how it was made


def test_the_shard_of_a_row_is_a_hash_of_its_position():
    shard = shard_of(np.arange(100_000), 4)
    assert shard_of(np.arange(8), 3).tolist() == [1, 0, 1, 1, 1, 0, 2, 2]
    np.testing.assert_array_equal(shard[500:600], shard_of(np.arange(500, 600), 4))
    assert np.abs(np.bincount(shard) - 25_000).max() < 500
    assert set(shard_of(np.arange(1000), 1)) == {0}
    neighbours = np.mean(shard[1:] == shard[:-1])
    assert neighbours == pytest.approx(0.25, abs=0.01)


def test_the_loss_of_all_rows_is_the_mean_over_the_shards_by_weight():
    one, other = np.array([0.5, 0.4]), np.array([0.8, 0.6])
    np.testing.assert_allclose(train_losses([one, other], [1.0, 2.0], "log_loss"), [0.7, 1.6 / 3])
    np.testing.assert_allclose(train_losses([one, other], [1.0, 1.0], "rmse"), np.sqrt([0.445, 0.26]))


def test_a_shard_without_a_class_is_refused():
    y = np.zeros(1000, dtype=int)
    y[3] = 1
    with pytest.raises(
        ConfigError, match=r"n_shards=2: one of the shards would have no row of class 1, of which there are 1\."
    ):
        shards._check_classes(shards.Spread(Cluster(), 2, "xgboost", "log_loss"), y)


@pytest.fixture(scope="module")
def cluster():
    cluster = Cluster(n_threads=2, n_workers=2)
    with cluster.connected():
        yield cluster


class TestOnRay:
    pytestmark = on_ray

    @pytest.mark.parametrize(
        ("model", "task"),
        [("xgboost", "binary"), ("lightgbm", "binary"), ("xgboost", "regression"), ("lightgbm", "multiclass")],
    )
    def test_one_worker_learns_what_is_learnt_here_and_two_learn_nearly_the_same_each_time(
        self, cluster, model, task, tmp_path
    ):
        here = fitted(recipe_of(model, task))
        one, two, again = (fitted(recipe_of(model, task, n_shards=n, cluster=cluster)) for n in (1, 2, 2))
        assert text_of(one) == text_of(here)
        pd.testing.assert_frame_equal(one.history, here.history, rtol=1e-12)
        assert text_of(two) == text_of(again)
        model_file.dump(tmp_path / "model.skops", two.model)
        read, (frame, _) = model_file.loads((tmp_path / "model.skops").read_bytes()), rows(task)
        np.testing.assert_array_equal(predict_score(read, frame, task), predict_score(two.model, frame, task))
        pd.testing.assert_frame_equal(two.history, again.history, check_exact=True)
        first = [found.history[["train_loss", "val_loss"]].iloc[:2].to_numpy() for found in (here, two)]
        np.testing.assert_allclose(*first, rtol=1e-4)  # LightGBM estimates the rows of a leaf
        assert two.history["val_loss"].min() == pytest.approx(here.history["val_loss"].min(), rel=0.01)

    @pytest.mark.parametrize("model", ["xgboost", "lightgbm"])
    def test_workers_that_learn_from_their_own_rows_alone_are_caught(self, cluster, monkeypatch, model):
        with pytest.raises(
            TrainingError, match=r"do not work together: worker \d .* has [45],\d{3} rows, but 2 workers have 10,0"
        ):
            self.fit_with(cluster, monkeypatch, model, Alone)

    def test_workers_that_come_to_different_models_are_caught(self, cluster, monkeypatch):
        with pytest.raises(TrainingError, match="came to different models, so they have not worked together"):
            self.fit_with(cluster, monkeypatch, "lightgbm", AloneAfterAll)

    def fit_with(self, cluster, monkeypatch, model, worker):
        from ray import cloudpickle

        cloudpickle.register_pickle_by_value(sys.modules[__name__])
        monkeypatch.setattr(shards, "ShardWorker", worker)
        return fitted(recipe_of(model, "binary", n_shards=2, cluster=cluster))

    @pytest.mark.parametrize("model", ["xgboost", "lightgbm"])
    def test_a_worker_that_is_killed_ends_the_fit_with_a_sentence(self, cluster, model):
        def kill():
            while not (ours := [one for one in psutil.Process().children(recursive=True) if "ShardWorker.fit" in one.name()]):
                time.sleep(0.02)
            ours[-1].kill()

        recipe = recipe_of(model, "binary", n_shards=2, cluster=cluster)
        recipe = replace(recipe, params={**recipe.params, "n_estimators": 5000}, patience=None)
        threading.Thread(target=kill, daemon=True).start()
        with pytest.raises(TrainingError, match=r"A worker of the fit ended in the middle of it: its process ended\. Nothing"):
            fitted(recipe)
        assert text_of(fitted(recipe_of(model, "binary", n_shards=1, cluster=cluster)))  # the cluster goes on


class Alone(ShardWorker):
    """Joins no network."""

    def _joined(self, doors):
        return contextlib.nullcontext()


class AloneAfterAll(ShardWorker):
    """Joins the network, and then lets LightGBM learn from its own rows."""

    def _check_together(self, n_rows, total):
        import lightgbm

        usual = lightgbm.sklearn.train
        lightgbm.sklearn.train = lambda params, *args, **how: usual({**params, "tree_learner": "serial"}, *args, **how)
