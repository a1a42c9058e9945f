"""Reasons of every family of supervised models, against what the models themselves say."""

import functools

import numpy as np
import pandas as pd
import pytest
import yaml
from conftest import ROOT, options

from bank_models.config.schema import OPTIONAL
from bank_models.config.use_case import UseCase
from bank_models.evaluation.explain.reference import reference_row
from bank_models.evaluation.explain.shapley import Contributions, largest
from bank_models.models.wrappers import CheapestClass, with_threshold
from bank_models.scoring.model import ScoringModel
from bank_models.training.ensemble import EnsembleRecipe
from bank_models.training.fit import Recipe, fit

N = 400
FEATURES = {
    "income_eur": {"type": "float", "min": -10, "max": 10, "monotone": 1},
    "age_years": {"type": "int", "min": 18, "max": 99, "max_missing": 0.3},
    "region": {"type": "category", "max_missing": 0.3},
    "is_member": {"type": "bool"},
    "opened": {"type": "date"},
    "note": {"type": "text", "max_missing": 0.5},
}
TASKS = {
    "binary": {"target": "late", "metric": "roc_auc"},
    "multiclass": {"target": "rating", "metric": "log_loss", "classes": ["low", "middle", "high"]},
    "regression": {"target": "loss_eur", "metric": "rmse", "target_transform": "log1p", "target_min": 0},
}
QUICK = {
    "xgboost": {"n_estimators": 20}, "lightgbm": {"n_estimators": 20}, "catboost": {"iterations": 20},
    "gradient_boosting": {"n_estimators": 15},
    "hist_gradient_boosting": {"max_iter": 15}, "random_forest": {"n_estimators": 15}, "neural_network": {"max_epochs": 4},
    "ensemble": {"n_folds": 2, "n_picks": 6, "n_members": 4},
}  # fmt: skip
MODELS = {name: yaml.safe_load((ROOT / f"conf/model/{name}.yaml").read_text()) for name in options("model")}
PAIRS = [(model, task) for model, facts in MODELS.items() for task in TASKS if task in facts["estimator"]]
INVERSE = {"binary": lambda raw: 1 / (1 + np.exp(-raw)), "regression": lambda raw: np.maximum(np.expm1(raw), 0)}


def draw(n_rows: int, seed: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "income_eur": rng.normal(size=n_rows).astype("float32"),
            "age_years": np.where(rng.random(n_rows) < 0.1, np.nan, rng.integers(18, 90, n_rows)).astype("float32"),
            "region": pd.Categorical(np.where(rng.random(n_rows) < 0.1, None, rng.choice(["north", "south", "east"], n_rows))),
            "is_member": rng.random(n_rows) < 0.4,
            "opened": (np.datetime64("2024-01-01") + rng.integers(0, 300, n_rows) * np.timedelta64(1, "D")).astype("M8[s]"),
            "note": pd.Series(rng.choice(["paid late twice", "always paid", "asked for more time"], n_rows), dtype="str"),
        }
    )
    signal = 1.5 * frame.income_eur + (frame.region == "north") + (frame.note == "paid late twice")
    signal += 0.3 * rng.normal(size=n_rows)
    frame["late"] = (signal > 1).astype("int8")
    frame["rating"] = np.digitize(signal, [0, 1.5]).astype("int16")
    frame["loss_eur"] = np.exp(signal.to_numpy(dtype="float64"))
    return frame


TRAIN, NEW = draw(N, 0), draw(60, 1)


def make_recipe(name: str, task: str, features) -> Recipe:
    facts = MODELS[name]
    members = [one.removeprefix(OPTIONAL) for one in facts["members"].get(task, [])]
    alone = Recipe(
        task=task,
        estimator=facts["estimator"][task],
        params=facts["params"] | QUICK.get(name, {}),
        features=features,
        **facts["preprocessing"],
        is_monotone=facts["keeps_monotone"] and task != "multiclass",
        patience=None,
        random_state=0,
        n_threads=1,
        target_transform=TASKS[task].get("target_transform"),
        target_min=TASKS[task].get("target_min"),
    )
    return EnsembleRecipe.of(alone, {one: make_recipe(one, task, features) for one in members}) if members else alone


@functools.cache
def scoring_model(name: str, task: str) -> ScoringModel:
    use_case = UseCase(
        id="UC-TEST-001", key="a_case", name="A case", department="test", row="A row.", task=task, features=FEATURES,
        **TASKS[task],
    )  # fmt: skip
    fitted = fit(make_recipe(name, task, use_case.features), TRAIN, TRAIN[use_case.target].to_numpy())
    model = fitted.model
    if task == "binary":
        model = with_threshold(model, 0.4)
    if task == "multiclass":
        model = CheapestClass(model, np.array([[0, 1, 2], [1, 0, 1], [5, 1, 0]], dtype=float))
    return ScoringModel(model, use_case, "1", reference_row(TRAIN, use_case.features))


def explained(name: str, task: str, frame=NEW) -> tuple[Contributions, pd.DataFrame]:
    """All contributions, and what is printed."""
    model = scoring_model(name, task)
    scored = model.predict(frame, reasons=4)
    decided = scored.decision.map({"low": 0, "middle": 1, "high": 2}).to_numpy() if task == "multiclass" else None
    return model.explain(model.check(len(frame), lambda kept: (frame.iloc[kept], []), True).table, decided), scored


@pytest.mark.parametrize(("name", "task"), PAIRS)
def test_contributions_add_up_to_the_raw_score_and_that_gives_the_score(name, task):
    found, scored = explained(name, task)
    np.testing.assert_allclose(found.base + found.values.sum(axis=1), found.raw_score, rtol=0, atol=1e-6)
    printed = scored.base + scored.filter(regex="reason_._adds").sum(axis=1) + scored.other_features_add
    np.testing.assert_allclose(printed, found.raw_score, rtol=0, atol=1e-6)
    core = scoring_model(name, task).layers.core
    if task == "multiclass":
        logs = np.log(core.predict_proba(NEW).astype("float64").clip(1e-6, 1 - 1e-6))
        others = {code: scoring_model(name, task).explain(NEW, np.full(len(NEW), code)).raw_score for code in range(3)}
        between = np.column_stack([others[1] - others[0], others[2] - others[0]])
        is_cut = (logs <= np.log(1e-5)).any(axis=1)  # scikit-learn's margins go on where logarithms end
        np.testing.assert_allclose(between[~is_cut], (logs[:, 1:] - logs[:, [0]])[~is_cut], rtol=1e-5, atol=1e-5)
    else:
        to_score = INVERSE[task] if name != "ensemble" or task == "binary" else lambda raw: raw
        np.testing.assert_allclose(to_score(found.raw_score), scored.score, rtol=2e-6, atol=2e-6)


@pytest.mark.parametrize(("name", "task"), PAIRS)
def test_at_most_four_reasons_are_given_the_largest_first_with_their_values(name, task):
    found, scored = explained(name, task)
    assert not any(column.startswith("reason_5") for column in scored)
    amounts = scored.filter(regex="reason_._adds").to_numpy()
    expected = -np.sort(-np.abs(found.values), axis=1)[:, :4]
    np.testing.assert_array_equal(np.abs(amounts), expected)
    if name == "dummy":
        assert scored.reason_1.isna().all()
        return
    for row in range(5):
        feature, value = scored.reason_1[row], scored.reason_1_value[row]
        given = NEW[feature][row]
        assert (value is None) == pd.isna(given)
        if feature == "income_eur":
            assert np.float32(value) == given
        if feature in ("region", "note") and value is not None:
            assert value == given


@pytest.mark.parametrize(("name", "task"), [pair for pair in PAIRS if pair[0] != "dummy"])
def test_setting_the_top_feature_back_moves_the_score_against_its_reason(name, task):
    """Of the rows with the strongest reasons; a contribution is a mean over the company that a feature keeps, so that in its
    own company it may, once in a while, do the opposite."""
    found, scored = explained(name, task)
    model = scoring_model(name, task)
    frame, reference = NEW.copy(), model.reference
    strong = np.flatnonzero(np.abs(scored.reason_1_adds) >= np.quantile(np.abs(scored.reason_1_adds), 0.7))
    for feature in FEATURES:
        rows = strong[scored.reason_1.to_numpy()[strong] == feature]
        frame.loc[rows, feature] = pd.Series([reference[feature]] * len(rows), index=rows).astype(NEW[feature].dtype)
    decided = scored.decision.map({"low": 0, "middle": 1, "high": 2}).to_numpy() if task == "multiclass" else None
    moved = found.raw_score - model.explain(frame, decided).raw_score
    assert len(strong) >= 15
    assert np.mean(np.sign(moved[strong]) == np.sign(scored.reason_1_adds.to_numpy()[strong])) > 0.85


@pytest.mark.parametrize("name", ["logistic_regression", "linear_regression"])
def test_a_linear_model_loses_exactly_what_a_reason_says(name):
    task = "binary" if name == "logistic_regression" else "regression"
    found, _ = explained(name, task)
    model = scoring_model(name, task)
    for i, feature in enumerate(FEATURES):
        frame = NEW.assign(**{feature: pd.Series([model.reference[feature]] * len(NEW)).astype(NEW[feature].dtype)})
        np.testing.assert_allclose(found.raw_score - model.explain(frame).raw_score, found.values[:, i], atol=1e-9)


def test_sampled_contributions_are_those_of_all_orders_where_two_features_interact():
    """Shapley's values by hand: of two features alone each gets its own effect and half of what they do together."""
    from sklearn.base import BaseEstimator, RegressorMixin
    from sklearn.pipeline import Pipeline

    from bank_models.config.feature import Feature
    from bank_models.evaluation.explain.shapley import make_explainer
    from bank_models.features.preprocessing import make_features

    class Product(RegressorMixin, BaseEstimator):
        def predict(self, X):
            return 3 * X[:, 0] + X[:, 0] * X[:, 1]

    features = {"a": Feature(type="float"), "b": Feature(type="float")}
    frame = pd.DataFrame({"a": [2.0, 1.0], "b": [5.0, 0.0]})
    step = make_features(features, None, None, "native").set_output(transform="default").fit(frame)
    found = make_explainer(Pipeline([("features", step), ("estimator", Product())]), ["a", "b"], frame.iloc[[1]])(frame)
    # from (1, 0) to (2, 5): a first 3 and b then 10, or b first 5 and a then 8
    np.testing.assert_allclose(found.values, [[(3 + 8) / 2, (10 + 5) / 2], [0, 0]])
    np.testing.assert_allclose(found.base, [3, 3])


def test_features_beyond_what_can_be_walked_are_set_in_one_step_and_all_still_adds_up(monkeypatch):
    """Shapley's values by hand again: b and c are one player, who stands against a."""
    from sklearn.base import BaseEstimator, RegressorMixin
    from sklearn.pipeline import Pipeline

    from bank_models.config.feature import Feature
    from bank_models.evaluation.explain import shapley
    from bank_models.features.preprocessing import make_features

    class Product(RegressorMixin, BaseEstimator):
        coef_ = np.array([3.0, 1.0, 0.5])

        def predict(self, X):
            return 3 * X[:, 0] + X[:, 0] * X[:, 1] + X[:, 2]

    features = {name: Feature(type="float") for name in "abc"}
    frame = pd.DataFrame({"a": [2.0, 1.0], "b": [5.0, 0.0], "c": [1.0, 1.0]})
    step = make_features(features, None, None, "native").set_output(transform="default").fit(frame)
    core = Pipeline([("features", step), ("estimator", Product())])
    monkeypatch.setattr(shapley, "CELLS_OF_A_ROW", 3 * shapley.N_WALKS)  # one feature
    found = shapley._Walk(core, ["a", "b", "c"], frame.iloc[[1]]).explain(frame)
    np.testing.assert_allclose(found.values, [[(3 + 8) / 2, 0, 0], [0, 0, 0]])
    np.testing.assert_allclose(found.together, [(10 + 5) / 2, 0])
    np.testing.assert_allclose(found.base + found.values.sum(axis=1) + found.together, found.raw_score)


@pytest.mark.parametrize("name", ["random_forest", "neural_network", "ensemble"])
def test_a_row_of_a_wide_table_is_explained_by_the_features_that_the_model_uses_most(name, monkeypatch):
    model = scoring_model(name, "binary")
    monkeypatch.setattr("bank_models.evaluation.explain.shapley.CELLS_OF_A_ROW", 3 * 8 * len(FEATURES))  # three features
    limited = ScoringModel(model.model, model.use_case, "1", model.reference)
    scored, found = limited.predict(NEW, reasons=4), limited.explain(NEW)
    assert np.count_nonzero(found.values.any(axis=0)) == 3
    assert name == "neural_network" or scored["reason_1"].mode().item() == "income_eur"
    assert scored["reason_4"].isna().all()
    told = scored.filter(regex="reason_._adds").sum(axis=1) + scored["other_features_add"]
    np.testing.assert_allclose(scored["base"] + told, scored["raw_score"], rtol=0, atol=1e-6)


def test_reasons_are_the_same_each_time_and_for_each_row_alone():
    for name in ("random_forest", "ensemble", "neural_network"):
        together, alone = explained(name, "binary")[0], explained(name, "binary", NEW.iloc[[7]].reset_index(drop=True))[0]
        np.testing.assert_allclose(alone.values[0], together.values[7], rtol=0, atol=1e-6)


def test_of_equal_contributions_the_feature_declared_first_is_named_and_none_that_adds_nothing():
    values = np.array([[0.0, -2.0, 2.0, 1.0, 0.0], [0.0, 0.0, 0.0, 0.0, -1.0]])
    found = largest(Contributions(np.zeros(2), values, values.sum(axis=1)), 4)
    assert found.tolist() == [[1, 2, 3, -1], [4, -1, -1, -1]]


@pytest.mark.parametrize("name", ["xgboost", "lightgbm"])
def test_contributions_to_a_quantile_add_up(name):
    from dataclasses import replace

    from bank_models.evaluation.explain.shapley import make_explainer

    use_case = scoring_model(name, "regression").use_case
    recipe = replace(make_recipe(name, "regression", use_case.features), is_monotone=False, quantile=0.9)
    fitted = fit(recipe, TRAIN, TRAIN.loss_eur)
    found = make_explainer(fitted.model, list(FEATURES), None)(NEW)
    np.testing.assert_allclose(found.base + found.values.sum(axis=1), found.raw_score, rtol=0, atol=1e-6)
    np.testing.assert_allclose(np.expm1(found.raw_score), fitted.model.predict(NEW), rtol=1e-5)
