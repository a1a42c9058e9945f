"""What a user's mistake looks like: a short message, exit code 2, nothing written."""

import os
import re
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from conftest import ROOT, at_terminal, options

from bank_models import command_line, use_cases
from bank_models.command_line import CONF
from bank_models.config import project
from bank_models.config.compose import compose_job, composer, parse
from bank_models.errors import ConfigError, ForbiddenError


@pytest.fixture
def refused(train, tmp_path):
    """Run, expect a refusal, give its message."""

    def run(*overrides: str) -> str:
        result = train(*overrides)
        assert result.returncode == 2, result.stderr
        assert result.stdout == ""
        assert "Traceback" not in result.stderr
        assert 1 <= len(result.stderr.splitlines()) <= 3, result.stderr
        assert not (tmp_path / "run").exists()
        return result.stderr

    return run


def test_help_names_every_group_and_option_and_three_examples(python):
    said = python("-m", "src.train", "--help").stdout
    for group in ("model", "use_case", "data_source", "data_split", "cv", "early_stopping", "tuning", "tracking"):
        assert group in said
        assert all(option in said for option in options(group))
    assert said.count("python -m src.train") == 3


def test_the_composed_job_is_printed_without_running_it(python):
    result = python("-m", "src.train", "use_case=fraud", "model=random_forest", "--cfg", "job")
    assert result.returncode == 0
    assert "key: transaction_fraud" in result.stdout
    assert "name: random_forest" in result.stdout


@pytest.mark.parametrize(
    ("typed", "completed"),
    [("model=log", "model=logistic_regression"), ("use_case=fraud model.params.max_d", "model.params.max_depth=")],
)
def test_bash_completes_what_was_typed(typed, completed):
    script = (
        f'eval "$({sys.executable} -m src.train --shell-completion install=bash)"\n'
        f'COMP_LINE="{sys.executable} -m src.train {typed}" COMP_WORDS=("{sys.executable}"); _src_train\n'
        'printf "%s\\n" "${COMPREPLY[@]}"'
    )
    result = subprocess.run(["bash", "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert result.stdout.split() == [completed]


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["use_case=frod"], "use_case=frod is not known. Did you mean fraud?\nTo list them: python -m src.train --help"),
        (["model=xgbost"], "model=xgbost is not known. Did you mean xgboost?"),
        (["modle=xgboost"], "modle is not known. Did you mean model"),
        (
            ["use_case.weight_column=exposure"],
            "use_case.weight_column is not set by this use case. Type it with a plus: +use_case.weight_column=…",
        ),
        (["model.params.max_dept=3", "model=xgboost"], "model.params.max_dept is not known. Did you mean model.params.max_"),
        (["use_case=../../etc/x"], "use_case='../../etc/x' is not a name"),
        (["data_split.train_ratio=0.9"], "data_split ratios must sum to 1, but 0.9 + 0.1 + 0.1 = 1.1"),
        (["model=xgboost", "model.params.max_depth=-1"], "model.params.max_depth=-1: must be greater than or equal to 0"),
        (["--config-dir", "/nowhere"], "--config-dir /nowhere is not a folder"),
        (["--config-name", "mine"], "add --config-dir DIR, where mine.yaml is."),
        (["--modle", "xgboost"], "unrecognized arguments: --modle"),
        (["model=[xgboost"], "'model=[xgboost' cannot be read: no viable alternative"),
        (["--info", "--multirun"], "one of --run, --multirun, --cfg, --info and --shell-completion"),
        (["model="], "model='' is not a name"),
        (["model=xgboost,dummy"], "model=xgboost,dummy is for several jobs: add --multirun"),
        (["resume=true"], "resume=true continues a sweep: add --multirun"),
        (["--multirun", "resume=maybe"], "resume=maybe: must be true or false"),
        (["--multirun", "model=xgboost,dummy,logistic_regresion"], "Did you mean logistic_regression?"),
        (["--multirun", "seed=1,2", "model.params.max_dept=3", "model=xgboost"], "Did you mean model.params.max_depth?"),
        (["--multirun", "model=linear_regression", "use_case=credit_scoring,fraud"], "None of the 2 jobs can be run; 1 of"),
        (["--multirun", "use_case=glob(zzz*)"], "There is no job in use_case=glob(zzz*)"),
        (["--multirun", "cv.n_folds=interval(2,5)"], "cv.n_folds=interval(2,5) is to be searched, not a list of jobs"),
        (
            ["--multirun", "hydra/launcher=jobib"],
            "hydra/launcher=jobib is not known. Did you mean joblib?\nKnown: basic",
        ),
        (["model@model=lightgbm"], "model@model is no place of the configuration: options of model have one place."),
        (["model@other=lightgbm"], "Type model=lightgbm"),
        (["--experimental-rerun", "x.pickle"], "would open a pickle"),
        (["use_case.name=${hydra:job.env_copy}"], "use_case.name"),
        (["--cfg", "hydra", "--resolve"], "Type --cfg job --resolve, or --cfg hydra without --resolve."),
        (["--cfg", "all", "--resolve"], "Type --cfg job --resolve, or --cfg all without --resolve."),
    ],
    ids=lambda case: " ".join(case) if isinstance(case, list) else "",
)
def test_a_mistyped_command_is_explained(refused, overrides, message):
    assert message in refused(*overrides)


@pytest.mark.parametrize(
    "argument",
    [
        "+hydra.callbacks.x._target_=joblib.load",
        "+x={_target_: os.system}",
        "hydra.job_logging.handlers.console.class=os.system",
        "++hydra.hydra_logging.x=1",
        "hydra.searchpath=[file:///tmp]",
        "use_case=${oc.env:HOME}",
        "data_source.path=${oc.env:SECRET}",
    ],
)
def test_an_argument_that_names_code_or_reads_a_secret_is_refused(argument):
    with pytest.raises(ConfigError, match="is refused"):
        parse([argument], [CONF])


def test_a_refused_pickle_is_not_opened(refused, tmp_path):
    bomb = tmp_path / "bomb.pkl"
    bomb.write_bytes(b"cos\nsystem\n(S'touch " + str(tmp_path).encode() + b"/exploded'\ntR.")
    refused("+hydra.callbacks.x._target_=joblib.load", f"+hydra.callbacks.x.filename={bomb}")
    assert not (tmp_path / "exploded").exists()


def test_a_configuration_file_may_not_name_code_either(refused, tmp_path):
    (tmp_path / "conf/use_case").mkdir(parents=True)
    text = (CONF / "use_case/credit_scoring.yaml").read_text()
    for changed, message in (
        (
            text + "\nhydra: {callbacks: {x: {_target_: os.system}}}\n",
            "hydra.callbacks.x._target_ is refused: it names code to run.",
        ),
        (re.sub("  name: .*", "  name: ${oc.env:HOME}", text), "use_case.name is refused: it calls the resolver oc.env"),
    ):
        (tmp_path / "conf/use_case/mine.yaml").write_text(changed)
        assert message in refused("--config-dir", f"{tmp_path}/conf", "use_case=mine")


@pytest.mark.parametrize("setting", ["run", "sweep"])
def test_a_configuration_file_may_not_put_runs_outside_the_working_directory_and_a_person_may(tmp_path, monkeypatch, setting):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "conf/use_case").mkdir(parents=True)
    head = f"# @package _global_\ndefaults: [credit_scoring, _self_]\nhydra: {{{setting}: {{dir: "
    (tmp_path / "conf/use_case/away.yaml").write_text(head + "/elsewhere}}\n")
    (tmp_path / "conf/use_case/below.yaml").write_text(head + "'mine/${use_case.key}'}}\n")
    dirs = [CONF, tmp_path / "conf"]
    with composer(dirs) as compose:
        with pytest.raises(ForbiddenError, match=rf"hydra\.{setting}\.dir=/elsewhere is refused"):
            compose_job(compose, ["use_case=away"], dirs)
        compose_job(compose, ["use_case=away", f"hydra.{setting}.dir=/elsewhere"], dirs)
        compose_job(compose, ["use_case=below"], dirs)


def test_a_folder_that_is_not_a_run_is_not_overwritten(python, tmp_path):
    (tmp_path / "thesis.tex").write_text("years of work")
    result = python("-m", "src.train", "use_case=credit_scoring", f"hydra.run.dir={tmp_path}")
    assert result.returncode == 2
    assert "is not a run folder" in result.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


SEARCH = ["src.train", "use_case=credit_scoring", "model=xgboost", "tuning=bayesian", "tuning.storage=null", "registry=none"]
SWEEP = ["src.train", "--multirun", "use_case=credit_scoring", "model=dummy", "seed=range(40)", "hydra/launcher=joblib"]


@pytest.mark.parametrize(
    ("command", "shown", "said"),
    [
        (["src.train", "use_case=transaction_fraud", "registry=none"], "cross-validate", r"Interrupted: no result was written"),
        (SEARCH, "load", r"Interrupted: no result was written"),  # its processes are still importing
        (SWEEP, "0:00:01", r"Interrupted\. To run what is left:\n  python -m src\.train .*resume=true"),
    ],
    ids=["a run", "a search", "a sweep"],
)
def test_ctrl_c_at_a_terminal_says_one_thing_and_gives_the_cursor_back(tmp_path, command, shown, said):
    where = "hydra.sweep.dir" if "--multirun" in command else "hydra.run.dir"
    code, text = at_terminal(*command, "tracking=none", f"{where}={tmp_path}/out", ctrl_c_after=shown)
    assert code == 130
    assert text.count("\x1b[?25l") == text.count("\x1b[?25h") > 0
    assert "Traceback" not in text
    assert "KeyboardInterrupt" not in text
    assert text.count("Interrupted") == 1
    assert re.search(said, text.replace("\r", ""))


# Tables that cannot be trained on. Every file is a copy of this one, broken.

FEATURES = ["checking_account_status", "duration_months"]


@pytest.fixture(scope="module")
def german():
    from bank_models.data import packaged

    frame = packaged.load("german_credit", "bad").frame
    return frame.astype({name: str for name in frame.columns[frame.dtypes == "category"]})


def nothing(frame, path):
    pass


def empty(frame, path):
    path.write_bytes(b"")


def truncated_parquet(frame, path):
    frame.to_parquet(path)
    path.write_bytes(path.read_bytes()[:-200])


def truncated_csv(frame, path):
    path.write_text(frame.to_csv(index=False)[:-20])


def a_picture(frame, path):
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 10)


def a_named_pipe(frame, path):
    os.mkfifo(path)


def with_stray_quotes(frame, path):
    lines = [line.split(",") for line in frame.to_csv(index=False).split("\n")]
    lines[5][0] = '"' + lines[5][0]
    lines[15][0] += '"'
    path.write_text("\n".join(map(",".join, lines)))


def csv(change):
    def write(frame, path):
        change(frame).to_csv(path, index=False)

    write.__name__ = change.__name__
    return write


@csv
def without_target(frame):
    return frame.drop(columns="bad")


@csv
def of_one_class(frame):
    return frame.assign(bad=0)


@csv
def with_missing_labels(frame):
    return frame.assign(bad=frame["bad"].where(frame.index != 6))


@csv
def without_a_column(frame):
    return frame.drop(columns="duration_months")


@csv
def with_a_column_twice(frame):
    return pd.concat([frame, frame[["duration_months"]]], axis=1)


@csv
def with_text_for_numbers(frame):
    return frame.astype({"duration_months": object}).assign(
        duration_months=lambda f: f.duration_months.where(f.index != 41, "two years")
    )


@csv
def with_an_infinity(frame):
    return frame.assign(credit_amount_dm=frame.credit_amount_dm.astype(float).where(frame.index != 16, np.inf))


@csv
def with_a_rare_class(frame):
    return pd.concat([frame[frame["bad"] == 0], frame[frame["bad"] == 1].head(4)])


@csv
def with_a_wrong_type(frame):
    return frame.assign(duration_months="long")


BROKEN = [
    (nothing, ".csv", "no file"),
    (empty, ".csv", "is empty"),
    (empty, ".parquet", "is empty"),
    (truncated_parquet, ".parquet", "cut short"),
    (truncated_csv, ".csv", "cut short"),
    (with_stray_quotes, ".csv", "column checking_account_status .* double quote in the middle of a cell"),
    (a_named_pipe, ".csv", "is a named pipe"),
    (a_picture, ".csv", "PNG picture"),
    (a_picture, ".parquet", "not a"),
    (without_target, ".csv", "bad"),
    (of_one_class, ".csv", "every row is 0"),
    (with_missing_labels, ".csv", "row 7"),
    (without_a_column, ".csv", "duration_months"),
    (with_a_column_twice, ".csv", "duration_months"),
    (with_text_for_numbers, ".csv", "duration_months.*row 42.*two years"),
    (with_an_infinity, ".csv", "credit_amount.*row 17.*inf"),
    (with_a_wrong_type, ".csv", "duration_months.*long"),
    (with_a_rare_class, ".csv", "704 rows, 4 of the rarest class, cannot be split"),
]


@pytest.mark.parametrize(("broken", "ending", "message"), BROKEN, ids=lambda case: getattr(case, "__name__", None))
def test_a_broken_table_is_explained(refused, german, tmp_path, broken, ending, message):
    path = tmp_path / f"loans{ending}"
    broken(german, path)
    said = refused("use_case=credit_scoring", "data_source=file", f"data_source.path={path}")
    assert re.search(message, said, re.DOTALL), said


def test_more_folds_than_members_of_a_class_are_refused(refused):
    said = refused("use_case=credit_scoring", "cv.n_folds=300")
    assert "Class 1 has 240 training rows, fewer than the 300 folds" in said


def test_a_csv_of_ones_own_trains(train, german, tmp_path):
    german.to_csv(tmp_path / "loans.csv", index=False)
    result = train("use_case=credit_scoring", "data_source=file", f"data_source.path={tmp_path}/loans.csv")
    assert result.returncode == 0, result.stderr
    assert re.search(r"on 100 test rows of \w+\.(csv|parquet)", result.stdout)
    assert ROOT.joinpath(result.stdout.splitlines()[-1], "model.skops").is_file()


def test_a_project_names_its_folder_of_configuration_once_and_what_is_typed_goes_before_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert project.with_config_dir(["use_case=mine"]) == ["use_case=mine"]
    (tmp_path / "project.yaml").write_text("config_dir: my_conf\n")
    assert project.with_config_dir(["use_case=mine"]) == ["--config-dir", "my_conf", "use_case=mine"]
    for typed in (["--config-dir", "other"], ["--config-dir=other"], ["-cd", "other"]):
        assert project.with_config_dir(typed) == typed


def test_a_use_case_of_the_project_is_found_without_naming_its_folder(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "project.yaml").write_text("config_dir: my_conf\n")
    (tmp_path / "my_conf/use_case").mkdir(parents=True)
    text = (CONF / "use_case/credit_scoring.yaml").read_text()
    (tmp_path / "my_conf/use_case/lending.yaml").write_text(re.sub("key: credit_scoring", "key: lending", text))
    assert use_cases.main(["department=credit_analysis"]) == 0
    assert "lending" in capsys.readouterr().out
    assert command_line.run(lambda cfg: 0.0, ["use_case=lending", "--cfg", "job"], "") == 0
    assert "key: lending" in capsys.readouterr().out
