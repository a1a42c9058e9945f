import json

import numpy as np
import pandas as pd
import pytest
import yaml
from conftest import ROOT
from pydantic import ValidationError

from bank_models.config.feature import Feature
from bank_models.config.use_case import UseCase
from bank_models.errors import GateError
from bank_models.evaluation.monotone import check_directions, violations
from bank_models.training.fit import Recipe, fit

FEATURES = {
    "income": Feature(type="float", monotone=1),
    "n_late": Feature(type="int", monotone=-1),
    "is_owner": Feature(type="bool", monotone=1),
    "age": Feature(type="float"),
}
RNG = np.random.default_rng(0)
N = 600
FRAME = pd.DataFrame(
    {
        "income": np.where(RNG.random(N) < 0.1, np.nan, RNG.normal(size=N)).astype("float32"),
        "n_late": RNG.integers(0, 5, N).astype("int32"),
        "is_owner": RNG.random(N) < 0.5,
        "age": RNG.normal(size=N).astype("float32"),
    }
)


def test_a_score_that_keeps_every_direction_has_no_violation():
    found = violations(lambda f: f.income.fillna(0) - f.n_late**3 + f.is_owner + np.sin(9 * f.age), FRAME, FEATURES)
    assert found == {"income": 0.0, "n_late": 0.0, "is_owner": 0.0}


def test_the_largest_wrong_step_is_the_planted_one():
    def score(frame):
        return np.where(frame.n_late == 3, 5.0, -1.0 * frame.n_late) - 0.25 * frame.is_owner

    assert violations(score, FRAME, FEATURES) == {"income": 0.0, "n_late": 7.0, "is_owner": 0.25}  # from -2 up to 5


def test_a_violation_that_only_some_rows_show_is_found():
    found = violations(lambda f: np.where(f.age > 1, -1, 1) * f.income.fillna(0), FRAME, FEATURES)
    assert found["income"] > 0


def test_only_values_that_occur_are_tried_in_their_own_type():
    seen = []
    violations(lambda f: seen.append(f) or np.zeros(len(f)), FRAME, FEATURES, n_rows=7, n_points=50)
    tried = pd.concat(seen)
    assert (tried.dtypes == FRAME.dtypes).all()
    assert set(tried.n_late) == {0, 1, 2, 3, 4}
    assert set(tried.income.dropna()) <= set(FRAME.income.dropna())


def test_a_feature_with_a_single_value_has_no_step():
    assert violations(lambda f: -f.n_late, FRAME.assign(n_late=2, income=np.nan), FEATURES)["n_late"] == 0.0


@pytest.mark.parametrize(
    ("score", "match"),
    [
        (lambda f: np.where(f.n_late == 0, np.nan, 1), "a score must be finite, but 200 of 1000 are not"),
        (lambda f: np.zeros((len(f), 2)), r"one number a row, but 1000 rows gave an array of shape \(1000, 2\)"),
    ],
)
def test_anything_but_one_finite_number_a_row_is_refused(score, match):
    with pytest.raises(ValueError, match=match):
        violations(score, FRAME, {"n_late": FEATURES["n_late"]})


@pytest.mark.parametrize("is_monotone", [True, False])
def test_a_booster_keeps_directions_when_it_is_told_to_and_breaks_them_on_noise_when_not(is_monotone):
    y = (RNG.random(N) < 1 / (1 + np.exp(-FRAME.income.fillna(0)))).astype("int8").to_numpy()
    recipe = Recipe(
        task="binary", estimator="XGBClassifier", params={"n_estimators": 40, "learning_rate": 0.3, "max_depth": 6},
        features=FEATURES, imputer=None, scaler=None, encoder="native", is_monotone=is_monotone, patience=None,
        random_state=0, n_threads=1,
    )  # fmt: skip
    model = fit(recipe, FRAME, y).model
    found = violations(lambda f: model.predict_proba(f)[:, 1], FRAME, FEATURES)
    assert all(step == 0.0 if is_monotone else step > 0.01 for step in found.values())


class Falling:
    """A regressor whose score falls where income rises."""

    def predict(self, frame):
        return -0.5 * frame.income.fillna(0).to_numpy()


def test_a_required_direction_that_the_fitted_model_breaks_ends_the_run():
    with pytest.raises(GateError, match=r"income moves its score by .* against monotone=1\.\nNothing was written"):
        check_directions(Falling(), "regression", FRAME, FEATURES, is_required=True)
    assert check_directions(Falling(), "regression", FRAME, FEATURES, is_required=False)["income"] > 0


SLOW = pytest.mark.slow  # that their trainers keep directions is tested in tests/training/test_fit.py


@pytest.mark.parametrize(
    "model", ["xgboost", *(pytest.param(model, marks=SLOW) for model in ("catboost", "hist_gradient_boosting", "lightgbm"))]
)
def test_every_booster_keeps_required_directions_of_a_number_whose_errors_count_absolutely(train, tmp_path, model):
    rows = ["data_source.rows=1000", "cv=none", "tracking=none"]
    result = train("use_case=credit_limit", f"model={model}", *rows)
    assert result.returncode == 0, result.stderr
    facts = json.loads((tmp_path / "run/metadata.json").read_text())
    assert facts["monotone_violations"] == {}
    assert train("use_case=credit_limit", f"model={model}", "use_case.requires_monotone=false", *rows).returncode == 0
    facts = json.loads((tmp_path / "run/metadata.json").read_text())
    assert facts["monotone_violations"]["net_income_eur_month"] > 0


def test_directions_cannot_be_required_of_a_quantile():
    facts = yaml.safe_load((ROOT / "conf/use_case/credit_limit.yaml").read_text())["use_case"]
    with pytest.raises(ValidationError, match="no model keeps directions in one"):
        UseCase(**facts | {"quantile": 0.9})
