"""How much longer a whole portfolio takes than the bare fits inside it would, shared perfectly among the cores.

    python bench/portfolio.py ['use_case=glob(*,exclude=fraud)' model=… ] [--keep DIR]

First the portfolio is run as a user runs it, side by side on all cores: reading, validation, folds, fits, metrics,
intervals, ceilings and run folders of every job. Then its fits are repeated bare, one after the other in one process with
one thread: for each job the folds of its cross-validation and the final fit, on the same rows with the same parameters,
each with its preprocessing and one scoring of the rows held out. Reading and validating the rows is outside the clock. A
model that trains in rounds gets the number of rounds that the job trained and no watching of losses, which flatters the
bare side. Clusters are fitted once; that their stability needs many more fits counts against us.

Printed are the wall time, the sum of the bare fits, the cores and wall / (sum / cores): 1 would be a portfolio that does
nothing but fit and leaves no core idle. The goal is at most 1.5.
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
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
sys.path.insert(0, str(ROOT / "src"))
ROUNDS = ("n_estimators", "max_epochs")
GOAL = 1.5


def run_portfolio(overrides: list[str], sweep_dir: Path) -> float:
    """Wall seconds of the portfolio."""
    command = [sys.executable, "-m", "src.train", "--multirun", *overrides, "hydra/launcher=joblib"]
    start = time.perf_counter()
    where = [f"hydra.sweep.dir={sweep_dir}", f"tracking.experiments={sweep_dir}/experiments.jsonl"]
    code = subprocess.run([*command, *where], cwd=ROOT).returncode
    if code not in (0, 5):
        sys.exit(f"The portfolio ended with exit code {code}")
    return time.perf_counter() - start


def bare_seconds(run_dir: Path) -> float:
    """Seconds that the fits of a finished run take, with one thread and nothing around them."""
    from bank_models.config.schema import TrainingConfig
    from bank_models.data import load
    from bank_models.data.derived_columns import add_derived
    from bank_models.data.lags import add_lags
    from bank_models.data.split import row_keys, split
    from bank_models.data.table_schema import schema_of
    from bank_models.data.validation import validate
    from bank_models.models.wrappers import predict_score
    from bank_models.training.fit import fit, fit_unsupervised
    from bank_models.training.recipe import make_recipe

    facts = json.loads((run_dir / "metadata.json").read_text(encoding="utf-8"))
    config = TrainingConfig.model_validate_json(json.dumps(facts["config"]))
    use_case = config.use_case
    data = load.load(use_case=use_case, **config.data_source.model_dump())
    frame = validate(data.frame, schema_of(use_case), use_case.duplicates).frame
    features = use_case.inputs()
    frame = add_lags(frame, use_case.lags, use_case.time_column) if use_case.lags else frame
    frame = add_derived(frame, use_case.derived) if use_case.derived else frame
    recipe = replace(make_recipe(config, features), n_threads=1, patience=None, smears=False)
    if use_case.task == "clustering":
        start = time.perf_counter()
        fit_unsupervised(recipe, frame)
        return time.perf_counter() - start
    params = dict(recipe.params)
    for name in set(ROUNDS) & set(params) if config.early_stopping.patience else ():
        params[name] = len((run_dir / "history.csv").read_text(encoding="utf-8").splitlines()) - 1
    recipe = replace(recipe, params=params)
    y = frame[use_case.target].to_numpy()
    times, groups = (frame[name].to_numpy() if name else None for name in (use_case.time_column, use_case.group_column))
    keys = row_keys(frame, use_case.group_column) if config.data_split.method == "hashed" else groups
    parts = split(y, **config.data_split.how, task=use_case.task, times=times, keys=keys)
    if use_case.task == "anomaly":
        start = time.perf_counter()
        predict_score(fit_unsupervised(recipe, frame.iloc[parts.train]), frame.iloc[parts.test], use_case.task)
        return time.perf_counter() - start
    seconds = 0.0
    for rows, held_out in [*folds_of(config, y, times, groups, parts.train), (parts.train, parts.test)]:
        start = time.perf_counter()
        model = fit(recipe, frame.iloc[rows], y[rows]).model
        predict_score(model, frame.iloc[held_out], use_case.task)
        seconds += time.perf_counter() - start
    return seconds


def folds_of(config, y, times, groups, train) -> list[tuple]:
    """Rows of each fold of the cross-validation, as positions in the whole table."""
    from bank_models.training.cross_validation import draw_folds, make_splitter

    if config.cv.method == "none":
        return []
    of_train = [None if values is None else values[train] for values in (times, groups)]
    times = of_train[0] if config.cv.method == "time_series" else None
    groups = of_train[1] if "group" in config.cv.method else None
    splitter = make_splitter(**config.cv.model_dump(exclude={"scoring"}))
    return [
        (train[rows], train[held_out]) for rows, held_out in draw_folds(splitter, y[train], config.use_case.task, times, groups)
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("overrides", nargs="*", default=["use_case=glob(*,exclude=fraud)"])
    parser.add_argument("--keep", type=Path, help="leave the sweep folder here")
    args = parser.parse_args()
    cores = len(os.sched_getaffinity(0))
    with tempfile.TemporaryDirectory() as folder:
        sweep_dir = args.keep or Path(folder, "sweep")
        wall = run_portfolio(args.overrides, sweep_dir.absolute())
        rows = [row for row in json.loads((sweep_dir / "results.json").read_text(encoding="utf-8")) if row["status"] == "ok"]
        import lightgbm  # noqa: F401  outside the clock
        import xgboost  # noqa: F401
        from threadpoolctl import threadpool_limits

        threadpool_limits(1)
        bare = {row["run_dir"]: bare_seconds(sweep_dir / row["run_dir"]) for row in rows}
    print(f"\n{'run':<44}{'job s':>9}{'bare s':>9}")
    for row in rows:
        print(f"{row['run_dir']:<44}{row['seconds']:>9.1f}{bare[row['run_dir']]:>9.1f}")
    total = sum(bare.values())
    print(f"\nwall {wall:.1f} s, bare fits {total:.1f} s, {cores} cores: wall / (sum / cores) = {wall / (total / cores):.2f}"
          f" (goal: at most {GOAL})")  # fmt: skip


if __name__ == "__main__":
    main()
