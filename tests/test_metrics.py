import numpy as np
import pytest
from sklearn import metrics as sk

from src import bootstrap, threshold
from src.errors import DataError
from src.evaluate import choose_threshold, evaluate
from src.metrics import OF_LABELS, OF_SCORES, as_score, binary_metrics, confusion
from src.use_case import Cost

RNG = np.random.default_rng(1)
Y = (RNG.random(400) < 0.3).astype(int)
SCORE = np.clip(np.round(0.3 + 0.25 * Y + 0.2 * RNG.normal(size=400), 2), 0, 1)  # two digits: many ties


def test_metrics_of_a_case_worked_by_hand():
    y, score = np.array([1, 1, 0, 0, 0]), np.array([0.9, 0.4, 0.6, 0.2, 0.1])  # one caught, one missed, one false alert
    found = binary_metrics([*OF_LABELS, "roc_auc"], y, score, threshold=0.5)
    assert found == pytest.approx(
        {"accuracy": 3 / 5, "precision": 1 / 2, "recall": 1 / 2, "f1": 1 / 2, "specificity": 2 / 3, "roc_auc": 5 / 6}
    )
    assert confusion(y, score, 0.5) == {
        "true_negatives": 2, "false_positives": 1, "false_negatives": 1, "true_positives": 1,
    }  # fmt: skip


def test_a_model_without_alerts_has_precision_zero_and_no_warning(recwarn):
    assert binary_metrics(["precision", "f1"], Y, np.zeros(400), 0.5) == {"precision": 0.0, "f1": 0.0}
    assert not recwarn


def test_losses_count_as_negative_scores():
    assert as_score("log_loss", 0.4) == -0.4
    assert as_score("roc_auc", 0.8) == 0.8


@pytest.mark.parametrize("metric", ["roc_auc", "average_precision"])
def test_the_fast_bootstrap_equals_scikit_learn_on_every_resample(metric):
    fast = bootstrap.RANKINGS[metric](metric, Y, SCORE, 0.5)
    slow = bootstrap._by_scikit_learn(metric, Y, SCORE, 0.5)
    for seed in range(20):
        counts = np.bincount(np.random.default_rng(seed).integers(0, 400, 400), minlength=400).astype(float)
        assert fast(counts) == pytest.approx(slow(counts), abs=1e-12)


@pytest.mark.parametrize("metric", ["roc_auc", "f1", "log_loss"])
def test_a_bootstrap_interval_holds_the_estimate_and_narrows_with_more_rows(metric):
    low, high = bootstrap.interval(metric, Y, SCORE, 0.5, seed=0, n_resamples=200)
    assert low < binary_metrics([metric], Y, SCORE, 0.5)[metric] < high
    low4, high4 = bootstrap.interval(metric, np.tile(Y, 4), np.tile(SCORE, 4), 0.5, seed=0, n_resamples=200)
    assert high4 - low4 == pytest.approx((high - low) / 2, rel=0.3)


def test_a_bootstrap_interval_covers_the_truth_as_often_as_it_says():
    covered = 0
    for seed in range(100):
        rng = np.random.default_rng(seed)
        y = np.repeat([0, 1], 100)
        low, high = bootstrap.interval("roc_auc", y, rng.normal(size=200) + y, 0.5, seed, n_resamples=200)
        covered += low < 0.7602 < high  # Phi(1 / sqrt(2))
    assert 87 <= covered <= 100


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
    assert choose_threshold(Y, SCORE, (1.0, 20.0)) < choose_threshold(Y, SCORE)


def test_evaluation_puts_baseline_ceiling_and_interval_beside_the_model():
    found = evaluate("average_precision", Y, SCORE, 0.4, prior=0.3, seed=0, true_score=0.1 + 0.8 * Y, costs=(1.0, 5.0))
    assert found["test_average_precision"] == sk.average_precision_score(Y, SCORE)
    assert found["test_brier_score_loss"] == sk.brier_score_loss(Y, SCORE)
    assert found["baseline_average_precision"] == pytest.approx(Y.mean())
    assert found["baseline_log_loss"] == pytest.approx(sk.log_loss(Y, np.full(400, 0.3)))
    assert found["ceiling_roc_auc"] == 1.0
    assert found["baseline_cost"] == min(5.0 * Y.sum(), 1.0 * (1 - Y).sum())
    assert found["test_average_precision_ci_low"] < found["test_average_precision"] < found["test_average_precision_ci_high"]
    assert set(OF_SCORES) <= {name.removeprefix("test_") for name in found}
