"""A table whose columns lie on the disk is the same table, and is gone with the process."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from bank_models.data import column_store
from bank_models.data.hashing import frame_sha256
from bank_models.data.view import BATCH_ROWS, View
from bank_models.errors import DataError

RNG = np.random.default_rng(0)
N = 1_000
COLUMNS = {
    "number": RNG.normal(size=N).astype("float32"),
    "wide": RNG.normal(size=N),
    "whole": RNG.integers(0, 9, N).astype("int32"),
    "flag": RNG.random(N) < 0.5,
    "country": pd.Categorical(RNG.choice(["DE", "FR"], N)),
    "day": pd.date_range("2024-01-01", periods=N, unit="s"),
    "text": pd.array(["a word"] * N, dtype="str"),
}
FRAME = pd.DataFrame(COLUMNS)


def kept(frame: pd.DataFrame) -> pd.DataFrame:
    keep = column_store.on_disk("rows.parquet", len(frame), frame.shape[1])
    return pd.DataFrame({name: keep(column) for name, column in frame.items()}, copy=False)


def test_columns_on_the_disk_are_those_that_were_given():
    on_disk = kept(FRAME)
    pd.testing.assert_frame_equal(on_disk, FRAME)
    assert frame_sha256(on_disk) == frame_sha256(FRAME)


def test_pages_that_were_given_back_are_read_again():
    on_disk = kept(FRAME)
    column_store.release()
    pd.testing.assert_frame_equal(on_disk, FRAME)


def test_nothing_is_left_of_a_table_in_the_folder_for_temporary_files(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    on_disk = kept(FRAME)
    assert not any(tmp_path.iterdir())
    assert on_disk["whole"].sum() == FRAME["whole"].sum()


def test_a_table_for_which_the_disk_has_no_room_is_refused():
    with pytest.raises(DataError, match=r"rows.parquet is larger than memory_budget, and .* has no room for it"):
        column_store.on_disk("rows.parquet", 10**13, 45)


@pytest.mark.parametrize(("budget", "is_larger"), [(None, False), (4 * 10 * 45, False), (4 * 10 * 45 - 1, True)])
def test_a_table_is_larger_than_a_budget_by_its_numbers_as_models_read_them(budget, is_larger):
    assert column_store.is_larger(10, 45, budget) == is_larger


def test_a_view_reads_like_the_frame_of_its_rows():
    rows = np.sort(RNG.choice(N, 300, replace=False))
    view, frame = View(FRAME, rows), FRAME.iloc[rows]
    pd.testing.assert_series_equal(view["country"], frame["country"])
    pd.testing.assert_frame_equal(view.iloc[[3, 1]], frame.iloc[[3, 1]])
    pd.testing.assert_frame_equal(view[["day", "whole"]].to_frame(), frame[["day", "whole"]])
    pd.testing.assert_frame_equal(view.take(np.array([5, 2])).to_frame(), frame.iloc[[5, 2]])
    assert (len(view), view.shape, list(view.columns)) == (300, frame.shape, list(frame))


def test_the_batches_of_a_view_are_its_rows_in_order():
    frame = pd.DataFrame({"x": np.arange(2 * BATCH_ROWS + 1)})
    rows = np.arange(len(frame))[::-1]
    batches = list(View(frame, rows).batches())
    assert [len(batch) for batch in batches] == [BATCH_ROWS, BATCH_ROWS, 1]
    assert np.array_equal(pd.concat(batches)["x"], rows)


def test_taken_rows_are_counted_from_0():
    keep = column_store.on_disk("rows.parquet", N, FRAME.shape[1])
    rows = np.array([7, 3, 3])
    pd.testing.assert_frame_equal(column_store.taken(kept(FRAME), rows, keep), FRAME.iloc[rows].reset_index(drop=True))


def test_a_table_with_a_column_called_batches_is_scored_as_a_table():
    from bank_models.models.wrappers import predict_score

    class Sums:
        def predict(self, frame):
            return frame["batches"].to_numpy()

    assert np.array_equal(predict_score(Sums(), pd.DataFrame({"batches": [1.0, 2.0]}), "regression"), [1.0, 2.0])


def test_one_value_a_row_is_kept_where_the_columns_are():
    keep, rows = column_store.on_disk("rows.parquet", N, 1), np.arange(N)[::-1]
    assert np.array_equal(column_store.kept(rows, keep), rows)
