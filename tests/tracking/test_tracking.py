import fcntl
import json
import multiprocessing
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest
import yaml
from conftest import ROOT, run_warm

from bank_models import tracking
from bank_models.errors import ConfigError
from bank_models.files import manifest
from bank_models.runs import experiments
from bank_models.tracking import dvclive

FORK = multiprocessing.get_context("fork")
SMALL = ["use_case=credit_scoring", "model=dummy", "cv=none", "registry=none"]


def lines(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_an_experiment_is_what_the_specification_lists_and_says_which_run_it_was(run_of):
    folder = run_of("tuned")
    one, facts = experiments.experiment(folder), json.loads((folder / "metadata.json").read_text())
    assert {"timestamp", "model_type", "parameters", "metrics", "artifacts", "environment"} <= set(one)
    assert one["timestamp"] == facts["created_at"]
    assert one["model_type"] == "XGBClassifier"
    assert one["parameters"] == facts["params"]
    assert one["metrics"] == json.loads((folder / "metrics.json").read_text())
    assert {"python_version", "sklearn_version", "numpy_version"} <= set(one["environment"])
    assert {"model.skops", "history.csv", "report.html"} <= set(one["artifacts"])
    assert (ROOT / one["run_dir"]).resolve() == folder


def test_eight_processes_add_a_hundred_lines_and_none_is_torn_or_lost(tmp_path):
    path = tmp_path / "runs/experiments.jsonl"

    def many(who: int) -> None:
        for i in range(100):
            experiments.append(path, {"who": who, "i": i, "filling": "x" * 5000})

    processes = [FORK.Process(target=many, args=(who,)) for who in range(8)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    found = [(line["who"], line["i"]) for line in lines(path)]
    assert sorted(found) == [(who, i) for who in range(8) for i in range(100)]
    assert all([i for who, i in found if who == one] == list(range(100)) for one in range(8))


@pytest.mark.parametrize("torn", ['{"i": 1, "metr', "x" * 200_000])
def test_a_line_that_a_killed_process_had_begun_is_dropped(tmp_path, torn):
    path = tmp_path / "experiments.jsonl"
    experiments.append(path, {"i": 0})
    with path.open("a") as file:
        file.write(torn)
    experiments.append(path, {"i": 2})
    assert [line["i"] for line in lines(path)] == [0, 2]
    path.write_text(torn)
    experiments.append(path, {"i": 3})
    assert [line["i"] for line in lines(path)] == [3]


def test_a_writer_waits_for_another(tmp_path):
    path = tmp_path / "experiments.jsonl"
    with path.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        waiting = FORK.Process(target=experiments.append, args=(path, {"i": 0}))
        waiting.start()
        time.sleep(0.3)
        assert path.read_text() == ""
        fcntl.flock(file, fcntl.LOCK_UN)  # closing is not enough: the other process has inherited the file
    waiting.join()
    assert len(lines(path)) == 1


def test_dvclive_holds_the_metrics_params_and_curves_of_the_run(run_of, tmp_path):
    folder, home = run_of("tuned"), tmp_path / "dvclive"
    dvclive.log(folder, home)
    assert json.loads((home / "metrics.json").read_text()) == json.loads((folder / "metrics.json").read_text())
    facts = json.loads((folder / "metadata.json").read_text())
    assert yaml.safe_load((home / "params.yaml").read_text())["model"] == {"name": "xgboost", "params": facts["params"]}
    drawn = {name: json.loads((home / f"plots/custom/{name}.json").read_text()) for name in ("loss", "memory")}
    history, resources = (pd.read_csv(folder / f"{name}.csv") for name in ("history", "resources"))
    assert drawn["loss"] == history[["round", "train_loss", "val_loss"]].to_dict("records")
    assert drawn["memory"] == resources[["at_s", "memory_mb"]].to_dict("records")


def test_dvc_itself_reads_what_dvclive_wrote(run_of, tmp_path):
    def dvc(*arguments: str) -> str:
        done = subprocess.run([sys.executable, "-m", "dvc", *arguments], cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout

    dvc("init", "--no-scm")
    dvclive.log(run_of("binary"), tmp_path / "dvclive")
    (shown,) = json.loads(dvc("metrics", "show", "--json"))[""]["data"].values()
    assert shown["data"] == json.loads((run_of("binary") / "metrics.json").read_text())
    assert "processor.json" in dvc("plots", "show", "--json")


def test_every_kind_of_run_can_be_logged_and_a_later_one_takes_the_place_of_the_earlier(run_of, tmp_path):
    home = tmp_path / "dvclive"
    for kind in ("tuned", "clustering", "anomaly", "quantile"):
        dvclive.log(run_of(kind), home)
    assert json.loads((home / "metrics.json").read_text()) == json.loads((run_of("quantile") / "metrics.json").read_text())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["dvclive"]


def test_a_folder_that_is_not_dvclives_is_left_alone(run_of, tmp_path):
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(ConfigError, match=r"is not DVCLive's: choose another with tracking\.path="):
        dvclive.log(run_of("binary"), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_tracker_that_fails_is_one_warning_and_the_run_is_whole(tmp_path):
    (tmp_path / "live").mkdir()
    (tmp_path / "live/thesis.tex").write_text("years of work")
    (tmp_path / "experiments.jsonl").mkdir()
    where = [f"tracking.path={tmp_path}/live", f"tracking.experiments={tmp_path}/experiments.jsonl"]
    result = run_warm(*SMALL, "tracking=dvclive", *where, f"hydra.run.dir={tmp_path}/run")
    assert result.returncode == 0
    warned = [line for line in result.stderr.splitlines() if "failed, the run itself did not" in line]
    assert len(warned) == 2
    assert warned[0].startswith(f"{tmp_path}/experiments.jsonl failed, the run itself did not: IsADirectoryError")
    assert warned[1].startswith("tracking=dvclive failed, the run itself did not: ConfigError")
    assert "Traceback" not in result.stderr
    manifest.verify(tmp_path / "run")


def test_a_single_run_is_tracked_a_job_of_a_sweep_only_if_told_and_each_is_an_experiment(tmp_path):
    where = [f"tracking.path={tmp_path}/live", f"tracking.experiments={tmp_path}/experiments.jsonl"]
    sweep = ["--multirun", "seed=1,2", "hydra/launcher=joblib", *SMALL, *where]
    assert run_warm(*sweep, f"hydra.sweep.dir={tmp_path}/a").returncode == 0
    assert not (tmp_path / "live").exists()
    assert run_warm(*SMALL, *where, f"hydra.run.dir={tmp_path}/run").returncode == 0
    assert (tmp_path / "live/metrics.json").is_file()
    told = run_warm(
        "--multirun", "tracking=dvclive", *SMALL, f"tracking.path={tmp_path}/told", where[1], f"hydra.sweep.dir={tmp_path}/b"
    )
    assert told.returncode == 0, told.stderr
    assert (tmp_path / "told/metrics.json").is_file()
    assert len(lines(tmp_path / "experiments.jsonl")) == 4


def test_nothing_is_left_of_a_run_that_tracks_nothing(tmp_path):
    before = (ROOT / "runs/experiments.jsonl").read_bytes() if (ROOT / "runs/experiments.jsonl").exists() else None
    result = run_warm(*SMALL, "tracking=none", f"hydra.run.dir={tmp_path}/run")
    assert result.returncode == 0
    after = (ROOT / "runs/experiments.jsonl").read_bytes() if (ROOT / "runs/experiments.jsonl").exists() else None
    assert before == after


def test_no_traceback_of_a_library_ends_a_tracked_run(python, tmp_path):
    where = [f"tracking.path={tmp_path}/live", f"tracking.experiments={tmp_path}/experiments.jsonl"]
    result = python("-m", "src.train", *SMALL, *where, f"hydra.run.dir={tmp_path}/run")
    assert result.returncode == 0
    assert "Exception" not in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize(
    ("words", "environment", "message"),
    [
        (
            ["tracking=mlflow"],
            "localhost",
            "tracking.uri_env=MLFLOW_TRACKING_URI, but that environment variable does not hold the address of a server.\nOne ",
        ),
        (["tracking=mlflow", "tracking.uri_env=http://u:secret@host"], "", "tracking.uri_env is saved as typed"),
        (["tracking=none", "tracking.path=there"], "", "a path goes with tracking=dvclive, and only with it"),
        (["tracking=wandb"], "", "wandb"),
    ],
)
def test_a_tracker_that_cannot_be_used_is_refused_before_anything_is_trained(python, tmp_path, words, environment, message):
    result = python(
        "-m", "src.train", *SMALL, *words, f"hydra.run.dir={tmp_path}/run", env={"MLFLOW_TRACKING_URI": environment}
    )
    assert result.returncode == 2
    assert message in result.stderr
    assert "secret" not in result.stderr
    assert not (tmp_path / "run").exists()


def test_without_an_address_mlflow_keeps_runs_in_a_file_here(tmp_path, run_of, monkeypatch, capsys):
    mlflow = pytest.importorskip("mlflow")
    run = run_of("binary")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    tracking.track(run, "mlflow", None, "MLFLOW_TRACKING_URI", None)
    assert "mlflow ui --backend-store-uri sqlite:///mlflow.db" in capsys.readouterr().out
    client = mlflow.MlflowClient("sqlite:///mlflow.db")
    (kept,) = client.search_runs([client.search_experiments()[0].experiment_id])
    assert kept.data.metrics.items() >= json.loads((run / "metrics.json").read_text()).items()
    assert "report.html" in [file.path for file in client.list_artifacts(kept.info.run_id)]


def test_ctrl_c_while_a_tracker_is_told_leaves_the_run_whole(tmp_path, run_of, monkeypatch):
    def interrupted(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(experiments, "append", interrupted)
    with pytest.raises(KeyboardInterrupt):
        tracking.track(run_of("binary"), "none", None, None, str(tmp_path / "experiments.jsonl"))
    manifest.verify(run_of("binary"))
