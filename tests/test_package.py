"""The package `bank_models`: its name in the checkout, its command, a project of somebody's own."""

import os
import subprocess
import sys
from importlib import import_module

import pytest
from conftest import ROOT

from bank_models import init
from bank_models.__main__ import COMMANDS
from bank_models.commands import as_typed
from bank_models.errors import ConfigError


def run(folder, *words: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess:
    """Python in some folder, where only `bank_models` can be imported, as where the wheel is installed."""
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src"), "COLUMNS": "200"} | (env or {})
    return subprocess.run([sys.executable, *words], cwd=folder, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("name", ["models.algorithm", "runs", "pipeline.interactive"])
def test_a_module_of_the_checkout_is_the_one_of_the_package_under_a_second_name(name):
    module = import_module(f"src.{name}")
    assert module is import_module(f"bank_models.{name}")
    assert module.__spec__.name == f"bank_models.{name}"


def test_what_the_package_gives_the_checkout_gives():
    code = "from src import load_model; import bank_models; print(load_model is bank_models.load_model)"
    assert run(ROOT, "-c", code, env={"PYTHONPATH": ""}).stdout == "True\n"


def test_processes_that_a_command_of_the_checkout_starts_have_its_code_wherever_they_run():
    child = "print(__import__('bank_models').__file__)"
    code = f'import src, subprocess, sys; subprocess.run([sys.executable, "-c", "{child}"], cwd="/")'
    assert run(ROOT, "-c", code, env={"PYTHONPATH": ""}).stdout == f"{ROOT}/src/bank_models/__init__.py\n"


def test_the_code_of_the_folder_wins_over_what_is_installed(tmp_path):
    (tmp_path / "bank_models").mkdir()
    (tmp_path / "bank_models/__init__.py").write_text("raise ImportError('the installed one')")
    said = run(ROOT, "-m", "src.use_cases", "--help", env={"PYTHONPATH": str(tmp_path)})
    assert said.stdout.startswith("usage: python -m src.use_cases"), said.stderr


def test_the_command_lists_every_command_and_each_has_a_module_that_python_can_run(tmp_path):
    said = run(tmp_path, "-m", "bank_models", "--help").stdout
    assert [line.split()[0] for line in said.splitlines()[2:-2]] == list(COMMANDS)
    for command in COMMANDS:
        module = import_module(f"bank_models.{command.replace('-', '_')}")
        assert hasattr(module, "main") or import_module(f"{module.__name__}.__main__").main


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["trian"], "COMMAND=trian is not known. Did you mean train?"),
        (["gate"], "To see how: bank-models gate --help"),
        (["train", "use_case=frod"], "To list them: bank-models train --help"),
        (["use-cases", "data=nowhere"], "data=nowhere: no use case has it."),
    ],
    ids=lambda words: " ".join(words) if isinstance(words, list) else "",
)
def test_outside_the_checkout_a_message_names_the_command_that_can_be_typed_there(tmp_path, words, said):
    result = run(tmp_path, "-m", "bank_models", *words)
    assert result.returncode == 2
    assert said in result.stderr
    assert "src." not in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_what_a_search_has_found_is_never_kept_inside_the_installed_package(tmp_path):
    found = ["tuning=random_search", "tuning.n_iter=2", "save_tuned=true"]
    result = run(tmp_path, "-m", "bank_models", "train", *found)
    assert result.returncode == 2, result.stderr
    assert "Type --config-dir my_conf, or write config_dir: my_conf into project.yaml." in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_in_the_checkout_a_message_names_the_module():
    assert as_typed("Type: python -m src.use_cases new") == "Type: python -m src.use_cases new"


def test_a_project_starts_with_all_it_needs_and_nothing_is_overwritten(tmp_path):
    written = init.start(tmp_path / "loans")
    assert {"my_conf/use_case/loan_default.yaml", "dvc.yaml", "Makefile", ".gitignore", "requirements.txt"} < set(written)
    (tmp_path / "other").mkdir()
    (tmp_path / "other/README.md").write_text("theirs")
    with pytest.raises(ConfigError, match=r"other/README.md is there already\nA project starts in a folder that has none"):
        init.start(tmp_path / "other")
    assert [path.name for path in (tmp_path / "other").iterdir()] == ["README.md"]
    assert (tmp_path / "other/README.md").read_text() == "theirs"


def test_the_pipeline_of_a_new_project_is_ours_with_its_own_commands_and_files():
    ours, theirs = ((folder / "dvc.yaml").read_text().splitlines()[1:] for folder in (ROOT, init.TEMPLATE))
    of_files = {f"      - {name}" for name in ("conf", "src", "requirements.lock")}
    of_theirs = {f"      - {name}" for name in ("data", "my_conf", "project.yaml", "requirements.txt")}
    shared = [line.replace("python -m src.", "bank-models ") for line in ours if line not in of_files]
    assert shared == [line for line in theirs if line not in of_theirs]
    assert of_theirs < set(theirs)
