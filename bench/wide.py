"""What a run of a table with many columns takes: seconds and peak memory of each step.

    python bench/wide.py [--tables 600x2000 50000x500 5000x5000] [--models xgboost lightgbm] [--root CHECKOUT]

Each run is a process of its own, on a Parquet file of float32 numbers, whole numbers and categories with gaps. Printed are the
seconds, the seconds of processor time and the peak memory of each step, and how the peak of the whole process compares with
what is promised: four times the table (as float32) and 1 GiB. A run that does not end well is named with its last line.
Boosters and forests have few trees and there are two folds: what is measured is how a step grows with the columns.
"""

from __future__ import annotations

import argparse
import math
import os
import re
import resource
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
import yaml
from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).resolve().parents[1]
GIB = 1 << 30
MB = 1_000_000
PERIOD_S = 0.05
TABLES = ["600x2000", "50000x500", "5000x5000"]
MODELS = {
    "xgboost": ["model.params.n_estimators=30"],
    "lightgbm": ["model.params.n_estimators=30"],
    "logistic_regression": ["model.params.max_iter=50"],
    "random_forest": ["model.params.n_estimators=30"],
    "hist_gradient_boosting": ["model.params.max_iter=10"],
    "neural_network": ["model.params.max_epochs=5"],
}
USUAL = ["xgboost", "lightgbm", "logistic_regression", "random_forest"]
STEPS = ["load", "validate", "split", "cross-validate", "fit", "decide", "evaluate", "write"]
N_CATEGORIES, N_CODES = 10, 3  # columns with few values, and with many
MISSING = 0.02
TOOK = re.compile(r"^(\S+) took ([\d.]+) s$")


def make_rows(n_rows: int, n_columns: int, seed: int = 0) -> pd.DataFrame:
    """Numbers, whole numbers and categories, of which ten numbers say something of the target."""
    rng = np.random.default_rng(seed)
    n_numbers = n_columns - N_CATEGORIES - N_CODES
    numbers = rng.standard_normal((n_numbers, n_rows), dtype="float32")
    margin = numbers[:10].sum(axis=0) / 2 + rng.standard_normal(n_rows, dtype="float32")
    columns = {}
    for i, values in enumerate(numbers):
        if i % 4 == 3:
            columns[f"n{i}"] = np.round(values * 10).astype("int32")
        else:
            columns[f"n{i}"] = np.where(rng.random(n_rows, dtype="float32") < MISSING, np.float32("nan"), values)
    few, many = np.array(list("abcdefgh"), dtype=object), np.array([f"c{i}" for i in range(200)], dtype=object)
    columns |= {f"k{i}": few[rng.integers(0, len(few), n_rows)] for i in range(N_CATEGORIES)}
    columns |= {f"m{i}": many[rng.integers(0, len(many), n_rows)] for i in range(N_CODES)}
    return pd.DataFrame(columns | {"target": (margin > 0.5).astype("int8")})


def write_project(folder: Path, n_rows: int, n_columns: int) -> None:
    """A table and the use case that declares its columns."""
    frame = make_rows(n_rows, n_columns)
    frame.to_parquet(folder / "rows.parquet", index=False)
    kinds = {"n": "float", "k": "category", "m": "category"}
    features = {name: {"type": kinds[name[0]], "max_missing": 0.2} for name in frame.columns[:-1]}
    features |= {name: {"type": "int"} for name in frame.columns[frame.dtypes == "int32"]}
    use_case = yaml.safe_load((ROOT / "conf/use_case/credit_scoring.yaml").read_text())["use_case"]
    use_case |= {"id": "UC-CRED-900", "key": "wide", "name": "A wide table", "target": "target", "features": features}
    for name in ("packaged", "benchmarks", "minimum_score", "minimum_reason", "protected", "favourable"):
        use_case.pop(name, None)
    head = "# @package _global_\ndefaults: [{override /data_source: file}, {override /model: xgboost}, _self_]\n"
    (folder / "conf/use_case").mkdir(parents=True)
    (folder / "conf/use_case/wide.yaml").write_text(head + yaml.safe_dump({"use_case": use_case}, sort_keys=False))


def command(folder: Path, model: str, run_dir: Path) -> list[str]:
    return [
        sys.executable, "-m", "src.train", "--config-dir", str(folder / "conf"), "use_case=wide", f"model={model}",
        f"data_source.path={folder}/rows.parquet", f"hydra.run.dir={run_dir}", "registry=none", "tracking=none",
        "cv.n_folds=2", "hydra.verbose=[bank_models.runtime.progress]", *MODELS[model],
    ]  # fmt: skip


@dataclass
class Watched:
    """What was seen of a process: seconds of processor time and memory by time, and what it said and when."""

    looks: list[tuple[float, float, float]] = field(default_factory=list)
    said: list[tuple[float, str]] = field(default_factory=list)
    exit_code: int | None = None
    peak: int = 0

    def steps(self) -> dict[str, tuple[float, float, float]]:
        """Seconds, seconds of processor time and peak MB of each step; one that did not end has no seconds."""
        found, start = {}, 0.0
        ends = [(at, *match.groups()) for at, line in self.said if (match := TOOK.search(line))]
        for at, name, seconds in ends:
            found[name] = float(seconds), *self._between(max(start, at - float(seconds)), at)
            start = at
        if self.exit_code and len(found) < len(STEPS):
            found[next(name for name in STEPS if name not in found)] = math.nan, *self._between(start, math.inf)
        return found

    def _between(self, start: float, end: float) -> tuple[float, float]:
        looks = [look for look in self.looks if start - 2 * PERIOD_S <= look[0] <= end + PERIOD_S]
        return looks[-1][1] - looks[0][1], max(memory for _, _, memory in looks) / MB


def watch(arguments: list[str], root: Path, limit_gb: float, timeout_s: float) -> Watched:
    """Run a command, its addresses limited, and look at it twenty times a second."""
    import psutil

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (int(limit_gb * 1e9),) * 2)

    seen, start = Watched(), time.perf_counter()
    process = subprocess.Popen(
        arguments, cwd=root, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, preexec_fn=limit
    )
    listener = threading.Thread(
        target=lambda: seen.said.extend((time.perf_counter() - start, line.rstrip()) for line in process.stdout)
    )
    listener.start()
    looked_at = psutil.Process(process.pid)
    while not (ended := os.wait4(process.pid, os.WNOHANG))[0]:
        with suppress(psutil.Error), looked_at.oneshot():
            seen.looks.append((time.perf_counter() - start, sum(looked_at.cpu_times()[:2]), looked_at.memory_info().rss))
        if seen.looks[-1][0] > timeout_s:
            process.kill()
        time.sleep(PERIOD_S)
    listener.join()
    process.returncode = seen.exit_code = os.waitstatus_to_exitcode(ended[1])
    seen.peak = ended[2].ru_maxrss * 1024
    return seen


def sizes(run_dir: Path) -> str:
    files = {path.name: path.stat().st_size for path in run_dir.rglob("*") if path.is_file()}
    largest = sorted(files, key=lambda name: -files[name])[:4]
    return ", ".join(f"{name} {files[name] / 1e6:.1f} MB" for name in largest)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tables", nargs="+", default=TABLES, metavar="ROWSxCOLUMNS")
    parser.add_argument("--models", nargs="+", default=USUAL, choices=MODELS)
    parser.add_argument("--root", type=Path, default=ROOT, help="the checkout whose runs are measured")
    parser.add_argument("--limit-gb", type=float, default=9.0, help="of addresses, for each run")
    parser.add_argument("--timeout-s", type=float, default=900)
    args = parser.parse_args()
    console = Console(width=170)
    for shape in args.tables:
        n_rows, n_columns = map(int, shape.split("x"))
        size = n_rows * n_columns * 4
        promised = 4 * size + GIB
        console.print(
            f"{shape}: a table of {size / MB:.0f} MB, promised at most {promised / MB:.0f} MB; cells: seconds (processor), MB"
        )
        shown = Table("model", *STEPS, "all", "peak", "of promise")
        with tempfile.TemporaryDirectory() as scratch:
            folder = Path(scratch)
            write_project(folder, n_rows, n_columns)
            for model in args.models:
                seen = watch(command(folder, model, folder / model), args.root, args.limit_gb, args.timeout_s)
                steps = seen.steps()
                cells = [_cell(*steps[name]) if name in steps else "" for name in STEPS]
                whole = "{:.0f} ({:.0f})".format(*seen.looks[-1][:2])
                shown.add_row(model, *cells, whole, f"{seen.peak / MB:.0f}", f"{seen.peak / promised:.2f}")
                ended = f"exit code {seen.exit_code}: {seen.said[-1][1][:120]}" if seen.exit_code else sizes(folder / model)
                console.print(f"{model}: {ended}")
        console.print(shown)


def _cell(seconds: float, busy_s: float, memory: float) -> str:
    return f"{'unfinished' if math.isnan(seconds) else f'{seconds:.1f}'} ({busy_s:.1f}), {memory:.0f}"


if __name__ == "__main__":
    main()
