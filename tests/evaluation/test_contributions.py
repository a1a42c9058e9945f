"""Contributions to single rows, as a run records them and as its page draws them."""

import json
import re

import numpy as np
import pandas as pd
import pytest
from conftest import KINDS, run_warm
from html_page import Page
from test_reasons import NEW, PAIRS, scoring_model

from bank_models import report
from bank_models.config.use_case import UseCase
from bank_models.data import load
from bank_models.data.table import make_table
from bank_models.evaluation.explain import contributions
from bank_models.evaluation.explain.contributions import MOST_FEATURES, MOST_ROWS, n_explained, ranks
from bank_models.evaluation.explain.reference import as_table
from bank_models.models.layers import pipeline_of, take_apart
from bank_models.report import series
from bank_models.report.explanation import CONTRIBUTIONS
from bank_models.runs import model_file

SUPERVISED = [kind for kind in KINDS if kind not in ("clustering", "anomaly")]


def tables_of(folder) -> tuple[pd.DataFrame, pd.DataFrame]:
    how = {"dtype": {"value": str}, "keep_default_na": False, "na_values": [""]}
    return tuple(pd.read_csv(folder / f"{name}.csv", **how) for name in ("contributions", "explained_rows"))


def explained_rows_of(folder) -> tuple:
    """The fitted pipeline of a run and the rows that were explained, read again from their source."""
    facts = json.loads((folder / "metadata.json").read_text())
    use_case = UseCase.model_validate(facts["config"]["use_case"])
    table = make_table(load.load(use_case=use_case, **facts["config"]["data_source"]), use_case)
    rows = table.frame.iloc[tables_of(folder)[1]["row"]]
    return pipeline_of(take_apart(model_file.load(folder)).core), rows, as_table(facts["reference"], table.features)


def chart_of(folder) -> dict:
    return next(chart for chart in Page((folder / report.NAME).read_text()).charts if chart["title"] == CONTRIBUTIONS)


@pytest.mark.parametrize("kind", SUPERVISED)
def test_what_a_run_records_adds_up_to_the_raw_score(run_of, kind):
    found, rows = tables_of(run_of(kind))
    added = found.groupby("row")["contribution"].sum().loc[rows["row"]].to_numpy()
    size = found["contribution"].abs().groupby(found["row"]).sum().max() + rows["base"].abs().max()
    np.testing.assert_allclose(rows["base"] + added + rows["other_features_add"], rows["raw_score"], rtol=0, atol=2e-5 * size)


def test_contributions_of_a_booster_are_its_own_and_give_its_margin(run_of):
    from xgboost import DMatrix

    folder = run_of("tuned")
    (pipeline, frame, _), (found, rows) = explained_rows_of(folder), tables_of(folder)
    step, estimator = pipeline.named_steps.values()
    data = DMatrix(step.transform(frame), feature_types=estimator.feature_types, enable_categorical=True)
    own = pd.DataFrame(estimator.get_booster().predict(data, pred_contribs=True)[:, :-1])
    declared = json.loads((folder / "metadata.json").read_text())["config"]["use_case"]["features"]
    names = json.loads((folder / "feature_names.json").read_text())
    own.columns = sorted(names, key=lambda name: declared[name]["type"] == "category")  # numbers come first in a matrix
    for feature, part in found.groupby("feature"):
        np.testing.assert_allclose(part["contribution"], own[feature], rtol=1e-3, atol=1e-4)
    margin = estimator.get_booster().predict(data, output_margin=True)
    np.testing.assert_allclose(rows["raw_score"], margin, rtol=1e-5, atol=1e-6)
    assert (rows["method"] == "tree_paths").all()


def test_contributions_of_a_linear_model_are_its_coefficients_times_the_distance_from_the_usual_row(run_of):
    folder = run_of("multiclass")  # tf-idf of a text, three classes
    (pipeline, frame, usual), (found, rows) = explained_rows_of(folder), tables_of(folder)
    step, estimator = pipeline.named_steps.values()
    away = (step.transform(frame) - step.transform(usual)[np.zeros(len(frame), dtype=int)]).toarray()
    added = (away * estimator.coef_[rows["class"]]).sum(axis=1)
    np.testing.assert_allclose(found.groupby("row")["contribution"].sum().loc[rows["row"]], added, rtol=1e-4, atol=1e-5)
    margins = estimator.decision_function(step.transform(frame))
    np.testing.assert_allclose(rows["raw_score"], margins[np.arange(len(rows)), rows["class"]], rtol=1e-5, atol=1e-6)
    assert (rows["method"] == "coefficients").all()


@pytest.mark.parametrize(("name", "task"), PAIRS)
def test_every_family_of_models_is_explained_by_at_most_ten_features(name, task):
    model = scoring_model(name, task)
    reference = as_table(model.reference, model.features)
    decided = np.zeros(len(NEW), dtype=int) if task == "multiclass" else None
    found, notes = contributions.explain(model.model, model.features, NEW, decided, reference)
    again, _ = contributions.explain(model.model, model.features, NEW, decided, reference)
    table, rows = found["contributions"], found["explained_rows"]
    assert notes == []
    assert table["feature"].nunique() == min(MOST_FEATURES, len(model.features))
    sizes = table["contribution"].abs().groupby(table["feature"], sort=False).mean()
    assert sizes.is_monotonic_decreasing
    added = table["contribution"].to_numpy().reshape(-1, len(NEW)).sum(axis=0)
    total = rows["base"] + added + rows["other_features_add"]
    np.testing.assert_allclose(total, rows["raw_score"], rtol=0, atol=1e-4 * (1 + rows["raw_score"].abs().max()))
    assert all(again[key].equals(found[key]) for key in found)


@pytest.mark.parametrize("kind", SUPERVISED)
def test_a_page_draws_the_recorded_contributions(run_of, kind):
    found, rows = tables_of(run_of(kind))
    chart = chart_of(run_of(kind))
    assert chart["x"]["rows"] == rows["row"].tolist()
    assert [each["name"] for each in chart["series"]] == chart["y"]["names"] == found["feature"].unique().tolist()
    for at, each in enumerate(chart["series"]):
        part = found[found["feature"] == each["name"]]
        adds, heights, shares, values = zip(*each["points"], strict=True)
        np.testing.assert_allclose(adds, part["contribution"], rtol=1e-4)
        np.testing.assert_allclose(np.array(shares, dtype=float), part["value_rank"], atol=1e-4)
        assert all(abs(height - at) <= 0.5 for height in heights)
        assert [value == "missing" for value in values] == (part["value"].isna() & (np.array(values) != "a text")).tolist()
        assert all(chart["x"]["min"] <= value <= chart["x"]["max"] for value in adds)


def test_a_text_of_somebody_is_not_recorded(run_of):
    found, _ = tables_of(run_of("multiclass"))
    facts = json.loads((run_of("multiclass") / "metadata.json").read_text())["config"]["use_case"]["features"]
    texts = [name for name, feature in facts.items() if feature["type"] == "text"]
    assert texts
    assert found.loc[found["feature"].isin(texts), ["value", "value_rank"]].isna().all(axis=None)


@pytest.mark.parametrize("kind", ["clustering", "anomaly"])
def test_a_run_without_labels_explains_no_rows(run_of, kind):
    assert not (run_of(kind) / "contributions.csv").exists()
    assert "SHAP" not in (run_of(kind) / report.NAME).read_text().split("<script>")[0]


def test_a_model_that_answers_all_rows_alike_is_said_to(tmp_path):
    result = run_warm("use_case=credit_scoring", "model=dummy", "cv=none", f"hydra.run.dir={tmp_path}/run")
    assert result.returncode == 0, result.stderr
    html = (tmp_path / "run" / report.NAME).read_text()
    said = r"Nothing adds to the score of any of \d+ sampled test rows: the model answers all rows alike\."
    assert re.search(said, html)
    assert CONTRIBUTIONS not in [chart["title"] for chart in Page(html).charts]


def test_files_are_small(run_of):
    for kind in SUPERVISED:
        size = sum((run_of(kind) / f"{name}.csv").stat().st_size for name in ("contributions", "explained_rows"))
        assert size < 150_000
        assert len(tables_of(run_of(kind))[1]) <= MOST_ROWS


def test_a_large_booster_and_a_sampled_model_explain_fewer_rows():
    from lightgbm import LGBMRegressor
    from sklearn.dummy import DummyRegressor
    from sklearn.pipeline import Pipeline

    X, y = np.random.default_rng(0).normal(size=(2000, 2)), np.arange(2000)
    small, large = (LGBMRegressor(n_estimators=n, n_jobs=1, verbose=-1).fit(X, y) for n in (10, 500))
    counts = [n_explained(Pipeline([("estimator", one)]), 2) for one in (small, large)]
    assert counts == [200, 58]  # 900,000 // (500 trees of 31 leaves)
    sampled = Pipeline([("estimator", DummyRegressor().fit(X, y))])
    assert [n_explained(sampled, n) for n in (2, 20, 100)] == [200, 50, 20]


def test_contributions_that_do_not_add_up_are_left_out_with_a_note(monkeypatch):
    from xgboost import Booster

    model = scoring_model("xgboost", "regression")
    predict = Booster.predict
    monkeypatch.setattr(Booster, "predict", lambda *args, **how: predict(*args, **how) + (1 if "output_margin" in how else 0))
    tables, notes = contributions.explain(model.model, model.features, NEW, None, as_table(model.reference, model.features))
    assert tables == {}
    assert notes == [
        "The contributions of the features to single rows are left out: contributions differ from the raw score by up to 1."
    ]


def test_a_rank_goes_from_the_lowest_value_to_the_highest_and_needs_an_order():
    np.testing.assert_allclose(ranks(pd.Series([30.0, 10.0, np.nan, 20.0, 10.0]), "float"), [1, 0, np.nan, 0.6, 0])
    assert ranks(pd.Series([True, False, True]), "bool").tolist() == [1, 0, 1]
    assert ranks(pd.Series([5.0, 5.0]), "int").tolist() == [0.5, 0.5]
    dates = pd.Series(pd.to_datetime(["2026-03-01", None, "2024-01-01"]))
    np.testing.assert_array_equal(ranks(dates, "date"), [1, np.nan, 0])
    assert np.isnan(ranks(pd.Categorical(["a", "b"]), "category")).all()
    assert np.isnan(ranks(pd.Series([np.nan, np.nan]), "float")).all()


def test_dots_at_one_place_are_heaped_up_to_either_side():
    x = np.array([[0.0, 0.0, 0.0, 1.0], [0.5, 0.25, 0.0, 1.0]])
    first, second = series.swarm(["a", "b"], x, np.full(x.shape, np.nan), [[1, 2, 3, None], ["u", "v", "w", "x"]])
    assert [height for _, height, _, _ in first["points"]] == [0, 0.11, -0.11, 0]
    assert [height for _, height, _, _ in second["points"]] == [1, 1, 1, 1]
    assert first["points"][3] == [1.0, 0.0, None, None]
    crowd = series.swarm(["a"], np.zeros((1, 200)), np.zeros((1, 200)), [[0] * 200])[0]["points"]
    heights = [height for _, height, _, _ in crowd]
    assert len(set(heights)) == 200
    assert max(map(abs, heights)) <= series.REACH
