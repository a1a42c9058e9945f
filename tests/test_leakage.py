import numpy as np
import pandas as pd
from sklearn.metrics import roc_auc_score

from src.leakage import areas_under_roc, suspects

RNG = np.random.default_rng(0)
Y = (RNG.random(4000) < 0.2).astype(np.int8)
NOISE = RNG.normal(size=4000)


def test_a_column_that_is_the_target_in_disguise_is_found():
    frame = pd.DataFrame(
        {
            "income": NOISE + Y,
            "days_in_collection": np.where(Y, 30 + NOISE, np.nan),
            "refund_rank": -Y + NOISE / 100,
            "status": pd.Categorical(np.where(Y, "written off", "open")),
            "postcode": pd.Categorical(RNG.integers(0, 2000, 4000).astype(str)),
        }
    )
    assert set(suspects(frame, Y, seed=0)) == {"days_in_collection", "refund_rank", "status"}


def test_areas_of_many_columns_at_once_are_those_of_scikit_learn():
    values = np.column_stack([NOISE, NOISE + Y, NOISE.round(), Y, -Y, np.zeros(4000), np.where(Y, NOISE, NOISE.round(1))])
    np.testing.assert_allclose(areas_under_roc(Y, values), [roc_auc_score(Y, column) for column in values.T], rtol=1e-12)


def test_a_suspect_is_found_in_whichever_block_of_columns_it_stands(monkeypatch):
    frame = pd.DataFrame({f"n{i}": RNG.normal(size=4000) for i in range(7)} | {"last": Y + NOISE / 100, "a": NOISE})
    whole = suspects(frame, Y, seed=0)
    assert set(whole) == {"last"}
    for n_cells in (1, 2 * len(Y), 5 * len(Y)):
        monkeypatch.setattr("src.leakage.CELLS_AT_ONCE", n_cells)
        assert suspects(frame, Y, seed=0) == whole


def test_the_tables_of_the_real_use_cases_hold_no_suspect(compose):
    from src.data import source
    from src.data.validation import validate

    for name in ("default_prediction", "credit_scoring"):
        use_case = compose(f"use_case={name}").use_case
        frame = source.load("packaged", use_case, use_case.packaged, None, None, None).frame
        frame = validate(frame, use_case.features, use_case.target, None, "drop").frame
        assert not suspects(frame[list(use_case.features)], frame[use_case.target].to_numpy(), seed=0)
