"""FLAML, AutoGluon, MLJAR, CatBoost or XGBoost on a table, as their first pages say. Run in an environment that has it.

    python bench/bare_automl.py flaml|autogluon|mljar|catboost|xgboost|tabm|realmlp|ebm FOLDER SECONDS N_THREADS SEED

TabM, RealMLP and the explainable boosting machine are single models with the parameters and the early stopping of AutoGluon.

FOLDER holds `train.parquet` and `test.parquet` with the column `__target__`, and `facts.json` with task, metric and whether the
rows are in the order of time. SECONDS are counted from the start of this script, so imports and reading are in them. Writes
`predicted.npy` (probabilities of the positive class, of all classes, or numbers) and prints a line of JSON: what was chosen.
"""

import time

START = time.perf_counter()

import json  # noqa: E402
import sys  # noqa: E402
from functools import partial  # noqa: E402
from pathlib import Path  # noqa: E402

import numpy as np  # noqa: E402
import pandas as pd  # noqa: E402

FOR_PREDICTING = 2  # seconds
ROUNDS, PATIENCE = 5_000, 50
FLAML = {"roc_auc": "roc_auc", "f1_macro": "macro_f1", "mae": "mae", "r2": "r2"}
AUTOGLUON = {"roc_auc": "roc_auc", "f1_macro": "f1_macro", "mae": "mean_absolute_error", "r2": "r2"}
MLJAR = {"roc_auc": "auc", "f1_macro": "f1", "mae": "mae", "r2": "r2"}


def left(budget: int) -> float:
    return max(5.0, budget - (time.perf_counter() - START) - FOR_PREDICTING)


def as_scores(model, test: pd.DataFrame, task: str) -> np.ndarray:
    if task == "regression":
        return np.asarray(model.predict(test)).ravel()
    found = np.asarray(model.predict_proba(test))
    return found[:, 1] if task == "binary" else found


def flaml(train, y, test, facts, budget, n_threads, seed):
    from flaml import AutoML

    model = AutoML()
    task = "regression" if facts["task"] == "regression" else "classification"
    by_time = {"split_type": "time"} if facts["is_timed"] else {}
    metric = FLAML[facts["metric"]]
    model.fit(train, y, task=task, metric=metric, time_budget=left(budget), n_jobs=n_threads, seed=seed, verbose=0, **by_time)
    return as_scores(model, test, facts["task"]), str(model.best_estimator)


def autogluon(train, y, test, facts, budget, n_threads, seed, **how):
    from autogluon.tabular import TabularPredictor

    kind = facts["task"]
    predictor = TabularPredictor(
        "__target__", problem_type=kind, eval_metric=AUTOGLUON[facts["metric"]], path="autogluon", verbosity=0
    )
    how = how or {"presets": "best_quality" if budget >= 600 else "medium_quality"}
    predictor.fit(train.assign(__target__=y), time_limit=left(budget), num_cpus=n_threads, **how)
    if kind == "regression":
        return predictor.predict(test).to_numpy(), predictor.model_best
    found = predictor.predict_proba(test).to_numpy()
    return found[:, 1] if kind == "binary" else found, predictor.model_best


def single(model, *given):
    return autogluon(*given, hyperparameters={model: {"ag_args_fit": {"num_gpus": 0}}}, fit_weighted_ensemble=False)


tabm, realmlp, ebm = (partial(single, name) for name in ("TABM", "REALMLP", "EBM"))


def mljar(train, y, test, facts, budget, n_threads, seed):
    from supervised import AutoML

    task = {"binary": "binary_classification", "multiclass": "multiclass_classification"}.get(facts["task"], "regression")
    model = AutoML(
        results_path="mljar", mode="Compete", ml_task=task, eval_metric=MLJAR[facts["metric"]], explain_level=0, verbose=0,
        total_time_limit=int(left(budget)), n_jobs=n_threads, random_state=seed,
    )  # fmt: skip
    model.fit(train, y)
    return as_scores(model, test, facts["task"]), "ensemble"


def held_out(y, facts, seed):
    """Rows to fit and rows to stop on: the newest tenth, or a tenth drawn at random."""
    from sklearn.model_selection import train_test_split

    rows = np.arange(len(y))
    if facts["is_timed"]:
        return np.split(rows, [len(rows) * 9 // 10])
    return train_test_split(rows, test_size=0.1, random_state=seed, stratify=None if facts["task"] == "regression" else y)


def catboost(train, y, test, facts, budget, n_threads, seed):
    from catboost import CatBoostClassifier, CatBoostRegressor, Pool

    words = [name for name in train if train[name].dtype.kind not in "biufM"]
    train, test = (
        frame.assign(**{name: frame[name].astype(object).where(frame[name].notna(), "missing").astype(str) for name in words})
        for frame in (train, test)
    )
    fit, stop = held_out(y, facts, seed)
    texts = [name for name in words if train[name].nunique() > len(train) / 2]
    categories = [name for name in words if name not in texts]
    parts = [Pool(train.iloc[rows], y[rows], cat_features=categories, text_features=texts) for rows in (fit, stop)]
    kind = CatBoostRegressor if facts["task"] == "regression" else CatBoostClassifier
    model = kind(
        iterations=ROUNDS, early_stopping_rounds=PATIENCE, thread_count=n_threads, random_seed=seed, verbose=0,
        allow_writing_files=False,
    )  # fmt: skip
    model.fit(parts[0], eval_set=parts[1])
    return as_scores(
        model, Pool(test, cat_features=categories, text_features=texts), facts["task"]
    ), f"{model.tree_count_} rounds"


def xgboost(train, y, test, facts, budget, n_threads, seed):
    from xgboost import XGBClassifier, XGBRegressor

    train, test = train.copy(), test.copy()
    for name in train:
        if train[name].dtype.kind not in "biufM":
            known = pd.Index(train[name].dropna().unique())
            train[name], test[name] = (frame[name].astype(pd.CategoricalDtype(known)) for frame in (train, test))
    fit, stop = held_out(y, facts, seed)
    kind = XGBRegressor if facts["task"] == "regression" else XGBClassifier
    model = kind(
        n_estimators=ROUNDS, learning_rate=0.05, early_stopping_rounds=PATIENCE, n_jobs=n_threads, random_state=seed,
        enable_categorical=True,
    )  # fmt: skip
    model.fit(train.iloc[fit], y[fit], eval_set=[(train.iloc[stop], y[stop])], verbose=False)
    return as_scores(model, test, facts["task"]), f"{model.best_iteration + 1} rounds"


def main() -> None:
    tool, folder, budget, n_threads, seed = sys.argv[1], Path(sys.argv[2]), *map(int, sys.argv[3:])
    facts = json.loads((folder / "facts.json").read_text(encoding="utf-8"))
    train, test = (pd.read_parquet(folder / f"{part}.parquet") for part in ("train", "test"))
    y = train.pop("__target__").to_numpy()
    test = test.drop(columns="__target__")
    with np.errstate(all="ignore"):
        found, best = globals()[tool](train, y, test, facts, budget, n_threads, seed)
    np.save(folder / "predicted.npy", found)
    print(json.dumps({"best": best}))


if __name__ == "__main__":
    main()
