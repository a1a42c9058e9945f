"""`model=ensemble tuning=auto` beside FLAML and AutoGluon, with the same time on the same cores and rows.

    python bench/automl.py [--sets german bank …] [--seconds 60] [--flaml /path/to/python] [--autogluon /path/to/python]

Each tool gets all rows but the test part (10 %), which no search sees, as a table with categories; ours takes 80 % for the
search and the fit and 10 % to stop it. Printed are seconds, ROC-AUC on test, and the mean rank over the sets (1 is best). Ours
begins no trial after two thirds of the time and fits its winners in the rest; theirs stop by themselves. What all three return
depends on the machine, for the clock decides.

FLAML and AutoGluon need environments of their own: `pip install flaml "scikit-learn<1.7" xgboost lightgbm "pandas<3" pyarrow`
and `pip install "autogluon.tabular[lightgbm,xgboost,catboost]"`.
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

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
sys.path.insert(0, str(ROOT / "src"))
SEED = 42
FOR_THE_SEARCH = 2 / 3


def load(name: str):
    """Settings, table, split and scorer of a set, for `model=ensemble`."""
    from tuning import GMSC_ROWS, SETS

    from bank_models import load_config, load_table, split
    from bank_models.data.split import Split

    overrides = [*SETS[name], "model=ensemble", "tuning=auto", f"n_threads={len(os.sched_getaffinity(0))}"]
    overrides += ["tuning.n_iter=10000", "tuning.storage=null", "early_stopping=patience"]
    settings = load_config(*overrides)
    table = load_table(settings)
    parts = split(table, settings).split
    if name == "gmsc":
        every = max(1, len(parts.train) // (GMSC_ROWS * 8 // 10))
        parts = Split(parts.train[::every], parts.val[::every], parts.test)
    return settings, table, parts


def ours(name: str, seconds: int) -> dict:
    from bank_models.metrics.scorer import make_scorer
    from bank_models.models.wrappers import predict_score
    from bank_models.pipeline.fit.search import tune
    from bank_models.training.fit import fit
    from bank_models.training.recipe import make_recipe
    from bank_models.tuning import workers

    workers.warm_up()
    settings, table, parts = load(name)
    settings = settings.model_copy(
        update={"tuning": settings.tuning.model_copy(update={"timeout_s": seconds * FOR_THE_SEARCH})}
    )
    recipe = make_recipe(settings, table.features)
    start = time.perf_counter()
    found = tune(settings, recipe, table, parts.train, make_scorer("roc_auc", "binary", table.y), lambda *told: None)
    model = fit(found.applied_to(recipe), *table.rows(parts.train), *table.rows(parts.val)).model
    taken = time.perf_counter() - start
    from sklearn.metrics import roc_auc_score

    test, y_test = table.rows(parts.test)
    score = roc_auc_score(y_test, predict_score(model, test, "binary"))
    weights = " ".join(f"{name} {weight:.2f}" for name, weight in found.weights.items())
    return {"seconds": taken, "test": score, "best": f"{len(found.table)} trials: {weights}"}


def write_tables(name: str, folder: Path) -> None:
    import numpy as np

    _, table, parts = load(name)
    for part, rows in (("train", np.concatenate([parts.train, parts.val])), ("test", parts.test)):
        frame, y = table.rows(rows)
        frame[list(table.features)].assign(target=y).to_parquet(folder / f"{part}.parquet")


def main() -> None:
    from tuning import SETS

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sets", nargs="+", default=list(SETS), choices=list(SETS))
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--flaml", help="a Python with FLAML")
    parser.add_argument("--autogluon", help="a Python with AutoGluon")
    parser.add_argument("--tools", nargs="+", default=["ours", "flaml", "autogluon"])
    parser.add_argument("--measure", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.measure:
        print(json.dumps(ours(args.measure, args.seconds)))
        return
    cores = len(os.sched_getaffinity(0))
    pythons = {"ours": sys.executable, "flaml": args.flaml, "autogluon": args.autogluon}
    tools = [tool for tool, python in pythons.items() if python and tool in args.tools]
    print(f"{cores} cores, {args.seconds} s each\n{'set':<8}{'tool':<11}{'seconds':>9}{'test':>9}  best", flush=True)
    ranks: dict[str, list[int]] = {tool: [] for tool in tools}
    for name in args.sets:
        scores = {}
        with tempfile.TemporaryDirectory() as folder:
            write_tables(name, Path(folder))
            for tool in tools:
                if tool == "ours":
                    command = [sys.executable, __file__, "--measure", name, "--seconds", str(args.seconds)]
                else:
                    command = [
                        pythons[tool],
                        "-W",
                        "ignore",
                        str(ROOT / "bench/bare_automl.py"),
                        tool,
                        folder,
                        str(args.seconds),
                        str(cores),
                    ]
                    command.append(str(SEED))
                done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8")
                if done.returncode != 0:
                    print(f"{name:<8}{tool:<11} failed: {done.stderr.splitlines()[-1]}", flush=True)
                    continue
                found = json.loads(done.stdout.splitlines()[-1])
                scores[tool] = found["test"]
                print(f"{name:<8}{tool:<11}{found['seconds']:>9.1f}{found['test']:>9.4f}  {found['best']}", flush=True)
        for tool in scores:
            ranks[tool].append(1 + sum(other > scores[tool] for other in scores.values()))
    for tool, found in ranks.items():
        if found:
            print(f"mean rank of {tool}: {sum(found) / len(found):.2f}")


if __name__ == "__main__":
    main()
