import ast

import pytest
from conftest import ROOT

from bench.architecture import functions_of, lines_of_code, n_parameters

ENTRIES = {"train.py", "command_line.py", "reproduce.py"}
ENTRIES |= {"config/mistyped.py", "config/root_file.py"}
ENTRIES |= {"config/settings.py", "config/compose.py", "config/hydra_node.py", "config/interpolations.py"}
ENTRIES |= {"config/mistyped.py", "config/root_file.py"}
ENTRIES |= {"sweeps/plan.py", "sweeps/preview.py", "sweeps/search.py", "sweeps/job.py", "sweeps/sweep.py"}


def _name(path) -> str:
    return path.relative_to(ROOT / "src/bank_models").as_posix()


MODULES = sorted((ROOT / "src/bank_models").rglob("*.py"))
FUNCTIONS = {f"{_name(path)}:{one.lineno} {one.name}": one for path in MODULES for one in functions_of(path)}
HEAVY = ("sklearn", "pandas", "xgboost", "lightgbm", "scipy", "skops", "torch")


def test_no_function_is_longer_than_45_lines_of_code():
    assert {name: n for name, one in FUNCTIONS.items() if (n := lines_of_code(one)) > 45} == {}


def test_only_constructors_of_estimators_take_ten_or_more_arguments():
    many = [name.split(":")[0] + name[-9:] for name, one in FUNCTIONS.items() if n_parameters(one) >= 10]
    estimators = [f"models/{one}/estimator.py __init__" for one in ("catboost", "neural") for _ in ("classes", "numbers")]
    assert many == [*estimators, "models/neural/network.py __init__"]


def test_no_module_has_more_than_400_lines():
    assert {_name(path): n for path in MODULES if (n := len(path.read_text(encoding="utf-8").splitlines())) > 400} == {}


def imports(path) -> set[str]:
    """Names imported anywhere in a module, except for type checkers only."""
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            node.body = []
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


@pytest.mark.parametrize("path", [path for path in MODULES if _name(path) not in ENTRIES], ids=_name)
def test_modules_below_the_entries_know_neither_hydra_nor_the_entries(path):
    roots = {name.split(".")[0] for name in imports(path)}
    assert not roots & {"hydra", "omegaconf"}
    above = ("bank_models.train.", "bank_models.command_line.", "bank_models.config.settings.")
    assert not {name for name in imports(path) if f"{name}.".startswith(above)}


@pytest.mark.parametrize(
    "arguments",
    [["--help"], ["use_case=frod"], ["model.params.max_dept=3"], ["data_split.val_ratio=0.9"], ["model.params.max_depth=x"]],
    ids=" ".join,
)
def test_help_and_configuration_errors_import_nothing_heavy(python, arguments):
    code = (
        "import sys; from bank_models import command_line, train\n"
        f"command_line.run(train.main, {arguments!r}, train.HELP)\n"
        f"print('loaded:', sorted(set(sys.modules) & set({HEAVY!r})))"
    )
    result = python("-c", code)
    assert result.stdout.splitlines()[-1] == "loaded: []", result.stdout + result.stderr


def test_importing_any_module_prints_nothing(python):
    names = [".".join(path.relative_to(ROOT / "src").with_suffix("").parts) for path in MODULES if path.name != "__init__.py"]
    result = python("-W", "error::DeprecationWarning:bank_models", "-c", "; ".join(f"import {name}" for name in names))
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")
