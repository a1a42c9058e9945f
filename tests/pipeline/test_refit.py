"""`refit`: the model that is kept learns from val too, or from all rows, and nothing that is reported of a row has seen it."""

import json
from dataclasses import replace

import numpy as np
import pyarrow.parquet as pq
import pytest

import bank_models
from bank_models.errors import DataError
from bank_models.models.layers import take_apart
from bank_models.pipeline.evaluate.stage import evaluate
from bank_models.pipeline.fit.stage import fit
from bank_models.runs import model_file
from bank_models.runs.names import MEASURED
from bank_models.training.cross_validation import draw_folds, make_splitter

CHOSEN = ("use_case=credit_scoring", "n_threads=1", "cv=none")
SMALL = ("model=ensemble", "early_stopping=patience")


def measured(*overrides):
    config = bank_models.load_config(*CHOSEN, *overrides)
    table = bank_models.load_table(config)
    parts = bank_models.split(table, config)
    fitted = bank_models.fit(bank_models.make_recipe(config, table), table, parts)
    return config, table, parts, fitted, bank_models.evaluate(fitted, table, parts, config)


def probabilities(model, table, parts):
    return model.predict_proba(table.rows(parts.split.test)[0])[:, 1]


@pytest.mark.parametrize("model", ["xgboost", "lightgbm", "gradient_boosting", "hist_gradient_boosting"])
def test_a_model_in_rounds_is_that_of_a_fit_on_both_parts_with_as_many_rounds_as_val_has_found(model):
    _, table, parts, fitted, found = measured(f"model={model}")
    rows = np.sort(np.concatenate([parts.split.train, parts.split.val]))
    length = "max_iter" if model == "hist_gradient_boosting" else "n_estimators"
    by_hand = bank_models.load_config(
        *CHOSEN, f"model={model}", "early_stopping=none", f"model.params.{length}={fitted.best_iteration}"
    )
    expected = bank_models.make_recipe(by_hand, table).fit(*table.rows(rows)).model
    np.testing.assert_array_equal(probabilities(found.model, table, parts), probabilities(expected, table, parts))


@pytest.mark.parametrize("typed", [("model=xgboost",), ("model=logistic_regression", "calibration=sigmoid"), SMALL])
def test_what_val_has_decided_and_what_is_said_of_val_stay_those_of_the_first_fit(typed):
    once, again = measured(*typed, "refit=none")[4], measured(*typed)[4]
    of_val = [name for name in once.metrics if name.startswith("val_")]
    assert of_val
    assert [again.metrics[name] for name in of_val] == [once.metrics[name] for name in of_val]
    assert take_apart(again.model).threshold == take_apart(once.model).threshold
    assert take_apart(again.model).is_calibrated == ("calibration=sigmoid" in typed)
    assert again.metrics["test_roc_auc"] != once.metrics["test_roc_auc"]


def test_the_calibrator_is_the_one_that_val_taught_behind_the_model_that_has_seen_val():
    typed = ("model=logistic_regression", "calibration=sigmoid")
    once, again = (
        measured(*typed, "refit=none")[4].model.estimator_.estimator,
        measured(*typed)[4].model.estimator_.estimator,
    )
    (first,), (second,) = once.calibrated_classifiers_, again.calibrated_classifiers_
    assert [(one.a_, one.b_) for one in first.calibrators] == [(one.a_, one.b_) for one in second.calibrators]
    assert not np.array_equal(take_apart(once).core[-1].coef_, take_apart(again).core[-1].coef_)


def test_the_weights_of_an_ensemble_stay_and_each_member_is_fitted_again():
    once, again = measured(*SMALL, "refit=none")[4].model, measured(*SMALL)[4].model
    before, after = take_apart(once).core, take_apart(again).core
    assert after.weights == before.weights
    assert all(after.models[name] is not before.models[name] for name in before.models)


def test_a_model_of_logarithms_keeps_what_it_smeared_with():
    config = bank_models.load_config("use_case=clv_prediction", "model=lightgbm", "data_source.rows=2000", "cv=none")
    table = bank_models.load_table(config)
    parts = bank_models.split(table, config)
    fitted = bank_models.fit(bank_models.make_recipe(config, table), table, parts)
    both = np.concatenate([parts.split.train, parts.split.val])
    again = fitted.recipe.refit(fitted, *table.rows(both))
    assert again.model.smeared == fitted.model.smeared
    assert (fitted.model.smeared != 0) == fitted.recipe.smears


def test_the_command_says_that_the_model_was_fitted_again(train, tmp_path):
    done = train(*CHOSEN, "model=xgboost")
    assert done.returncode == 0
    assert "fitted again on train and val together" in done.stdout + done.stderr


@pytest.mark.parametrize("horizon", [1, 3, 7])
def test_no_fold_learns_a_target_that_is_known_only_after_its_first_row_is_scored(horizon):
    days = np.datetime64("2026-01-01") + np.random.default_rng(0).integers(0, 120, 900)
    folds = draw_folds(make_splitter("time_series", 4, False, None), np.zeros(900), "regression", days, horizon=horizon)
    moments = np.unique(days)
    for train, test in folds:
        first = np.searchsorted(moments, days[test].min())
        newest = np.searchsorted(moments, days[train]).max()
        assert newest + horizon == first  # the day before the horizon is there, and none after it


def test_neither_fit_learns_a_target_that_its_first_scored_row_could_not_know():
    config = bank_models.load_config("use_case=currency_risk", "model=lightgbm", "cv=none")
    table = bank_models.load_table(config)
    parts = bank_models.split(table, config).split
    assert table.horizon == 5
    moments = np.unique(table.times)
    of = {name: np.searchsorted(moments, table.times[rows]) for name, rows in parts.parts().items()}
    for learnt, later in ((parts.train, "val"), (np.concatenate([parts.train, parts.val]), "test")):
        kept = np.searchsorted(moments, table.times[table.known_before(learnt, parts.parts()[later])])
        assert kept.max() + 5 == of[later].min()
    assert len(table.known_before(parts.test, parts.train)) == len(parts.test)  # rows that are not earlier are left alone


@pytest.mark.parametrize("typed", [("model=xgboost",), ("model=logistic_regression", "calibration=sigmoid"), SMALL])
def test_a_model_of_all_rows_is_kept_and_every_figure_stays_that_of_the_one_that_had_not_seen_test(typed):
    once, all_rows = measured(*typed), measured(*typed, "refit=all")
    assert all_rows[4].metrics == once[4].metrics
    np.testing.assert_array_equal(all_rows[4].predictions.score, once[4].predictions.score)
    _, table, parts, fitted, found = all_rows
    expected = fitted.recipe.refit(fitted, *table.rows(np.arange(len(table.y)))).model
    core = take_apart(found.model).core
    np.testing.assert_array_equal(probabilities(core, table, parts), probabilities(expected, table, parts))
    assert take_apart(found.model).threshold == take_apart(once[4].model).threshold


def test_a_run_keeps_both_models_and_says_which_of_them_the_scores_belong_to(train, tmp_path):
    done = train(*CHOSEN, "model=xgboost", "refit=all", f"hydra.run.dir={tmp_path / 'run'}")
    assert done.returncode == 0, done.stderr
    said = done.stdout + done.stderr
    assert "Everything that is said of test is of measured_model.skops" in said
    scores = pq.read_table(tmp_path / "run/test_scores.parquet").to_pandas()
    config = bank_models.load_config(*CHOSEN)
    table = bank_models.load_table(config)
    frame = table.rows(scores["row"].to_numpy())[0]
    of = {name: model_file.load(tmp_path / "run", name).predict_proba(frame)[:, 1] for name in ("model.skops", MEASURED)}
    np.testing.assert_array_equal(of[MEASURED], scores["score"])
    assert not np.array_equal(of["model.skops"], scores["score"])
    np.testing.assert_array_equal(bank_models.load_model(tmp_path / "run").predict(frame)["score"], of["model.skops"])
    facts = json.loads((tmp_path / "run/metadata.json").read_text(encoding="utf-8"))
    assert facts["n_fitted_rows"] == len(table.y)
    card = (tmp_path / "run/model_card.md").read_text(encoding="utf-8")
    assert f"- Rows that the model learnt from: {len(table.y):,}" in card


def test_the_stages_of_dvc_hand_both_models_over(tmp_path):
    config = bank_models.load_config(*CHOSEN, "model=lightgbm", "refit=all")
    fit(config, tmp_path / "home")
    evaluate(config, tmp_path / "home", tmp_path / "run", {})
    home = tmp_path / "home/model"
    for name in ("model.skops", MEASURED):
        assert (tmp_path / "run" / name).read_bytes() == (home / name).read_bytes()
    metrics = json.loads((tmp_path / "run/metrics.json").read_text(encoding="utf-8"))
    assert metrics["test_roc_auc"] == pytest.approx(measured("model=lightgbm")[4].metrics["test_roc_auc"], abs=1e-9)


@pytest.mark.parametrize(
    ("horizon", "y", "said"),
    [
        (
            9,
            np.zeros(10),
            "Of 8 rows before 2026-01-09 00:00:00 the target of 0 is known by then, 9 moments after its row: nothing",
        ),
        (6, np.repeat([0, 1], 5).astype("int8"), "target of 3 is known by then, 6 moments after its row: they lack a class"),
    ],
)
def test_a_target_that_is_known_too_late_to_learn_from_is_a_clear_error(horizon, y, said):
    table = bank_models.load_table(bank_models.load_config("use_case=currency_risk"))
    days = np.datetime64("2026-01-01", "s") + np.arange(10) * np.timedelta64(86_400, "s")
    short = replace(table, times=days, y=y, horizon=horizon)
    with pytest.raises(DataError, match=said):
        short.known_before(np.arange(8), np.arange(8, 10))
    assert replace(short, horizon=1).known_before(np.arange(8), np.arange(8, 10)).tolist() == list(range(8))
