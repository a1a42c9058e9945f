import numpy as np
import pandas as pd
import pytest

from bank_models.evaluation.cutoffs import ks
from bank_models.evaluation.periods import by_period, periods_of
from bank_models.metrics.intervals import estimate
from bank_models.metrics.scorer import Scorer
from bank_models.metrics.scores import Prediction
from bank_models.metrics.units import Units

ROWS = Units()


@pytest.mark.parametrize(("n_days", "most", "first", "n"), [
    (10, 12, "2024-01-01", 10), (60, 12, "2024-W01", 9), (60, 3, "2024-01", 2), (300, 12, "2024-01", 10),
    (900, 12, "2024Q1", 10), (4000, 12, "2024", 11), (1, 12, "2024", 1),
])  # fmt: skip
def test_test_rows_are_cut_into_the_shortest_periods_that_are_few(n_days, most, first, n):
    codes, names = periods_of(pd.date_range("2024-01-01", periods=n_days).to_numpy(), most)
    assert (names[0], len(names)) == (first, n)
    assert set(codes) == set(range(n))


def test_times_that_are_numbers_are_cut_into_stretches_of_equally_many_rows():
    codes, names = periods_of(np.arange(300), 12)
    assert names[0] == "0 to 49"
    assert np.bincount(codes).tolist() == [50] * 6


def test_each_period_is_measured_on_its_own_rows():
    rng = np.random.default_rng(0)
    times = pd.date_range("2024-01-01", periods=600, freq="6h").to_numpy()
    y = rng.integers(0, 2, 600)
    score = 0.3 * y + 0.7 * rng.random(600)
    prediction = Prediction(score, (score > 0.5).astype(int))
    table = by_period(Scorer("roc_auc", "binary"), y, prediction, times, ROWS)
    rows = np.flatnonzero(periods_of(times)[0] == 1)
    assert table["n_rows"].sum() == 600
    line = table.iloc[1]
    assert line["value"] == pytest.approx(estimate("roc_auc", y, prediction, 2, ROWS, rows=rows).value, rel=1e-5)
    assert line["gini"] == pytest.approx(2 * line["value"] - 1, rel=1e-4)
    assert line["ks"] == pytest.approx(ks(y[rows], score[rows])[0], rel=1e-5)
    assert line["observed_rate"] == pytest.approx(y[rows].mean(), rel=1e-5)
    assert line["ci_low"] < line["value"] < line["ci_high"]


def test_a_ranking_is_not_measured_where_a_class_is_hardly_there():
    y = np.zeros(400, dtype=int)
    y[:100:5] = 1
    score = np.linspace(1, 0, 400)
    times = np.repeat(pd.to_datetime(["2024-01-10", "2024-05-10"]).to_numpy(), 200)
    table = by_period(Scorer("roc_auc", "binary"), y, Prediction(score, y), times, ROWS)
    assert table["value"].notna().tolist() == [True, False]
    assert table["observed_rate"].tolist() == [0.1, 0.0]


def test_one_period_says_nothing_about_time():
    y = np.arange(50) % 2
    times = np.repeat(np.datetime64("2024-01-10"), 50)
    assert by_period(Scorer("roc_auc", "binary"), y, Prediction(y * 1.0, y), times, ROWS) is None
