import numpy as np
import pandas as pd
import pytest

from bank_models.evaluation.drift import describe, floors, psi, reference


def test_the_index_of_a_case_worked_by_hand():
    old = pd.Series(pd.Categorical(["a"] * 50 + ["b"] * 50))
    new = pd.Series(pd.Categorical(["a"] * 75 + ["b"] * 25))
    by_hand = (0.75 - 0.5) * np.log(0.75 / 0.5) + (0.25 - 0.5) * np.log(0.25 / 0.5)  # 0.1014 + 0.1733
    assert psi(describe(old), new) == pytest.approx(by_hand, abs=1e-12)
    assert by_hand == pytest.approx(0.2747, abs=5e-5)


def test_deciles_are_the_edges_of_ten_equal_bins():
    described = describe(pd.Series(np.arange(1, 101)))
    assert described["edges"] == [10, 20, 30, 40, 50, 60, 70, 80, 90]
    assert described["shares"] == [0.1] * 10
    assert (described["kind"], described["n_rows"], described["missing"]) == ("number", 100, 0.0)


def test_a_column_has_not_moved_from_itself():
    rng = np.random.default_rng(0)
    columns = {
        "number": pd.Series(np.where(rng.random(500) < 0.1, np.nan, rng.normal(size=500))).astype("float32"),
        "with ties": pd.Series(rng.poisson(0.5, 500)),
        "constant": pd.Series(np.ones(500)),
        "category": pd.Series(pd.Categorical(rng.choice(["x", "y", None], 500))),
        "flag": pd.Series(rng.random(500) < 0.3),
        "empty": pd.Series(np.full(500, np.nan)),
    }
    found = reference(pd.DataFrame(columns), columns, {})["features"]
    assert {name: psi(found[name], column) for name, column in columns.items()} == dict.fromkeys(columns, 0.0)


def test_shares_and_missing_values_are_all_rows():
    column = pd.Series([1.0, 2.0, 3.0, np.nan])
    described = describe(column)
    assert sum(described["shares"]) + described["missing"] == pytest.approx(1)
    assert described["missing"] == 0.25


def test_an_unknown_category_moves_the_index_as_a_bin_of_its_own():
    described = describe(pd.Series(pd.Categorical(["a"] * 90 + ["b"] * 10)))
    new = pd.Series(pd.Categorical(["a"] * 60 + ["b"] * 10 + ["never seen"] * 30))
    by_hand = (0.6 - 0.9) * np.log(0.6 / 0.9) + (0.3 - 1e-4) * np.log(0.3 / 1e-4)
    assert psi(described, new) == pytest.approx(by_hand)


def test_values_that_stop_arriving_move_the_index():
    described = describe(pd.Series(np.arange(100.0)))
    assert psi(described, pd.Series(np.where(np.arange(100) % 2, np.nan, np.arange(100)))) > 0.25


def test_of_text_and_dates_only_missing_values_are_watched():
    dates = pd.Series(pd.date_range("2024-01-01", periods=10))
    text = pd.Series(["a note"] * 10, dtype="str")
    assert psi(describe(dates), dates + pd.Timedelta(days=1000)) == 0
    assert psi(describe(text), pd.Series(["another"] * 10, dtype="str")) == 0
    assert psi(describe(text), pd.Series(["a", None] * 5, dtype="str")) > 0.25


def test_rare_categories_are_counted_together():
    names = [f"c{i:03}" for i in range(60) for _ in range(60 - i)]
    described = describe(pd.Series(pd.Categorical(names)))
    assert described["categories"] == [f"c{i:03}" for i in range(50)]
    assert described["shares"][-1] == pytest.approx(sum(range(1, 11)) / len(names))


def test_as_many_rows_as_are_needed_have_an_index_of_half_the_first_limit_by_chance():
    rng = np.random.default_rng(0)
    described = describe(pd.Series(rng.normal(size=1000)))
    n_rows = described["rows_needed"]
    by_chance = [psi(described, pd.Series(rng.normal(size=n_rows))) for _ in range(400)]
    assert np.mean(by_chance) == pytest.approx(0.05, rel=0.15)


def test_a_reference_that_is_too_small_for_a_verdict_says_so():
    assert describe(pd.Series(np.arange(50.0)))["rows_needed"] is None


def test_no_rows_cannot_be_compared():
    with pytest.raises(ValueError, match=r"at least one row"):
        psi(describe(pd.Series([1.0, 2.0])), pd.Series([], dtype="float64"))


def test_floors_are_the_worse_end_of_the_interval_and_as_far_again():
    score = {"test_roc_auc": 0.8, "test_roc_auc_ci_low": 0.75, "test_roc_auc_ci_high": 0.83, "baseline_roc_auc": 0.5}
    assert floors("roc_auc", score) == pytest.approx(
        {"metric": "roc_auc", "value": 0.8, "watch": 0.75, "act": 0.7, "is_loss": False}
    )
    loss = {"test_mae": 10.0, "test_mae_ci_low": 9.0, "test_mae_ci_high": 12.0, "baseline_mae": 20.0}
    assert floors("mae", loss) == {"metric": "mae", "value": 10.0, "watch": 12.0, "act": 14.0, "is_loss": True}


def test_a_model_no_better_than_its_baseline_is_never_kept():
    wide = {"test_roc_auc": 0.8, "test_roc_auc_ci_low": 0.6, "test_roc_auc_ci_high": 0.9, "baseline_roc_auc": 0.5}
    assert floors("roc_auc", wide)["act"] == 0.5


@pytest.mark.parametrize("values", [[0.0, -0.0, 1.0], range(7), [5], [1, 1, 1, 2], [2.5, np.nan, 2.5], np.arange(1000) % 13])
def test_counted_bins_are_those_that_every_value_falls_into(values):
    column = pd.Series(np.random.default_rng(0).permutation(np.asarray(values, dtype="float32")))
    found = describe(column)
    bins = np.searchsorted(found["edges"], column.dropna().to_numpy(dtype="float64"), side="left")
    counts = np.bincount(bins, minlength=len(found["edges"]) + 1)
    assert found["shares"] == [count / len(column) for count in counts]
