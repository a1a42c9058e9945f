import numpy as np
import pandas as pd
import pytest

from bank_models.errors import DataError
from bank_models.evaluation.fairness import disparities, group_rates, intervals, notes_on_fairness
from bank_models.metrics.units import Units

# Worked by hand, each row three times. Of ten rows of a: 8 selected, 6 of the 6 positive and 2 of the 4 negative ones.
# Of ten rows of b: 4 selected, 3 of the 5 positive and 1 of the 5 negative ones. Of four rows of c: none selected.
GROUP = (["a"] * 10 + ["b"] * 10 + ["c"] * 4) * 3
Y_TRUE = np.array(([1] * 6 + [0] * 4 + [1] * 5 + [0] * 5 + [1, 1, 0, 0]) * 3)
Y_PRED = np.array(([1] * 8 + [0] * 2 + [1] * 3 + [0] * 2 + [1] + [0] * 4 + [0] * 4) * 3)
Y_SCORE = np.array(([0.8] * 8 + [0.3] * 2 + [0.6] * 4 + [0.1] * 6 + [0.2] * 4) * 3)
SEX = {"sex": ["f"] * 30 + ["m"] * 30}


@pytest.fixture
def rates():
    return group_rates(Y_TRUE, Y_PRED, Y_SCORE, {"race": GROUP}, favourable=1)


def test_rates_of_groups_worked_by_hand(rates):
    expected = pd.DataFrame(
        {
            "column": ["race"] * 3,
            "group": ["a", "b", "c"],
            "n": [30, 30, 12],
            "selection_rate": [0.8, 0.4, 0.0],
            "true_positive_rate": [1.0, 0.6, 0.0],
            "false_positive_rate": [0.5, 0.2, 0.0],
            "precision": [0.75, 0.75, np.nan],
            "mean_score": [0.7, 0.3, 0.2],
            "is_compared": [True, True, False],
        }
    )
    pd.testing.assert_frame_equal(rates, expected)


def test_disparities_leave_out_groups_below_thirty_rows(rates):
    assert disparities(rates) == pytest.approx(
        {
            "demographic_parity_difference_race": 0.4,
            "demographic_parity_ratio_race": 0.5,
            "equal_opportunity_difference_race": 0.4,
        }
    )


def test_where_one_is_bad_those_who_are_not_flagged_are_selected():
    """Half of the men and none of the women are refused: the ratio is a half, not what the refusals would give."""
    refused = np.array([0] * 30 + [1] * 15 + [0] * 15)
    rates = group_rates(refused, refused, refused, SEX, favourable=0)
    assert rates["selection_rate"].tolist() == [1.0, 0.5]
    assert disparities(rates)["demographic_parity_ratio_sex"] == 0.5
    assert "demographic_parity_ratio_sex" in disparities(group_rates(refused, refused, refused, SEX, favourable=1))


def test_groups_of_two_columns_show_what_neither_shows_alone():
    sex, age = np.tile(["f", "f", "m", "m"], 40), np.tile(["old", "young"], 80)
    selected = ((sex == "f") == (age == "old")).astype(int)
    found = disparities(group_rates(selected, selected, selected, {"sex": sex, "age": age}, favourable=1))
    assert found["demographic_parity_ratio_sex"] == found["demographic_parity_ratio_age"] == 1
    assert found["demographic_parity_ratio_sex_and_age"] == 0


def test_a_ratio_below_four_fifths_is_told_and_whether_chance_could_do_that(rates):
    ends = intervals(rates, Y_TRUE, Y_PRED, {"race": GROUP}, 1, Units())
    assert notes_on_fairness(rates, ends) == [
        "race: 40.0% of b get the favourable decision on test, but 80.0% of a: the ratio 0.50 "
        f"[{ends['demographic_parity_ratio_race_ci_low']:.2f}, {ends['demographic_parity_ratio_race_ci_high']:.2f}] "
        "is below four fifths, which may be chance."
    ]
    assert ends["demographic_parity_ratio_race_ci_low"] < 0.5 < 0.8 < ends["demographic_parity_ratio_race_ci_high"]


def test_the_interval_of_a_ratio_is_that_of_katz():
    selected = np.array([1] * 300 + [0] * 200 + [1] * 400 + [0] * 100)
    groups = {"sex": ["f"] * 500 + ["m"] * 500}
    rates = group_rates(selected, selected, selected, groups, favourable=1)
    ends = intervals(rates, selected, selected, groups, 1, Units())
    error = np.sqrt(1 / 300 - 1 / 500 + 1 / 400 - 1 / 500)
    expected = 0.75 * np.exp(np.array([-1.96, 1.96]) * error)
    of_ratio = [ends[f"demographic_parity_ratio_sex_ci_{end}"] for end in ("low", "high")]
    assert of_ratio == pytest.approx(expected, rel=5e-3)


def test_the_interval_of_a_difference_is_that_of_two_shares():
    selected, deserves = np.array([1] * 300 + [0] * 200 + [1] * 400 + [0] * 100), np.tile([1, 0], 500)
    groups = {"sex": ["f"] * 500 + ["m"] * 500}
    rates = group_rates(deserves, selected, selected, groups, favourable=1)
    ends = intervals(rates, deserves, selected, groups, 1, Units())
    for measure, n in (("demographic_parity_difference", 500), ("equal_opportunity_difference", 250)):
        expected = 0.2 + np.array([-1.96, 1.96]) * np.sqrt((0.6 * 0.4 + 0.8 * 0.2) / n)
        assert [ends[f"{measure}_sex_ci_{end}"] for end in ("low", "high")] == pytest.approx(expected, rel=1e-2)


def test_equal_rates_are_of_two_groups_and_their_ratio_has_a_width():
    selected = np.array([1] * 15 + [0] * 15 + [1] * 15 + [0] * 15)
    rates = group_rates(selected, selected, selected, SEX, favourable=1)
    ends = intervals(rates, selected, selected, SEX, 1, Units())
    low, high = (ends[f"demographic_parity_ratio_sex_ci_{end}"] for end in ("low", "high"))
    assert low < 0.7 < 1.4 < high  # the logarithm has a standard error of the root of 2 / 30


def test_four_fifths_is_kept_at_exactly_four_fifths():
    selected = np.array([1] * 30 + [1] * 24 + [0] * 6)
    rates = group_rates(selected, selected, selected, SEX, favourable=1)
    assert disparities(rates)["demographic_parity_ratio_sex"] == 0.8
    assert notes_on_fairness(rates, {}) == []


def test_people_who_did_not_say_are_reported_and_not_compared():
    sex = pd.Series(pd.Categorical(["f"] * 30 + [None] * 32))
    rates = group_rates(np.ones(62), np.ones(62), np.ones(62), {"sex": sex}, favourable=1)
    assert rates[["group", "n", "is_compared"]].values.tolist() == [["f", 30, True], ["not stated", 32, False]]
    assert disparities(rates) == {}
    assert notes_on_fairness(rates, {}) == ["sex: fewer than two groups have 30 test rows, so they are not compared."]


def test_nobody_selected_has_a_difference_but_no_ratio():
    rates = group_rates(np.zeros(60), np.zeros(60), np.zeros(60), SEX, favourable=1)
    assert disparities(rates) == {"demographic_parity_difference_sex": 0.0}


def test_a_perfect_model_has_equal_opportunity_whatever_the_base_rates():
    labels = np.array([1] * 27 + [0] * 3 + [1] * 3 + [0] * 27)
    found = disparities(group_rates(labels, labels, labels, SEX, favourable=1))
    assert found["equal_opportunity_difference_sex"] == 0
    assert found["demographic_parity_difference_sex"] == pytest.approx(0.8)


def test_renaming_groups_and_shuffling_rows_change_nothing(rates):
    order = np.random.default_rng(0).permutation(len(GROUP))
    shuffled = group_rates(Y_TRUE[order], Y_PRED[order], Y_SCORE[order], {"race": np.array(GROUP)[order]}, favourable=1)
    pd.testing.assert_frame_equal(shuffled, rates)


def test_arrays_of_other_lengths_are_refused():
    with pytest.raises(DataError, match=r"race differ in length: 72 and 71\."):
        group_rates(Y_TRUE, Y_PRED, Y_SCORE, {"race": GROUP[1:]}, favourable=1)
