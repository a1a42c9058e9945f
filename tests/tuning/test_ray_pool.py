"""Searches whose trials run on a Ray cluster: the same trials as on this machine, and what becomes of them if it ends."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import pandas as pd
import psutil
import pytest
from conftest import ROOT
from sklearn.model_selection import StratifiedKFold

from bank_models import load_config, load_table
from bank_models.metrics.scorer import make_scorer
from bank_models.runtime.cluster import Cluster
from bank_models.training.recipe import make_recipe
from bank_models.tuning.folds import SearchRows
from bank_models.tuning.methods import Proposal
from bank_models.tuning.search import Budget
from bank_models.tuning.space import Space, distributions
from bank_models.tuning.tune import Average, run_search

pytestmark = [pytest.mark.slow, pytest.mark.skipif(find_spec("ray") is None, reason="make setup EXTRAS=ray")]

SEARCH = [
    "use_case=credit_scoring", "model=lightgbm", "tuning=random_search", "tuning.n_iter=4000", "cv=none", "tracking=none",
    "registry=none", "launcher=ray", "n_threads=2",
]  # fmt: skip


@pytest.fixture(scope="module")
def connection():
    with Cluster(n_threads=2).connected() as connection:
        yield connection


def search(method: str, models: list[str], n_iter: int | None, cluster: Cluster | None):
    spaces = {}
    for model in models:
        settings = load_config("use_case=credit_scoring", f"model={model}", "n_threads=1")
        table = load_table(settings)
        recipe = make_recipe(settings, table.features)
        quick = {"n_estimators": 40} if "n_estimators" in recipe.params else {}
        recipe = replace(recipe, params={**recipe.params, **quick})
        grid = {"max_depth": [2, 4], "n_estimators": [20, 40], "learning_rate": [0.05, 0.2]}
        spaces[model] = Space(recipe, grid, distributions(settings.model.search_space), settings.model.starting_points)
    folds = list(StratifiedKFold(3, shuffle=True, random_state=0).split(table.frame, table.y))
    scorer = make_scorer("roc_auc", "binary", table.y, (), False)
    budget = Budget(n_iter, 3, n_workers=2, cluster=cluster)
    average = Average(20, 4) if method == "auto" else None
    return run_search(spaces, SearchRows(table.frame, table.y, folds), scorer, method, budget, print, average=average)


@pytest.mark.parametrize(
    ("method", "models", "n_iter"),
    [
        ("bayesian", ["xgboost"], 8),
        ("grid_search", ["lightgbm"], None),
        ("halving", ["xgboost"], 9),
        ("auto", ["xgboost", "lightgbm", "logistic_regression"], 9),
    ],
)
def test_the_trials_and_the_winner_are_those_of_this_machine(connection, method, models, n_iter):
    here, there = search(method, models, n_iter, None), search(method, models, n_iter, Cluster())
    pd.testing.assert_frame_equal(here.table.drop(columns="seconds"), there.table.drop(columns="seconds"), check_exact=True)
    assert (here.params, here.weights) == (there.params, there.weights)


def workers_of_ray(process: psutil.Process) -> list[psutil.Process]:
    return [one for one in process.children(recursive=True) if "TrialWorker" in " ".join(one.cmdline())]


def test_a_process_that_dies_is_one_failed_trial_and_is_replaced(connection):
    from bank_models.tuning.workers import workers

    task = Proposal("no such model", {}), None, False
    with workers({}, None, 1, 2, connection) as pool:
        pool.submit(0, task)
        number, outcome = pool.next_finished()
        assert (number, outcome.reason.split(":")[0]) == (0, "KeyError")  # a trial of these is an error, and no more
        for process in workers_of_ray(psutil.Process()):
            process.kill()
        pool.submit(1, task)
        number, outcome = pool.next_finished()
        assert (number, outcome.reason) == (1, "its process ended on the cluster")
        assert pool.is_free()
        for number in (2, 3):  # the one that was killed idle is noticed now, the one that replaced the other works
            pool.submit(number, task)
        reasons = {pool.next_finished()[1].reason.split(":")[0] for _ in range(2)}
        assert reasons == {"KeyError", "its process ended on the cluster"}


def test_a_cluster_of_this_machine_listens_on_the_loopback_only(connection):
    ours = {one.pid for one in [psutil.Process(), *psutil.Process().children(recursive=True)]}
    open_to = {one.laddr.ip for one in psutil.net_connections("tcp") if one.status == "LISTEN" and one.pid in ours}
    assert open_to
    assert open_to <= {"127.0.0.1", "::ffff:127.0.0.1", "::1"}
    assert os.environ["RAY_AUTH_MODE"] == "token"
    assert len(os.environ["RAY_AUTH_TOKEN"]) == 64


@pytest.mark.parametrize("part", ["gcs_server", "raylet"])
def test_a_run_whose_cluster_ends_says_what_to_do_and_leaves_nothing(tmp_path, part):
    words = [*SEARCH, f"tuning.storage=sqlite:///{tmp_path}/s.db", f"hydra.run.dir={tmp_path}/run"]
    run = subprocess.Popen(
        [sys.executable, "-m", "src.train", *words], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        until = time.monotonic() + 120
        while not (tmp_path / "s.db").exists() or not workers_of_ray(psutil.Process(run.pid)):
            assert run.poll() is None, run.stderr.read()
            assert time.monotonic() < until
            time.sleep(0.5)
        time.sleep(3)
        next(one for one in psutil.Process(run.pid).children(recursive=True) if one.name() == part).kill()
        said, complained = run.communicate(timeout=60)
    finally:
        if run.poll() is None:
            run.send_signal(signal.SIGKILL)
    assert run.returncode == 1, complained
    assert "Ray on this machine no longer answers" in complained
    assert "Type the command again." in complained
    assert "Traceback" not in complained
    assert "roc_auc" not in said  # Ray itself tells there of a raylet that has ended
    assert not any(path.name.startswith("run") for path in Path(tmp_path).iterdir())
