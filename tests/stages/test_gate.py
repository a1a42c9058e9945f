import json
import subprocess
from types import SimpleNamespace

import pytest

from bank_models import gate as entry

BEFORE = {
    "credit_scoring": {"test_roc_auc": 0.8, "test_log_loss": 0.5},
    "atm_cash_optimization": {"test_mae": 2000.0},
    "segmentation": {"silhouette": 0.4, "davies_bouldin": 1.0},
}


@pytest.fixture
def gate(tmp_path, monkeypatch, capsys):
    """Ask the gate in a repository whose last commit holds BEFORE: gate({"credit_scoring": {…}}, "roc_auc=0.01")."""

    def git(*arguments: str) -> None:
        identity = ("-c", "user.name=gate", "-c", "user.email=gate@example.com")
        subprocess.run(["git", *identity, *arguments], cwd=tmp_path, check=True, capture_output=True)

    def write(metrics: dict) -> None:
        for use_case, values in metrics.items():
            folder = tmp_path / "portfolio" / use_case
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "metrics.json").write_text(json.dumps(values))

    def run(now: dict, *limits: str, against: str = "HEAD", flags: tuple[str, ...] = ()) -> SimpleNamespace:
        write(now)
        code = entry.main(["--against", against, *flags, *(["--max-drop", *limits] if limits else [])])
        said = capsys.readouterr()
        return SimpleNamespace(returncode=code, stdout=said.out, stderr=said.err)

    write(BEFORE)
    git("init", "-q")
    git("add", ".")
    git("commit", "-qm", "before")
    monkeypatch.chdir(tmp_path)
    return run


def test_a_score_that_fell_beyond_its_limit_is_named_with_exit_code_3(gate):
    result = gate({"credit_scoring": {"test_roc_auc": 0.79, "test_log_loss": 0.5}}, "roc_auc=0.005")
    _, line, closing = result.stdout.splitlines()
    assert result.returncode == 3
    assert line.split() == ["credit_scoring", "roc_auc", "0.8", "0.79", "0.01", "0.005"]
    assert closing == "1 scores of 1 use cases compared with HEAD: 1 fell beyond the limit"


@pytest.mark.parametrize(
    ("metrics", "limit", "code"),
    [
        ({"test_roc_auc": 0.797}, "roc_auc=0.005", 0),
        ({"test_roc_auc": 0.9}, "roc_auc=0", 0),
        ({"test_roc_auc": 0.8, "test_log_loss": 0.52}, "log_loss=0.01", 3),
        ({"test_roc_auc": 0.8, "test_log_loss": 0.4}, "log_loss=0", 0),
        ({"test_roc_auc": 0.797}, "roc_auc=0.5%", 0),
        ({"test_roc_auc": 0.795}, "roc_auc=0.5%", 3),
        ({}, "roc_auc=0.5", 3),
    ],
    ids=["within", "better", "a loss that rose", "a loss that fell", "within a share", "beyond a share", "gone"],
)
def test_a_limit_is_held_against_what_was(gate, metrics, limit, code):
    assert gate({"credit_scoring": metrics}, limit).returncode == code


def test_clusters_are_judged_by_all_their_rows(gate):
    now = {"segmentation": {"silhouette": 0.41, "davies_bouldin": 1.2}}
    assert gate(now, "silhouette=0.01").returncode == 0
    assert gate(now, "davies_bouldin=0.1").returncode == 3


def test_json_holds_all_that_was_compared(gate):
    result = gate({"atm_cash_optimization": {"test_mae": 2010.0}}, "mae=1%", flags=("--json",))
    assert result.returncode == 0
    assert json.loads(result.stdout) == [
        {
            "use_case": "atm_cash_optimization", "metric": "mae", "before": 2000.0, "now": 2010.0, "drop": 10.0, "limit": 20.0,
            "is_worse": False,
        }
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("limits", "against", "said"),
    [
        (["roc_acu=0.1"], "HEAD", "--max-drop=roc_acu is not known. Did you mean roc_auc?"),
        (["roc_auc"], "HEAD", "--max-drop roc_auc: `roc_auc=number` or `roc_auc=number%` is needed, not below 0"),
        (["roc_auc=-1"], "HEAD", "--max-drop roc_auc=-1: `roc_auc=number` or `roc_auc=number%` is needed, not below 0"),
        (["roc_auc=nan"], "HEAD", "--max-drop roc_auc=nan: `roc_auc=number` or `roc_auc=number%` is needed, not below 0"),
        (["r2=0.1"], "HEAD", "--max-drop r2: no use case had that metric, so nothing would be checked"),
        (["roc_auc=0.1"], "HEAD~5", "--against HEAD~5: git says fatal: Not a valid object name HEAD~5"),
        ([], "HEAD", "the following arguments are required: --max-drop\nTo see how: python -m src.gate --help"),
    ],
    ids=["unknown metric", "no number", "negative", "not a number", "a metric that none has", "no such revision", "no limit"],
)
def test_what_cannot_be_compared_is_refused_with_exit_code_2(gate, limits, against, said):
    result = gate({}, *limits, against=against)
    assert (result.returncode, result.stdout, result.stderr.strip()) == (2, "", said)
