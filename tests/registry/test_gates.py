"""A score that owes nothing to which row was answered how opens no gate."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import hypergeom

from bank_models.evaluation.performance import evaluate
from bank_models.metrics.scorer import Scorer
from bank_models.metrics.scores import Prediction, decide
from bank_models.metrics.units import Units
from bank_models.registry.promotion import comparisons, demands
from bank_models.runs.comparison import Results, by_chance

USE_CASE = {"task": "binary", "classes": None, "quantile": None, "margin": None}


def results(metric: str, y, score, decision, task: str = "binary", classes=None) -> Results:
    """A run on these test rows, measured as every run is."""
    scorer = Scorer(metric, task, classes=tuple(classes or ()))
    shares = np.bincount(y) / len(y)
    prior = np.tile(shares, (len(y), 1)) if classes else np.full(len(y), shares[1])
    baselines = {"prior": decide(task, prior, None if classes else 0.5)}
    metrics = evaluate(scorer, y, Prediction(score, decision), baselines, Units())
    return of_scores(metric, y, score, decision, metrics, task, classes)


def of_scores(metric: str, y, score, decision, metrics, task: str = "binary", classes=None) -> Results:
    columns = {f"score_{code}": score[:, code] for code in range(score.shape[1])} if classes else {"score": score}
    scores = pd.DataFrame({"row": np.arange(len(y)), "y_true": y, "decision": decision, **columns})
    use_case = USE_CASE | {"task": task, "classes": classes}
    return Results({"metric": metric, "config": {"use_case": use_case}, "data": {"kind": "file"}}, metrics, None, scores)


def gain_gate(found: Results):
    return next(gate for gate in demands(found) if gate.name == "gain")


def test_calling_every_row_positive_earns_no_promotion_by_its_f1():
    rng = np.random.default_rng(0)
    y = (rng.random(400) < 0.3).astype(int)
    found = results("f1", y, rng.random(400), np.ones(400, dtype="int8"))
    assert found.metrics["gain_f1_ci_low"] > 0.3
    assert not gain_gate(found).is_met
    assert "dealt at random" in gain_gate(found).reason


def test_guesses_spread_over_the_classes_earn_no_promotion_by_their_f1():
    rng = np.random.default_rng(0)
    y = rng.choice(3, 2000, p=[0.6, 0.3, 0.1])
    guesses = rng.dirichlet([6, 3, 1], 2000)
    found = results("f1_macro", y, guesses, guesses.argmax(axis=1), "multiclass", ["a", "b", "c"])
    assert found.metrics["gain_f1_macro_ci_low"] > 0
    assert not gain_gate(found).is_met


def test_positives_that_share_a_score_by_chance_earn_no_promotion_by_their_rank():
    y, score = np.repeat([1, 0], [3, 197]), np.repeat([0.6, 0.4], [170, 30])  # 170 of 200 rows have the higher score
    found = results("roc_auc", y, score, (score > 0.5).astype("int8"))
    assert found.metrics["gain_roc_auc_ci_low"] > 0
    assert by_chance(found) == pytest.approx(hypergeom(200, 170, 3).pmf(3), abs=0.1)
    assert not gain_gate(found).is_met


def test_a_model_that_ranks_opens_the_gate():
    rng = np.random.default_rng(0)
    y = (rng.random(300) < 0.3).astype(int)
    score = 1 / (1 + np.exp(-(rng.normal(size=300) + 1.5 * y)))
    found = results("roc_auc", y, score, (score > 0.5).astype("int8"))
    assert by_chance(found) == 1 / 120
    assert gain_gate(found).is_met


def test_noise_is_as_good_as_chance_as_often_as_chance_has_it():
    p_values, y = [], np.repeat([0, 1], [60, 20])
    for seed in range(25):
        score = np.random.default_rng(seed).random(80)
        p_values.append(by_chance(of_scores("roc_auc", y, score, (score > 0.5).astype("int8"), {"test_roc_auc": 0.5})))
    assert 0.3 < np.mean(p_values) < 0.7
    assert np.mean(np.array(p_values) <= 0.1) < 0.25


def disparity(value: float, reach: float) -> dict[str, float]:
    name = "demographic_parity_difference_sex"
    return {name: value, f"{name}_ci_low": value - reach, f"{name}_ci_high": value + reach}


@pytest.mark.parametrize(
    ("before", "after", "reach", "is_met"),
    [(0.05, 0.15, 0.15, True), (0.05, 0.15, 0.05, False), (0.05, 0.06, 0.001, True), (0.15, 0.05, 0.01, True)],
    ids=["by chance", "beyond chance", "within the tolerance", "smaller"],
)
def test_a_difference_between_groups_may_not_grow_beyond_chance(before, after, reach, is_met):
    y, score = np.repeat([0, 1], 50), np.linspace(0, 1, 100)
    mine, rival = (
        of_scores("roc_auc", y, score, (score > 0.5).astype("int8"), {"test_roc_auc": 1.0} | disparity(value, reach))
        for value in (after, before)
    )
    assert {gate.name: gate.is_met for gate in comparisons(mine, rival)}["fairness"] == is_met
