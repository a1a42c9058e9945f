import os
import subprocess
import sys
from pathlib import Path

import pytest
from hydra import compose as hydra_compose
from hydra import initialize_config_dir

ROOT = Path(__file__).resolve().parents[1]


def options(group: str) -> list[str]:
    return sorted(path.stem for path in (ROOT / "conf" / group).glob("*.yaml"))


@pytest.fixture
def compose():
    """Compose and check a configuration as the command line would: compose("use_case=fraud").model.name."""
    from src import config

    def composed(*overrides: str):
        with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
            return config.read(hydra_compose("config", overrides=list(overrides)))

    return composed


@pytest.fixture
def python():
    """Run Python from the repository's root, as a user would: python("-m", "src.train", "--help")."""

    def run(*arguments: str, **kwargs) -> subprocess.CompletedProcess:
        env = os.environ | {"COLUMNS": "200"} | kwargs.pop("env", {})
        return subprocess.run(
            [sys.executable, *map(str, arguments)], cwd=ROOT, env=env, capture_output=True, text=True, timeout=300, **kwargs
        )

    return run


@pytest.fixture
def train(python, tmp_path):
    """Run `python -m src.train` into a folder of its own."""

    def run(*overrides: str) -> subprocess.CompletedProcess:
        return python("-m", "src.train", f"hydra.run.dir={tmp_path}/run", *overrides)

    return run
