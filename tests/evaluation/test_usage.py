"""What a model says of the features that it uses, against what its answers do."""

import numpy as np
import pandas as pd
import pytest
from test_reasons import MODELS, make_recipe

from bank_models.config.feature import Feature
from bank_models.evaluation.explain.importance import permutation_importance
from bank_models.evaluation.explain.usage import usage
from bank_models.metrics.scores import Prediction
from bank_models.models.wrappers import predict_score
from bank_models.training.fit import fit

N = 300
RNG = np.random.default_rng(0)
FRAME = pd.DataFrame({f"n{i}": RNG.normal(size=N).astype("float32") for i in range(12)})
FRAME.insert(5, "kind", pd.Categorical(RNG.choice(["a", "b", "c"], N)))
FRAME["gap"] = np.where(RNG.random(N) < 0.3, np.nan, RNG.normal(size=N)).astype("float32")
Y = (FRAME["n3"] + 2.0 * (FRAME["kind"] == "b") + 0.1 * RNG.normal(size=N) > 1).to_numpy().astype("int8")
KINDS = {name: {"type": "category" if name == "kind" else "float", "max_missing": 0.5} for name in FRAME}
FEATURES = {name: Feature(**facts) for name, facts in KINDS.items()}
SMALL = {
    "xgboost": {"n_estimators": 2, "max_depth": 2}, "lightgbm": {"n_estimators": 2, "num_leaves": 3},
    "catboost": {"iterations": 2, "depth": 2},
    "gradient_boosting": {"n_estimators": 2, "max_depth": 2}, "hist_gradient_boosting": {"max_iter": 2, "max_leaf_nodes": 3},
    "random_forest": {"n_estimators": 2, "max_depth": 2}, "logistic_regression": {"penalty": "l1", "solver": "saga", "C": 0.03},
    "dummy": {},
}  # fmt: skip


def fitted(name: str):
    recipe = make_recipe(name, "binary", FEATURES)
    return fit(type(recipe)(**vars(recipe) | {"params": MODELS[name]["params"] | SMALL.get(name, {})}), FRAME, Y).model


def importance(model, found: np.ndarray | None) -> pd.DataFrame:
    def answer(frame) -> Prediction:
        score = predict_score(model, frame, "binary")
        return Prediction(score, score > 0.5)

    def score(y_true, prediction, periods) -> float:
        return -float(np.mean((y_true - prediction.score) ** 2))

    return permutation_importance(FRAME, list(FEATURES), Y, answer, score, np.random.default_rng(1), usage=found)


@pytest.mark.parametrize("name", SMALL)
def test_a_feature_that_is_not_used_has_exactly_no_importance_and_need_not_be_shuffled(name):
    model = fitted(name)
    found = usage(model, list(FEATURES))
    assert np.sum(found == 0) > 0
    assert found.sum() == pytest.approx(0 if name == "dummy" else 1)
    pd.testing.assert_frame_equal(importance(model, found), importance(model, None), check_exact=True)


@pytest.mark.parametrize("name", [name for name in SMALL if name != "dummy"])
def test_what_decides_the_target_is_used_most(name):
    found = pd.Series(usage(fitted(name), list(FEATURES)), index=list(FEATURES))
    assert found.idxmax() in ("n3", "kind")


def test_a_network_uses_every_feature_and_an_ensemble_what_its_members_use():
    from bank_models.models.ensemble import EnsembleClassifier

    assert (usage(fitted("neural_network"), list(FEATURES)) > 0).all()
    members = {name: fitted(name) for name in ("xgboost", "random_forest")}
    both = usage(EnsembleClassifier(members, {"xgboost": 0.25, "random_forest": 0.75}), list(FEATURES))
    alone = [usage(model, list(FEATURES)) for model in members.values()]
    np.testing.assert_allclose(both, 0.25 * alone[0] + 0.75 * alone[1])
