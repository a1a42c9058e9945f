"""A fit and its evaluation, apart from one another, against both in one process."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from conftest import KINDS, elsewhere

import bank_models
from bank_models.errors import IntegrityError
from bank_models.pipeline import handover
from bank_models.pipeline.fit import fit_of
from bank_models.pipeline.fit.prepare import prepare
from bank_models.pipeline.fit.stage import fit
from bank_models.runs import model_file
from bank_models.runtime.progress import Steps

OF_CLOCK = ["fit_time", "score_time", "seconds"]


def fitted(overrides, home) -> None:
    fit(bank_models.load_config(*overrides, "tracking=none"), home)


def evaluated(overrides, home, run_dir) -> float:
    from bank_models.pipeline.evaluate.stage import evaluate

    return evaluate(bank_models.load_config(*overrides, "tracking=none"), home, run_dir, {})


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """What the fit of a detector has left."""
    folder = tmp_path_factory.mktemp("fit")
    elsewhere(fitted, KINDS["anomaly"], folder)
    return folder


@pytest.mark.parametrize(
    "kind", ["quantile", *(pytest.param(kind, marks=pytest.mark.slow) for kind in KINDS if kind != "quantile")]
)
def test_a_fit_and_its_evaluation_in_two_processes_give_the_files_of_one(run_of, tmp_path, kind):
    elsewhere(fitted, KINDS[kind], tmp_path)
    score = elsewhere(evaluated, KINDS[kind], tmp_path, tmp_path / "run")
    whole = run_of(kind)
    names = {path.name for path in (tmp_path / "run").iterdir() if path.is_file()}
    assert names == {path.name for path in whole.iterdir() if path.is_file()} - {"model_card.md", "report.html"}
    for name in names - {"manifest.json", "metadata.json", "resources.csv"}:
        apart, together = tmp_path / "run" / name, whole / name
        if name in ("cv_results.csv", "trials.csv"):
            pd.testing.assert_frame_equal(pd.read_csv(apart), pd.read_csv(together).drop(columns=OF_CLOCK, errors="ignore"))
        else:
            assert apart.read_bytes() == together.read_bytes(), name
    facts, expected = (json.loads((folder / "metadata.json").read_text()) for folder in (tmp_path / "run", whole))
    for name in ("best_iteration", "baseline", "data", "interval_of", "leaks", "notes", "params", "reference", "split"):
        assert facts.get(name) == expected.get(name), name
    if kind != "clustering":
        assert score == json.loads((whole / "metrics.json").read_text())["val_score"]


def test_the_test_rows_have_no_part_in_a_fit(tmp_path):
    config = bank_models.load_config("use_case=sentiment_analysis", "cv=none", "tracking=none")
    with Steps("as it is") as steps:
        rows = prepare(config, steps)
        test, table = rows.parts.split.test, rows.table
        order, y = np.arange(len(table.y)), table.y.copy()
        order[test], y[test] = np.roll(test, 1), y[test][::-1]
        others = replace(rows, table=replace(table, y=y, frame=table.frame.iloc[order].reset_index(drop=True)))
        for name, given in (("one", rows), ("other", others)):
            model_file.dump(tmp_path / name, fit_of(config.use_case.task)(config, given, steps).model)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "other").read_bytes()


def test_rows_that_come_back_from_files_are_those_that_were_fitted_on(home):
    config = bank_models.load_config(*KINDS["anomaly"])
    with Steps("again") as steps:
        expected = prepare(config, steps)
    rows, _ = handover.read(home, config)
    pd.testing.assert_frame_equal(rows.table.frame, expected.table.frame)
    np.testing.assert_array_equal(rows.table.true_score, expected.table.true_score)
    np.testing.assert_array_equal(rows.table.valid.rows, expected.table.valid.rows)
    assert rows.parts.split.sha256() == expected.parts.split.sha256()
    assert rows.parts.seeds == expected.parts.seeds
    assert rows.data.provenance == expected.data.provenance


@pytest.mark.parametrize(
    ("name", "said"),
    [("data.parquet", "is not what the model was fitted on"), ("split.parquet", "is not the split of the fit")],
)
def test_rows_or_a_split_that_the_model_does_not_come_from_are_refused(home, tmp_path, name, said):
    shutil.copytree(home, tmp_path / "home")
    frame = pd.read_parquet(tmp_path / "home" / name)
    frame.iloc[::-1].to_parquet(tmp_path / "home" / name, index=False)
    with pytest.raises(IntegrityError, match=f"{said}. Type: dvc repro fit@synthetic_identity"):
        handover.read(tmp_path / "home", bank_models.load_config(*KINDS["anomaly"]))
