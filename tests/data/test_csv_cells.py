"""No CSV that a person opens holds a formula, and whoever reads it back here gets what was written."""

import csv
import io

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from conftest import run_warm

from bank_models import predict
from bank_models.data import csv_cells
from bank_models.sweeps import results

FORMULAS = ["=cmd|' /C calc'!A0", "@SUM(1)", "+cmd()", "-2+3", "\t=1", "\r=1", "\n=1", "-", "+49 170", "'=1", "''@x", "-1\n"]
HARMLESS = ["a", "", "-1.5", "+3", "-.5e-7", "'quoted'", "a=b", " =1", "\N{ARABIC-INDIC DIGIT ONE}"]
USE_CASE = """\
# @package _global_
defaults:
  - override /data_source: file
  - override /model: logistic_regression
  - _self_
use_case:
  id: UC-TEST-003
  key: shops
  name: Payments in shops
  department: test
  row: A payment.
  task: binary
  target: returned
  metric: roc_auc
  protected: [branch]
  favourable: 0
  features:
    amount_eur: {type: float}
    shop: {type: category}
"""


@pytest.mark.parametrize("text", FORMULAS, ids=ascii)
def test_a_formula_becomes_a_text_and_can_be_read_back(text):
    assert csv_cells.escaped(text) == f"'{text}"
    assert csv_cells.unescaped(f"'{text}") == text


@pytest.mark.parametrize("cell", [*HARMLESS, -1.5, 3, None, True], ids=ascii)
def test_plain_numbers_and_other_texts_stay_as_they_are(cell):
    assert csv_cells.escaped(cell) is cell
    assert csv_cells.unescaped(cell) is cell


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string()], ids=str)
@pytest.mark.parametrize(
    "texts", [[*FORMULAS, *HARMLESS, None], HARMLESS, [None, ""], []], ids=["both", "harmless", "empty", "none"]
)
def test_arrow_escapes_the_same_texts(kind, texts):
    column = pa.chunked_array([pa.array(texts, kind), pa.array([], kind), pa.array(["-", *texts], kind).slice(1)])
    found = csv_cells.escaped_table(pa.table({"@name": column, "number": pa.array(range(len(column)))}))
    assert found.column_names == ["'@name", "number"]
    assert found["'@name"].to_pylist() == [csv_cells.escaped(text) for text in texts * 2]
    assert found["'@name"].type == kind


def test_a_table_is_read_back_as_it_was_written():
    texts = [*FORMULAS, *HARMLESS]
    frame = pd.DataFrame({"=name": texts, "mixed": [1.5, -2, *texts[2:]], "n": range(len(texts))})
    text = csv_cells.text_of_frame(frame)
    read = pd.read_csv(io.StringIO(text, newline=""), keep_default_na=False, dtype={"'=name": str, "mixed": object})
    assert no_formulas(text)
    assert csv_cells.unescaped_frame(read).to_dict("list") == frame.astype({"mixed": str}).to_dict("list")


def test_a_table_without_formulas_is_written_as_pandas_does():
    frame = pd.DataFrame({"a": ["x,y", None, 'q"q', "-1.5"], "b": [-1.0, np.nan, np.inf, 3], "c": pd.Categorical(list("uvvu"))})
    assert csv_cells.text_of_frame(frame) == frame.to_csv(index=False)


def test_no_row_begins_in_the_middle_of_a_text():
    hidden = "shop\r=cmd()"
    for text in (csv_cells.text_of_frame(pd.DataFrame({"a": [hidden]})), csv_cells.text_of(["a"], [{"a": hidden}])):
        assert list(csv.reader(io.StringIO(text, newline=""))) == [["a"], [hidden]]


def test_the_table_of_a_sweep_holds_no_formulas():
    row = dict.fromkeys(results.COLUMNS) | {"use_case": "=a()", "reason": "@b", "value": -0.5, "differs": {"-key": "=c()"}}
    text = results.as_csv([row])
    assert no_formulas(text)
    assert "'=a()" in text
    assert ",-0.5," in text


@pytest.fixture(scope="module")
def shops(tmp_path_factory):
    """A run whose category is called like a formula, and its rows."""
    folder = tmp_path_factory.mktemp("shops")
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {"amount_eur": rng.normal(size=1500).round(3), "shop": rng.choice(["@SUM(1)", "-2+3", "plain", "plain"], 1500)}
    )
    frame["branch"] = rng.choice(["@SUM(1)", "+2"], 1500)
    frame["returned"] = (frame.amount_eur + (frame.shop == "plain") + rng.normal(size=1500) > 0).astype(int)
    frame["ref"] = [f"=REF({row})" for row in range(len(frame))]
    frame.to_csv(folder / "shops.csv", index=False)
    (folder / "use_case").mkdir()
    (folder / "use_case/shops.yaml").write_text(USE_CASE)
    own = ["--config-dir", folder, "use_case=shops", f"data_source.path={folder}/shops.csv", "cv.n_folds=2", "registry=none"]
    result = run_warm(f"hydra.run.dir={folder}/run", *own)
    assert result.returncode == 0, result.stderr
    return folder


def test_no_csv_of_a_run_holds_a_formula_and_its_pages_show_the_names_as_they_are(shops):
    tables = {path.name: path.read_text() for path in (shops / "run").rglob("*.csv")}
    assert {name for name, text in tables.items() if not no_formulas(text)} == set()
    named = {name for name, text in tables.items() if "'@SUM(1)" in text}
    assert named >= {"fairness.csv", "contributions.csv", "dependence.csv"}
    for page in ("report.html", "model_card.md"):
        text = (shops / "run" / page).read_text()
        assert "@SUM(1)" in text
        assert not any(f"{sign}@SUM(1)" in text for sign in ("'", "&#39;", "&#x27;", "\\u0027"))


def score(shops, output, *words) -> pd.DataFrame:
    given = [f"run_dir={shops}/run", f"input={shops}/shops.csv", f"output={output}", "id_column=ref", "reasons=2", *words]
    assert predict.main(given) == 0
    return pd.read_parquet(output) if output.suffix == ".parquet" else pd.read_csv(output)


def test_scores_for_a_spreadsheet_hold_no_formulas(shops, tmp_path):
    scored = score(shops, tmp_path / "scores.csv")
    assert no_formulas((tmp_path / "scores.csv").read_text())
    assert scored.ref[0] == "'=REF(0)"
    assert {"'@SUM(1)", "'-2+3"} <= set(scored.reason_1_value) | set(scored.reason_2_value)


def test_scores_for_programs_are_as_they_came(shops, tmp_path):
    plain = score(shops, tmp_path / "plain.csv", "escape_formulas=false")
    parquet = score(shops, tmp_path / "scores.parquet")
    assert list(plain.ref) == list(parquet.ref) == list(pd.read_csv(shops / "shops.csv").ref)
    assert "@SUM(1)" in set(plain.reason_1_value) | set(plain.reason_2_value)


def test_rejected_rows_hold_no_formulas(shops, tmp_path):
    frame = pd.read_csv(shops / "shops.csv").astype({"amount_eur": object})
    frame.loc[3, "amount_eur"] = "=HYPERLINK(1)"
    frame.to_csv(tmp_path / "rows.csv", index=False)
    words = [f"run_dir={shops}/run", f"input={tmp_path}/rows.csv", f"output={tmp_path}/out.csv", "on_bad_row=reject"]
    assert predict.main([*words, "id_column=ref"]) == 0
    text = (tmp_path / "out.rejects.csv").read_text()
    assert no_formulas(text)
    assert "'=HYPERLINK(1)" in text
    assert "'=REF(3)" in text


def test_another_word_than_true_or_false_is_refused(capsys):
    assert predict.main(["run_dir=a", "input=a.csv", "output=b.csv", "escape_formulas=no"]) == 2
    assert capsys.readouterr().err == "escape_formulas=no is not known: choose true or false.\n"


def no_formulas(text: str) -> bool:
    """Whether no cell of a CSV begins as a formula does, numbers apart."""
    cells = [cell for line in csv.reader(io.StringIO(text, newline="")) for cell in line]
    return not any(cell[:1] in set("=+-@\t\r\n") and not is_number(cell) for cell in cells if cell)


def is_number(cell: str) -> bool:
    try:
        return cell == cell.strip() and float(cell) is not None
    except ValueError:
        return False
