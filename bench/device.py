"""How fast models train on a CUDA device beside this machine's cores, and whether they say the same there.

    python bench/device.py [--rows 100000 1000000] [--models xgboost neural_network] [--repeats 2]

Each fit is a process of its own, on the same rows with the same parameters, patience and seed; a small fit before the clock
starts pays for imports and for waking the device. Rows are scored on the CPU, whatever trained the model. Printed are the best
of the repeats, ROC-AUC on a tenth of the rows that training did not see, whether the repeats gave equal scores to the last
bit, and, while fitting, how busy the device was and what it held.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import models
from rich.console import Console
from rich.progress import track
from rich.table import Table

WARM_UP_ROWS = 2_000


def measure(model: str, device: str, path: str, threads: int) -> dict:
    """Fit on four fifths of a table, stop on a tenth and score a tenth, in this process."""
    import pandas as pd
    from sklearn.metrics import roc_auc_score

    from bank_models.data.table_schema import TableSchema
    from bank_models.data.validation import validate
    from bank_models.models.wrappers import predict_score
    from bank_models.runtime.monitor import Monitor
    from bank_models.training.fit import fit

    facts = models.use_case()
    frame = validate(pd.read_parquet(path), TableSchema(facts.features, facts.target)).frame
    y, n_held_out = frame.pop(facts.target).to_numpy(), len(frame) // 10
    test, stop, train = (slice(n_held_out), slice(n_held_out, 2 * n_held_out), slice(2 * n_held_out, None))
    recipe = replace(models.recipe_of(model, facts.features, threads), device=device)
    short = {"n_estimators": 2, "max_epochs": 1}
    few = replace(recipe, params={name: short.get(name, value) for name, value in recipe.params.items()})
    fit(few, frame[train][:WARM_UP_ROWS], y[train][:WARM_UP_ROWS], frame[stop][:WARM_UP_ROWS], y[stop][:WARM_UP_ROWS])
    with Monitor(device) as monitor:
        start = time.perf_counter()
        fitted = fit(recipe, frame[train], y[train], frame[stop], y[stop])
        fit_s = time.perf_counter() - start
    score = predict_score(fitted.model, frame[test], recipe.task)
    used = monitor.table()
    return {
        "fit_s": fit_s,
        "rounds": len(fitted.history),
        "roc_auc": roc_auc_score(y[test], score),
        "sha256": hashlib.sha256(score.tobytes()).hexdigest(),
        "gpu_percent": float(used.gpu_percent.mean()),
        "gpu_memory_mb": float(used.gpu_memory_mb.max()),
    }


def row_of(model: str, rows: int, device: str, runs: list[dict], cpu_s: float) -> list[str]:
    best = min(runs, key=lambda one: one["fit_s"])
    is_equal = "yes" if len({one["sha256"] for one in runs}) == 1 else "NO"
    shown = [model, f"{rows:,}", device, f"{best['fit_s']:.2f}", f"{best['rounds']}", f"{best['roc_auc']:.4f}", is_equal]
    if device == "cpu":
        return [*shown, "-", "-", "1.00"]
    return [*shown, f"{best['gpu_percent']:.0f}", f"{best['gpu_memory_mb']:,.0f}", f"{cpu_s / best['fit_s']:.2f}"]


def main() -> None:
    from bank_models.runtime.device import cuda_devices

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, nargs="+", default=[100_000, 1_000_000])
    parser.add_argument("--models", nargs="+", default=["xgboost", "neural_network"], choices=["xgboost", "neural_network"])
    parser.add_argument("--repeats", type=int, default=2)
    args = parser.parse_args()
    if not cuda_devices():
        sys.exit("There is no CUDA device here to compare with.")
    threads = len(os.sched_getaffinity(0))
    columns = ["model", "rows", "device", "fit s", "rounds", "ROC-AUC", "repeats equal", "GPU %", "GPU MB", "times as fast"]
    table = Table(*columns, title=f"{cuda_devices()[0]} beside {threads} cores, 45 columns, best of {args.repeats}")
    with tempfile.TemporaryDirectory() as folder:
        for rows in args.rows:
            path = Path(folder, f"{rows}.parquet")
            models.write_table(path, rows)
            for model in track(args.models, f"{rows:,} rows", console=Console(stderr=True)):
                runs = {
                    device: [models.in_own_process(__file__, model, device, path, threads) for _ in range(args.repeats)]
                    for device in ("cpu", "cuda")
                }
                cpu_s = min(one["fit_s"] for one in runs["cpu"])
                for device, found in runs.items():
                    table.add_row(*row_of(model, rows, device, found, cpu_s))
    Console(width=130).print(table)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--measure"]:
        print(json.dumps(measure(*json.loads(sys.argv[2]))))
    else:
        main()
