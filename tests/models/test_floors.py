"""What cross-validation with the defaults must reach on each real set of customers, credit and text.

Each floor is the measured mean of five folds less about one standard deviation of a fold, which is two and more of the mean:
a lower score means that rows, columns or a model went astray.
"""

import json

import pytest

REAL = ["data_source=packaged"]
PROXY = ["use_case=credit_risk_scoring", *REAL]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("overrides", "metric", "floor"),
    [
        (["use_case=loan_approval"], "roc_auc", 0.79),
        (["use_case=loan_approval", "model=lightgbm"], "roc_auc", 0.80),
        (["use_case=fair_lending"], "roc_auc", 0.79),
        (["use_case=loan_approval", "data_source.name=crx"], "roc_auc", 0.89),
        (["use_case=cross_sell"], "roc_auc", 0.71),
        (["use_case=cross_sell", "cv.scoring=[lift_at_10_percent]"], "lift_at_10_percent", 2.2),
        (["use_case=cross_sell", "data_source.name=pira401k"], "roc_auc", 0.75),
        (["use_case=cross_sell", "data_source.name=p401k"], "roc_auc", 0.65),
        (["use_case=churn_prediction", *REAL, "data_source.name=tv_churn"], "roc_auc", 0.67),
        (["use_case=churn_prediction", *REAL, "data_source.name=cdnow_inactivity"], "roc_auc", 0.795),
        (["use_case=sentiment_analysis", *REAL, "data_source.name=vader_tweets"], "f1_macro", 0.56),
        (["use_case=sentiment_analysis", *REAL, "data_source.name=vader_tweets", "class_weight=balanced"], "f1_macro", 0.60),
        ([*PROXY, "data_source.name=pakdd2009"], "roc_auc", 0.66),
        ([*PROXY, "data_source.name=gmsc"], "roc_auc", 0.858),
        ([*PROXY, "data_source.name=phishing", "use_case.proxies=[phishing]"], "roc_auc", 0.94),
        ([*PROXY, "data_source.name=loanapp_denials", "use_case.proxies=[loanapp_denials]"], "roc_auc", 0.80),
        (
            [*PROXY, "data_source.name=vader_negative", "use_case.proxies=[vader_negative]", "model=logistic_regression"],
            "roc_auc",
            0.85,
        ),
    ],
    ids=lambda case: " ".join(case) if isinstance(case, list) else "",
)
def test_cross_validation_reaches_the_floor(train, tmp_path, overrides, metric, floor):
    result = train(*overrides)
    assert result.returncode == 0, result.stderr
    assert " real test rows" in result.stdout + result.stderr
    assert json.loads((tmp_path / "run/metrics.json").read_text())[f"cv_{metric}"] >= floor


@pytest.mark.slow
def test_the_value_of_customers_is_told_better_than_by_a_constant(train, tmp_path):
    assert train("use_case=clv_prediction", *REAL, "data_source.name=cdnow_spend").returncode == 0
    metrics = json.loads((tmp_path / "run/metrics.json").read_text())
    assert metrics["cv_r2"] > 0.35
    assert metrics["test_r2"] > 0.35
    assert metrics["test_ratio_of_sums_ci_low"] < 1 < metrics["test_ratio_of_sums_ci_high"]


def test_the_closing_line_of_a_proxy_says_real_and_a_note_says_of_what(train, tmp_path):
    overrides = ["data_source.name=crx", "model=dummy", "cv=none"]
    result = train("use_case=loan_approval", *overrides)
    assert result.returncode == 0, result.stderr
    said = result.stdout + result.stderr
    assert "A proxy: the rows are real, but not those of Loan Approval Prediction. A row is an application for a credit" in said
    assert "on 65 real test rows" in said
    metadata = json.loads((tmp_path / "run/metadata.json").read_text())
    assert metadata["notes"][0].startswith("A proxy: ")
    assert "proxy_for" in json.dumps(metadata)


@pytest.mark.slow
@pytest.mark.parametrize(
    "overrides",
    [["use_case=default_prediction"], ["use_case=credit_scoring"], ["use_case=loan_approval"]],
    ids="".join,
)
def test_the_neural_network_comes_within_a_hundredth_of_the_best_booster(train, tmp_path, overrides):
    found = {}
    for model in ("xgboost", "lightgbm", "neural_network"):
        assert train(*overrides, f"model={model}").returncode == 0
        found[model] = json.loads((tmp_path / "run/metrics.json").read_text())["cv_roc_auc"]
    assert found["neural_network"] >= max(found["xgboost"], found["lightgbm"]) - 0.01, found
