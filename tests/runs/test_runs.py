"""What `python -m src.runs` says of the runs on this machine."""

import json
import shlex
import shutil

import pytest

from bank_models.errors import ConfigError
from bank_models.runs import listing
from bank_models.runs.__main__ import main
from bank_models.runs.writer import closing_line


@pytest.fixture(scope="module")
def root(tmp_path_factory, run_of):
    """Two runs of one use case and model that differ in a parameter and the seed of the folds, one of another, and rubbish."""
    folder = tmp_path_factory.mktemp("runs")
    shutil.copytree(run_of("binary"), folder / "a")
    shutil.copytree(run_of("binary"), folder / "deep/b")
    shutil.copytree(run_of("regression"), folder / "c")
    facts = json.loads((folder / "deep/b/metadata.json").read_text())
    facts["params"] = {name: 7 if number == 0 else value for number, (name, value) in enumerate(facts["params"].items())}
    facts["created_at"] = "2099-01-01T00:00:00Z"
    facts["config"]["n_threads"] = 77  # changes no number
    (folder / "deep/b/metadata.json").write_text(json.dumps(facts))
    metrics = json.loads((folder / "deep/b/metrics.json").read_text())
    (folder / "deep/b/metrics.json").write_text(json.dumps(metrics | {"val_score": metrics["val_score"] + 0.1}))
    (folder / "broken").mkdir()
    (folder / "broken/metadata.json").write_text("{")
    return folder


def said(capsys, *argv: str) -> str:
    assert main(list(argv)) == 0
    return capsys.readouterr().out


def test_runs_are_listed_the_newest_first_with_what_tells_alike_ones_apart(root, capsys):
    rows = json.loads(said(capsys, "list", "--root", str(root), "--json"))
    assert rows[0]["run"] == str(root / "deep/b")
    assert len(rows) == 3
    changed = next(row for row in rows if row["run"].endswith("deep/b"))["differs"]
    assert changed.endswith("=7")
    assert "n_threads" not in changed
    assert next(row for row in rows if row["run"].endswith("/c"))["differs"] == ""
    table = said(capsys, "list", "--root", str(root))
    assert all(str(root / name) in table for name in ("a", "deep/b", "c"))


def test_a_run_that_cannot_be_read_is_named_and_hides_no_other(root, capsys):
    assert main(["list", "--root", str(root)]) == 0
    assert f"{root}/broken cannot be read" in capsys.readouterr().err


def test_filters_let_through_what_they_name_and_others_are_refused(root, capsys):
    rows = json.loads(said(capsys, "list", "task=regression", "--root", str(root), "--json"))
    assert [row["run"] for row in rows] == [str(root / "c")]
    assert json.loads(said(capsys, "list", "task=regression,binary", "--last", "2", "--root", str(root), "--json"))[1:]
    with pytest.raises(ConfigError, match="colour=red is not a filter"):
        listing.chosen([], ["colour=red"])


def test_the_best_run_is_the_one_with_the_best_score_on_val(root, capsys):
    rows = json.loads(said(capsys, "best", "--root", str(root), "--json"))
    assert {row["run"] for row in rows} == {str(root / "deep/b"), str(root / "c")}


def test_a_run_is_shown_with_its_settings_rows_and_files(root, capsys):
    about = json.loads(said(capsys, "show", str(root / "a"), "--json"))
    assert set(about["rows"]) == {"train", "val", "test"}
    assert "metrics.json" in about["files"]
    text = said(capsys, "show", str(root / "a"))
    assert about["settings"]["model"] in text


def test_runs_on_the_same_rows_are_compared_by_a_paired_test(root, capsys):
    found = json.loads(said(capsys, "compare", str(root / "a"), str(root / "deep/b"), "--json"))
    assert list(found["settings"].values()) == [[found["settings"][name][0], 7] for name in found["settings"]]
    (test,) = found["tests"]
    assert (test["gain"], test["p_value"]) == (0, 1)  # the same predictions
    assert "no different beyond chance" in test["said"]
    assert next(iter(found["metrics"])) == f"test_{test['metric']}"
    assert "no different" in said(capsys, "compare", str(root / "a"), str(root / "deep/b"))


@pytest.mark.parametrize("words", [["list", "task=binary"], ["compare", "{root}/a", "{root}/deep/b"]])
def test_what_is_printed_below_runs_of_a_use_case_shows_them_on_one_page(root, capsys, tmp_path, words):
    from bank_models.report.__main__ import main as report

    last = said(capsys, *(word.format(root=root) for word in words), "--root", str(root)).splitlines()[-1]
    what, _, command = last.partition(": python -m src.report ")
    assert what == "On one page"
    assert report([*shlex.split(command), "--out", str(tmp_path / "page.html")]) == 0
    assert (tmp_path / "page.html").is_file()


def test_the_fit_of_a_stage_of_dvc_is_no_run_that_cannot_be_read(tmp_path, capsys):
    (tmp_path / "model").mkdir()
    for name in ("fit.json", "manifest.json"):
        (tmp_path / "model" / name).write_text("{}")
    assert main(["list", "--root", str(tmp_path)]) == 0
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["compare", "a"], "takes two run folders or more"),
        (["show"], "takes one run folder"),
        (["show", "/nowhere"], "/nowhere is not a run folder"),
        (["lst"], "invalid choice: 'lst'"),
    ],
)
def test_a_mistake_is_explained(words, message, capsys):
    assert main(words) == 2
    assert message in capsys.readouterr().err


def test_runs_of_different_use_cases_are_not_compared(root, capsys):
    assert main(["compare", str(root / "a"), str(root / "c")]) == 2
    assert "different use cases" in capsys.readouterr().err


def test_a_run_with_other_settings_takes_the_place_of_an_earlier_one_which_is_kept(train, tmp_path, capsys):
    chosen = ("use_case=credit_scoring", "model=dummy", "cv=none")
    assert train(*chosen).returncode == 0
    first = (tmp_path / "run/metadata.json").read_bytes()
    again = train(*chosen)
    assert not (tmp_path / "history").exists()  # the same settings: the new run says all that the earlier one said
    other = train(*chosen, "data_split.random_state=7")
    assert (again.returncode, other.returncode) == (0, 0)
    assert "had other settings: it is kept in" in other.stderr
    assert json.loads((tmp_path / "history/run-1/metadata.json").read_text())["config"] == json.loads(first)["config"]
    assert train(*chosen).returncode == 0
    assert sorted(path.name for path in (tmp_path / "history").iterdir()) == ["run-1", "run-2"]
    rows = json.loads(said(capsys, "list", "--root", str(tmp_path), "--json"))
    assert len(rows) == 3


@pytest.mark.parametrize(
    ("metric", "value", "baseline", "named", "said"),
    [
        ("roc_auc", 0.7, 0.5, "prior", "base rate alone 0.500"),
        ("rmse", 1610.0, 1435.4, "mean", "worse than mean alone 1,435, lower is better"),
        ("r2", -0.2, 0.0, "seasonal_naive", "worse than seasonal naive 0.000"),
    ],
)
def test_the_last_line_says_in_words_what_a_model_is_worse_than(metric, value, baseline, named, said):
    facts = {
        "metric": metric, "baseline": named, "use_case_key": "loans", "model": "xgboost", "cross_validation": None,
        "split": {"n_rows": {"test": 40}}, "data": {"kind": "file"}, "config": {"data_source": {"path": "loans.csv"}},
    }  # fmt: skip
    line = closing_line(facts, {f"test_{metric}": value, f"baseline_{metric}": baseline})
    assert line.endswith(f"on 40 test rows of loans.csv   ({said})")
