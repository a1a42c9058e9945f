"""FLAML or AutoGluon on a table, as their first pages say. Run in an environment that has them.

    python bench/bare_automl.py flaml|autogluon FOLDER SECONDS N_THREADS SEED

FOLDER holds `train.parquet` and `test.parquet` with the column `target`. Prints one line of JSON: seconds, ROC-AUC on test.
"""

import json
import sys
import time
from pathlib import Path

import pandas as pd
from sklearn.metrics import roc_auc_score


def main() -> None:
    tool, folder, budget, n_threads, seed = sys.argv[1], Path(sys.argv[2]), *map(int, sys.argv[3:])
    train, test = (pd.read_parquet(folder / f"{part}.parquet") for part in ("train", "test"))
    y_test = test.pop("target")
    start = time.perf_counter()
    if tool == "flaml":
        from flaml import AutoML

        model = AutoML()
        y = train.pop("target")
        model.fit(train, y, task="classification", metric="roc_auc", time_budget=budget, n_jobs=n_threads, seed=seed, verbose=0)
        seconds = time.perf_counter() - start
        score, best = model.predict_proba(test)[:, 1], model.best_estimator
    else:
        from autogluon.tabular import TabularPredictor

        predictor = TabularPredictor("target", eval_metric="roc_auc", path=str(folder / "autogluon"), verbosity=0)
        predictor.fit(train, presets="medium_quality", time_limit=budget, num_cpus=n_threads)
        seconds = time.perf_counter() - start
        score, best = predictor.predict_proba(test)[1], predictor.model_best
    print(json.dumps({"seconds": seconds, "test": roc_auc_score(y_test, score), "best": str(best)}))


if __name__ == "__main__":
    main()
