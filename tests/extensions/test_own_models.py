"""Models of one's own: one short file each, and a package of a team from the command line to the report."""

import inspect
import json
import os
import re
import sys
from importlib import import_module

import numpy as np
import pytest
import yaml
from conftest import FEW_FOLDS, ROOT, elsewhere
from extensions.package import CONF, TEAM, enable, install, run_in
from sklearn.pipeline import Pipeline

from bank_models.data import packaged
from bank_models.errors import ConfigError
from bank_models.models.estimators import ESTIMATORS, make_estimator
from bank_models.models.scikit_learn import SCIKIT_LEARN
from bank_models.predict import load_model
from bank_models.runs import model_file
from bank_models.runs.model_checks.fault import Malformed

PAGE = (ROOT / "docs/how-to/own-code.md").read_text(encoding="utf-8")
SHOWN = {  # every model file of the page
    yaml.safe_load(text)["name"]: text
    for text in re.findall(r"^```yaml\n(.*?)^```", PAGE, re.M | re.S)
    if re.search(r"^name: ", text, re.M)
}
CASES = {
    "extra_trees": ["use_case=credit_scoring", *FEW_FOLDS, "model.params.n_estimators=20"],
    "quantile_regression": ["use_case=market_risk_var", "cv=none"],
    "gaussian_mixture": ["use_case=risk_parity"],
    "shallow_catboost": ["use_case=credit_scoring", *FEW_FOLDS, "model.params.iterations=20"],
}
QUIET = ["tracking=none", "n_threads=1"]
ABSENT = "from bank_models.models.algorithm import Algorithm\n\nBOOSTER = Algorithm('absent_library')\n"


def mixed(estimator: str, X):
    is_class = estimator.endswith(("Classifier", "NB", "Analysis"))
    return (X[:, 0] > 0).astype(np.int8) if is_class else np.exp(X[:, 0])


@pytest.mark.parametrize("estimator", [*SCIKIT_LEARN, "QuantileRegressor"])
def test_a_listed_estimator_takes_what_the_list_says_and_is_read_as_it_was_saved(tmp_path, estimator):
    listed, X = ESTIMATORS[estimator], np.random.default_rng(0).normal(size=(120, 3))
    kind = getattr(import_module(listed.module), estimator)
    parameters = set(kind().get_params())
    assert listed.is_threaded == ("n_jobs" in parameters)
    assert listed.is_random == ("random_state" in parameters)
    assert listed.takes_weights == ("sample_weight" in inspect.signature(kind.fit).parameters)
    assert {listed.monotone} - {None} <= parameters
    fitted = make_estimator(estimator, {}, 0, 1).fit(X, mixed(estimator, X))
    model_file.dump(tmp_path / "model.skops", fitted)
    read = model_file.loads((tmp_path / "model.skops").read_bytes())
    np.testing.assert_array_equal(read.predict(X), fitted.predict(X))


TREES = ["ExtraTreesClassifier", "ExtraTreeClassifier", "DecisionTreeRegressor", "AdaBoostClassifier", "BaggingRegressor"]


@pytest.mark.parametrize("estimator", TREES)
def test_a_saved_tree_whose_child_lies_outside_of_it_is_refused_wherever_it_stands(tmp_path, estimator):
    X = np.random.default_rng(0).normal(size=(60, 3))
    fitted = make_estimator(estimator, {}, 0, 1).fit(X, mixed(estimator, X))
    tree = fitted if hasattr(fitted, "tree_") else fitted.estimators_[-1]
    state = tree.tree_.__getstate__()
    state["nodes"]["left_child"][0] = 10**6
    tree.tree_.__setstate__(state)
    model_file.dump(tmp_path / "model.skops", Pipeline([("estimator", fitted)]))
    with pytest.raises(Malformed, match="a child lies outside its tree"):
        model_file.loads((tmp_path / "model.skops").read_bytes())


def test_the_page_shows_model_files_of_at_most_15_lines():
    assert set(SHOWN) == set(CASES)
    assert all(len(text.splitlines()) <= 15 for text in SHOWN.values())


@pytest.mark.parametrize("model", CASES)
def test_a_model_file_of_the_page_trains_and_registers(tmp_path, model):
    if model == "shallow_catboost":
        pytest.importorskip("catboost", reason="make setup EXTRAS=catboost")
    (tmp_path / "project/conf/model").mkdir(parents=True)
    (tmp_path / f"project/conf/model/{model}.yaml").write_text(SHOWN[model])
    enable(tmp_path / "project")
    code, out, err = elsewhere(run_in, tmp_path / "project", (f"model={model}", *CASES[model], *QUIET))
    assert code == 0, err
    assert "-v1.0.0, staging" in out.splitlines()[-1]
    (run,) = (path.parent for path in (tmp_path / "project/runs").rglob("model.skops"))
    assert elsewhere(opened, tmp_path / "project", run).startswith("UC-")


def opened(folder, run_dir):
    """Version of a run's model, read in a project of somebody's."""
    os.chdir(folder)
    return load_model(run_dir).version


def scored(folder, run_dir):
    """Reasons and scores of a run's model, in a project of somebody's."""
    os.chdir(folder)
    sys.path.insert(0, str(TEAM))
    try:
        return load_model(run_dir).predict(packaged.load("german_credit", "bad").frame.head(5), reasons=1).shape
    except ConfigError as error:
        return str(error)


def test_a_model_of_a_team_is_tuned_by_its_metric_registered_scored_and_reported_and_says_when_its_package_is_gone(tmp_path):
    project = tmp_path / "project"
    enable(project, "team-models>=1.2")
    searched = ["tuning=random_search", "tuning.n_iter=2", "tuning.cv=2", *FEW_FOLDS, "cv.scoring=[roc_auc,net_benefit]"]
    arguments = ("model=stumps", "use_case=credit_scoring", "use_case.metric=net_benefit", *searched, *QUIET)
    code, out, err = elsewhere(run_in, project, arguments)
    assert code == 0, err
    run = project / "runs/credit_scoring/stumps"
    facts, metrics = (json.loads((run / f"{name}.json").read_text()) for name in ("metadata", "metrics"))
    assert facts["extensions"]["team-models"]["version"] == "1.2.0"
    assert {"test_net_benefit_ci_low", "cv_net_benefit", "val_net_benefit", "baseline_net_benefit"} <= set(metrics)
    assert "credit_scoring/v1.0.0" in out
    assert "rightly treated cases" in (run / "report.html").read_text()
    assert elsewhere(scored, project, run)[0] == 5

    enable(project)
    said = "This was made with the extension team-models 1.2.0, which is not enabled.\n"
    assert elsewhere(scored, project, run) == said + "Add to project.yaml: extensions: [team-models]"
    code, _, err = elsewhere(run_in, project, arguments)
    assert code == 2
    assert "Traceback" not in err


def test_lineage_holds_version_and_content_of_an_extension_that_is_used_and_of_no_other(monkeypatch, tmp_path, compose):
    from bank_models.stages import lineage

    plain = compose("use_case=credit_scoring").model_dump(mode="json")
    before = lineage.depends_on(plain)["packages"]
    monkeypatch.syspath_prepend(str(TEAM))
    monkeypatch.chdir(tmp_path)
    enable(tmp_path, "team-models")
    assert lineage.depends_on(plain)["packages"] == before
    using = plain | {"use_case": plain["use_case"] | {"metric": "net_benefit"}}
    found = lineage.depends_on(using)["packages"]
    assert re.fullmatch(r"1\.2\.0, [0-9a-f]{16}", found.pop("team-models"))
    assert found == before


def test_the_model_file_of_the_team_is_short():
    assert len((CONF / "model/stumps.yaml").read_text().splitlines()) <= 15


def test_a_package_whose_library_is_absent_is_refused_in_a_sentence(tmp_path):
    entries = {"AbsentClassifier": "team_booster:BOOSTER"}
    install(tmp_path / "site", "team-booster", "1.0", {"team_booster": ABSENT}, models=entries)
    (tmp_path / "project/conf/model").mkdir(parents=True)
    (tmp_path / "project/conf/model/absent.yaml").write_text("name: absent\nestimator: {binary: AbsentClassifier}\n")
    enable(tmp_path / "project", "team-booster")
    arguments = ("model=absent", "use_case=credit_scoring", *QUIET)
    code, _, err = elsewhere(run_in, tmp_path / "project", arguments, [tmp_path / "site"])
    assert code == 2
    assert "AbsentClassifier cannot be imported from absent_library: No module named 'absent_library'" in err
    assert "Traceback" not in err
