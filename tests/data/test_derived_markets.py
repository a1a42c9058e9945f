"""The use cases on market and rates series: their columns, their honesty, and what they must beat."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest
import yaml
from conftest import ROOT
from lightgbm import LGBMClassifier
from sklearn.metrics import roc_auc_score

from bank_models.config import datasets
from bank_models.config.use_case import UseCase
from bank_models.data import packaged
from bank_models.data.table_schema import schema_of
from bank_models.data.validation import validate
from bank_models.errors import IntegrityError

# fmt: off
USE_CASES = [
    "currency_risk", "deposit_prediction", "factor_investing", "fx_prediction", "interest_optimization", "interest_rate_risk",
    "portfolio_optimization", "risk_parity", "stock_prediction",
]
# fmt: on


def read_use_case(name):
    return UseCase(**yaml.safe_load((ROOT / f"conf/use_case/{name}.yaml").read_text())["use_case"])


def metrics_of(tmp_path):
    return json.loads((tmp_path / "run/metrics.json").read_text())


@pytest.mark.parametrize("name", USE_CASES)
def test_a_use_case_declares_every_column_of_its_set_and_holds_on_every_row(name):
    use_case = read_use_case(name)
    frame = packaged.load(use_case.packaged, use_case.target).frame
    columns = [*use_case.features, use_case.target, use_case.time_column, use_case.group_column]
    assert set(frame) == {column for column in columns if column}
    kept = validate(frame, schema_of(use_case), "refuse", rules=use_case.rules)
    assert not [note for note in kept.notes if "it should be" in note or "about no row" in note]
    assert len(kept.frame) == len(frame)
    assert len(use_case.features) >= 12


@pytest.mark.parametrize("name", [name for name in USE_CASES if name != "risk_parity"])
def test_rows_of_one_moment_are_neighbours_and_older_ones_come_first(name):
    use_case = read_use_case(name)
    assert packaged.load(use_case.packaged, use_case.target).frame[use_case.time_column].is_monotonic_increasing


def test_the_record_names_every_file_that_rows_were_made_from():
    provenance = packaged.load("us_factor_months", "forward_return_1m").provenance
    assert provenance["package"] == "skfolio==1.12.2"
    assert list(provenance["tables"]) == ["us_factor_funds"]
    assert provenance["tables"]["us_factor_funds"] != provenance["sha256"]


def test_a_further_table_is_checked_like_the_first_one(tmp_path, monkeypatch):
    folder = shutil.copytree(datasets.DATASETS, tmp_path / "catalogue")
    monkeypatch.setattr(datasets, "DATASETS", folder)
    facts = yaml.safe_load((folder / "tables/sp500_index.yaml").read_text())
    (folder / "tables/sp500_index.yaml").write_text(yaml.safe_dump(facts | {"sha256": "0" * 64}))
    with pytest.raises(IntegrityError, match="is not the file that sp500_index was recorded with"):
        packaged.load("us_asset_months", "forward_return_1m")


def test_today_is_no_feature_of_smarket_and_directions_stay_unpredictable():
    dataset = packaged.load("smarket", "next_day_up")
    assert "of which the target is the sign" in dataset.provenance["left_out"]["Today"]
    frame = dataset.frame
    n_train = (frame["day"] < "2005-01-01").sum()
    X, y = frame.drop(columns=["next_day_up", "day"]), frame["next_day_up"]
    # Each row's return is the next one's return a day ago, so the target of a row stands in the row below.
    assert np.mean((X["return_1d_ago_pct"].shift(-1) > 0) == y) > 0.99
    model = LGBMClassifier(n_estimators=100, learning_rate=0.04, n_jobs=1, verbose=-1).fit(X[:n_train], y[:n_train])
    assert 0.43 < roc_auc_score(y[n_train:], model.predict_proba(X[n_train:])[:, 1]) < 0.60


@pytest.mark.slow
@pytest.mark.parametrize("use_case", ["fx_prediction", "stock_prediction"])
def test_next_days_directions_stay_unpredictable(train, tmp_path, use_case):
    assert train(f"use_case={use_case}").returncode == 0
    metrics = metrics_of(tmp_path)
    assert 0.47 < metrics["test_roc_auc"] < 0.56  # above it something has seen the next day
    assert 0.47 < metrics["cv_roc_auc"] < 0.56


@pytest.mark.slow
@pytest.mark.parametrize(
    ("use_case", "naive"),
    [
        ("currency_risk", lambda row: row["volatility_5d_pct"]),
        ("deposit_prediction", lambda row: 1e7 * (1 + row["same_month_growth_1y_ago_pct"] / 100)),
        ("deposit_prediction", lambda row: 1e7 + 0 * row["target_month"]),
        ("interest_optimization", lambda row: 100 * row["margin_now_pp"]),
    ],
    ids=["volatility of the last five days", "growth a year ago", "no change", "margin now"],
)
def test_a_series_is_predicted_better_than_by_what_one_sees_now(train, tmp_path, use_case, naive):
    assert train(f"use_case={use_case}").returncode == 0
    facts = read_use_case(use_case)
    frame = packaged.load(facts.packaged, facts.target).frame
    is_test = (pd.read_parquet(tmp_path / "run/split.parquet")["part"] == "test").to_numpy()
    rows = frame[is_test]
    naive_mae = float((rows[facts.target] - naive(rows)).abs().mean())
    assert metrics_of(tmp_path)["test_mae"] < 0.9 * naive_mae
