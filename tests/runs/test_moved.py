"""Models that were saved when modules had other names load, and give the scores that they gave then."""

import io
import json
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bank_models.models.estimators import OURS
from bank_models.models.wrappers import predict_score
from bank_models.runs.model_checks import loads
from bank_models.runs.model_checks.moved import MOVED, OF_PACKAGE, rename
from bank_models.runs.model_file import TRUSTED, dump

SAVED = zipfile.ZipFile(
    Path(__file__).resolve().parents[1] / "models_of_earlier_layout.zip"
)  # one of each class, 120 rows and their scores
EXPECTED = json.loads(SAVED.read("scores.json"))
ROWS = pd.read_parquet(io.BytesIO(SAVED.read("rows.parquet")))
NUMBERS = ["amount", "count"]  # what models without labels were fitted on


def score(model, task: str) -> np.ndarray:
    if task == "clustering":
        return model.predict(ROWS[NUMBERS])
    return model.score_samples(ROWS[NUMBERS]) if task == "anomaly" else predict_score(model, ROWS, task)


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_a_model_of_the_earlier_layout_scores_as_it_did(name, tmp_path):
    model, known = loads(SAVED.read(f"{name}.skops"), TRUSTED), EXPECTED[name]
    np.testing.assert_allclose(score(model, known["task"]), known["score"], rtol=1e-6 if "neural" in name else 1e-9, atol=1e-12)
    dump(tmp_path / "again.skops", model)
    assert b"src.fit" not in (tmp_path / "again.skops").read_bytes()
    again = loads((tmp_path / "again.skops").read_bytes(), TRUSTED)
    np.testing.assert_array_equal(score(again, known["task"]), score(model, known["task"]))


def test_every_class_of_ours_that_a_model_may_hold_is_among_them():
    later = {"OwnColumns", "CatBoostClassifier", "CatBoostRegressor"}  # than that layout
    names = {name for name in TRUSTED if name.startswith("bank_models.") and name.rpartition(".")[2] not in later}
    assert names <= {
        f"{module}.{name.rpartition('.')[2]}" for name in names for module in {*MOVED.values(), *OF_PACKAGE.values()}
    }
    kinds = {estimator for name in EXPECTED for estimator in OURS if estimator.encode() in SAVED.read(f"{name}.skops")}
    assert (
        kinds >= set(OURS) - {"QuantileRegressor", "LinearRegression"} - later
    )  # the first is of benchmarks, which are not saved


def test_classes_of_one_module_for_all_kinds_of_columns_are_found_where_their_kind_is():
    schema = {
        "content": [
            {"__module__": "src.transformers", "__class__": "DateParts"},
            {"__module__": "numpy", "__class__": "ndarray"},
        ]
    }
    date, array = rename(schema)["content"]
    assert (date["__module__"], array["__module__"]) == ("bank_models.features.transformers.dates", "numpy")


def test_classes_from_before_the_package_had_its_name_are_found_in_it():
    schema = {"__module__": "src.features.transformers.texts", "__class__": "TextTerms", "content": []}
    assert rename(schema)["__module__"] == "bank_models.features.transformers.texts"
