"""Every model with every task it declares, on small cases, from the command line to a new process."""

import hashlib
import json

import numpy as np
import pandas as pd
import pytest
import yaml
from conftest import FEW_FOLDS, ROOT, elsewhere, options

from bank_models.metrics.names import as_score
from bank_models.predict import load_model
from bank_models.runs import model_file

RNG = np.random.default_rng(0)
N = 1200
CLASSES = np.array(["low", "middle", "high"])
USE_CASE = """\
# @package _global_
defaults:
  - override /data_source: file
  - override /data_split: {split}
  - override /cv: {cv}
  - _self_
use_case:
  id: UC-TEST-001
  key: {task}_case
  name: A small case
  department: test
  row: A row that was drawn.
  task: {task}
  target: {target}
  metric: {metric}
  {more}
  features:
    income: {{type: float}}
    age: {{type: float, max_missing: 0.3}}
    region: {{type: category}}
"""
CASES = {
    "binary": {"target": "late", "metric": "roc_auc", "split": "stratified", "cv": "stratified_kfold", "more": ""},
    "multiclass": {
        "target": "rating", "metric": "log_loss", "split": "group", "cv": "stratified_group_kfold",
        "more": "classes: [low, middle, high]\n  is_ordered: true\n  group_column: company",
    },
    "regression": {
        "target": "loss_eur", "metric": "rmse", "split": "temporal", "cv": "time_series",
        "more": "target_transform: log1p\n  target_min: 0\n  time_column: day\n  series: {season: 7}",
    },
    "clustering": {"target": "null", "metric": "silhouette", "split": "none", "cv": "none", "more": ""},
    "anomaly": {"target": "odd", "metric": "average_precision", "split": "stratified", "cv": "none", "more": ""},
}  # fmt: skip
ESTIMATORS = {name: yaml.safe_load((ROOT / f"conf/model/{name}.yaml").read_text())["estimator"] for name in options("model")}
# every model is trained for one task, and every task by several; tests of their own see to networks and CatBoost
LONG = {(model, "multiclass") for model in ESTIMATORS} - {("logistic_regression", "multiclass"), ("xgboost", "multiclass")}
LONG |= {(model, "regression") for model in ("catboost", "ensemble", "gradient_boosting", "neural_network", "random_forest")}
PAIRS = [(model, task) for model, tasks in ESTIMATORS.items() for task in tasks]
QUICK = {
    "catboost": ["model.params.iterations=60"],
    "neural_network": ["model.params.max_epochs=15"],
    "ensemble": ["model.params.n_folds=2"],
}


@pytest.fixture(scope="module")
def cases(tmp_path_factory):
    """A folder with `rows.parquet` and a use case of each task."""
    folder = tmp_path_factory.mktemp("cases")
    centre = RNG.integers(0, 2, N)
    frame = pd.DataFrame(
        {
            "income": RNG.normal(size=N) + 4 * centre,
            "age": np.where(RNG.random(N) < 0.1, np.nan, RNG.normal(size=N)),
            "region": RNG.choice(["north", "south", "east"], N),
            "company": RNG.integers(0, 100, N).astype(str),
            "day": np.datetime64("2024-01-01") + RNG.integers(0, 300, N) * np.timedelta64(1, "D"),
        }
    )
    signal = frame.income + 0.5 * (frame.region == "north")
    frame["late"] = (RNG.random(N) < 1 / (1 + np.exp(2 - signal))).astype(int)
    frame["rating"] = pd.cut(signal + 0.5 * RNG.normal(size=N), [-99, 0, 3, 99], labels=["low", "middle", "high"]).astype(str)
    frame["loss_eur"] = np.exp(0.5 * signal + 0.2 * RNG.normal(size=N)).round(2)
    frame["odd"] = 0
    frame.loc[:24, "age"], frame.loc[:24, "odd"] = 12 + RNG.normal(size=25), 1
    frame.to_parquet(folder / "rows.parquet")
    (folder / "use_case").mkdir()
    for task, facts in CASES.items():
        (folder / f"use_case/{task}_case.yaml").write_text(USE_CASE.format(task=task, **facts))
    return folder


def command(cases, model, task):
    source = f"data_source.path={cases}/rows.parquet"
    folds = [] if task in ("clustering", "anomaly") else FEW_FOLDS
    return ["--config-dir", cases, f"use_case={task}_case", f"model={model}", source, *folds, *QUICK.get(model, [])]


def answers(run_dir, cases) -> str:
    """Hash of what a saved model says of the rows."""
    model = model_file.load(run_dir)
    ask = model.predict_proba if hasattr(model, "predict_proba") else model.predict
    return hashlib.sha256(ask(pd.read_parquet(cases / "rows.parquet")).tobytes()).hexdigest()


def check_scores(run_dir, rows, task):
    """Scoring says what the saved model says."""
    model, scored = model_file.load(run_dir), load_model(run_dir).predict(rows)
    if task == "multiclass":
        names = CLASSES[model.predict(rows)]
        np.testing.assert_array_equal(scored.decision, names)
        np.testing.assert_array_equal(scored.filter(like="probability_"), model.predict_proba(rows))
        np.testing.assert_array_equal(scored.score, model.predict_proba(rows)[np.arange(N), model.predict(rows)])
        return
    score = {"binary": lambda: model.predict_proba(rows)[:, 1], "regression": lambda: model.predict(rows)}
    np.testing.assert_array_equal(scored.score, score.get(task, lambda: model.score_samples(rows))())
    expected = model.predict(rows)
    np.testing.assert_array_equal(scored.decision, expected == -1 if task == "anomaly" else expected)


@pytest.mark.parametrize(
    ("model", "task"), [pytest.param(*pair, marks=[pytest.mark.slow] if pair in LONG else []) for pair in PAIRS]
)
def test_a_model_trains_saves_loads_elsewhere_and_beats_the_baseline(train, cases, tmp_path, model, task):
    result = train(*command(cases, model, task))
    assert result.returncode == 0, result.stderr
    assert elsewhere(answers, tmp_path / "run", cases) == answers(tmp_path / "run", cases)
    check_scores(tmp_path / "run", pd.read_parquet(cases / "rows.parquet"), task)
    metrics, facts = (json.loads((tmp_path / f"run/{name}.json").read_text()) for name in ("metrics", "metadata"))
    metric = CASES[task]["metric"]
    assert ("torch" in facts["environment"]["packages"]) == (model == "neural_network")
    if task == "clustering":
        assert metrics["silhouette"] > 0.15
        assert metrics["stability"] > 0.5
        assert len(pd.read_csv(tmp_path / "run/profiles.csv")) >= 2
    elif model == "dummy":
        assert metrics[f"test_{metric}"] == pytest.approx(metrics[f"baseline_{metric}"], rel=0.2)
    else:
        assert as_score(metric, metrics[f"test_{metric}"]) > as_score(metric, metrics[f"baseline_{metric}"])
    if task == "regression":
        assert metrics["baseline_rmse"] < metrics["last_value_rmse"]  # rows of a day have nothing to do with each other
        assert "seasonal_naive_rmse" in metrics


def test_a_new_use_case_is_one_file_and_a_csv_and_its_model_answers(train, cases, tmp_path):
    """Card spending, which most months is nothing: a number with a mass at zero."""
    rows = pd.read_parquet(cases / "rows.parquet")
    spent = np.where(rows.income > 2, rows.loss_eur, 0.0)
    rows[["income", "age", "region"]].assign(spent_eur=spent).to_csv(tmp_path / "spending.csv", index=False)
    (tmp_path / "my_conf/use_case").mkdir(parents=True)
    facts = {"target": "spent_eur", "metric": "mae", "split": "random", "cv": "kfold", "more": "target_min: 0"}
    (tmp_path / "my_conf/use_case/card_spending.yaml").write_text(USE_CASE.format(task="regression", **facts))
    result = train("--config-dir", tmp_path / "my_conf", "use_case=card_spending", f"data_source.path={tmp_path}/spending.csv")
    assert result.returncode == 0, result.stderr
    metrics = json.loads((tmp_path / "run/metrics.json").read_text())
    assert metrics["test_mae_ci_high"] < metrics["baseline_mae"]
    predicted = model_file.load(tmp_path / "run").predict(rows)
    assert predicted.min() >= 0
    assert np.median(predicted[spent == 0]) < 0.05 < np.median(predicted[spent > 0])


@pytest.mark.parametrize(("model", "task"), [(m, t) for m in ESTIMATORS for t in CASES if (m, t) not in PAIRS])
def test_a_pair_that_nobody_declared_is_refused_with_the_models_that_fit(cases, model, task):
    from bank_models import command_line, train

    arguments = [str(argument) for argument in command(cases, model, task)]
    with pytest.raises(
        command_line.ConfigError, match=f"but use_case={task}_case is {task}.\nChoose a model that fits {task}: "
    ):
        command_line._compose_and_check(arguments)
    assert command_line.run(train.main, arguments, "") == 2
