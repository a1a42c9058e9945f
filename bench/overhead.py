"""How much longer, and how much larger, a run of ours is than a bare script that does the same work.

    python bench/overhead.py [--rows 150000 500000] [--cv none] [--repeats 3]

Each run is a process of its own, ours and the bare one in turn, on the same Parquet file with the same parameters and
threads. Ours also validates the table, records the training loss of every round, computes bootstrap intervals, looks at slices
and single rows, writes the run folder with its report, hands it to DVCLive and registers it. Printed are the best wall time
and the peak memory of each, and their ratios.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import yaml
from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
sys.path.insert(0, str(ROOT / "src"))

from bank_models.config.use_case import UseCase  # noqa: E402


def facts_of(use_case: str) -> UseCase:
    return UseCase.model_validate(
        yaml.safe_load((ROOT / "conf/use_case" / f"{use_case}.yaml").read_text(encoding="utf-8"))["use_case"]
    )


def write_table(path: Path, use_case: str, rows: int) -> None:
    """Draw or read the rows of a use case and save them as Parquet, categories as text."""
    from bank_models.data import load

    facts = facts_of(use_case)
    kind = "simulated" if facts.simulation else "packaged"
    frame = load.load(kind, facts, facts.packaged, None, rows, 42).frame
    for column in frame.columns[frame.dtypes == "category"]:
        frame[column] = frame[column].astype("str")
    frame.to_parquet(path)


def bare_arguments(use_case: str, n_threads: int) -> list[str]:
    """The same parameters for the bare script, as JSON: of the model, and of early stopping."""
    directions = {name: feature.monotone for name, feature in facts_of(use_case).features.items() if feature.monotone}
    params = yaml.safe_load((ROOT / "conf/model/xgboost.yaml").read_text(encoding="utf-8"))["params"]
    params |= {"tree_method": "hist", "n_jobs": n_threads, "random_state": 42, "monotone_constraints": directions or None}
    stop = yaml.safe_load((ROOT / "conf/early_stopping/patience.yaml").read_text(encoding="utf-8"))
    return [json.dumps(params), json.dumps({"rounds": stop["patience"], "min_delta": stop["min_delta"]})]


def measure(command: list[str]) -> tuple[float, float, str]:
    """Wall seconds, peak MiB and last line of a command."""
    start = time.perf_counter()
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, encoding="utf-8")
    output = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        sys.exit(f"{' '.join(command)} failed with status {status}")
    return time.perf_counter() - start, usage.ru_maxrss / 1024, output.strip().splitlines()[0]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, nargs="+", default=[150_000, 500_000])
    parser.add_argument("--cv", choices=["none", "stratified_kfold"], default="stratified_kfold")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--use-case", default="credit_risk_scoring")
    args = parser.parse_args()
    n_threads = len(os.sched_getaffinity(0))
    table = Table("use case", "rows", "wall s (ours)", "(bare)", "ratio", "peak MiB (ours)", "(bare)", "ratio")
    for rows in args.rows:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "rows.parquet")
            subprocess.run([sys.executable, __file__, "--write", path, args.use_case, str(rows)], cwd=ROOT, check=True)
            ours = [sys.executable, "-m", "src.train", "model=xgboost", f"use_case={args.use_case}", "data_source=file"]
            ours += [f"data_source.path={path}", f"hydra.run.dir={folder}/run", f"n_threads={n_threads}", f"cv={args.cv}"]
            ours += [f"registry.path={folder}/models", f"tracking.path={folder}/dvclive"]
            ours += [f"tracking.experiments={folder}/experiments.jsonl"]
            bare = [sys.executable, "bench/bare_xgboost.py", str(path), facts_of(args.use_case).target]
            bare += [*bare_arguments(args.use_case, n_threads), args.cv]
            pairs = [(measure(ours), measure(bare)) for _ in range(args.repeats)]
        wall = [min(pair[i][0] for pair in pairs) for i in (0, 1)]
        peak = [max(pair[i][1] for pair in pairs) for i in (0, 1)]
        print(f"{rows:,} rows: ours {pairs[0][0][2]}\n{' ' * 12}bare {pairs[0][1][2]}")
        table.add_row(
            args.use_case, f"{rows:,}", f"{wall[0]:.1f}", f"{wall[1]:.1f}", f"{wall[0] / wall[1]:.3f}",
            f"{peak[0]:.0f}", f"{peak[1]:.0f}", f"{peak[0] / peak[1]:.3f}",
        )  # fmt: skip
    Console(width=120).print(table)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--write"]:
        write_table(Path(sys.argv[2]), sys.argv[3], int(sys.argv[4]))
    else:
        main()
