"""One page for several runs of a use case."""

import json
import re
import shutil

import numpy as np
import pyarrow.parquet as pq
import pytest
from browser import WIDTHS, check_draws, check_fits, needs_chromium, violations
from conftest import run_warm
from scipy.stats import norm
from sklearn.metrics import roc_auc_score

from bank_models.report import comparison
from bank_models.report.__main__ import main
from bank_models.runs.comparison import difference, of_folder

HOSTILE = "<script>alert(1)</script>"


@pytest.fixture(scope="module")
def credit(tmp_path_factory):
    """Three runs of credit scoring: two on the same test rows, one on others."""
    root = tmp_path_factory.mktemp("credit")
    about = {"first": [], "second": ["model.params.C=0.001"], "elsewhere": ["data_split.random_state=7"]}
    for name, overrides in about.items():
        fast = ("use_case=credit_scoring", "~use_case.benchmarks.scorecard", "cv=none")
        result = run_warm(*fast, *overrides, f"hydra.run.dir={root}/{name}")
        assert result.returncode == 0, result.stderr
    return root


def rows_of(html: str, caption: str) -> dict[str, list[str]]:
    """Cells of a table by the head of their row, as text."""
    table = html[html.index(f"<caption>{caption}") :].split("</table>")[0]
    texts = lambda row: [re.sub(r"<[^>]*>", "", cell) for cell in re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row)]  # noqa: E731
    return {cells[0]: cells[1:] for cells in map(texts, table.split("<tr>")[2:])}


def test_a_page_shows_the_paired_difference_of_runs_on_the_same_rows(credit):
    html = comparison.render([credit / "first", credit / "second"])
    rows = rows_of(html, "On test, with intervals")
    expected = difference(of_folder(credit / "second"), of_folder(credit / "first"))
    assert expected.test == "DeLong"
    shown = [float(text.replace("\N{MINUS SIGN}", "-")) for text in rows["second"][3:7]]
    assert shown == pytest.approx([expected.gain, expected.low, expected.high, expected.p_value], rel=6e-3)
    y, score = (pq.read_table(credit / "second/test_scores.parquet")[name].to_numpy() for name in ("y_true", "score"))
    assert float(rows["second"][0]) == pytest.approx(roc_auc_score(y, score), rel=6e-3)
    assert rows["first"][3:] == ["\N{EN DASH}"] * 5


def test_decisions_that_differ_are_counted_and_judged(credit):
    a, b = (pq.read_table(credit / name / "test_scores.parquet").to_pandas() for name in ("first", "second"))
    rows = rows_of(comparison.render([credit / "first", credit / "second"]), "Test rows that a run decides otherwise")
    apart = (a["decision"] != b["decision"]).to_numpy()
    right = int(np.sum(apart & (b["decision"] == b["y_true"]).to_numpy()))
    assert [int(text) for text in rows["second"][:3]] == [apart.sum(), right, apart.sum() - right]


def test_runs_on_other_rows_are_said_to_be_so_and_left_out_of_the_curves(credit):
    html = comparison.render([credit / "first", credit / "second", credit / "elsewhere"])
    assert "The test rows of elsewhere are not those of first." in html
    assert "2 runs on the same 100 test rows." in html
    assert set(rows_of(html, "Test rows that a run decides otherwise")) == {"second"}
    assert "corrected for each other (Bonferroni)" in html
    alone = comparison.render([credit / "first", credit / "elsewhere"])
    assert 'id="curves"' not in alone
    assert 'id="disagreements"' not in alone


def test_several_gains_have_wider_intervals_than_one(credit):
    ends = lambda html: [float(x.replace("\N{MINUS SIGN}", "-")) for x in rows_of(html, "On test,")["second"][4:6]]  # noqa: E731
    one = ends(comparison.render([credit / "first", credit / "second"]))
    of_two = ends(comparison.render([credit / "first", credit / "second", credit / "elsewhere"]))
    wider = norm.ppf(0.9875) / norm.ppf(0.975)
    assert (of_two[1] - of_two[0]) / (one[1] - one[0]) == pytest.approx(wider, rel=0.02)


def test_a_copy_of_a_run_is_not_told_apart_from_it(credit, tmp_path):
    html = comparison.render([credit / "first", shutil.copytree(credit / "first", tmp_path / "copy")])
    copied = rows_of(html, "On test, with intervals")["copy"]
    assert (copied[3], *copied[-2:]) == ("0", "1.000", "not told apart")
    assert rows_of(html, "Test rows that a run decides otherwise")["copy"][0] == "0"


def test_a_folder_that_is_given_twice_is_refused(credit, capsys):
    assert main(["compare", str(credit / "first"), str(credit / "first")]) == 2
    assert "first was given twice: a run cannot be compared with itself." in capsys.readouterr().err


def test_folders_are_told_apart_by_as_much_of_their_path_as_it_takes(tmp_path):
    assert comparison.names_of([tmp_path / "a/xgboost", tmp_path / "a/lightgbm"]) == ["xgboost", "lightgbm"]
    assert comparison.names_of([tmp_path / "a/xgboost", tmp_path / "b/xgboost"]) == ["a/xgboost", "b/xgboost"]


def test_the_command_writes_a_page_without_links_or_handlers(credit, tmp_path, capsys):
    out = tmp_path / "page.html"
    assert main(["compare", str(credit / "first"), str(credit / "second"), "--out", str(out)]) == 0
    assert capsys.readouterr().out.strip().endswith("page.html")
    html = out.read_text()
    assert len(html.encode()) < 400_000
    assert not re.search(r"\s(?:src|href)=\"(?!#|data:)", html)
    assert not re.search(r"<[^>]*\son\w+=", html.split("<script>")[0])


def test_a_hostile_name_of_a_folder_stays_a_name(credit, tmp_path):
    (tmp_path / HOSTILE.replace("/", "_")).symlink_to(credit / "second")
    html = comparison.render([credit / "first", credit / "second"])
    assert html.count("<script>") == comparison.render([credit / "first", tmp_path / HOSTILE.replace("/", "_")]).count(
        "<script>"
    )


@pytest.mark.parametrize("n", [0, 1, 7])
def test_too_few_or_too_many_runs_are_refused(credit, n, capsys):
    assert main(["compare", *[str(credit / "first")] * n]) == 2
    assert f"compares 2 to 6 runs, but got {n}." in capsys.readouterr().err


def test_runs_of_two_use_cases_are_refused(credit, run_of, capsys):
    assert main(["compare", str(credit / "first"), str(run_of("clustering"))]) == 2
    said = capsys.readouterr().err
    assert "The runs are of credit_scoring and risk_parity: scores of different problems do not compare." in said


@pytest.fixture(scope="module")
def written(credit):
    """The page of all three runs, as the command writes it."""
    out = credit / "comparison.html"
    assert main(["compare", *(str(credit / name) for name in ("first", "second", "elsewhere")), "--out", str(out)]) == 0
    return out


@needs_chromium
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS)
def test_the_page_fits_every_window_without_an_error_or_a_request(browser, written, width, scheme):
    page, faults = browser(written, viewport={"width": width, "height": 900}, color_scheme=scheme)
    assert len(page.query_selector_all("figure canvas")) == 2
    check_fits(page, width)
    check_draws(page)
    assert faults == []


@needs_chromium
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_that_keeps_anybody_out(browser, written, scheme):
    page, _ = browser(written, viewport={"width": 1280, "height": 900}, color_scheme=scheme)
    assert violations(page) == []


@needs_chromium
def test_every_recorded_number_of_the_page_is_the_one_in_the_folder_of_its_run(browser, written, credit):
    page, _ = browser(written)
    shown = page.locator("data[data-run]").evaluate_all(
        "all => all.map((one) => [one.value, one.textContent, {...one.dataset}])"
    )
    assert len(shown) > 50
    assert {origin["run"] for _, _, origin in shown} == {"first", "second", "elsewhere"}
    for value, text, origin in shown:
        name, place = (
            ("metrics.json", [origin["metric"]]) if "metric" in origin else ("metadata.json", origin["fact"].split("/"))
        )
        recorded = json.loads((credit / origin["run"] / name).read_text())
        for key in place:
            recorded = recorded[key]
        assert float(value) == recorded, origin
        assert float(text.replace(",", "").replace("\N{MINUS SIGN}", "-")) == pytest.approx(recorded, rel=6e-3), origin


def test_the_best_value_of_a_metric_is_named_and_counts_have_none(credit):
    rows = rows_of(comparison.render([credit / "first", credit / "second"]), "Metrics on test")
    losses = [json.loads((credit / name / "metrics.json").read_text())["test_log_loss"] for name in ("first", "second")]
    assert rows["Log loss"][-1] == ("first" if losses[0] < losses[1] else "second")
    assert rows["True positives"][-1] == "\N{EN DASH}"
