import json
import math
from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pytest
from conftest import run_warm

from bank_models.data.table import Table
from bank_models.evaluation import looks
from bank_models.metrics.scores import Prediction
from bank_models.pipeline.fit.folds import draw_repeats
from bank_models.registry import __main__ as command_line
from bank_models.registry import looks as kept
from bank_models.registry.store import Registry
from bank_models.scoreboard.board import board
from bank_models.scoreboard.runs import find

RNG = np.random.default_rng(0)
CONTENTS = RNG.integers(0, 2**63, 2000).astype("uint64")
Y = RNG.integers(0, 2, 2000)
SCORE = RNG.random(2000)
SETTINGS = ["a" * 64, "b" * 64]


def look(rows, settings=SETTINGS[0], shift=0.0, source="file"):
    rows = np.asarray(rows)
    answers = Prediction(SCORE[rows] + shift, SCORE[rows] + shift > 0.5)
    return looks.look(settings, source, rows, CONTENTS[rows], Y[rows], answers)


def test_the_order_of_rows_and_the_last_digits_of_answers_do_not_matter():
    rows = np.arange(200)
    assert look(rows) == look(RNG.permutation(rows)) == look(rows, shift=1e-12)
    assert look(rows)["answers"] != look(rows, shift=1e-3)["answers"]


def test_the_target_belongs_to_a_row():
    rows = np.arange(200)
    one = looks.look(SETTINGS[0], "file", rows, CONTENTS[rows], Y[rows], Prediction(SCORE[rows], SCORE[rows]))
    other = looks.look(SETTINGS[0], "file", rows, CONTENTS[rows], 1 - Y[rows], Prediction(SCORE[rows], SCORE[rows]))
    assert looks.share_seen(one, other) == 0


@pytest.mark.parametrize(
    ("mine", "other"),
    [
        ((0, 300), (0, 300)),
        ((0, 300), (100, 400)),
        ((0, 300), (299, 600)),
        ((0, 30), (10, 40)),
        ((0, 100), (0, 2000)),
        ((0, 2000), (0, 100)),
    ],
)
def test_the_share_of_rows_seen_before_is_what_counting_them_gives(mine, other):
    shared = len(set(range(*mine)) & set(range(*other))) / (mine[1] - mine[0])
    found = looks.share_seen(look(range(*mine)), look(range(*other), source="another copy"))
    assert found == pytest.approx(shared, abs=0.01 if shared in (0, 1) and mine == other else 0.2)


def test_rows_are_known_again_though_a_feature_was_left_out():
    rows = np.arange(200)
    narrower = looks.look(SETTINGS[1], "file", rows, CONTENTS[rows] ^ 7, Y[rows], Prediction(SCORE[rows], SCORE[rows] > 0.5))
    elsewhere = looks.look(SETTINGS[1], "other", rows, CONTENTS[rows] ^ 7, Y[rows], Prediction(SCORE[rows], SCORE[rows] > 0.5))
    assert looks.share_seen(look(rows), narrower) == 1
    assert looks.share_seen(look(rows), elsewhere) == 0


def test_a_look_counts_once_whether_its_settings_or_its_answers_are_repeated():
    rows = np.arange(200)
    first, same_command, same_answers = look(rows), look(rows, shift=1e-3), look(rows, SETTINGS[1])
    assert looks.n_different([first, first]) == 1
    assert looks.n_different([first, same_command]) == 1
    assert looks.n_different([first, same_answers]) == 1
    assert looks.n_different([first, look(rows, SETTINGS[1], shift=1e-3)]) == 2
    of_dvc = {key: value for key, value in first.items() if key != "settings"}
    assert looks.n_different([first, of_dvc]) == 1


def test_the_largest_of_some_normal_values_is_what_is_known_of_it():
    known = {1: 0.0, 2: 1 / math.sqrt(math.pi), 3: 1.5 / math.sqrt(math.pi), 10: 1.53875, 100: 2.50759}
    for n, mean in known.items():
        assert looks.expected_maximum(n) == pytest.approx(mean, abs=1e-5)


def test_the_best_of_twelve_models_without_skill_gains_what_is_said_and_no_more_if_they_are_alike():
    n_rows, y = 400, np.repeat([0, 1], 200)
    error = math.sqrt((n_rows + 1) / (12 * 200 * 200))  # of an AUC of a half: Mann & Whitney (1947)
    said = looks.optimism(
        12,
        {"test_roc_auc": 0.5, "test_roc_auc_ci_low": 0.5 - 1.96 * error, "test_roc_auc_ci_high": 0.5 + 1.96 * error},
        "roc_auc",
    )

    def best(share: float) -> float:
        common = RNG.normal(size=n_rows)
        scores = share * common + math.sqrt(1 - share**2) * RNG.normal(size=(12, n_rows))
        ranks = np.argsort(np.argsort(scores, axis=1), axis=1)[:, y == 1] + 1
        return (ranks.sum(axis=1) - 200 * 201 / 2).max() / (200 * 200) - 0.5  # of an AUC: Mann & Whitney (1947)

    independent, alike = (np.mean([best(share) for _ in range(60)]) for share in (0.0, 0.95))
    assert independent == pytest.approx(said, rel=0.15)
    assert alike < 0.7 * said


def test_what_is_said_of_looks():
    assert looks.said({"n": 1, "optimism": 0.0}) == ""
    assert looks.said(None) == ""
    assert looks.said({"n": 12, "optimism": 0.0131}) == (
        "12 looks at these test rows so far, this one included: the best of them gains up to about 0.013 by chance alone."
    )
    assert "without an interval nobody can say how much" in looks.said({"n": 2, "optimism": None})


SMALL = ["use_case=credit_scoring", "cv=none", "~use_case.benchmarks.scorecard"]


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """Runs of German credit that keep their experiments, one after another: their facts and what they printed, by name."""
    root = tmp_path_factory.mktemp("looks")
    where = [f"tracking.path={root}/live", f"tracking.experiments={root}/runs.jsonl", f"registry.path={root}/models"]
    found = {}

    def run(name: str, *overrides: str) -> None:
        result = run_warm(*SMALL, *where, f"hydra.run.dir={root}/{name}", *overrides)
        assert result.returncode == 0, result.stderr
        found[name] = json.loads((root / name / "metadata.json").read_text()), result.stdout + result.stderr

    run("first")
    run("again")
    swept = ["hydra.sweep.dir=" + str(root / "sweep"), "model.params.C=0.1,0.2"]
    result = run_warm("--multirun", *SMALL, *where[:2], *swept)
    assert result.returncode == 0, result.stderr
    run("another_model", "model=dummy")
    run("other_rows", "data_split.random_state=7")
    run("fewer_features", "~use_case.features.telephone")
    return root, found


def test_runs_and_jobs_of_a_sweep_are_counted_by_settings_and_rows(told):
    _, found = told
    counted = {name: facts["looks"]["n"] for name, (facts, _) in found.items()}
    assert counted == {"first": 1, "again": 1, "another_model": 4, "other_rows": 1, "fewer_features": 5}
    assert "looks at these test rows" not in found["again"][1]
    assert "4 looks at these test rows so far" in found["another_model"][1]
    assert [one["model"] for one in found["another_model"][0]["looks"]["of"]] == ["logistic_regression"] * 3


def test_report_and_card_say_how_many_looks_there_were(told):
    root, found = told
    said = looks.said(found["fewer_features"][0]["looks"])
    assert said.startswith("5 looks at these test rows so far")
    for name in ("report.html", "model_card.md"):
        assert said in (root / "fewer_features" / name).read_text()
        assert "looks at these test rows" not in (root / "first" / name).read_text()


def promote(root, version: str, *more: str) -> list[str]:
    experiments = f"--experiments={root}/runs.jsonl"
    return ["promote", f"credit_scoring@{version}", "--reason", "x", "--json", f"--registry={root}/models", experiments, *more]


def judged(capsys) -> dict[str, dict]:
    return {gate["name"]: gate for gate in json.loads(capsys.readouterr().out)["gates"]}


def test_a_gate_asks_of_the_best_of_many_looks_what_bonferroni_asks(told, capsys):
    root, _ = told
    p_value = json.loads((root / "first/metrics.json").read_text())["gain_roc_auc_p_value"]
    lines = (root / "runs.jsonl").read_text().splitlines()
    first = json.loads(lines[0])
    enough = math.ceil(0.05 / p_value) + 1
    with (root / "runs.jsonl").open("a") as file:
        for i in range(enough):
            other = first["look"] | {"settings": f"{i:064x}", "answers": f"{i:064x}"}
            file.write(json.dumps({**first, "metrics": {}, "artifacts": {}, "look": other}) + "\n")
    code = command_line.main(promote(root, "1.0.0"))
    (root / "runs.jsonl").write_text("\n".join(lines) + "\n")
    gate = judged(capsys)["gain"]
    assert (code, gate["is_met"]) == (3, False)
    assert f"as the best of {enough + 5:,} looks at these test rows it needs p of at most" in gate["reason"]
    assert command_line.main(promote(root, "1.0.0")) == 0
    gate = judged(capsys)["gain"]
    assert "as the best of 5 looks at these test rows it needs p of at most 0.01" in gate["reason"]
    command_line.main(promote(root, "1.1.0", "--force"))
    assert "interval of 99.00 %, for the best of 5 looks at these test rows" in judged(capsys)["production"]["reason"]


def test_what_is_no_look_in_the_file_of_experiments_is_passed_over(tmp_path):
    path, mine = tmp_path / "runs.jsonl", look(np.arange(100))
    other = look(np.arange(100), SETTINGS[1], shift=1e-3)
    broken = [{**other, "answers": 7}, {**other, "rows": {**other["rows"], "smallest": ["../x"]}}, None, "x", [1]]
    lines = [*(json.dumps({"look": one}) for one in broken), "[]", "{", "[" * 100_000, json.dumps({"look": other, "model": 3})]
    path.write_text("\n".join([*lines, '{"look": ']))
    found = kept.others_of(mine, [], path, None)
    assert [one["model"] for one in found] == ["3"]
    assert kept.others_of(mine, [], tmp_path / "absent.jsonl", None) == []


def test_a_stage_of_the_portfolio_is_a_look(tmp_path):
    mine = look(np.arange(100))
    other = {key: value for key, value in look(np.arange(100), shift=1e-3).items() if key != "settings"}
    (tmp_path / "credit_scoring/run").mkdir(parents=True)
    (tmp_path / "credit_scoring/run/metadata.json").write_text(json.dumps({"look": other, "model": "xgboost"}))
    assert [one["model"] for one in kept.others_of(mine, [], None, tmp_path)] == ["xgboost"]


def test_what_dvc_keeps_of_a_look_depends_on_neither_the_past_nor_other_code(told):
    from bank_models.stages.outputs import timeless

    facts = told[1]["another_model"][0]
    published = timeless(facts)
    assert "looks" not in published
    assert published["look"] == {"answers": facts["look"]["answers"], "rows": facts["look"]["rows"]}


def test_a_run_of_another_split_says_so_records_it_and_is_not_promoted(told, capsys):
    root, found = told
    facts, said = found["other_rows"]
    assert "rows are split by seed 7, and the use case's is 42: an experiment" in said
    assert (facts["split"]["random_state"], facts["split"]["declared_random_state"]) == (7, 42)
    assert any("split by seed 7" in note for note in facts["notes"])
    version = next(
        one
        for one in Registry(root / "models").versions("credit_scoring")
        if one.facts["config"]["data_split"]["random_state"] == 7
    )
    assert command_line.main(promote(root, version.version)) == 3
    assert not judged(capsys)["split seed"]["is_met"]
    usual = found["first"][0]["split"]
    assert usual["random_state"] == usual["declared_random_state"] == 42


def test_a_sweep_over_splits_says_that_their_best_means_nothing(tmp_path):
    swept = ["--multirun", *SMALL, "model=dummy", f"hydra.sweep.dir={tmp_path}", "data_split.random_state=1,42"]
    result = run_warm(*swept)
    assert result.returncode == 0, result.stderr
    assert result.stderr.startswith("data_split.random_state differs between jobs: each is scored on other test rows.")
    assert "must not be compared by their best" in result.stderr
    seeds = [json.loads(path.read_text())["split"] for path in sorted(tmp_path.glob("**/metadata.json"))]
    assert [(split["random_state"], split["declared_random_state"]) for split in seeds] == [(1, 42), (42, 42)]


def test_small_tables_are_cross_validated_repeatedly_and_every_page_says_how(train, tmp_path):
    result = train("use_case=credit_scoring")
    assert result.returncode == 0, result.stderr
    run = tmp_path / "run"
    metrics, folds = json.loads((run / "metrics.json").read_text()), pd.read_csv(run / "cv_results.csv")
    assert [tuple(row) for row in folds[["repeat", "fold"]].to_numpy()] == [(r, f) for r in range(1, 6) for f in range(1, 6)]
    assert folds["test_roc_auc"].nunique() > 20
    assert metrics["cv_roc_auc"] == pytest.approx(folds["test_roc_auc"].mean())
    of_repeats = folds.groupby("repeat")["test_roc_auc"].mean()
    assert metrics["cv_roc_auc_repeat_std"] == pytest.approx(of_repeats.std())
    assert json.loads((run / "metadata.json").read_text())["cross_validation"] == {"n_folds": 5, "n_repeats": 5}
    said = f"cross-validated {metrics['cv_roc_auc']:.3f} ± {metrics['cv_roc_auc_ci_half']:.3f} (5 x 5)"
    assert said in result.stdout
    assert said in (run / "report.html").read_text()
    assert "(5 x 5)" in (run / "model_card.md").read_text()
    row = next(row for row in board([], find([tmp_path]), {}, datetime.now(UTC))["use_cases"])
    assert f"cross-validated {row['cross_validated']}" == said


@pytest.mark.parametrize(
    "overrides", [["use_case=credit_scoring", "cv.n_repeats=1", "model=dummy"], ["use_case=factor_investing", "cv.n_folds=2"]]
)
def test_where_folds_are_drawn_once_nothing_is_said_of_repeats(train, tmp_path, overrides):
    result = train(*overrides)
    assert result.returncode == 0, result.stderr
    assert "repeat" not in pd.read_csv(tmp_path / "run/cv_results.csv")
    assert json.loads((tmp_path / "run/metadata.json").read_text())["cross_validation"]["n_repeats"] == 1
    assert "cross-validated" not in result.stdout + (tmp_path / "run/report.html").read_text()


def test_folds_of_whole_groups_are_repeated_too(compose):
    cv = compose("use_case=collateral_management").cv
    frame, groups = pd.DataFrame({"x": np.arange(120.0)}), np.repeat(np.arange(30), 4)
    y = np.tile([0, 1], 60)
    table = Table(frame, {}, y, None, groups, None, {}, None, np.arange(120))
    drawn = draw_repeats(cv, table, np.arange(120), "binary", 3)
    assert len({tuple(map(tuple, (test for _, test in folds))) for folds, _, _ in drawn}) == 3
    for folds, _, _ in drawn:
        assert all(not set(groups[train]) & set(groups[test]) for train, test in folds)


def test_the_seed_of_the_model_moves_no_row(train, tmp_path):
    def parts(seed: int) -> pd.DataFrame:
        assert train(*SMALL, "model=dummy", f"seed={seed}").returncode == 0
        return pd.read_parquet(tmp_path / "run/split.parquet")

    pd.testing.assert_frame_equal(parts(1), parts(2))
