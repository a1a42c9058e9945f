"""A use case of a team with parts of its own: trained, promoted, scored, reported, reproduced, and without its package."""

import json
import os
import shutil
import sys

import numpy as np
import pandas as pd
import pytest
import yaml
from conftest import FEW_FOLDS, elsewhere
from extensions.package import CONF, TEAM, enable, run_in
from stages.test_dvc import make

from bank_models.errors import TrainingError
from bank_models.predict import load_model
from bank_models.registry.__main__ import main as registry
from bank_models.report.__main__ import main as report
from bank_models.scoreboard.__main__ import main as scoreboard

QUIET = ["tracking=none", "n_threads=1"]
SMALL = ["use_case=branch_loans", "data_source.settings.rows=3000", "cv=none", "model.params.n_rounds=8", *QUIET]
RUN = "runs/branch_loans/stumps"


def new_rows(n=60, seed=9):
    sys.path.insert(0, str(TEAM))
    from team_models.ledger import branch_ledger

    return branch_ledger(n, seed).drop(columns="defaulted")


def used(folder, paths):
    """What a person does with a run, in a project with the package: promote, score, write pages."""
    os.chdir(folder)
    sys.path[:0] = map(str, paths)
    codes = [registry(["promote", "branch_loans@1.0.0", "--reason", "first", "--experiments=/dev/null"]), report([RUN])]
    codes.append(scoreboard(["--runs", "runs", "--out", ".", "--config-dir", "conf"]))
    rows, model = new_rows(), load_model("branch_loans")
    whole = model.predict(rows, reasons=3)
    alone = pd.concat([model.predict(rows.iloc[[i]], reasons=3) for i in range(15)])
    return codes, whole, alone


def training_and_scoring(folder, paths):
    """The derived columns that a run learnt from, and those that its model computes of the same rows as they came."""
    os.chdir(folder)
    sys.path[:0] = map(str, paths)
    from team_models.ledger import branch_ledger

    import bank_models
    from bank_models.pipeline.fit.prepare import prepare
    from bank_models.runtime.progress import Steps

    config = bank_models.load_config(*SMALL, config_dir="conf")
    with Steps("rows") as steps:
        learnt = prepare(config, steps).table.frame
    model = load_model(folder / RUN)
    given = branch_ledger(3000, 1).drop(columns="defaulted")[list(model.needed)].reset_index(drop=True)
    scored = model.with_history(model.check(3000, lambda kept: (given.iloc[kept], []), True).table)
    return {name: (learnt[name].to_numpy().tobytes(), scored[name].to_numpy().tobytes()) for name in config.use_case.derived}


def refusals(folder):
    """The sentences that a person reads who opens what was saved."""
    os.chdir(folder)
    found = []
    for opens in (lambda: load_model("branch_loans"), lambda: load_model(folder / RUN)):
        try:
            opens()
        except TrainingError as error:
            found.append(str(error))
    return found


def test_a_use_case_of_a_team_is_trained_promoted_scored_and_reported_and_says_what_is_missing_without_its_package(tmp_path):
    project = tmp_path / "project"
    enable(project, "team-models>=1.2")
    code, out, err = elsewhere(run_in, project, SMALL)
    assert code == 0, err
    assert "test rows of branch_ledger" in out
    facts = json.loads((project / RUN / "metadata.json").read_text())
    assert facts["data"]["extension"] == "team-models"
    assert facts["feature_names"] == ["income_eur", "region", "opened_on", "dti", "tenure_months", "is_west"]
    assert facts["monotone"] == {"income_eur": -1, "dti": 1}
    assert not facts["monotone_violations"]

    codes, whole, alone = elsewhere(used, project, [TEAM])
    assert codes == [0, 0, 0]
    np.testing.assert_array_equal(whole["score"][:15], alone["score"])
    told = set(whole[[f"reason_{k}" for k in (1, 2, 3)]].to_numpy().ravel()) - {None, np.nan}
    assert {"dti"} <= told <= set(facts["feature_names"])
    page = (project / RUN / "report.html").read_text()
    assert "Debt burden" in page
    assert "&lt;b&gt;own&lt;/b&gt;" in page
    assert "derived | any" in (project / RUN / "model_card.md").read_text()
    assert "branch_loans" in (project / "scoreboard.html").read_text()

    for name, (learnt, scored) in elsewhere(training_and_scoring, project, [TEAM]).items():
        assert learnt == scored, name

    enable(project)
    said = elsewhere(refusals, project)
    assert len(said) == 2
    for sentence in said:
        assert sentence.startswith("This was made with the extension team-models 1.2.0, which is not ")
        assert len(sentence.splitlines()) == 2
    code, _, err = elsewhere(run_in, project, SMALL)
    assert code == 2
    assert "Traceback" not in err


SEARCHED = ["tuning=random_search", "tuning.n_iter=2", "tuning.cv=2", *FEW_FOLDS]
RUNS = {
    "tuned": ["use_case=branch_loans", "cv.scoring=[roc_auc,net_benefit]", *SEARCHED],
    "ensemble": ["use_case=branch_loans", "model=ensemble", "model.members.binary=[stumps,lightgbm]", "cv=none"],
    "searched ensemble": ["use_case=branch_loans", "model=ensemble", "model.members.binary=[stumps,lightgbm]", "cv=none",
                          "tuning=auto", "tuning.n_iter=4", "tuning.cv=2"],
    "multiclass": ["use_case=sentiment_analysis", "model=nearest_class", *SEARCHED],
    "regression": ["use_case=atm_cash_optimization", "model=stumps", "data_source.rows=1000", "cv.n_folds=2"],
    "clustering": ["use_case=risk_parity", "model=nearest_centres"],
    "anomaly": ["use_case=synthetic_identity", "model=nearest_centres", "data_source.rows=1000"],
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("kind", RUNS)
def test_a_model_of_a_team_does_each_task_and_is_tuned_and_averaged(tmp_path, kind):
    enable(tmp_path / "project", "team-models")
    code, out, err = elsewhere(run_in, tmp_path / "project", [*RUNS[kind], *QUIET])
    assert code == 0, err
    assert "-v1.0.0, staging" in out.splitlines()[-1]
    (facts,) = (tmp_path / "project/runs").rglob("metadata.json")
    assert list(json.loads(facts.read_text())["extensions"]) == ["team-models"]


@pytest.fixture(scope="module")
def reproduced(tmp_path_factory):
    """A repository with a folder of configuration of its own, after its first `dvc repro`."""
    os.environ["PYTHONPATH"] = os.pathsep.join([str(TEAM), *filter(None, [os.environ.get("PYTHONPATH")])])
    repository = make(tmp_path_factory.mktemp("own") / "repository", {"branch_loans": "stumps"})
    shutil.copytree(CONF, repository.folder / "my_conf")
    (repository.folder / "project.yaml").write_text("config_dir: my_conf\nextensions: [team-models]\n")
    yield repository
    os.environ["PYTHONPATH"] = os.environ["PYTHONPATH"].removeprefix(str(TEAM)).removeprefix(os.pathsep)


@pytest.mark.slow
def test_a_use_case_of_a_team_is_reproduced_by_dvc_and_runs_again_where_its_own_parts_change(reproduced):
    with pytest.raises(AssertionError, match="Add to its stage resolve:  always_changed: true"):
        reproduced.repro()
    stages = yaml.safe_load((reproduced.folder / "dvc.yaml").read_text())
    stages["stages"]["resolve"]["always_changed"] = True
    (reproduced.folder / "dvc.yaml").write_text(yaml.safe_dump(stages, sort_keys=False))
    both = {"fit@branch_loans", "evaluate@branch_loans"}
    assert reproduced.repro() == {"resolve", *both}
    assert reproduced.repro() == {"resolve"}
    reproduced.edit("my_conf/use_case/branch_loans.yaml", "smoothing: 20", "smoothing: 30")
    assert reproduced.repro() == {"resolve", *both}
    reproduced.edit("my_conf/data_source/branch_ledger.yaml", "seed: 1", "seed: 2")
    assert reproduced.repro() == {"resolve", *both}
