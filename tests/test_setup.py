"""What `make` sets up: locked packages, private folders, nothing that git would see."""

import os
import re
import shutil
import subprocess
import sys
import tomllib

import pytest
from conftest import ROOT

LOCKS = sorted(ROOT.glob("requirements*.lock"))
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
MAKEFILE = (ROOT / "Makefile").read_text()
OLD_PYTHON = """\
#!/bin/sh
test "$1" = -c || exit 0
exec {python} -c "
import sys
from collections import namedtuple
sys.version_info = namedtuple('Version', 'major minor micro'){version}
exec(sys.argv[1])" "$2"
"""


def locked(name: str) -> dict[str, str]:
    """Requirements of a lock file as they stand there, by package."""
    text = (ROOT / f"requirements{name}.lock").read_text()
    blocks = [block for block in re.split(r"\n(?=[a-z])", text) if not block.startswith("#")]
    return {re.match(r"[a-z0-9-]+", block)[0]: block for block in blocks}


def version(block: str) -> str:
    return re.match(r"[a-z0-9-]+==([^ ;]+)", block)[1]


@pytest.fixture
def checkout(tmp_path):
    """A folder with the files that `make` goes by, in git, and nothing installed."""
    for name in ("Makefile", "pyproject.toml", ".gitignore", *(path.name for path in LOCKS)):
        shutil.copy(ROOT / name, tmp_path)
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    subprocess.run(["git", "-C", tmp_path, "add", "."], check=True)
    return tmp_path


def make(checkout, *arguments: str) -> subprocess.CompletedProcess:
    given = {"cwd": checkout, "capture_output": True, "text": True, "check": True}
    return subprocess.run(
        ["make", *arguments], **given, env={name: os.environ[name] for name in os.environ if not name.startswith("MAKE")}
    )


@pytest.mark.parametrize("path", LOCKS, ids=lambda path: path.name)
def test_every_locked_package_has_one_version_and_hashes_and_no_address(path):
    text = path.read_text()
    for block in locked(path.name.removeprefix("requirements").removesuffix(".lock")).values():
        assert re.match(r"[a-z0-9-]+==[^ ]+( ; [^\\]+)? \\\n( +--hash=sha256:[0-9a-f]{64}( \\)?\n?)+(#.*\n?)*$", block)
    assert "://" not in text
    assert "--index" not in text


@pytest.mark.parametrize("extra", sorted(PROJECT["project"]["optional-dependencies"]))
def test_every_extra_is_locked_at_the_version_that_is_declared(extra):
    found = locked("" if extra in ("dev", "train") else f"-{extra}")
    for requirement in PROJECT["project"]["optional-dependencies"][extra]:
        name, _, wanted = requirement.partition("==")
        assert version(found[name.replace(".", "-")]) == wanted


@pytest.mark.parametrize("group", sorted(PROJECT["dependency-groups"]))
def test_every_group_is_locked_at_the_version_that_is_declared(group):
    for requirement in PROJECT["dependency-groups"][group]:
        name, _, wanted = requirement.partition("==")
        assert version(locked(f"-{group}")[name]) == wanted


def test_the_server_of_mlflow_is_of_the_version_of_the_client():
    assert version(locked("-mlflow-server")["mlflow"]) == version(locked("-mlflow")["mlflow-skinny"])


def test_no_extra_brings_another_version_of_a_package_that_is_locked_already():
    base = locked("")
    extras = [locked(f"-{extra}") for extra in ("catboost", "mlflow", "neural", "onnx", "postgresql", "ray")]
    for extra in extras:
        assert not set(extra) & set(base)
        for other in extras:
            assert {version(extra[name]) == version(other[name]) for name in set(extra) & set(other)} <= {True}


def test_pytorch_may_be_either_build_and_only_one_of_them_brings_cuda():
    (without_cuda,) = re.findall(r"--hash=sha256:[0-9a-f]{64}", MAKEFILE)
    torch = locked("-neural")["torch"]
    assert without_cuda in torch
    assert torch.count("--hash") > 2
    is_cuda = {name: bool(re.match("cuda|nvidia|triton", name)) for name in [*locked("-neural"), *locked("-neural-cuda")]}
    assert {name for name, found in is_cuda.items() if found} == set(locked("-neural-cuda"))


def test_every_package_is_installed_with_its_hash(checkout):
    goals = ("setup", "EXTRAS=catboost neural postgresql ray mlflow onnx", ".venv-mlflow/.installed", "sbom")
    commands = [line for line in make(checkout, "-n", *goals).stdout.splitlines() if "pip install" in line]
    assert len(commands) >= 9
    assert [line for line in commands if line.count("pip install") != line.count("--require-hashes")] == []


def test_the_bill_of_materials_is_made_of_every_lock_file_and_named_last(checkout):
    commands = make(checkout, "-n", "sbom").stdout
    assert "cat requirements*.lock" in commands
    assert "--spec-version 1.6 --output-format JSON" in commands
    assert "--validate" in commands
    assert commands.splitlines()[-1] == "echo sbom.json"


def test_help_lists_every_command(checkout):
    listed = {line.split()[1] for line in make(checkout, "help").stdout.splitlines()}
    (declared,) = re.findall(r"^\.PHONY: (.*)$", MAKEFILE, re.MULTILINE)
    assert listed == set(declared.split())


def test_faults_are_counted_as_often_as_is_asked(checkout):
    assert make(checkout, "-n", "test-faults", "N=400").stdout.rstrip().endswith("-m faults --n 400")
    assert make(checkout, "-n", "test-faults").stdout.rstrip().endswith("-m faults")


@pytest.mark.parametrize(
    ("python", "is_warned"),
    [((3, 11, 7), True), ((3, 12, 2), True), ((3, 11, 9), False), ((3, 12, 3), False), ((3, 13, 0), False)],
    ids=str,
)
def test_an_old_python_is_told_of_its_zip_files_by_setup_alone(checkout, python, is_warned):
    (checkout / ".venv/bin").mkdir(parents=True)
    (checkout / ".venv/bin/python").write_text(OLD_PYTHON.format(python=sys.executable, version=python))
    (checkout / ".venv/bin/python").chmod(0o755)
    (checkout / ".venv/.installed").touch()
    said = make(checkout, "setup").stderr
    assert said.count("\n") == is_warned
    assert ("CVE-2024-0450" in said) == is_warned
    assert "CVE-2024-0450" not in make(checkout, "train").stderr


def test_git_sees_nothing_of_what_setup_leaves(checkout):
    (checkout / ".venv").symlink_to(ROOT)
    for folder in (".venv-mlflow", ".venv-tools", "build", "dist"):
        (checkout / folder).mkdir()
        (checkout / folder / "file").touch()
    (checkout / "sbom.json").touch()
    status = subprocess.run(["git", "-C", checkout, "status", "--porcelain"], capture_output=True, text=True, check=True)
    assert [line for line in status.stdout.splitlines() if line.startswith("??")] == []
