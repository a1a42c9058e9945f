"""Sweeps on a Ray cluster; here one of this machine alone, which Ray starts and ends with the sweep."""

import json

import numpy as np
import pyarrow.parquet as pq
import pytest

pytest.importorskip("hydra_plugins.hydra_ray_launcher", reason="make setup EXTRAS=ray")
pytestmark = pytest.mark.slow

JOBS = ["use_case=credit_scoring", "model=logistic_regression,xgboost,linear_regression", "cv.n_folds=2", "tracking=none"]


@pytest.fixture
def sweep(python, tmp_path):
    """Exit code, table and folder of a sweep by a launcher."""

    def run(launcher: str, *words: str):
        folder = tmp_path / launcher
        words = [f"hydra/launcher={launcher}", f"hydra.sweep.dir={folder}", *words]
        result = python("-m", "src.train", "--multirun", *JOBS, *words)
        assert "Traceback" not in result.stderr
        return result.returncode, json.loads((folder / "results.json").read_text()), folder / "credit_scoring"

    return run


SAME = ("use_case", "model", "metric", "value", "ci_low", "ci_high", "baseline", "ceiling", "status", "reason")


def told(table: list[dict]) -> list[dict]:
    """What a table tells of each model, without what differs from one time to the next."""
    return sorted(({name: row[name] for name in SAME} for row in table), key=lambda row: row["model"])


def answers(run) -> list[np.ndarray]:
    table = pq.read_table(run / "test_scores.parquet")
    return [column.to_numpy() for column in table.columns]


def test_the_same_numbers_come_from_a_cluster_and_a_job_that_cannot_work_stops_no_other(sweep):
    code, table, there = sweep("ray")
    assert code == 5
    assert sorted(row["status"] for row in table) == ["ok", "ok", "refused"]
    _, table_here, here = sweep("joblib", "n_threads=1")
    assert told(table) == told(table_here)
    for model in ("logistic_regression", "xgboost"):
        np.testing.assert_equal(answers(there / model), answers(here / model))
        assert json.loads((there / model / "metadata.json").read_text())["n_threads"] == 1


def test_a_cluster_that_runs_already_is_joined(sweep, python, tmp_path):
    def ray(*words: str) -> None:
        result = python("-m", "ray.scripts.scripts", *words)
        assert result.returncode == 0, result.stderr

    ray("start", "--head", "--num-cpus=2", "--include-dashboard=false", "--disable-usage-stats")
    try:
        code, table, _ = sweep("ray", "hydra.launcher.ray.init.address=auto")
    finally:
        ray("stop")
    assert code == 5
    assert sorted(row["status"] for row in table) == ["ok", "ok", "refused"]


def test_a_task_that_asks_for_two_cores_uses_two_threads(sweep):
    _, _, there = sweep("ray", "+hydra.launcher.ray.remote.num_cpus=2", "+hydra.launcher.ray.init.num_cpus=2")
    assert json.loads((there / "xgboost/metadata.json").read_text())["n_threads"] == 2
