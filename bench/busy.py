"""How much longer the commands of a day take on a machine that is busy with something else.

    python bench/busy.py [--only search portfolio] [--beside processes openmp] [--repeats 2] [--source DIR]

Each command runs alone, then beside other programs that never rest: `processes`, a process of its own for every second
core, and `openmp`, one program whose OpenMP threads, one for each core, wait for one another by spinning, as those of a
library do unless they are told otherwise. Printed are the best wall seconds of each and the ratio to the idle machine.

The goal is at most 2.2: a machine shared fairly with one other program is half a machine. `--source` is another checkout, to
compare with.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).resolve().parents[1]
GOAL = 2.2
LONGEST_S = 3600  # the whole portfolio on a busy machine takes half an hour
QUIET = ["registry=none", "tracking=none"]
CREDIT = ["use_case=credit_scoring", *QUIET]
COMMANDS = {
    "make train": QUIET,
    "xgboost": [*CREDIT, "model=xgboost"],
    "lightgbm": [*CREDIT, "model=lightgbm"],
    "random_forest": [*CREDIT, "model=random_forest"],
    "neural_network": [*CREDIT, "model=neural_network"],
    "search": [*CREDIT, "model=xgboost", "tuning=random_search", "tuning.n_iter=30", "tuning.storage=null"],
    "portfolio": ["--multirun", "use_case=glob(*,exclude=fraud)", "hydra/launcher=joblib", *QUIET],
}
SPIN = "while True: pass"
OPENMP = """
import os
os.environ["OMP_WAIT_POLICY"] = "ACTIVE"
import numpy, xgboost
rng = numpy.random.default_rng(0)
data = xgboost.DMatrix(rng.normal(size=(20000, 20)), rng.normal(size=20000))
booster = xgboost.train({"nthread": %d}, data, 1)
while True:
    booster.update(data, 1)
"""


@contextlib.contextmanager
def beside(kind: str) -> Iterator[None]:
    """Keep the machine busy while the block runs."""
    n_cores = len(os.sched_getaffinity(0))
    programs = {"nothing": [], "processes": [SPIN] * max(1, n_cores // 2), "openmp": [OPENMP % n_cores]}[kind]
    running = [subprocess.Popen([sys.executable, "-c", program]) for program in programs]
    time.sleep(3 if running else 0)
    try:
        yield
    finally:
        for process in running:
            process.kill()
            process.wait()


def seconds(source: Path, overrides: list[str]) -> float:
    """Wall seconds of a command; not a number if it took longer than anybody waits."""
    with tempfile.TemporaryDirectory() as folder:
        where = "hydra.sweep.dir" if "--multirun" in overrides else "hydra.run.dir"
        command = [sys.executable, "-m", "src.train", *overrides, f"{where}={folder}/out"]
        start = time.perf_counter()
        try:
            done = subprocess.run(command, cwd=source, capture_output=True, timeout=LONGEST_S)
        except subprocess.TimeoutExpired:
            return float("nan")
        if done.returncode:
            sys.exit(f"{' '.join(command)} ended with exit code {done.returncode}:\n{done.stderr.decode()[-2000:]}")
        return time.perf_counter() - start


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=list(COMMANDS), default=list(COMMANDS))
    parser.add_argument("--beside", nargs="+", choices=["processes", "openmp"], default=["processes", "openmp"])
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--source", type=Path, default=ROOT)
    args = parser.parse_args()
    kinds, worst = ["nothing", *args.beside], 0.0
    table = Table("command", "idle s", *(f"beside {kind} s" for kind in args.beside), *("ratio" for _ in args.beside))
    for name in args.only:
        found = {}
        for kind in kinds:
            with beside(kind):
                found[kind] = min(seconds(args.source, COMMANDS[name]) for _ in range(args.repeats))
        ratios = [found[kind] / found["nothing"] for kind in args.beside]
        worst = max(worst, *ratios)
        table.add_row(name, *(f"{found[kind]:.1f}" for kind in kinds), *(f"{ratio:.2f}" for ratio in ratios))
        print(name, {kind: round(value, 1) for kind, value in found.items()}, flush=True)
    Console(width=120).print(table)
    print(f"At most {worst:.2f} times the idle machine; the goal is {GOAL}.")
    return int(not worst <= GOAL)


if __name__ == "__main__":
    sys.exit(main())
