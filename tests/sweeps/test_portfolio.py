"""Sweeps, as a user types them: of real trainings, and of jobs that misbehave in every way."""

import contextlib
import json
import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from conftest import ROOT
from omegaconf import OmegaConf

from bank_models.sweeps import results
from bank_models.sweeps.sweep import RAY_TASKS, cores_for

# An entry like bank_models.train, whose jobs take no time and do what their seed says
ENTRY = """
import ctypes, json, multiprocessing, os, signal, sys, time
from pathlib import Path
from bank_models import command_line
from bank_models.files import folders, writing

SEEDS_THAT = json.loads(os.environ["SEEDS_THAT"])


def main(cfg):
    from hydra.core.hydra_config import HydraConfig

    run_dir = Path(HydraConfig.get().runtime.output_dir)
    calls = Path(os.environ["CALLS"], str(cfg.seed))
    calls.mkdir(exist_ok=True)
    calls.joinpath(str(time.monotonic_ns())).write_text(str(os.getpid()))
    print("something that a job says")
    if cfg.seed in SEEDS_THAT.get("raise", []):
        raise ZeroDivisionError("no customers")
    if cfg.seed in SEEDS_THAT.get("die", []):
        os.kill(os.getpid(), signal.SIGKILL)
    if cfg.seed in SEEDS_THAT.get("exit", []):
        os._exit(3)
    if cfg.seed in SEEDS_THAT.get("kill their worker once", []) and len(list(calls.iterdir())) == 1:
        os.kill(multiprocessing.parent_process().pid, signal.SIGKILL)
        time.sleep(30)
    if cfg.seed in SEEDS_THAT.get("kill their worker", []):
        os.kill(multiprocessing.parent_process().pid, signal.SIGKILL)
        time.sleep(30)
    if cfg.seed in SEEDS_THAT.get("wait", []) and not Path(os.environ["CALLS"], "go").exists():
        time.sleep(60)
    if cfg.seed in SEEDS_THAT.get("are deep inside a library", []):
        ctypes.PyDLL(None).sleep(60)
    if cfg.seed in SEEDS_THAT.get("need 300 MB", []):
        bytearray(300_000_000).count(1)
    facts = {"use_case_key": cfg.use_case.key, "model": cfg.model.name, "metric": "roc_auc", "n_threads": cfg.n_threads}
    with folders.published(run_dir) as folder:
        writing.write_json(folder / "metadata.json", facts | {"openmp": os.environ["OMP_NUM_THREADS"]})
        writing.write_json(folder / "metrics.json", {"test_roc_auc": 0.5 + cfg.seed / 100})
    return 0.5 + cfg.seed / 100


if __name__ == "__main__":
    sys.exit(command_line.run(main, sys.argv[1:], ""))
"""
JOINT = "hydra/launcher=joblib"


@pytest.fixture
def toy(tmp_path):
    """Start a sweep of jobs that do what their seed says: toy("seed=range(4)", die=[2]); gives the running process."""
    (tmp_path / "toy.py").write_text(ENTRY)
    (tmp_path / "calls").mkdir()

    def start(*overrides: str, **seeds_that) -> subprocess.Popen:
        env = os.environ | {
            "PYTHONPATH": f"{tmp_path}:{ROOT}:{ROOT}/src",
            "CALLS": str(tmp_path / "calls"),
            "SEEDS_THAT": json.dumps({key.replace("_", " "): value for key, value in seeds_that.items()}),
        }
        command = [sys.executable, "-m", "toy", "--multirun", "use_case=credit_scoring", "model=dummy"]
        return subprocess.Popen(
            [*command, f"hydra.sweep.dir={tmp_path}/sweep", *overrides],
            cwd=tmp_path, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
        )  # fmt: skip

    return start


@pytest.fixture
def sweep(toy, tmp_path):
    """Run a toy sweep to its end; gives exit code, stdout, stderr and the status of each seed."""

    def run(*overrides: str, **seeds_that):
        process = toy(*overrides, **seeds_that)
        said, complained = process.communicate(timeout=120)
        assert "Traceback" not in complained, complained
        return process.returncode, said, complained

    return run


def table(folder: Path) -> list[dict]:
    return json.loads((folder / "sweep/results.json").read_text())


def statuses(folder: Path) -> dict[int, str]:
    return {int(row["differs"]["seed"]): row["status"] for row in table(folder)}


def calls(folder: Path) -> dict[int, int]:
    return {int(path.name): len(list(path.iterdir())) for path in (folder / "calls").iterdir() if path.is_dir()}


def test_jobs_that_raise_or_die_stop_no_other_one_after_the_other(sweep, tmp_path):
    code, said, complained = sweep("seed=range(4)", **{"raise": [0], "die": [1], "exit": [2]})
    assert code == 5
    assert {seed: row["reason"] for seed, row in enumerate(table(tmp_path))} == {
        0: "ZeroDivisionError: no customers",
        1: "its process was killed by SIGKILL, perhaps for want of memory",
        2: "its process ended with exit code 3 and without a result",
        3: None,
    }
    assert "3 of 4 jobs failed" in complained
    assert said.splitlines()[-1] == "sweep/results.md"
    assert "something that a job says" not in said + complained
    assert "in main\n    raise ZeroDivisionError" in (tmp_path / "sweep/credit_scoring/dummy/seed=0.log").read_text()


def test_the_basic_sweeper_of_hydra_runs_the_same_jobs(sweep, tmp_path):
    assert sweep("seed=0,1", "hydra/sweeper=basic")[0] == 0
    assert statuses(tmp_path) == {0: "ok", 1: "ok"}


def test_a_grid_of_optuna_tries_every_point_once_and_says_how_many_it_leaves_out(sweep, tmp_path):
    grid = ["hydra/sweeper=optuna", "hydra/sweeper/sampler=grid", "seed=range(3)", "cv=none,kfold"]
    code, said, complained = sweep(*grid)
    assert code == 0, complained
    tried = sorted((row["differs"]["seed"], row["differs"]["cv"]) for row in table(tmp_path))
    assert tried == [(seed, cv) for seed in "012" for cv in ("kfold", "none")]
    assert "seed=2" in said.partition("Best on val: ")[2]
    few = sweep(*grid, "hydra.sweeper.n_trials=4", f"hydra.sweep.dir={tmp_path}/few")[1]
    assert "The grid has 6 points; 4 of them are tried. All: hydra.sweeper.n_trials=6" in few


def test_a_search_ends_where_more_trials_fail_than_was_typed(sweep, tmp_path):
    search = ["hydra/sweeper=optuna", "hydra/sweeper/sampler=grid", "seed=range(4)", "hydra.sweeper.n_jobs=1"]
    code, _, complained = sweep(*search, "hydra.sweeper.max_failure_rate=0.5", **{"raise": [0, 1, 2, 3]})
    assert code == 5
    assert "1 of 1 trials of a batch failed, more than hydra.sweeper.max_failure_rate=0.5" in complained
    assert len(table(tmp_path)) == 1


def test_optuna_searches_groups_and_settings_of_ours(sweep, tmp_path):
    search = ["hydra/sweeper=optuna", "hydra/sweeper/sampler=random", "cv=choice(none,kfold)", "seed=1,2"]
    code, said, complained = sweep(*search, "hydra.sweeper.n_trials=3")
    assert code == 0, complained
    rows = table(tmp_path)
    assert len(rows) == 3
    assert all((row["differs"]["cv"] in ("none", "kfold"), row["differs"]["seed"] in "12") == (True, True) for row in rows)
    assert "seed=" in said.partition("Best on val: ")[2]


def test_the_folder_of_a_job_is_the_one_that_hydra_shows(tmp_path):
    from bank_models.config.compose import CONF, compose_job, composer, resolved_path
    from bank_models.sweeps.plan import plan

    job = ["use_case=fraud", "model=lightgbm", "seed=3"]
    with composer([CONF]) as compose:
        shown = resolved_path(compose_job(compose, job, [CONF]), "hydra.sweep.subdir")
    assert [one.subdir for one in plan(job, [CONF], "", lambda done, total: None).jobs] == [shown]


def test_side_by_side_too_and_the_command_that_is_printed_runs_only_the_failed_jobs(sweep, tmp_path):
    code, _, complained = sweep("seed=1,2,3", "cv=none", JOINT, **{"raise": [1], "die": [3]})
    assert code == 5
    assert statuses(tmp_path) == {1: "failed", 2: "ok", 3: "failed"}
    (command,) = [line for line in complained.splitlines() if line.startswith("  python -m toy")]
    again = shlex.split(command)[3:]
    assert again == ["--multirun", "use_case=credit_scoring", "model=dummy", "seed=1,3", "cv=none", JOINT]
    code, _, _ = sweep(*again[3:], f"hydra.sweep.dir={tmp_path}/again")
    assert code == 0
    assert calls(tmp_path) == {1: 2, 2: 1, 3: 2}


def test_a_job_that_always_kills_its_worker_is_named_and_takes_no_other_along(sweep, tmp_path):
    code, _, complained = sweep("seed=range(3)", JOINT, "hydra.launcher.n_jobs=2", kill_their_worker=[1])
    assert code == 5
    assert statuses(tmp_path) == {0: "ok", 1: "failed", 2: "ok"}
    assert "seed=1: the process that was to run it died, twice" in complained


@pytest.mark.slow
def test_a_worker_that_dies_once_costs_no_job(sweep, tmp_path):
    code, _, _ = sweep("seed=range(3)", JOINT, "hydra.launcher.n_jobs=2", kill_their_worker_once=[1])
    assert code == 0
    assert set(statuses(tmp_path).values()) == {"ok"}


@pytest.mark.parametrize(
    ("launcher", "stop"),
    [
        pytest.param([], signal.SIGTERM, id="one after the other, SIGTERM"),
        pytest.param([], signal.SIGINT, id="one after the other, SIGINT", marks=pytest.mark.slow),
        pytest.param([JOINT], signal.SIGINT, id="side by side, SIGINT", marks=pytest.mark.slow),
        pytest.param([JOINT], signal.SIGKILL, id="side by side, SIGKILL"),
    ],
)
def test_an_interrupted_sweep_is_resumed_and_ends_with_the_same_table(toy, sweep, tmp_path, launcher, stop):
    process = toy("seed=range(4)", *launcher, "resume=true", wait=[2, 3])
    until(lambda: {0, 1, 2} <= set(calls(tmp_path)) and len(list(tmp_path.glob("sweep/*/*/*.json"))) == 2)
    (os.killpg if stop == signal.SIGINT else os.kill)(process.pid, stop)
    _, complained = process.communicate(timeout=60)
    assert complained.startswith("Nothing to resume: no sweep in ")
    assert process.returncode == {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGKILL: -9}[stop]
    assert "Traceback" not in complained
    assert ("To run what is left:\n  python -m toy --multirun" in complained) == (stop != signal.SIGKILL)
    until(lambda: not any(alive(pid) for pid in pids_of(tmp_path)))
    empty = [path for path in tmp_path.glob("sweep/*/*/*") if path.is_dir() and not any(path.iterdir())]
    assert stop == signal.SIGKILL or not empty
    (tmp_path / "calls/go").touch()
    code, _, _ = sweep("seed=range(4)", *launcher, "resume=true")
    assert code == 0
    assert {seed: n for seed, n in calls(tmp_path).items() if seed < 2} == {0: 1, 1: 1}
    assert [(row["differs"], row["status"], row["value"], row["run_dir"]) for row in table(tmp_path)] == [
        ({"seed": str(seed)}, "ok", 0.5 + seed / 100, f"credit_scoring/dummy/seed={seed}") for seed in range(4)
    ]


@pytest.mark.parametrize(
    ("launcher", "n_at_once"),
    [([], 1), ([JOINT, "hydra.launcher.n_jobs=2"], 2)],
    ids=["one after the other", "side by side"],
)
def test_jobs_deep_inside_a_library_end_with_the_sweep_that_was_killed(toy, tmp_path, launcher, n_at_once):
    process = toy("seed=0,1", *launcher, are_deep_inside_a_library=[0, 1])
    until(lambda: len(pids_of(tmp_path)) == n_at_once and all(call.read_text() for call in tmp_path.glob("calls/*/*")))
    process.kill()
    process.communicate(timeout=10)
    until(lambda: not of_session(process.pid), timeout_s=5)


def of_session(leader: int) -> list[Path]:
    """Processes that compute in the session of a process; those that only tidy up what others leave may take their time."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            state, _, _, session = stat.read_text().rpartition(")")[2].split()[:4]
            if int(session) == leader and state != "Z" and b"resource_tracker" not in (stat.parent / "cmdline").read_bytes():
                found.append(stat.parent)
    return found


def until(is_so, timeout_s=60):
    deadline = time.monotonic() + timeout_s
    while not is_so():
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.05)


def pids_of(folder: Path) -> list[int]:
    calls = [call for path in (folder / "calls").iterdir() if path.is_dir() for call in path.iterdir()]
    return [int(text) for call in calls if (text := call.read_text())]  # empty while it is being written


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_a_real_portfolio_ends_with_a_table_of_scores_and_of_what_each_job_took(python, tmp_path):
    result = python(
        "-m", "src.train", "--multirun", "use_case=credit_scoring", "model=dummy,logistic_regression,linear_regression",
        "cv=none", "tracking=none", JOINT, f"hydra.sweep.dir={tmp_path}/sweep",
    )  # fmt: skip
    assert result.returncode == 5
    assert "model=linear_regression fits regression, but use_case=credit_scoring is binary" in result.stderr
    assert "Traceback" not in result.stderr
    dummy, logistic, linear = sorted(table(tmp_path), key=lambda row: (row["status"], row["model"]))
    assert [row["status"] for row in (dummy, logistic, linear)] == ["ok", "ok", "refused"]
    metrics = json.loads((tmp_path / "sweep/credit_scoring/logistic_regression/metrics.json").read_text())
    assert logistic["value"] == metrics["test_roc_auc"]
    assert (logistic["ci_low"], logistic["ci_high"]) == (metrics["test_roc_auc_ci_low"], metrics["test_roc_auc_ci_high"])
    assert dummy["value"] == 0.5 < logistic["baseline"] == metrics["baseline_roc_auc"]
    assert 0 < dummy["seconds"] < 60
    facts = json.loads((tmp_path / "sweep/credit_scoring/dummy/metadata.json").read_text())
    assert facts["n_threads"] == max(1, len(os.sched_getaffinity(0)) // 2)
    for name in ("results.csv", "results.md"):
        text = (tmp_path / "sweep" / name).read_text()
        assert all(word in text for word in ("credit_analysis", "logistic_regression", "0.5", "refused"))
    assert result.stdout.count("logistic_regression   roc_auc") == 1


def test_jobs_times_threads_are_at_most_the_cores_and_the_peak_is_the_jobs_own(sweep, tmp_path):
    sweep("seed=range(3)", JOINT, "hydra.launcher.n_jobs=2", **{"need_300_MB": [1]})
    share = max(1, len(os.sched_getaffinity(0)) // 2)
    for seed in range(3):
        facts = json.loads((tmp_path / f"sweep/credit_scoring/dummy/seed={seed}/metadata.json").read_text())
        assert (facts["n_threads"], facts["openmp"]) == (share, str(share))
    peaks = [row["peak_mb"] for row in table(tmp_path)]
    assert 300 < peaks[1] < 450
    assert max(peaks[0], peaks[2]) < 200


@pytest.mark.parametrize(("remote", "n_threads"), [({}, 1), ({"num_cpus": 4}, 4), ({"num_cpus": 0.5}, 1)])
def test_a_task_of_ray_has_the_threads_that_ray_sets_aside_for_it(remote, n_threads):
    launcher = {"_target_": RAY_TASKS, "ray": {"init": {"address": None}, "remote": remote}}
    planned = SimpleNamespace(cfg=OmegaConf.create({"hydra": {"launcher": launcher}}), jobs=None)
    assert cores_for(planned)[1] == n_threads


def test_a_job_whose_settings_or_files_changed_is_not_finished(sweep, tmp_path):
    sweep("seed=0,1,2", "cv=none")
    folder = tmp_path / "sweep/credit_scoring/dummy"
    (folder / "seed=1/metrics.json").write_text('{"test_roc_auc": 0.99}')
    assert sweep("seed=0,1,2", "cv=none", "resume=true")[0] == 0
    assert calls(tmp_path) == {0: 1, 1: 2, 2: 1}
    assert [row["value"] for row in table(tmp_path)] == [0.5, 0.51, 0.52]
    code, said, complained = sweep("seed=0,1", "cv=none", "resume=true")
    assert (code, said) == (2, "")
    assert "holds another sweep, so it cannot be continued" in complained


def test_jobs_that_are_the_same_run_once_and_those_that_differ_never_share_a_folder(compose, tmp_path):
    from bank_models.config.compose import CONF
    from bank_models.sweeps.plan import plan

    def folders(*overrides):
        return [job.subdir for job in plan(list(overrides), [CONF], "", lambda done, total: None).jobs]

    assert folders("use_case=fraud,transaction_fraud") == ["transaction_fraud/xgboost"]
    assert folders("model=xgboost", "model.params.max_depth=3,4", "cv.n_folds=3") == [
        "credit_scoring/xgboost/max_depth=3",
        "credit_scoring/xgboost/max_depth=4",
    ]
    assert folders("use_case=credit_scoring", "data_source=file", "data_source.path='/a b','/a?b'") == [
        "credit_scoring/logistic_regression/path=_a_b_/0",
        "credit_scoring/logistic_regression/path=_a_b_/1",
    ]
    with pytest.raises(Exception, match=r"is one folder for two jobs: .* and .*\nLeave it out\."):
        folders("seed=1,2", "hydra.sweep.subdir=here")


@pytest.mark.parametrize(
    ("jobs", "expected"),
    [
        ([("a=1", "b=1"), ("a=1", "b=2"), ("a=2", "b=1"), ("a=2", "b=2")], ["p a=1,2 b=1,2 s"]),
        ([("a=1", "b=1"), ("a=2", "b=1"), ("a=2", "b=2")], ["p a=1,2 b=1 s", "p a=2 b=2 s"]),
        ([("a='x y'", "b=1")], ["p 'a='\"'\"'x y'\"'\"'' b=1 s"]),
    ],
    ids=["a product", "what is left of one", "quotes"],
)
def test_commands_mean_exactly_the_jobs_they_are_made_of(jobs, expected):
    assert results.commands(jobs, "p", ["s"]) == expected
