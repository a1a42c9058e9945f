import csv
import errno
import html
import io
import json
import os
import re
import shlex
import shutil
import subprocess
from datetime import UTC, datetime

import pandas as pd
import pytest
from conftest import run_warm
from scoreboard_runs import METRICS, facts, write_portfolio, write_run

from bank_models.config.catalogue import CONF, catalogue
from bank_models.files import writing
from bank_models.registry.store import Registry
from bank_models.scoreboard import __main__ as command_line
from bank_models.scoreboard import page, runs
from bank_models.scoreboard import skill as lifts
from bank_models.scoreboard.checks import judge, verdict

HOSTILE = "<script>alert(1)</script>\"'&|=[x](javascript:alert(1))"


@pytest.fixture
def root(tmp_path):
    folder = tmp_path / "runs"
    folder.mkdir()
    return folder


@pytest.fixture
def make(root, tmp_path):
    """The scoreboard of the runs that were written."""
    return lambda: command_line.make([root], tmp_path / "models")


def row_of(board: dict, use_case: str) -> dict:
    return next(row for row in board["use_cases"] if row["use_case"] == use_case)


def run(*arguments) -> int:
    return command_line.main([str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A sweep of a real training, a refused job among its two."""
    sweep = tmp_path_factory.mktemp("swept") / "sweep"
    result = run_warm("--multirun", "use_case=credit_scoring", "model=dummy,linear_regression", f"hydra.sweep.dir={sweep}")
    assert (sweep / "credit_scoring/dummy/metrics.json").is_file(), result.stdout + result.stderr
    (sweep / "said").write_text(result.stdout)
    return sweep


def test_every_number_of_a_training_is_the_one_in_its_files(trained, tmp_path):
    row = row_of(command_line.make([trained], tmp_path), "credit_scoring")
    run_dir = trained / "credit_scoring/dummy"
    numbers = json.loads((run_dir / "metrics.json").read_text())
    record = json.loads(run_dir.with_name("dummy.json").read_text())
    recorded = {
        "value": "test_roc_auc", "ci_low": "test_roc_auc_ci_low", "ci_high": "test_roc_auc_ci_high",
        "baseline": "baseline_roc_auc", "gain": "gain_roc_auc", "gain_ci_low": "gain_roc_auc_ci_low",
        "gain_ci_high": "gain_roc_auc_ci_high",
    }  # fmt: skip
    assert {name: row[name] for name in recorded} == {name: numbers.get(key) for name, key in recorded.items()}
    assert (row["seconds"], row["peak_mb"]) == (record["seconds"], record["peak_mb"])
    assert (row["model"], row["data"], row["rows"], row["run_dir"]) == ("dummy", "real", 1000, str(run_dir))
    assert {gate["name"] for gate in row["gates"]} >= {"integrity", "gain"}


def test_the_memory_of_a_run_that_no_sweep_counted_is_the_most_that_was_seen(run_of, tmp_path):
    row = row_of(command_line.make([run_of("binary")], tmp_path), "fair_lending")
    assert row["peak_mb"] == pd.read_csv(run_of("binary") / "resources.csv").memory_mb.max()


def test_a_sweep_says_how_to_see_it_as_one_page(trained):
    (said,) = re.findall(r"As one page: python -m src\.scoreboard (.+)", (trained / "said").read_text())
    assert run(*shlex.split(said)) == 0
    assert (trained / "scoreboard.html").is_file()


def test_a_refused_job_stands_beside_the_model_that_was_trained(trained, tmp_path):
    (failure,) = row_of(command_line.make([trained], tmp_path), "credit_scoring")["failures"]
    assert (failure["model"], failure["status"]) == ("linear_regression", "refused")
    assert failure["reason"]


def test_use_cases_that_were_never_trained_are_shown_as_such(make, root):
    write_run(root / "credit_scoring/xgboost")
    board = make()
    assert [row["use_case"] for row in board["use_cases"]] == [entry["key"] for entry in catalogue([CONF])]
    assert {row["state"] for row in board["use_cases"] if row["use_case"] != "credit_scoring"} == {"not trained"}
    assert (board["totals"]["use_cases"], board["totals"]["trained"], board["totals"]["not_trained"]) == (64, 1, 63)
    text = page.as_html(board, "runs/", str)
    assert text.count('data-state="not trained"') == 63


def test_the_fit_of_a_stage_of_dvc_is_no_broken_run(make, root):
    run_dir = write_run(root / "credit_scoring/run")
    shutil.copytree(run_dir, root / "credit_scoring/model")
    (root / "credit_scoring/model/metadata.json").rename(root / "credit_scoring/model/fit.json")
    board = make()
    assert board["unreadable"] == []
    assert row_of(board, "credit_scoring")["state"] == "green"


def test_a_use_case_of_ones_own_gets_a_row(make, root):
    write_run(root / "card_upgrade/xgboost")
    assert row_of(make(), "card_upgrade")["state"] == "green"


def test_totals_of_departments_add_up(make, root):
    write_portfolio(root, catalogue([CONF])[:20])
    board = make()
    for name in ("use_cases", "trained", "green", "not_trained", "seconds"):
        assert sum(one[name] for one in board["departments"]) == pytest.approx(board["totals"][name])
    assert len(board["departments"]) == 8


@pytest.mark.parametrize(
    ("metric", "baseline", "ceiling", "value", "share", "of"),
    [
        ("roc_auc", 0.5, None, 0.8, 0.6, "perfect"),
        ("roc_auc", 0.5, 0.9, 0.8, 0.75, "ceiling"),
        ("mae", 400.0, None, 100.0, 0.75, "perfect"),
        ("mae", 400.0, 80.0, 100.0, 0.9375, "ceiling"),
        ("mae", 400.0, None, 500.0, -0.25, "perfect"),
    ],
)
def test_the_lift_of_a_case_worked_by_hand(root, metric, baseline, ceiling, value, share, of):
    gain = baseline - value if metric == "mae" else value - baseline
    numbers = {f"baseline_{metric}": baseline, f"test_{metric}": value, f"gain_{metric}": gain}
    numbers |= {f"gain_{metric}_ci_low": gain / 2, f"gain_{metric}_ci_high": gain * 2}
    numbers |= {} if ceiling is None else {f"ceiling_{metric}": ceiling}
    found = lifts.skill_score(runs.read(write_run(root / "a/b", facts("a", metric=metric), numbers), root))
    assert (found.share, found.low, found.high, found.of) == (pytest.approx(share), found.share / 2, found.share * 2, of)


def test_there_is_no_lift_without_a_baseline_or_a_way_to_go(root):
    clusters = {"silhouette": 0.4, "stability": 0.9}
    at_the_top = METRICS | {"baseline_roc_auc": 1.0}
    assert lifts.skill_score(runs.read(write_run(root / "a/b", facts("a", metric="silhouette"), clusters), root)) is None
    assert lifts.skill_score(runs.read(write_run(root / "a/c", facts("a"), at_the_top), root)) is None


@pytest.mark.parametrize(
    ("about", "numbers", "gate", "colour"),
    [
        ({}, {}, "gain", "green"),
        ({}, {"gain_roc_auc_ci_low": -0.01}, "gain", "amber"),
        ({}, {"gain_roc_auc": -0.1, "gain_roc_auc_ci_low": -0.2, "gain_roc_auc_ci_high": 0.1}, "gain", "red"),
        ({"about": {"minimum_score": 0.79}}, {}, "score", "green"),
        ({"about": {"minimum_score": 0.81}}, {}, "score", "red"),
        ({"monotone": {"age": 1}}, {}, "directions", "green"),
        ({"monotone": {"age": 1}, "monotone_violations": {"age": 1e-9}}, {}, "directions", "green"),
        ({"monotone": {"age": 1}, "monotone_violations": {"age": 0.2}}, {}, "directions", "amber"),
        (
            {"monotone": {"age": 1}, "monotone_violations": {"age": 0.2}, "about": {"requires_monotone": True}},
            {},
            "directions",
            "red",
        ),
        ({}, {"demographic_parity_ratio_sex": 0.8}, "fairness", "green"),
        ({}, {"demographic_parity_ratio_sex": 0.9, "demographic_parity_ratio_age": 0.79}, "fairness", "red"),
        ({"split": {"sha256": "5", "overlap": {"n_copies": 3}}}, {}, "parts", "amber"),
        ({}, {"test_roc_auc": 0.985}, "plausible", "amber"),
        ({"leaks": [{"columns": ["status"], "metric": "roc_auc", "value": 0.99}]}, {}, "leakage", "red"),
        ({"data": {"proxy_for": "the bank's cards"}}, {}, "data", "amber"),
        ({}, {}, "integrity", "green"),
    ],
)
def test_a_gate_has_the_colour_of_the_recorded_fact(root, about, numbers, gate, colour):
    judged = judge(runs.read(write_run(root / "a/b", facts("a", **about), METRICS | numbers), root))
    assert next(one.colour for one in judged if one.name == gate) == colour
    assert verdict(judged) == colour


def test_the_gate_of_the_score_says_why_that_much_is_asked(root):
    about = {"minimum_score": 0.79, "minimum_reason": "the scorecard has it"}
    judged = judge(runs.read(write_run(root / "a/b", facts("a", about=about), METRICS), root))
    assert next(one.reason for one in judged if one.name == "score").endswith("demands 0.79: the scorecard has it")


def test_a_run_is_not_asked_what_does_not_concern_it(root):
    asked = [gate.name for gate in judge(runs.read(write_run(root / "a/b"), root))]
    assert asked == ["integrity", "gain", "parts", "plausible"]


def test_a_changed_byte_makes_a_run_red(make, root):
    (write_run(root / "credit_scoring/xgboost") / "model.skops").write_bytes(b"Model")
    row = row_of(make(), "credit_scoring")
    assert row["state"] == "red"
    assert row["gates"][0]["reason"].startswith("model.skops is not the file that was written")


def test_of_several_models_the_best_on_val_is_shown_and_not_the_best_on_test(make, root):
    write_run(root / "credit_scoring/xgboost", None, METRICS | {"val_score": 0.7, "test_roc_auc": 0.9})
    write_run(root / "credit_scoring/lightgbm", None, METRICS | {"val_score": 0.8, "test_roc_auc": 0.6})
    row = row_of(make(), "credit_scoring")
    assert (row["model"], row["value"]) == ("lightgbm", 0.6)
    assert [one["model"] for one in row["models"]] == ["lightgbm", "xgboost"]


def test_a_run_on_other_rows_is_listed_and_not_compared(make, root):
    old = facts(created_at="2025-01-01T00:00:00Z", data={"frame_sha256": "0" * 64})
    write_run(root / "credit_scoring/xgboost", old, METRICS | {"val_score": 0.99})
    write_run(root / "credit_scoring/lightgbm")
    row = row_of(make(), "credit_scoring")
    assert row["model"] == "lightgbm"
    assert [(one["model"], one["is_on_other_rows"]) for one in row["models"]] == [("xgboost", True), ("lightgbm", False)][::-1]


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("metrics.json", "{", "Expecting property name"),
        ("metrics.json", '{"test_roc_auc": NaN}', "NaN is no number that JSON knows"),
        ("metrics.json", '{"test_roc_auc": "0.9"}', "test_roc_auc is '0.9', not a finite number"),
        ("metrics.json", '{"test_roc_auc": 1e999}', "test_roc_auc is inf, not a finite number"),
        ("metrics.json", "[1]", "metrics.json is [1], not a table"),
        ("metadata.json", "{}", "config is not recorded"),
        ("metadata.json", json.dumps(facts() | {"created_at": "yesterday"}), "created_at is 'yesterday', not a moment"),
        ("metadata.json", json.dumps(facts() | {"use_case_key": ["a"]}), "use_case_key is ['a'], not a name"),
        ("metadata.json", json.dumps(facts(data={"n_valid_rows": "many"})), "n_valid_rows is 'many', not a finite number"),
        ("metadata.json", json.dumps(facts(about={"minimum_score": "high"})), "minimum_score is 'high', not a finite number"),
        ("metadata.json", json.dumps(facts(monotone=[1])), "monotone is [1], not a table"),
    ],
)
def test_a_broken_run_folder_is_named_and_stops_nothing(make, root, capsys, name, text, reason):
    write_run(root / "credit_scoring/xgboost")
    broken = write_run(root / "churn_prediction/xgboost")
    (broken / name).write_text(text)
    board = make()
    (named,) = board["unreadable"]
    assert named["path"] == str(broken)
    assert reason in named["reason"]
    assert row_of(board, "churn_prediction")["state"] == "unreadable"
    assert row_of(board, "credit_scoring")["state"] == "green"
    assert run("--runs", root) == 0
    assert f"could not be read: {broken}: " in capsys.readouterr().err


@pytest.mark.parametrize("name", ["metadata.json", "metrics.json"])
def test_a_run_folder_without_a_file_is_named(make, root, name):
    (write_run(root / "credit_scoring/xgboost") / name).unlink()
    assert make()["unreadable"][0]["reason"] == f"{name} is missing"


def test_files_that_cannot_be_read_do_not_hang_or_lead_outside(make, root, tmp_path):
    pipe, link = write_run(root / "credit_scoring/xgboost"), write_run(root / "churn_prediction/xgboost")
    (pipe / "metrics.json").unlink()
    os.mkfifo(pipe / "metrics.json")
    (link / "metrics.json").rename(tmp_path / "elsewhere.json")
    (link / "metrics.json").symlink_to(tmp_path / "elsewhere.json")
    (root / "linked").symlink_to(write_run(tmp_path / "other/fair_lending/xgboost"))
    board = make()
    assert {one["reason"] for one in board["unreadable"]} == {"metrics.json is not a regular file"}
    assert board["totals"]["trained"] == 0


def test_a_job_that_failed_says_why(make, root):
    record = {"use_case": "credit_scoring", "model": "xgboost", "status": "failed", "reason": "no rows", "overrides": []}
    (root / "credit_scoring").mkdir()
    (root / "credit_scoring/xgboost.json").write_text(json.dumps(record))
    board = make()
    assert row_of(board, "credit_scoring")["state"] == "failed"
    assert "xgboost failed: no rows" in page.as_html(board, "runs/", str)


def test_hostile_names_are_escaped_everywhere(make, root):
    hostile = facts("credit_scoring", HOSTILE, HOSTILE, about={"name": HOSTILE, "task": HOSTILE}, baseline=HOSTILE)
    write_run(root / "hostile/one", hostile | {"use_case_key": HOSTILE})
    record = {"use_case": "credit_scoring", "model": HOSTILE, "status": "failed", "reason": f"={HOSTILE}", "overrides": []}
    (root / "failed.json").write_text(json.dumps(record))
    board = make()
    text = page.as_html(board, HOSTILE, lambda run_dir: HOSTILE)
    assert text.count("<script>") == 1
    assert html.escape(HOSTILE, quote=False).partition("&#")[0].split('"')[0] in text
    assert not re.search(r"""<[^>]*["' ]on\w+=""", re.sub(r"<style>.*?</style>|<script>.*?</script>", "", text, flags=re.S))
    assert "<script>" not in page.as_markdown(board)
    assert "[x](javascript" not in page.as_markdown(board)
    found = next(row for row in csv.DictReader(io.StringIO(page.as_csv(board))) if row["use_case"] == HOSTILE)
    assert found["name"] == HOSTILE


def test_no_cell_of_the_csv_is_a_formula(make, root):
    write_run(root / "a/b", facts("a", "=cmd()", "@sum", about={"name": "+cmd()"}))
    found = next(row for row in csv.DictReader(io.StringIO(page.as_csv(make()))) if row["use_case"] == "a")
    assert (found["model"], found["department"], found["name"]) == ("'=cmd()", "'@sum", "'+cmd()")


def test_the_registry_says_what_is_in_production(root, tmp_path):
    registry = Registry(tmp_path / "models")
    folder = registry.root / "credit_scoring"
    folder.mkdir(parents=True)
    ledger = registry.ledger("credit_scoring")
    with ledger.locked():
        who = {"at": "2026-01-01T00:00:00Z", "by": "a", "reason": "b", "version": "1.0.0"}
        entry = {
            "model_id": "UC-RISK-001-v1.0.0", "use_case_key": "credit_scoring", "algorithm": "XGBClassifier",
            "version": "1.0.0", "created_at": who["at"], "created_by": "a", "metrics": {"roc_auc": 0.8}, "hyperparameters": {},
            "feature_count": 1, "training_samples": 1, "file_path": "models/credit_scoring/v1.0.0/model.skops",
            "status": "staging",
        }  # fmt: skip
        hashes = dict.fromkeys(("manifest_sha256", "inputs_sha256", "configuration_sha256"), "0" * 64)
        line = ledger.append({**who, "action": "register", "entry": entry, **hashes}, None)
        ledger.append({**who, "action": "promote", "replaces": None, "gates": [], "forced": False}, line)
    row = row_of(command_line.make([root], registry.root), "credit_scoring")
    assert (row["production"], row["newest"], row["newest_status"]) == ("1.0.0", "1.0.0", "production")

    path = folder / "registry.jsonl"
    path.write_text(path.read_text().replace("promote", "archive"))
    board = command_line.make([root], registry.root)
    assert row_of(board, "credit_scoring")["registry_fault"]
    assert board["unreadable"][0]["path"] == "registry of credit_scoring"


def test_the_change_is_against_the_last_commit(tmp_path):
    def git(*arguments):
        identity = ["-c", "user.name=a", "-c", "user.email=a@b.c", "-c", "commit.gpgsign=false"]
        subprocess.run(["git", "-C", tmp_path, *identity, *arguments], check=True, capture_output=True)

    git("init")
    home = tmp_path / "portfolio/credit_scoring"
    write_run(home / "run", facts())
    writing.write_json(home / "metrics.json", METRICS)
    git("add", "portfolio/credit_scoring/metrics.json")
    git("commit", "-m", "Before")
    now = METRICS | {"test_roc_auc": 0.78}
    write_run(home / "run", facts(), now)
    writing.write_json(home / "metrics.json", now)
    write_run(tmp_path / "portfolio/churn_prediction/run", facts("churn_prediction"))
    board = command_line.make([tmp_path / "portfolio"], tmp_path / "models")
    row = row_of(board, "credit_scoring")
    assert (row["change"], row["change_is_better"]) == (pytest.approx(-0.02), False)
    assert row_of(board, "churn_prediction")["change"] is None
    write_run(home / "run", facts(), METRICS | {"test_roc_auc": 0.8 + 3e-9})  # less than the eight digits that are committed
    assert row_of(command_line.make([tmp_path / "portfolio"], tmp_path / "models"), "credit_scoring")["change"] == 0


def test_the_page_and_its_files_are_written_whole_light_and_without_a_network(root, capsys):
    write_portfolio(root, catalogue([CONF]))
    assert run("--runs", root) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0] == "64 of 64 use cases trained: 64 pass every gate, 0 in doubt, 0 not met; 0 in production."
    assert said[1] == os.path.relpath(root / "scoreboard.html")
    text = (root / "scoreboard.html").read_text()
    assert len(text.encode()) < 500_000
    assert not re.search(r"(?:src|href)=[\"'](?:https?:)?//|@import|url\(", text)
    rows = json.loads((root / "scoreboard.json").read_text())["use_cases"]
    table = list(csv.DictReader((root / "scoreboard.csv").open(newline="")))
    assert [float(line["value"]) for line in table] == [row["value"] for row in rows]
    lines = [line for line in (root / "scoreboard.md").read_text().splitlines() if line.startswith("| ") and "✓ pass" in line]
    assert [line.split(" | ")[3] for line in lines] == [page.score(row["value"]) for row in rows]
    for link in re.findall(r'href="([^"#]+report\.html)"', text):
        assert (root / link).is_file()
    assert {path.name for path in root.iterdir() if path.is_file()} == {
        f"scoreboard.{e}" for e in ("html", "csv", "json", "md")
    }


def test_a_write_that_fails_leaves_the_earlier_page_and_nothing_else(root, monkeypatch):
    assert run("--runs", root) == 0
    before = {path.name: path.read_bytes() for path in root.iterdir()}
    write_run(root / "credit_scoring/xgboost")

    def full(descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    assert run("--runs", root) == 1
    assert {path.name: path.read_bytes() for path in root.iterdir() if path.is_file()} == before


@pytest.mark.parametrize("form", ["--json", "--csv", "--markdown"])
def test_what_is_printed_is_what_would_be_written(root, capsys, form):
    write_run(root / "credit_scoring/xgboost")
    assert run("--runs", root, form) == 0
    said = capsys.readouterr().out
    assert not list(root.glob("scoreboard.*"))
    if form == "--json":
        assert row_of(json.loads(said), "credit_scoring")["value"] == 0.8
    assert "credit_scoring" in said


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--runs", "/nowhere"], "--runs /nowhere is not a folder\n"),
        (["--registry", "/nowhere"], "--registry /nowhere is not a folder\n"),
        (["--sweep", "/"], "--sweep / is not the folder of a sweep: it has no sweep.json. Others: --runs DIR\n"),
        (["--runs"], "argument --runs: expected at least one argument.\nTo see how: python -m src.scoreboard --help\n"),
        (["--cvs"], "unrecognized arguments: --cvs.\nTo see how: python -m src.scoreboard --help\n"),
    ],
)
def test_what_cannot_work_is_refused_in_words(capsys, arguments, message):
    assert run(*arguments) == 2
    assert capsys.readouterr().err == message


@pytest.mark.parametrize("arguments", [["--serve"], ["--serve", "--port", "0"], ["--port", "8000"]])
def test_whoever_asks_for_a_server_is_told_how_to_show_the_folder(capsys, arguments):
    assert run(*arguments) == 2
    said = capsys.readouterr().err
    assert said.startswith(f"{arguments[0]} is no longer known: the page is a file.")
    assert said.endswith("python -m http.server --bind 127.0.0.1 --directory runs\n")


def test_numbers_are_shown_with_as_many_figures_as_can_be_read():
    assert [page.score(value) for value in (0.78849, -1.5, 2330.4, 27_570_921.0, None)] == [
        "0.788",
        "-1.500",
        "2,330",
        "27.57 M",
        "",
    ]
    assert [page.signed(-0.0234), page.signed(1200.0)] == ["\N{MINUS SIGN}0.0234", "+1,200"]


def test_the_age_is_that_of_the_training(root):
    write_run(root / "credit_scoring/xgboost", facts(created_at="2026-01-01T00:00:00Z"))
    from bank_models.scoreboard.board import board

    row = row_of(board([], runs.find([root]), {}, datetime(2026, 1, 11, tzinfo=UTC)), "credit_scoring")
    assert row["age_s"] == 864_000
    assert page.age(row["age_s"]) == "10 d"


def test_a_sparkline_is_higher_the_better_a_version_is():
    versions = [{"version": f"1.0.{i}", "value": value} for i, value in enumerate((3.0, 1.0, 2.0))]
    heights = [height for _, height in page.sparks({"metric": "mae", "versions": versions})]
    assert heights == [20.0, 100.0, 60.0]
    assert page.sparks({"metric": "mae", "versions": versions[:1]}) == []


def test_runs_on_the_same_rows_are_compared_on_a_page_of_their_own(run_of, root):
    folder = root / "sentiment_analysis"
    shutil.copytree(run_of("multiclass"), folder / "logistic_regression")
    shutil.copytree(run_of("multiclass"), folder / "again")
    write_run(root / "credit_scoring" / "xgboost")
    assert run("--runs", root) == 0
    assert [path.name for path in (root / "comparisons").iterdir()] == ["sentiment_analysis.html"]
    assert 'href="comparisons/sentiment_analysis.html"' in (root / "scoreboard.html").read_text()


def test_runs_without_answers_to_compare_have_no_such_page(root):
    write_run(root / "credit_scoring" / "xgboost")
    write_run(root / "credit_scoring" / "lightgbm")
    assert run("--runs", root) == 0
    assert not (root / "comparisons").exists()
