"""Weighted metrics against scikit-learn's with `sample_weight`, against doubled rows, and against their own derivatives."""

import numpy as np
import pytest
from scipy import stats
from sklearn import metrics as sk
from sklearn.utils.stats import _weighted_percentile

from bank_models.metrics import weighted
from bank_models.metrics.influence import is_known, measure
from bank_models.metrics.intervals import estimate, interval
from bank_models.metrics.names import METRICS, takes_weights
from bank_models.metrics.scores import Prediction, compute, metrics_for, rank_correlation
from bank_models.metrics.threshold import choose, highest_f1
from bank_models.metrics.units import Units, make_units

N, LEVEL = 200, 0.8
KINDS = {"binary": (), "multiclass": ("ordered", "many_classes"), "regression": ("quantile", "non_negative")}
SKLEARN = {
    "accuracy": lambda y, p, w: sk.accuracy_score(y, p.decision, sample_weight=w),
    "balanced_accuracy": lambda y, p, w: sk.balanced_accuracy_score(y, p.decision, sample_weight=w),
    "precision": lambda y, p, w: sk.precision_score(y, p.decision, sample_weight=w),
    "recall": lambda y, p, w: sk.recall_score(y, p.decision, sample_weight=w),
    "f1": lambda y, p, w: sk.f1_score(y, p.decision, sample_weight=w),
    "specificity": lambda y, p, w: sk.recall_score(y, p.decision, pos_label=0, sample_weight=w),
    "precision_macro": lambda y, p, w: sk.precision_score(y, p.decision, average="macro", sample_weight=w),
    "recall_macro": lambda y, p, w: sk.recall_score(y, p.decision, average="macro", sample_weight=w),
    "f1_macro": lambda y, p, w: sk.f1_score(y, p.decision, average="macro", sample_weight=w),
    "quadratic_kappa": lambda y, p, w: sk.cohen_kappa_score(y, p.decision, weights="quadratic", sample_weight=w),
    "roc_auc": lambda y, p, w: sk.roc_auc_score(y, p.score, sample_weight=w),
    "average_precision": lambda y, p, w: sk.average_precision_score(y, p.score, sample_weight=w),
    "roc_auc_ovr": lambda y, p, w: sk.roc_auc_score(y, p.score, multi_class="ovr", sample_weight=w),
    "top_3_accuracy": lambda y, p, w: sk.top_k_accuracy_score(y, p.score, k=3, sample_weight=w),
    "log_loss": lambda y, p, w: sk.log_loss(y, p.score, sample_weight=w),
    "brier_score_loss": lambda y, p, w: sk.brier_score_loss(y, p.score, sample_weight=w),
    "mae": lambda y, p, w: sk.mean_absolute_error(y, p.score, sample_weight=w),
    "rmse": lambda y, p, w: sk.root_mean_squared_error(y, p.score, sample_weight=w),
    "median_absolute_error": lambda y, p, w: sk.median_absolute_error(y, p.score, sample_weight=w),
    "r2": lambda y, p, w: sk.r2_score(y, p.score, sample_weight=w),
    "rmsle": lambda y, p, w: sk.root_mean_squared_log_error(y, np.maximum(p.score, 0), sample_weight=w),
    "pinball_loss": lambda y, p, w: sk.mean_pinball_loss(y, p.score, alpha=LEVEL, sample_weight=w),
    "coverage": lambda y, p, w: sk.accuracy_score(y <= p.score, np.ones(len(y), dtype=bool), sample_weight=w),
}  # fmt: skip
OURS_ALONE = {
    "lift_at_10_percent", "recall_at_1_percent_alerts", "alert_rate_at_99_percent_recall", "expected_calibration_error",
    "information_coefficient",
}  # fmt: skip
EVERY = [(task, name) for task, kinds in KINDS.items() for name in metrics_for(task, kinds, is_weighted=True)]


def answers(task: str, seed: int = 0, n: int = N):
    rng = np.random.default_rng(seed)
    if task == "binary":
        score = rng.random(n).round(2) * 0.9 + 0.05  # with ties
        return (rng.random(n) < score).astype(int), Prediction(score, (score >= 0.4).astype(np.int8)), 2
    if task == "multiclass":
        score = rng.dirichlet(np.ones(4), n)
        return np.array([rng.choice(4, p=row) for row in score]), Prediction(score, score.argmax(axis=1)), 4
    y = rng.gamma(2, 2, n)
    value = y + rng.normal(0, 1, n)
    return y, Prediction(value, value), 0


def weights(seed: int = 1, n: int = N) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.lognormal(0, 1, n) * (rng.random(n) > 0.1)  # some weigh nothing


def test_each_weighted_metric_of_scikit_learn_is_compared_with_it():
    assert {name for _, name in EVERY} == {*SKLEARN, *OURS_ALONE}


@pytest.mark.parametrize(("task", "name"), [(task, name) for task, name in EVERY if name in SKLEARN])
@pytest.mark.parametrize("seed", range(3))
def test_a_weighted_metric_is_scikit_learns_with_sample_weight(task, name, seed):
    y, prediction, n_classes = answers(task, seed)
    w = weights(seed)
    expected = SKLEARN[name](y, prediction, w)
    assert compute([name], y, prediction, LEVEL, weight=w)[name] == pytest.approx(expected, abs=1e-9)
    assert estimate(name, y, prediction, n_classes, Units(weight=w), LEVEL).value == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize(("task", "name"), EVERY)
def test_a_weight_of_2_equals_a_doubled_row(task, name):
    y, prediction, n_classes = answers(task)
    w = np.where(np.random.default_rng(2).permutation(N) < N / 2, 2, 1)  # 300 in all: tenths and hundredths are whole
    rows = np.repeat(np.arange(N), w)
    doubled = Prediction(prediction.score[rows], prediction.decision[rows])
    for value in (
        compute([name], y, prediction, LEVEL, weight=w.astype(float))[name],
        estimate(name, y, prediction, n_classes, Units(weight=w.astype(float)), LEVEL).value,
    ):
        assert value == pytest.approx(compute([name], y[rows], doubled, LEVEL)[name], abs=1e-9)


@pytest.mark.parametrize(("task", "name"), EVERY)
def test_weights_that_are_all_alike_are_none_and_their_unit_does_not_matter(task, name):
    y, prediction, n_classes = answers(task)
    plain = estimate(name, y, prediction, n_classes, Units(), LEVEL)
    for unit in (1.0, 0.25):
        found = estimate(name, y, prediction, n_classes, Units(weight=np.full(N, unit)), LEVEL)
        assert found.value == pytest.approx(plain.value, abs=1e-9)
        if is_known(name):  # else groups of rows are left out, of which a tenth need not be whole
            np.testing.assert_allclose(found.influence, plain.influence, atol=1e-8)
            assert interval(found) == pytest.approx(interval(plain), abs=1e-6)


@pytest.mark.parametrize(("task", "name"), [(task, name) for task, name in EVERY if is_known(name)])
def test_a_weighted_influence_is_the_derivative_by_the_logarithm_of_the_weight_of_a_row(task, name):
    y, prediction, n_classes = answers(task)
    w = weights()
    value, influence = measure(name, y, prediction, n_classes, LEVEL, weight=w)
    assert value == pytest.approx(SKLEARN[name](y, prediction, w), abs=1e-9)
    assert influence.sum() == pytest.approx(0, abs=1e-9)
    step = 1e-5
    for row in range(0, N, 7):
        up, down = w.copy(), w.copy()
        up[row] *= 1 + step
        down[row] *= 1 - step
        expected = (SKLEARN[name](y, prediction, up) - SKLEARN[name](y, prediction, down)) / (2 * step)
        assert influence[row] == pytest.approx(expected, rel=1e-4, abs=1e-8)


def test_the_standard_error_of_a_weighted_mean_is_that_of_survey_statistics():
    rng = np.random.default_rng(0)
    y, w = rng.normal(5, 2, 400), rng.lognormal(0, 0.7, 400)
    found = estimate("mae", y, Prediction(np.zeros(400), np.zeros(400)), 0, Units(weight=w))
    value = np.average(np.abs(y), weights=w)
    n = weighted.effective_size(w)
    linearised = np.sqrt(np.sum((w * (np.abs(y) - value)) ** 2) / w.sum() ** 2 * n / (n - 1))
    low, high = interval(found)
    half = np.log(high / low) / 2 * value
    assert stats.t.ppf(0.975, n - 1) * linearised == pytest.approx(half, rel=0.02)


def test_rows_of_one_customer_with_their_weights_are_one_unit():
    y, prediction, _ = answers("binary")
    w = weights() + 0.1
    cluster = np.arange(N)
    once = interval(estimate("brier_score_loss", y, prediction, 2, make_units(cluster, weight=w)))
    many = [np.repeat(each, 3) for each in (y, prediction.score, prediction.decision, cluster, w / 3)]
    units = make_units(many[3], weight=many[4])
    assert interval(estimate("brier_score_loss", many[0], Prediction(*many[1:3]), 2, units)) == pytest.approx(once)


def test_one_row_with_nearly_all_the_weight_gives_no_interval():
    y, prediction, _ = answers("regression")
    w = np.full(N, 1e-6)
    w[3] = 1.0
    assert interval(estimate("mae", y, prediction, 0, Units(weight=w))) is None


def test_a_weighted_quantile_is_scikit_learns_and_the_median_of_equal_weights_the_median():
    rng = np.random.default_rng(0)
    for n in (7, 8, 101):
        values, w = rng.normal(size=n), rng.integers(0, 4, n).astype(float)
        w[0] = 1.0
        for level in (0.1, 0.5, 0.95):
            expected = _weighted_percentile(values, w, 100 * level, average=True)
            assert weighted.quantile(values, level, w) == pytest.approx(expected)
        assert weighted.quantile(values, 0.5, np.full(n, 0.3)) == pytest.approx(np.median(values))


def test_a_weighted_rank_correlation_is_that_of_repeated_rows():
    y, prediction, _ = answers("regression")
    w = np.random.default_rng(0).integers(1, 5, N)
    rows = np.repeat(np.arange(N), w)
    expected = stats.spearmanr(y[rows], prediction.score[rows])[0]
    assert rank_correlation(y, prediction.score, w.astype(float)) == pytest.approx(expected)


@pytest.mark.parametrize(
    "costs", [None, (1.0, 7.0), (np.linspace(1, 3, N), np.linspace(9, 2, N))], ids=["f1", "prices", "of rows"]
)
def test_a_threshold_by_weight_is_that_of_repeated_rows(costs):
    y, prediction, _ = answers("binary")
    w = np.random.default_rng(3).integers(1, 6, N)
    rows = np.repeat(np.arange(N), w)
    repeated = None if costs is None else tuple(each if np.ndim(each) == 0 else each[rows] for each in costs)
    chosen = choose(y, prediction.score, costs, w.astype(float))
    assert chosen == choose(y[rows], prediction.score[rows], repeated)
    assert costs or chosen == highest_f1(y[rows], prediction.score[rows])


def test_what_has_no_weighted_form_is_named():
    assert [name for name in METRICS.ours if not takes_weights(name)] == [
        "kupiec_p_value", "silhouette", "davies_bouldin", "calinski_harabasz", "stability", "adjusted_rand_score",
    ]  # fmt: skip
    assert "kupiec_p_value" not in metrics_for("regression", ("quantile",), is_weighted=True)
