"""How the time and the memory of a run grow with its rows, beside a bare XGBoost script on the same Parquet file.

    python bench/scale.py [--rows 100000 300000 1000000] [--held] [--score] [--rounds 100] [--json FILE]

A table of 44 columns and a yes/no target is drawn, a row group at a time. Ours is the whole command, `python -m src.train`
with a use case of its own; the bare script reads, splits, fits with the same parameters, scores and computes the same metrics.
Both fit once: ours with `refit=none`, since the bare script does not fit again on train and val.
Each is a process of its own, ours and the bare one in turn. `--held` runs ours with all columns in memory as well. `--score`
also scores the table, as a folder of Parquet files, with the model of the run.

Printed are wall seconds, processor seconds of all threads (which other work on the machine disturbs less), the exponent of
their growth from one size to the next, and the peak memory of all processes together: beyond that of a run of 2,000 rows, as a
multiple of the table (numbers as float32, categories as codes).
"""

from __future__ import annotations

import argparse
import json
import math
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import psutil
import pyarrow as pa
import pyarrow.parquet as pq
import yaml
from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).resolve().parents[1]
MB = 1_000_000
PERIOD_S = 0.02
ROWS_OF_GROUP = 100_000
FIXED_ROWS = 2_000
N_FLOATS, N_INTEGERS = 31, 9
LEVELS = {"k0": 5, "k1": 12, "k2": 40, "k3": 300}
BYTES_OF_ROW = 4 * (N_FLOATS + N_INTEGERS) + sum(1 if n <= 127 else 2 for n in LEVELS.values()) + 1
MISSING = 0.02


@dataclass(frozen=True)
class Measured:
    """One run of one command."""

    rows: int
    what: str
    wall_s: float
    cpu_s: float
    peak_mb: float
    said: str


def make_group(seed: int, number: int, n_rows: int) -> pa.Table:
    """Some rows: numbers with gaps, whole numbers, categories, and a target that some of them tell of."""
    rng = np.random.default_rng([seed, number])
    floats = rng.standard_normal((N_FLOATS, n_rows), dtype="float32")
    integers = rng.integers(0, 50, (N_INTEGERS, n_rows))
    codes = {name: rng.integers(0, n, n_rows) for name, n in LEVELS.items()}
    margin = 0.5 * floats[:12].sum(axis=0) + 0.03 * (integers[0] - 25) + floats[1] * floats[2] + 0.4 * (codes["k0"] == 2)
    target = (margin + rng.logistic(size=n_rows) > 1.5).astype("int8")
    columns = {f"x{i}": np.round(values.astype("float64"), 4) for i, values in enumerate(floats)}
    for i in range(0, N_FLOATS, 3):
        columns[f"x{i}"] = pa.array(columns[f"x{i}"], mask=rng.random(n_rows) < MISSING)
    columns |= {f"i{i}": values for i, values in enumerate(integers)}
    for name, n in LEVELS.items():
        levels = pa.array([f"{name}_{level:03d}" for level in range(n)])
        columns[name] = pa.DictionaryArray.from_arrays(codes[name], levels).cast(pa.string())
    return pa.table({**columns, "target": target})


def write_table(path: Path, rows: int, seed: int = 0) -> None:
    """Write the table in row groups of 100,000 rows; a longer table of a seed begins as a shorter one."""
    with pq.ParquetWriter(path, make_group(seed, 0, 1).schema, write_page_checksum=True) as writer:
        for number, first in enumerate(range(0, rows, ROWS_OF_GROUP)):
            writer.write_table(make_group(seed, number, ROWS_OF_GROUP).slice(0, rows - first))


def write_use_case(folder: Path) -> None:
    """A use case for the table, in a folder of configuration."""
    features = {f"x{i}": {"type": "float", "max_missing": 0.2} for i in range(N_FLOATS)}
    features |= {f"i{i}": {"type": "int"} for i in range(N_INTEGERS)}
    features |= {name: {"type": "category"} for name in LEVELS}
    facts = yaml.safe_load((ROOT / "conf/use_case/credit_scoring.yaml").read_text(encoding="utf-8"))["use_case"]
    facts |= {"id": "UC-CRED-900", "key": "scale", "name": "A long table", "target": "target", "features": features}
    facts |= {"metric": "roc_auc", "cost": None}
    for name in ("packaged", "benchmarks", "minimum_score", "minimum_reason", "protected", "favourable", "proxies"):
        facts.pop(name, None)
    (folder / "use_case").mkdir(parents=True)
    text = "# @package _global_\n" + yaml.safe_dump({"use_case": facts}, sort_keys=False)
    (folder / "use_case/scale.yaml").write_text(text, encoding="utf-8")


def params_of(rounds: int) -> dict[str, object]:
    """The parameters of both sides."""
    params = yaml.safe_load((ROOT / "conf/model/xgboost.yaml").read_text(encoding="utf-8"))["params"]
    return params | {"n_estimators": rounds}


def resident(process: psutil.Process) -> int:
    """Bytes in memory of a process, and what those that it started hold beyond what they share."""
    total = 0
    with suppress(psutil.Error):
        total += process.memory_info().rss
    for one in process.children(recursive=True):
        with suppress(psutil.Error):
            held = one.memory_info()
            total += held.rss - held.shared
    return total


def measure(command: list[str]) -> tuple[float, float, float, str]:
    """Wall and processor seconds, peak MB of all processes together, and the line that tells the score."""
    start, peak = time.perf_counter(), 0
    with tempfile.TemporaryFile("w+", encoding="utf-8") as said:
        process = psutil.Popen(command, cwd=ROOT, stdout=said, stderr=subprocess.STDOUT)
        status = usage = None
        while status is None:
            with suppress(psutil.Error):
                peak = max(peak, resident(process))
            time.sleep(PERIOD_S)
            pid, code, usage = os.wait4(process.pid, os.WNOHANG)
            status = code if pid else None
        wall = time.perf_counter() - start
        said.seek(0)
        lines = [line.strip() for line in said if line.strip()]
    if status:
        sys.exit("\n".join([f"{' '.join(command)} failed", *lines[-5:]]))
    scored = [line for line in lines if "roc_auc" in line]
    return wall, usage.ru_utime + usage.ru_stime, max(peak, usage.ru_maxrss * 1024) / MB, (scored or lines or [""])[-1]


def commands(folder: Path, args: argparse.Namespace) -> Iterator[tuple[str, list[str]]]:
    """What is run on a table, one after the other, with its name."""
    path, run_dir = folder / "rows.parquet", folder / "run"
    n_threads = len(os.sched_getaffinity(0))
    params = params_of(args.rounds) | {"tree_method": "hist", "n_jobs": n_threads, "random_state": 42}
    never = {"rounds": args.rounds + 1}
    yield "bare", ["bench/bare_xgboost.py", str(path), "target", json.dumps(params), json.dumps(never), "none"]
    ours = ["-m", "src.train", f"--config-dir={folder}/conf", "use_case=scale", "data_source=file"]
    ours += [f"data_source.path={path}", "cv=none", "early_stopping=none", f"model.params.n_estimators={args.rounds}"]
    ours += ["registry=none", "tracking=none", "refit=none", f"hydra.run.dir={run_dir}"]
    yield "ours", ours
    if args.held:
        yield "held", [*ours, "memory_budget=1000GB"]
    if args.score:
        (folder / "parts").mkdir()
        (folder / "parts/0.parquet").hardlink_to(path)
        subprocess.run([sys.executable, "bench/scoring.py", "--write-bare", folder, run_dir], cwd=ROOT, check=True)
        of_bare = [path, folder / "model.ubj", folder / "columns.json", folder / "bare.parquet"]
        yield "bare score", ["bench/bare_scoring.py", *map(str, of_bare)]
        yield "score", ["-m", "src.predict", f"run_dir={run_dir}", f"input={folder}/parts", f"output={folder}/scores.parquet"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, nargs="+", default=[100_000, 300_000, 1_000_000])
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--held", action="store_true")
    parser.add_argument("--score", action="store_true")
    parser.add_argument("--without", nargs="*", default=[], choices=["bare", "held", "bare score"])
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    measured: list[Measured] = []
    for rows in [FIXED_ROWS, *sorted(args.rows)]:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            write_use_case(folder / "conf")
            write = [sys.executable, __file__, "--write", str(folder / "rows.parquet"), str(rows)]
            subprocess.run(write, check=True)  # elsewhere: the peak of a process counts what its parent held when it started
            for what, command in commands(folder, args):
                if what in args.without:
                    continue
                measured.append(one := Measured(rows, what, *measure([sys.executable, *command])))
                print(
                    f"{rows:>12,} rows  {what:<11}{one.wall_s:>8.1f} s {one.cpu_s:>8.1f} s {one.peak_mb:>8.0f} MB  {one.said}",
                    flush=True,
                )
    if args.json:
        args.json.write_text(json.dumps([asdict(one) for one in measured], indent=1) + "\n", encoding="utf-8")
    Console(width=120).print(tabled(measured))


def tabled(measured: list[Measured]) -> Table:
    """The measurements as a table: each size's time and memory, beside the bare script's and those of the size before."""
    table = Table(
        "rows", "table MB", "what", "wall s", "/ bare", "cpu s", "/ bare", "exponent", "peak MB", "beyond fixed / table"
    )
    by = {(one.rows, one.what): one for one in measured}
    sizes = sorted({one.rows for one in measured})
    for one in measured:
        table_mb, bare = one.rows * BYTES_OF_ROW / MB, by.get((one.rows, "bare score" if "score" in one.what else "bare"))
        before = by.get((sizes[sizes.index(one.rows) - 1], one.what)) if one.rows > sizes[1] else None
        growth = math.log(one.cpu_s / before.cpu_s) / math.log(one.rows / before.rows) if before else math.nan
        beyond = (one.peak_mb - by[FIXED_ROWS, one.what].peak_mb) / table_mb
        table.add_row(
            f"{one.rows:,}",
            f"{table_mb:.1f}",
            one.what,
            f"{one.wall_s:.1f}",
            f"{one.wall_s / bare.wall_s:.2f}" if bare else "",
            f"{one.cpu_s:.1f}",
            f"{one.cpu_s / bare.cpu_s:.2f}" if bare else "",
            f"{growth:.2f}" if before else "",
            f"{one.peak_mb:.0f}",
            f"{beyond:.2f}",
        )
    return table


if __name__ == "__main__":
    if sys.argv[1:2] == ["--write"]:
        write_table(Path(sys.argv[2]), int(sys.argv[3]))
    else:
        main()
