"""Whether bias and calibration are measured as textbooks define them."""

import numpy as np
import pytest
from scipy.special import expit, logit
from sklearn.linear_model import LogisticRegression

from bank_models.evaluation.bias import by_tenth, note, of_numbers, of_probabilities
from bank_models.metrics.units import Units, make_units

RNG = np.random.default_rng(0)
N = 4000


def test_the_bias_of_predictions_that_are_a_third_of_the_money():
    y = RNG.gamma(0.5, 100, N)
    found = of_numbers(y, 0.3 * y, Units())
    assert found["test_ratio_of_sums"] == pytest.approx(0.3)
    assert found["test_bias"] == pytest.approx(-0.7 * y.mean())
    median = of_numbers(y, np.full(N, np.median(y)), Units())
    assert median["test_ratio_of_sums_ci_high"] < 1
    assert "do not add them up" in note(median, "mae")[0]
    assert note(of_numbers(y, np.full(N, y.mean()), Units()), "mae") == []


def test_a_target_below_zero_has_a_bias_and_no_ratio():
    y = RNG.normal(size=N)
    assert set(of_numbers(y, y + 1 + 0.1 * RNG.normal(size=N), Units())) == {
        "test_bias",
        "test_bias_ci_low",
        "test_bias_ci_high",
    }


def test_slope_and_intercept_are_those_of_a_logistic_regression():
    truth = RNG.normal(size=N) - 1
    y, score = (RNG.random(N) < expit(truth)).astype(int), expit(2 * truth + 0.5)  # too extreme, and too high
    found = of_probabilities(y, score, Units())
    theirs = LogisticRegression(C=np.inf, tol=1e-10).fit(logit(score)[:, None], y)
    assert found["test_calibration_slope"] == pytest.approx(theirs.coef_[0, 0], rel=1e-4)
    assert found["test_calibration_intercept"] == pytest.approx(theirs.intercept_[0], abs=1e-4)
    assert found["test_calibration_in_the_large"] == pytest.approx(score.mean() - y.mean())
    assert found["test_calibration_slope_ci_high"] < 1


def test_calibrated_probabilities_are_covered():
    hits = {"slope": 0, "intercept": 0, "in_the_large": 0}
    for _ in range(200):
        truth = RNG.normal(size=500) - 2
        found = of_probabilities((RNG.random(500) < expit(truth)).astype(int), expit(truth), Units())
        for name, right in (("slope", 1), ("intercept", 0), ("in_the_large", 0)):
            hits[name] += found[f"test_calibration_{name}_ci_low"] <= right <= found[f"test_calibration_{name}_ci_high"]
    assert all(180 <= n <= 200 for n in hits.values()), hits


def test_a_constant_or_a_perfect_score_has_no_slope():
    y = (RNG.random(N) < 0.3).astype(int)
    for score in (np.full(N, 0.3), np.where(y == 1, 0.9, 0.1)):
        assert "test_calibration_slope" not in of_probabilities(y, score, Units())


def test_rows_of_one_cluster_have_no_interval():
    y = RNG.gamma(2, 1, N)
    assert set(of_numbers(y, y + 0.1, make_units(np.zeros(N)))) == {"test_bias", "test_ratio_of_sums"}


def test_tenths_are_means_of_sorted_predictions():
    y, predicted = np.arange(100.0), np.arange(100.0)[::-1] ** 2
    found = by_tenth(y, predicted)
    assert found["n_rows"].tolist() == [10] * 10
    assert found["mean_actual"].tolist() == [94.5 - 10 * i for i in range(10)]
