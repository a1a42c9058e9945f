"""`model=ensemble tuning=auto budget=…` beside FLAML, AutoGluon, MLJAR, CatBoost and XGBoost: the best score for the time.

    python bench/automl.py [--sets german_credit …] [--seconds 60] [--seeds 0] [--tools ours flaml …] [--results FILE]
        [--pythons flaml=/path/to/python autogluon=… mljar=… catboost=…] [--extra OVERRIDE …]

Every tool is a command of its own and the clock runs from its start to its end: imports, reading the rows, search, final fit,
and what it writes. Ours writes a whole run folder (report, reasons, intervals, drift) within the budget; the others write
predictions. All are told the same features, metric and cores, and get the same rows to learn from. Test rows are those of the
use case's own split: where it has a time column they are the newest, and FLAML, CatBoost and XGBoost validate on the newest of
the other rows; AutoGluon and MLJAR have no setting for that and hold out rows at random. MLJAR takes no mean absolute error of
texts; columns of texts are left to each tool. XGBoost and CatBoost are not searched for: their own parameters, up to 5,000
rounds, stopped early on a tenth of the rows.

Results go to a file, a line each, and what is there is not run again, so a long comparison can go on later. The tables show
scores, mean ranks (1 is best, ties share), seconds, and the largest distance to the best, as a share of best less XGBoost.

The others need environments of their own: `pip install flaml "scikit-learn<1.7" xgboost lightgbm "pandas<3" pyarrow catboost`
(also for catboost and xgboost), `pip install "autogluon.tabular[lightgbm,xgboost,catboost]"`,
`pip install mljar-supervised "pandas<3" pyarrow`. TabM, RealMLP and the explainable boosting machine
(`--tools tabm realmlp ebm`) need AutoGluon's with `pip install pytabkit interpret-core`.
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

import numpy as np
import pandas as pd

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
sys.path.insert(0, str(ROOT / "src"))

SETS = {  # the use case whose features, metric and split they are
    "crx": "loan_approval",
    "german_credit": "credit_scoring",
    "loanapp_denials": "mortgage_risk",
    "fed_deposits": "deposit_prediction",
    "caravan": "cross_sell",
    "vader_tweets": "sentiment_analysis",
    "tv_churn": "attrition_risk",
    "p401k": "cross_sell",
    "cdnow_inactivity": "attrition_risk",
    "cdnow_spend": "clv_prediction",
    "pakdd2009": "credit_risk_scoring",
    "bank_marketing": "account_opening",
    "ecb_fx_volatility": "currency_risk",
    "gmsc": "default_prediction",
}
TOOLS = ("ours", "autogluon", "flaml", "mljar", "catboost", "xgboost")
SINGLE = ("tabm", "realmlp", "ebm")  # models, not tools: asked for by name
WITHOUT_A_CLOCK = ("catboost", "xgboost")
GRACE = 4  # times the budget after which a tool is stopped, and has no score


def settings_of(name: str, seed: int) -> list[str]:
    """What to type for a set."""
    return [f"use_case={SETS[name]}", "data_source=packaged", f"data_source.name={name}", f"seed={seed}"]


def write_tables(name: str, seed: int, folder: Path) -> dict:
    """Write what the other tools get, and say what the set is."""
    from bank_models import load_config, load_table, split

    settings = load_config(*settings_of(name, seed))
    table = load_table(settings)
    parts = split(table, settings).split
    use_case = settings.use_case
    learn = np.concatenate([parts.train, parts.val])
    if use_case.time_column:
        learn = learn[np.argsort(table.times[learn], kind="stable")]
    for part, rows in (("train", learn), ("test", parts.test)):
        frame, y = table.rows(rows)
        made = frame[list(table.features)].copy()
        for column in made.columns:
            if made[column].dtype.kind not in "biufM" and not isinstance(made[column].dtype, pd.CategoricalDtype):
                made[column] = made[column].astype(object)
        made.assign(__target__=y).to_parquet(folder / f"{part}.parquet")
    facts = {
        "task": use_case.task, "metric": use_case.metric, "is_timed": bool(use_case.time_column), "rows": len(table.frame),
        "features": len(table.features), "n_test": len(parts.test),
    }  # fmt: skip
    (folder / "facts.json").write_text(json.dumps(facts), encoding="utf-8")
    return facts


def run_ours(name: str, seconds: int, seed: int, folder: Path, extra: list[str], metric: str) -> dict:
    """The command as a user types it; the score is the one it reports."""
    run_dir = folder / "run"
    command = [sys.executable, "-m", "src.train", *settings_of(name, seed), "model=ensemble", "tuning=auto",
               f"budget={seconds}s", "tracking=none", "registry=none", "tuning.storage=null",
               f"hydra.run.dir={run_dir}", *extra]  # fmt: skip
    start = time.perf_counter()
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    wall = time.perf_counter() - start
    if done.returncode:
        return {"wall": wall, "error": (done.stdout + done.stderr).strip().splitlines()[-1]}
    return {"wall": wall, "score": json.loads((run_dir / "metrics.json").read_text(encoding="utf-8"))[f"test_{metric}"]}


def run_other(tool: str, python: str, seconds: int, seed: int, folder: Path, cores: int) -> dict:
    """Another tool in its own environment; its predictions for the test rows are scored here."""
    command = [
        python,
        "-W",
        "ignore",
        str(ROOT / "bench/bare_automl.py"),
        tool,
        str(folder),
        str(seconds),
        str(cores),
        str(seed),
    ]
    start = time.perf_counter()
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=GRACE * seconds + 60, cwd=folder,
            env=os.environ | {"OMP_NUM_THREADS": str(cores)},
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return {"wall": time.perf_counter() - start, "error": f"not finished after {GRACE} times the budget"}
    wall = time.perf_counter() - start
    if done.returncode:
        return {"wall": wall, "error": (done.stderr or done.stdout).strip().splitlines()[-1][:200]}
    said = json.loads(done.stdout.strip().splitlines()[-1])
    return {"wall": wall, "score": _score(folder), **said}


def _score(folder: Path) -> float:
    from sklearn import metrics

    facts = json.loads((folder / "facts.json").read_text(encoding="utf-8"))
    y, found = pd.read_parquet(folder / "test.parquet")["__target__"].to_numpy(), np.load(folder / "predicted.npy")
    match facts["metric"]:
        case "roc_auc":
            return metrics.roc_auc_score(y, found)
        case "f1_macro":
            return metrics.f1_score(y, found.argmax(axis=1), average="macro")
        case "r2":
            return metrics.r2_score(y, found)
        case "mae":
            return metrics.mean_absolute_error(y, found)
    raise ValueError(facts["metric"])


def known(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.is_file() else []


def run_all(args: argparse.Namespace, pythons: dict[str, str]) -> None:
    """Run what the results file lacks, and append each result to it."""
    cores = len(os.sched_getaffinity(0))
    for seed in args.seeds:
        for name in args.sets:
            done = {(one["set"], one["seed"], one["seconds"], one["tool"]) for one in known(args.results)}
            missing = [
                tool for tool in args.tools if tool in pythons and (name, seed, _clock(tool, args.seconds), tool) not in done
            ]
            if not missing:
                continue
            with tempfile.TemporaryDirectory() as folder:
                facts = write_tables(name, seed, Path(folder))
                for tool in missing:
                    with tempfile.TemporaryDirectory() as place:
                        for each in Path(folder).iterdir():
                            (Path(place) / each.name).symlink_to(each)
                        if tool == "ours":
                            found = run_ours(name, args.seconds, seed, Path(place), args.extra, facts["metric"])
                        else:
                            found = run_other(tool, pythons[tool], args.seconds, seed, Path(place), cores)
                    line = {"set": name, "seed": seed, "seconds": _clock(tool, args.seconds), "tool": tool, **facts, **found}
                    with args.results.open("a", encoding="utf-8") as file:
                        file.write(json.dumps(line) + "\n")
                    print(f"{name:20}{tool:12}{found['wall']:7.1f} s  {found.get('score', found.get('error'))}", flush=True)


def _clock(tool: str, seconds: int) -> int | None:
    return None if tool in WITHOUT_A_CLOCK else seconds


def show(results: list[dict], seconds: int, tools: list[str]) -> None:
    """Print scores by set and tool, and the mean ranks."""
    from bank_models.metrics.names import is_loss

    table = pd.DataFrame([one for one in results if one["seconds"] in (None, seconds) and one["tool"] in tools])
    table["better"] = [-one.score if is_loss(one.metric) else one.score for one in table.itertuples()]
    of_set = table.groupby(["set", "tool"]).agg(better=("better", "mean"), wall=("wall", "mean")).unstack()
    better = of_set["better"].reindex(index=[name for name in SETS if name in of_set.index], columns=tools)
    ranks = better.rank(axis=1, ascending=False, na_option="bottom")
    gap = better.max(axis=1) - better["xgboost"] if "xgboost" in better else better.max(axis=1)
    behind = better.rsub(better.max(axis=1), axis=0).div(gap.where(gap > 0), axis=0)
    pd.set_option("display.width", 200)
    pd.set_option("display.float_format", "{:.4f}".format)
    facts = table.groupby("set")[["rows", "features", "metric"]].first()
    print(facts.join(better.abs()).reindex(better.index).to_string())
    print(f"\nmean over {len(better)} sets")
    print(
        pd.DataFrame(
            {"rank": ranks.mean(), "first": (ranks == 1).sum(), "seconds": of_set["wall"].mean(),
             "most seconds": of_set["wall"].max(), "median share behind": behind.median(), "no score": better.isna().sum()}
        ).reindex(tools).to_string()
    )  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", nargs="+", default=list(SETS), choices=list(SETS))
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--tools", nargs="+", default=list(TOOLS), choices=[*TOOLS, *SINGLE])
    parser.add_argument("--pythons", nargs="*", default=[], metavar="TOOL=PYTHON")
    parser.add_argument("--extra", nargs="*", default=[], help="more overrides for ours")
    parser.add_argument("--results", type=Path, default=ROOT / "bench/results/automl.jsonl")
    parser.add_argument("--show", action="store_true", help="only print the tables of the results file")
    args = parser.parse_args()
    pythons = {"ours": sys.executable, **dict(one.split("=", 1) for one in args.pythons)}
    if not args.show:
        run_all(args, pythons)
    results = known(args.results)
    present = {one["tool"] for one in results}
    show(results, args.seconds, [tool for tool in args.tools if tool in present])


if __name__ == "__main__":
    main()
