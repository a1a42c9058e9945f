"""Enabled extensions: what may be imported, and the messages where that fails."""

import re
import sys

import pytest
from config import test_settings
from extensions.package import TEAM, enable, install

from bank_models.check_extension import main as check_extension
from bank_models.command_line import CONF, groups_text
from bank_models.config.compose import check_job, compose_job, composer, parse
from bank_models.errors import ConfigError, IntegrityError
from bank_models.extensions import packages
from bank_models.metrics.names import METRICS
from bank_models.models.estimators import ESTIMATORS, OURS
from bank_models.runs import extensions

SIMPLE = "from bank_models.models.algorithm import Algorithm\nFOREST = Algorithm('sklearn.ensemble', types=('a.B',))\n"


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project in which the package of the team is installed; gives its folder."""
    folder = tmp_path / "project"
    folder.mkdir()
    monkeypatch.chdir(folder)
    for path in (TEAM, tmp_path / "site"):
        monkeypatch.syspath_prepend(str(path))
    packages._opened.cache_clear()
    packages.content_sha256.cache_clear()
    for name in [name for name in sys.modules if name.partition(".")[0] == "team_models"]:
        monkeypatch.delitem(sys.modules, name)
    yield folder
    packages._opened.cache_clear()
    packages.content_sha256.cache_clear()


def read(*overrides: str, folder):
    """A job as the command line composes and checks it, before Hydra starts."""
    folders = [CONF, folder / "conf"]
    parse(list(overrides), folders)
    with composer(folders) as compose:
        return check_job(compose_job(compose, list(overrides), folders))


def test_without_a_settings_file_the_tables_hold_what_is_ours(project):
    assert packages.enabled() == ()
    assert set(OURS) < set(ESTIMATORS)
    assert "StumpsRegressor" not in ESTIMATORS
    assert "net_benefit" not in METRICS


def test_an_enabled_package_adds_its_names_and_nothing_of_it_is_imported_before_one_is_asked_for(project):
    enable(project, "team-models>=1.2")
    assert "StumpsRegressor" in ESTIMATORS
    assert "net_benefit" in METRICS
    shown = groups_text([CONF])
    assert "team-models 1.2.0: StumpsClassifier, StumpsRegressor, Nearest" in shown
    assert {"net_benefit", "mean_target", "branch_ledger", "debt_burden"} <= set(re.findall(r"\w+", shown))
    assert "team_models" not in sys.modules
    assert ESTIMATORS["StumpsRegressor"].round_parameter == "n_rounds"
    assert "team_models.declared" in sys.modules


def test_a_model_file_takes_what_it_leaves_out_from_its_estimator(project):
    enable(project, "team-models")
    model = read("model=stumps", "use_case=credit_scoring", folder=project).model
    assert (model.trains_in_rounds, model.keeps_monotone, model.preprocessing.encoder) == (True, True, "ordinal")
    assert (model.members, model.constraints, model.grid, model.starting_points) == ({}, {}, {}, [])


@pytest.mark.parametrize(
    ("enabled", "message"),
    [
        (["other-models"], "enables the extension other-models, which is not installed.\nType: pip install 'other-models'"),
        (["team-models>=2.0"], "asks for team-models>=2.0, but 1.2.0 is installed.\nType: pip install 'team-models>=2.0'"),
        (["hydra-core"], "enables hydra-core, which is no extension: it has no entry points of bank_models.models"),
        (["'../team'"], r"extensions names '\.\./team', which is no name of a package"),
        (["'team-models @ file:///tmp/x'"], "which is no name of a package. One is written so: extensions: "),
        (["[team-models]"], "extensions must be a list of installed packages"),
    ],
)
def test_what_cannot_be_enabled_is_said_in_a_sentence(project, enabled, message):
    enable(project, *enabled)
    with pytest.raises(ConfigError, match=message):
        read("model=stumps", "use_case=credit_scoring", folder=project)


@pytest.mark.parametrize("setting", ["model=stumps", "use_case.metric=net_benefit"])
def test_a_name_of_a_package_that_is_installed_and_not_enabled_says_what_to_add(project, setting):
    enable(project)
    name = {"model=stumps": "StumpsClassifier"}.get(setting, "net_benefit")
    with pytest.raises(ConfigError, match=f"{name} is of the installed package team-models, which this project does not"):
        read(setting, "use_case=credit_scoring", folder=project)
    assert "team_models" not in sys.modules


def test_an_extension_may_not_take_a_name_that_there_is(project, tmp_path):
    install(tmp_path / "site", "bad-models", "1.0", {"bad_models": SIMPLE}, models={"XGBClassifier": "bad_models:FOREST"})
    enable(project, "bad-models")
    with pytest.raises(ConfigError, match="bad-models calls one of its models XGBClassifier, as this system does"):
        list(ESTIMATORS)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1 / 0", r"cannot be loaded.\nbad_models:FOREST: ZeroDivisionError: division by zero"),
        ("FOREST = 'sklearn.ensemble'", r"is a str.\nbad_models:FOREST must be a bank_models.models.algorithm.Algorithm"),
        ("", r"cannot be loaded.\nbad_models:FOREST: AttributeError"),
    ],
)
def test_a_package_that_cannot_be_loaded_is_said_without_a_traceback(project, tmp_path, monkeypatch, text, message):
    install(tmp_path / "site", "bad-models", "1.0", {"bad_models": text}, models={"BadForest": "bad_models:FOREST"})
    monkeypatch.delitem(sys.modules, "bad_models", raising=False)
    enable(project, "bad-models")
    with pytest.raises(ConfigError, match=message):
        ESTIMATORS["BadForest"]


@pytest.mark.parametrize(
    "overrides",
    [
        ["model.estimator.binary=os.system"],
        ["model.estimator.binary=team_models.stumps.StumpsClassifier"],
        ["model.estimator.binary='team_models.declared:STUMPS'"],
        ["use_case.metric=team_models.metrics.net_benefit"],
        ["use_case.metric='os:system'"],
        ["+extensions=[team-models]"],
        ["+model.extensions=[team-models]"],
        ["+model.params.x={_target_:team_models.stumps.StumpsRegressor}"],
        ["+hydra.callbacks.x._target_=team_models.stumps.StumpsRegressor"],
        ["hydra.searchpath=['pkg://team_models']"],
        ["+model.module=team_models.stumps"],
        ["+use_case.transformers={team_models.mean_target.MeanTarget:{columns:[age_years]}}"],
        ["+use_case.transformers={'team_models.declared:MEAN_TARGET':{columns:[age_years]}}"],
        ["+use_case.transformers.mean_target={columns:[age_years],params:{_target_:team_models.mean_target.MeanTarget}}"],
        ["+use_case.derived={x:'team_models.mean_target.MeanTarget(1)'}"],
        ["++data_source={kind:extension,source:team_models.ledger.branch_ledger}"],
        ["++data_source={kind:extension,source:'os:system'}"],
        ["++data_source={kind:extension,source:branch_ledger,settings:{_target_:os.system}}"],
        ["report.sections=[team_models.burden.debt_burden]"],
        ["report.sections=['../burden']"],
    ],
    ids=" ".join,
)
def test_no_setting_names_code_of_an_enabled_package_by_its_path(project, overrides):
    enable(project, "team-models")
    with pytest.raises(ConfigError):
        read("model=xgboost", "use_case=credit_scoring", *overrides, folder=project)
    assert "team_models" not in sys.modules


HOSTILE = test_settings.test_no_setting_names_code_or_reaches_what_hydra_imports.pytestmark[0].args[1]


@pytest.mark.parametrize("overrides", HOSTILE, ids=" ".join)
def test_what_is_refused_without_extensions_is_refused_with_one(project, overrides):
    enable(project, "team-models")
    with pytest.raises(ConfigError, match="refused"):
        read(*overrides, folder=project)
    assert "team_models" not in sys.modules


def test_a_model_file_may_not_claim_what_its_estimator_cannot(project):
    enable(project, "team-models")
    message = "model=extra says trains_in_rounds: true, which ExtraTreesClassifier cannot"
    facts = ["model.name=extra", "model.estimator={binary:ExtraTreesClassifier}", "model.params={}", "model.search_space={}"]
    with pytest.raises(ConfigError, match=message):
        read("model=stumps", "use_case=credit_scoring", *facts, "+model.trains_in_rounds=true", folder=project)


MADE_WITH = {"extensions": {"team-models": {"version": "1.2.0", "sha256": "0" * 64}}}


@pytest.mark.parametrize(
    ("enabled", "made_with", "message"),
    [
        (["team-models"], {"team-models": "9.0"}, "extension team-models 9.0, but 1.2.0 is installed"),
        ([], {"team-models": "1.2.0"}, "extension team-models 1.2.0, which is not enabled.\nAdd to project.yaml: extensions: "),
        (
            [],
            {"gone-models": "1.0"},
            "extension gone-models 1.0, which is not installed.\nType: pip install 'gone-models>=1.0'",
        ),
    ],
)
def test_what_was_saved_says_which_package_is_missing(project, enabled, made_with, message):
    enable(project, *enabled)
    with pytest.raises(ConfigError, match=message):
        extensions.check({"extensions": {name: {"version": one} for name, one in made_with.items()}})


@pytest.mark.parametrize("said", [[], "team-models", {"../x": {"version": "1"}}, {"team-models": {"version": "${x}"}}])
def test_a_record_that_names_extensions_otherwise_is_refused(said):
    if said:
        with pytest.raises(IntegrityError, match="not what a run of this system records"):
            extensions.check({"extensions": said})
    else:
        extensions.check({"extensions": said})


def test_the_hash_of_an_extension_changes_with_its_code_and_with_nothing_else(project, tmp_path):
    install(tmp_path / "site", "own-models", "1.0", {"own_models": SIMPLE}, models={"OwnForest": "own_models:FOREST"})
    first = packages.content_sha256("own-models")
    (tmp_path / "site/notes.txt").write_text("of another package")
    packages.content_sha256.cache_clear()
    assert packages.content_sha256("own-models") == first
    (tmp_path / "site/own_models.py").write_text(SIMPLE + "# changed\n")
    packages.content_sha256.cache_clear()
    assert packages.content_sha256("own-models") != first


def test_the_check_of_an_extension_asks_for_one_that_is_enabled(project, capsys):
    enable(project)
    assert check_extension(["team-models"]) == 2
    assert "team-models is not enabled in this project" in capsys.readouterr().err


def test_the_check_of_an_extension_tries_what_it_declares_and_all_of_it_holds(project, capsys):
    enable(project, "team-models")
    assert check_extension(["team-models"]) == 0
    said = capsys.readouterr().out
    for claim in ("rounds: stopped early", "monotone: directions are kept", "weights: balanced", "prefers the truth to chance"):
        assert claim in said
    assert "does not hold" not in said


EMPTY_CLAIMS = """
from team_models.declared import STUMPS
from team_models.stumps import StumpsRegressor
from dataclasses import replace
from bank_models.metrics.names import Metric


class Deaf(StumpsRegressor):
    "Keeps no direction."
    def start(self, X, y, weight=None):
        self.directions = None
        super().start(X, y, weight)


DEAF = replace(STUMPS, module="claims", types=("claims.Deaf",))
TURNED = Metric(("regression",), "score", function=lambda y, value: float(abs(y - value).mean()))
"""


def test_the_check_of_an_extension_names_what_does_not_hold(project, tmp_path, capsys):
    entries = {"models": {"Deaf": "claims:DEAF"}, "metrics": {"turned": "claims:TURNED"}}
    install(tmp_path / "site", "claims", "1.0", {"claims": EMPTY_CLAIMS}, **entries)
    (project / "conf/model").mkdir(parents=True)
    (project / "conf/model/deaf.yaml").write_text("name: deaf\nestimator: {regression: Deaf}\nparams: {n_rounds: 10}\n")
    enable(project, "claims")
    assert check_extension(["claims"]) == 2
    said = capsys.readouterr()
    assert "claims 1.0 claims what does not hold" in said.err
    assert "metric turned, regression: prefers the truth to chance: chance gets" in said.err
    assert "monotone: directions are kept: monotone=-1 is broken" in said.err
    assert "Traceback" not in said.err
