"""Searches for XGBoost's parameters beside those of scikit-learn and scikit-optimize, on the same rows and folds.

    python bench/tuning.py [--sets german bank …] [--points 324] [--n-iter 50] [--skopt /path/to/python]

Real applications for credit and a bank's campaign: each set's train part (80 %) is searched on three folds, without early
stopping, by processes that share the cores; the winner is fitted on the train part and scored on the test part (10 %), which no
search has seen. All get the same matrix: preprocessing is outside the clock for them and inside it for us. Every search is a
process of its own; printed are its seconds, fits, best mean ROC-AUC over the folds, ROC-AUC on test and peak memory.

`--points` draws so many of the 972 points of the grid at random, for all who search a grid. scikit-optimize does not work with
today's scikit-learn: --skopt names a Python that has it (scikit-optimize 0.10.2, scikit-learn 1.6, xgboost 3.2.0).
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from itertools import product
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
sys.path.insert(0, str(ROOT / "src"))
SEED = int(os.environ.get("SEED", 42))
SETS = {
    "german": ["use_case=credit_scoring"],
    "bank": ["use_case=account_opening", "data_split=stratified", "cv=stratified_kfold"],
    "pakdd": ["use_case=credit_risk_scoring", "data_source=packaged", "data_source.name=pakdd2009"],
    "gmsc": ["use_case=default_prediction"],
}
GMSC_ROWS = 20_000
MANY_LENGTHS = {"n_estimators": list(range(25, 401, 25)), "max_depth": [3, 6], "learning_rate": [0.05, 0.1, 0.3]}
THEIRS = ("GridSearchCV", "HalvingGridSearchCV", "RandomizedSearchCV", "BayesSearchCV")
OURS = ("grid_search", "halving", "random_search", "bayesian")


def load(name: str):
    """Recipe, table, and the rows of train and test of a set."""
    from hydra import compose, initialize_config_dir

    from bank_models.config import settings as config
    from bank_models.data import load as source
    from bank_models.data.split import split
    from bank_models.data.table import make_table
    from bank_models.training.recipe import make_recipe

    cores = len(os.sched_getaffinity(0))
    overrides = [*SETS[name], "model=xgboost", "early_stopping=none", f"n_threads={cores}", f"seed={SEED}"]
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        settings = config.read(compose("config", overrides=overrides))
    table = make_table(source.load(use_case=settings.use_case, **settings.data_source.model_dump()), settings.use_case)
    how = settings.data_split.how
    parts = split(table.y, **how, task="binary", times=table.times, keys=table.groups)
    train = parts.train[:: max(1, len(parts.train) // (GMSC_ROWS * 8 // 10))] if name == "gmsc" else parts.train
    recipe = replace(make_recipe(settings, table.features), is_monotone=False)  # the others are told no directions
    return settings, recipe, table, train, parts.test


def folds_of(y):
    from sklearn.model_selection import StratifiedKFold

    return list(StratifiedKFold(3, shuffle=True, random_state=0).split(y, y))


def grid_facts(settings) -> dict:
    return MANY_LENGTHS if "--many-lengths" in sys.argv else settings.model.grid


def grid_of(settings, n_points: int | None) -> list[dict]:
    import numpy as np

    grid = grid_facts(settings)
    points = [dict(zip(grid, values, strict=True)) for values in product(*grid.values())]
    if n_points is not None and n_points < len(points):  # the same ones that our own search draws
        points = [points[i] for i in np.sort(np.random.default_rng(SEED).choice(len(points), n_points, replace=False))]
    return points


def write_matrix(name: str, folder: Path, n_points: int | None) -> None:
    """What the others need."""
    import numpy as np

    from bank_models.features.preprocessing import make_features
    from bank_models.training.fit import matrix_of

    settings, recipe, table, train, _ = load(name)
    frame, y = table.rows(train)
    features = make_features(recipe.features, **recipe.preprocessing, random_state=SEED)
    X = features.fit_transform(frame, y)
    np.savez(folder / "rows.npz", X=X, y=y, is_category=matrix_of(recipe, features).is_category)
    arrays = {
        f"{part}_{i}": rows for i, fold in enumerate(folds_of(y)) for part, rows in zip(("train", "test"), fold, strict=True)
    }
    np.savez(folder / "folds.npz", **arrays)
    space = {key: value.model_dump(exclude_none=True) for key, value in settings.model.search_space.items()}
    space["n_estimators"] = {"type": "int", "low": 50, "high": 500}  # we find it on the way
    (folder / "space.json").write_text(json.dumps(space), encoding="utf-8")
    (folder / "grid.json").write_text(json.dumps(grid_of(settings, n_points)), encoding="utf-8")
    (folder / "params.json").write_text(json.dumps(recipe.params), encoding="utf-8")


def measure_ours(name: str, method: str, n_points: int | None, n_iter: int) -> dict:
    from bank_models.metrics.scorer import make_scorer
    from bank_models.tuning import workers
    from bank_models.tuning.folds import SearchRows
    from bank_models.tuning.search import Budget
    from bank_models.tuning.space import Space, distributions
    from bank_models.tuning.tune import run_search

    workers.warm_up()  # as a run does, while it reads its rows
    settings, recipe, table, train, _ = load(name)
    frame, y = table.rows(train)
    model = settings.model
    spaces = {"xgboost": Space(recipe, grid_facts(settings), distributions(model.search_space), model.starting_points)}
    scorer = make_scorer("roc_auc", "binary", y)
    start = time.perf_counter()
    n_concurrent = {"grid_search": 64, "halving": 27, "random_search": 8, "bayesian": 4}[method]
    budget = Budget({"grid_search": n_points, "halving": 81}.get(method, n_iter), n_concurrent)
    found = run_search(spaces, SearchRows(frame, y, folds_of(y)), scorer, method, budget, advance=lambda *progress: None)
    seconds = time.perf_counter() - start
    fits = int(found.table.drop_duplicates([c for c in settings.model.search_space if c in found.table] + ["share"])[
        ["fold_1", "fold_2", "fold_3"]].notna().sum().sum())  # fmt: skip
    params = {key: getattr(value, "item", lambda value=value: value)() for key, value in found.params["xgboost"].items()}
    return {"seconds": seconds, "fits": fits, "cv": found.facts["best_value"], "params": params, "facts": found.facts}


def test_score(name: str, params: dict) -> float:
    from sklearn.metrics import roc_auc_score

    from bank_models.models.wrappers import predict_score
    from bank_models.training.fit import fit

    _, recipe, table, train, test = load(name)
    recipe = replace(recipe, params={**recipe.params, **params})
    frame, y = table.rows(test)
    return roc_auc_score(y, predict_score(fit(recipe, *table.rows(train)).model, frame, "binary"))


def in_a_process(command: list[str]) -> dict:
    code = (
        "import json, resource, subprocess, sys\n"
        "done = subprocess.run(sys.argv[1:], stdout=subprocess.PIPE, text=True)\n"
        "peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024\n"
        "print(json.dumps({**json.loads(done.stdout.splitlines()[-1]), 'peak_mib': peak}) if done.returncode == 0 else 'null')"
    )
    env = os.environ | {"OMP_NUM_THREADS": "1"} if "bare_search" in " ".join(command) else None
    done = subprocess.run([sys.executable, "-c", code, *command], stdout=subprocess.PIPE, text=True, env=env, encoding="utf-8")
    return json.loads(done.stdout) or {}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sets", nargs="+", default=list(SETS), choices=list(SETS))
    parser.add_argument("--methods", nargs="+", default=[*THEIRS, *OURS], choices=[*THEIRS, *OURS])
    parser.add_argument("--points", type=int, help="of the grid's 972; all unless given")
    parser.add_argument("--many-lengths", action="store_true", help="a grid of 96 points with 16 numbers of rounds instead")
    parser.add_argument("--n-iter", type=int, default=50)
    parser.add_argument("--skopt", help="a Python with scikit-optimize")
    parser.add_argument("--measure", nargs=2, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.measure:
        print(json.dumps(measure_ours(*args.measure, args.points, args.n_iter)))
        return
    threads = len(os.sched_getaffinity(0))
    n_points = 96 if args.many_lengths else args.points or 972
    print(f"{threads} cores, {n_points} points of a grid, {args.n_iter} iterations, no early stopping", flush=True)
    print(f"{'set':<8}{'search':<22}{'seconds':>9}{'fits':>7}{'best CV':>10}{'test':>9}{'peak MiB':>10}", flush=True)
    for name in args.sets:
        with tempfile.TemporaryDirectory() as folder:
            write_matrix(name, Path(folder), args.points)
            for method in args.methods:
                if method in OURS:
                    points = ["--points", str(args.points)] if args.points else []
                    command = [sys.executable, __file__, "--measure", name, method, *points, "--n-iter", str(args.n_iter)]
                    command += ["--many-lengths"] if args.many_lengths else []
                elif method == "BayesSearchCV" and not args.skopt:
                    continue
                else:
                    python = args.skopt if method == "BayesSearchCV" else sys.executable
                    command = [python, "-W", "ignore", str(ROOT / "bench/bare_search.py"), method, folder]
                    command += [str(args.n_iter), str(threads), str(SEED)]
                found = in_a_process(command)
                if not found:
                    print(f"{name:<8}{method:<22} failed", flush=True)
                    continue
                test = test_score(name, found["params"])
                label = f"{'ours: ' if method in OURS else ''}{method}"
                print(f"{name:<8}{label:<22}{found['seconds']:>9.1f}{found['fits']:>7}{found['cv']:>10.5f}{test:>9.4f}"
                      f"{found['peak_mib']:>10}", flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
