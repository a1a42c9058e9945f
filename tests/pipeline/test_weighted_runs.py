"""Whole runs of weighted rows, on real credits: figures, record, report, comparison, and what a sampling weight undoes."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics as sk

import bank_models
from bank_models.data.dataset import Dataset
from bank_models.data.table import make_table
from bank_models.errors import ConfigError
from bank_models.evaluation import bias, performance
from bank_models.metrics.scorer import make_scorer
from bank_models.metrics.scores import decide
from bank_models.models.wrappers import predict_score
from bank_models.pipeline import handover
from bank_models.pipeline.fit import supervised
from bank_models.pipeline.fit.prepare import prepare
from bank_models.report import model_card
from bank_models.runs.comparison import Results, difference
from bank_models.runtime.progress import Steps
from bank_models.training.fit import fit

BY_AMOUNT = ("use_case=credit_scoring", "~use_case.features.credit_amount_dm", "+use_case.weight_column=credit_amount_dm")
WEIGHTED = {
    "roc_auc": lambda y, s, d, w: sk.roc_auc_score(y, s, sample_weight=w),
    "average_precision": lambda y, s, d, w: sk.average_precision_score(y, s, sample_weight=w),
    "brier_score_loss": lambda y, s, d, w: sk.brier_score_loss(y, s, sample_weight=w),
    "log_loss": lambda y, s, d, w: sk.log_loss(y, s, sample_weight=w),
    "recall": lambda y, s, d, w: sk.recall_score(y, d, sample_weight=w),
    "precision": lambda y, s, d, w: sk.precision_score(y, d, sample_weight=w),
}


@pytest.mark.parametrize(
    "chosen",
    [
        ("model=logistic_regression", "cv=none"),
        pytest.param(("model=xgboost", "cv.n_repeats=1", "tuning=random_search", "tuning.n_iter=2"), marks=pytest.mark.slow),
        pytest.param(("model=ensemble", "model.members.binary=[logistic_regression,lightgbm]"), marks=pytest.mark.slow),
    ],
    ids=["linear", "tuned", "ensemble"],
)
def test_a_run_by_amount_has_scikit_learns_figures_and_says_that_they_are_weighted(train, tmp_path, chosen):
    said = train(*BY_AMOUNT, "calibration=sigmoid", *chosen)
    assert said.returncode == 0, said.stderr
    assert "real test rows, weighted by credit_amount_dm" in said.stdout
    run = tmp_path / "run"
    found, facts = (json.loads((run / name).read_text()) for name in ("metrics.json", "metadata.json"))
    rows = pd.read_parquet(run / "test_scores.parquet")
    y, s, d, w = (rows[name].to_numpy() for name in ("y_true", "score", "decision", "weight"))
    for name, expected in WEIGHTED.items():
        assert found[f"test_{name}"] == pytest.approx(expected(y, s, d, w), abs=1e-9), name
    assert found["test_true_positives"] == pytest.approx(w[(y == 1) & (d == 1)].sum())
    assert found["test_cost"] == pytest.approx(np.sum(w * np.where(y == 1, 5 * (d == 0), d == 1)))
    assert found["test_roc_auc_ci_low"] < found["test_roc_auc"] < found["test_roc_auc_ci_high"]
    assert facts["weights"]["column"] == "credit_amount_dm"
    assert facts["weights"]["sum"]["test"] == pytest.approx(w.sum())
    assert facts["weights"]["effective_rows"]["test"] == pytest.approx(w.sum() ** 2 / np.sum(w**2))
    assert facts["split"]["target_mean"]["test"] == pytest.approx(np.average(y, weights=w))
    thresholds = pd.read_csv(run / "thresholds.csv")
    chosen = thresholds.iloc[(thresholds["threshold"] - found["threshold"]).abs().argmin()]
    assert chosen["recall"] == pytest.approx(found["test_recall"], abs=1e-5)
    assert chosen["cost"] == pytest.approx(found["test_cost"], abs=0.01)
    for page in ("report.html", "model_card.md"):
        assert "credit_amount_dm" in (run / page).read_text(encoding="utf-8")
    assert "Figures are weighted by" in model_card.render(run)


def test_rows_are_scored_without_a_weight(tmp_path):
    config = bank_models.load_config(*BY_AMOUNT, "model=logistic_regression")
    table = bank_models.load_table(config)
    assert "credit_amount_dm" not in table.features
    parts = bank_models.split(table, config)
    found = bank_models.evaluate(bank_models.fit(bank_models.make_recipe(config, table), table, parts), table, parts, config)
    test, _ = table.rows(parts.split.test)
    unweighted = found.model.predict_proba(test.drop(columns="credit_amount_dm"))[:, 1]
    np.testing.assert_array_equal(unweighted, found.predictions.score)


def test_two_runs_are_compared_by_the_weights_of_the_first():
    rng = np.random.default_rng(0)
    y, w = rng.integers(0, 2, 200), rng.lognormal(size=200)
    scores = [pd.DataFrame({"row": np.arange(200), "y_true": y, "decision": y, "score": rng.random(200) + y / 2}) for _ in "ab"]
    facts = {"metric": "roc_auc", "config": {"use_case": {"task": "binary", "quantile": None, "classes": None}}}
    one, other = (
        Results(facts, {"test_roc_auc": 0.5}, None, each) for each in (scores[0].assign(weight=w), scores[1])
    )  # fmt: skip
    found, back = difference(one, other), difference(other, one)
    assert (found.a, found.b) == pytest.approx(tuple(sk.roc_auc_score(y, each["score"], sample_weight=w) for each in scores))
    assert (back.b, back.a) == pytest.approx(tuple(sk.roc_auc_score(y, each["score"]) for each in scores))
    assert found.gain == pytest.approx(found.a - found.b)
    same = replace(other, scores=scores[1].assign(weight=w))
    assert (difference(one, same).a, difference(one, same).gain) == (0.5, pytest.approx(found.gain))  # as both have recorded
    assert difference(one, replace(other, scores=scores[1].assign(row=scores[1]["row"] + 1))) is None


def test_an_evaluation_reads_the_weights_of_the_rows_that_were_fitted(tmp_path):
    config = bank_models.load_config(*BY_AMOUNT, "model=logistic_regression", "cv=none")
    with Steps("weighted") as steps:
        rows = prepare(config, steps)
        handover.write(tmp_path, config, rows, supervised.fit(config, rows, steps))
    read, again = handover.read(tmp_path, config)
    np.testing.assert_array_equal(read.table.weight, rows.table.weight)
    assert again.recipe.weight_column == "credit_amount_dm"


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        ((*BY_AMOUNT[:1], *BY_AMOUNT[2:]), "weight_column: credit_amount_dm is a feature too, and a weight is nothing else"),
        (("use_case=credit_scoring", "+use_case.weight_column=bad"), "weight_column: bad is the target too"),
        (("use_case=fraud", "+use_case.weight_column=w"), "a simulation draws no weight_column"),
        (("use_case=segmentation", "+use_case.weight_column=w"), "weight_column goes with tasks binary, multiclass and"),
        (("use_case=market_risk_var", "+use_case.weight_column=w", "use_case.metric=kupiec_p_value"), "has no weighted form"),
        (
            ("use_case=market_risk_var", "+use_case.weight_column=w", "cv.scoring=[kupiec_p_value]"),
            "value has no weighted form",
        ),
        (
            (*BY_AMOUNT, "model.estimator.binary=LinearDiscriminantAnalysis", "model.params={}", "early_stopping=none"),
            "weighs rows by credit_amount_dm, which model=logistic_regression cannot",
        ),
    ],
)
def test_weights_that_cannot_work_are_refused_in_a_sentence(overrides, said):
    with pytest.raises(ConfigError, match=said) as refusal:
        bank_models.load_config(*overrides)
    assert len(str(refusal.value).splitlines()) <= 3


@pytest.fixture(scope="module")
def borrowers():
    """Settings, rows and split of Give Me Some Credit: all rows, of which 7 % default."""
    config = bank_models.load_config(
        "use_case=default_prediction", "model=lightgbm", "n_threads=1", "model.params.n_estimators=60"
    )
    table = bank_models.load_table(config)
    return config, table, bank_models.split(table, config).split


def sampled(table, rows, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """All positives of some rows and a tenth of the others; and the weights that undo it."""
    drawn = (table.y[rows] == 1) | (np.random.default_rng(seed).random(len(rows)) < 0.1)
    return rows[drawn], np.where(table.y[rows[drawn]] == 1, 1.0, 10.0)


def test_a_sampling_weight_brings_the_probabilities_of_all_rows_back(borrowers):
    config, table, split = borrowers
    recipe, weigh = bank_models.make_recipe(config, table), lambda rows, weight: table.frame.iloc[rows].assign(weight=weight)
    parts = [sampled(table, rows, seed) for seed, rows in enumerate((split.train, split.val))]
    y_true, test = table.y[split.test], table.frame.iloc[split.test]

    def scored(recipe, parts):
        known = [each for rows, weight in parts for each in (weigh(rows, weight), table.y[rows])]
        return predict_score(fit(recipe, *known).model, test, "binary")

    everything = scored(recipe, [(split.train, 1.0), (split.val, 1.0)])
    weighted, plain = scored(replace(recipe, weight_column="weight"), parts), scored(recipe, parts)
    losses = [sk.brier_score_loss(y_true, each) for each in (everything, weighted, plain)]
    assert losses[1] == pytest.approx(losses[0], rel=0.02)
    assert losses[2] > 1.5 * losses[0]
    large = [bias.of_probabilities(y_true, each, table.units(split.test)) for each in (weighted, plain)]
    assert abs(large[0]["test_calibration_in_the_large"]) < 0.005
    assert large[1]["test_calibration_in_the_large_ci_low"] > 0.1


def test_weighted_figures_of_sampled_test_rows_are_those_of_all_test_rows(borrowers):
    config, table, split = borrowers
    score = np.clip(table.frame["revolving_utilisation_ratio"].fillna(0).to_numpy(dtype="float64"), 0, 1) * 0.2 + 0.01
    rows, weight = sampled(table, split.test, 2)
    use_case = config.use_case.model_copy(update={"weight_column": "weight"})
    small = make_table(Dataset(table.valid.frame.iloc[rows].assign(weight=weight).reset_index(drop=True), {}), use_case)
    scorer, every = make_scorer("roc_auc", "binary", table.y), np.arange(len(rows))
    samples = (split.test, table.y[split.test], table.units(split.test)), (rows, small.y, small.units(every))
    of_all, of_some = (
        performance.evaluate(
            scorer, y, decide("binary", score[some], 0.15), {"prior": decide("binary", np.full(len(y), 0.07), 0.5)}, units
        )
        for some, y, units in samples
    )
    assert of_some["test_roc_auc_ci_low"] < of_all["test_roc_auc"] < of_some["test_roc_auc_ci_high"]
    for name in ("brier_score_loss", "log_loss", "precision", "average_precision", "lift_at_10_percent"):
        assert of_some[f"test_{name}"] == pytest.approx(of_all[f"test_{name}"], rel=0.1), name
    assert of_some["test_recall"] == pytest.approx(of_all["test_recall"])  # every positive is there
