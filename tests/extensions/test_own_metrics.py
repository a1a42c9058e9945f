"""Metrics of one's own, wherever a metric is named."""

import json

import numpy as np
import pytest
from conftest import elsewhere
from extensions.package import TEAM, enable, run_in

from bank_models import load_config
from bank_models.errors import ConfigError
from bank_models.extensions import packages
from bank_models.gate import read_limit
from bank_models.metrics.intervals import gain, interval
from bank_models.metrics.names import METRICS, as_score, title
from bank_models.metrics.scorer import make_scorer
from bank_models.metrics.scores import compute, decide, metrics_for
from bank_models.metrics.units import Units

ROWS = Units(None)
Y = np.array([1, 1, 0, 0, 0])
RISK = np.array([0.9, 0.1, 0.3, 0.1, 0.1])  # at one in five: one right alert, one wrong one at a quarter


@pytest.fixture(autouse=True)
def team(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(TEAM))
    packages._opened.cache_clear()
    enable(tmp_path, "team-models")
    yield
    packages._opened.cache_clear()


def test_a_metric_of_a_team_by_hand():
    found = compute(["net_benefit", "roc_auc"], Y, decide("binary", RISK, threshold=0.5))
    assert found["net_benefit"] == pytest.approx(1 / 5 - 1 / 5 / 4)


def test_a_metric_of_a_team_is_known_wherever_metrics_are_named():
    assert as_score("largest_error", 2.0) == -2.0
    assert title("net_benefit") == "Net benefit"
    assert read_limit("net_benefit=0.1").metric == "net_benefit"
    assert METRICS["largest_error"].best == 0


def test_a_metric_of_a_team_is_measured_where_it_is_named_and_not_for_every_run():
    assert "net_benefit" not in metrics_for("binary")


def test_the_interval_of_a_mean_of_rows_is_that_of_a_mean():
    rng = np.random.default_rng(0)
    risk = rng.random(2_000)
    y = (rng.random(2_000) < risk).astype(int)
    found = make_scorer("net_benefit", "binary", y).estimate(y, decide("binary", risk, threshold=0.5), ROWS)
    of_rows = (risk >= 0.2) * np.where(y == 1, 1.0, -0.25)
    low, high = interval(found)
    assert found.value == pytest.approx(of_rows.mean())
    assert (high - low) / 2 == pytest.approx(1.96 * of_rows.std() / np.sqrt(2_000), rel=0.25)


def test_a_metric_of_a_team_that_takes_weights_gets_them():
    decided, weight = decide("binary", RISK, threshold=0.5), np.array([3.0, 1, 2, 1, 1])
    found = make_scorer("net_benefit", "binary", Y).estimate(Y, decided, Units(weight=weight))
    assert compute(["net_benefit"], Y, decided, weight=weight)["net_benefit"] == pytest.approx(3 / 8 - 2 / 8 / 4)
    assert found.value == pytest.approx(3 / 8 - 2 / 8 / 4)


def test_a_metric_of_a_team_that_takes_no_weights_refuses_them():
    chosen = "use_case=interest_rate_risk", "use_case.metric=largest_error", "+use_case.weight_column=exposure"
    with pytest.raises(ConfigError, match="metric largest_error has no weighted form: choose another metric, or leave"):
        load_config(*chosen)


def test_a_metric_that_has_no_interval_gets_none_and_neither_does_its_gain():
    y, rng = np.arange(100.0), np.random.default_rng(0)
    scorer = make_scorer("largest_error", "regression", y)
    mine, other = (scorer.estimate(y, decide("regression", y + rng.normal(size=100) * spread), ROWS) for spread in (1, 5))
    assert interval(mine) is None
    better = gain(mine, other)
    assert better.value == pytest.approx(other.value - mine.value)
    assert np.isnan([better.low, better.high]).all()


def test_a_run_may_be_judged_by_a_metric_without_an_interval(tmp_path):
    arguments = ("model=stumps", "use_case=atm_cash_optimization", "use_case.metric=largest_error", "data_source.rows=1000")
    quiet = ("cv=none", "model.params.n_rounds=5", "registry=none", "tracking=none", "n_threads=1")
    code, out, err = elsewhere(run_in, tmp_path, (*arguments, *quiet))
    assert code == 0, err
    run = tmp_path / "runs/atm_cash_optimization/stumps"
    facts, metrics = (json.loads((run / f"{name}.json").read_text()) for name in ("metadata", "metrics"))
    assert "largest_error_ci" not in " ".join(metrics)
    assert "largest_error is no smooth function of its rows" in facts["interval_of"]["lacks"]
    assert "[no interval]" in out
