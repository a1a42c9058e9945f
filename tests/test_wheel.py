"""The wheel, installed where nothing else is: a project starts, trains and scores; scoring alone needs less."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from conftest import KINDS, ROOT

from bank_models import load_config, load_model, load_table

pytestmark = pytest.mark.slow
OF_TRAINING = ("hydra", "omegaconf", "optuna", "dvc", "dvclive", "sqlalchemy", "pandera", "jinja2")


def run(*words, cwd: Path, **env: str) -> subprocess.CompletedProcess:
    kept = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "MAKEFLAGS", "MAKELEVEL")}
    environment = kept | {"PYTHONDONTWRITEBYTECODE": "1", "COLUMNS": "200"} | env
    return subprocess.run([*map(str, words)], cwd=cwd, env=environment, capture_output=True, text=True, check=False)


def done(*words, cwd: Path, **env: str) -> str:
    result = run(*words, cwd=cwd, **env)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "Traceback" not in result.stderr
    return result.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    done(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", folder, ROOT, cwd=folder)
    (path,) = folder.glob("*.whl")
    return path


def installed(folder: Path, *what: str) -> Path:
    """The programs of an environment with nothing but what is named."""
    done(sys.executable, "-m", "venv", folder, cwd=folder.parent)
    done(folder / "bin/python", "-m", "pip", "install", "--quiet", *what, cwd=folder.parent)
    return folder / "bin"


def content(programs: Path) -> dict[str, tuple[int, int]]:
    """Every installed file, with its size and the time it was written."""
    files = (path for path in (programs.parent / "lib").rglob("*") if path.is_file())
    return {str(path): (path.stat().st_size, path.stat().st_mtime_ns) for path in files}


def test_a_project_starts_trains_tests_and_scores_where_only_the_wheel_is_installed(wheel, tmp_path):
    programs = installed(tmp_path / "full", f"{wheel}[train]", "pytest")
    before, folder = content(programs), tmp_path / "project"
    folder.mkdir()
    env = {"PATH": f"{programs}{os.pathsep}{os.defpath}"}
    done("bank-models", "init", cwd=folder, **env)
    assert "runs/loan_default/logistic_regression\n" in done("make", "train", cwd=folder, **env)
    assert "1 passed" in done("make", "test", cwd=folder, **env)
    done("make", "predict", cwd=folder, **env)
    assert len(pd.read_csv(folder / "scores.csv")) == 1000
    assert "loan_default" in done("bank-models", "registry", "list", cwd=folder, **env)
    drafted = done("bank-models", "use-cases", "new", "data/loans.csv", "target=defaulted", "key=loans", cwd=folder, **env)
    assert "To train: bank-models train" in drafted
    assert "rows scored" in done("bank-models", "predict", "use_case=loan_default", "version=1.0.0", "input=data/loans.csv",
                                 "output=again.csv", cwd=folder, **env)  # fmt: skip
    assert content(programs) == before


def test_scoring_needs_neither_hydra_nor_dvc_nor_optuna_and_says_what_training_needs(wheel, run_of, tmp_path):
    programs = installed(tmp_path / "light", wheel)
    for name in OF_TRAINING:
        assert run(programs / "python", "-c", f"import {name}", cwd=tmp_path).returncode == 1
    shutil.copytree(run_of("binary"), tmp_path / "run")
    table, scores = tmp_path / "rows.parquet", tmp_path / "scores.parquet"
    load_table(load_config(*KINDS["binary"])).frame.head(500).to_parquet(table)
    chosen = ["run_dir=run", f"input={table}", f"output={scores}", "reasons=2"]
    assert "500 rows scored" in done(programs / "bank-models", "predict", *chosen, cwd=tmp_path)
    here = load_model(tmp_path / "run").predict(pd.read_parquet(table), reasons=2)
    there = pd.read_parquet(scores)
    pd.testing.assert_frame_equal(there[list(here)].reset_index(drop=True), here.reset_index(drop=True), check_dtype=False)
    refused = run(programs / "bank-models", "train", "use_case=fair_lending", cwd=tmp_path)
    assert refused.returncode == 2
    assert refused.stderr == (
        'bank-models train needs hydra, which the installation for scoring lacks.\nType: pip install "bank-models[train]"\n'
    )
