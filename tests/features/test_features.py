from datetime import date

import numpy as np
import pandas as pd
import pytest
import skops.io
from scipy import sparse
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.preprocessing import StandardScaler

from bank_models.config.feature import Feature
from bank_models.data import file
from bank_models.data.table_schema import TableSchema
from bank_models.data.validation import validate
from bank_models.errors import DataError
from bank_models.features.preprocessing import make_features, matrix_columns, matrix_facts
from bank_models.features.transformers.categories import MAX_ONE_HOT, CategoryCodes
from bank_models.runs import model_file

FEATURES = {
    "sector": Feature(type="category"),
    "income_eur": Feature(type="float"),
    "n_cards": Feature(type="int"),
    "is_owner": Feature(type="bool"),
}
FRAME = pd.DataFrame(
    {
        "ignored": [9.0, 9.0, 9.0, 9.0],
        "is_owner": [True, False, True, False],
        "n_cards": [1, 2, 3, 4],
        "income_eur": [10.0, np.nan, 30.0, 20.0],
        "sector": pd.Categorical(["retail", "trade", None, "retail"], ["trade", "retail", "mining"]),
    }
)


def test_an_estimator_that_looks_at_no_column_gets_a_matrix_without_columns():
    step = make_features({}, "median", "standard", "one_hot").fit(FRAME)
    assert step.transform(FRAME).shape == (len(FRAME), 0)
    assert matrix_columns(step) == []


def test_native_gives_numbers_then_codes_with_missing_values_kept():
    X = make_features(FEATURES, None, None, "native").fit_transform(FRAME)
    assert X.dtype == np.float32
    np.testing.assert_array_equal(X, [[10, 1, 1, 0], [np.nan, 2, 0, 1], [30, 3, 1, np.nan], [20, 4, 0, 0]])


def test_the_order_of_the_columns_and_columns_nobody_declared_do_not_matter():
    features = make_features(FEATURES, None, None, "native").fit(FRAME)
    shuffled = FRAME[["sector", "income_eur", "is_owner", "n_cards"]].assign(other=1)
    np.testing.assert_array_equal(features.transform(shuffled), features.transform(FRAME))


def test_a_table_in_float64_gives_the_very_bytes_of_one_in_float32():
    features = make_features(FEATURES, None, None, "native").fit(FRAME)
    wide = FRAME.assign(income_eur=[0.1, 0.2, 1e9 + 0.1, 1 / 3])
    narrow = wide.astype({"income_eur": "float32"})
    assert features.transform(wide).tobytes() == features.transform(narrow).tobytes()


@pytest.mark.parametrize(("encoder", "expected"), [("native", np.nan), ("ordinal", -1.0)])
def test_a_category_never_seen_in_fitting_is_treated_as_missing(encoder, expected):
    features = make_features(FEATURES, None, None, encoder).fit(FRAME)
    unseen = FRAME.assign(sector="fishing")
    np.testing.assert_array_equal(features.transform(unseen)[:, -1], [expected] * 4)


def test_linear_models_get_medians_indicators_scaled_numbers_and_one_column_a_category():
    X = make_features(FEATURES, "median", "standard", "one_hot").fit_transform(FRAME)
    filled = np.array([[10, 1, 1, 0], [20, 2, 0, 1], [30, 3, 1, 0], [20, 4, 0, 0]], dtype=float)
    np.testing.assert_allclose(X[:, :4], StandardScaler().fit_transform(filled))
    np.testing.assert_array_equal(X[:, 4:], [[1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 0, 0]])  # retail, trade, missing
    assert X.dtype == np.float64


def test_nothing_is_learned_from_rows_that_were_not_fitted():
    kept = FRAME.iloc[:3]
    extreme = FRAME.assign(income_eur=[10.0, np.nan, 30.0, 1e9])
    fits = [make_features(FEATURES, "median", "standard", "one_hot").fit(f.iloc[:3]) for f in (FRAME, extreme)]
    np.testing.assert_array_equal(fits[0].transform(kept), fits[1].transform(kept))


DAYS = pd.Series(pd.to_datetime(["2024-02-29", "2023-12-31", None, "2025-01-01"])).astype("datetime64[s]")
MIXED = {
    "note": Feature(type="text"),
    "opened_on": Feature(type="date"),
    "branch": Feature(type="category"),
    "sector": Feature(type="category"),
    "income_eur": Feature(type="float", monotone=1),
}
WAYS = {
    "native": {"imputer": None, "scaler": None, "encoder": "native"},
    "ordinal": {"imputer": "median", "scaler": None, "encoder": "ordinal"},
    "one_hot": {"imputer": "median", "scaler": "power", "encoder": "one_hot"},
    "network": {"imputer": "median", "scaler": "quantile", "encoder": "ordinal"},
}


def mixed(n: int = 600, seed: int = 0):
    """A table with every kind of column, 80 branches that decide the target, and the target."""
    rng = np.random.default_rng(seed)
    branch = rng.integers(0, 80, n)
    words = [*"abcdefghijklmnopqrstuvwxyz"]
    notes = [" ".join(f"{one}{one}" for one in rng.choice(words, 6)) for _ in range(n)]
    frame = pd.DataFrame(
        {
            "note": pd.Series(notes, dtype="str").where(rng.random(n) > 0.1),
            "opened_on": pd.Series(
                np.datetime64("2015-03-01", "s") + rng.integers(0, 3000, n) * np.timedelta64(86400, "s")
            ).where(rng.random(n) > 0.1),
            "branch": pd.Categorical([f"b{code:02}" for code in branch]),
            "sector": pd.Categorical(np.where(rng.random(n) < 0.1, None, rng.choice(["retail", "trade"], n))),
            "income_eur": np.where(rng.random(n) < 0.1, np.nan, rng.lognormal(10, 1, n)).astype("float32"),
        }
    )
    return frame, (rng.random(n) < 0.1 + 0.8 * (branch % 2)).astype("int8")


def dense(X) -> np.ndarray:
    return X.toarray() if sparse.issparse(X) else X


def test_dates_become_calendar_parts_after_the_numbers():
    frame = pd.DataFrame({"opened_on": DAYS, "income_eur": [1.0, 2.0, 3.0, 4.0]})
    features = {"opened_on": Feature(type="date"), "income_eur": Feature(type="float")}
    step = make_features(features, None, None, "native").fit(frame)
    days = [(date.fromisoformat(text) - date(1970, 1, 1)).days for text in ("2024-02-29", "2023-12-31", "2025-01-01")]
    expected = [
        [1, 2024, 2, 29, 3, 60, 1, days[0]],
        [2, 2023, 12, 31, 6, 365, 1, days[1]],
        [3, *[np.nan] * 7],
        [4, 2025, 1, 1, 2, 1, 0, days[2]],
    ]
    np.testing.assert_array_equal(step.transform(frame), expected)
    assert step.transform(frame).dtype == np.float32
    assert [column.name for column in matrix_columns(step)][:3] == ["income_eur", "opened_on.year", "opened_on.month"]


def test_linear_models_see_the_year_and_the_week_as_circles_and_which_dates_are_missing():
    dates = DAYS.to_frame("opened_on")
    step = make_features({"opened_on": Feature(type="date")}, "median", None, "one_hot").fit(dates)
    X = pd.DataFrame(step.transform(dates), columns=[column.name for column in matrix_columns(step)])
    for cycle in ("year", "week"):
        radius = np.hypot(X[f"opened_on.{cycle}_sin"], X[f"opened_on.{cycle}_cos"])
        np.testing.assert_allclose(radius[[0, 1, 3]], 1, rtol=1e-6)
    of_year = X[["opened_on.year_sin", "opened_on.year_cos"]].to_numpy()
    assert np.hypot(*(of_year[1] - of_year[3])) < 0.03  # New Year's Eve and New Year's Day are neighbours
    assert X["opened_on=(missing)"].tolist() == [0, 0, 1, 0]
    assert not X.isna().any(axis=None)


def test_text_for_linear_models_is_scikit_learns_tf_idf_and_a_missing_text_is_empty():
    frame, y = mixed()
    step = make_features({"note": MIXED["note"]}, "median", "standard", "one_hot")
    X = step.fit_transform(frame, y)
    reference = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, min_df=5)
    expected = reference.fit_transform(frame.note.fillna(""))
    assert sparse.issparse(X)
    np.testing.assert_allclose(X.toarray(), expected.toarray(), rtol=1e-12)
    assert X[frame.note.isna().to_numpy()].nnz == 0
    assert [column.name for column in matrix_columns(step)] == [f"note:{term}" for term in reference.get_feature_names_out()]


@pytest.mark.parametrize("way", ["native", "ordinal", "network"])
def test_text_for_other_models_is_32_dense_directions_of_it(way):
    frame, y = mixed()
    X = make_features(MIXED, **WAYS[way]).fit_transform(frame, y)
    assert isinstance(X, np.ndarray)
    assert X.dtype == (np.float64 if WAYS[way]["scaler"] else np.float32)
    directions = X[:, -32:]
    assert np.linalg.matrix_rank(directions) == 32
    if way == "network":
        np.testing.assert_allclose(directions.std(axis=0), 1, rtol=1e-5)


def test_a_linear_model_that_takes_no_sparse_matrix_gets_a_dense_one():
    frame, y = mixed()
    X = make_features(MIXED, "median", "standard", "one_hot", takes_sparse=False).fit_transform(frame, y)
    assert isinstance(X, np.ndarray)


def test_text_without_a_word_that_recurs_is_refused():
    step = make_features({"note": MIXED["note"]}, None, None, "native")
    with pytest.raises(DataError, match=r"note: no word stands in at least 5 of 3 training rows.\nLeave this text"):
        step.fit(pd.DataFrame({"note": ["alpha", "beta", None]}))


@pytest.mark.parametrize("encoder", ["ordinal", "one_hot"])
def test_a_new_row_of_a_column_with_many_categories_gets_the_smoothed_mean_target_of_its_category(encoder):
    frame, y = mixed()
    step = make_features({"branch": MIXED["branch"]}, None, None, encoder).fit(frame, y)
    counts, means = frame.assign(y=y).groupby("branch", observed=True).y.agg(["size", "mean"]).to_numpy().T
    spread = means * (1 - means)  # the empirical Bayes weight of Micci-Barreca: n / (n + within / between)
    weight = counts * y.var() / (counts * y.var() + spread)
    expected = weight * means + (1 - weight) * y.mean()
    found = step.transform(pd.DataFrame({"branch": frame.branch.cat.categories}))
    np.testing.assert_allclose(found[:, 0], expected, rtol=1e-5)
    np.testing.assert_allclose(step.transform(pd.DataFrame({"branch": ["never seen"]})), y.mean(), rtol=1e-5)


def test_the_label_of_a_training_row_does_not_reach_its_own_mean_target():
    frame, _ = mixed()
    noise = np.random.default_rng(1).integers(0, 2, len(frame)).astype("int8")
    frame["branch"] = pd.Categorical([f"b{i // 2}" for i in range(len(frame))])
    step = make_features({"branch": MIXED["branch"]}, None, None, "one_hot")
    in_training = step.fit_transform(frame, noise)[:, 0]
    assert np.corrcoef(in_training, noise)[0, 1] < 0.1
    assert np.corrcoef(step.transform(frame)[:, 0], noise)[0, 1] > 0.5  # what leaking looks like


def test_the_number_of_values_seen_in_fitting_decides_and_boosters_keep_codes():
    def width(n_values: int, encoder: str, y=True):
        frame = pd.DataFrame({"branch": pd.Categorical([f"b{i % n_values}" for i in range(300)])})
        target = np.arange(300) % 2 if y else None
        return make_features({"branch": MIXED["branch"]}, None, None, encoder).fit_transform(frame, target).shape[1]

    assert [width(n, "one_hot") for n in (MAX_ONE_HOT, MAX_ONE_HOT + 1)] == [MAX_ONE_HOT, 1]
    assert width(MAX_ONE_HOT + 1, "one_hot", y=False) == MAX_ONE_HOT  # without a target the rarest share an indicator
    frame, y = mixed()
    codes = make_features({"branch": MIXED["branch"]}, None, None, "native").fit_transform(frame, y)
    np.testing.assert_array_equal(codes[:, 0], frame.branch.cat.codes)


def test_a_number_to_predict_has_one_mean_and_classes_have_one_each():
    frame, y = mixed()
    whole = (y * 1000.0).astype("float64")  # whole numbers are still numbers
    step = make_features({"branch": MIXED["branch"]}, None, None, "one_hot").fit(frame, whole)
    assert [column.name for column in matrix_columns(step)] == ["branch.mean_target"]
    classes = (np.arange(len(y)) % 3).astype("int16")
    step = make_features({"branch": MIXED["branch"]}, None, None, "one_hot").fit(frame, classes)
    assert [column.name for column in matrix_columns(step)] == [f"branch.mean_target={k}" for k in range(3)]
    for k, encoded in enumerate(step.transform(frame).T):
        alone = make_features({"branch": MIXED["branch"]}, None, None, "one_hot").fit(frame, (classes == k).astype("int8"))
        np.testing.assert_allclose(encoded, alone.transform(frame)[:, 0])


@pytest.mark.parametrize("way", WAYS)
def test_every_matrix_column_says_which_feature_it_comes_from(way):
    frame, y = mixed()
    step = make_features(MIXED, **WAYS[way]).fit(frame, y)
    columns = matrix_columns(step)
    names = [column.name for column in columns]
    X = dense(step.transform(frame))
    assert len(columns) == X.shape[1]
    assert len(set(names)) == len(names)
    assert list(step.get_feature_names_out())[-1] == names[-1]
    for feature in MIXED:
        hidden = dense(step.transform(frame.assign(**{feature: frame[feature].iloc[::-1].to_numpy()})))
        moved = {columns[i].feature for i in np.flatnonzero((~np.isclose(hidden, X, equal_nan=True)).any(axis=0))}
        assert moved == {feature}


def test_facts_of_the_matrix_name_codes_and_directions():
    frame, y = mixed()
    for way, codes in {"native": ["branch", "sector"], "ordinal": ["sector"], "one_hot": []}.items():
        names, is_category, monotone = matrix_facts(make_features(MIXED, **WAYS[way]).fit(frame, y), MIXED)
        assert [name for name, flag in zip(names, is_category, strict=True) if flag] == codes
        assert [name for name, sign in zip(names, monotone, strict=True) if sign] == ["income_eur"]
        assert monotone[0] == 1


def test_a_column_that_is_empty_in_a_fold_shifts_no_fact():
    features = {"empty": Feature(type="float", monotone=-1), "income_eur": Feature(type="float", monotone=1)}
    frame = pd.DataFrame({"empty": [np.nan] * 4, "income_eur": [1.0, np.nan, 2.0, 3.0]})
    with pytest.warns(UserWarning, match="Skipping features without any observed values"):
        step = make_features(features, "median", None, "ordinal").fit(frame)
    names, _, monotone = matrix_facts(step, features)
    assert dict(zip(names, monotone, strict=True)) == {"income_eur": 1, "empty=(missing)": 0, "income_eur=(missing)": 0}


def test_quantiles_make_a_skewed_number_normal_and_leave_a_flag_two_values_of_unit_spread():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"income_eur": rng.lognormal(10, 2, 5000), "is_owner": rng.random(5000) < 0.2})
    features = {"income_eur": Feature(type="float"), "is_owner": Feature(type="bool")}
    X = make_features(features, "median", "quantile", "one_hot").fit_transform(frame)
    shares = [(np.abs(X[:, 0]) < bound).mean() for bound in (1, 2)]
    np.testing.assert_allclose(shares, [0.683, 0.954], atol=0.02)
    np.testing.assert_allclose(X.std(axis=0), 1)
    assert len(np.unique(X[:, 1])) == 2


@pytest.mark.parametrize("way", WAYS)
def test_equal_seeds_give_equal_bytes_and_a_saved_step_gives_the_very_same_matrix(way, tmp_path):
    frame, y = mixed()
    steps = [make_features(MIXED, **WAYS[way], random_state=7) for _ in range(2)]
    fits = [dense(step.fit_transform(frame, y)).tobytes() for step in steps]
    assert fits[0] == fits[1]
    paths = [tmp_path / "a.skops", tmp_path / "b.skops"]
    for path, step in zip(paths, steps, strict=True):
        model_file.dump(path, step)
    assert paths[0].read_bytes() == paths[1].read_bytes()
    loaded = skops.io.loads(paths[0].read_bytes(), trusted=model_file.TRUSTED)
    assert dense(loaded.transform(frame)).tobytes() == dense(steps[0].transform(frame)).tobytes()
    assert matrix_columns(loaded) == matrix_columns(steps[0])


@pytest.mark.parametrize("way", WAYS)
def test_a_row_is_the_same_alone_as_among_others(way):
    frame, y = mixed()
    step = make_features(MIXED, **WAYS[way]).fit(frame, y)
    alone = np.vstack([dense(step.transform(frame.iloc[[i]])) for i in range(20)])
    assert alone.tobytes() == dense(step.transform(frame))[:20].tobytes()


@pytest.mark.parametrize(
    ("facts", "match"),
    [
        ({"type": "text", "monotone": 1}, "a text has no min, max or monotone"),
        ({"type": "date", "min": 0.0}, "a date has no min, max or monotone"),
        ({"type": "text", "categories": ["a"]}, "categories are for type category, not text"),
        ({"type": "date", "simulate": {"distribution": "normal", "mean": 0.0, "std": 1.0}}, "normal cannot draw type date"),
    ],
)
def test_a_text_or_date_that_is_declared_like_a_number_is_refused(facts, match):
    with pytest.raises(ValueError, match=match):
        Feature(**facts)


TEXT_AND_DATE = {"note": Feature(type="text", max_missing=0.5), "opened_on": Feature(type="date", max_missing=0.5)}
CSV = """note,opened_on,default
paid NA,2024-02-29,0
,9999-12-31T00:00:00+02:00,1
"late, twice",,0
"""


def test_text_and_dates_of_a_csv_keep_every_word_and_day(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text(CSV)
    schema = TableSchema(TEXT_AND_DATE, "default")
    frame = validate(file.load(str(path), schema).frame, schema).frame
    assert [str(dtype) for dtype in frame.dtypes] == ["str", "datetime64[s]", "int8"]
    assert frame.note.fillna("missing").tolist() == ["paid NA", "missing", "late, twice"]
    assert frame.opened_on.astype("str").fillna("missing").tolist() == ["2024-02-29 00:00:00", "9999-12-30 22:00:00", "missing"]


def test_text_and_dates_of_a_parquet_file_equal_those_of_a_csv(tmp_path):
    given = pd.DataFrame(
        {
            "note": ["paid NA", None, "late, twice"],
            "opened_on": [date(2024, 2, 29), date(9999, 12, 31), None],
            "default": [0, 1, 0],
        }
    )
    tables = []
    for ending, write in {"parquet": given.to_parquet, "csv": lambda path: given.to_csv(path, index=False)}.items():
        write(tmp_path / f"table.{ending}")
        loaded = file.load(str(tmp_path / f"table.{ending}"), TableSchema(TEXT_AND_DATE, "default")).frame
        tables.append(validate(loaded, TableSchema(TEXT_AND_DATE, "default")).frame)
    pd.testing.assert_frame_equal(*tables)


def test_rows_that_repeat_a_text_and_a_date_are_found():
    frame = pd.DataFrame({"note": ["a", "b", "a", None, None], "opened_on": ["2024-01-01"] * 5, "default": [0, 1, 0, 0, 0]})
    assert validate(frame, TableSchema(TEXT_AND_DATE, "default"), duplicates="drop").rows.tolist() == [0, 1, 3]


@pytest.mark.parametrize(
    ("column", "values", "match"),
    [
        ("note", ["a", 7, "b"], r"note: 1 value is not text \(row 2: 7\)"),
        ("note", ["a", None, None], r"note: 66.667% of the values are missing, at most 50.000% may be \(row 2 is the first\)"),
        ("note", [None, None, None], "note: every value is missing"),
        ("opened_on", ["2024-01-01", "31.12.2024", None], r"opened_on: 1 value is not in ISO 8601, .* \(row 2: '31.12.2024'\)"),
        ("opened_on", [20240101, 20240102, 3], r"opened_on: a number is not a date \(row 1: 20240101\)"),
        ("opened_on", [None, None, None], "opened_on: every value is missing"),
    ],
)
def test_what_is_not_a_text_or_a_date_is_named_with_its_row(column, values, match):
    good = {"note": ["a", "b", "c"], "opened_on": ["2024-01-01", "2024-01-02", None], "default": [0, 1, 0]}
    with pytest.raises(DataError, match=match):
        validate(pd.DataFrame(good | {column: values}), TableSchema(TEXT_AND_DATE, "default"))


def test_category_codes_are_those_of_scikit_learns_ordinal_encoder():
    from sklearn.preprocessing import OrdinalEncoder

    rng = np.random.default_rng(0)
    seen, new = (rng.choice(values, 300) for values in (["b", "a", "Z", None], ["a", "c", "b", None]))
    frame = pd.DataFrame({"region": pd.Categorical(seen, ["unused", "b", "a", "Z"]), "job": pd.Series(seen, dtype="str")})
    later = pd.DataFrame({"region": pd.Categorical(new, ["c", "b", "a"]), "job": pd.Series(new, dtype="str")})
    library = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1, encoded_missing_value=-1).fit(frame)
    ours = CategoryCodes().fit(frame)
    np.testing.assert_array_equal(ours.transform(frame), library.transform(frame))
    np.testing.assert_array_equal(ours.transform(later), library.transform(later))
