"""Influence functions against derivatives of scikit-learn's metrics, and intervals against textbooks and known truths."""

import numpy as np
import pytest
from scipy import stats
from sklearn import metrics as sk

from bank_models.metrics.influence import is_known, measure, value_of
from bank_models.metrics.intervals import estimate, gain, interval, spread
from bank_models.metrics.names import METRICS
from bank_models.metrics.scores import FUNCTIONS, Prediction, compute, metrics_for
from bank_models.metrics.units import Units, make_units

N = 60
KINDS = {"binary": (), "multiclass": ("ordered", "many_classes"), "regression": ("quantile", "non_negative")}
WEIGHTED = {  # what scikit-learn computes of weighted rows
    "roc_auc": lambda y, p, w: sk.roc_auc_score(y, p.score, sample_weight=w),
    "average_precision": lambda y, p, w: sk.average_precision_score(y, p.score, sample_weight=w),
    "brier_score_loss": lambda y, p, w: sk.brier_score_loss(y, p.score, sample_weight=w),
    "mae": lambda y, p, w: sk.mean_absolute_error(y, p.score, sample_weight=w),
    "rmse": lambda y, p, w: sk.root_mean_squared_error(y, p.score, sample_weight=w),
    "r2": lambda y, p, w: sk.r2_score(y, p.score, sample_weight=w),
    "rmsle": lambda y, p, w: sk.root_mean_squared_log_error(y, np.maximum(p.score, 0), sample_weight=w),
    "pinball_loss": lambda y, p, w: sk.mean_pinball_loss(y, p.score, alpha=0.8, sample_weight=w),
    "coverage": lambda y, p, w: np.average(y <= p.score, weights=w),
    "log_loss": lambda y, p, w: sk.log_loss(y, p.score, sample_weight=w, labels=range(max(2, p.score.ndim * 2))),
    "roc_auc_ovr": lambda y, p, w: np.mean([sk.roc_auc_score(y == k, p.score[:, k], sample_weight=w) for k in range(4)]),
    "top_3_accuracy": lambda y, p, w: sk.top_k_accuracy_score(y, p.score, k=3, sample_weight=w, labels=range(4)),
}  # fmt: skip
OF_DECISIONS = {name: FUNCTIONS[name] for name, metric in METRICS.items() if metric.of == "decision"}


def answers(task: str, seed: int = 0, n: int = N):
    rng = np.random.default_rng(seed)
    if task == "binary":
        score = rng.random(n).round(1) * 0.9 + 0.05  # with ties
        return (rng.random(n) < score).astype(int), Prediction(score, (score >= 0.4).astype(np.int8)), 2
    if task == "multiclass":
        score = rng.dirichlet(np.ones(4), n)
        y = np.array([rng.choice(4, p=row) for row in score])
        return y, Prediction(score, score.argmax(axis=1)), 4
    y = rng.gamma(2, 2, n)
    value = y + rng.normal(0, 1, n)
    return y, Prediction(value, value), 0


@pytest.mark.parametrize(
    ("task", "name"),
    [(task, name) for task, kinds in KINDS.items() for name in metrics_for(task, kinds) if is_known(name)],
)
def test_an_influence_is_the_derivative_of_the_metric_by_the_weight_of_a_row(task, name):
    y, prediction, n_classes = answers(task)
    value, influence = measure(name, y, prediction, n_classes, 0.8)
    assert value == pytest.approx(compute([name], y, prediction, 0.8)[name], rel=1e-9)
    assert influence.sum() == pytest.approx(0, abs=1e-9)

    def of_weighted(w):
        if name in OF_DECISIONS:
            return OF_DECISIONS[name](y, prediction.decision, sample_weight=w)
        return WEIGHTED[name](y, prediction, w)

    step = 1e-6
    for row in range(0, N, 7):
        up, down = np.ones(N), np.ones(N)
        up[row] += step
        down[row] -= step
        assert influence[row] == pytest.approx((of_weighted(up) - of_weighted(down)) / (2 * step), rel=1e-4, abs=1e-8)


def test_a_mean_over_periods_is_moved_by_whole_periods():
    rng = np.random.default_rng(0)
    y, periods = rng.normal(size=40), np.repeat(np.arange(5), 8)
    value = y + rng.normal(size=40)
    found, influence = measure("information_coefficient", y, Prediction(value, value), 0, None, periods)
    each = np.array([stats.spearmanr(y[periods == p], value[periods == p])[0] for p in range(5)])
    assert found == pytest.approx(each.mean())
    np.testing.assert_allclose(np.bincount(periods, weights=influence), (each - each.mean()) / 5)


def test_the_interval_of_a_mean_of_strangers_is_students():
    y = np.random.default_rng(0).normal(5, 1, 30)
    found = estimate("mae", y, Prediction(np.zeros(30), np.zeros(30)), 0, Units())
    there = spread(found.influence, found.units, found.kinds)
    assert there.error == pytest.approx(stats.sem(np.abs(y)))
    assert there.freedom <= 29
    low, high = interval(found)
    reach = stats.t.ppf(0.975, there.freedom) * there.error / found.value
    assert (low, high) == pytest.approx((found.value * np.exp(-reach), found.value * np.exp(reach)))


def test_a_difference_of_two_areas_has_the_standard_error_of_delong():
    rng = np.random.default_rng(1)
    y = (rng.random(200) < 0.3).astype(int)
    one, other = rng.random(200) + 0.3 * y, (rng.random(200) + 0.2 * y).round(1)
    found = gain(*(estimate("roc_auc", y, Prediction(s, s > 0.5), 2, Units()) for s in (one, other)))
    placed = []
    for score in (one, other):  # by counting pairs, as the paper defines it
        wins = (score[y == 1][:, None] > score[y == 0]) + 0.5 * (score[y == 1][:, None] == score[y == 0])
        placed.append((wins.mean(axis=1), wins.mean(axis=0)))
    (a, b), (c, d) = placed
    expected = np.sqrt(np.var(a - c, ddof=1) / len(a) + np.var(b - d, ddof=1) / len(b))
    assert found.spread.error == pytest.approx(expected)
    assert found.value == pytest.approx(sk.roc_auc_score(y, one) - sk.roc_auc_score(y, other))


def test_copies_of_a_clusters_rows_tell_nothing_new():
    y, prediction, _ = answers("binary")
    cluster = np.arange(N)
    once = interval(estimate("brier_score_loss", y, prediction, 2, make_units(cluster)))
    many = [np.repeat(each, 9) for each in (y, prediction.score, prediction.decision, cluster)]
    again = interval(estimate("brier_score_loss", many[0], Prediction(*many[1:3]), 2, make_units(many[3])))
    assert again == pytest.approx(once)


@pytest.mark.parametrize(
    ("units", "why"),
    [(make_units(np.zeros(N)), "one cluster"), (make_units(None, np.zeros(N)), "one moment"),
     (make_units(np.zeros(N), np.arange(N)), "one cluster at many moments")],
    ids=lambda given: given if isinstance(given, str) else "",
)  # fmt: skip
def test_one_cluster_or_one_moment_gives_no_interval(units, why):
    y, prediction, _ = answers("binary")
    for metric in ("roc_auc", "brier_score_loss", "f1", "lift_at_10_percent"):
        found = estimate(metric, y, prediction, 2, units)
        assert interval(found) is None, why
        assert np.isnan(gain(found, found).p_value) or gain(found, found).value == 0


@pytest.mark.parametrize("metric", ["brier_score_loss", "log_loss"])
def test_a_gain_in_a_loss_has_at_most_as_many_degrees_of_freedom_as_the_rarer_class_less_one(metric):
    y, rate = (np.arange(400) < 4).astype("int8"), 0.01
    score = np.random.default_rng(0).uniform(0.001, 0.02, len(y)) + 0.1 * y
    model, constant = (estimate(metric, y, Prediction(each, each > 0.5), 2, Units()) for each in (score, np.full(len(y), rate)))
    assert gain(model, constant).spread.freedom <= 3


def test_one_row_of_a_class_gives_no_interval():
    y = np.zeros(N, dtype=int)
    y[0] = 1
    score = np.linspace(0, 1, N)
    for metric in ("roc_auc", "average_precision", "log_loss", "accuracy", "lift_at_10_percent"):
        assert interval(estimate(metric, y, Prediction(score, score > 0.5), 2, Units())) is None


@pytest.mark.parametrize("metric", ["roc_auc", "average_precision", "accuracy", "recall", "brier_score_loss", "log_loss"])
def test_an_interval_stays_within_the_range_of_its_metric_with_few_rows(metric):
    for seed in range(30):
        y, prediction, _ = answers("binary", seed, 12)
        if 2 <= y.sum() <= 10 and (ends := interval(estimate(metric, y, prediction, 2, Units()))):
            assert 0 <= ends[0] <= ends[1]
            assert METRICS[metric].is_loss or ends[1] <= 1


def test_a_metric_without_an_influence_function_has_an_interval_that_covers():
    rng, hits, n_draws = np.random.default_rng(0), 0, 150
    truth = np.median(np.abs(stats.norm.ppf(np.linspace(0.0005, 0.9995, 1000))))
    for _ in range(n_draws):
        y = rng.normal(size=600)
        low, high = interval(estimate("median_absolute_error", y, Prediction(np.zeros(600), np.zeros(600)), 0, Units()))
        hits += low <= truth <= high
    assert hits / n_draws > 0.88


def test_rare_positives_of_a_prevalence_metric_are_covered():
    """The class-stratified bootstrap covered 45 % here: at 4,000 rows and 2.9 % positives most of the spread is the rate's."""
    rng, hits, n_draws, rate = np.random.default_rng(0), 0, 300, 0.029
    truth = rate * (1 - rate)  # of answering the rate
    for _ in range(n_draws):
        y = (rng.random(4000) < rate).astype(int)
        score = np.full(4000, rate)
        low, high = interval(estimate("brier_score_loss", y, Prediction(score, score > 0.5), 2, Units()))
        hits += low <= truth <= high
    assert 0.91 <= hits / n_draws <= 0.99


@pytest.mark.parametrize(("phi", "n_moments"), [(0.6, 60), (0.9, 300)])
def test_moments_that_depend_on_the_last_ones_are_covered(phi, n_moments):
    rng, hits, n_draws = np.random.default_rng(0), 0, 300
    for _ in range(n_draws):
        shocks = rng.normal(size=n_moments + 100)
        series = np.zeros(len(shocks))
        for at in range(1, len(shocks)):
            series[at] = phi * series[at - 1] + shocks[at]
        missed = 10 + series[100:]
        found = estimate(
            "mae", missed, Prediction(np.zeros(n_moments), np.zeros(n_moments)), 0, make_units(None, np.arange(n_moments))
        )
        low, high = interval(found)
        hits += low <= 10 <= high
    assert 0.90 <= hits / n_draws <= 0.99


def test_moments_that_tell_no_more_than_one_give_no_interval():
    missed = 10 + np.linspace(0, 1, 24)  # one long rise
    found = estimate("mae", missed, Prediction(np.zeros(24), np.zeros(24)), 0, make_units(None, np.arange(24)))
    assert interval(found) is None


def test_entities_and_moments_that_both_vary_are_both_counted():
    """A panel of 30 customers and 20 months, each with a shock of its own: either way alone covers too little."""
    rng, n_draws = np.random.default_rng(0), 300
    entity, moment = (each.ravel() for each in np.meshgrid(np.arange(30), np.arange(20), indexing="ij"))
    hits = {"entities": 0, "moments": 0, "both": 0}
    for _ in range(n_draws):
        missed = 10 + rng.normal(size=30)[entity] + rng.normal(size=20)[moment] + rng.normal(size=600)
        for name, units in (
            ("entities", make_units(entity)),
            ("moments", make_units(None, moment)),
            ("both", make_units(entity, moment)),
        ):
            low, high = interval(estimate("mae", missed, Prediction(np.zeros(600), np.zeros(600)), 0, units))
            hits[name] += low <= 10 <= high
    assert 0.91 <= hits["both"] / n_draws <= 0.99
    assert hits["entities"] < hits["both"] > hits["moments"]


def test_a_gain_is_above_zero_exactly_where_its_interval_says_so_on_the_metrics_own_scale():
    y, prediction, _ = answers("binary", 3, 400)
    base = Prediction(np.full(400, y.mean()), np.zeros(400))
    found = gain(*(estimate("average_precision", y, each, 2, Units()) for each in (prediction, base)))
    assert found.low < found.value < found.high
    assert found.value + y.mean() < 1
    assert (found.low > 0) == (found.p_value < 0.05)
    same = gain(*(estimate("average_precision", y, base, 2, Units()) for _ in range(2)))
    assert (same.value, same.p_value) == (0, 1)
    assert np.isnan(same.low)


def test_values_of_one_class_are_not_a_number_where_a_metric_ranks():
    for name in ("roc_auc", "lift_at_10_percent"):
        assert np.isnan(value_of(name, np.zeros(5), Prediction(np.arange(5.0), np.zeros(5)), 2))


def test_a_gain_of_moments_that_depend_too_much_on_one_another_on_the_metrics_own_scale_has_no_interval():
    rng, n = np.random.default_rng(22), 40
    y, forecast = rng.normal(size=(2, n))
    for series in (y, forecast):
        for i in range(1, n):
            series[i] = 0.95 * series[i - 1] + 0.3 * series[i]
    about = 0, make_units(None, np.arange(n))
    found = gain(*(estimate("r2", y, Prediction(value, value), *about) for value in (forecast, np.full(n, y[0]))))
    assert np.isfinite([found.value, found.p_value]).all()
    assert np.isnan([found.low, found.high]).all()
