"""DVC's stages, on a portfolio of three use cases in a repository of its own."""

import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml
from conftest import ROOT, run_warm

from bank_models.config.catalogue import CONF, catalogue
from bank_models.stages import lineage, outputs, resolve

FEW = {"credit_scoring": "logistic_regression", "fair_lending": "logistic_regression", "segmentation": "kmeans"}
LINEAR = ("credit_scoring", "fair_lending")
SIMULATED = {
    "atm_cash_optimization": "gradient_boosting", "synthetic_identity": "dbscan", "operational_risk": "lightgbm",
    "sentiment_analysis": "logistic_regression",
}  # fmt: skip
REAL = {"cross_sell": "ensemble", "interest_optimization": "linear_regression"}
PARTS = (
    "conf",
    "src",
    ".dvc/config",
    ".dvc/plots",
    ".dvcignore",
    ".gitignore",
    "dvc.yaml",
    "requirements.lock",
)
TIMEOUT_S = 600
IMPORT = "import numpy as np\n"


def fits(*use_cases: str) -> set[str]:
    return {f"fit@{use_case}" for use_case in use_cases}


def evaluations(*use_cases: str) -> set[str]:
    return {f"evaluate@{use_case}" for use_case in use_cases}


def both(*use_cases: str) -> set[str]:
    return fits(*use_cases) | evaluations(*use_cases)


class Repository:
    """A git repository with our code and configuration, and a portfolio of its own."""

    def __init__(self, folder: Path):
        self.folder = folder

    def run(self, *command: str) -> str:
        process = self.start(*command)
        said, complained = process.communicate(timeout=TIMEOUT_S)
        assert process.returncode == 0, said + complained
        return said

    def start(self, *command: str) -> subprocess.Popen:
        env = os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
        env |= {f"GIT_{who}_{what}": "test" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
        return subprocess.Popen(command, cwd=self.folder, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def dvc(self, *arguments: str) -> str:
        return self.run(sys.executable, "-m", "dvc", *arguments)

    def repro(self, *arguments: str) -> set[str]:
        """Run `dvc repro`; gives the stages that ran."""
        lines = self.dvc("repro", *arguments).splitlines()
        return {line.split("'")[1] for line in lines if line.startswith("Running stage")}

    def stale(self) -> set[str]:
        """Stages that `dvc repro` would run because of what they depend on, once it has run the one that finds out."""
        self.dvc("repro", "--quiet", "resolve")
        return set(json.loads(self.dvc("status", "--json")))

    def edit(self, name: str, before: str, after: str) -> None:
        path = self.folder / name
        text = path.read_text()
        assert before in text
        path.write_text(text.replace(before, after))

    def read(self, name: str) -> bytes:
        return (self.folder / name).read_bytes()


def make(folder: Path, models: dict[str, str]) -> Repository:
    for part in PARTS:
        (folder / part).parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / part).is_dir():
            shutil.copytree(ROOT / part, folder / part, ignore=shutil.ignore_patterns("__pycache__", "tuned"))
        else:
            shutil.copy(ROOT / part, folder / part)
    (folder / "params.yaml").write_text(yaml.safe_dump({"use_cases": models}, sort_keys=False))
    repository = Repository(folder)
    repository.run("git", "init", "-q", "-b", "main")
    repository.run("git", "add", ".")
    repository.run("git", "commit", "-qm", "few use cases")
    return repository


@pytest.fixture(scope="module")
def reproduced(tmp_path_factory):
    """A repository after its first `dvc repro`, all committed."""
    repository = make(tmp_path_factory.mktemp("portfolio"), FEW)
    assert repository.repro() == {"resolve", *both(*FEW)}
    repository.run("git", "add", ".")
    repository.run("git", "commit", "-qm", "reproduced")
    return repository


@pytest.fixture
def edited(reproduced):
    """The same, to be edited; afterwards it is as it was."""
    yield reproduced
    reproduced.run("git", "checkout", "-q", ".")
    reproduced.dvc("checkout", "--quiet")


def test_a_second_repro_runs_nothing(reproduced):
    assert reproduced.repro() == set()
    assert reproduced.run("git", "status", "--porcelain") == ""


def test_editing_one_use_case_trains_it_alone(edited):
    edited.edit("conf/use_case/credit_scoring.yaml", "false_negative: 5", "false_negative: 6")
    assert edited.repro() == {"resolve", *both("credit_scoring")}
    changed = edited.dvc("params", "diff")
    assert re.search(r"settings.use_case.cost.false_negative +5.0 +6.0", changed)
    assert "resolved/fair_lending.json" not in changed
    assert "portfolio/fair_lending" not in edited.dvc("metrics", "diff")


def test_a_fact_that_only_an_evaluation_reads_trains_nothing(edited):
    model = edited.read("portfolio/credit_scoring/model/model.skops")
    edited.edit("conf/use_case/credit_scoring.yaml", "minimum_score: 0.73", "minimum_score: 0.7")
    assert edited.repro() == {"resolve", "evaluate@credit_scoring"}
    assert edited.read("portfolio/credit_scoring/run/model.skops") == model
    facts = json.loads(edited.read("portfolio/credit_scoring/run/metadata.json"))
    assert facts["config"]["use_case"]["minimum_score"] == 0.7


@pytest.mark.parametrize(
    ("name", "before", "after", "stale"),
    [
        ("conf/model/logistic_regression.yaml", "max_iter: 1000", "max_iter: 999", both(*LINEAR)),
        ("src/bank_models/models/clustering/linkage.py", IMPORT, f"{IMPORT}\nANOTHER = 1\n", both("segmentation")),
        ("src/bank_models/training/fit.py", IMPORT, f"{IMPORT}\nANOTHER = 1\n", both(*FEW)),
        ("src/bank_models/evaluation/drift.py", IMPORT, f"{IMPORT}\nANOTHER = 1\n", evaluations(*FEW)),
        ("src/bank_models/pipeline/fit/folds.py", IMPORT, f"{IMPORT}\nANOTHER = 1\n", fits(*LINEAR)),
        ("src/bank_models/data/catalogue/german_credit.yaml", "title: ", "title: New ", fits("credit_scoring")),
    ],
    ids=[
        "a model's parameters", "a module of clustering", "a module of all", "a module of the evaluation",
        "a module of the fit", "a data set's facts",
    ],
)  # fmt: skip
def test_what_an_edit_runs_again(edited, name, before, after, stale):
    edited.edit(name, before, after)
    assert edited.stale() == stale


def test_words_and_what_no_result_depends_on_run_nothing_again(edited):
    edited.edit("conf/model/kmeans.yaml", "\nparams:", "\n# a word\nparams:")
    edited.edit("conf/model/xgboost.yaml", "max_depth: 6", "max_depth: 5")  # a model that none of them uses
    edited.edit("conf/model/logistic_regression.yaml", "\ngrid:\n", "\ngrid:\n  max_iter: [50]\n")  # only a search reads it
    edited.edit("src/bank_models/training/fit.py", IMPORT, f"# a word\n{IMPORT}")
    edited.edit("src/bank_models/use_cases.py", "import argparse\n", "import argparse\n\nANOTHER = 1\n")
    edited.edit(
        "src/bank_models/report/__init__.py",
        "from __future__ import annotations\n",
        "from __future__ import annotations\n\nA = 1\n",
    )
    assert edited.stale() == set()


@pytest.mark.parametrize("use_case", ["credit_scoring", pytest.param("segmentation", marks=pytest.mark.slow)])
def test_a_stage_and_the_same_command_by_hand_give_equal_bytes(reproduced, tmp_path, use_case):
    by_hand = run_warm(f"use_case={use_case}", f"model={FEW[use_case]}", "registry=none", f"hydra.run.dir={tmp_path}/run")
    assert by_hand.returncode == 0, by_hand.stderr
    names = {path.name for path in (reproduced.folder / f"portfolio/{use_case}/run").iterdir()}
    for name in sorted(names - {"cv_results.csv", "manifest.json", "metadata.json"}):
        assert reproduced.read(f"portfolio/{use_case}/run/{name}") == (tmp_path / "run" / name).read_bytes(), name
    by_stage = json.loads(reproduced.read(f"portfolio/{use_case}/metrics.json"))
    assert by_stage == outputs.shortened(json.loads((tmp_path / "run/metrics.json").read_text()))
    assert by_stage == pytest.approx(json.loads((tmp_path / "run/metrics.json").read_text()), rel=1e-7)


def test_metrics_and_plots_of_the_portfolio_are_shown(reproduced):
    lines = reproduced.dvc("metrics", "show", "--md").splitlines()
    assert len(lines) == 2 + len(FEW) + 1
    assert [cell.strip() for cell in lines[0].strip("|").split("|")] == [
        "Path", "accuracy", "baseline", "calinski_harabasz", "ci_high", "ci_low", "davies_bouldin", "f1", "metric", "model",
        "precision", "recall", "roc_auc", "silhouette", "value",
    ]  # fmt: skip
    page = reproduced.dvc("plots", "show", "--json")
    plots = json.loads(page)
    assert not plots.get("errors")
    names = ("roc", "precision_recall", "confusion", "calibration")
    shown = {name for name in plots["data"] if "credit_scoring" in name}
    assert shown == {f"portfolio/credit_scoring/plots/{name}.csv" for name in names}


def test_models_are_named_for_the_registry_of_dvc(reproduced):
    found = yaml.safe_load(reproduced.read("portfolio/dvc.yaml"))["artifacts"]
    assert found["credit-scoring"]["path"] == "credit_scoring/run/model.skops"
    assert (reproduced.folder / "portfolio" / found["credit-scoring"]["path"]).is_file()


def test_another_machine_pulls_a_model_and_scores_with_it(reproduced, tmp_path):
    reproduced.run(sys.executable, "-m", "dvc", "remote", "add", "--local", "-f", "-d", "shelf", str(tmp_path / "shelf"))
    reproduced.dvc("push", "--quiet")
    reproduced.run("git", "clone", "-q", ".", str(tmp_path / "there"))
    there = Repository(tmp_path / "there")
    there.dvc("remote", "add", "--local", "-d", "shelf", str(tmp_path / "shelf"))
    there.dvc("pull", "--quiet")
    assert there.repro() == set()
    code = "import pandas; from pathlib import Path; from bank_models.runs import model_file\n"
    code += "model = model_file.load(Path('portfolio/credit_scoring/run'))\n"
    code += "print(model.predict_proba(pandas.read_parquet('portfolio/credit_scoring/data.parquet')).shape)"
    assert there.run(sys.executable, "-c", code) == "(1000, 2)\n"


def test_params_and_shown_plots_name_the_whole_portfolio():
    models = yaml.safe_load((ROOT / "params.yaml").read_text())
    assert models == {"use_cases": {entry["key"]: entry["model"] for entry in catalogue([CONF])}}


def test_a_module_that_a_run_loads_without_being_counted_is_refused(compose):
    settings = compose("use_case=credit_scoring").model_dump(mode="json")
    lineage.check_loaded(
        "fit", settings, ["bank_models.train", "bank_models.training.fit", "bank_models.sweeps.record", "numpy"]
    )
    with pytest.raises(
        lineage.IntegrityError,
        match=r"models.clustering.estimators, bank_models.models.neural.estimator: loaded by the stage fit, but not counted",
    ):
        lineage.check_loaded(
            "fit", settings, ["bank_models.models.neural.estimator", "bank_models.models.clustering.estimators"]
        )


def test_no_fit_counts_a_module_of_the_evaluation_and_one_that_loads_it_is_refused(compose):
    settings = compose("use_case=credit_scoring").model_dump(mode="json")
    assert not [
        name
        for name in lineage.modules_of("fit", settings)
        if name.startswith(("bank_models.evaluation", "bank_models.pipeline.evaluate"))
    ]
    found = set(lineage.modules_of("evaluate", settings))
    assert {f"bank_models.evaluation.{name}" for name in ("benchmarks", "explain.shapley", "fairness", "slices")} <= found
    of_clusters = set(lineage.modules_of("evaluate", compose("use_case=segmentation").model_dump(mode="json")))
    assert (
        not {"bank_models.evaluation.benchmarks", "bank_models.evaluation.fairness", "bank_models.evaluation.slices"}
        & of_clusters
    )
    lineage.check_loaded("evaluate", settings, ["bank_models.evaluation.fairness"])
    with pytest.raises(
        lineage.IntegrityError, match=r"bank_models.evaluation.fairness: loaded by the stage fit, but not counted"
    ):
        lineage.check_loaded("fit", settings, ["bank_models.evaluation.fairness"])


def test_a_trainer_counts_for_its_own_models_and_for_those_that_average_them(compose):
    def trainers(*words: str) -> set[str]:
        counted = lineage.modules_of("fit", compose("use_case=credit_scoring", *words).model_dump())
        return {
            name.removeprefix("bank_models.models.early_stopping.")
            for name in counted
            if name.startswith("bank_models.models.early_stopping.")
        }

    assert trainers("model=logistic_regression") == set()
    assert trainers("model=xgboost", "tuning=bayesian") == {"xgboost", "xgboost_batches"}
    boosters = {"lightgbm", "lightgbm_batches", "xgboost", "xgboost_batches"}
    assert trainers("model=ensemble") - {"catboost"} == boosters


def test_a_transformer_counts_where_a_column_of_its_kind_is_declared(compose):
    def transformers(use_case: str) -> set[str]:
        counted = lineage.modules_of("fit", compose(f"use_case={use_case}").model_dump())
        return {name.rpartition(".")[2] for name in counted if name.startswith("bank_models.features.transformers.")}

    assert transformers("credit_scoring") == {"categories", "matrix", "numbers"}
    assert transformers("sentiment_analysis") == {"categories", "matrix", "numbers", "texts"}


def test_a_fit_is_not_given_what_only_an_evaluation_reads(compose):
    config = compose("use_case=credit_scoring")
    assert config.use_case.benchmarks
    assert config.use_case.minimum_score
    withheld = resolve.withheld(config).use_case
    assert (withheld.benchmarks, withheld.minimum_score, withheld.favourable) == ({}, None, None)
    assert withheld.cost == config.use_case.cost


@pytest.mark.parametrize(
    ("model", "used"),
    [("xgboost", "bank_models.models.early_stopping.xgboost"), ("neural_network", "bank_models.models.neural.network")],
)
def test_a_model_under_a_name_of_its_own_counts_what_its_estimator_uses(compose, model, used):
    settings = compose("use_case=credit_scoring", f"model={model}").model_dump()
    settings["model"]["name"] = "deep"
    assert all(used in lineage.modules_of(stage, settings) for stage in ("fit", "evaluate"))


def test_numbers_for_git_have_eight_significant_digits_and_everything_else_is_as_it_was(tmp_path):
    values = {"a": 0.1234567891, "b": 3, "c": {"d": 1e-20 / 3, "e": None}, "f": "0.1234567891", "g": True}
    assert outputs.shortened(values) == values | {"a": 0.12345679, "c": {"d": 3.3333333e-21, "e": None}}
    (tmp_path / "a.csv").write_text("class,n,x\n0.50,123456789012,-1234567.89123\n2024-01-01,2,nan\n")
    outputs._copy_columns(tmp_path / "a.csv", tmp_path / "b.csv", digits=8)
    assert (tmp_path / "b.csv").read_text() == "class,n,x\n0.50,123456789012,-1234567.9\n2024-01-01,2,nan\n"


def test_what_is_left_of_use_cases_that_are_not_reproduced_any_more_is_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("fraud", "churn"):
        (tmp_path / "portfolio" / name).mkdir(parents=True)
        (tmp_path / "portfolio" / name / "metrics.json").write_text("{}")
    assert resolve.orphans({"fraud": {}}) == ["portfolio/churn"]


def test_words_about_code_are_not_its_meaning():
    code = 'def f(x):\n    """Say it."""\n    return "# kept"  # dropped\n'
    assert lineage.meaning(code) == 'def f(x):\n    return "# kept"'
    assert lineage.meaning("# a\n\nX = 1\n") == lineage.meaning('"""Another."""\nX = 1\n')


def test_where_a_search_looks_counts_only_with_a_search(compose):
    kept = {
        tuning: resolve.determining(compose("use_case=credit_scoring", f"tuning={tuning}").model_dump(mode="json"))["model"]
        for tuning in ("none", "grid_search")
    }
    assert "grid" not in kept["none"]
    assert "grid" in kept["grid_search"]


@pytest.mark.slow
def test_a_killed_repro_ends_with_the_same_lock_file(tmp_path):
    whole, killed = make(tmp_path / "whole", FEW), make(tmp_path / "killed", FEW)
    whole.repro()
    for _ in range(2):
        process = killed.start(sys.executable, "-m", "dvc", "repro")
        time.sleep(8)
        process.kill()
        process.communicate()
    killed.repro()
    assert killed.read("dvc.lock") == whole.read("dvc.lock")


@pytest.mark.slow
def test_training_ahead_on_all_cores_gives_the_lock_file_of_one_after_the_other(tmp_path):
    models = SIMULATED | REAL
    serial, parallel = make(tmp_path / "serial", models), make(tmp_path / "parallel", models)
    serial.repro()  # every stage makes sure that it loaded no module that is not counted
    said = parallel.run(sys.executable, "-m", "src.reproduce")
    assert f"{len(models)} trained" in said.splitlines()[-1]
    assert "Running stage 'fit@" not in said  # recorded in one step
    assert parallel.read("dvc.lock") == serial.read("dvc.lock")
    assert parallel.repro() == set()
    assert not (parallel.folder / "multirun/reproduce").exists()


@pytest.mark.slow
def test_a_stage_of_ones_own_runs_after_what_was_trained_ahead(tmp_path):
    repository = make(tmp_path / "own", {"credit_scoring": "logistic_regression"})
    summary, copy = "portfolio/credit_scoring/summary.json", "mine.json"
    stages = yaml.safe_load(repository.read("dvc.yaml"))
    stages["stages"]["mine"] = {"cmd": f"cp {summary} {copy}", "deps": [summary], "outs": [copy]}
    (repository.folder / "dvc.yaml").write_text(yaml.safe_dump(stages, sort_keys=False))
    repository.run(sys.executable, "-m", "src.reproduce")
    assert repository.read(copy) == repository.read(summary)
    assert repository.repro() == set()
