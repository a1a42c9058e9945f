"""Models on a real CUDA device, from the command line to a process that has none. Without a device there is nothing to test."""

import json
import os

import numpy as np
import pandas as pd
import pytest
from conftest import elsewhere

from src.data import source
from src.device import cuda_devices
from src.metrics import as_score
from src.predict import load_model

pytestmark = pytest.mark.skipif(not cuda_devices(), reason="there is no CUDA device here")

TASKS = {
    "binary": ["use_case=credit_risk_scoring", "data_source.rows=3000"],
    "multiclass": ["use_case=sme_lending", "data_source.rows=3000"],
    "regression": ["use_case=collateral_management", "data_source.rows=3000"],
}
MODELS = {"xgboost": ["model=xgboost"], "neural_network": ["model=neural_network", "model.params.max_epochs=20"]}
PAIRS = [(model, task) for model in MODELS for task in TASKS]
SEARCH = ["model=xgboost", "tuning=random_search", "tuning.n_iter=4"]
ENSEMBLE = ["model=ensemble", "model.params.n_folds=2"]


@pytest.fixture
def trained(train, tmp_path):
    """Folder of a finished run under a name of its own: trained("here", "device=cpu")."""

    def run(name: str, *words: str):
        result = train(*words)
        assert result.returncode == 0, result.stderr
        assert "warn" not in result.stderr.lower()
        return (tmp_path / "run").rename(tmp_path / name)

    return run


@pytest.fixture
def rows_of(compose):
    def rows(task: str) -> pd.DataFrame:
        config = compose(*TASKS[task])
        return source.load(use_case=config.use_case, **config.data_source.model_dump()).frame

    return rows


def scores(run, rows) -> np.ndarray:
    return load_model(run).predict(rows).score.to_numpy()


def scores_without_a_device(run, rows) -> np.ndarray:
    os.environ["CUDA_VISIBLE_DEVICES"] = ""
    assert cuda_devices() == []
    return scores(run, rows)


@pytest.mark.parametrize(("model", "task"), PAIRS)
def test_a_model_trained_there_answers_the_same_where_there_is_no_device(trained, rows_of, model, task):
    run, rows = trained("there", *TASKS[task], *MODELS[model], "device=cuda", "cv.n_folds=2"), rows_of(task)
    np.testing.assert_array_equal(scores(run, rows), elsewhere(scores_without_a_device, run, rows))
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


@pytest.mark.parametrize("words", [SEARCH, ENSEMBLE], ids=["search", "ensemble"])
def test_a_search_and_an_ensemble_train_there_too(trained, words):
    run = trained("there", *TASKS["binary"], *words, "device=cuda", "cv.n_folds=2")
    metrics = json.loads((run / "metrics.json").read_text())
    assert metrics["test_roc_auc"] > metrics["baseline_roc_auc"] + 0.1
