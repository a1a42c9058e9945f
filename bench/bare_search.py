"""What a data scientist would type without us: scikit-learn's and scikit-optimize's searches. Run in any environment.

    python bench/bare_search.py METHOD FOLDER N_ITER N_THREADS SEED

FOLDER holds `rows.npz` (X, y, and per column 1 for a category), `folds.npz`, `space.json`, `grid.json` (a list of points) and
`params.json`. Prints one line of JSON: seconds, fits, best cross-validated ROC-AUC, parameters.
"""

import json
import sys
import time
from pathlib import Path

import numpy as np
from sklearn.model_selection import GridSearchCV, PredefinedSplit, RandomizedSearchCV  # noqa: F401
from xgboost import XGBClassifier


def main() -> None:
    method, folder, n_iter, n_threads, seed = sys.argv[1], Path(sys.argv[2]), *map(int, sys.argv[3:])
    rows, drawn = np.load(folder / "rows.npz"), np.load(folder / "folds.npz")
    folds = [(drawn[f"train_{i}"], drawn[f"test_{i}"]) for i in range(3)]
    space, grid, params = (
        json.loads((folder / f"{name}.json").read_text(encoding="utf-8")) for name in ("space", "grid", "params")
    )
    types = ["c" if category else "q" for category in rows["is_category"]]
    estimator = XGBClassifier(
        **params, tree_method="hist", enable_categorical=True, feature_types=types, random_state=seed, n_jobs=1
    )
    about = {"scoring": "roc_auc", "cv": folds, "refit": False, "n_jobs": n_threads}
    points = [{name: [value] for name, value in point.items()} for point in grid]
    if method == "GridSearchCV":
        search = GridSearchCV(estimator, points, **about)
    elif method == "HalvingGridSearchCV":
        from sklearn.experimental import enable_halving_search_cv  # noqa: F401
        from sklearn.model_selection import HalvingGridSearchCV

        # it draws smaller samples from the folds that a splitter cuts, and cannot take folds that are drawn already
        search = HalvingGridSearchCV(estimator, points, **{**about, "cv": 3}, random_state=seed)
    elif method == "RandomizedSearchCV":
        search = RandomizedSearchCV(estimator, _scipy(space), n_iter=n_iter, random_state=seed, **about)
    else:
        from skopt import BayesSearchCV

        search = BayesSearchCV(estimator, _skopt(space), n_iter=n_iter, random_state=seed, **about)
    start = time.perf_counter()
    search.fit(rows["X"], rows["y"])
    seconds = time.perf_counter() - start
    n_fits = sum(len(search.cv_results_[f"split{i}_test_score"]) for i in range(3))
    best = {name: getattr(value, "item", lambda value=value: value)() for name, value in search.best_params_.items()}
    print(json.dumps({"seconds": seconds, "fits": n_fits, "cv": float(search.best_score_), "params": best}))


def _scipy(space: dict) -> dict:
    from scipy import stats

    def of(facts):
        if facts["type"] == "int":
            return stats.randint(facts["low"], facts["high"] + 1)
        if facts.get("log"):
            return stats.loguniform(facts["low"], facts["high"])
        return stats.uniform(facts["low"], facts["high"] - facts["low"])

    return {name: of(facts) for name, facts in space.items()}


def _skopt(space: dict) -> dict:
    from skopt.space import Integer, Real

    prior = {True: "log-uniform", False: "uniform"}
    return {
        name: (Integer if facts["type"] == "int" else Real)(facts["low"], facts["high"], prior=prior[bool(facts.get("log"))])
        for name, facts in space.items()
    }


if __name__ == "__main__":
    main()
