"""Experiments and root files: where they stand in the composition, and what they may not do."""

import re

import pytest
from conftest import options, run_warm

from bank_models.config import CONF
from bank_models.config.compose import check_job, compose_job, composer, parse, run_dir
from bank_models.config.root_file import ROOT, check_root
from bank_models.errors import ConfigError, ForbiddenError
from bank_models.sweeps.plan import plan

OWN = """\
# @package _global_
defaults:
  - override /use_case: interest_rate_risk
  - override /model: linear_regression
  - _self_
seed: 9
model: {params: {alpha: 2.0}}
"""
MINE = "defaults:\n  - config\n  - override model: lightgbm\n  - _self_\nseed: 7\ncv: {n_folds: 3}\n"


def composed(*overrides, config_dir=None, root=ROOT):
    folders = [CONF, *([config_dir] if config_dir else [])]
    parse(list(overrides), folders)
    with composer(folders, root) as compose:
        cfg = compose_job(compose, list(overrides), folders)
        return cfg, check_job(cfg)


@pytest.fixture
def own(tmp_path):
    """A folder of one's own with an experiment and a root file: own({"nightly.yaml": …})."""

    def write(files=None):
        for name, text in ({"experiment/mine.yaml": OWN, "nightly.yaml": MINE} | (files or {})).items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(text)
        return tmp_path

    return write


@pytest.mark.parametrize("experiment", options("experiment"))
def test_every_experiment_composes_and_a_run_of_it_replaces_no_other(experiment):
    cfg, _ = composed(f"+experiment={experiment}")
    if not cfg.hydra.sweeper.params:
        assert run_dir(cfg) == f"runs/{cfg.use_case.key}/{experiment}"


def test_an_experiment_wins_over_the_use_case_and_over_what_is_tuned(own):
    _, config = composed("+experiment=mine", config_dir=own())
    assert (config.use_case.key, config.model.name, config.seed) == ("interest_rate_risk", "linear_regression", 9)
    assert config.model.params["alpha"] == 2.0
    assert composed("use_case=interest_rate_risk", "model=linear_regression")[1].model.params["alpha"] == 1.0


@pytest.mark.parametrize(
    "overrides",
    [
        ["+experiment=mine", "use_case=factor_investing", "model.params.alpha=3.0", "seed=1"],
        ["seed=1", "model.params.alpha=3.0", "use_case=factor_investing", "+experiment=mine"],
    ],
    ids=["after it", "before it"],
)
def test_the_command_line_wins_over_the_experiment(own, overrides):
    _, config = composed(*overrides, config_dir=own())
    assert (config.use_case.key, config.model.params["alpha"], config.seed) == ("factor_investing", 3.0, 1)


def test_a_root_file_of_ones_own_begins_with_ours_and_anything_else_wins_over_it(own):
    _, config = composed(config_dir=own(), root="nightly")
    assert (config.use_case.key, config.model.name, config.seed, config.cv.n_folds) == ("credit_scoring", "lightgbm", 7, 3)
    _, config = composed("+experiment=mine", "model=xgboost", "~model.params.alpha", config_dir=own(), root="nightly")
    assert (config.use_case.key, config.model.name, config.seed, config.cv.n_folds) == ("interest_rate_risk", "xgboost", 9, 3)


def test_hydra_runs_the_root_file_that_was_checked(own):
    result = run_warm("--config-dir", str(own()), "--config-name", "nightly", "--cfg", "job")
    assert result.returncode == 0, result.stderr
    assert "name: lightgbm" in result.stdout


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nightli", "--config-name nightli: FOLDER has no file nightli.yaml. Files there: bare, nightly."),
        ("../x", "--config-name ../x: FOLDER has no file ../x.yaml. Files there: bare, nightly."),
        ("bare", "FOLDER/bare.yaml, line 1: it must begin with the pipeline's own configuration, config."),
    ],
)
def test_a_root_file_that_cannot_work_says_what_to_write(own, name, message):
    folder = own({"bare.yaml": "seed: 1\n"})
    with pytest.raises(ConfigError, match=re.escape(message.replace("FOLDER", str(folder)))):
        check_root(name, [CONF, folder])


def test_a_root_file_needs_its_folder():
    with pytest.raises(ConfigError, match=r"^--config-name nightly names a file of your own folder: add --config-dir DIR"):
        check_root("nightly", [CONF])


@pytest.mark.parametrize(
    ("files", "overrides"),
    [
        ({"nightly.yaml": MINE + "hydra: {callbacks: {x: {_target_: os.system}}}\n"}, []),
        ({"hydra/launcher/joblib.yaml": "_target_: os.system\n"}, ["hydra/launcher=joblib"]),
        ({"hydra/callbacks/x.yaml": "# @package hydra.callbacks.x\n_target_: os.system\n"}, ["hydra/callbacks=x"]),
    ],
    ids=["in itself", "in an option that ours has too", "in an option"],
)
def test_what_stands_beside_a_root_file_is_judged_by_ours_alone(own, files, overrides):
    with pytest.raises(ForbiddenError, match="is refused"):
        composed(*overrides, config_dir=own(files), root="nightly")


@pytest.mark.parametrize(
    ("override", "message"),
    [
        (
            "experiment=shallow_trees",
            "experiment has no option unless one is added. Type it with a plus: +experiment=shallow_trees",
        ),
        ("+model=lightgbm", "model has an option already. Type it without a plus: model=lightgbm"),
        ("~experiment", "experiment has no option that could be left out."),
    ],
)
def test_a_plus_too_few_or_too_many_before_a_group_is_said(override, message):
    with pytest.raises(ConfigError) as refused:
        composed(override)
    assert str(refused.value) == message


def test_the_use_case_of_an_experiment_is_read_with_its_lines(own):
    folder = own({
        "experiment/mine.yaml": OWN.replace("interest_rate_risk", "far"),
        "use_case/far.yaml": "use_case:\n  target: x\n",
    })  # fmt: skip
    with pytest.raises(ConfigError, match=r"far\.yaml, line 1: the first line must be # @package _global_"):
        composed("+experiment=mine", config_dir=folder)


def test_an_experiment_may_be_a_sweep():
    jobs = plan(["+experiment=seeds_of_boosters"], [CONF], "", lambda done, total: None).jobs
    assert [job.subdir for job in jobs] == [
        f"application_fraud/{model}/seed={seed}" for model in ("xgboost", "lightgbm") for seed in (1, 2, 3)
    ]


def test_a_sweep_is_shown_job_by_job_before_it_runs():
    result = run_warm("--multirun", "--cfg", "job", "use_case=credit_scoring", "model=lightgbm,linear_regression")
    assert result.returncode == 0, result.stderr
    first, second = result.stdout.split("---\n")[1:]
    assert first.startswith("# credit_scoring/lightgbm: ")
    assert "name: lightgbm" in first
    assert second.startswith("# refused: ")


def test_what_a_sweep_varies_is_quoted():
    with pytest.raises(ConfigError, match=r"^hydra\.sweeper\.params\.seed is one setting for the whole sweep\. .*, quote it: "):
        parse(["hydra.sweeper.params.seed=1,2"], [CONF])
