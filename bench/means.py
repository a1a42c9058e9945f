"""Ways to predict the mean of a skewed amount: by folds of the train part, their errors and how their predictions add up.

python bench/means.py                         the use cases whose answers are added up
python bench/means.py --use-cases clv_prediction   (on its real proxy)
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
sys.path.insert(0, str(ROOT / "src"))
OBJECTIVES = {  # of XGBoost; None is squared errors of log(1 + y)
    "log1p": None,
    "log1p, smeared": None,
    "as it is": "reg:squarederror",
    "tweedie": "reg:tweedie",
    "poisson": "count:poisson",
    "gamma": "reg:gamma",
}
ROUNDS, PATIENCE, N_FOLDS = 500, 25, 5
PROXIES = {"clv_prediction": ["data_source=packaged", "data_source.name=cdnow_spend"]}
BOOSTER = {"n_estimators": ROUNDS, "learning_rate": 0.05, "n_jobs": 1}


def train_rows(use_case: str):
    """Table, target and settings of the train part of a use case."""
    from hydra import compose, initialize_config_dir

    from bank_models.config import settings
    from bank_models.data import load
    from bank_models.data.split import split
    from bank_models.data.table import make_table

    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        checked = settings.read(compose("config", [f"use_case={use_case}", "model=xgboost", *PROXIES.get(use_case, [])]))
    data = load.load(use_case=checked.use_case, **checked.data_source.model_dump())
    table = make_table(data, checked.use_case)
    how = checked.data_split.how
    parts = split(table.y, **how, task="regression", times=table.times, keys=table.groups, contents=table.contents)
    return checked, *table.rows(parts.train)


def answers(recipe, frame, y, fit, stop, held_out) -> dict[str, np.ndarray]:
    """What each way predicts for the held-out rows."""
    from lightgbm import LGBMRegressor, early_stopping
    from xgboost import XGBRegressor

    from bank_models.features.preprocessing import make_features
    from bank_models.training.fit import smearing

    features = make_features(recipe.features, recipe.imputer, recipe.scaler, recipe.encoder, random_state=0)
    X = features.fit_transform(frame.iloc[fit], y[fit])
    X_stop, X_held_out = (features.transform(frame.iloc[rows]) for rows in (stop, held_out))
    unit, found = y[fit].mean(), {}
    for name, objective in OBJECTIVES.items():
        if name == "gamma" and y.min() <= 0:
            continue
        booster = XGBRegressor(
            objective=objective or "reg:squarederror", max_depth=5, min_child_weight=5, subsample=0.8,
            early_stopping_rounds=PATIENCE, **BOOSTER,
        )  # fmt: skip
        learnt, learnt_stop = (y[rows] / unit if objective else np.log1p(y[rows]) for rows in (fit, stop))
        said = booster.fit(X, learnt, eval_set=[(X_stop, learnt_stop)], verbose=False).predict(X_held_out)
        smeared = smearing(learnt_stop, booster.predict(X_stop)) if name == "log1p, smeared" else 0.0
        found[name] = said * unit if objective else np.expm1(said + smeared)
    watched = {"eval_X": X_stop, "eval_y": y[stop], "callbacks": [early_stopping(PATIENCE, verbose=False)]}
    tweedie = LGBMRegressor(objective="tweedie", verbose=-1, **BOOSTER).fit(X, y[fit], **watched)
    found["lightgbm, tweedie"] = tweedie.predict(X_held_out)
    return found


def measure(use_case: str) -> None:
    """Print a line for each way."""
    from sklearn.model_selection import KFold, train_test_split

    from bank_models.training.recipe import make_recipe

    checked, frame, y = train_rows(use_case)
    recipe, ends = make_recipe(checked, checked.use_case.features), (checked.use_case.target_min, checked.use_case.target_max)
    errors, ratios = {}, {}
    for train, held_out in KFold(N_FOLDS, shuffle=True, random_state=0).split(y):
        fit, stop = train_test_split(train, test_size=0.1, random_state=0)
        for name, said in answers(recipe, frame, y, fit, stop, held_out).items():
            said = np.clip(said, *ends)
            errors.setdefault(name, []).append(np.sqrt(np.mean((said - y[held_out]) ** 2)))
            ratios.setdefault(name, []).append(said.sum() / y[held_out].sum())
    print(f"{use_case}, {len(y):,} train rows, {N_FOLDS} folds")
    for name, values in errors.items():
        print(f"  {name:18s} RMSE {np.mean(values):14,.2f}   predicted over actual sum {np.mean(ratios[name]):.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--use-cases", nargs="+", default=["clv_prediction", "operational_risk"])
    for use_case in parser.parse_args().use_cases:
        measure(use_case)


if __name__ == "__main__":
    main()
