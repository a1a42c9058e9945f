import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from conftest import run_warm
from sklearn.metrics import average_precision_score

from bank_models.data import load
from bank_models.data.table import make_table
from bank_models.errors import ConfigError
from bank_models.evaluation import validity
from bank_models.report import render as render_report
from bank_models.report.model_card import render as render_card
from bank_models.runs import model_file
from bank_models.training.fit import fit_unsupervised
from bank_models.training.recipe import make_recipe


@pytest.fixture(scope="module")
def run(run_of):
    """Folder, facts and metrics of a run that looked for anomalies."""
    folder = run_of("anomaly")
    return folder, json.loads((folder / "metadata.json").read_text()), json.loads((folder / "metrics.json").read_text())


@pytest.fixture
def table(compose):
    """The settings and the rows of that run."""
    config = compose("use_case=synthetic_identity", "data_source.rows=1000")
    data = load.load(use_case=config.use_case, **config.data_source.model_dump())
    return config, make_table(data, config.use_case)


def part_of(folder, name) -> np.ndarray:
    return np.flatnonzero(pd.read_parquet(folder / "split.parquet")["part"] == name)


def test_a_detector_fitted_on_the_train_rows_alone_gives_the_answers_to_test_that_were_saved(run, table):
    folder, _, metrics = run
    config, rows = table
    alone = fit_unsupervised(make_recipe(config, rows.features), rows.frame.iloc[part_of(folder, "train")])
    answers, test = pd.read_parquet(folder / "test_scores.parquet"), part_of(folder, "test")
    np.testing.assert_array_equal(answers["row"], test)
    np.testing.assert_array_equal(answers["score"], alone.score_samples(rows.frame.iloc[test]))
    np.testing.assert_array_equal(answers["decision"] == 1, alone.predict(rows.frame.iloc[test]) == -1)
    assert metrics["test_average_precision"] == average_precision_score(rows.y[test], answers["score"])


def test_val_of_a_detector_is_for_comparing_runs(run, table):
    folder, _, metrics = run
    rows, val = table[1], part_of(folder, "val")
    score = model_file.load(folder).score_samples(rows.frame.iloc[val])
    assert metrics["val_score"] == metrics["val_average_precision"] == average_precision_score(rows.y[val], score)


def test_labels_judge_a_detector_and_never_teach_it(tmp_path, table):
    frame = table[1].frame
    scores = []
    for name, labels in (("right", frame["is_synthetic"]), ("turned", 1 - frame["is_synthetic"])):
        frame.assign(is_synthetic=labels).to_parquet(tmp_path / f"{name}.parquet")
        rows = ["data_source=file", f"data_source.path={tmp_path}/{name}.parquet", "data_split=random"]
        result = run_warm("use_case=synthetic_identity", *rows, f"hydra.run.dir={tmp_path}/{name}")
        assert result.returncode == 0, result.stderr
        scores.append(pd.read_parquet(tmp_path / name / "test_scores.parquet"))
    right, turned = scores
    np.testing.assert_array_equal(right["score"], turned["score"])
    np.testing.assert_array_equal(right["y_true"], 1 - turned["y_true"])


def test_nobody_is_in_two_parts_and_the_interval_draws_whole_employees(tmp_path):
    result = run_warm("use_case=insider_fraud", "data_source.rows=6000", f"hydra.run.dir={tmp_path}/run")
    assert result.returncode == 0, result.stderr
    facts = json.loads((tmp_path / "run/metadata.json").read_text())
    shared, drawn = facts["split"]["overlap"], facts["interval_of"]["drawn"]
    assert (shared["n_groups_known"], shared["n_copies"]) == (0, 0)
    assert drawn["employee_id"] == shared["n_groups"] == 50  # a tenth of 500, each of whom has twelve months


def test_a_run_of_anomalies_is_judged_and_watched_as_any_other(run, table):
    folder, facts, metrics = run
    assert [(each.name, each.colour) for each in validity.judge(facts, metrics)] == [
        ("split seed", "green"), ("parts", "green"), ("leakage", "green"), ("plausible", "green")]  # fmt: skip
    reference = json.loads((folder / "drift_reference.json").read_text())
    n_rows = facts["split"]["n_rows"]
    assert {each["n_rows"] for each in reference["features"].values()} == {n_rows["train"]}
    assert {each["n_rows"] for each in reference["answers"].values()} == {n_rows["val"]}
    assert reference["floors"]["value"] == metrics["test_average_precision"]
    assert set(facts["split"]["drift"]) == set(facts["feature_names"])


def test_what_people_read_says_which_rows_were_fitted_on_and_which_judged(run):
    folder, *_ = run
    page, card = render_report(folder), render_card(folder)
    assert "fitted on train without labels" in page
    assert "on 100 test rows" in page
    assert "All rows are used" not in page + card
    assert "| Cluster (-1 is noise) | Train rows | Share |" in card
    assert "| test | 100 |" in card


def test_anomalies_without_a_held_out_part_are_refused(compose):
    with pytest.raises(ConfigError, match=r"synthetic_identity is anomaly: choose data_split=stratified, random, temporal"):
        compose("use_case=synthetic_identity", "data_split=none")


def test_a_detector_that_cannot_score_new_rows_is_told_so(table):
    config, rows = table
    recipe = replace(make_recipe(config, rows.features), estimator="DummyRegressor", params={})
    with pytest.raises(ConfigError, match=r"DummyRegressor cannot score rows that it was not fitted on.*\n.*model=dbscan"):
        fit_unsupervised(recipe, rows.frame)
