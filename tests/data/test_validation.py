import numpy as np
import pandas as pd
import pytest

from bank_models.config.feature import Feature
from bank_models.data.table_schema import TableSchema
from bank_models.data.validation import validate
from bank_models.errors import DataError

FEATURES = {
    "amount_eur": Feature(type="float", min=0, max=1000, max_missing=0.25),
    "n_late": Feature(type="int", min=0, max=99, max_missing=0.25),
    "is_new": Feature(type="bool", max_missing=0.25),
    "country": Feature(type="category", categories=["NA", "DE", "FR"], max_missing=0.25),
}
SCHEMA = TableSchema(FEATURES, "default")
GOOD = pd.DataFrame(
    {
        "amount_eur": [1.5, 2.5, 3.5, 4.5],
        "n_late": [0, 1, 2, 3],
        "is_new": [True, False, True, False],
        "country": ["DE", "NA", "DE", "DE"],
        "default": [0, 1, 0, 1],
    }
)


def with_value(column, row, value):
    """The good frame with one cell, row counted from 1, changed."""
    frame = GOOD.astype({column: object})
    frame.loc[row - 1, column] = value
    return frame


def refusal_of(frame, match, features=FEATURES, duplicates="keep", **columns):
    with pytest.raises(DataError, match=match) as refusal:
        validate(frame, TableSchema(features, "default", **columns), duplicates)
    assert len(str(refusal.value).splitlines()) <= 3
    return str(refusal.value)


def test_columns_get_their_types_and_the_declared_order():
    kept = validate(GOOD[GOOD.columns[::-1]], SCHEMA)
    assert list(kept.frame) == [*FEATURES, "default"]
    assert [str(dtype) for dtype in kept.frame.dtypes] == ["float32", "int32", "bool", "category", "int8"]
    assert kept.frame["country"].cat.categories.tolist() == ["NA", "DE", "FR"]
    assert kept.frame["country"].tolist() == GOOD["country"].tolist()
    assert (kept.rows.tolist(), kept.notes) == ([0, 1, 2, 3], [])


def test_a_missing_value_turns_integers_and_booleans_into_float32():
    frame = GOOD.assign(n_late=[0, None, 2, 3], is_new=[True, None, True, False], country=["DE", None, "DE", "DE"])
    kept = validate(frame, SCHEMA).frame
    assert (kept["n_late"].dtype, kept["is_new"].dtype) == ("float32", "float32")
    assert kept["is_new"].tolist()[2:] == [1.0, 0.0]
    assert kept.isna().sum().tolist() == [0, 1, 1, 1, 0]


@pytest.mark.parametrize(
    ("values", "dtype"),
    [
        ([0, 1, 2, 2**31 - 1], "int32"),
        ([0, 1, 2, 2**31], "int64"),
        ([0, 1, np.nan, 2**24], "float32"),
        ([0, 1, np.nan, 2**24 + 1], "float64"),
    ],
    ids=str,
)
def test_integers_keep_every_digit_in_the_smallest_type(values, dtype):
    features = {"account": Feature(type="int", max_missing=0.5)}
    frame = pd.DataFrame({"account": values, "default": [0, 1, 0, 1]})
    kept = validate(frame, TableSchema(features, "default")).frame["account"]
    assert kept.dtype == dtype
    np.testing.assert_array_equal(kept, values)


def test_a_category_without_a_list_has_its_values_sorted_and_numbers_spelled_out():
    features = {"branch": Feature(type="category", max_missing=0.5), "code": Feature(type="category")}
    frame = pd.DataFrame({"branch": [7, np.nan, 12, 7], "code": ["00012", "12", "NA", "b"], "default": [0, 1, 0, 1]})
    kept = validate(frame, TableSchema(features, "default")).frame
    assert kept["branch"].cat.categories.tolist() == ["12", "7"]
    assert kept["code"].tolist() == ["00012", "12", "NA", "b"]


def test_columns_of_the_right_type_are_not_copied():
    frame = GOOD.astype({"amount_eur": "float32", "n_late": "int32"})
    kept = validate(frame, SCHEMA).frame
    assert np.shares_memory(kept["amount_eur"].to_numpy(), frame["amount_eur"].to_numpy())
    assert np.shares_memory(kept["n_late"].to_numpy(), frame["n_late"].to_numpy())


def test_a_change_of_the_result_leaves_the_given_frame_alone():
    frame = GOOD.astype({"amount_eur": "float32"})
    kept = validate(frame, SCHEMA).frame
    kept.loc[0, "amount_eur"] = 99
    assert frame.loc[0, "amount_eur"] == 1.5


@pytest.mark.parametrize(
    ("column", "row", "value", "said"),
    [
        ("amount_eur", 3, -0.5, r"1 value is below the smallest plausible value 0 \(row 3: -0.5\)"),
        ("amount_eur", 2, 1000.5, r"1 value is above the largest plausible value 1000 \(row 2: 1000.5\)"),
        ("amount_eur", 4, np.inf, r"1 value is infinite or beyond float32 \(row 4: inf\)"),
        ("amount_eur", 4, -1e39, r"1 value is infinite or beyond float32 \(row 4: -1e\+39\)"),
        ("amount_eur", 1, "1,234", r"1 value is not a number \(row 1: '1,234'\)"),
        ("n_late", 2, 1.5, r"1 value is not whole \(row 2: 1.5\)"),
        ("n_late", 2, 2**53 + 1, r"an integer of 2\*\*53 or more loses digits .*\(row 2: 9007199254740993\)"),
        ("is_new", 3, 2, r"1 value is neither true nor false \(row 3: 2\)"),
        ("country", 4, "XX", r"1 value is not among the declared categories \(row 4: 'XX'\)"),
        ("country", 4, 1.5, r"1 value is neither text nor whole \(row 4: 1.5\)"),
        ("default", 2, None, r"1 of 4 labels are missing \(row 2 is the first\)"),
        ("default", 3, 2, r"must be 0 or 1 with 1 for the positive class, but has 0, 1, 2"),
        ("default", 1, "yes", r"must be 0 or 1 with 1 for the positive class, but has 'yes', 1, 0"),
    ],
    ids=str,
)
def test_a_bad_value_is_named_with_its_column_and_row(column, row, value, said):
    refusal_of(with_value(column, row, value), f"^{column}: {said}")


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("D\x07E", r"1 value is with a control character in it \(row 3: 'D\\x07E'\)"),
        (" \xa0", r"1 value is nothing but blanks \(row 3"),
        ("#REF!", "1 value is a formula or an error of a spreadsheet"),
        ("DE ", r"'DE ' \(row 3\) looks like 'DE', but is another value: write both alike"),
        ("D\u0415", r"'D\\u0415' \(row 3\) looks like 'DE'"),
    ],
)
@pytest.mark.parametrize("protected", [False, True])
def test_a_category_that_cannot_be_meant_is_named_with_its_row(value, said, protected):
    features = {name: FEATURES[name] for name in ("amount_eur", "n_late")}
    features |= {} if protected else {"country": Feature(type="category")}
    refusal_of(with_value("country", 3, value), f"^country: {said}", features, protected=["country"] * protected)


def test_spellings_that_may_be_meant_are_noted():
    features = {"country": Feature(type="category")}
    kept = validate(GOOD.assign(country=["de", "DE", "NULL", "\ufffd"]), TableSchema(features, "default"))
    assert kept.frame["country"].tolist() == ["de", "DE", "NULL", "\ufffd"]
    assert [note.partition(" has ")[2][:30] for note in kept.notes if note.startswith("country")] == [
        "values that differ in capitals",
        "the value 'NULL', as a categor",
        "letters that were lost in a co",
    ]


@pytest.mark.parametrize(("last", "is_total"), [(190.0, True), (191.0, False)])
def test_a_last_row_that_is_the_sum_of_all_others_is_refused(last, is_total):
    features = {"amount_eur": Feature(type="float")}
    frame = pd.DataFrame({"amount_eur": [*(float(i) for i in range(20)), last], "default": [0, 1, 0] * 7})
    if is_total:
        refusal_of(frame, r"^amount_eur: the last value is the sum of all others \(row 21: 190\)", features)
    else:
        assert len(validate(frame, TableSchema(features, "default")).frame) == 21


def test_numbers_stored_as_text_are_named():
    refusal_of(GOOD.assign(n_late=["0", "1", "2", "3"]), r"^n_late: numbers stored as text \(row 1: '0'\)")


def test_dates_are_not_numbers():
    refusal_of(GOOD.assign(n_late=pd.Timestamp("2024-01-01")), "^n_late: dates where numbers are expected")


def test_all_faults_of_a_frame_come_in_one_message_of_three_lines():
    frame = GOOD.assign(amount_eur=[-1, -2, 3, 4], n_late="x", is_new=[3, 0, 1, 1], country="XX", default=1)
    message = refusal_of(frame, r"^amount_eur: 2 values are below .*\(row 1: -1\)\nn_late: ")
    assert message.splitlines()[2].endswith("(and 2 more columns)")


def test_every_kind_of_missing_column_is_found():
    refusal_of(GOOD.drop(columns=["n_late", "default"]), "^n_late: there is no such column\ndefault: there is no such column$")
    refusal_of(GOOD.rename(columns={"is_new": "n_late"}), "n_late: 2 columns have this name")
    refusal_of(GOOD.head(0), "no rows")


def test_too_many_missing_values_are_a_fault_and_so_is_an_empty_column():
    refusal_of(
        GOOD.assign(amount_eur=[None, 1, None, 2]),
        r"50.000% of the values are missing, at most 25.000% may be \(row 1 is",
    )
    empty = FEATURES | {"amount_eur": Feature(type="float", max_missing=1)}
    refusal_of(GOOD.assign(amount_eur=np.nan), "^amount_eur: every value is missing", features=empty)


def test_a_target_of_one_class_cannot_be_learned():
    refusal_of(GOOD.assign(default=0), "^default: every row is 0, but both classes are needed")


def test_the_largest_missing_share_and_the_ends_of_a_range_are_allowed():
    features = {"share": Feature(type="float", min=0.1, max=0.7, max_missing=0.25)}
    frame = pd.DataFrame({"share": [0.1, 0.7, None, 0.3], "default": [0, 1, 0, 1]})
    assert len(validate(frame, TableSchema(features, "default")).frame) == 4


def test_a_feature_with_one_value_is_a_note():
    kept = validate(GOOD.assign(n_late=7, other=1), SCHEMA)
    assert kept.notes == [
        "Columns that are not declared were left out: other.",
        "Features with one value in every row: n_late.",
    ]


REPEATED = GOOD.iloc[[0, 1, 0, 2, 1, 3]]


@pytest.mark.parametrize(("duplicates", "rows"), [("drop", [0, 1, 3, 5]), ("keep", [0, 1, 2, 3, 4, 5])])
def test_repeated_rows_are_treated_as_asked_and_noted(duplicates, rows):
    kept = validate(REPEATED, SCHEMA, duplicates=duplicates)
    assert kept.rows.tolist() == rows
    assert kept.frame.index.equals(pd.RangeIndex(len(rows)))
    assert kept.frame["amount_eur"].tolist() == REPEATED["amount_eur"].iloc[rows].tolist()
    assert kept.notes[0].startswith("2 rows that repeat an earlier row in every column")


def test_repeated_rows_can_be_refused():
    refusal_of(REPEATED, r"^rows: 2 repeat an earlier row in every column \(row 3 is the first\)", duplicates="refuse")


@pytest.mark.parametrize("seed", range(30))
def test_the_same_rows_repeat_as_pandas_says(seed):
    rng = np.random.default_rng(seed)
    n_rows, n_levels = int(rng.integers(2, 300)), int(rng.integers(1, 6))
    features = {
        "a": Feature(type="float", max_missing=1),
        "b": Feature(type="int"),
        "c": Feature(type="category", max_missing=1),
        "d": Feature(type="bool"),
        "e": Feature(type="float"),
    }
    frame = pd.DataFrame(
        {
            "a": rng.choice([np.nan, -0.0, 0.0, 1.5], n_rows),
            "b": rng.integers(0, n_levels, n_rows),
            "c": rng.choice(np.array(["x", "y", None], dtype=object), n_rows),
            "d": rng.integers(0, 2, n_rows) == 1,
            "e": rng.integers(-n_levels, n_levels, n_rows) / 2,
            "default": rng.integers(0, 2, n_rows),
        }
    )
    frame.loc[:1, ["a", "c", "default"]] = [[1.5, "x", 0], [1.5, "x", 1]]
    kept = validate(frame, TableSchema(features, "default"), duplicates="drop")
    assert kept.rows.tolist() == np.flatnonzero(~frame.duplicated()).tolist()


def test_rows_at_different_times_are_not_repeats():
    times = pd.date_range("2024-01-01", periods=6, freq="h")
    kept = validate(REPEATED.assign(paid_at=times), TableSchema(FEATURES, "default", "paid_at"))
    assert len(kept.frame) == 6
    assert kept.frame["paid_at"].tolist() == times.tolist()


def test_times_may_be_iso_text_and_become_utc():
    text = ["2024-01-01", "2024-01-01T12:00:00", "2024-01-01T12:00:00+02:00", "2024-12-31 23:59:59.5Z"]
    kept = validate(GOOD.assign(paid_at=text), TableSchema(FEATURES, "default", "paid_at")).frame["paid_at"]
    assert kept.dtype.kind == "M"
    assert [str(time) for time in kept] == [
        "2024-01-01 00:00:00",
        "2024-01-01 12:00:00",
        "2024-01-01 10:00:00",
        "2024-12-31 23:59:59.500000",
    ]


@pytest.mark.parametrize(
    ("times", "said"),
    [
        (
            ["2024-01-01", "03/04/2024", "2024-01-01", "2024-01-01"],
            r"1 value is not in ISO 8601, such as 2024-12-31 \(row 2: '03/04/2024'\)",
        ),
        (["2024-01-01", "now", "Today", "2024-01-01"], r"2 values are not in ISO 8601, such as 2024-12-31 \(row 2: 'now'\)"),
        (["2024-01-01", None, None, "2024-01-01"], r"2 times are missing \(row 2 is the first\)"),
        ([20240101, 20240102, 20240103, 20240104], r"a number is not a time \(row 1: 20240101\)"),
    ],
)
def test_times_that_could_be_misread_are_refused(times, said):
    refusal_of(GOOD.assign(paid_at=times), f"^paid_at: .*{said}", time_column="paid_at")


@pytest.mark.parametrize("dtype", ["Int64", "int64[pyarrow]", "Float64", "int8", "uint64", "bool", "boolean", "object"])
def test_a_target_of_any_type_of_zeros_and_ones_becomes_int8(dtype):
    kept = validate(GOOD.astype({"default": dtype}), SCHEMA).frame["default"]
    assert (kept.dtype, kept.tolist()) == ("int8", [0, 1, 0, 1])


@pytest.mark.parametrize("dtype", ["Int64", "Float32", "int64[pyarrow]", "object", "float64"])
def test_a_feature_of_any_numeric_type_becomes_float32(dtype):
    frame = GOOD.assign(amount_eur=pd.Series([1, None, 3, 4], dtype=dtype))
    np.testing.assert_array_equal(validate(frame, SCHEMA).frame["amount_eur"], np.float32([1, np.nan, 3, 4]))


def test_an_integer_beside_a_gap_does_not_lose_digits_unseen():
    frame = GOOD.assign(amount_eur=pd.Series([1, None, 2**53 + 1, 4], dtype="Int64"))
    refusal_of(frame, r"^amount_eur: an integer of 2\*\*53 or more loses digits .*\(row 3: 9007199254740993\)")


def test_a_protected_column_is_kept_as_a_category_and_may_have_gaps():
    frame = GOOD.assign(sex=["m", "f", None, "f"], race=[1, 0, 0, 1])
    kept = validate(frame, TableSchema(FEATURES, "default", protected=["sex", "race"]))
    assert list(kept.frame) == [*FEATURES, "default", "sex", "race"]
    assert kept.frame["sex"].tolist()[:2] == ["m", "f"]
    assert kept.frame["sex"].isna().tolist() == [False, False, True, False]
    assert [kept.frame[name].cat.categories.tolist() for name in ("sex", "race")] == [["f", "m"], ["0", "1"]]


def test_rows_that_differ_in_a_protected_column_only_are_no_duplicates():
    twice = pd.concat([GOOD, GOOD]).assign(sex=["f"] * 4 + ["m"] * 4)
    assert len(validate(twice, TableSchema(FEATURES, "default", protected=["sex"])).frame) == 8


def test_a_missing_protected_column_is_named():
    refusal_of(GOOD, "sex: there is no such column", protected=["sex"])


def test_a_protected_column_cannot_be_a_feature():
    refusal_of(GOOD, "country is protected, so it cannot be a feature", protected=["country"])
