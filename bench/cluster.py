"""A Ray cluster simulated on this machine: seconds of a search, a fit and a scoring by 1, 2 and 4 workers of one thread each.

    python bench/cluster.py [--rows 100000] [--workers 1 2 4] [--repeats 2] [--json FILE]
    python bench/cluster.py --from FILE [--machines 16] [--cores 16] [--gigabits 10]

The table is that of `bench/scale.py`. Seconds are the least of the repeats, and count what is done once Ray runs; Ray itself
takes some 10 s to start. Efficiency is the time of one worker, divided by that of n workers and by n, or by the cores where
these are fewer. Then a model of the cost is fitted to the measurements, and says what large tables would take on a cluster of
other machines. That is an estimate on paper: nothing of it was measured.

The model, of n rows, d columns, w machines, c cores each, R rounds and B bytes a second:

- prepare: seconds per row x n, on one core of the machine where the command runs: read, check, split;
- send: n d x 4 bytes / B, and seconds per row to preprocess, cut and pack them on that machine;
- bins: seconds per row x n / (w c e), where e is the share of c cores that a machine makes use of;
- rounds: R x (seconds per row x n / (w c e) + network), with a histogram of 16 bytes for each bin, column and built node, of
  which a level has half, in a ring: 2 (w - 1) / w of its bytes pass each link, in 2 (w - 1) steps of a latency each;
- score: seconds per row x n / (w c e).
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "src")]
os.environ["PYTHONPATH"] = str(ROOT / "src")  # of the workers

from bank_models import fit, load_config, load_model, load_table, make_recipe, split  # noqa: E402
from bank_models.metrics.scorer import make_scorer  # noqa: E402
from bank_models.runtime.cluster import Cluster  # noqa: E402
from bank_models.runtime.device import usable_cores  # noqa: E402
from bank_models.scoring.stream import Job, score_file  # noqa: E402
from bank_models.training.cross_validation import make_splitter  # noqa: E402
from bank_models.tuning.folds import SearchRows  # noqa: E402
from bank_models.tuning.search import Budget  # noqa: E402
from bank_models.tuning.space import Space, distributions  # noqa: E402
from bank_models.tuning.tune import run_search  # noqa: E402
from bench.scale import LEVELS, N_FLOATS, N_INTEGERS, write_table, write_use_case  # noqa: E402

N_COLUMNS = N_FLOATS + N_INTEGERS + len(LEVELS)
FEW, MANY = 5, 45  # rounds of two fits: the difference is the cost of a round
N_TRIALS, SEARCHED_ROWS = 8, 10_000
DEPTH, BINS, BYTES_OF_BIN = 4, 256, 16
LATENCY_S = 100e-6
ROUNDS, TRAINED = 300, 0.8  # of the estimate: rounds, and the share of the rows that is fitted


def best(repeats: int, function: Callable[[], Any]) -> float:
    """The least seconds of some calls."""
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        function()
        seconds.append(time.perf_counter() - start)
    return min(seconds)


class Case:
    """The table, its recipe and a model of it."""

    def __init__(self, folder: Path, rows: int):
        (folder / "parts").mkdir()
        write_table(folder / "parts/0.parquet", rows)
        write_use_case(folder / "conf")
        words = ["use_case=scale", "model=xgboost", "data_source=file", f"data_source.path={folder}/parts", "n_threads=1"]
        config = load_config(*words, "early_stopping=none", config_dir=folder / "conf")
        self.rows, self.folder, self.config = rows, folder, config
        self.prepare()
        self.recipe = make_recipe(config, self.table)

    def prepare(self) -> None:
        self.table = load_table(self.config)
        self.parts = split(self.table, self.config)

    def fit(self, cluster: Cluster, n_shards: int, rounds: int) -> None:
        params = {**self.recipe.params, "n_estimators": rounds}
        fit(replace(self.recipe, params=params, cluster=cluster, n_shards=n_shards), self.table, self.parts)

    def search(self, cluster: Cluster) -> None:
        rows = self.parts.split.train[:SEARCHED_ROWS]
        frame, y = self.table.frame.iloc[rows], self.table.y[rows]
        folds = list(make_splitter("stratified_kfold", 3, True, 0).split(frame, y))
        space = distributions(self.config.model.search_space)
        recipe = replace(self.recipe, params={**self.recipe.params, "n_estimators": 50})
        budget = Budget(N_TRIALS, 4, cluster=cluster)
        spaces = {"xgboost": Space(recipe, {}, space, ())}
        scorer = make_scorer("roc_auc", "binary", self.table.y, (), False)
        run_search(spaces, SearchRows(frame, y, folds), scorer, "random_search", budget, lambda *progress: None)

    def score(self, run_dir: Path, cluster: Cluster) -> None:
        score_file(load_model(run_dir), Job(self.folder / "parts", self.folder / "scores.parquet"), cluster=cluster)


def measure(rows: int, workers: list[int], repeats: int) -> dict[str, Any]:
    """Seconds of each step by the number of workers, and what a tenth of the rows takes of the steps before the rounds."""
    found: dict[str, Any] = {"rows": rows, "cores": usable_cores(), "prepare": {}, "workers": {}}
    with tempfile.TemporaryDirectory() as large, tempfile.TemporaryDirectory() as small:
        case, tenth = Case(Path(large), rows), Case(Path(small), rows // 10)
        found["prepare"] = {one.rows: best(repeats, one.prepare) for one in (tenth, case)}
        run_dir = trained(Path(large))
        for n_workers in workers:
            cluster = Cluster(n_threads=n_workers, n_workers=max(workers))
            with cluster.connected():
                tenth.fit(cluster, n_workers, 1)  # Ray has begun
                seconds = seconds_of(case, run_dir, cluster, n_workers, repeats)
                if n_workers == 1:
                    found["one_round"] = {one.rows: best(repeats, partial(one.fit, cluster, 1, 1)) for one in (tenth, case)}
            found["workers"][str(n_workers)] = seconds
            print(n_workers, {step: round(value, 3) for step, value in seconds.items()}, file=sys.stderr, flush=True)
    return json.loads(json.dumps(found))


def seconds_of(case: Case, run_dir: Path, cluster: Cluster, n_workers: int, repeats: int) -> dict[str, float]:
    """Seconds of each step."""
    few, many = (best(repeats, partial(case.fit, cluster, n_workers, rounds)) for rounds in (FEW, MANY))
    return {
        "search": best(repeats, partial(case.search, cluster)),
        "fit": many,
        "round": (many - few) / (MANY - FEW),
        "score": best(repeats, partial(case.score, run_dir, cluster)),
    }


def trained(folder: Path) -> Path:
    """A run whose model is to score the table."""
    words = [f"--config-dir={folder}/conf", "use_case=scale", "model=xgboost", "data_source=file", "cv=none", "tracking=none"]
    words += [f"data_source.path={folder}/parts", "registry=none", "early_stopping=none", "model.params.n_estimators=100"]
    command = [sys.executable, "-m", "bank_models", "train", *words, f"hydra.run.dir={folder}/run"]
    subprocess.run(command, check=True, capture_output=True)
    return folder / "run"


def efficiencies(found: dict[str, Any]) -> Table:
    """Seconds and efficiency of each step, by the number of workers."""
    table = Table("workers", *(f"{step}, s (efficiency)" for step in ("search", "fit", "score")))
    one = found["workers"]["1"]
    for n_workers, seconds in found["workers"].items():
        used = min(int(n_workers), found["cores"])
        cells = [f"{seconds[step]:.1f} ({one[step] / seconds[step] / used:.2f})" for step in ("search", "fit", "score")]
        table.add_row(n_workers, *cells)
    return table


def estimate(found: dict[str, Any], rows: int, machines: int, cores: int, share: float, gigabits: float) -> dict[str, float]:
    """Seconds of each step of a run on a cluster, as the model has it."""
    one, at_once, bandwidth = found["workers"]["1"], machines * cores * share, gigabits * 1e9 / 8
    built = 1 + sum(2 ** (level - 1) for level in range(1, DEPTH))  # nodes: of two siblings one is the other's difference
    histograms = built * N_COLUMNS * BINS * BYTES_OF_BIN
    network = 2 * (machines - 1) * (histograms / machines / bandwidth + DEPTH * LATENCY_S)
    before = per_row(found["one_round"]) * rows / 2  # half to cut and pack the rows, half for bins: an assumption
    return {
        "prepare": per_row(found["prepare"]) * rows,
        "send": before + TRAINED * rows * N_COLUMNS * 4 / bandwidth,
        "bins": before / at_once,
        "rounds": ROUNDS * (max(one["round"], 0.0) / found["rows"] * rows / at_once + network),
        "score": one["score"] / found["rows"] * rows / at_once,
    }


def per_row(seconds: dict[str, float]) -> float:
    """Seconds of a row, from those of two tables."""
    (few, of_few), (many, of_many) = sorted((int(rows), value) for rows, value in seconds.items())
    return max(of_many - of_few, 0.0) / (many - few)


def on_paper(found: dict[str, Any], machines: int, cores: int, share: float, gigabits: float) -> Table:
    """What large tables would take."""
    title = f"ESTIMATE ON PAPER, not measured: {machines} machines of {cores} cores, {gigabits:g} Gbit/s, {ROUNDS} rounds"
    table = Table("rows", "prepare", "send", "bins", "rounds", "score", "in all", title=title)
    for rows in (10**8, 10**9):
        seconds = estimate(found, rows, machines, cores, share, gigabits)
        table.add_row(
            f"{rows:.0e}".replace("+0", ""), *(minutes(value) for value in (*seconds.values(), sum(seconds.values())))
        )
    return table


def minutes(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2, 4], help="the first is 1")
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--from", dest="measured", type=Path, help="take the measurements of an earlier --json")
    parser.add_argument("--machines", type=int, default=16)
    parser.add_argument("--cores", type=int, default=16)
    parser.add_argument("--share", type=float, default=0.7, help="of a machine's cores that a fit makes use of: an assumption")
    parser.add_argument("--gigabits", type=float, default=10.0, help="a second, between two machines: an assumption")
    args = parser.parse_args()
    found = json.loads(args.measured.read_text()) if args.measured else measure(args.rows, args.workers, args.repeats)
    if args.json:
        args.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    console = Console(width=120)
    console.print(
        f"measured: {found['rows']:,} rows of {N_COLUMNS} columns on {found['cores']} cores, one thread for each worker"
    )
    console.print(efficiencies(found))
    console.print(on_paper(found, args.machines, args.cores, args.share, args.gigabits))


if __name__ == "__main__":
    main()
