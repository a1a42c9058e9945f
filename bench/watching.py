"""What it costs a portfolio that somebody can see it: the reports that its runs write, and the thread that watches them.

    python bench/watching.py [--use-cases fraud_detection churn_prediction …]

Each use case is trained as in a sweep, with one thread in a process of its own, as many at once as there are cores. In each
process the processor time of `bank_models.report.write` and that of the monitor's thread are counted, beside that of the whole
run. Processor time rather than wall time, because it does not depend on what else the machine is doing. The model cards count
as reports too.

Printed are both shares of the whole. The goals are at most 5 % and at most 1 %.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import sys
import tempfile
import time
from pathlib import Path

from rich.progress import track

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
sys.path.insert(0, str(ROOT / "src"))
OF_REPORT, OF_MONITOR = 0.05, 0.01
PRELOADED = [
    "bank_models.train",
    "bank_models.runtime.monitor",
    "bank_models.report",
    "bank_models.report.model_card",
    "bank_models.runs.writer",
    "xgboost",
    "lightgbm",
    "sklearn.ensemble",
]


def measure(use_case: str) -> tuple[str, float, float, float]:
    """Seconds of processor time of a run, of its pages and of its monitor."""
    from hydra import compose, initialize_config_dir
    from threadpoolctl import threadpool_limits

    from bank_models import report
    from bank_models.config import settings
    from bank_models.pipeline.run import train
    from bank_models.report import model_card
    from bank_models.runtime.monitor import Monitor

    os.environ["OMP_NUM_THREADS"] = "1"
    spent = {"report": 0.0, "monitor": 0.0}

    def counted(function):
        def call(folder):
            start = time.thread_time()
            result = function(folder)
            spent["report"] += time.thread_time() - start
            return result

        return call

    def leave(monitor, *exc_info):
        ended(monitor, *exc_info)
        spent["monitor"] += monitor.cost_s

    ended, Monitor.__exit__ = Monitor.__exit__, leave
    report.write, model_card.render = counted(report.write), counted(model_card.render)
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        checked = settings.read(compose("config", [f"use_case={use_case}", "n_threads=1"]))
    with tempfile.TemporaryDirectory() as folder, Path(os.devnull).open("w", encoding="utf-8") as nowhere, threadpool_limits(1):
        os.dup2(nowhere.fileno(), 1)
        os.dup2(nowhere.fileno(), 2)
        start = time.process_time()
        train(checked, Path(folder, "run"), {})
        return use_case, time.process_time() - start, spent["report"], spent["monitor"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--use-cases", nargs="*", help="all of them if left out")
    args = parser.parse_args()
    names = args.use_cases or sorted(path.stem for path in (ROOT / "conf/use_case").glob("*.yaml") if path.stem != "fraud")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOADED)
    with context.Pool(len(os.sched_getaffinity(0)), maxtasksperchild=1) as pool:
        rows = list(track(pool.imap_unordered(measure, names, chunksize=1), "portfolio", len(names)))
    print(f"\n{'use case':<32}{'run s':>9}{'report s':>10}{'monitor s':>11}")
    for name, run_s, report_s, monitor_s in sorted(rows):
        print(f"{name:<32}{run_s:>9.2f}{report_s:>10.3f}{monitor_s:>11.4f}")
    total, of_report, of_monitor = (sum(row[i] for row in rows) for i in (1, 2, 3))
    print(f"\n{total:.1f} s of processor time in {len(rows)} runs")
    print(f"reports {of_report / total:.2%} (goal: at most {OF_REPORT:.0%})")
    print(f"monitor {of_monitor / total:.2%} (goal: at most {OF_MONITOR:.0%})")


if __name__ == "__main__":
    main()
