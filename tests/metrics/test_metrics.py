import numpy as np
import pytest
from scipy import stats
from sklearn import metrics as sk

from bank_models.config.use_case import Cost
from bank_models.errors import DataError
from bank_models.evaluation.baselines import baseline_scores, best_first
from bank_models.evaluation.performance import costs_of, costs_of_classes, evaluate
from bank_models.metrics import threshold
from bank_models.metrics.names import METRICS, as_score
from bank_models.metrics.scorer import likeliest, make_scorer
from bank_models.metrics.scores import (
    SCORING,
    alert_rate_at_recall,
    compute,
    confusion,
    decide,
    expected_calibration_error,
    information_coefficient,
    kupiec_p_value,
    least_rate_told,
    lift,
    metrics_for,
    note_on_kupiec,
    recall_at_alert_rate,
)
from bank_models.metrics.units import Units

RNG = np.random.default_rng(1)
Y = (RNG.random(400) < 0.3).astype(int)
SCORE = np.clip(np.round(0.3 + 0.25 * Y + 0.2 * RNG.normal(size=400), 2), 0, 1)  # two digits: many ties


@pytest.mark.parametrize("kind", ["float32", "float64"])
@pytest.mark.parametrize("digits", [1, 2, 9])
@pytest.mark.parametrize("n_rows", [2, 3, 30, 3_000])
def test_roc_auc_is_scikit_learns_to_the_last_bit(n_rows, digits, kind):
    rng = np.random.default_rng([n_rows, digits])
    y = (rng.random(n_rows) < 0.3).astype("int8")
    y[:2] = 0, 1
    score = np.round(rng.random(n_rows) * 0.7 + 0.3 * y, digits).astype(kind)
    assert compute(["roc_auc"], y, decide("binary", score, 0.5)) == {"roc_auc": sk.roc_auc_score(y, score)}


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


def test_the_f1_threshold_beats_every_other_one():
    best = sk.f1_score(Y, threshold.highest_f1(Y, SCORE) <= SCORE)
    assert best == max(sk.f1_score(Y, value <= SCORE) for value in SCORE)


def test_the_cheapest_threshold_of_a_case_worked_by_hand():
    y = np.array([1, 0, 1, 0])
    score = np.array([0.9, 0.8, 0.3, 0.1])
    amount = np.array([100.0, 0.0, 2.0, 0.0])
    assert threshold.cheapest(y, score, 4.0, amount) == 0.9  # catching the 2 EUR fraud costs a 4 EUR review more
    assert threshold.costs_of_rows(y, score, 0.9, 4.0, amount).sum() == 2.0


def test_the_cheapest_threshold_beats_every_other_one_with_costs_by_row():
    amount = RNG.lognormal(3, 1, 400)
    best = threshold.costs_of_rows(Y, SCORE, threshold.cheapest(Y, SCORE, 4.0, amount), 4.0, amount).sum()
    assert best == pytest.approx(min(threshold.costs_of_rows(Y, SCORE, value, 4.0, amount).sum() for value in [*SCORE, 2.0]))


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
    scorer = make_scorer("average_precision", "binary", Y)
    scores = baseline_scores(scorer, np.array([0, 0, 1, 0, 0, 1, 0, 0, 1, 0]), 400)
    prior = {name: decide("binary", score, 0.5) for name, score in scores.items()}
    truth = 0.1 + 0.8 * Y
    found = evaluate(scorer, Y, decide("binary", SCORE, 0.4), prior, Units(), true_score=truth)
    assert found["test_average_precision"] == sk.average_precision_score(Y, SCORE)
    assert found["test_brier_score_loss"] == sk.brier_score_loss(Y, SCORE)
    assert found["baseline_average_precision"] == pytest.approx(Y.mean())
    assert found["baseline_log_loss"] == pytest.approx(sk.log_loss(Y, np.full(400, 0.3)))
    assert found["ceiling_roc_auc"] == 1.0
    assert found["ceiling_accuracy"] == 1.0  # at the likeliest class, whatever threshold the model has
    assert found["test_average_precision_ci_low"] < found["test_average_precision"] < found["test_average_precision_ci_high"]
    assert {name.removeprefix("test_") for name in found} >= set(metrics_for("binary"))


N = 40_000
TRUE_SHARE = RNG.beta(0.5, 3.0, N)
TRUE_SHARES = RNG.dirichlet([0.4, 0.6, 1.0, 0.5, 0.7], N)
SHOWN = {"binary": TRUE_SHARE, "multiclass": TRUE_SHARES}
DRAWN = {
    "binary": (RNG.random(N) < TRUE_SHARE).astype(int),
    "multiclass": (RNG.random((N, 1)) > np.cumsum(TRUE_SHARES, axis=1)[:, :-1]).sum(axis=1),
}


def other_answers(task: str) -> dict[str, np.ndarray]:
    """Answers that somebody may give who does not know the truth, or bends it."""
    truth = SHOWN[task]
    noisy = truth * np.exp(0.8 * RNG.normal(size=truth.shape))
    flat = np.full(truth.shape, truth.mean(axis=0))
    bent = {
        "sharper": truth**2,
        "flatter": truth**0.5,
        "noisy": noisy,
        "mean": flat,
        "towards the rare": truth / flat,
        "half-way there": truth / flat**0.5,
    }
    if task == "binary":
        return {name: np.clip(value, 0, 1) for name, value in bent.items()}
    return {name: value / value.sum(axis=1, keepdims=True) for name, value in bent.items()}


@pytest.mark.parametrize("task", ["binary", "multiclass"])
def test_no_answer_beats_the_truth_by_a_metric_that_has_a_ceiling(task):
    kinds, classes = ["many_classes", "ordered"], [*"abcde"] if task == "multiclass" else None
    scorer = make_scorer("log_loss", task, DRAWN[task], classes)
    names = [name for name in metrics_for(task, kinds) if METRICS[name].optimum]
    reached = compute(names, DRAWN[task], likeliest(scorer, SHOWN[task]))
    for answer in other_answers(task).values():
        found = compute(names, DRAWN[task], likeliest(scorer, answer))
        assert all(as_score(name, found[name]) <= as_score(name, reached[name]) + 1e-3 for name in names)


def test_another_answer_beats_the_truth_by_metrics_of_classes_that_have_no_ceiling():
    beaten = set()
    for task in ("binary", "multiclass"):
        kinds, classes = ["many_classes", "ordered"], [*"abcde"] if task == "multiclass" else None
        scorer = make_scorer("log_loss", task, DRAWN[task], classes)
        names = [name for name in metrics_for(task, kinds) if not METRICS[name].optimum]
        reached = compute(names, DRAWN[task], likeliest(scorer, SHOWN[task]))
        answers = other_answers(task) | ({"all": np.ones(N), "few": TRUE_SHARE / 1.9} if task == "binary" else {})
        for answer in answers.values():
            found = compute(names, DRAWN[task], likeliest(scorer, answer))
            beaten |= {name for name in names if as_score(name, found[name]) > as_score(name, reached[name]) + 1e-3}
    assert beaten >= {"f1", "recall", "precision", "specificity", "f1_macro", "balanced_accuracy", "expected_calibration_error"}


@pytest.mark.parametrize(
    ("metric", "quantile", "shown"),
    [
        ("mae", None, {"mae"}),
        ("rmse", None, {"rmse", "r2"}),
        ("information_coefficient", None, {"rmse", "r2"}),
        ("rmsle", None, {"rmsle"}),
        ("median_absolute_error", None, {"mae"}),
        ("pinball_loss", 0.9, {"pinball_loss"}),
    ],
)
def test_the_truth_that_the_metric_asks_for_is_the_ceiling_of_no_other(metric, quantile, shown):
    spread = np.exp(RNG.normal(size=2_000))
    y = np.exp(spread + RNG.normal(size=2_000))
    truth = {
        "mean": np.exp(spread + 0.5),
        "median": np.exp(spread),
        "mean_of_logs": np.expm1(spread),
        "quantile": np.exp(spread + 1.28),
    }
    scorer = make_scorer(metric, "regression", y, quantile=quantile)
    guess = decide("regression", np.full(2_000, y.mean()))
    found = evaluate(scorer, y, guess, {"mean": guess}, Units(), truth[scorer.truth])
    assert {name.removeprefix("ceiling_") for name in found if name.startswith("ceiling_")} == shown


def test_the_price_of_doing_without_a_model_is_the_cheaper_of_none_and_all():
    assert costs_of(Y, SCORE, 0.4, (1.0, 5.0), Units())["baseline_cost"] == min(5.0 * Y.sum(), 1.0 * (1 - Y).sum())
    assert costs_of(Y, SCORE, 0.4, None, Units()) == {}


def test_cross_validation_scores_what_is_defined_for_the_task():
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


def test_the_least_rate_of_breaches_that_kupiecs_test_tells_is_refuted_in_four_of_five_samples():
    rate = least_rate_told(250, 0.99)
    breaches = np.random.default_rng(0).binomial(250, rate, size=4_000)
    level = np.full(250, 0.5)
    p_value = {n: kupiec_p_value(np.arange(250) < n, level, 0.99) for n in set(breaches)}
    assert np.mean([p_value[n] < 0.05 for n in breaches]) == pytest.approx(0.8, abs=0.02)
    assert least_rate_told(2_500, 0.99) < rate


def test_few_expected_breaches_are_said_to_tell_little():
    told = "tells a rate of breaches of 3.6% or more from 0.01 with a power of 80%; with fewer than 5 expected it says little"
    assert told in note_on_kupiec(250, 0.99)
    assert "with fewer than 5" not in note_on_kupiec(2_500, 0.99)
    endings = [note_on_kupiec(n_rows, 0.99).endswith("nothing of one too high.") for n_rows in (100, 250)]
    assert endings == [True, False]  # none of 100 has a probability of 0.37, none of 250 one of 0.08


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
    (found,) = baseline_scores(make_scorer(metric, "regression", y_train), y_train, 2).items()
    assert found[0] == name
    assert found[1].tolist() == [{"median": 1.0, "mean": 2.0}[name]] * 2


def test_the_baseline_of_classes_is_their_shares_and_of_a_quantile_that_quantile():
    y = np.array([0, 2, 2, 2])
    scorer = make_scorer("f1_macro", "multiclass", y, classes=["a", "b", "c"])
    prior = baseline_scores(scorer, y, 1)["prior"]
    assert prior.tolist() == [[0.25, 0.0, 0.75]]
    (found,) = best_first(scorer, {"prior": prior}, np.array([0]), np.array([0])).values()
    assert found.answers("multiclass", np.array([0])).decision.tolist() == [2]
    scorer = make_scorer("pinball_loss", "regression", y, quantile=0.9)
    assert baseline_scores(scorer, np.arange(101.0), 1)["quantile"] == [90.0]


def test_the_baseline_to_beat_is_the_one_that_does_best_on_val_and_a_gap_in_history_is_filled_with_the_constant():
    y = np.array([1.0, 2.0, 3.0, 10.0, 11.0, 12.0])
    scorer = make_scorer("mae", "regression", y)
    scores = baseline_scores(scorer, y[:3], 6, {"last_value": np.append(np.nan, y[:-1])})
    assert scores["last_value"].tolist() == [2.0, 1.0, 2.0, 3.0, 10.0, 11.0]
    assert list(best_first(scorer, scores, y[4:], np.array([4, 5]))) == ["last_value", "median"]


def test_the_information_coefficient_is_the_mean_rank_correlation_of_each_period():
    y, value = np.array([1.0, 2, 3, 4, 1, 2, 3, 7, 8]), np.array([1.0, 2, 3, 4, 3, 2, 1, 5, 5])
    month = np.array([1, 1, 1, 1, 2, 2, 2, 3, 3])  # 1 and -1; two rows of the third month cannot be ranked
    assert information_coefficient(y, value, month) == 0
    assert information_coefficient(y, value) == pytest.approx(stats.spearmanr(y, value).statistic)


@pytest.mark.parametrize("measure", [lift, recall_at_alert_rate, expected_calibration_error])
def test_rows_that_tie_count_alike_whatever_their_order(measure):
    order = RNG.permutation(400)
    assert measure(Y[order], SCORE[order]) == pytest.approx(measure(Y, SCORE))


def test_a_constant_score_lifts_nothing():
    for y in (np.sort(Y), np.sort(Y)[::-1]):
        assert lift(y, np.full(400, 0.3)) == pytest.approx(1)
        assert recall_at_alert_rate(y, np.full(400, 0.3)) == pytest.approx(0.01)


def test_the_lift_of_ties_is_the_mean_over_every_order():
    y, score = np.array([1, 0, 0, 1, 0]), np.array([0.9, 0.5, 0.5, 0.5, 0.1])
    found = [np.mean(y[[0, *pair]]) / 0.4 for pair in ([1, 2], [1, 3], [2, 3])]  # three of five, two of them of three that tie
    assert lift(y, score, share=0.6) == pytest.approx(np.mean(found))


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
    assert costs_of_classes(np.array([0, 1]), decided, costs, Units()) == {"test_cost": 0.0, "baseline_cost": 1.0}


def test_no_other_decision_has_less_expected_cost():
    costs = RNG.uniform(0, 9, (5, 5))
    decided = threshold.cheapest_class(PROBABILITY, costs)
    for k in range(5):
        expected = lambda d: (PROBABILITY * costs[:, d].T).sum(axis=1)  # noqa: E731
        assert (expected(decided) <= expected(np.full(300, k)) + 1e-12).all()
