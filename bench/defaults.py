"""Default parameters of LightGBM and XGBoost, and refit on train and val, compared on real tables.

    python bench/defaults.py [--sets german_credit tv_churn …] [--splits 3] [--results FILE]

No test row is used: the train and val rows of each set are cut into parts to fit, to stop at, and to judge, by a new seed each
time; where the use case has a time, the rows that judge are the newest. A gain is the difference of the use case's metric to
the reference (the first variant without refit), as a share of the range that all variants span on the set, so that sets count
alike. `wins` are sets where the mean over the splits is above the reference.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
sys.path.insert(0, str(ROOT / "src"))

SETS = ("crx", "german_credit", "loanapp_denials", "fed_deposits", "caravan", "tv_churn", "p401k", "cdnow_spend",
        "cdnow_inactivity", "ecb_fx_volatility", "pakdd2009", "bank_marketing")  # fmt: skip
FULL = {"learning_rate": 0.05, "n_estimators": 500}
LIGHTGBM = FULL | {"num_leaves": 31, "min_child_samples": 20, "colsample_bytree": 0.9, "reg_lambda": 0}
XGBOOST = FULL | {"max_depth": 6, "min_child_weight": 1, "subsample": 0.9, "colsample_bytree": 0.9, "reg_lambda": 1}
TUNED = {  # pytabkit's, arXiv 2407.04491
    ("lightgbm", False): {"learning_rate": 0.04, "num_leaves": 50, "min_child_samples": 40, "subsample": 0.75,
                          "subsample_freq": 1, "colsample_bytree": 1.0, "reg_lambda": 0},
    ("lightgbm", True): {"learning_rate": 0.05, "num_leaves": 100, "min_child_samples": 3, "subsample": 0.7,
                         "subsample_freq": 1, "colsample_bytree": 1.0, "reg_lambda": 0},
    ("xgboost", False): {"learning_rate": 0.08, "max_depth": 6, "min_child_weight": 5e-6, "subsample": 0.65,
                         "colsample_bytree": 1.0, "colsample_bylevel": 0.9, "reg_lambda": 0},
    ("xgboost", True): {"learning_rate": 0.05, "max_depth": 9, "min_child_weight": 2, "subsample": 0.7,
                        "colsample_bytree": 1.0, "reg_lambda": 0},
}  # fmt: skip


def variants(model: str, is_number: bool) -> dict[str, tuple[dict, int]]:
    """Parameters that differ from the model's own, and patience, by name; the reference first."""
    full = LIGHTGBM if model == "lightgbm" else XGBOOST
    deeper = {"num_leaves": 16} if model == "lightgbm" else {"max_depth": 5, "min_child_weight": 10}
    return {
        "full trees": (full, 10),
        "full trees, patience 30": (full, 30),
        "tuned on other fields": (TUNED[model, is_number], 30),
        "own": ({}, 10),
        "own, patience 30": ({}, 30),
        "own, larger trees": (deeper, 30),
        "own, learning rate 0.03": ({"learning_rate": 0.03}, 30),
    }


def parts_of(table, learn: np.ndarray, is_timed: bool, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows to fit, to stop at, and to judge."""
    from sklearn.model_selection import train_test_split

    if is_timed:
        ordered = learn[np.argsort(table.times[learn], kind="stable")]
        ordered = ordered[: int(len(ordered) * (1 - 0.1 * seed))]
        return tuple(map(np.sort, np.split(ordered, [int(len(ordered) * 0.8), int(len(ordered) * 0.9)])))
    strata = table.y if table.y.dtype.kind in "iub" and len(np.unique(table.y)) < 20 else None
    rest, judge = train_test_split(learn, test_size=0.2, random_state=seed, stratify=None if strata is None else strata[learn])
    fit, stop = train_test_split(rest, test_size=1 / 9, random_state=seed, stratify=None if strata is None else strata[rest])
    return np.sort(fit), np.sort(stop), np.sort(judge)


def measure(name: str, n_splits: int) -> list[dict]:
    from automl import settings_of

    from bank_models import load_config, load_table, make_recipe, split
    from bank_models.metrics.names import as_score
    from bank_models.models.early_stopping import Patience
    from bank_models.models.wrappers import predict_score
    from bank_models.training.recipe import scorer_of

    lines = []
    for model in ("lightgbm", "xgboost"):
        config = load_config(*settings_of(name, 0), f"model={model}", "early_stopping=patience")
        table = load_table(config)
        parts, recipe = split(table, config).split, make_recipe(config, table)
        recipe = replace(recipe, n_threads=len(os.sched_getaffinity(0)))
        learn, scorer = np.concatenate([parts.train, parts.val]), scorer_of(config.use_case, table.y)
        for seed in range(n_splits):
            fit, stop, judge = parts_of(table, np.sort(learn), bool(config.use_case.time_column), seed)
            frame, y = table.rows(judge)
            for variant, (params, rounds) in variants(model, recipe.task == "regression").items():
                one = replace(recipe, params={**recipe.params, **params}, patience=Patience(rounds, 0.0001, True))
                start = time.process_time()
                fitted = one.fit(*table.rows(fit), *table.rows(stop))
                seconds = time.process_time() - start
                again = one.refit(fitted, *table.rows(np.sort(np.concatenate([fit, stop]))))
                for refit, each in (("none", fitted), ("train_val", again)):
                    score = predict_score(each.model, frame, recipe.task)
                    value = as_score(scorer.metric, scorer.value(y, _prediction(scorer, y, score, one)))
                    lines.append({"set": name, "model": model, "seed": seed, "variant": variant, "refit": refit,
                                  "score": value, "seconds": seconds, "rounds": fitted.best_iteration})  # fmt: skip
    return lines


def _prediction(scorer, y, score, recipe):
    from bank_models.metrics.names import METRICS
    from bank_models.metrics.scores import Prediction
    from bank_models.training.cross_validation import decided

    return Prediction(score, score) if METRICS[scorer.metric].of == "score" else decided(recipe, y, score)


def show(lines: list[dict]) -> None:
    table = pd.DataFrame(lines)
    means = table.groupby(["model", "set", "variant", "refit"])["score"].mean().unstack(["variant", "refit"])
    for model, scores in means.groupby(level="model"):
        span = (scores.max(axis=1) - scores.min(axis=1)).replace(0, np.nan)
        gains = scores.sub(scores["full trees", "none"], axis=0).div(span, axis=0)
        about = table[table["model"] == model].groupby("variant")[["seconds", "rounds"]].median()
        print(f"\n{model}, {len(scores)} sets\n{'variant':26}{'refit':>11}{'gain':>8}{'wins':>6}{'seconds':>9}{'rounds':>8}")
        for variant, refit in gains:
            gain = gains[variant, refit]
            seconds, rounds = about.loc[variant]
            print(f"{variant:26}{refit:>11}{gain.mean():8.3f}{(gain > 0).sum():6}{seconds:9.2f}{rounds:8.0f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", nargs="+", default=list(SETS), choices=SETS)
    parser.add_argument("--splits", type=int, default=3)
    parser.add_argument("--results", type=Path, help="a file that keeps what was measured, a line each")
    args = parser.parse_args()
    lines = []
    for name in args.sets:
        found = measure(name, args.splits)
        lines += found
        print(f"{name}: {len(found)} fits judged", flush=True)
        if args.results:
            with args.results.open("a", encoding="utf-8") as file:
                file.writelines(json.dumps(line) + "\n" for line in found)
    show(lines)


if __name__ == "__main__":
    main()
