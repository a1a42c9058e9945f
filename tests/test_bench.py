"""The bench of false alarms and power runs, and says what it should of cases that are clear."""

import importlib.util
import os
import subprocess
import sys

import pytest
from conftest import ROOT, elsewhere


@pytest.fixture(scope="module")
def bench():
    spec = importlib.util.spec_from_file_location("bench_noise", ROOT / "bench/noise.py")
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def noise_judged_by_f1() -> dict:
    sys.path.insert(0, str(ROOT / "bench"))
    import noise

    return noise.noise("tiny", 8) | {"results": None}


def test_a_noise_model_is_trained_judged_and_stopped(bench):
    run = elsewhere(noise_judged_by_f1)
    assert (run["metric"], run["red"]) == ("f1", ["gain"])
    assert bench.table_of_noise([run]) == ([["tiny", "1", "0", "0.0%", "0.0%", "f1 0/1"]], [])


def test_a_kind_of_table_whose_noise_is_promoted_too_often_is_told(bench):
    runs = [{"kind": "tiny", "seed": seed, "metric": "f1", "model": "m", "red": [], "results": None} for seed in range(3)]
    rows, missed = bench.table_of_noise(runs)
    assert "**missed**" in rows[0][3]
    assert missed == ["noise, tiny: 100.0% promoted"]


def test_leaks_in_a_real_table_are_named_and_its_own_columns_are_not(bench):
    german = ("use_case=credit_scoring", "data_source=packaged", "data_source.name=german_credit")
    assert {(one["kind"], one["is_named"]) for one in bench.named(german, 1)} == {
        (kind, True) for kind, (_, tasks) in bench.LEAKS.items() if "binary" in tasks
    }
    assert bench.accused(german, 1) == {"table": "german_credit", "n_columns": 18, "columns": {}, "order": []}


def test_a_challenger_far_better_replaces_and_one_far_worse_does_not(bench):
    assert bench.replaces(5000, 0.05, True, 3)["all"] == 1.0
    assert bench.replaces(5000, -0.075, True, 3)["all"] == 0.0


@pytest.mark.parametrize(
    ("name", "arguments", "shown"),
    [("noise", ["--only", "power", "--seeds", "1", "--jobs", "1"], "| equal |"), ("coverage", ["--help"], "--out")],
)
def test_a_bench_runs_from_any_folder(name, arguments, shown, tmp_path):
    env = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    command = [sys.executable, ROOT / f"bench/{name}.py", *arguments]
    ran = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    assert shown in ran.stdout
