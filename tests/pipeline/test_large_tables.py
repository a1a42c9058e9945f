"""A table whose columns lie on the disk, read batch by batch, gives the run of the same table in memory."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from conftest import run_warm

import bank_models
from bank_models.data import simulate
from bank_models.data.sample import find
from bank_models.data.view import BATCH_ROWS
from bank_models.errors import ConfigError
from bank_models.pipeline.evaluate import supervised
from bank_models.training import fit

ROWS = 45_000  # of which train has more than one batch
FILES = ["model.skops", "split.parquet", "metrics.json", "test_scores.parquet", "slices.csv", "drift_reference.json"]
QUICK = ["cv=none", "early_stopping=none", "registry=none", "tracking=none"]


def run(folder: Path, name: str, *overrides: str) -> Path:
    result = run_warm(f"hydra.run.dir={folder / name}", *QUICK, *overrides)
    assert result.returncode == 0, result.stderr
    return folder / name


def write_rows(path: Path, use_case: str, rows: int) -> list[str]:
    """Rows of a use case in a Parquet file, and what to type to train on them."""
    frame = simulate(find(use_case), rows, 7).frame
    for column in frame.columns[frame.dtypes == "category"]:
        frame[column] = frame[column].astype("str")
    frame.to_parquet(path, row_group_size=10_000, index=False)
    return [f"use_case={use_case}", "data_source=file", f"data_source.path={path}"]


def same(one: Path, other: Path) -> list[str]:
    return [name for name in FILES if (one / name).read_bytes() != (other / name).read_bytes()]


@pytest.mark.slow
@pytest.mark.parametrize("model", ["xgboost", "lightgbm"])
@pytest.mark.parametrize("use_case", ["transaction_fraud", "atm_cash_optimization", "sme_lending"])
def test_a_table_on_the_disk_gives_the_same_split_the_same_model_and_the_same_numbers(tmp_path, use_case, model):
    typed = [*write_rows(tmp_path / "rows.parquet", use_case, ROWS), f"model={model}", "model.params.n_estimators=15"]
    held, on_disk = (run(tmp_path, name, *typed, f"memory_budget={name}") for name in ("100GB", "0"))
    n_train = np.sum(pq.read_table(on_disk / "split.parquet")["part"].to_pandas() == "train")
    assert n_train > BATCH_ROWS
    assert same(held, on_disk) == []


def test_a_folder_of_parquet_files_on_the_disk_gives_the_run_of_one_file_in_memory(tmp_path):
    typed = write_rows(tmp_path / "rows.parquet", "transaction_fraud", 3_000)
    rows, parts = pd.read_parquet(tmp_path / "rows.parquet"), tmp_path / "parts"
    parts.mkdir()
    for number, first in enumerate(range(0, len(rows), 800)):
        rows.iloc[first : first + 800].to_parquet(parts / f"{number}.parquet", index=False)
    quick = "model.params.n_estimators=5", "model=xgboost"
    held = run(tmp_path, "held", *typed, *quick)
    on_disk = run(tmp_path, "on_disk", *typed[:-1], f"data_source.path={parts}", *quick, "memory_budget=0")
    assert same(held, on_disk) == []


@pytest.mark.parametrize("given", ["4 GiB", "-1", "many", "1e9"])
def test_a_memory_budget_that_is_no_size_is_refused(compose, given):
    with pytest.raises(ConfigError, match=r"memory_budget.*must be a size such as 500MB or 4GB"):
        compose("use_case=fraud", f"memory_budget={given}")


@pytest.mark.parametrize(("given", "n_bytes"), [("0", 0), ("32MB", 32_000_000), ("1.5GB", 1_500_000_000), ("2000", 2000)])
def test_a_memory_budget_is_a_size(compose, given, n_bytes):
    assert compose("use_case=fraud", f"memory_budget={given}").memory_budget == n_bytes


@pytest.mark.parametrize(("typed", "is_said"), [("early_stopping=none", True), ("early_stopping=patience", False)])
def test_a_loss_that_is_shown_of_a_sample_is_said_to_be(monkeypatch, typed, is_said):
    for module in (fit, supervised):
        monkeypatch.setattr(module, "MOST_SHOWN", 50)
    config = bank_models.load_config("use_case=credit_scoring", "model=xgboost", "cv=none", "refit=none", typed)
    table = bank_models.load_table(config)
    parts = bank_models.split(table, config)
    found = bank_models.evaluate(bank_models.fit(bank_models.make_recipe(config, table), table, parts), table, parts, config)
    assert any("of 50 of the 100 rows of val" in note for note in found.notes) == is_said
