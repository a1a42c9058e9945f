"""The weight column: what it may hold, and what it must leave of each part."""

import numpy as np
import pandas as pd
import pytest

from bank_models.config.feature import Feature
from bank_models.data.split import Split
from bank_models.data.table_schema import TableSchema
from bank_models.data.validation import validate
from bank_models.data.weights import check_folds, check_parts, facts_of_weights
from bank_models.errors import DataError

SCHEMA = TableSchema({"income": Feature(type="float")}, "default", weight_column="exposure")
GOOD = pd.DataFrame({"income": [1.0, 2.0, 3.0], "default": [0, 1, 0], "exposure": [0.1, 2.0, 0.0]})


def test_weights_keep_all_their_digits_and_may_be_whole_or_zero():
    kept = validate(GOOD, SCHEMA).frame["exposure"]
    assert (kept.dtype, kept.tolist()) == ("float64", [0.1, 2.0, 0.0])
    assert validate(GOOD.assign(exposure=[1, 2, 3]), SCHEMA).frame["exposure"].tolist() == [1.0, 2.0, 3.0]


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ([0.5, -2.0, 1.0], r"exposure: 1 value is below 0, which no weight can be \(row 2: -2.0\)"),
        ([0.5, None, 1.0], r"exposure: 1 rows have no weight \(row 2 is the first\)"),
        ([0.0, 0.0, 0.0], "exposure: every weight is 0, so no row would count"),
        ([0.5, float("inf"), 1.0], r"exposure: 1 value is infinite \(row 2: inf\)"),
        (["0.5", "much", "1"], r"exposure: 1 value is not a number \(row 2: 'much'\)"),
    ],
)
def test_what_is_no_weight_is_refused_with_its_row(values, said):
    with pytest.raises(DataError, match=said):
        validate(GOOD.assign(exposure=values), SCHEMA)


def test_a_weight_column_that_is_not_there_is_named():
    with pytest.raises(DataError, match="exposure: there is no such column"):
        validate(GOOD.drop(columns="exposure"), SCHEMA)


def test_a_part_or_a_fold_whose_rows_weigh_nothing_is_refused():
    parts = Split(np.array([0, 1]), np.array([2, 3]), np.array([4, 5]))
    y, weight = np.array([0, 1, 0, 1, 0, 1]), np.array([1.0, 1, 1, 1, 1, 0])
    check_parts(parts, y, None, "binary")
    check_parts(parts, y, weight, "regression")
    with pytest.raises(DataError, match="Every weight of the rows of class 1 in test is 0"):
        check_parts(parts, y, weight, "binary")
    with pytest.raises(DataError, match="Every weight of the rows in test is 0"):
        check_parts(parts, y, np.array([1.0, 1, 1, 1, 0, 0]), "regression")
    with pytest.raises(DataError, match="Every weight of the rows of class 1 in fold 1 is 0"):
        check_folds([(np.array([0, 1]), np.array([4, 5]))], y, weight, "binary")


def test_the_record_says_how_much_a_part_tells():
    parts = Split(np.array([0, 1]), np.array([2]), np.array([3, 4]))
    found = facts_of_weights("exposure", parts, np.array([1.0, 1, 5, 1, 3]))
    assert found == {
        "column": "exposure",
        "sum": {"train": 2.0, "val": 5.0, "test": 4.0},
        "effective_rows": {"train": 2.0, "val": 1.0, "test": pytest.approx(1.6)},
    }
