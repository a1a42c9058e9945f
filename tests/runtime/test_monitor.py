import os
import re
import subprocess
import sys
import time
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from conftest import at_terminal

from bank_models.models.early_stopping import HISTORY, Patience
from bank_models.runtime import monitor
from bank_models.runtime.monitor import MB, Monitor
from bank_models.runtime.progress import Rounds

COLUMNS = ["at_s", "step", "cpu_percent", "memory_mb", "gpu_percent", "gpu_memory_mb"]
TRAINING = ["use_case=default_prediction", "model=lightgbm", "cv=none", "registry=none", "tracking=none"]


def watched(seconds: float, work=lambda: time.sleep(0.01), device: str = "cpu") -> Monitor:
    with Monitor(device) as watching:
        end = time.perf_counter() + seconds
        while time.perf_counter() < end:
            work()
    return watching


def test_a_busy_process_shows_and_an_idle_one_does_not():
    cores = len(os.sched_getaffinity(0))
    busy = watched(1.5, lambda: sum(range(10_000))).table()
    idle = watched(1.5).table()
    before = time.process_time(), time.perf_counter()
    watched(1.0, lambda: sum(range(10_000)))
    share = (time.process_time() - before[0]) / (time.perf_counter() - before[1])  # what other processes left to this one
    assert busy.cpu_percent.max() > 40 * share / cores
    assert idle.cpu_percent.mean() < 30 / cores


def test_memory_is_what_is_held():
    small = watched(1.0).table().memory_mb.max()
    held = np.ones(40 * MB // 8 * 5)
    large = watched(1.0).table().memory_mb.max()
    assert large - small == pytest.approx(held.nbytes / MB, rel=0.2)


def test_memory_and_work_of_the_processes_it_started_count():
    script = "held = bytearray(200_000_000)\nwhile True: sum(range(10_000))"
    process = subprocess.Popen([sys.executable, "-c", script])
    try:
        time.sleep(0.5)
        with_child = watched(1.5).table()
    finally:
        process.kill()
        process.wait()
    alone = watched(1.0).table()
    assert with_child.memory_mb.max() - alone.memory_mb.max() > 180
    assert with_child.cpu_percent.max() > alone.cpu_percent.mean()


def test_however_long_a_run_takes_its_samples_stay_few_and_in_order(monkeypatch):
    monkeypatch.setattr(monitor, "MOST_SAMPLES", 8)
    monkeypatch.setattr(monitor, "PERIOD_S", 0.01)
    monkeypatch.setattr(monitor, "LEAST_PAUSE", 0)
    table = watched(1.0).table()
    assert 3 <= len(table) < 8
    assert table.at_s.is_monotonic_increasing
    assert table.at_s.max() > 0.4


def test_the_pause_grows_with_what_a_look_costs(monkeypatch):
    costly = watched(1.2)
    assert costly.cost_s <= 1.2 / monitor.LEAST_PAUSE + 0.02
    monkeypatch.setattr(Monitor, "_busy_since", lambda self: (sum(range(3_000_000)) * 0.0, 0))  # some 30 ms of work
    assert len(watched(1.2).samples) <= 1


def test_on_a_gpu_the_driver_is_asked_and_one_that_does_not_answer_stays_empty(monkeypatch):
    class NVMLError(Exception):
        pass

    def broken(handle):
        raise NVMLError

    driver = SimpleNamespace(
        NVMLError=NVMLError,
        nvmlInit=lambda: None,
        nvmlDeviceGetHandleByIndex=lambda index: index,
        nvmlDeviceGetUtilizationRates=lambda handle: SimpleNamespace(gpu=73),
        nvmlDeviceGetMemoryInfo=lambda handle: SimpleNamespace(used=2_500_000_000),
    )
    monkeypatch.setitem(sys.modules, "pynvml", driver)
    table = watched(0.8, device="cuda").table()
    assert set(table.gpu_percent) == {73.0}
    assert set(table.gpu_memory_mb) == {2500.0}
    driver.nvmlDeviceGetUtilizationRates = broken
    assert watched(0.8, device="cuda").table()[["gpu_percent", "gpu_memory_mb"]].isna().all(axis=None)
    assert watched(0.8).table()[["gpu_percent", "gpu_memory_mb"]].isna().all(axis=None)


@pytest.mark.parametrize("kind", ["binary", "tuned", "multiclass", "regression", "quantile", "clustering", "anomaly"])
def test_every_kind_of_run_has_its_resources_and_its_history_in_one_schema(run_of, kind):
    resources, history = (pd.read_csv(run_of(kind) / f"{name}.csv") for name in ("resources", "history"))
    assert list(resources) == COLUMNS
    assert len(resources) > 0
    assert (resources.memory_mb > 50).all()
    assert resources.cpu_percent.between(0, 100).all()
    assert list(history)[:4] == HISTORY


def test_rounds_are_told_with_the_best_one_and_the_patience_that_is_left():
    said = []
    follow = Rounds(
        lambda n, total, text: said.append((n, text)), Patience(rounds=3, min_delta=0.05, restore_best_weights=True)
    )
    for val in (0.5, 0.4, 0.38, 0.3):  # 0.38 is better than 0.4 by less than what counts
        follow({"train": val - 0.1, "val": val})
    assert said == [
        (1, "train loss 0.4 · val loss 0.5 · best round 1 · patience left 3"),
        (2, "train loss 0.3 · val loss 0.4 · best round 2 · patience left 3"),
        (3, "train loss 0.28 · val loss 0.38 · best round 2 · patience left 2"),
        (4, "train loss 0.2 · val loss 0.3 · best round 4 · patience left 3"),
    ]


def test_a_person_at_a_terminal_sees_losses_and_the_machine_while_it_trains(tmp_path):
    code, shown = at_terminal("src.train", *TRAINING, f"hydra.run.dir={tmp_path}/run")
    assert code == 0
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown)
    assert re.search(r"fit · train loss 0\.\d+ · val loss 0\.\d+ · best round \d+ · patience left \d+", text)
    assert re.search(r"CPU \d+ % · \d+ MB", text)
    assert "load" in text
