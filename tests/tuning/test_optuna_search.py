"""`hydra/sweeper=optuna`: trials as jobs, over the space that the model's file declares."""

import json
import signal
import subprocess
import sys
import time

import pytest
import yaml
from conftest import ROOT, run_warm

SWEEP = ["--multirun", "hydra/sweeper=optuna", "model=xgboost", "use_case=credit_scoring", "cv=none", "tracking=none"]
SWEEP += ["model.params.n_estimators=20", "n_threads=1"]


def rows_of(folder):
    rows = json.loads((folder / "results.json").read_text())
    return sorted(([row["run_dir"], row["differs"], row["value"], row["status"]] for row in rows), key=str)


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sweep") / "whole"
    command = [sys.executable, "-m", "src.train", *SWEEP, "hydra.sweeper.n_trials=5", f"hydra.sweep.dir={folder}"]
    return folder, subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)


def test_a_search_takes_the_space_of_the_models_file_and_ends_with_its_table_and_the_best(uninterrupted):
    folder, result = uninterrupted
    assert result.returncode == 0, result.stderr
    space = yaml.safe_load((ROOT / "conf/model/xgboost.yaml").read_text())["search_space"]
    rows = json.loads((folder / "results.json").read_text())
    assert sorted(row["run_dir"] for row in rows) == ["0", "1", "2", "3", "4"]
    for row in rows:
        assert set(row["differs"]) == {f"model.params.{name}" for name in space}
        for key, value in row["differs"].items():
            assert space[key.rpartition(".")[2]]["low"] <= float(value) <= space[key.rpartition(".")[2]]["high"]
    scores = {path.stem: json.loads(path.read_text())["score"] for path in folder.glob("[0-9].json")}
    best = yaml.safe_load((folder / "optimization_results.yaml").read_text())
    assert (str(best["best_trial"]), best["best_value"]) == max(scores.items(), key=lambda item: item[1])
    assert f"Best on val: trial {best['best_trial']}, " in result.stdout
    assert "[5/5]" in result.stdout
    assert "best so far" in result.stdout


@pytest.mark.slow
def test_a_search_that_was_killed_goes_on_and_comes_to_the_same(uninterrupted, python, tmp_path):
    folder = tmp_path / "killed"
    command = [sys.executable, "-m", "src.train", *SWEEP, "hydra.sweeper.n_trials=5", f"hydra.sweep.dir={folder}"]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 200
    while not (folder / "2.log").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait()
    kept = (folder / "1.json").stat().st_mtime_ns
    time.sleep(2)  # a job that sees its sweep gone ends by itself
    result = python("-m", "src.train", *SWEEP, "hydra.sweeper.n_trials=5", f"hydra.sweep.dir={folder}", "resume=true")
    assert result.returncode == 0, result.stderr
    assert (folder / "1.json").stat().st_mtime_ns == kept
    assert rows_of(folder) == rows_of(uninterrupted[0])


@pytest.mark.slow  # that jobs side by side come to the same is tested in tests/sweeps/test_portfolio.py
def test_a_search_may_use_the_cores_and_comes_to_the_same(uninterrupted, python, tmp_path):
    arguments = ["hydra/launcher=joblib", "hydra.sweeper.n_trials=2", f"hydra.sweep.dir={tmp_path}/s"]
    result = python("-m", "src.train", *SWEEP, *arguments)
    assert result.returncode == 0, result.stderr
    first = [row for row in rows_of(uninterrupted[0]) if row[0] in ("0", "1")]
    assert [row[2:] for row in rows_of(tmp_path / "s")] == [row[2:] for row in first]


def test_a_failed_trial_is_shown_and_stops_no_other(python, tmp_path):
    ranges = ["model.params.max_depth=choice(3,-1)", "hydra.sweeper.n_trials=4", "hydra/sweeper/sampler=random"]
    result = python("-m", "src.train", *SWEEP, *ranges, f"hydra.sweep.dir={tmp_path}/s")
    assert result.returncode == 5
    rows = json.loads((tmp_path / "s/results.json").read_text())
    status = {row["differs"]["model.params.max_depth"]: row["status"] for row in rows}
    assert status == {"3": "ok", "-1": "refused"}
    assert len(rows) == 4
    assert "failed: model.params.max_depth" in result.stdout


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["hydra.sweeper.direction=minimize"], "hydra.sweeper.direction=minimize: a job's score is higher"),
        (["data_split.random_state=range(1,9)"], "the best of them is the luckiest split"),
        (["use_case=fraud,churn_prediction"], "use_case cannot be searched: each has its own metric and rows"),
        (["model=xgboost,dummy", "model.params.max_depth=3,4"], "model.params.max_depth is not known"),
        (["model=dummy"], "model=dummy declares no search space"),
        (["model.params.max_depth=x"], "model.params.max_depth"),
    ],
)
def test_a_search_that_cannot_work_is_refused_before_it_starts(tmp_path, overrides, message):
    search = ["--multirun", "hydra/sweeper=optuna", "use_case=credit_scoring"]
    result = run_warm(*search, *overrides, f"hydra.sweep.dir={tmp_path}/s")
    assert (result.returncode, "Traceback" in result.stderr) == (2, False), result.stderr
    assert message in result.stderr
