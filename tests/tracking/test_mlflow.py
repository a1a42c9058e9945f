"""Runs on an MLflow server: a real one, of an environment of its own, because all of MLflow wants other packages than we do."""

import base64
import csv
import json
import os
import shutil
import signal
import socket
import subprocess
import threading
import time
import warnings
from contextlib import closing
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec
from pathlib import Path
from urllib.request import urlopen

import pandas as pd
import pytest
from conftest import ROOT

from bank_models.config.use_case import UseCase
from bank_models.data import load as source
from bank_models.errors import DataError, IntegrityError, TrainingError
from bank_models.files import manifest
from bank_models.predict import load_model
from bank_models.tracking import mlflow

SERVER = ROOT / ".venv-mlflow/bin/python"
QUIET = {"MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false"}
SECONDS = 10  # that a server which does not answer may cost


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """The address of an MLflow server on SQLite, which takes files itself."""
    reason = "MLflow is not installed here (make .venv/.mlflow .venv-mlflow/.installed): runs on its server are NOT tested"
    if not find_spec("mlflow") or not SERVER.exists():
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        warnings.warn(reason, stacklevel=1)
        pytest.skip(reason)
    folder = tmp_path_factory.mktemp("mlflow")
    with closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    where = ["--backend-store-uri", f"sqlite:///{folder}/runs.db", "--artifacts-destination", str(folder / "artifacts")]
    command = [SERVER, "-m", "mlflow", "server", *where, "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    ends_with_us = ["setpriv", "--pdeathsig", "TERM"] if shutil.which("setpriv") else []
    env = os.environ | QUIET | {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            [*ends_with_us, *command], cwd=folder, env=env, stdout=log, stderr=log, start_new_session=True
        )
    try:
        deadline = time.monotonic() + 120
        while not _answers(f"{url}/health"):
            assert process.poll() is None, (folder / "log").read_text()
            assert time.monotonic() < deadline, (folder / "log").read_text()
            time.sleep(0.1)
        yield url
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(timeout=60)


def _answers(url):
    try:
        return urlopen(url, timeout=5).status == 200
    except OSError:
        return False


@pytest.fixture(scope="module")
def client(server):
    from mlflow import MlflowClient

    return MlflowClient(server)


@pytest.fixture
def load(server, monkeypatch):
    """Load a model as somebody else would, by its name in the registry."""
    from mlflow import pyfunc

    for name, value in (QUIET | {"MLFLOW_TRACKING_URI": server}).items():
        monkeypatch.setenv(name, value)
    return lambda name: pyfunc.load_model(f"models:/{name}")


@pytest.fixture(scope="module")
def logged(server, client, run_of):
    """Log a run, once for all tests of this module: its folder and what the server has of it."""
    done = {}

    def log(kind):
        if kind not in done:
            done[kind] = _log(run_of(kind), server, client)
        return run_of(kind), done[kind]

    return log


def _log(run_dir, server, client):
    return client.get_run(mlflow.log(run_dir, server).rpartition("/")[2])


def read(run_dir, name):
    return json.loads((run_dir / name).read_text())


def curve(client, run, name):
    return {point.step: point.value for point in client.get_metric_history(run.info.run_id, name)}


def table(run_dir, name):
    with (run_dir / name).open(newline="") as file:
        return list(csv.DictReader(file))


def version_of(client, run):
    (found,) = client.search_model_versions(f"run_id='{run.info.run_id}'")
    return found


def frame_of(run_dir):
    """The rows that a run was trained on."""
    config = read(run_dir, "metadata.json")["config"]
    return source.load(use_case=UseCase.model_validate(config["use_case"]), **config["data_source"]).frame


# What is on the server


def test_a_run_is_named_by_its_model_in_the_experiment_of_its_use_case(client, logged):
    _, run = logged("tuned")
    assert client.get_experiment(run.info.experiment_id).name == "credit_scoring"
    assert (run.info.run_name, run.info.status) == ("xgboost", "FINISHED")


def test_a_run_begins_and_ends_when_it_did(logged):
    run_dir, run = logged("tuned")
    facts = read(run_dir, "metadata.json")
    assert run.info.end_time == datetime.fromisoformat(facts["created_at"]).timestamp() * 1000
    assert run.info.end_time - run.info.start_time == pytest.approx(1000 * sum(facts["durations_s"].values()), abs=1)


def test_params_have_the_names_and_values_of_the_command_line(logged):
    run_dir, run = logged("tuned")
    params, chosen = run.data.params, read(run_dir, "metadata.json")["params"]
    assert {name: params[f"model.params.{name}"] for name in chosen} == {name: json.dumps(chosen[name]) for name in chosen}
    expected = {"use_case": "credit_scoring", "model": "xgboost", "tuning.method": "random_search", "tuning.n_iter": "4"}
    expected |= {
        "cv.n_folds": "2",
        "cv.scoring": "null",
        "seed": "42",
        "calibration": "none",
        "data_split.method": "stratified",
    }
    assert expected.items() <= params.items()
    assert not [name for name in params if name.startswith(("use_case.", "tracking", "registry"))]


def test_params_that_are_longer_than_mlflow_allows_are_cut(server, client, run_of, tmp_path):
    run_dir = shutil.copytree(run_of("binary"), tmp_path / "run")
    facts = read(run_dir, "metadata.json")
    facts["config"]["data_source"]["query"] = "SELECT " + "x" * 10_000
    facts["params"] = {f"p{i}": i for i in range(250)}
    _rewrite(run_dir, "metadata.json", json.dumps(facts))
    params = _log(run_dir, server, client).data.params
    assert params["data_source.query"] == "SELECT " + "x" * 5_993
    assert {params[f"model.params.p{i}"] for i in range(250)} == {str(i) for i in range(250)}


@pytest.mark.parametrize("kind", ["binary", "tuned", "multiclass", "clustering"])
def test_metrics_are_those_of_the_run_folder_and_belong_to_the_model(client, logged, kind):
    run_dir, run = logged(kind)
    results = read(run_dir, "metrics.json")
    curves = {"train_loss", "val_loss", "learning_rate"}
    found = {k: v for k, v in run.data.metrics.items() if k not in curves and not k.startswith("system/")}
    assert found == results
    model = client.get_logged_model(run.outputs.model_outputs[0].model_id)
    assert {metric.key: metric.value for metric in model.metrics} == results


def test_the_history_is_whole_round_by_round(client, logged):
    run_dir, run = logged("tuned")
    history = table(run_dir, "history.csv")
    assert len(history) > 10
    for name in ("train_loss", "val_loss", "learning_rate"):
        assert curve(client, run, name) == {int(row["round"]): float(row[name]) for row in history}


def test_each_member_of_an_ensemble_has_its_curves_and_what_is_missing_is_left_out(server, client, run_of, tmp_path):
    run_dir = shutil.copytree(run_of("binary"), tmp_path / "run")
    rows = [f"{i},{1 / i},,0.1,xgboost" for i in range(1, 3001)] + ["1,0.5,0.7,0.1,lightgbm"]
    _rewrite(run_dir, "history.csv", "\n".join(["round,train_loss,val_loss,learning_rate,member", *rows]))
    run = _log(run_dir, server, client)
    assert curve(client, run, "xgboost/train_loss") == {i: 1 / i for i in range(1, 3001)}
    assert curve(client, run, "lightgbm/val_loss") == {1: 0.7}
    assert "xgboost/val_loss" not in run.data.metrics


def test_what_the_run_took_of_the_machine_is_told_by_time(server, client, run_of, tmp_path):
    run_dir = shutil.copytree(run_of("binary"), tmp_path / "run")
    columns = "at_s,step,cpu_percent,memory_mb,gpu_percent,gpu_memory_mb"
    _rewrite(run_dir, "resources.csv", f"{columns}\n0.1,load,50.0,300.5,,\n0.2,fit,99.5,310.0,,\n")
    run = _log(run_dir, server, client)
    points = client.get_metric_history(run.info.run_id, "system/process_cpu_utilization_percentage")
    assert [(point.value, point.timestamp - run.info.start_time) for point in points] == [(50.0, 100), (99.5, 200)]
    assert list(curve(client, run, "system/process_memory_usage_megabytes").values()) == [300.5, 310.0]
    assert not [name for name in run.data.metrics if "gpu" in name]


def test_tags_say_whose_data_and_code_it_was(logged):
    run_dir, run = logged("binary")
    facts = read(run_dir, "metadata.json")
    expected = {"department": "compliance", "data.kind": "real", "data.frame_sha256": facts["data"]["frame_sha256"]}
    expected |= {"mlflow.source.name": "bank_models.train", "algorithm": "LogisticRegression"}
    if facts["environment"]["git"]:
        expected["mlflow.source.git.commit"] = facts["environment"]["git"]["revision"]
    assert expected.items() <= run.data.tags.items()


@pytest.mark.parametrize("kind", ["binary", "clustering"])
def test_every_file_of_the_run_folder_is_there_byte_for_byte(client, logged, monkeypatch, tmp_path, kind):
    run_dir, run = logged(kind)
    monkeypatch.setenv("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    there = Path(client.download_artifacts(run.info.run_id, "", str(tmp_path)))
    assert _files(there) == _files(run_dir)


def _files(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def _rewrite(run_dir, name, text):
    """Change a file of a copied run, and the manifest with it."""
    (run_dir / name).write_text(text)
    (run_dir / "manifest.json").unlink()
    manifest.write_manifest(run_dir)


# The model


@pytest.mark.parametrize("kind", ["binary", "tuned", "multiclass", "regression", "clustering"])
def test_the_registered_model_scores_as_our_own_loader_does(client, logged, load, kind, tmp_path):
    run_dir, run = logged(kind)
    version = version_of(client, run)
    assert version.name == read(run_dir, "metadata.json")["use_case_key"]
    assert version.status == "READY"
    theirs, ours = load(f"{version.name}/{version.version}"), load_model(run_dir)
    frame = frame_of(run_dir).tail(300)
    frame.to_csv(tmp_path / "rows.csv", index=False)
    for rows in (frame, frame.assign(extra=1), pd.read_csv(tmp_path / "rows.csv", keep_default_na=False, na_values="")):
        pd.testing.assert_frame_equal(theirs.predict(rows), ours.predict(rows))


def test_a_registered_model_says_which_columns_it_needs_and_checks_their_values(client, logged, load):
    run_dir, run = logged("regression")
    version = version_of(client, run)
    model, needed = load(f"{version.name}/{version.version}"), load_model(run_dir).needed
    assert model.metadata.get_input_schema().input_names() == list(needed)
    assert model.metadata.metadata["columns"] == needed
    rows = frame_of(run_dir).tail(9)
    number = next(name for name, kind in needed.items() if kind == "float")
    with pytest.raises(DataError, match=number):
        model.predict(rows.astype({number: object}).assign(**{number: "much"}))


def test_a_later_run_is_a_later_version(server, client, logged):
    run_dir, run = logged("binary")
    earlier = int(version_of(client, run).version)
    assert int(version_of(client, _log(run_dir, server, client)).version) > earlier


def test_a_model_that_was_changed_on_the_server_is_refused(client, logged, load, tmp_path):
    _, run = logged("clustering")
    model_id = run.outputs.model_outputs[0].model_id
    (tmp_path / "model_card.md").write_text("A better model.\n")
    client.log_model_artifacts(model_id, str(tmp_path), load(model_id).metadata.flavors["python_function"]["data"])
    with pytest.raises(IntegrityError, match=r"model_card\.md is not the file that was written"):
        load(model_id)


def test_a_model_on_the_server_holds_no_pickle_and_no_code(client, logged):
    _, run = logged("binary")
    files, folders = [], [None]
    for folder in folders:
        for item in client.list_logged_model_artifacts(run.outputs.model_outputs[0].model_id, folder):
            (folders if item.is_dir else files).append(item.path)
    assert len(files) > 15
    assert not [name for name in files if name.endswith((".py", ".pkl", ".joblib"))]


# What goes wrong


def test_a_server_that_is_down_is_said_at_once(run_of):
    pytest.importorskip("mlflow")
    started = time.monotonic()
    with pytest.raises(TrainingError, match=r"^http://127\.0\.0\.1:1 does not answer .*: \[Errno 111\] Connection refused$"):
        mlflow.log(run_of("binary"), "http://127.0.0.1:1")
    assert time.monotonic() - started < SECONDS


def test_a_server_that_is_silent_is_not_waited_for(run_of):
    pytest.importorskip("mlflow")
    with closing(socket.create_server(("127.0.0.1", 0))) as silent:
        started = time.monotonic()
        with pytest.raises(TrainingError, match=r"does not answer .*: timed out"):
            mlflow.log(run_of("binary"), f"http://127.0.0.1:{silent.getsockname()[1]}")
        assert time.monotonic() - started < SECONDS


def test_a_password_in_the_address_is_used_and_not_shown(run_of):
    pytest.importorskip("mlflow")
    asked = []

    class Refusing(BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.headers["Authorization"])
            self.send_error(401)

        def log_message(self, *arguments):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Refusing) as refusing:
        threading.Thread(target=refusing.serve_forever, daemon=True).start()
        host = f"127.0.0.1:{refusing.server_port}"
        with pytest.raises(TrainingError, match=f"^http://{host} does not answer .* 401") as refused:
            mlflow.log(run_of("binary"), f"http://ann:hush%40w0rd@{host}")
        refusing.shutdown()
    assert asked == [f"Basic {base64.b64encode(b'ann:hush@w0rd').decode()}"]
    shown, error = [], refused.value
    while error is not None:
        shown.append(str(error))
        error = error.__cause__ or error.__context__
    assert not [text for text in shown if "w0rd" in text]


def test_a_run_that_could_not_be_sent_whole_has_failed_there_too(server, client, run_of, tmp_path):
    run_dir = shutil.copytree(run_of("binary"), tmp_path / "run")
    facts = read(run_dir, "metadata.json")
    facts["use_case_key"] = "fails"
    _rewrite(run_dir, "metadata.json", json.dumps(facts))
    _rewrite(run_dir, "history.csv", "round,train_loss\n1,much\n")
    with pytest.raises(ValueError, match="could not convert string to float: 'much'"):
        _log(run_dir, server, client)
    (run,) = client.search_runs([client.get_experiment_by_name("fails").experiment_id])
    assert run.info.status == "FAILED"
    assert not client.search_model_versions(f"run_id='{run.info.run_id}'")


def test_nothing_is_printed_sent_elsewhere_or_left_changed(server, run_of, python):
    code = f"""
import logging, os, sys, threading
from pathlib import Path
from bank_models.scoring import model  # the libraries that a training process has loaded
from bank_models.tracking import mlflow
assert "mlflow" not in sys.modules
before = dict(os.environ), logging.root.handlers[:], logging.root.manager.disable
line = mlflow.log(Path({str(run_of("binary"))!r}), {server!r})
assert before == (dict(os.environ), logging.root.handlers[:], logging.root.manager.disable)
assert not logging.getLogger("mlflow").handlers
from mlflow.telemetry.client import get_telemetry_client
assert get_telemetry_client() is None
assert threading.enumerate() == [threading.main_thread()]
print(line)
"""
    unset = "import os\nfor name in ('CI', 'PYTEST_CURRENT_TEST', 'MLFLOW_DISABLE_TELEMETRY'): os.environ.pop(name, None)\n"
    result = python("-c", unset + code)
    assert result.returncode == 0, result.stderr
    assert result.stdout.startswith(f"{server}/#/experiments/")
    assert (len(result.stdout.splitlines()), result.stderr) == (1, "")


# On the command line


def _train(python, run_dir, uri):
    return python(
        *("-m", "src.train", "use_case=fair_lending", "model=xgboost", "cv=none", "registry=none"),
        *("tracking=mlflow", f"tracking.experiments={run_dir.parent}/experiments.jsonl", f"hydra.run.dir={run_dir}"),
        env={"MLFLOW_TRACKING_URI": uri},
    )


def test_a_run_that_is_tracked_says_where_it_can_be_seen(server, client, python, tmp_path):
    result = _train(python, tmp_path / "run", server)
    assert result.returncode == 0, result.stderr
    line = next(line for line in result.stdout.splitlines() if server in line)
    run = client.get_run(line.rpartition("/")[2])
    assert (run.info.run_name, run.info.status) == ("xgboost", "FINISHED")
    assert run.data.metrics.items() >= read(tmp_path / "run", "metrics.json").items()


def test_a_server_that_is_down_costs_a_run_one_warning(python, tmp_path):
    pytest.importorskip("mlflow")
    address = "http://ann:hush@127.0.0.1:1"
    result = _train(python, tmp_path / "run", address)
    assert result.returncode == 0, result.stderr
    assert len([line for line in result.stderr.splitlines() if "127.0.0.1:1" in line]) == 1
    assert "hush" not in result.stdout + result.stderr
    assert load_model(tmp_path / "run").use_case.key == "fair_lending"
    manifest.verify(tmp_path / "run")
