"""How fast each model fits and scores, and what it holds in memory, beside the bare library on the same rows.

    python bench/models.py [--rows 10000 100000] [--models xgboost kmeans] [--repeats 2]

Each fit is a process of its own, ours and the bare one in turn. Importing libraries and reading the table are not counted,
nor what scikit-learn imports and looks up in a process's first fit. Both get the same parameters, preprocessing, patience and
threads. Printed are the best of the repeats, the ratio of fitting plus scoring, and the peak memory of each process. A dash:
the bare library has no such step, or would need a matrix of all pairs of rows.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from importlib import import_module
from pathlib import Path

import yaml
from rich.console import Console
from rich.progress import track
from rich.table import Table

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
sys.path.insert(0, str(ROOT / "src"))

SEED = 42
SCORED_ROWS = 100_000
FIXED = {"kmeans": {"n_clusters": 6}, "hierarchical": {"n_clusters": 6}, "dbscan": {"eps": 7.0, "min_samples": 30}}
NEEDS_ALL_PAIRS = {("dbscan", 100_000), ("hierarchical", 100_000)}
MODELS = sorted(path.stem for path in (ROOT / "conf/model").glob("*.yaml"))


def facts_of(model: str) -> dict:
    return yaml.safe_load((ROOT / f"conf/model/{model}.yaml").read_text(encoding="utf-8"))


def patience_facts() -> dict:
    return yaml.safe_load((ROOT / "conf/early_stopping/patience.yaml").read_text(encoding="utf-8"))


def use_case():
    from bank_models.config.use_case import UseCase

    return UseCase.model_validate(
        yaml.safe_load((ROOT / "conf/use_case/credit_risk_scoring.yaml").read_text(encoding="utf-8"))["use_case"]
    )


def write_table(path: Path, rows: int) -> None:
    from bank_models.data import load

    load.load("simulated", use_case(), None, None, rows, SEED).frame.to_parquet(path)


def params_of(model: str, epochs: int | None) -> dict:
    params = facts_of(model)["params"] | FIXED.get(model, {})
    if model == "ensemble":
        params["members"] = {name: facts_of(name)["params"] for name in facts_of(model)["members"]["binary"]}
    return params | ({"max_epochs": epochs} if epochs else {})


def recipe_of(model: str, features, threads: int):
    from bank_models.models.early_stopping import Patience
    from bank_models.training.fit import Recipe

    def one(name: str, task: str) -> Recipe:
        facts = facts_of(name)
        stop = patience_facts()
        patience = Patience(stop["patience"], stop["min_delta"], stop["restore_best_weights"])
        return Recipe(
            task=task, estimator=facts["estimator"][task], params=facts["params"] | FIXED.get(name, {}), features=features,
            **facts["preprocessing"], is_monotone=False, patience=patience if facts["trains_in_rounds"] else None,
            random_state=SEED, n_threads=threads,
        )  # fmt: skip

    from bank_models.training.ensemble import EnsembleRecipe

    facts = facts_of(model)
    task = next(name for name in ("binary", "regression", "clustering") if name in facts["estimator"])
    members = {name: one(name, task) for name in facts["members"].get(task, [])}
    return EnsembleRecipe.of(one(model, task), members) if members else one(model, task)


def ours(recipe, train, y, val, y_val):
    """A function that scores a table, and how many rounds were trained."""
    from bank_models.models.wrappers import predict_score
    from bank_models.training.fit import fit, fit_unsupervised

    if recipe.task == "clustering":
        return fit_unsupervised(recipe, train).predict, None
    target = (y, y_val) if recipe.task == "binary" else (y.astype(float), y_val.astype(float))
    fitted = fit(recipe, train, target[0], val, target[1])
    return lambda frame: predict_score(fitted.model, frame, recipe.task), len(fitted.history)


def measure(kind: str, model: str, path: str, threads: int, epochs: int | None) -> dict:
    """Fit and score in this process."""
    import bare_models
    import numpy as np
    import pandas as pd

    from bank_models.data.table_schema import TableSchema
    from bank_models.data.validation import validate

    facts = use_case()
    frame = validate(pd.read_parquet(path), TableSchema(facts.features, facts.target)).frame
    y = frame.pop(facts.target).to_numpy()
    n_val = len(frame) // 10
    train, y_train, val, y_val = frame.iloc[n_val:], y[n_val:], frame.iloc[:n_val], y[:n_val]
    own = {"neural_network": "bank_models.models.neural.network"} | {name: name for name in ("catboost", "lightgbm", "xgboost")}
    import_module(own.get(model, "sklearn.ensemble"))
    import_module("bank_models.training.fit")
    for first in (train.head(100), np.zeros((100, 1))):
        bare_models.dummy(first, y_train[:100], None, None, {}, {}, threads, SEED)
    recipe, params, patience = recipe_of(model, facts.features, threads), params_of(model, epochs), patience_facts()
    start, rounds = time.perf_counter(), None
    if kind == "ours":
        predict, rounds = ours(recipe, train, y_train, val, y_val)
    else:
        predict = getattr(bare_models, model)(train, y_train, val, y_val, params, patience, threads, SEED)
    fit_s = time.perf_counter() - start
    scored = frame.iloc[np.resize(np.arange(len(frame)), SCORED_ROWS)]
    start = time.perf_counter()
    if predict is not None:
        predict(scored)
    score_s = time.perf_counter() - start if predict is not None else None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"fit_s": fit_s, "score_s": score_s, "peak_mib": peak, "rounds": rounds}


def in_own_process(script: str, *arguments) -> dict:
    """What a bench's `measure` gives for the arguments, asked of a new process."""
    command = [sys.executable, script, "--measure", json.dumps(arguments, default=str)]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True, encoding="utf-8")
    return json.loads(done.stdout.splitlines()[-1])


def best(runs: list[dict]) -> dict:
    times = {name: min((one[name] for one in runs if one[name] is not None), default=None) for name in ("fit_s", "score_s")}
    return times | {"peak_mib": max(one["peak_mib"] for one in runs)}


def row_of(model: str, rows: int, mine: dict, bare: dict | None) -> list[str]:
    shown = [model, f"{rows:,}", f"{mine['fit_s']:.2f}", f"{SCORED_ROWS / mine['score_s']:,.0f}", f"{mine['peak_mib']:.0f}"]
    if bare is None:
        return [*shown, "-", "-", "-", "-"]
    can_score = bare["score_s"] is not None
    total = [one["fit_s"] + (one["score_s"] if can_score else 0) for one in (mine, bare)]
    speed = f"{SCORED_ROWS / bare['score_s']:,.0f}" if can_score else "-"
    return [*shown, f"{bare['fit_s']:.2f}", speed, f"{bare['peak_mib']:.0f}", f"{total[0] / total[1]:.2f}"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--models", nargs="+", default=MODELS, choices=MODELS)
    parser.add_argument("--repeats", type=int, default=2)
    args = parser.parse_args()
    threads = len(os.sched_getaffinity(0))
    columns = ["model", "rows", "fit s", "rows/s scored", "peak MiB", "bare: fit s", "rows/s scored", "peak MiB", "ratio"]
    table = Table(*columns, title=f"{threads} threads, 45 columns, best of {args.repeats}")
    with tempfile.TemporaryDirectory() as folder:
        for rows in args.rows:
            path = Path(folder, f"{rows}.parquet")
            write_table(path, rows)
            for model in track(args.models, f"{rows:,} rows", console=Console(stderr=True)):
                mine, bare = [], []
                for _ in range(args.repeats):
                    mine.append(in_own_process(__file__, "ours", model, path, threads, None))
                    if (model, rows) not in NEEDS_ALL_PAIRS:
                        epochs = mine[-1]["rounds"] if model == "neural_network" else None
                        bare.append(in_own_process(__file__, "bare", model, path, threads, epochs))
                table.add_row(*row_of(model, rows, best(mine), best(bare) if bare else None))
    Console(width=130).print(table)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--measure"]:
        print(json.dumps(measure(*json.loads(sys.argv[2]))))
    else:
        main()
