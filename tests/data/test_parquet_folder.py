"""A folder of Parquet files, read a number of rows at a time."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bank_models.data.parquet_columns import ParquetFolder

N_GROUPS, ROWS_OF_GROUP, N_COLUMNS = 40, 5_000, 10


def write(folder: Path, name: str, **columns) -> None:
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(columns), folder / name)


@pytest.fixture
def folder(tmp_path):
    write(tmp_path, "month=1/a.parquet", amount=[1.0, 2.0, 3.0], country=["DE", None, "NA"], note=["x", "y", "z"])
    write(tmp_path, "month=2/b.parquet", country=["FR", "DE"], amount=pa.array([4, None], pa.int32()))
    return tmp_path


def test_batches_of_a_folder_are_what_is_read_of_it_at_once(folder):
    found = ParquetFolder(str(folder))
    kinds = dict.fromkeys(found.names, "")
    batches = list(found.batches(found.names, 2))
    assert [len(batch) for batch in batches] == [2, 1, 2]
    pd.testing.assert_frame_equal(pa.concat_tables(batches).to_pandas(), found.read(found.names, kinds).to_pandas())


def test_columns_come_in_the_order_that_is_asked_for(folder):
    (first, *_) = ParquetFolder(str(folder)).batches(["month", "country"], 10)
    assert first.to_pydict() == {"month": [1, 1, 1], "country": ["DE", None, "NA"]}


def test_no_more_than_a_few_batches_of_a_folder_are_in_memory_at_once(tmp_path):
    rng = np.random.default_rng(0)
    n_rows = N_GROUPS * ROWS_OF_GROUP
    table = pa.table({f"x{i}": rng.random(n_rows) for i in range(N_COLUMNS)})
    pq.write_table(table, tmp_path / "rows.parquet", row_group_size=ROWS_OF_GROUP)
    of_batch, names = ROWS_OF_GROUP * N_COLUMNS * 8, table.column_names
    del table
    before, most, n_read = pa.total_allocated_bytes(), 0, 0
    for batch in ParquetFolder(str(tmp_path)).batches(names, ROWS_OF_GROUP):
        most, n_read = max(most, pa.total_allocated_bytes() - before), n_read + len(batch)
    assert n_read == n_rows
    assert most < 5 * of_batch
