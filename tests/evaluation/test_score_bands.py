import numpy as np
import pytest
from scipy.stats import binomtest, ks_2samp
from sklearn.metrics import confusion_matrix, f1_score, precision_score, recall_score, roc_auc_score

from bank_models.evaluation.cutoffs import cutoffs, gini, ks
from bank_models.evaluation.score_bands import LIMITS, deciles, effective_rows, score_bands, wilson
from bank_models.metrics.threshold import NOBODY, cheapest, costs_of_rows
from bank_models.metrics.units import Units


@pytest.fixture(params=["scores", "tied scores", "single precision"])
def drawn(request):
    """Outcomes and scores of 700 rows, ties among them or not, in double or single precision."""
    rng = np.random.default_rng(0)
    score = rng.beta(1.2, 4, 700)
    y = (rng.random(700) < score).astype(int)
    return y, {"tied scores": score.round(1), "single precision": score.astype("float32")}.get(request.param, score)


def test_ks_of_a_case_worked_by_hand():
    y, score = np.array([1, 1, 0, 0, 1, 0]), np.array([0.9, 0.8, 0.7, 0.6, 0.2, 0.1])
    assert ks(y, score) == pytest.approx((2 / 3, 0.8))  # two of three positives and no negative are at 0.8 or above


def test_ks_is_the_statistic_that_scipy_computes(drawn):
    y, score = drawn
    found, at = ks(y, score)
    expected = ks_2samp(score[y == 1], score[y == 0], alternative="less")
    assert found == pytest.approx(expected.statistic)
    assert np.mean(score[y == 1] >= at) - np.mean(score[y == 0] >= at) == pytest.approx(found)


def test_ks_of_scores_that_rank_the_wrong_way_is_zero():
    assert ks(np.array([0, 0, 1, 1]), np.array([0.9, 0.8, 0.2, 0.1]))[0] == 0


def test_gini_is_twice_the_area_between_the_roc_curve_and_guessing(drawn):
    y, score = drawn
    wins = np.sign(score[y == 1][:, None] - score[y == 0][None, :])
    assert gini(roc_auc_score(y, score)) == pytest.approx(wins.mean())  # Somers' D


def test_every_cutoff_counts_as_scikit_learn_does(drawn):
    y, score = drawn
    table = cutoffs(y, score, chosen=0.2345678)
    assert 0.2345678 in set(table["threshold"])
    for row in table.itertuples():
        decided = (score >= row.threshold).astype(int)
        counts = [row.true_negatives, row.false_positives, row.false_negatives, row.true_positives]
        assert counts == list(confusion_matrix(y, decided, labels=[0, 1]).ravel())
        assert row.recall == pytest.approx(recall_score(y, decided), abs=1e-6)
        assert row.f1 == pytest.approx(f1_score(y, decided), abs=1e-6)
        if decided.any():
            assert row.precision == pytest.approx(precision_score(y, decided), abs=1e-6)
        else:
            assert np.isnan(row.precision)


def test_cutoffs_go_from_flagging_all_to_flagging_none_and_are_few(drawn):
    table = cutoffs(*drawn)
    assert table["threshold"].is_monotonic_increasing
    assert table["flagged_rate"].iloc[[0, -1]].tolist() == [1, 0]
    assert 5 < len(table) < 210


def test_the_largest_distance_among_the_cutoffs_is_ks(drawn):
    table = cutoffs(*drawn)
    assert (table["recall"] - table["false_positive_rate"]).max() == pytest.approx(ks(*drawn)[0], abs=2e-6)


@pytest.mark.parametrize("missed", [5.0, "by row"])
def test_every_cutoff_costs_what_its_mistakes_cost(drawn, missed):
    y, score = drawn
    missed = np.linspace(1, 50, len(y)) if missed == "by row" else missed
    for row in cutoffs(y, score, prices=(2.0, missed)).itertuples():
        assert row.cost == pytest.approx(costs_of_rows(y, score, row.threshold, 2.0, missed).sum(), abs=0.01)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_threshold_at_which_nobody_is_flagged_is_kept_and_flags_no_certain_case_either(dtype):
    score = np.array([0.2, 1.0], dtype=dtype)
    at = cheapest(np.array([0, 0]), score, 5.0, 1.0)
    assert at == NOBODY
    assert not (score >= at).any()
    table = cutoffs(np.array([0, 1]), score, chosen=NOBODY)
    assert table.iloc[-1][["threshold", "true_positives", "flagged_rate"]].tolist() == [NOBODY, 0, 0]


def test_intervals_of_rates_cover_the_rate_though_rows_of_a_customer_repeat_one_another():
    rng, held, held_by_rows = np.random.default_rng(3), [], []
    for _ in range(300):
        chance = np.repeat(rng.beta(2, 6, 60), 20)  # 60 customers whose rows share a chance
        y, customers = (rng.random(1200) < chance).astype(int), np.repeat(np.arange(60), 20)
        for effective, found in ((effective_rows(y, Units(customers)), held), (1200, held_by_rows)):
            low, high = wilson(y.mean() * effective, effective)
            found.append(low <= 0.25 <= high)
    assert 0.92 <= np.mean(held) <= 0.98
    assert np.mean(held_by_rows) < 0.8


def test_rows_that_depend_on_nothing_count_in_full_and_one_customer_gives_no_interval():
    y = np.array([0, 1, 1, 0, 1, 0])
    assert effective_rows(y, Units()) == 6
    assert np.isnan(effective_rows(y, Units(np.zeros(6, dtype=int))))
    assert effective_rows(np.zeros(6), Units(np.array([0, 0, 1, 1, 2, 2]))) == 3  # all alike: a unit is a row
    table = deciles(np.tile([0, 1], 50), np.linspace(0, 1, 100), Units(np.zeros(100, dtype=int)))
    assert table[["ci_low", "ci_high"]].isna().all(axis=None)


def test_deciles_of_a_case_worked_by_hand():
    y = np.array([1, 1, 1, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0])
    table = deciles(y, np.linspace(0.95, 0, 20))
    assert table["n_rows"].tolist() == [2] * 10
    assert table["n_positive"].tolist() == [2, 1, 1, 0, 0, 0, 0, 0, 0, 0]
    assert table["lift"].tolist()[:3] == [5, 2.5, 2.5]
    assert table["gain"].tolist()[:3] == [0.5, 0.75, 1]
    assert table["cumulative_rate"].tolist()[:3] == pytest.approx([1, 0.75, 4 / 6], abs=1e-6)
    assert table["ks"].tolist()[:3] == pytest.approx([0.5, 0.75 - 1 / 16, 1 - 2 / 16], abs=1e-6)


def test_deciles_hold_all_rows_and_no_score_twice(drawn):
    y, score = drawn
    table = deciles(y, score)
    assert table["n_rows"].sum() == len(y)
    assert table["n_positive"].sum() == y.sum()
    assert (table["lowest_score"].to_numpy()[:-1] > table["highest_score"].to_numpy()[1:]).all()
    assert table["gain"].iloc[-1] == 1
    assert table["cumulative_rate"].iloc[-1] == pytest.approx(y.mean(), abs=1e-6)


def test_a_band_holds_its_lower_limit_and_the_last_one_holds_1():
    table = score_bands(np.array([0, 0, 1, 1]), np.array([0.0, 0.005, 0.05, 1.0]))
    assert table[["from", "to"]].to_numpy().tolist() == [[0, 0.005], [0.005, 0.01], [0.05, 0.1], [0.75, 1]]


def test_bands_count_what_a_histogram_counts(drawn):
    y, score = drawn
    table = score_bands(y, score)
    counts = np.histogram(score, LIMITS)[0]
    assert table["n_rows"].tolist() == counts[counts > 0].tolist()
    assert table["share"].sum() == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize(("n_positive", "n_rows"), [(0, 5), (3, 10), (70, 70), (12, 4000)])
def test_the_interval_of_a_rate_is_the_one_that_scipy_computes(n_positive, n_rows):
    expected = binomtest(n_positive, n_rows).proportion_ci(method="wilson")
    assert wilson(n_positive, n_rows) == pytest.approx((expected.low, expected.high))
