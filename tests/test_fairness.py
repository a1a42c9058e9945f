import numpy as np
import pandas as pd
import pytest

from src.errors import DataError
from src.fairness import disparities, group_rates, notes_on_fairness

# Worked by hand. Of ten rows of a: 8 selected, 6 of the 6 positive and 2 of the 4 negative ones.
# Of ten rows of b: 4 selected, 3 of the 5 positive and 1 of the 5 negative ones. Of four rows of c: none selected.
GROUP = ["a"] * 10 + ["b"] * 10 + ["c"] * 4
Y_TRUE = np.array([1] * 6 + [0] * 4 + [1] * 5 + [0] * 5 + [1, 1, 0, 0])
Y_PRED = np.array([1] * 8 + [0] * 2 + [1] * 3 + [0] * 2 + [1] + [0] * 4 + [0] * 4)
Y_SCORE = np.array([0.8] * 8 + [0.3] * 2 + [0.6] * 4 + [0.1] * 6 + [0.2] * 4)


@pytest.fixture
def rates():
    return group_rates(Y_TRUE, Y_PRED, Y_SCORE, {"race": GROUP})


def test_rates_of_groups_worked_by_hand(rates):
    expected = pd.DataFrame(
        {
            "column": ["race"] * 3,
            "group": ["a", "b", "c"],
            "n": [10, 10, 4],
            "selection_rate": [0.8, 0.4, 0.0],
            "true_positive_rate": [1.0, 0.6, 0.0],
            "false_positive_rate": [0.5, 0.2, 0.0],
            "precision": [0.75, 0.75, np.nan],
            "mean_score": [0.7, 0.3, 0.2],
            "is_compared": [True, True, False],
        }
    )
    pd.testing.assert_frame_equal(rates, expected)


def test_disparities_leave_out_groups_below_ten_rows(rates):
    assert disparities(rates) == pytest.approx(
        {
            "demographic_parity_difference_race": 0.4,
            "demographic_parity_ratio_race": 0.5,
            "equal_opportunity_difference_race": 0.4,
        }
    )


def test_a_ratio_below_four_fifths_is_told(rates):
    assert notes_on_fairness(rates) == [
        "race: 40.0% of b are decided positively on test, but 80.0% of a: the ratio 0.50 breaks the four-fifths rule."
    ]


def test_four_fifths_is_kept_at_exactly_four_fifths():
    selected = np.array([1] * 10 + [1] * 8 + [0] * 2)
    rates = group_rates(selected, selected, selected, {"sex": ["f"] * 10 + ["m"] * 10})
    assert disparities(rates)["demographic_parity_ratio_sex"] == 0.8
    assert notes_on_fairness(rates) == []


def test_people_who_did_not_say_are_reported_and_not_compared():
    sex = pd.Series(pd.Categorical(["f"] * 10 + [None] * 12))
    rates = group_rates(np.ones(22), np.ones(22), np.ones(22), {"sex": sex})
    assert rates[["group", "n", "is_compared"]].values.tolist() == [["f", 10, True], ["not stated", 12, False]]
    assert disparities(rates) == {}
    assert notes_on_fairness(rates) == ["sex: fewer than two groups have 10 test rows, so they are not compared."]


def test_nobody_selected_has_a_difference_but_no_ratio():
    rates = group_rates(np.zeros(20), np.zeros(20), np.zeros(20), {"sex": ["f"] * 10 + ["m"] * 10})
    assert disparities(rates) == {"demographic_parity_difference_sex": 0.0}


def test_a_perfect_model_has_equal_opportunity_whatever_the_base_rates():
    labels = np.array([1] * 9 + [0] + [1] + [0] * 9)
    found = disparities(group_rates(labels, labels, labels, {"sex": ["f"] * 10 + ["m"] * 10}))
    assert found["equal_opportunity_difference_sex"] == 0
    assert found["demographic_parity_difference_sex"] == pytest.approx(0.8)


def test_renaming_groups_and_shuffling_rows_change_nothing(rates):
    order = np.random.default_rng(0).permutation(len(GROUP))
    shuffled = group_rates(Y_TRUE[order], Y_PRED[order], Y_SCORE[order], {"race": np.array(GROUP)[order]})
    pd.testing.assert_frame_equal(shuffled, rates)


def test_arrays_of_other_lengths_are_refused():
    with pytest.raises(DataError, match=r"race differ in length: 23, 24\."):
        group_rates(Y_TRUE, Y_PRED, Y_SCORE, {"race": GROUP[1:]})
