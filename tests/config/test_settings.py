"""Doors: what a setting may change, whichever way it is typed, and what no setting may."""

import re

import pytest

from bank_models.command_line import CONF, run
from bank_models.config import hydra_node, interpolations, project
from bank_models.config.compose import check_job, compose_job, composer, parse
from bank_models.errors import ConfigError, ForbiddenError
from bank_models.files import yaml_file


def composed(*overrides: str, config_dir=None):
    """A job as the command line composes and checks it, before Hydra starts."""
    folders = [CONF, *([config_dir] if config_dir else [])]
    parse(list(overrides), folders)
    with composer(folders) as compose:
        cfg = compose_job(compose, list(overrides), folders)
        check_job(cfg)
        return cfg


DECODED = "${oc.decode:'{x: {_tar${oc.select:zz,get}_: distutils.spawn.spawn, cmd: [touch, MARK]}}'}"


@pytest.mark.parametrize(
    "overrides",
    [
        [f'++hydra={{callbacks:"{DECODED}"}}'],
        ["++hydra={callbacks:{x:{_target_:joblib.load}}}"],
        ["+hydra.callbacks.x._target_=pandas.read_pickle"],
        ["+model@hydra.callbacks.x=xgboost"],
        ["++hydra={job_logging:{handlers:{console:{stream:'ext://os.environ'}}}}"],
        ["hydra.job_logging.handlers.console.class=logging.FileHandler"],
        ["++hydra.hydra_logging.formatters={simple:{class:os.system}}"],
        ["hydra/job_logging=default"],
        ["hydra.launcher._target_=hydra.utils.get_object"],
        ["hydra.sweeper._target_=hydra_plugins.optuna_search.OptunaSearch"],
        ["hydra/sweeper=optuna", "hydra.sweeper.sampler._target_=optuna.storages.RDBStorage"],
        ["hydra/sweeper=optuna", "+hydra.sweeper.storage={_target_:optuna.storages.RDBStorage,url:'sqlite:///x'}"],
        ["hydra/sweeper=optuna", "+hydra.sweeper.sampler.weights={_target_:os.system}"],
        ["hydra/launcher=joblib", "hydra.launcher.pre_dispatch=__import__"],
        ["++hydra.overrides.hydra=['hydra.job_logging.x=1']"],
        ["++hydra.runtime.output_dir=/elsewhere"],
        ["hydra.output_subdir=../../elsewhere"],
        ["hydra.job_logging.root.level=ext://os.environ"],
        ["+model.params.x={_target_:os.system}"],
    ],
    ids=" ".join,
)
def test_no_setting_names_code_or_reaches_what_hydra_imports(overrides):
    with pytest.raises(ConfigError, match="refused"):
        composed(*overrides)


@pytest.mark.parametrize(
    "text",
    [
        "${oc.env:HOME}",
        "${oc.${oc.select:zz,env}:HOME}",
        "${ oc.env : HOME }",
        "a ${use_case.key} and ${oc.select:'${oc.env:HOME}'}",
        "\\${oc.env:HOME}",
        "\\\\${oc.env:HOME}",
        "${oc.create:{a:1}}",
        "${oc.decode:x}",
        "${oc.deprecated:seed}",
        "${${x}:y}",
    ],
)
def test_a_text_calls_no_resolver_that_is_not_named(text):
    with pytest.raises(ForbiddenError, match="Resolvers that may be called: hydra, now"):
        interpolations.check(text, "use_case.name")


@pytest.mark.parametrize("text", ["runs/${use_case.key}", "${now:%Y-%m-%d}/${hydra:job.num}", "${a.${b}}", "5 $ {a}", "plain"])
def test_a_text_may_call_what_hydra_users_call(text):
    interpolations.check(text, "hydra.run.dir")


def test_the_environment_is_no_setting():
    for override in ("hydra.job.env_set={PATH:/tmp}", "+hydra.job.env_set.PYTHONPATH=/tmp", "hydra.job.env_copy=[HOME]"):
        with pytest.raises(ForbiddenError, match=r"hydra\.job\.env_(set|copy)[\w.]* is refused"):
            parse([override], [CONF])


def test_a_path_means_the_same_when_it_is_read_again():
    with pytest.raises(ForbiddenError, match="refused"):
        composed("hydra.run.dir='x/\\${oc.env:HOME}'")
    with pytest.raises(ForbiddenError, match=r"hydra\.run\.dir is refused: a path may not hold"):
        composed("use_case.id=UC-RISK-001", "use_case.name=$", "hydra.run.dir='${use_case.name}{seed}'")


@pytest.fixture
def own(tmp_path):
    """Write a use case of one's own into a folder of configuration; gives the folder."""

    def write(text: str, name: str = "mine", encoding: str = "utf-8"):
        (tmp_path / "conf/use_case").mkdir(parents=True, exist_ok=True)
        (tmp_path / f"conf/use_case/{name}.yaml").write_text(text, encoding=encoding)
        return tmp_path / "conf"

    return write


CREDIT = (CONF / "use_case/credit_scoring.yaml").read_text(encoding="utf-8").replace("key: credit_scoring", "key: mine")
BOMB = "a: &a [x, x, x, x, x, x, x, x]\n"
BOMB += "".join(f"{key}: &{key} [{', '.join([f'*{used}'] * 8)}]\n" for used, key in zip("abcde", "bcdef", strict=True))


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (CREDIT + "\nhydra: {callbacks: {x: {_target_: os.system}}}\n", r"hydra\.callbacks\.x\._target_ is refused"),
        (CREDIT + "\nhydra: {job: {env_set: {PATH: /tmp}}}\n", r"hydra\.job\.env_set\.PATH is refused"),
        (CREDIT + "\nhydra: {job: {env_copy: [HOME]}}\n", r"hydra\.job\.env_(copy|set.HOME) is refused"),
        (CREDIT + "\nhydra: {searchpath: ['file:///tmp']}\n", r"hydra\.searchpath is only supported from the"),
        (CREDIT + "\nhydra: {launcher: {_target_: os.system}}\n", r"hydra\.launcher\._target_=os.system is refused"),
        (CREDIT.replace("  - _self_", "  - override /cv: ${oc.env:HOME}\n  - _self_"), "it calls the resolver oc"),
        (re.sub("  name: .*", "  name: ${oc.env:HOME}", CREDIT), r"use_case\.name is refused: it calls the resolver oc\.env"),
        (BOMB, "unfolds to more than"),
    ],
)  # fmt: skip
def test_a_file_of_ones_own_may_not_do_either_what_the_command_line_may_not(own, changed, message):
    with pytest.raises(ConfigError, match=message):
        composed("use_case=mine", config_dir=own(changed))


def test_a_use_case_may_change_every_setting_and_the_command_line_beats_it(own):
    folder = own(
        CREDIT.replace(
            "use_case:\n", "calibration: sigmoid\nseed: 7\ndata_split: {train_ratio: 0.7, test_ratio: 0.2}\nuse_case:\n"
        )
    )
    mine, typed = (composed("use_case=mine", *extra, config_dir=folder) for extra in ([], ["calibration=none"]))
    assert (mine.calibration, mine.seed, mine.data_split.test_ratio) == ("sigmoid", 7, 0.2)
    assert (typed.calibration, typed.seed) == ("none", 7)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (CREDIT + "\nx: [1, 2\n", r"mine\.yaml, line \d+: "),
        (CREDIT.replace("  name:", "\tname:"), r"mine\.yaml, line \d+: found a tab character"),
        (
            CREDIT + "\ndata_source: {kind: file}\ndata_source: {kind: sql}\n",
            r"mine\.yaml, line \d+: data_source is there tw",
        ),
        (CREDIT + "\nx: !!python/object/apply:os.getcwd []\n", r"mine\.yaml, line \d+: could not determine a constructor"),
        ("- a\n- b\n", r"mine\.yaml must hold settings by name"),
    ],
)
def test_a_fault_in_a_file_is_said_with_its_line(own, text, message):
    with pytest.raises(ConfigError, match=message):
        composed("use_case=mine", config_dir=own(text))


def test_what_is_no_file_is_refused_instead_of_read(own, tmp_path):
    import os

    folder = own(CREDIT)
    os.mkfifo(folder / "use_case/pipe.yaml")
    with pytest.raises(ConfigError, match=r"pipe\.yaml is not a file, but a folder, a pipe or a device"):
        composed("use_case=mine", config_dir=folder)


def test_a_yaml_file_of_ours_is_read_with_its_faults(tmp_path):
    path = tmp_path / "params.yaml"
    path.write_text("use_cases:\n  fraud: xgboost\n  fraud: dummy\n")
    with pytest.raises(ConfigError, match=r"params\.yaml, line 3: fraud is there twice"):
        yaml_file.read(path)
    path.write_bytes(b"a: 1\nb: \xff\n")
    with pytest.raises(ConfigError, match=r"params\.yaml, line 2: this is not UTF-8"):
        yaml_file.read(path)


def test_an_abbreviated_or_repeated_flag_shows_its_folder_to_the_checks(own, capsys):
    folder = own(CREDIT + "\nhydra: {callbacks: {x: {_target_: os.system}}}\n")
    for flags in ([f"--config-di={folder}"], ["--config-dir", "conf", "--config-dir", str(folder)]):
        assert run(None, [*flags, "use_case=mine"], "") == 2
        assert "hydra.callbacks.x._target_ is refused" in capsys.readouterr().err


# Normal use stays free


@pytest.mark.parametrize(
    "overrides",
    [
        ["hydra.run.dir=runs/trial-${now:%H-%M-%S}"],
        ["hydra.job.chdir=false", "hydra.job.name=nightly", "hydra.verbose=[bank_models.train]"],
        ["hydra/job_logging=disabled", "hydra/hydra_logging=none"],
        ["hydra/launcher=joblib", "hydra.launcher.n_jobs=3", "hydra.launcher.pre_dispatch='2*n_jobs'"],
        ["hydra/sweeper=basic", "hydra.sweeper.max_batch_size=4"],
        ["hydra/sweeper=optuna", "hydra/sweeper/sampler=cmaes", "hydra.sweeper.sampler.seed=7", "hydra.sweeper.n_jobs=2"],
        ["hydra/sweeper=optuna", "hydra.sweeper.storage=sqlite:///studies/x.db", "hydra.sweeper.study_name=nightly"],
        ["hydra.sweep.dir=multirun/nightly", "hydra.sweep.subdir=${hydra:job.num}"],
        ["hydra.job_logging.root.level=DEBUG", "hydra.hydra_logging.root.level=ERROR"],
    ],
    ids=" ".join,
)
def test_what_hydra_users_set_is_free(overrides):
    composed(*overrides)


@pytest.mark.parametrize(
    ("param", "message"),
    [
        ("hydra.job_logging.x: '1'", "a sweep varies the pipeline's settings, not Hydra's"),
        ("use_case.name: '\\${oc.env:HOME}'", r"oc\.env"),
        ("+x: '{_target_: os.system}'", "may not name code"),
    ],
)
def test_what_a_sweep_varies_is_judged_like_what_is_typed(own, param, message):
    with pytest.raises(ForbiddenError, match=message):
        composed("use_case=mine", config_dir=own(CREDIT + f"\nhydra: {{sweeper: {{params: {{{param}}}}}}}\n"))


def test_a_launcher_of_ones_own_sets_what_the_command_line_may(own, tmp_path):
    folder = own(CREDIT)
    (folder / "hydra/launcher").mkdir(parents=True)
    target = "hydra_plugins.hydra_joblib_launcher.joblib_launcher.JoblibLauncher"
    (folder / "hydra/launcher/four.yaml").write_text(f"_target_: {target}\nn_jobs: 4\nbatch_size: auto\n")
    with pytest.raises(ForbiddenError, match=r"hydra\.launcher"):
        composed("use_case=mine", "hydra/launcher=four", "+hydra.launcher.extra=1", config_dir=folder)
    assert composed("use_case=mine", "hydra/launcher=four", config_dir=folder).hydra.launcher.n_jobs == 4


# A project that is confined


@pytest.fixture
def confined(tmp_path, monkeypatch):
    (tmp_path / "project").mkdir()
    monkeypatch.chdir(tmp_path / "project")
    (tmp_path / "project/project.yaml").write_text("confine: true\n")
    return tmp_path / "project"


@pytest.mark.parametrize(
    "override",
    [
        "hydra.run.dir=/elsewhere/x",
        "hydra.run.dir=../x",
        "hydra.run.dir=link/x",
        "hydra.run.dir=src/bank_models/x",
        "tracking.path=/elsewhere",
        "tracking.experiments=.git/config",
        "registry.path=../models",
        "data_source.path=/etc/passwd",
    ],
)
def test_a_confined_project_keeps_every_path_inside(confined, override):
    (confined / "link").symlink_to("/tmp")
    more = ["data_source=file", "use_case=credit_scoring"] if override.startswith("data_source") else []
    with pytest.raises(ConfigError, match=r"is refused: project\.yaml confines this project to its folder"):
        composed(*more, override)


@pytest.mark.parametrize(
    "storage", ["sqlite:////elsewhere/x.db", "sqlite:///../x.db", "sqlite:///file:/x?uri=true", "mysql://h/d"]
)
def test_a_confined_project_keeps_its_studies_inside(confined, storage):
    with pytest.raises(ConfigError, match="confines this project"):
        composed("model=xgboost", "use_case=credit_scoring", "tuning=random_search", f"tuning.storage='{storage}'")


def test_a_confined_project_runs_as_usual_inside_and_no_command_opens_it(confined):
    composed("use_case=credit_scoring", "hydra.run.dir=runs/mine", "registry.path=models")
    with pytest.raises(ConfigError, match="confine is not a setting"):
        composed("+confine=false")
    (confined / project.FILE).write_text("confnie: true\n")
    with pytest.raises(ConfigError, match=r"project\.yaml: confnie is not a setting of a project"):
        composed("use_case=credit_scoring")


def test_every_free_key_of_hydra_is_a_key_of_its_node():
    """A key that Hydra does not have any more would be a door that nobody watches."""
    with composer([CONF]) as compose:
        for kind, overrides in (("basic", []), ("joblib", ["hydra/launcher=joblib"]), ("optuna", ["hydra/sweeper=optuna"])):
            from omegaconf import OmegaConf

            node = OmegaConf.to_container(compose(overrides).hydra, resolve=False)
            keys = {".".join(key) for key, _ in hydra_node.leaves(node)}
            free = hydra_node.FREE if kind == "basic" else hydra_node.FREE_OF[kind]
            known = {key for key in free if "*" not in key}
            assert known <= keys, known - keys
