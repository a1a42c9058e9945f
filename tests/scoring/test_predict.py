"""Scoring from the command line and from Python, against what the model itself says of the same rows."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import FEW_FOLDS, ROOT, elsewhere, run_warm

from bank_models import predict
from bank_models.config.catalogue import full_name
from bank_models.data import packaged
from bank_models.errors import ConfigError, DataError, IntegrityError
from bank_models.files import manifest
from bank_models.predict import load_model
from bank_models.runs import model_file

LAGS = """\
# @package _global_
defaults:
  - override /data_source: file
  - override /data_split: temporal
  - override /cv: time_series
  - override /model: linear_regression
  - _self_
use_case:
  id: UC-TEST-002
  key: branch_cash
  name: Cash of a branch
  department: test
  row: A branch on a day.
  task: regression
  target: paid_out_eur
  metric: mae
  time_column: day
  group_column: branch
  features:
    weekday: {type: int, min: 0, max: 6}
  lags:
    paid_out_yesterday_eur: {column: paid_out_eur, entity: branch, periods: 1}
"""


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """One of German credit and one of a forecast that looks back, and the rows of both."""
    folder = tmp_path_factory.mktemp("runs")
    _german().to_parquet(folder / "german.parquet")
    _branches().to_parquet(folder / "branches.parquet")
    (folder / "use_case").mkdir()
    (folder / "use_case/branch_cash.yaml").write_text(LAGS)
    for name, arguments in {
        "credit": ["use_case=credit_scoring", "model=xgboost", "calibration=sigmoid", "model.params.n_estimators=40"],
        "cash": ["--config-dir", folder, "use_case=branch_cash", f"data_source.path={folder}/branches.parquet"],
    }.items():
        result = run_warm(f"hydra.run.dir={folder}/{name}", *FEW_FOLDS, "registry=none", *arguments)
        assert result.returncode == 0, result.stderr
    return folder


def _german() -> pd.DataFrame:
    from bank_models.files import yaml_file

    facts = yaml_file.read(ROOT / "conf/use_case/credit_scoring.yaml")["use_case"]
    frame = packaged.load(facts["packaged"], facts["target"]).frame
    return frame.astype({name: "str" for name in frame.columns[frame.dtypes == "category"]})


def _branches() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    days = pd.date_range("2024-01-01", periods=200)
    frame = pd.DataFrame([(day, branch) for branch in ("a", "b") for day in days], columns=["day", "branch"])
    frame["weekday"] = frame.day.dt.day_of_week
    frame["paid_out_eur"] = 100 + np.cumsum(rng.normal(size=len(frame)))
    return frame


@pytest.fixture
def german(runs):
    return pd.read_parquet(runs / "german.parquet")


def score(runs, tmp_path, frame, *words, run="credit", end=".parquet", code=0):
    """Write rows, score them as a user would, and read the scores."""
    given, output = tmp_path / f"rows{end}", tmp_path / f"scores{end}"
    frame.to_parquet(given) if end == ".parquet" else frame.to_csv(given, index=False)
    assert predict.main([f"run_dir={runs / run}", f"input={given}", f"output={output}", *words]) == code
    if code:
        assert not output.exists()
        return None
    return pd.read_parquet(output) if end == ".parquet" else pd.read_csv(output, keep_default_na=False)


def test_scores_decisions_and_versions_are_those_of_the_saved_model(runs, tmp_path, german):
    scored, model = score(runs, tmp_path, german), model_file.load(runs / "credit")
    np.testing.assert_array_equal(scored.score, model.predict_proba(german)[:, 1])
    np.testing.assert_array_equal(scored.decision, model.predict(german))
    assert list(scored) == ["row", "score", "decision", "model_version"]
    assert scored.row.tolist() == list(range(1, 1001))
    assert scored.model_version.str.fullmatch(r"UC-CRED-\d{3}-run-[0-9a-f]{12}").all()
    np.testing.assert_array_equal(scored, load_model(runs / "credit").predict(german).assign(row=scored.row)[list(scored)])


def test_raw_score_and_calibration_give_the_score(runs, german):
    scored = load_model(runs / "credit").predict(german, reasons=4)
    calibrator = model_file.load(runs / "credit").estimator_.estimator.calibrated_classifiers_[0].calibrators[0]
    np.testing.assert_allclose(calibrator.predict(1 / (1 + np.exp(-scored.raw_score))), scored.score, atol=1e-6)


def _hash_of_scores(run_dir: str, rows: str) -> bytes:
    return load_model(Path(run_dir)).predict(pd.read_parquet(rows)).score.to_numpy().tobytes()


def test_a_new_process_gives_the_same_bits(runs, german):
    given = (str(runs / "credit"), str(runs / "german.parquet"))
    assert elsewhere(_hash_of_scores, *given) == _hash_of_scores(*given)


@pytest.mark.parametrize("end", [".csv", ".csv.gz"])
def test_text_scores_as_parquet_does(runs, tmp_path, german, end):
    expected = score(runs, tmp_path, german, "reasons=2")
    scored = score(runs, tmp_path, german, "reasons=2", end=end)
    assert list(scored) == list(expected)
    for name in expected:
        np.testing.assert_array_equal(scored[name], expected[name].fillna(""))


def test_batches_of_any_size_give_what_one_batch_gives(runs, tmp_path, german):
    whole = score(runs, tmp_path, german, "reasons=4")
    for size in (1000, 333, 97):
        pd.testing.assert_frame_equal(score(runs, tmp_path, german, "reasons=4", f"batch_rows={size}"), whole)


def test_an_id_column_stands_beside_each_score_as_it_came(runs, tmp_path, german):
    ids = [f"00{i}" for i in range(len(german))]
    assert score(runs, tmp_path, german.assign(loan=ids), "id_column=loan").loan.tolist() == ids
    score(runs, tmp_path, german.assign(loan=ids), "id_column=loan", end=".csv")
    assert "\n003," in (tmp_path / "scores.csv").read_text().replace('"', "")


def test_the_target_need_not_be_there_and_other_columns_are_left_out(runs, tmp_path, german):
    target = json.loads((runs / "credit/metadata.json").read_text())["config"]["use_case"]["target"]
    without = score(runs, tmp_path, german.drop(columns=target).assign(colour="red"))
    np.testing.assert_array_equal(without.score, score(runs, tmp_path, german).score)


def test_a_bad_cell_is_named_by_column_row_and_value_wherever_it_lies(runs, tmp_path, german, capsys):
    bad = german.astype({"age_years": "float64"})
    bad.loc[800, "age_years"] = 7
    score(runs, tmp_path, bad, "batch_rows=100", code=2)
    message = capsys.readouterr().err
    assert "age_years: 1 value is below the smallest plausible value 18 (row 801: 7.0)" in message
    assert len(message.strip().splitlines()) <= 3
    assert [path.name for path in tmp_path.iterdir()] == ["rows.parquet"]


def test_bad_rows_are_rejected_with_their_reasons_and_the_others_scored(runs, tmp_path, german, capsys):
    text = german.astype("str")
    text.loc[3, "age_years"] = "old"
    text.loc[3, "housing"] = ""
    text.loc[500, "credit_amount_dm"] = "-5"
    scored = score(runs, tmp_path, text, "on_bad_row=reject", "batch_rows=300", end=".csv")
    rejected = pd.read_csv(tmp_path / "scores.rejects.csv")
    assert rejected.row.tolist() == [4, 501]
    assert rejected.reasons[0] == "age_years: not a number ('old'); housing: missing"
    assert rejected.reasons[1].startswith("credit_amount_dm: below the smallest plausible value")
    assert rejected.age_years[0] == "old"
    assert sorted([*scored.row, *rejected.row]) == list(range(1, 1001))
    expected = load_model(runs / "credit").predict(german.drop(index=[3, 500])).score
    np.testing.assert_array_equal(scored.score, expected)
    assert "2 bad rows" in capsys.readouterr().out


def test_rows_with_too_few_cells_are_named_or_rejected(runs, tmp_path, german, capsys):
    given, output = tmp_path / "rows.csv", tmp_path / "scores.csv"
    lines = german.head(50).to_csv(index=False).splitlines()
    lines[10] = "1,2"
    given.write_text("\n".join(lines) + "\n")
    words = [f"run_dir={runs}/credit", f"input={given}", f"output={output}"]
    assert predict.main(words) == 2
    assert "row 10 has 2 cells instead of 21" in capsys.readouterr().err
    assert predict.main([*words, "on_bad_row=reject", f"rejects={tmp_path}/bad.csv"]) == 0
    assert pd.read_csv(tmp_path / "bad.csv").reasons.tolist() == ["2 cells instead of 21"]
    assert pd.read_csv(output).row.tolist() == [*range(1, 10), *range(11, 51)]


def stray_quotes(text: str) -> str:
    lines = [line.split(",") for line in text.split("\n")]
    lines[5][3] = '"' + lines[5][3]
    lines[9][3] += '"'
    return "\n".join(map(",".join, lines))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (stray_quotes, "quote"),
        (lambda text: text[:-1], "no line end after its last row"),
        (lambda text: text.replace("\n", "\0\n", 5), "has a zero byte"),
    ],
)
def test_a_damaged_text_is_not_scored_whatever_is_done_with_bad_rows(runs, tmp_path, german, capsys, change, said):
    (tmp_path / "rows.csv").write_text(change(german.to_csv(index=False)))
    words = [f"run_dir={runs}/credit", f"input={tmp_path}/rows.csv", f"output={tmp_path}/s.csv", "on_bad_row=reject"]
    assert predict.main(words) == 2
    assert said in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["rows.csv"]


def test_a_named_pipe_is_not_waited_for(runs, tmp_path, capsys):
    os.mkfifo(tmp_path / "rows.parquet")
    words = [f"run_dir={runs}/credit", f"input={tmp_path}/rows.parquet", f"output={tmp_path}/s.csv"]
    assert predict.main(words) == 2
    assert "is a named pipe, not a file" in capsys.readouterr().err


def test_when_every_row_is_bad_the_reasons_are_written_and_no_scores(runs, tmp_path, german, capsys):
    words = ["on_bad_row=reject", f"rejects={tmp_path}/bad.parquet"]
    score(runs, tmp_path, german.assign(age_years=3), *words, code=2)
    assert len(pd.read_parquet(tmp_path / "bad.parquet")) == 1000
    assert "None of the 1,000 rows" in capsys.readouterr().err


def test_without_bad_rows_the_rejects_of_an_earlier_run_are_gone(runs, tmp_path, german):
    (tmp_path / "scores.rejects.parquet").write_bytes(b"old")
    score(runs, tmp_path, german, "on_bad_row=reject")
    assert len(pd.read_parquet(tmp_path / "scores.rejects.parquet")) == 0


def test_missing_columns_are_named(runs, tmp_path, german, capsys):
    score(runs, tmp_path, german.drop(columns=["age_years", "housing"]), code=2)
    assert "age_years: not a column of" in capsys.readouterr().err
    with pytest.raises(DataError, match="housing: there is no such column"):
        load_model(runs / "credit").predict(german.drop(columns="housing"))


def test_categories_not_seen_in_training_are_scored_and_counted(runs, tmp_path, german, capsys):
    new = german.copy()
    new.loc[:4, "purpose"] = "space travel"
    scored = score(runs, tmp_path, new, "batch_rows=200")
    assert "purpose: 5 values were not seen in training" in capsys.readouterr().err
    np.testing.assert_array_equal(scored.score, model_file.load(runs / "credit").predict_proba(new)[:, 1])


def test_more_missing_values_than_declared_and_than_chance_explains_are_refused():
    from bank_models.config.feature import Feature
    from bank_models.scoring.statistics import Tally

    features = {"age": Feature(type="float", max_missing=0.1)}
    by_chance, too_many = Tally(n_scored=100), Tally(n_scored=1000)
    by_chance.missing["age"] = 14
    by_chance.check_missing(features)
    too_many.missing["age"] = 140
    with pytest.raises(DataError, match=r"age: 14.0% of the values are missing, at most 10.0% may be"):
        too_many.check_missing(features)


def test_lags_look_back_in_the_input_and_rows_without_history_are_counted(runs, tmp_path, capsys):
    frame = pd.read_parquet(runs / "branches.parquet").sample(frac=1, random_state=0, ignore_index=True)
    newest = frame.day == frame.day.max()
    frame.loc[newest, "paid_out_eur"] = np.nan  # not known yet
    scored = score(runs, tmp_path, frame, "id_column=branch", "batch_rows=50", run="cash")
    before = frame.sort_values("day").groupby("branch").paid_out_eur.shift(1).reindex(frame.index).astype("float32")
    by_hand = model_file.load(runs / "cash").predict(frame.assign(paid_out_yesterday_eur=before))
    np.testing.assert_allclose(scored.score, by_hand, rtol=1e-9)
    assert "2 of 400 rows lack some of the history" in capsys.readouterr().err
    (tmp_path / "scores.parquet").unlink()
    score(runs, tmp_path, frame.drop(columns="paid_out_eur"), run="cash", code=2)
    assert "paid_out_eur: not a column of" in capsys.readouterr().err


def test_a_changed_byte_of_the_model_ends_with_exit_code_4(runs, tmp_path, german, capsys):
    shutil.copytree(runs / "credit", tmp_path / "changed")
    path = tmp_path / "changed/model.skops"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    german.to_parquet(tmp_path / "rows.parquet")
    words = [f"run_dir={tmp_path}/changed", f"input={tmp_path}/rows.parquet", f"output={tmp_path}/s.parquet"]
    assert predict.main(words) == 4
    assert "model.skops is not the file that was written" in capsys.readouterr().err
    with pytest.raises(IntegrityError, match=r"model\.skops"):
        load_model(tmp_path / "changed")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["inptu=x"], r"inptu=x is not a setting. Did you mean input\?"),
        (["input=a.csv"], "output=FILE is missing"),
        (["input=a.csv", "output=b.csv"], r"Which model\?"),
        (["input=a.csv", "output=b.csv", "run_dir=r", "version=1.0.0"], "give one of them"),
        (["input=a.csv", "output=b.csv", "run_dir=r", "reasons=5"], "reasons=5 is not a whole number from 0 to 4"),
        (["input=a.csv", "output=b.csv", "run_dir=r", "on_bad_row=skip"], "choose fail or reject"),
        (["input=a.csv", "output=b.csv", "run_dir=r", "rejects=c.csv"], "rejects=FILE goes with on_bad_row=reject"),
        (["input=a.csv", "input=c.csv", "output=b.csv", "run_dir=r"], "input is given twice"),
    ],
)
def test_words_that_cannot_be_are_refused(words, message):
    with pytest.raises(ConfigError, match=message):
        predict.read(words)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["output=s.xlsx"], "has no known format"),
        (["output=nowhere/s.csv"], "there is no folder nowhere"),
        (["output=rows.parquet"], "must be different files"),
        (["output=s.csv", "run_dir=nowhere"], "There is no folder nowhere"),
        (["output=s.csv", "use_case=fraud"], "use_case=transaction_fraud, but"),
    ],
)
def test_files_that_cannot_be_are_refused_in_three_lines_at_most(runs, tmp_path, german, monkeypatch, capsys, words, message):
    monkeypatch.chdir(tmp_path)
    german.to_parquet("rows.parquet")
    words = ["input=rows.parquet", *words]
    words += [] if any(word.startswith("run_dir") for word in words) else [f"run_dir={runs}/credit"]
    assert predict.main(words) == 2
    error = capsys.readouterr().err
    assert message in error
    assert len(error.strip().splitlines()) <= 3


def test_fraud_is_short_for_transaction_fraud_and_other_names_are_themselves():
    assert full_name("fraud") == "transaction_fraud"
    assert full_name("credit_scoring") == "credit_scoring"
    assert full_name("my_own") == "my_own"


def test_the_registry_gives_the_version_in_production_or_the_one_named(runs, tmp_path, german):
    from bank_models.registry.store import Registry

    registry = Registry(tmp_path / "models")
    registered = registry.register(runs / "credit")
    named = load_model("credit_scoring", registered.version, tmp_path / "models")
    assert named.version == registered.entry["model_id"]
    np.testing.assert_array_equal(named.predict(german).score, load_model(runs / "credit").predict(german).score)
    with pytest.raises(ConfigError, match="production"):
        load_model("credit_scoring", registry_dir=tmp_path / "models")


def test_a_model_that_takes_the_place_of_the_one_the_registry_found_is_not_loaded(runs, tmp_path, monkeypatch):
    from bank_models.registry import store

    version = store.Registry(tmp_path / "models").register(runs / "credit").version
    found = store.find("credit_scoring", version, tmp_path / "models")
    found.folder.chmod(0o755)
    (found.folder / manifest.MANIFEST).chmod(0o644)
    (found.folder / "extra.txt").write_text("another run", encoding="utf-8")
    manifest.write_manifest(found.folder)
    monkeypatch.setattr(store, "find", lambda *ignored: found)
    with pytest.raises(IntegrityError, match="is not the file that was written"):
        load_model("credit_scoring", version, tmp_path / "models")


def test_help_is_quick_and_loading_imports_no_more_than_it_needs(python, runs, tmp_path):
    run = str(runs / "credit")
    code = (
        "import sys; from bank_models import predict; predict.main(['--help'])\n"
        "print(sorted(set(sys.modules) & {'sklearn', 'pandas', 'xgboost', 'numpy', 'pyarrow', 'yaml'}))\n"
        "from pathlib import Path\n"
        "from bank_models.registry.store import Registry\n"
        f"version = Registry(Path({str(tmp_path)!r})).register(Path({run!r})).version\n"
        f"predict.load_model('credit_scoring', version, Path({str(tmp_path)!r}))\n"
        "print(sorted(set(sys.modules) & {'hydra', 'omegaconf', 'optuna', 'bank_models.train', 'bank_models.tuning', 'torch'}))"
    )
    result = python("-c", code)
    assert result.stdout.splitlines()[-2:] == ["[]", "[]"], result.stdout + result.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_run_that_is_stopped_leaves_nothing_and_an_earlier_output_as_it_was(runs, tmp_path, german, number):
    pd.concat([german] * 300).to_parquet(tmp_path / "rows.parquet")
    (tmp_path / "scores.csv").write_text("earlier")
    words = [f"run_dir={runs}/credit", f"input={tmp_path}/rows.parquet", f"output={tmp_path}/scores.csv", "batch_rows=2000"]
    process = subprocess.Popen([sys.executable, "-m", "src.predict", *words], cwd=ROOT, stderr=subprocess.PIPE, text=True)
    while not list(tmp_path.glob(".scores.csv-*/rows")) and process.poll() is None:
        time.sleep(0.02)
    process.send_signal(number)
    error = process.communicate(timeout=60)[1]
    assert (tmp_path / "scores.csv").read_text() == "earlier"
    if number == signal.SIGKILL:  # nobody can clean up, but the next run does
        score(runs, tmp_path, german.head(20), end=".csv")
    else:
        assert process.returncode == 128 + number
        assert "Interrupted" in error
    assert sorted(path.name for path in tmp_path.iterdir() if path.name.startswith(".")) == []


def test_memory_does_not_grow_with_the_rows(runs, tmp_path, german, python):
    """Peaks of two processes, one with ten times the rows."""
    peaks = []
    for copies in (30, 300):
        many = pa.Table.from_pandas(pd.concat([german] * copies, ignore_index=True))
        pq.write_table(many, tmp_path / "rows.parquet", row_group_size=1 << 20)
        words = [f"run_dir={runs}/credit", f"input={tmp_path}/rows.parquet", f"output={tmp_path}/s.parquet", "batch_rows=10000"]
        result = python(
            "-c", f"from bank_models import predict; predict.main({words}); print(open('/proc/self/status').read())"
        )
        peaks.append(int(result.stdout.split("VmHWM:")[1].split()[0]) / 1024)
    assert peaks[1] < peaks[0] + 30, peaks
