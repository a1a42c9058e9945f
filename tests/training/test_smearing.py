from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from bank_models.config.feature import Feature
from bank_models.training.cross_validation import fit_fold
from bank_models.training.fit import Recipe, fit, smearing
from bank_models.training.recipe import make_recipe

RNG = np.random.default_rng(0)
N = 12_000
X = RNG.normal(size=N)
Y = np.exp(3 + 0.5 * X + RNG.normal(size=N))  # given X, the mean is exp(1/2) times the median
FRAME = pd.DataFrame({"x": X})
TRAIN, VAL, NEW = np.arange(4_000), np.arange(4_000, 6_000), np.arange(6_000, N)
RECIPE = Recipe(
    task="regression", estimator="Ridge", params={"alpha": 1.0}, features={"x": Feature(type="float")}, imputer="median",
    scaler="standard", encoder="one_hot", is_monotone=False, patience=None, random_state=0, n_threads=1,
    target_transform="log1p", target_min=0.0, smears=True,
)  # fmt: skip


def fit_on(rows, recipe=RECIPE, held_out=VAL):
    return fit(recipe, FRAME.iloc[rows], Y[rows], FRAME.iloc[held_out], Y[held_out]).model


def test_smearing_of_a_case_worked_by_hand():
    learnt, predicted = np.log([2.0, 8.0, 4.0]), np.log([4.0, 4.0, 4.0])  # one plus y is 1/2, 2 and 1 times what was predicted
    assert smearing(learnt, predicted) == pytest.approx(np.log(3.5 / 3))


def test_smeared_predictions_add_up_to_what_there_is_and_plain_ones_do_not():
    smeared, plain = (fit_on(TRAIN, replace(RECIPE, smears=smears)).predict(FRAME.iloc[NEW]) for smears in (True, False))
    assert smeared.sum() / Y[NEW].sum() == pytest.approx(1, abs=0.05)
    assert plain.sum() / Y[NEW].sum() == pytest.approx(np.exp(-0.5), abs=0.05)
    assert np.mean((smeared - Y[NEW]) ** 2) < np.mean((plain - Y[NEW]) ** 2)
    assert np.mean(np.abs(smeared - Y[NEW])) > np.mean(np.abs(plain - Y[NEW]))  # of those the median is better


def test_the_factor_comes_from_the_held_out_rows_and_teaches_nothing_else():
    model, other = fit_on(TRAIN), fit_on(TRAIN, held_out=NEW)
    np.testing.assert_array_equal(model.pipeline.predict(FRAME), other.pipeline.predict(FRAME))
    residuals = np.log1p(Y[VAL]) - model.pipeline.predict(FRAME.iloc[VAL])
    assert np.exp(model.smeared) == pytest.approx(np.mean(np.exp(residuals)))
    assert model.smeared != other.smeared


def test_the_factor_of_a_fold_knows_no_row_that_scores_it():
    target = Y.copy()
    target[NEW] *= 1_000
    train = np.concatenate([TRAIN, VAL])
    one, other = (fit_fold(RECIPE, FRAME, y, train, False, None).model for y in (Y, target))
    assert one.smeared == other.smeared > 0
    np.testing.assert_array_equal(one.predict(FRAME), other.predict(FRAME))


def test_a_recipe_that_smears_wants_rows_that_it_was_not_fitted_on():
    with pytest.raises(ValueError, match="a recipe that smears needs `stop_frame`"):
        fit(RECIPE, FRAME, Y)


@pytest.mark.parametrize(
    ("use_case", "metric", "smears"),
    [
        ("operational_risk", "r2", True),
        ("operational_risk", "rmse", True),
        ("operational_risk", "mae", False),
        ("operational_risk", "rmsle", False),
        ("clv_prediction", "r2", False),
        ("credit_limit", "mae", False),
    ],
)
def test_what_learns_a_logarithm_smears_where_the_metric_asks_for_the_mean(compose, use_case, metric, smears):
    config = compose(f"use_case={use_case}", f"use_case.metric={metric}")
    assert make_recipe(config, config.use_case.features).smears == smears
