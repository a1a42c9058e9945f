from typing import get_args

import numpy as np
import pytest
from scipy import stats
from sklearn import metrics as sk

from src import bootstrap, threshold
from src.errors import DataError
from src.evaluate import as_baseline, baseline_scores, best_first, costs_of, costs_of_classes, evaluate, make_yardstick
from src.metrics import (
    METRICS,
    SCORING,
    Prediction,
    alert_rate_at_recall,
    as_score,
    compute,
    confusion,
    decide,
    expected_calibration_error,
    information_coefficient,
    kupiec_p_value,
    lift,
    metrics_for,
    recall_at_alert_rate,
)
from src.use_case import Cost, Metric

RNG = np.random.default_rng(1)
Y = (RNG.random(400) < 0.3).astype(int)
SCORE = np.clip(np.round(0.3 + 0.25 * Y + 0.2 * RNG.normal(size=400), 2), 0, 1)  # two digits: many ties


def test_metrics_of_a_case_worked_by_hand():
    y, score = np.array([1, 1, 0, 0, 0]), np.array([0.9, 0.4, 0.6, 0.2, 0.1])  # one caught, one missed, one false alert
    names = ["accuracy", "precision", "recall", "f1", "specificity", "roc_auc"]
    found = compute(names, y, decide("binary", score, 0.5))
    assert found == pytest.approx(
        {"accuracy": 3 / 5, "precision": 1 / 2, "recall": 1 / 2, "f1": 1 / 2, "specificity": 2 / 3, "roc_auc": 5 / 6}
    )
    assert confusion(y, score >= 0.5) == {
        "true_negatives": 2, "false_positives": 1, "false_negatives": 1, "true_positives": 1,
    }  # fmt: skip


def test_a_model_without_alerts_has_precision_zero_and_no_warning(recwarn):
    assert compute(["precision", "f1"], Y, decide("binary", np.zeros(400), 0.5)) == {"precision": 0.0, "f1": 0.0}
    assert not recwarn


def test_losses_count_as_negative_scores():
    assert as_score("log_loss", 0.4) == -0.4
    assert as_score("roc_auc", 0.8) == 0.8


@pytest.mark.parametrize("metric", ["roc_auc", "average_precision", "f1", "accuracy", "log_loss", "recall_at_1_percent_alerts"])
def test_every_resample_is_what_scikit_learn_says_of_its_rows(metric):
    prediction = decide("binary", SCORE, 0.5)
    found = bootstrap.resample(metric, "binary", Y, [prediction], seed=0, n_resamples=20, quantile=None)[:, 0]
    (counts,) = bootstrap.draw_counts(Y, "binary", seed=0, n_resamples=20)
    for value, times in zip(found, counts.T.astype(int), strict=True):
        rows = np.repeat(np.arange(len(Y)), times)
        drawn = Prediction(prediction.score[rows], prediction.decision[rows])
        assert value == pytest.approx(compute([metric], Y[rows], drawn)[metric], rel=1e-6)


@pytest.mark.parametrize("metric", ["roc_auc", "f1", "log_loss"])
def test_a_bootstrap_interval_holds_the_estimate_and_narrows_with_more_rows(metric):
    low, high = bootstrap.interval(metric, "binary", Y, decide("binary", SCORE, 0.5), seed=0, n_resamples=200)
    assert low < compute([metric], Y, decide("binary", SCORE, 0.5))[metric] < high
    four = decide("binary", np.tile(SCORE, 4), 0.5)
    low4, high4 = bootstrap.interval(metric, "binary", np.tile(Y, 4), four, seed=0, n_resamples=200)
    assert high4 - low4 == pytest.approx((high - low) / 2, rel=0.3)


def test_a_bootstrap_interval_covers_the_truth_as_often_as_it_says():
    covered = 0
    for seed in range(100):
        rng = np.random.default_rng(seed)
        y = np.repeat([0, 1], 100)
        score = decide("binary", rng.normal(size=200) + y, 0.5)
        low, high = bootstrap.interval("roc_auc", "binary", y, score, seed, n_resamples=200)
        covered += low < 0.7602 < high  # Phi(1 / sqrt(2))
    assert 87 <= covered <= 100


def test_a_bootstrap_of_a_mean_agrees_with_the_normal_interval():
    y = RNG.normal(size=2000)
    low, high = bootstrap.interval("mae", "regression", y, decide("regression", np.zeros(2000)), seed=0)
    error = np.abs(y)
    half = 1.96 * error.std() / np.sqrt(2000)
    assert (low, high) == pytest.approx((error.mean() - half, error.mean() + half), abs=0.1 * half)


def test_a_gain_on_a_baseline_is_known_better_than_either_score_because_the_rows_are_the_same():
    y = RNG.normal(size=2000)
    better, baseline = decide("regression", np.full(2000, 0.1)), decide("regression", np.full(2000, 0.5))
    value, (low, high) = bootstrap.intervals("mae", "regression", y, better, baseline, seed=0)
    assert value == bootstrap.interval("mae", "regression", y, better, seed=0)
    each = np.abs(y - 0.5) - np.abs(y - 0.1)
    half = 1.96 * each.std() / np.sqrt(2000)
    assert (low, high) == pytest.approx((each.mean() - half, each.mean() + half), abs=0.1 * half)
    assert high - low < value[1] - value[0]


def test_an_interval_of_rows_that_belong_together_covers_the_truth_and_one_of_strangers_does_not():
    covered = {"rows": 0, "clusters": 0}
    for seed in range(100):
        rng = np.random.default_rng(seed)
        clusters = np.repeat(np.arange(60), 10)
        error = rng.normal(size=60)[clusters] + 0.5 * rng.normal(size=600)
        zero = decide("regression", np.zeros(600))
        for name, of in (("rows", None), ("clusters", clusters)):
            low, high = bootstrap.interval("rmse", "regression", error, zero, seed, n_resamples=200, clusters=of)
            covered[name] += low < np.sqrt(1.25) < high
    assert covered["rows"] < 70
    assert 87 <= covered["clusters"] <= 99


def test_a_resample_of_clusters_holds_both_classes():
    y, score = np.repeat([0, 1], [90, 10]), decide("binary", np.linspace(0, 1, 100), 0.5)
    clusters = np.repeat(np.arange(10), 10)  # one of ten holds every positive row
    values = bootstrap.resample("roc_auc", "binary", y, [score], 0, 200, None, clusters=clusters)
    assert np.isfinite(values).all()
    assert (values == 1).all()


def test_a_baseline_gains_nothing_on_itself():
    prior = decide("binary", np.full(400, 0.3), 0.5)
    assert bootstrap.intervals("roc_auc", "binary", Y, prior, prior, seed=0, n_resamples=50) == ((0.5, 0.5), (0.0, 0.0))


def test_the_f1_threshold_beats_every_other_one():
    best = sk.f1_score(Y, threshold.highest_f1(Y, SCORE) <= SCORE)
    assert best == max(sk.f1_score(Y, value <= SCORE) for value in SCORE)


def test_the_cheapest_threshold_of_a_case_worked_by_hand():
    y = np.array([1, 0, 1, 0])
    score = np.array([0.9, 0.8, 0.3, 0.1])
    amount = np.array([100.0, 0.0, 2.0, 0.0])
    assert threshold.cheapest(y, score, 4.0, amount) == 0.9  # catching the 2 EUR fraud costs a 4 EUR review more
    assert threshold.cost(y, score, 0.9, 4.0, amount) == 2.0


def test_the_cheapest_threshold_beats_every_other_one_with_costs_by_row():
    amount = RNG.lognormal(3, 1, 400)
    best = threshold.cost(Y, SCORE, threshold.cheapest(Y, SCORE, 4.0, amount), 4.0, amount)
    assert best == pytest.approx(min(threshold.cost(Y, SCORE, value, 4.0, amount) for value in [*SCORE, 2.0]))


def test_where_no_alert_pays_for_itself_none_is_raised():
    decided_at = threshold.cheapest(Y, SCORE, 1.0, 0.0)
    assert not (decided_at <= SCORE).any()
    assert decided_at > 1


def test_a_price_that_a_row_lacks_is_refused():
    import pandas as pd

    cost = Cost(false_positive=4.0, false_negative="amount_eur", unit="EUR")
    with pytest.raises(DataError, match="amount_eur is the price of a wrong decision, but 1 rows"):
        threshold.prices(cost, pd.DataFrame({"amount_eur": [1.0, np.nan]}))


def test_mistakes_with_a_price_choose_another_threshold_than_f1():
    assert threshold.choose(Y, SCORE, (1.0, 20.0)) < threshold.choose(Y, SCORE)


def test_evaluation_puts_baseline_ceiling_and_interval_beside_the_model():
    yardstick = make_yardstick("average_precision", "binary", Y)
    scores = baseline_scores(yardstick, np.array([0, 0, 1, 0, 0, 1, 0, 0, 1, 0]), 400)
    prior = {name: as_baseline(yardstick, score) for name, score in scores.items()}
    truth = decide("binary", 0.1 + 0.8 * Y, 0.4)
    found = evaluate(yardstick, Y, decide("binary", SCORE, 0.4), prior, seed=0, ceiling=truth)
    assert found["test_average_precision"] == sk.average_precision_score(Y, SCORE)
    assert found["test_brier_score_loss"] == sk.brier_score_loss(Y, SCORE)
    assert found["baseline_average_precision"] == pytest.approx(Y.mean())
    assert found["baseline_log_loss"] == pytest.approx(sk.log_loss(Y, np.full(400, 0.3)))
    assert found["ceiling_roc_auc"] == 1.0
    assert found["test_average_precision_ci_low"] < found["test_average_precision"] < found["test_average_precision_ci_high"]
    assert {name.removeprefix("test_") for name in found} >= set(metrics_for("binary"))


def test_the_price_of_doing_without_a_model_is_the_cheaper_of_none_and_all():
    assert costs_of(Y, SCORE, 0.4, (1.0, 5.0))["baseline_cost"] == min(5.0 * Y.sum(), 1.0 * (1 - Y).sum())
    assert costs_of(Y, SCORE, 0.4, None) == {}


def test_the_schema_of_a_use_case_knows_exactly_the_metrics_there_are():
    assert set(get_args(Metric)) == {*METRICS, "silhouette", "davies_bouldin", "calinski_harabasz", "stability"}
    assert all(set(names) <= set(metrics_for(task, ["ordered"])) for task, names in SCORING.items())


# Classes and numbers

CODES = RNG.integers(0, 5, 300)
PROBABILITY = RNG.dirichlet(np.ones(5), 300)
VALUE = np.abs(RNG.normal(size=300)) + 0.1
GUESS = VALUE + 0.3 * RNG.normal(size=300)


def test_metrics_of_many_classes_are_scikit_learns():
    found = compute(metrics_for("multiclass", ["ordered", "many_classes"]), CODES, decide("multiclass", PROBABILITY))
    decided = PROBABILITY.argmax(axis=1)
    assert found["f1_macro"] == sk.f1_score(CODES, decided, average="macro")
    assert found["roc_auc_ovr"] == sk.roc_auc_score(CODES, PROBABILITY, multi_class="ovr")
    assert found["top_3_accuracy"] == np.mean([c in np.argsort(-p)[:3] for c, p in zip(CODES, PROBABILITY, strict=True)])
    assert found["quadratic_kappa"] == sk.cohen_kappa_score(CODES, decided, weights="quadratic")


def test_metrics_of_numbers_are_scikit_learns():
    found = compute(metrics_for("regression", ["non_negative"]), VALUE, decide("regression", GUESS))
    assert found["rmsle"] == sk.root_mean_squared_log_error(VALUE, np.maximum(GUESS, 0))
    assert found["r2"] == sk.r2_score(VALUE, GUESS)
    assert found["information_coefficient"] == pytest.approx(stats.spearmanr(VALUE, GUESS).statistic)
    assert compute(["information_coefficient"], VALUE, decide("regression", np.ones(300)))["information_coefficient"] == 0


def test_a_quantile_is_measured_by_its_loss_its_coverage_and_kupiecs_test():
    level = np.full(1000, stats.norm.ppf(0.95))
    y = stats.norm.ppf((np.arange(1000) + 0.5) / 1000)  # exactly 50 breaches
    found = compute(metrics_for("regression", ["quantile"]), y, decide("regression", level), quantile=0.95)
    assert found["coverage"] == 0.95
    assert found["kupiec_p_value"] == pytest.approx(1.0)
    assert found["pinball_loss"] == sk.mean_pinball_loss(y, level, alpha=0.95)
    assert kupiec_p_value(y, level, 0.99) < 1e-6


def test_kupiecs_test_of_a_case_worked_by_hand():
    y, level = np.r_[np.ones(10), np.zeros(240)], np.full(250, 0.5)  # 10 breaches where 2.5 were expected
    ratio = 2 * (10 * np.log(0.04 / 0.01) + 240 * np.log(0.96 / 0.99))
    assert kupiec_p_value(y, level, 0.99) == pytest.approx(stats.chi2.sf(ratio, 1))


def test_lift_recall_and_calibration_of_cases_worked_by_hand():
    y = np.zeros(200)
    y[[0, 1, 50, 199]] = 1
    score = np.linspace(1, 0, 200)  # the two best rows are positive; 20 rows are a tenth
    assert lift(y, score) == pytest.approx((2 / 20) / (4 / 200))
    assert recall_at_alert_rate(y, score) == 2 / 4
    assert expected_calibration_error(np.tile([0, 1], 50), np.full(100, 0.5)) == 0
    assert expected_calibration_error(np.zeros(100), np.full(100, 0.3)) == pytest.approx(0.3)


@pytest.mark.parametrize(("metric", "name"), [("mae", "median"), ("rmse", "mean"), ("r2", "mean")])
def test_the_baseline_of_a_number_is_the_constant_its_metric_likes_best(metric, name):
    y_train = np.array([0.0, 1.0, 5.0])
    (found,) = baseline_scores(make_yardstick(metric, "regression", y_train), y_train, 2).items()
    assert found[0] == name
    assert found[1].tolist() == [{"median": 1.0, "mean": 2.0}[name]] * 2


def test_the_baseline_of_classes_is_their_shares_and_of_a_quantile_that_quantile():
    y = np.array([0, 2, 2, 2])
    yardstick = make_yardstick("f1_macro", "multiclass", y, classes=["a", "b", "c"])
    prior = baseline_scores(yardstick, y, 1)["prior"]
    assert prior.tolist() == [[0.25, 0.0, 0.75]]
    assert as_baseline(yardstick, prior).decision.tolist() == [2]
    yardstick = make_yardstick("pinball_loss", "regression", y, quantile=0.9)
    assert baseline_scores(yardstick, np.arange(101.0), 1)["quantile"] == [90.0]


def test_the_baseline_to_beat_is_the_one_that_does_best_on_val_and_a_gap_in_history_is_filled_with_the_constant():
    y = np.array([1.0, 2.0, 3.0, 10.0, 11.0, 12.0])
    yardstick = make_yardstick("mae", "regression", y)
    scores = baseline_scores(yardstick, y[:3], 6, {"last_value": np.append(np.nan, y[:-1])})
    assert scores["last_value"].tolist() == [2.0, 1.0, 2.0, 3.0, 10.0, 11.0]
    assert list(best_first(yardstick, scores, y[4:], np.array([4, 5]))) == ["last_value", "median"]


def test_the_information_coefficient_is_the_mean_rank_correlation_of_each_period():
    y, value = np.array([1.0, 2, 3, 4, 1, 2, 3, 7, 8]), np.array([1.0, 2, 3, 4, 3, 2, 1, 5, 5])
    month = np.array([1, 1, 1, 1, 2, 2, 2, 3, 3])  # 1 and -1; two rows of the third month cannot be ranked
    assert information_coefficient(y, value, month) == 0
    assert information_coefficient(y, value) == pytest.approx(stats.spearmanr(y, value).statistic)


def test_the_interval_of_a_mean_over_periods_is_drawn_period_by_period():
    periods = np.repeat(np.arange(40), 25)
    y = RNG.normal(size=1000)
    value = y * np.where(periods % 2, 1, -1) + RNG.normal(size=1000)
    each = [stats.spearmanr(y[periods == p], value[periods == p]).statistic for p in range(40)]
    low, high = bootstrap.interval("information_coefficient", "regression", y, decide("regression", value), 0, periods=periods)
    half = 1.96 * np.std(each) / np.sqrt(40)
    assert (low, high) == pytest.approx((np.mean(each) - half, np.mean(each) + half), abs=0.15 * half)


def test_the_alert_rate_at_a_recall_of_a_case_worked_by_hand():
    y, score = np.array([1, 0, 1, 0, 0, 1, 0, 0]), np.array([8, 7, 6, 5, 4, 3, 2, 1])
    assert alert_rate_at_recall(y, score) == 6 / 8  # all three, down to the score of 3
    assert alert_rate_at_recall(y, score, recall=0.5) == 3 / 8


KYC = {"pass": {"fail": 1.0}, "fail": {"pass": 50.0}}  # a wrong pass costs most


def test_the_cheapest_class_weighs_costs_against_probabilities():
    costs = threshold.cost_array(KYC, ["pass", "fail"])
    assert costs.tolist() == [[0.0, 1.0], [50.0, 0.0]]
    decided = threshold.cheapest_class(np.array([[0.99, 0.01], [0.97, 0.03]]), costs)
    assert decided.tolist() == [0, 1]  # 0.01 * 50 = 0.5 < 0.99, but 0.03 * 50 = 1.5 > 0.97
    assert costs_of_classes(np.array([0, 1]), decided, costs) == {"test_cost": 0.0, "baseline_cost": 1.0}


def test_no_other_decision_has_less_expected_cost():
    costs = RNG.uniform(0, 9, (5, 5))
    decided = threshold.cheapest_class(PROBABILITY, costs)
    for k in range(5):
        expected = lambda d: (PROBABILITY * costs[:, d].T).sum(axis=1)  # noqa: E731
        assert (expected(decided) <= expected(np.full(300, k)) + 1e-12).all()
