"""Benchmarks: what a model has to beat is fitted on train, with the loss of the metric, and decides as the model does."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import minimize_scalar
from sklearn.linear_model import LogisticRegression, QuantileRegressor
from sklearn.metrics import f1_score, mean_pinball_loss
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PowerTransformer

from bank_models.config.benchmark import Benchmark
from bank_models.config.feature import Feature
from bank_models.data.lags import naive_forecasts
from bank_models.errors import ConfigError
from bank_models.evaluation.baselines import baseline_scores, best_first
from bank_models.evaluation.benchmarks import benchmark_scores, scale
from bank_models.metrics.scorer import make_scorer
from bank_models.training.fit import Recipe

RNG = np.random.default_rng(5)
N = 400
FRAME = pd.DataFrame({"a": RNG.normal(size=N), "b": RNG.normal(size=N), "volatility": RNG.lognormal(size=N)})
TRAIN = np.arange(250)


def recipe(task: str, **facts) -> Recipe:
    features = {name: Feature(type="float") for name in FRAME}
    given = dict(imputer=None, scaler=None, encoder="one_hot", is_monotone=False, patience=None, random_state=0, n_threads=1)
    return Recipe(task, "XGBClassifier", {}, features, **given, **facts)


@pytest.mark.parametrize("level", [None, 0.5, 0.99, 0.1])
@pytest.mark.parametrize("sign", [1, -1])
def test_the_factor_of_a_scaled_benchmark_has_the_least_loss_there_is(level, sign):
    x, noise = sign * RNG.lognormal(size=300), RNG.normal(size=300)
    x[::7] *= -1

    def loss(k):
        return np.mean((noise - k * x) ** 2) if level is None else mean_pinball_loss(noise, k * x, alpha=level)

    best = minimize_scalar(loss, bounds=(-20, 20), method="bounded", options={"xatol": 1e-10}).fun
    assert loss(scale(np.append(x, [np.nan, 0]), np.append(noise, [1e9, 1e9]), level)) <= best + 1e-6


def test_a_linear_benchmark_of_classes_is_scikit_learns_logistic_regression_on_its_columns_of_train():
    y = (FRAME["a"] + RNG.normal(size=N) > 0).to_numpy().astype(int)
    found = benchmark_scores({"two": Benchmark(linear=["a", "b"])}, recipe("binary"), "roc_auc", FRAME, y, TRAIN)["two"]
    alone = make_pipeline(PowerTransformer(), LogisticRegression()).fit(FRAME.loc[TRAIN, ["a", "b"]], y[TRAIN])
    np.testing.assert_allclose(found, alone.predict_proba(FRAME[["a", "b"]])[:, 1], atol=1e-5)


@pytest.mark.parametrize(("metric", "facts", "level"), [("mae", {}, 0.5), ("pinball_loss", {"quantile": 0.9}, 0.9)])
def test_a_linear_benchmark_of_numbers_learns_the_quantile_that_its_metric_asks_for(metric, facts, level):
    y = 2 * FRAME["a"].to_numpy() + RNG.normal(size=N)
    found = benchmark_scores({"one": Benchmark(linear=["a"])}, recipe("regression", **facts), metric, FRAME, y, TRAIN)["one"]
    alone = make_pipeline(PowerTransformer(), QuantileRegressor(quantile=level, alpha=0)).fit(FRAME.loc[TRAIN, ["a"]], y[TRAIN])
    np.testing.assert_allclose(found, alone.predict(FRAME[["a"]]), atol=1e-4)


def test_a_linear_benchmark_of_amounts_that_are_learnt_as_logarithms_is_right_in_all():
    y = np.exp(FRAME["a"].to_numpy() + RNG.normal(size=N)) - 1 + 1e-9
    facts = {"target_transform": "log1p", "smears": True}
    found = benchmark_scores({"one": Benchmark(linear=["a"])}, recipe("regression", **facts), "r2", FRAME, y, TRAIN)["one"]
    assert (1 + found)[TRAIN].mean() == pytest.approx((1 + y)[TRAIN].mean(), rel=0.1)


def test_no_benchmark_learns_from_a_row_beyond_train():
    y = RNG.normal(size=N)
    changed = np.where(np.arange(N) < len(TRAIN), y, 1e6)
    kinds = {"l": Benchmark(linear=["a"]), "s": Benchmark(scaled="volatility"), "f": Benchmark(feature="b")}
    before, after = (benchmark_scores(kinds, recipe("regression"), "rmse", FRAME, each, TRAIN) for each in (y, changed))
    for name in kinds:
        np.testing.assert_array_equal(before[name], after[name])


def test_a_baseline_decides_at_the_threshold_that_val_chose_so_the_f1_of_no_model_is_not_zero():
    y = (RNG.random(200) < 0.2).astype(int)
    scorer, val, test = make_scorer("f1", "binary", y), np.arange(100), np.arange(100, 200)
    (prior,) = best_first(scorer, baseline_scores(scorer, y, 200), y[val], val).values()
    assert f1_score(y[test], prior.answers("binary", test).decision) == f1_score(y[test], np.ones(100))


def test_seasonal_growth_is_the_value_a_season_ago_times_the_growth_since_then():
    frame = pd.DataFrame({"day": pd.date_range("2024-01-01", periods=9), "y": [1.0, 2, 4, 10, 30, 0, 40, 60, 80]})
    found = naive_forecasts(frame, "y", "day", None, horizon=1, season=3)["seasonal_growth"]
    expected = [np.nan] * 3 + [
        1,
        2 * 10 / 1,
        4 * 30 / 2,
        10,
        30 * 40 / 10,
        0 * 60 / 30,
    ]  # no growth is known of the first, nor of 0
    np.testing.assert_allclose(found, expected)


@pytest.mark.parametrize(
    ("said", "complaint"),
    [
        ("x={}", "a benchmark is one of"),
        ("x={linear: [age_years], scaled: age_years}", "a benchmark is one of"),
        ("x={linear: [nobody]}", "benchmark x names nobody, which is neither a feature, a lag nor a derived column"),
        ("test={linear: [age_years]}", "a benchmark cannot be called test"),
        ("x={scaled: age_years}", "go with task regression"),
    ],
)
def test_a_benchmark_that_cannot_be_is_refused_in_a_sentence(compose, said, complaint):
    with pytest.raises(ConfigError, match=complaint):
        compose("use_case=credit_scoring", f"+use_case.benchmarks.{said}")


def test_the_gain_of_a_run_is_over_its_best_benchmark(train, tmp_path):
    result = train("use_case=credit_scoring", "model=dummy", "cv=none")
    assert result.returncode == 0, result.stderr
    metrics, facts = (json.loads((tmp_path / "run" / f"{name}.json").read_text()) for name in ("metrics", "metadata"))
    assert facts["baseline"] == "scorecard"
    assert metrics["prior_roc_auc"] == 0.5 < metrics["baseline_roc_auc"]
    assert metrics["gain_roc_auc"] == pytest.approx(0.5 - metrics["baseline_roc_auc"])
