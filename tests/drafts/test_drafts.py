"""A use case drafted from a table: what is told of columns, target and roles, and that the draft trains as it is."""

import contextlib
import importlib.util
import io
import json
import os
import re
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import yaml
from conftest import ROOT, elsewhere, run_warm
from pydantic import ValidationError

from bank_models import draft_use_case, use_cases
from bank_models.config.compose import CONF, check_job, compose_job, composer
from bank_models.config.use_case import UseCase
from bank_models.data.load import load
from bank_models.data.table import make_table
from bank_models.errors import ConfigError, DataError
from bank_models.scoring.model import load as load_model

N = 400


def rows(n: int = N) -> pd.DataFrame:
    """Applications with a target that follows from income and grade."""
    rng = np.random.default_rng(5)
    income, grade = rng.gamma(3, 900, n).round(2), rng.choice(list("abc"), n)
    log_odds = 1 - income / 1500 + (grade == "c") * 2
    return pd.DataFrame(
        {"income": income, "grade": grade, "age": rng.integers(18, 80, n), "bad": rng.random(n) < 1 / (1 + np.exp(-log_odds))}
    ).astype({"bad": int})


def written(folder, frame: pd.DataFrame, name: str = "rows.csv", **how):
    frame.to_csv(folder / name, index=False, **how)
    return folder / name


def drafted(folder, frame, target="bad", name="rows.csv", given=None, **how):
    return draft_use_case(written(folder, frame, name, **how), target, **(given or {}))


def checked(draft, folder):
    """The settings of a training of the draft's file, checked as the command line checks them."""
    (folder / "conf/use_case").mkdir(parents=True, exist_ok=True)
    (folder / f"conf/use_case/{draft.key}.yaml").write_text(draft.yaml, encoding="utf-8")
    folders = [CONF, folder / "conf"]
    with composer(folders) as compose:
        return check_job(compose_job(compose, [f"use_case={draft.key}"], folders))


def table_of(draft, folder):
    """The rows of the drafted file, read and validated as a training would."""
    config = checked(draft, folder)
    return make_table(load(use_case=config.use_case, **config.data_source.model_dump()), config.use_case)


def types(draft) -> dict:
    return {name: feature["type"] for name, feature in draft.use_case["features"].items()}


# Columns


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (["1", "2", "x7", "3"], "category"),
        (["00123", "04711", "00007", "12345"], "category"),
        (["1.5", "2", "-3e4", ".25"], "float"),
        (["7", "8", "9", "10"], "int"),
        (["0", "1", "1", "0"], "bool"),
        (["Yes", "no", "YES", "No"], "bool"),
        (["2024-01-31", "2023-02-01", "2020-12-24", "2021-05-05"], "date"),
        (["31.01.2024", "01.02.2023", "24.12.2020", "05.05.2021"], "date"),
        (["12345678901234567", "12345678901234568", "12345678901234569", "12345678901234570"], "category"),
    ],
)
def test_the_type_of_a_column_is_told_from_its_cells(tmp_path, values, kind):
    frame = rows().assign(told=np.resize(values, N))
    draft = drafted(tmp_path, frame)
    told = next(column for column in draft.columns if column.name == "told")
    assert told.type == kind
    assert table_of(draft, tmp_path).frame["income"].dtype == "float32"


def test_long_texts_are_texts(tmp_path):
    words = np.random.default_rng(1).choice(["late", "early", "refund", "card", "thanks", "angry"], (N, 6))
    draft = drafted(tmp_path, rows().assign(told=[" ".join([*line, str(i)]) for i, line in enumerate(words)]))
    assert types(draft)["told"] == "text"
    assert draft.choices["model"] == "xgboost"


@pytest.mark.parametrize(("target", "model"), [("is_lost", "logistic_regression"), ("late_days", "linear_regression")])
def test_texts_alone_are_left_to_a_linear_model(tmp_path, target, model):
    rng = np.random.default_rng(1)
    words = rng.choice(["late", "early", "refund", "card", "thanks", "angry"], (N, 6))
    values = {"is_lost": np.where(words[:, 0] == "angry", "yes", "no"), "late_days": np.round(rng.gamma(2, 9, N), 2)}
    frame = pd.DataFrame({"told": [" ".join([*line, str(i)]) for i, line in enumerate(words)], target: values[target]})
    assert drafted(tmp_path, frame, target).choices["model"] == model


def test_ids_constants_and_empty_columns_are_left_out_with_the_reason(tmp_path):
    rng = np.random.default_rng(2)
    frame = rows().assign(row=np.arange(N), client_id=rng.permutation(10**6)[:N], same="x", empty=None)
    left_out = drafted(tmp_path, frame).left_out
    assert set(left_out) == {"row", "client_id", "same", "empty"}
    assert left_out["row"].startswith("it numbers the rows (400 values in 400 rows")
    assert left_out["client_id"] == "an id, by its name and 400 values in 400 rows"
    assert left_out["same"] == "it has one value in every row (x)"
    assert left_out["empty"] == "every value is missing"


def test_every_inference_stands_in_the_file_with_its_evidence(tmp_path):
    frame = rows().assign(income=lambda table: table.income.map(str))
    frame.loc[[3, 5, 8], "income"] = "?"
    draft = drafted(tmp_path, frame)
    assert re.search(r"income: \{type: float.*\}  # \d+ values in 400 rows, all numbers but 3", draft.yaml)
    assert "'?': missing, beside empty cells" in draft.said
    assert draft.data_source["na_values"] == ["?"]
    assert table_of(draft, tmp_path).frame["income"].isna().sum() == 3


def test_the_ranges_are_wide_enough_for_twice_the_values_of_this_file(tmp_path):
    frame = rows()
    income = drafted(tmp_path, frame).use_case["features"]["income"]
    assert income["min"] == 0
    assert income["max"] >= 1.9 * frame.income.max()


def test_a_time_column_splits_by_time_and_a_group_column_by_group(tmp_path):
    frame = rows().assign(booked_at=pd.date_range("2024-01-01", periods=N).strftime("%d/%m/%Y"))
    draft = drafted(tmp_path, frame)
    assert (draft.use_case["time_column"], draft.use_case["time_format"]) == ("booked_at", "%d/%m/%Y")
    assert (draft.choices["data_split"], draft.choices["cv"]) == ("temporal", "time_series")
    grouped = drafted(tmp_path, rows().assign(customer_id=np.arange(N) // 4), name="grouped.csv")
    assert (grouped.use_case["group_column"], grouped.choices["data_split"]) == ("customer_id", "group")
    assert not {"booked_at", "customer_id"} & {*types(draft), *types(grouped)}
    checked(draft, tmp_path)
    checked(grouped, tmp_path)


def test_dates_that_may_be_read_in_two_ways_are_said_and_do_not_split(tmp_path):
    frame = rows().assign(booked_at=[f"{1 + i % 12:02d}/{1 + i % 11:02d}/2024" for i in range(N)])
    draft = drafted(tmp_path, frame)
    assert any("%d/%m/%Y or as %m/%d/%Y" in doubt for doubt in draft.doubts)
    assert draft.choices["data_split"] == "stratified"


def test_protected_columns_are_no_features_and_a_leak_is_said(tmp_path):
    frame = rows().assign(Sex=np.resize(["M", "F"], N), closing_balance=lambda table: table.bad * 100 + np.arange(N) % 7)
    draft = drafted(tmp_path, frame)
    assert "Sex" not in types(draft)
    assert "# protected: [Sex]" in draft.yaml
    assert any(doubt.startswith("closing_balance alone predicts bad with ROC-AUC 1.000") for doubt in draft.doubts)


# Target


@pytest.mark.parametrize(
    ("one", "other", "positive"),
    [("bad", "good", "bad"), ("Yes", "No", "Yes"), ("2", "1", None), ("1", "0", None)],
)
def test_two_classes_by_name_become_1_for_the_positive_one(tmp_path, one, other, positive):
    frame = rows()
    draft = drafted(tmp_path, frame.assign(bad=frame.bad.map({1: one, 0: other})))
    if positive:
        assert draft.use_case["positive"] == positive
    y = table_of(draft, tmp_path).y
    is_one = (draft.use_case.get("positive") or "1") == one
    assert (y == (frame.bad if is_one else 1 - frame.bad)).all()


def test_the_positive_class_is_the_one_that_is_given(tmp_path):
    frame = rows().assign(bad=lambda table: table.bad.map({1: "A", 0: "B"}))
    assert drafted(tmp_path, frame, given={"positive": "B"}).use_case["positive"] == "B"
    with pytest.raises(ConfigError, match="positive=C is no value of bad: it has A and B"):
        drafted(tmp_path, frame, given={"positive": "C"})


def test_whole_numbers_are_classes_if_they_are_few_and_a_number_otherwise(tmp_path):
    frame = rows().assign(grade=np.arange(N) % 5 + 1)
    draft = drafted(tmp_path, frame, "grade")
    assert draft.use_case["classes"] == ["1", "2", "3", "4", "5"]
    assert any("task=regression" in doubt for doubt in draft.doubts)
    assert set(table_of(draft, tmp_path).y) == set(range(5))
    assert drafted(tmp_path, frame, "grade", given={"task": "regression"}).use_case["task"] == "regression"
    assert drafted(tmp_path, frame, "income").use_case["task"] == "regression"


def test_rows_without_a_target_are_left_out_and_counted(tmp_path):
    frame = rows().assign(bad=lambda table: table.bad.map({1: "yes", 0: "no"}))
    frame.loc[:9, "bad"] = None
    draft = drafted(tmp_path, frame)
    assert "10 rows have no bad: left out" in draft.said
    assert len(table_of(draft, tmp_path).y) == N - 10


# Files


def spelled(frame, folder, name):
    """A table in one of the spellings that people use; the values are those of the frame."""
    if name == "semicolon and decimal comma":
        return written(folder, frame, sep=";", decimal=",")
    if name == "thousands":
        return written(folder, frame.assign(income=[f"{x:,.2f}" for x in frame.income]))
    if name == "thousands of Germany":
        texts = [f"{x:,.2f} €".translate(str.maketrans(",.", ".,")) for x in frame.income]
        return written(folder, frame.assign(income=texts), sep=";", encoding="cp1252")
    if name == "blanks for thousands":
        texts = [f"{x:,.2f}".replace(",", "\u00a0").replace(".", ",") for x in frame.income]
        return written(folder, frame.assign(income=texts), sep=";")
    if name == "stray spaces":
        padded = frame.assign(grade=frame.grade.map(" {} ".format)).rename(columns={"income": " income "})
        return written(folder, padded, quoting=1)
    if name == "vertical bars":
        return written(folder, frame, "rows.txt", sep="|")
    if name == "tabs":
        return written(folder, frame, "rows.tsv", sep="\t")
    if name in ("utf-8-sig", "latin-1", "cp1252", "utf-16"):
        return written(folder, frame, encoding=name)
    if name in (".csv.gz", ".csv.zst"):
        return _packed(folder, frame, name)
    return _as_other(folder, frame, name)


def _packed(folder, frame, ending):
    import pyarrow as pa

    path, text = folder / f"rows{ending}", frame.to_csv(index=False).encode()
    with pa.CompressedOutputStream(str(path), "gzip" if ending == ".csv.gz" else "zstd") as stream:
        stream.write(text)
    return path


def _as_other(folder, frame, name):
    if name == "folder":
        for grade, part in frame.groupby("grade"):
            (folder / f"rows/grade={grade}").mkdir(parents=True)
            part.drop(columns="grade").to_parquet(folder / f"rows/grade={grade}/part.parquet")
        return folder / "rows"
    path = folder / f"rows.{name}"
    if name == "feather":
        frame.to_feather(path)
    elif name == "parquet":
        frame.to_parquet(path)
    elif name == "jsonl":
        frame.to_json(path, orient="records", lines=True)
    elif name == "xlsx":
        write_sheets(path, {"notes": [["x"], ["y"]], "Rows": [list(frame), *frame.to_numpy().tolist()]})
    return path


def write_sheets(path, sheets):
    """A spreadsheet as programs write one, of numbers and inline texts."""
    import zipfile
    from xml.sax.saxutils import escape

    main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    links = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"

    def cell(value):
        if isinstance(value, str):
            return f'<c t="inlineStr"><is><t>{escape(value)}</t></is></c>'
        return f"<c><v>{value}</v></c>"

    with zipfile.ZipFile(path, "w") as book:
        names = "".join(f'<sheet name="{name}" sheetId="{i}" r:id="r{i}"/>' for i, name in enumerate(sheets, 1))
        book.writestr("xl/workbook.xml", f'<workbook xmlns="{main}" xmlns:r="{links}"><sheets>{names}</sheets></workbook>')
        relations = "".join(f'<Relationship Id="r{i}" Target="worksheets/sheet{i}.xml"/>' for i in range(1, len(sheets) + 1))
        book.writestr("xl/_rels/workbook.xml.rels", f'<Relationships xmlns="x">{relations}</Relationships>')
        for i, lines in enumerate(sheets.values(), 1):
            body = "".join(f"<row>{''.join(map(cell, line))}</row>" for line in lines)
            book.writestr(f"xl/worksheets/sheet{i}.xml", f'<worksheet xmlns="{main}"><sheetData>{body}</sheetData></worksheet>')


SPELLINGS = [
    "semicolon and decimal comma", "thousands", "thousands of Germany", "blanks for thousands", "stray spaces", "vertical bars",
    "tabs", "utf-8-sig", "latin-1", "cp1252", "utf-16", ".csv.gz", ".csv.zst", "feather", "parquet", "jsonl", "xlsx", "folder",
]  # fmt: skip


@pytest.mark.parametrize("name", SPELLINGS)
def test_a_table_is_the_same_however_it_is_spelled(tmp_path, name):
    frame = rows().assign(grade=lambda table: table.grade.map({"a": "größer", "b": "b", "c": "Öl"}))
    path = spelled(frame, tmp_path, name)
    draft = draft_use_case(path, "bad", sheet="Rows" if name == "xlsx" else None)
    table = table_of(draft, tmp_path).frame
    expected = frame.sort_values("grade", kind="stable") if name == "folder" else frame
    columns = ["income", "age", "bad"]
    by_income = table.sort_values("income") if name == "folder" else table
    expected = expected.sort_values("income") if name == "folder" else expected
    np.testing.assert_allclose(by_income[columns].to_numpy("float64"), expected[columns].to_numpy("float64"), rtol=1e-6)
    assert by_income.grade.astype(str).tolist() == expected.grade.tolist()


def test_how_a_file_is_spelled_is_said_and_can_be_overridden(tmp_path):
    draft = drafted(tmp_path, rows(), sep=";", decimal=",", encoding="utf-16")
    assert draft.data_source | {"path": ""} == {"path": "", "separator": ";", "decimal": ",", "encoding": "utf-16"}
    assert any("4 columns between semicolons" in said for said in draft.said)
    (tmp_path / "conf/use_case").mkdir(parents=True)
    (tmp_path / f"conf/use_case/{draft.key}.yaml").write_text(draft.yaml, encoding="utf-8")
    folders = [CONF, tmp_path / "conf"]
    with composer(folders) as compose:
        typed = ["use_case=rows", "data_source.separator='|'", "data_source.na_values=['-']"]
        config = check_job(compose_job(compose, typed, folders))
    assert (config.data_source.separator, config.data_source.na_values) == ("|", ["-"])


def test_a_sheet_that_is_not_there_is_named_with_those_that_are(tmp_path):
    write_sheets(tmp_path / "rows.xlsx", {"A": [["x"], [1]], "B": [["x"], [1]]})
    with pytest.raises(DataError, match="it has no sheet C; its sheets are A, B"):
        draft_use_case(tmp_path / "rows.xlsx", "x", sheet="C")


# A frame, and what cannot be


def test_a_frame_is_drafted_too():
    draft = draft_use_case(rows(), "bad")
    assert types(draft) == {"income": "float", "grade": "category", "age": "int"}
    assert draft.data_source == {"path": "???"}
    assert yaml.safe_load(draft.yaml)["use_case"]["target"] == "bad"


@pytest.mark.parametrize(
    ("target", "said"),
    [("badd", "There is no column badd. Did you mean bad?"), ("same", "every row is 1, so there is nothing to predict")],
)
def test_a_target_that_cannot_be_is_refused_in_a_sentence(tmp_path, target, said):
    with pytest.raises((ConfigError, DataError), match=re.escape(said)):
        drafted(tmp_path, rows().assign(same=1), target)


# The command


def command(*arguments, cwd):
    environment = {"PYTHONPATH": f"{ROOT}:{ROOT}/src", "PATH": "/usr/bin:/bin", "HOME": str(cwd), "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        [sys.executable, "-m", "src.use_cases", "new", *map(str, arguments)],
        cwd=cwd, env=environment, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip


QUICK = ["cv=none", "tracking=none", "registry=none", "n_threads=1", "model.params.n_estimators=20", "hydra.run.dir=run"]


def test_one_command_leads_from_an_odd_file_to_a_model_that_scores_the_same_file(tmp_path):
    frame = rows().assign(bad=lambda table: table.bad.map({1: "bad", 0: "good"}))
    written(tmp_path, frame, "loans.csv", sep=";", decimal=",", encoding="cp1252")
    result = command("loans.csv", "target=bad", "--train", *QUICK, cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert "my_conf/use_case/loans.yaml" in result.stdout
    metrics = json.loads((tmp_path / "run/metrics.json").read_text())
    assert metrics["test_roc_auc"] > 0.7
    from bank_models.scoring.stream import Job, score_file

    model = load_model(tmp_path / "run")
    assert score_file(model, Job(tmp_path / "loans.csv", tmp_path / "scores.csv")).n_scored == N
    assert set(pd.read_csv(tmp_path / "scores.csv").decision) == {"bad", "good"}
    plain = frame.drop(columns="bad").assign(income=frame.income)
    plain.to_csv(tmp_path / "plain.csv", index=False)
    score_file(model, Job(tmp_path / "plain.csv", tmp_path / "plain_scores.csv"))
    pd.testing.assert_series_equal(pd.read_csv(tmp_path / "scores.csv").score, pd.read_csv(tmp_path / "plain_scores.csv").score)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["rows.csv"], "Which column is to be predicted? Add target=COLUMN."),
        (["rows.csv", "target=bad", "model=xgboost"], "model=xgboost is a setting of training: add --train."),
        (["rows.csv", "target=bad", "task=class"], "task=class is not known here: choose binary, multiclass, regression."),
        (["rwos.csv", "target=bad"], "There is no file rwos.csv. Did you mean rows.csv?"),
        (["rows.csv", "target=bad", "key=My Key"], "key=My Key is not a name"),
    ],
)
def test_a_mistyped_command_is_refused_in_a_sentence(tmp_path, arguments, said):
    written(tmp_path, rows())
    code, err = elsewhere(told_in, tmp_path, arguments)
    assert (code, said in err, "Traceback" in err) == (2, True, False), err


def told_in(folder, arguments) -> tuple[int, str]:
    """Exit code and standard error of the command, in a process that need not import the libraries first."""
    os.chdir(folder)
    with contextlib.redirect_stderr(io.StringIO()) as err:
        code = use_cases.main(["new", *arguments])
    return code, err.getvalue()


def test_an_earlier_file_is_not_written_over_unless_asked(tmp_path):
    written(tmp_path, rows())
    assert command("rows.csv", "target=bad", cwd=tmp_path).returncode == 0
    again = command("rows.csv", "target=bad", cwd=tmp_path)
    assert again.returncode == 2
    assert "is there already: add --replace" in again.stderr
    assert command("rows.csv", "target=bad", "--replace", cwd=tmp_path).returncode == 0


# Real tables


@pytest.fixture(scope="module")
def bench():
    spec = importlib.util.spec_from_file_location("bench_drafts", ROOT / "bench/drafts.py")
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


FAST = ["crx", "smarket", "vader_signals"]


@pytest.mark.parametrize("name", FAST)
def test_a_real_table_with_quirks_is_drafted_and_every_row_passes(bench, tmp_path, name):
    target = bench.datasets.entry_of(name).target
    table = bench.export(name, target, tmp_path, list(bench.USE_CASES).index(name), 2_000)
    draft = draft_use_case(table.path, target)
    assert len(table_of(draft, tmp_path).y) == table.n_rows
    assert "Record No" in draft.left_out


@pytest.mark.slow
def test_real_tables_with_quirks_score_as_the_use_cases_written_by_hand(bench):
    lines = [bench.compare(name, number, 20_000, "none") for number, name in enumerate(bench.USE_CASES)]
    assert {line["set"]: line["drafted"].said for line in lines if line["drafted"].code} == {}
    equal = {line["set"]: bench.is_equal(line["drafted"], line["hand"], line["metric"]) for line in lines if line["hand"]}
    assert [name for name, is_so in equal.items() if is_so is False] == []
    assert sum(is_so is True for is_so in equal.values()) >= 20


def test_what_a_draft_may_lack_must_be_there_before_promotion():
    from bank_models.registry.promotion import _described

    use_case = UseCase.model_validate(draft_use_case(rows(), "bad").use_case).model_dump()
    (gate,) = _described({"config": {"use_case": use_case}})
    assert not gate.is_met
    assert gate.reason == "the use case states no id, department, row: add them to its file, and train again"
    stated = use_case | {"id": "UC-RISK-101", "department": "risk", "row": "a loan"}
    assert _described({"config": {"use_case": stated}}) == []


# A time and a value


def series(frequency: str, n: int = 240) -> pd.DataFrame:
    value = 50 + 10 * np.sin(np.arange(n)) + np.random.default_rng(3).normal(size=n)
    return pd.DataFrame(
        {"day": pd.date_range("2015-01-01", periods=n, freq=frequency).strftime("%d.%m.%Y"), "value": value.round(2)}
    )


@pytest.mark.parametrize(("frequency", "season"), [("D", 7), ("B", 5), ("MS", 12), ("QS", 4), ("YS", None)])
def test_a_time_and_a_value_are_forecast_from_earlier_values(tmp_path, frequency, season):
    draft = drafted(tmp_path, series(frequency, 80), "value")
    config = checked(draft, tmp_path)
    assert (config.use_case.series.season, config.data_split.method, config.cv.method) == (season, "temporal", "time_series")
    assert {lag.periods for lag in config.use_case.lags.values() if lag.periods} == {1, season or 1}


def test_a_time_and_a_value_are_trained_on(tmp_path):
    path = written(tmp_path, series("D"))
    (tmp_path / "conf/use_case").mkdir(parents=True)
    (tmp_path / "conf/use_case/rows.yaml").write_text(draft_use_case(path, "value").yaml, encoding="utf-8")
    done = run_warm("--config-dir", tmp_path / "conf", "use_case=rows", f"hydra.run.dir={tmp_path}/run", "cv=none")
    assert done.returncode == 0, done.stderr
    assert re.search(r"rmse .* on 24 test rows of rows.csv   \((worse than )?seasonal", done.stdout)


def test_no_feature_and_no_lag_is_refused():
    draft = draft_use_case(rows(), "bad")
    with pytest.raises(ValidationError, match="features is empty, and there are no lags"):
        UseCase.model_validate(draft.use_case | {"features": {}})


def test_a_weight_that_is_told_is_no_feature_and_weighs_the_rows(tmp_path):
    exposure = np.linspace(0.5, 3.0, N).round(2)
    draft = drafted(tmp_path, rows().assign(exposure=exposure), given={"weight_column": "exposure"})
    assert draft.use_case["weight_column"] == "exposure"
    assert "exposure" not in draft.use_case["features"]
    np.testing.assert_array_equal(table_of(draft, tmp_path).weight, exposure)


def test_a_column_called_like_a_weight_is_asked_about_and_stays_a_feature(tmp_path):
    draft = drafted(tmp_path, rows().assign(sample_weight=np.linspace(0.5, 3.0, N), weight_kg=np.linspace(50, 90, N)))
    assert [doubt for doubt in draft.doubts if "weight" in doubt] == [
        "sample_weight: does it say how much a row counts? Then name it: weight_column=sample_weight"
    ]
    assert {"sample_weight", "weight_kg"} <= set(draft.use_case["features"])


@pytest.mark.parametrize(
    ("given", "why"),
    [({"weight_column": "grade"}, "weight_column=grade holds no numbers: 3 values in 400 rows"),
     ({"weight_column": "bad"}, "weight_column=bad is the target: one column has one role"),
     ({"group_column": "age", "weight_column": "age"}, "group_column=age is the weight_column too: one column has one role"),
     ({"weight_column": "exposure"}, "There is no column exposure.\nColumns: income, grade, age, bad")],
)  # fmt: skip
def test_a_weight_that_cannot_be_one_is_refused_in_a_sentence(tmp_path, given, why):
    with pytest.raises(ConfigError, match=why):
        drafted(tmp_path, rows(), given=given)


@pytest.mark.parametrize(("value", "why"), [(-1.0, "exposure: .*below 0"), (np.nan, "exposure: .*have no weight")])
def test_weights_that_the_rows_cannot_have_are_refused_before_anything_is_written(tmp_path, value, why):
    frame = rows().assign(exposure=1.5)
    frame.loc[3, "exposure"] = value
    with pytest.raises(DataError, match=why):
        drafted(tmp_path, frame, given={"weight_column": "exposure"})


def test_a_role_that_there_is_not_is_no_argument(tmp_path):
    with pytest.raises(TypeError, match="unexpected keyword argument 'weigth_column'"):
        drafted(tmp_path, rows(), given={"weigth_column": "age"})
