import numpy as np
import pandas as pd
import pytest
from sklearn.preprocessing import StandardScaler

from src.features import make_features
from src.use_case import Feature

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
