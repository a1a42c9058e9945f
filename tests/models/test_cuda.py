"""Models on a real CUDA device, from the command line to a process that has none. Without a device there is nothing to test."""

import json

import numpy as np
import pandas as pd
import pytest

from bank_models.data import load
from bank_models.metrics.names import as_score
from bank_models.predict import load_model
from bank_models.runtime.device import cuda_devices

pytestmark = pytest.mark.skipif(not cuda_devices(), reason="there is no CUDA device here")

TASKS = {
    "binary": ["use_case=credit_risk_scoring", "data_source.rows=3000"],
    "multiclass": ["use_case=sme_lending", "data_source.rows=3000"],
    "regression": ["use_case=collateral_management", "data_source.rows=3000"],
}
MODELS = {"xgboost": ["model=xgboost"], "neural_network": ["model=neural_network", "model.params.max_epochs=20"]}
PAIRS = [(model, task) for model in MODELS for task in TASKS]
SEARCH = ["model=xgboost", "tuning=random_search", "tuning.n_iter=4"]
NEURAL_SEARCH = ["model=neural_network", "model.params.max_epochs=5", "tuning=random_search", "tuning.n_iter=2"]
ENSEMBLE = ["model=ensemble", "model.params.n_folds=2"]
ALONE = ["registry=none", "tracking=none"]
SCORE = """
import sys, numpy, pandas
from bank_models.predict import load_model
numpy.save(sys.argv[3], load_model(sys.argv[1]).predict(pandas.read_parquet(sys.argv[2])).score.to_numpy())
"""


@pytest.fixture
def trained(python, tmp_path):
    """Folder of a finished run, by a process of its own: a fork of one that has seen the device could not use it."""

    def run(name: str, *words: str):
        result = python("-m", "src.train", *words, *ALONE, f"hydra.run.dir={tmp_path / name}")
        assert result.returncode == 0, result.stderr
        assert "warn" not in result.stderr.lower()
        return tmp_path / name

    return run


@pytest.fixture
def rows_of(compose):
    def rows(task: str) -> pd.DataFrame:
        config = compose(*TASKS[task])
        return load.load(use_case=config.use_case, **config.data_source.model_dump()).frame

    return rows


def scores(run, rows) -> np.ndarray:
    return load_model(run).predict(rows).score.to_numpy()


@pytest.mark.parametrize(("model", "task"), PAIRS)
def test_a_model_trained_there_answers_the_same_where_there_is_no_device(trained, rows_of, python, tmp_path, model, task):
    run, rows = trained("there", *TASKS[task], *MODELS[model], "device=cuda", "cv.n_folds=2"), rows_of(task)
    rows.to_parquet(tmp_path / "rows.parquet")
    arguments = [run, tmp_path / "rows.parquet", tmp_path / "scores.npy"]
    result = python("-c", SCORE, *arguments, env={"CUDA_VISIBLE_DEVICES": ""})
    assert result.returncode == 0, result.stderr
    np.testing.assert_array_equal(np.load(tmp_path / "scores.npy"), scores(run, rows))
    facts, metrics = (json.loads((run / f"{name}.json").read_text()) for name in ("metadata", "metrics"))
    assert facts["environment"]["gpu"] == cuda_devices()[0]
    metric = facts["metric"]
    assert as_score(metric, metrics[f"test_{metric}"]) > as_score(metric, metrics[f"baseline_{metric}"])
    resources = pd.read_csv(run / "resources.csv")
    assert resources.gpu_percent.between(0, 100).all()
    assert resources.gpu_memory_mb.max() > 100


@pytest.mark.parametrize("model", MODELS)
def test_training_twice_gives_the_same_model(trained, rows_of, model):
    words = [*TASKS["binary"], *MODELS[model], "device=cuda", "cv=none"]
    first, second = (scores(trained(name, *words), rows_of("binary")) for name in ("first", "second"))
    np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize("model", MODELS)
def test_it_says_much_the_same_as_a_model_of_the_cpu(trained, rows_of, model):
    """The two add up in another order, which moves a tree's cut or a weight here and there."""
    words = [*TASKS["binary"], *MODELS[model], "cv=none"]
    here, there = (scores(trained(device, *words, f"device={device}"), rows_of("binary")) for device in ("cpu", "cuda"))
    assert np.corrcoef(here, there)[0, 1] > 0.9


@pytest.mark.parametrize("words", [SEARCH, NEURAL_SEARCH, ENSEMBLE], ids=["search", "neural_search", "ensemble"])
def test_a_search_and_an_ensemble_train_there_too(trained, words):
    run = trained("there", *TASKS["binary"], *words, "device=cuda", "cv.n_folds=2")
    metrics = json.loads((run / "metrics.json").read_text())
    assert metrics["test_roc_auc"] > metrics["baseline_roc_auc"] + 0.1


def test_a_sweep_over_models_trains_there_too(python, tmp_path):
    words = [*TASKS["binary"], "model=xgboost,neural_network", "device=cuda", "cv=none", f"hydra.sweep.dir={tmp_path}"]
    result = python("-m", "src.train", "--multirun", *words)
    assert result.returncode == 0, result.stderr
    assert len(list(tmp_path.rglob("metadata.json"))) == 2
