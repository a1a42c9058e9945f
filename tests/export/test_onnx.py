"""Export to ONNX: what the file answers beside what the model answers, and what is refused."""

import json
from copy import deepcopy
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import run_warm
from sklearn.isotonic import IsotonicRegression

from bank_models import fit, load_config, load_table, make_recipe, split
from bank_models.errors import ConfigError, DataError, TrainingError
from bank_models.export import command as exports
from bank_models.export.calibration import add_isotonic, rounded
from bank_models.export.comparison import cells, compare, with_gaps
from bank_models.export.graph import Graph
from bank_models.export.model import check_exportable, make_graph
from bank_models.metrics.scores import decide
from bank_models.models.ensemble import EnsembleClassifier
from bank_models.models.layers import take_apart
from bank_models.models.wrappers import CheapestClass, predict_score, with_threshold
from bank_models.pipeline.fit.supervised import decide_on_val
from bank_models.registry import __main__ as command_line
from bank_models.registry import signing, witness
from bank_models.registry.store import Registry
from bank_models.training.calibration import calibrate

RNG = np.random.default_rng(0)
N = 1500
USE_CASE = """\
# @package _global_
defaults: [override /data_source: file, override /data_split: random, override /cv: kfold, _self_]
use_case:
  id: UC-TEST-001
  key: {task}_case
  name: A small case
  department: test
  row: A row that was drawn.
  task: {task}
  target: {target}
  metric: {metric}
  {more}
  features:
    income: float
    age: {{type: float, max_missing: 0.3}}
    n_children: int
    is_member: bool
    region: {{type: category, max_missing: 0.3}}
    company: category
"""
CASES = {
    "binary": {"target": "late", "metric": "roc_auc", "more": "positive: late\n  negative: paid"},
    "multiclass": {"target": "rating", "metric": "log_loss", "more": "classes: [low, middle, high]"},
    "regression": {"target": "loss_eur", "metric": "rmse", "more": "target_transform: log1p\n  target_min: 0"},
}
FEW_ROUNDS = ("xgboost", "lightgbm", "random_forest", "gradient_boosting", "hist_gradient_boosting")
CLASSIFIERS = [(model, task) for model in (*FEW_ROUNDS, "logistic_regression") for task in ("binary", "multiclass")]
REGRESSORS = [(model, "regression") for model in (*FEW_ROUNDS, "linear_regression")]


@pytest.fixture(scope="module")
def cases(tmp_path_factory):
    """A folder with `rows.parquet` and a use case of each task."""
    folder = tmp_path_factory.mktemp("cases")
    frame = pd.DataFrame(
        {
            "income": RNG.lognormal(size=N),
            "age": np.where(RNG.random(N) < 0.1, np.nan, RNG.normal(40, 10, N)),
            "n_children": RNG.integers(0, 5, N),
            "is_member": RNG.random(N) < 0.5,
            "region": RNG.choice(["north", "south", "east", None], N),
            "company": RNG.integers(0, 70, N).astype(str),  # too many for a column each: encoded by their mean target
        }
    )
    signal = np.log(frame.income) + (frame.region == "north") + frame.is_member + 0.5 * RNG.normal(size=N)
    frame["late"] = np.where(signal > 1.2, "late", "paid")
    frame["rating"] = pd.cut(signal, [-99, 0, 1.5, 99], labels=["low", "middle", "high"]).astype(str)
    frame["loss_eur"] = np.exp(signal).round(2)
    frame.to_parquet(folder / "rows.parquet")
    (folder / "use_case").mkdir()
    for task, facts in CASES.items():
        (folder / f"use_case/{task}_case.yaml").write_text(USE_CASE.format(task=task, **facts))
    return folder


@pytest.fixture(scope="module")
def fitted(cases):
    """Fit a model: fitted("xgboost", "binary") gives it with its use case and the test rows."""

    @cache
    def made(model: str, task: str, *overrides: str):
        length = "max_iter" if model == "hist_gradient_boosting" else "n_estimators"
        rounds = [f"model.params.{length}=15"] if model in FEW_ROUNDS else []
        source = f"data_source.path={cases}/rows.parquet"
        config = load_config(f"use_case={task}_case", f"model={model}", source, *rounds, *overrides, config_dir=cases)
        table = load_table(config)
        parts = split(table, config)
        recipe = make_recipe(config, table)
        found = decide_on_val(config, recipe, fit(recipe, table, parts), table, parts, pd.DataFrame())
        return found.model, config.use_case, table.frame.iloc[parts.split.test]

    return made


def exported(model, use_case, path: Path) -> Path:
    check_exportable("case@1.0.0", model, use_case)
    make_graph(model, use_case).write(path, {})
    return path


def check(model, use_case, rows, path: Path, largest: float = 1e-6) -> None:
    exported(model, use_case, path)
    gaps = with_gaps(model, use_case.inputs(), rows)
    assert gaps[["age", "region", "is_member"]].isna().any().all()
    for table in (rows, gaps):
        found = compare(path, model, use_case, table)
        assert found.largest < largest
        assert found.n_decisions == 0


@pytest.mark.parametrize(("model", "task"), [*CLASSIFIERS, *REGRESSORS])
def test_the_file_answers_as_the_model_does(fitted, tmp_path, model, task):
    pytest.importorskip("onnxruntime", reason="make setup EXTRAS=onnx")
    check(*fitted(model, task), tmp_path / "model.onnx", 1e-6 if model == "xgboost" else 1e-9)


@pytest.mark.parametrize("model", [*FEW_ROUNDS, "logistic_regression"])
def test_calibrated_probabilities_are_those_of_the_model(fitted, tmp_path, model):
    pytest.importorskip("onnxruntime", reason="make setup EXTRAS=onnx")
    check(*fitted(model, "binary", "calibration=sigmoid"), tmp_path / "model.onnx")


def in_steps(model, rows):
    often = pd.concat([rows] * 10)  # it learns from 1,000 rows at least
    return calibrate(take_apart(model).core, "isotonic", often, (often.income > 1.5).astype(int).to_numpy())


@pytest.mark.parametrize("model", ["lightgbm", "logistic_regression", "hist_gradient_boosting", "random_forest"])
def test_a_calibration_in_steps_is_that_of_the_model_where_scores_are_in_double_precision(fitted, tmp_path, model):
    pytest.importorskip("onnxruntime", reason="make setup EXTRAS=onnx")
    model, use_case, rows = fitted(model, "binary")
    check(with_threshold(in_steps(model, rows), 0.4), use_case, rows, tmp_path / "model.onnx", 1e-9)


def test_a_calibration_of_one_value_gives_it_to_every_row(tmp_path):
    onnxruntime = pytest.importorskip("onnxruntime", reason="make setup EXTRAS=onnx")
    flat = IsotonicRegression(out_of_bounds="clip").fit([0.1, 0.9], [1.0, 0.0])
    graph = Graph()
    result = add_isotonic(graph, flat, graph.as_type(graph.input("score", np.dtype("float32")), "float64"))
    graph.output("calibrated", result, np.dtype("float64"), 1)
    graph.write(tmp_path / "flat.onnx", {})
    given = np.array([[0.0], [0.5], [2.0]], dtype="float32")
    (found,) = onnxruntime.InferenceSession(tmp_path / "flat.onnx").run(["calibrated"], {"score": given})
    np.testing.assert_array_equal(found[:, 0], flat.predict(given[:, 0]))


def test_steps_turn_rounding_into_a_difference_that_is_known_beforehand():
    steep = IsotonicRegression(out_of_bounds="clip").fit([0.1, 0.5, 0.5 + 1e-9, 0.9], [0.0, 0.2, 0.8, 1.0])
    assert rounded(steep, 1e-12) == pytest.approx(1e-12 * 0.6 / 1e-9, rel=1e-3)
    assert rounded(steep, 1e-6) == pytest.approx(0.6, abs=1e-5)


def test_a_calibration_in_steps_is_refused_where_scores_are_in_single_precision(fitted):
    model, use_case, rows = fitted("xgboost", "binary")
    calibrated = in_steps(model, rows)
    with pytest.raises(ConfigError, match="calibration=isotonic has steps, at which rounding decides"):
        check_exportable("case@1.0.0", calibrated, use_case)


def test_an_ensemble_is_the_weighted_mean_of_its_members(fitted, tmp_path):
    pytest.importorskip("onnxruntime", reason="make setup EXTRAS=onnx")
    (one, use_case, rows), (other, *_) = fitted("xgboost", "binary"), fitted("random_forest", "binary")
    members = {"xgboost": take_apart(one).core, "random_forest": take_apart(other).core}
    ensemble = EnsembleClassifier(members, {"xgboost": 0.3, "random_forest": 0.7})
    check(with_threshold(ensemble, 0.4), use_case, rows, tmp_path / "model.onnx")


def test_classes_are_decided_for_by_cost_where_there_are_costs(fitted, tmp_path):
    pytest.importorskip("onnxruntime", reason="make setup EXTRAS=onnx")
    model, use_case, rows = fitted("random_forest", "multiclass")
    by_cost = CheapestClass(take_apart(model).core, np.array([[0.0, 1.0, 1.0], [9.0, 0.0, 1.0], [9.0, 1.0, 0.0]]))
    assert (by_cost.predict(rows) != model.predict(rows)).any()
    check(by_cost, use_case, rows, tmp_path / "model.onnx", 1e-9)


def test_what_a_service_gets_is_what_predict_writes(fitted, tmp_path):
    """As a service would ask, without our code: a row as plain arrays."""
    onnxruntime = pytest.importorskip("onnxruntime", reason="make setup EXTRAS=onnx")
    model, use_case, rows = fitted("lightgbm", "binary")
    session = onnxruntime.InferenceSession(exported(model, use_case, tmp_path / "model.onnx"))
    one = rows.iloc[[0]]
    given = {name: np.array([[one[name].iloc[0]]], dtype="float32") for name in ("income", "age", "n_children", "is_member")}
    given |= {"region": np.array([[one.region.iloc[0]]], object), "company": np.array([[one.company.iloc[0]]], object)}
    score, decision = session.run(["score", "decision"], given)
    expected = model.predict_proba(one)[0, 1]
    assert score[0] == pytest.approx(expected, abs=1e-12)
    assert decision[0] == ["paid", "late"][model.predict(one)[0]]
    assert {one.name: one.type for one in session.get_inputs()} == {
        **dict.fromkeys(("income", "age", "n_children", "is_member"), "tensor(float)"),
        **dict.fromkeys(("region", "company"), "tensor(string)"),
    }


def test_a_row_that_stands_at_the_threshold_is_decided_as_by_the_model(fitted, tmp_path):
    """The threshold is the score of a val row, so that rows like it reach it exactly, in float32."""
    pytest.importorskip("onnxruntime", reason="make setup EXTRAS=onnx")
    model, use_case, rows = deepcopy(fitted("xgboost", "binary"))
    path = tmp_path / "model.onnx"
    for score in predict_score(model, rows, "binary")[:40]:
        model.threshold = float(score)
        exported(model, use_case, path)
        expected = decide("binary", predict_score(model, rows, "binary"), model.threshold).decision
        assert expected.any()
        assert compare(path, model, use_case, rows).n_decisions == 0


def test_missing_and_unseen_cells_are_made_of_each_column(fitted):
    model, use_case, rows = fitted("lightgbm", "binary")
    gaps = with_gaps(model, use_case.inputs(), rows)
    assert len(gaps) == 50 * (6 + 2 + 2)  # each of six lacks a value, two have an unseen one, and all at once
    assert (gaps.region == "not seen_____").sum() == 100
    given = cells(use_case.inputs(), gaps)
    assert set(given["region"][:, 0]) >= {"", "north", "not seen_____"}
    assert np.isnan(given["is_member"]).sum() == 150


@pytest.mark.parametrize(
    ("model", "more", "why"),
    [
        ("dummy", [], "DummyClassifier has no exact form in ONNX here"),
        ("xgboost", ["+use_case.derived.ratio='income / n_children'"], r"it reads derived columns \(ratio\)"),
        ("xgboost", ["use_case.features.company={type: text}"], r"it reads texts \(company\)"),
    ],
)
def test_what_cannot_be_exact_is_refused(fitted, model, more, why):
    found, use_case, _ = fitted(model, "binary", *more)
    with pytest.raises(ConfigError, match=rf"case@1\.0\.0 cannot be exported to ONNX: {why}\.\nExact are numbers"):
        check_exportable("case@1.0.0", found, use_case)


def test_a_model_without_a_target_is_refused(fitted):
    model, use_case, _ = fitted("lightgbm", "binary")
    with pytest.raises(ConfigError, match="anomaly is no supervised task"):
        check_exportable("case@1.0.0", model, use_case.model_copy(update={"task": "anomaly"}))


@pytest.fixture
def registered(tmp_path, monkeypatch, cases):
    """A registry with a version that was trained from the command line, and the table it was trained on."""
    monkeypatch.setenv(witness.VARIABLE, str(tmp_path / "state/witness.jsonl"))
    for name in (signing.SIGNING_KEY, signing.PUBLIC_KEY):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "rows.parquet").write_bytes((cases / "rows.parquet").read_bytes())
    result = run_warm(
        "--config-dir", cases, "use_case=binary_case", "model=logistic_regression", "cv=none", f"hydra.run.dir={tmp_path}/run",
        f"data_source.path={tmp_path}/rows.parquet", f"registry.path={tmp_path}/models",
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    return tmp_path


def command(folder: Path, *words: str) -> int:
    return command_line.main(["export", "binary_case@1.0.0", f"--registry={folder}/models", f"--out={folder}/m.onnx", *words])


def test_the_command_writes_a_file_and_says_how_near_it_comes(registered, capsys):
    pytest.importorskip("onnxruntime", reason="make setup EXTRAS=onnx")
    assert command(registered, "--json") == 0
    said = json.loads(capsys.readouterr().out)
    assert said["n_test_rows"] == 150
    assert said["largest_difference"] < 1e-9
    assert said["tolerance"] == 1e-5
    assert (registered / "m.onnx").stat().st_size > 1000
    assert command(registered) == 0
    assert "(tolerance 1e-05) on 150 test rows" in capsys.readouterr().out


def test_a_file_that_answers_otherwise_is_not_written(registered, monkeypatch):
    pytest.importorskip("onnxruntime", reason="make setup EXTRAS=onnx")
    monkeypatch.setattr("bank_models.export.comparison.TOLERANCE", -1.0)
    version = Registry(registered / "models").versions("binary_case")[0]
    with pytest.raises(TrainingError, match=r"does not answer as the model does: on 150 test rows.*\n.*Nothing was written"):
        exports.export(version, registered / "m.onnx")
    assert not list(registered.glob("*m.onnx*"))


def test_an_export_needs_the_test_rows_and_onnx(registered, monkeypatch):
    version = Registry(registered / "models").versions("binary_case")[0]
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"needs onnx and onnxruntime\.\nType: make setup EXTRAS=onnx"):
        exports.export(version, registered / "m.onnx")
    monkeypatch.undo()
    monkeypatch.setattr(exports, "check_installed", lambda: None)
    pd.read_parquet(registered / "rows.parquet").iloc[::-1].to_parquet(registered / "rows.parquet")
    with pytest.raises(DataError, match=r"is exported where its test rows are.* holds other rows now"):
        exports.export(version, registered / "m.onnx")
    (registered / "rows.parquet").unlink()
    with pytest.raises(DataError, match=r"is exported where its test rows are.*rows\.parquet"):
        exports.export(version, registered / "m.onnx")
