"""How fast a saved model scores a file, and in how much memory, beside a bare script that only reads, predicts and writes.

    python bench/scoring.py [--rows 1000000] [--repeats 3] [--use-case transaction_fraud] [--run-dir RUN]

Both sides read the same Parquet file and write one; the bare script gets the trees, and the codes of the categories, from the
same model, holds all rows at once, checks nothing and writes row and score. Ours verifies the model, checks every cell against
the declaration, counts unseen categories, decides, and writes decision and version beside each score. The scores must be equal
to the last bit. Each run is a process of its own, ours and the bare one in turn; printed are the best wall times (starting
Python and importing included), the time of that without the imports, processor seconds of all threads (which other work on the
machine disturbs least), and the largest peak memory.
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

from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
sys.path.insert(0, str(ROOT / "src"))


def write_rows(path: Path, run_dir: Path, rows: int) -> None:
    """Draw rows of the run's use case, a million at a time; categories are text."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    from bank_models.data import load
    from bank_models.scoring import model

    use_case, writer = model.load(run_dir).use_case, None
    for i, first in enumerate(range(0, rows, 1_000_000)):
        frame = load.load(**_simulated(use_case, min(1_000_000, rows - first), 7 + i)).frame
        for column in frame.columns[frame.dtypes == "category"]:
            frame[column] = frame[column].astype("str")
        table = pa.Table.from_pandas(frame, preserve_index=False)
        writer = writer or pq.ParquetWriter(path, table.schema)
        writer.write_table(table.cast(writer.schema))
    writer.close()


def _simulated(use_case, rows: int, seed: int) -> dict:
    import inspect

    from bank_models.data import load

    values = {"kind": "simulated", "use_case": use_case, "rows": rows, "seed": seed}
    return {name: values.get(name) for name in inspect.signature(load.load).parameters}


def write_bare(folder: Path, run_dir: Path) -> None:
    """The trees in XGBoost's own format, and the columns with the codes of their categories."""
    from bank_models.features.preprocessing import matrix_columns
    from bank_models.models.layers import categories_seen
    from bank_models.scoring import model

    core = model.load(run_dir).layers.core
    features, estimator = core.named_steps.values()
    seen = categories_seen(core)
    columns = {column.name: seen[column.name] if column.is_category else None for column in matrix_columns(features)}
    estimator.get_booster().save_model(folder / "model.ubj")
    (folder / "columns.json").write_text(json.dumps(columns), encoding="utf-8")


def compare_scores(ours: Path, bare: Path) -> None:
    import pandas as pd

    if not (pd.read_parquet(ours).score == pd.read_parquet(bare).score).all():
        sys.exit("the scores differ")


def elsewhere(*arguments) -> None:
    """Do a step in a process of its own: the peak memory of a process counts what its parent held when it was started."""
    subprocess.run([sys.executable, __file__, *map(str, arguments)], cwd=ROOT, check=True)


def measure(command: list[str]) -> tuple[float, float, float, str]:
    """Wall seconds, processor seconds, peak MiB and what a command printed."""
    start = time.perf_counter()
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, encoding="utf-8")
    output = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        sys.exit(f"{' '.join(command)} failed with status {status}")
    return time.perf_counter() - start, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, output


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--memory-rows", type=int, nargs="*", default=[250_000, 2_000_000])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--reasons-rows", type=int, default=100_000)
    parser.add_argument("--use-case", default="transaction_fraud")
    parser.add_argument("--run-dir", type=Path, help="a run of XGBoost on two classes; else one is trained")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        run_dir = args.run_dir or folder / "run"
        if args.run_dir is None:
            train = [sys.executable, "-m", "src.train", f"use_case={args.use_case}", "model=xgboost"]
            train += ["registry=none", "tracking=none"]
            subprocess.run([*train, f"hydra.run.dir={run_dir}"], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
        compare(folder, run_dir, args.rows, args.repeats, args.reasons_rows)
        show_memory(folder, run_dir, sorted([*args.memory_rows, args.rows]))


def ours(folder: Path, run_dir: Path, *words: str) -> list[str]:
    files = [f"input={folder}/rows.parquet", f"output={folder}/ours.parquet"]
    return [sys.executable, "-m", "src.predict", f"run_dir={run_dir}", *files, *words]


def compare(folder: Path, run_dir: Path, rows: int, repeats: int, reasons_rows: int) -> None:
    elsewhere("--write", folder / "rows.parquet", run_dir, rows)
    elsewhere("--write-bare", folder, run_dir)
    bare = [
        sys.executable,
        "bench/bare_scoring.py",
        *(f"{folder}/{name}" for name in ("rows.parquet", "model.ubj", "columns.json")),
    ]
    pairs = [(measure(ours(folder, run_dir)), measure([*bare, f"{folder}/bare.parquet"])) for _ in range(repeats)]
    elsewhere("--compare", folder / "ours.parquet", folder / "bare.parquet")
    wall = [min(pair[i][0] for pair in pairs) for i in (0, 1)]
    cpu = [min(pair[i][1] for pair in pairs) for i in (0, 1)]
    peak = [max(pair[i][2] for pair in pairs) for i in (0, 1)]
    inside = (
        min(float(pair[0][3].split(" in ")[-1].split()[0]) for pair in pairs),
        min(json.loads(pair[1][3])["score_s"] for pair in pairs),
    )
    table = Table(f"{rows:,} rows, xgboost", "wall s", "rows a second", "s without imports", "processor s", "peak MiB")
    for i, side in enumerate(("ours", "bare")):
        table.add_row(side, f"{wall[i]:.2f}", f"{rows / wall[i]:,.0f}", f"{inside[i]:.2f}", f"{cpu[i]:.2f}", f"{peak[i]:.0f}")
    table.add_row(
        "ratio",
        f"{wall[0] / wall[1]:.2f}",
        "",
        f"{inside[0] / inside[1]:.2f}",
        f"{cpu[0] / cpu[1]:.2f}",
        f"{peak[0] / peak[1]:.2f}",
    )
    Console(width=120).print(table)
    print("The scores of both are equal to the last bit.")
    elsewhere("--write", folder / "rows.parquet", run_dir, reasons_rows)
    with_reasons = measure(ours(folder, run_dir, "reasons=4"))[0]
    print(f"With reasons=4: {reasons_rows:,} rows in {with_reasons:.1f} s, {reasons_rows / with_reasons:,.0f} a second.")


def show_memory(folder: Path, run_dir: Path, sizes: list[int]) -> None:
    table = Table("rows", "peak MiB (ours)", "wall s")
    for rows in sizes:
        elsewhere("--write", folder / "rows.parquet", run_dir, rows)
        wall, _, peak, _ = measure(ours(folder, run_dir))
        table.add_row(f"{rows:,}", f"{peak:.0f}", f"{wall:.1f}")
    Console(width=120).print(table)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--write"]:
        write_rows(Path(sys.argv[2]), Path(sys.argv[3]), int(sys.argv[4]))
    elif sys.argv[1:2] == ["--write-bare"]:
        write_bare(Path(sys.argv[2]), Path(sys.argv[3]))
    elif sys.argv[1:2] == ["--compare"]:
        compare_scores(Path(sys.argv[2]), Path(sys.argv[3]))
    else:
        main()
