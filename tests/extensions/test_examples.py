"""The packages of `examples/`, installed and used as a team would."""

import os
import shutil
import subprocess
import sys
import tomllib

import pytest
from conftest import FEW_FOLDS, ROOT, elsewhere
from extensions.package import install

from bank_models.check_extension import main as check_extension

EXAMPLES = ROOT / "examples"
NAMES = {"additive_scorecard": "additive-scorecard", "risk_extras": "risk-extras"}


def project_in(folder):
    """A project with the configuration of both packages."""
    (folder / "project").mkdir()
    for example in NAMES:
        shutil.copytree(EXAMPLES / example / "conf", folder / "project/my_conf", dirs_exist_ok=True)
    enabled = ", ".join(f"{name}>=1.0" for name in NAMES.values())
    (folder / "project/project.yaml").write_text(f"config_dir: my_conf\nextensions: [{enabled}]\n")
    return folder / "project"


def checked(project, name, paths):
    os.chdir(project)
    sys.path[:0] = map(str, paths)
    return check_extension([name])


@pytest.mark.parametrize("example", [pytest.param("additive_scorecard", marks=pytest.mark.slow), "risk_extras"])
def test_all_that_an_example_declares_holds(tmp_path, example):
    project = project_in(tmp_path)
    for folder, name in NAMES.items():
        about = tomllib.loads((EXAMPLES / folder / "pyproject.toml").read_text())["project"]
        groups = {group.removeprefix("bank_models."): entries for group, entries in about["entry-points"].items()}
        install(tmp_path / "site", name, about["version"], {}, **groups)
    paths = [tmp_path / "site", *(EXAMPLES / folder for folder in NAMES)]
    assert elsewhere(checked, project, NAMES[example], paths) == 0


@pytest.mark.slow
def test_the_examples_are_installed_by_pip_and_train_a_use_case_with_their_parts(tmp_path):
    for example in NAMES:
        shutil.copytree(EXAMPLES / example, tmp_path / example)
    how = ["--quiet", "--no-deps", "--no-build-isolation", "--no-index", "--target", str(tmp_path / "site")]
    subprocess.run(
        [sys.executable, "-m", "pip", "install", *how, *(str(tmp_path / one) for one in NAMES)], check=True, cwd=tmp_path
    )
    project = project_in(tmp_path)
    env = os.environ | {"PYTHONPATH": os.pathsep.join([str(tmp_path / "site"), str(ROOT)])}

    def run(*arguments):
        return subprocess.run(
            [sys.executable, "-m", *arguments], cwd=project, env=env, capture_output=True, text=True, timeout=600
        )

    for name in NAMES.values():
        tried = run("src.check_extension", name)
        assert tried.returncode == 0, tried.stderr
    settings = ["use_case=example_credit", *FEW_FOLDS, "tracking=none", "n_threads=1"]
    for model in ("additive_scorecard", "logistic_regression"):
        trained = run("src.train", *settings, f"model={model}")
        assert trained.returncode == 0, trained.stderr
        assert "gini" in trained.stdout
        page = (project / f"runs/example_credit/{model}/report.html").read_text()
        assert "Deciles of risk" in page
        assert "could not be written" not in page
    shutil.rmtree(tmp_path / "site/risk_extras")
    shutil.rmtree(next((tmp_path / "site").glob("risk_extras-*.dist-info")))
    gone = run("src.train", *settings)
    assert gone.returncode == 2
    assert "enables the extension risk-extras, which is not installed.\nType: pip install 'risk-extras>=1.0'" in gone.stderr
