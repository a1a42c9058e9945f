from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from lightgbm import LGBMClassifier
from pydantic import ValidationError
from scipy import stats
from sklearn.metrics import roc_auc_score

from bank_models.config.feature import Feature
from bank_models.config.simulation import Simulate, Simulation
from bank_models.config.use_case import UseCase
from bank_models.data.simulated import simulate
from bank_models.errors import ConfigError, DataError
from bank_models.files import yaml_file

ROOT = Path(__file__).resolve().parents[2]
REQUIRED_CREDIT_FEATURES = {
    "age", "income", "employment_status", "credit_score", "debt_to_income", "loan_amount", "loan_purpose",
    "credit_history_length", "num_credit_accounts", "payment_history", "utilization_ratio",
}  # fmt: skip
HAND_MADE = {
    "income": {
        "type": "float",
        "max_missing": 0.3,
        "monotone": -1,
        "simulate": {
            "distribution": "lognormal",
            "median": 2500,
            "sigma": 0.5,
            "factors": {"wealth": 0.8},
            "effect": -0.8,
        },
    },
    "savings": {
        "type": "float",
        "max_missing": 0.3,
        "simulate": {
            "distribution": "gamma",
            "mean": 9000,
            "std": 12000,
            "factors": {"wealth": 0.8},
            "missing_rate": 0.2,
            "missing_with": "income",
        },
    },
    "late_payments": {
        "type": "int",
        "monotone": 1,
        "simulate": {"distribution": "poisson", "mean": 0.8, "effect": 0.6},
    },
    "is_known": {"type": "bool", "simulate": {"distribution": "bernoulli", "probability": 0.3, "effect": -0.5}},
    "channel": {
        "type": "category",
        "max_missing": 0.1,
        "categories": ["branch", "online", "broker"],
        "simulate": {
            "distribution": "categorical",
            "probabilities": [0.5, 0.3, 0.2],
            "effect": [0.0, 0.3, 1.0],
            "missing_rate": 0.05,
        },
    },
}
PERIOD = {"start": "2025-01-01", "end": "2025-03-31"}


def draw(facts=HAND_MADE, n_rows=20_000, seed=42, time_column=None, **simulation):
    simulation = {"rows": 10, "positive_rate": 0.2, **simulation}
    return simulate(use_case(features=facts, time_column=time_column, simulation=simulation), n_rows, seed)


def one(distribution, type="float", **facts):
    limits = {key: facts.pop(key) for key in ("min", "max") if key in facts}
    return {"x": {"type": type, **limits, "simulate": {"distribution": distribution, **facts}}}


def use_case(**changes):
    facts = {
        "id": "UC-RISK-001",
        "key": "loans",
        "name": "Loans",
        "department": "risk_management",
        "row": "One loan.",
        "task": "binary",
        "target": "defaulted",
        "metric": "roc_auc",
        "features": HAND_MADE,
        "simulation": {"rows": 100, "positive_rate": 0.2},
    }
    return UseCase.model_validate(facts | changes)


def read_use_case(key: str) -> UseCase:
    return UseCase.model_validate(yaml_file.read(ROOT / f"conf/use_case/{key}.yaml")["use_case"])


@pytest.fixture(scope="module", params=["credit_risk_scoring", "transaction_fraud"])
def shipped(request):
    facts = read_use_case(request.param)
    return facts, simulate(facts, 40_000, seed=42)


# ---- one seed, one table


def test_the_same_seed_gives_the_same_bytes():
    first, second = draw(time_column="paid_at", **PERIOD), draw(time_column="paid_at", **PERIOD)
    assert first.true_score.tobytes() == second.true_score.tobytes()
    for name in first.frame:
        assert pd.util.hash_pandas_object(first.frame[name]).equals(pd.util.hash_pandas_object(second.frame[name]))


def test_another_seed_gives_other_rows():
    first, second = draw(seed=1).frame, draw(seed=2).frame
    assert all(not first[name].equals(second[name]) for name in first)


def test_a_new_feature_leaves_the_other_columns_as_they_were():
    before, after = draw().frame, draw({**one("normal", mean=0, std=1, effect=0.7), **HAND_MADE}).frame
    pd.testing.assert_frame_equal(before[list(HAND_MADE)], after[list(HAND_MADE)])


def test_the_order_of_features_changes_only_the_order_of_columns():
    before, after = draw(), draw(dict(reversed(HAND_MADE.items())))
    pd.testing.assert_frame_equal(before.frame[list(HAND_MADE)], after.frame[list(HAND_MADE)])
    np.testing.assert_allclose(before.true_score, after.true_score, rtol=1e-9)


def test_the_record_says_that_the_rows_are_simulated():
    assert draw(n_rows=50, seed=7).provenance == {"kind": "simulated", "source": "simulated", "seed": 7, "rows": 50}


# ---- labels


@pytest.mark.parametrize(("positive_rate", "label_noise"), [(0.2, 0.0), (0.01, 0.0), (0.2, 0.05), (0.9, 0.08)])
def test_the_mean_true_probability_is_the_positive_rate(positive_rate, label_noise):
    rows = draw(positive_rate=positive_rate, label_noise=label_noise)
    assert rows.true_score.mean() == pytest.approx(positive_rate, abs=1e-9)
    assert label_noise <= rows.true_score.min() <= rows.true_score.max() <= 1 - label_noise


def test_without_effects_every_row_has_the_positive_rate():
    assert draw(one("normal", mean=0, std=1)).true_score == pytest.approx(0.2)


def test_the_observed_rate_lies_within_its_binomial_interval(shipped):
    facts, rows = shipped
    n_rows = len(rows.frame)
    low, high = stats.binom.interval(0.9999, n_rows, facts.simulation.positive_rate)
    assert low <= rows.frame[facts.target].sum() <= high


def test_labels_are_calibrated_to_the_true_score_in_every_decile(shipped):
    facts, rows = shipped
    decile = pd.qcut(rows.true_score, 10, labels=False)
    table = pd.DataFrame({"label": rows.frame[facts.target], "score": rows.true_score}).groupby(decile)
    expected, observed, counts = table.score.mean(), table.label.mean(), table.size()
    assert (np.abs(observed - expected) < 4.5 * np.sqrt(expected * (1 - expected) / counts) + 1e-4).all()


def test_no_model_beats_the_true_score_and_a_booster_comes_near(shipped):
    facts, rows = shipped
    X, y = rows.frame[list(facts.features)], rows.frame[facts.target]
    n_train = 32_000
    model = LGBMClassifier(n_estimators=120, learning_rate=0.06, num_leaves=15, n_jobs=1, random_state=0, verbose=-1)
    y_score = model.fit(X[:n_train], y[:n_train]).predict_proba(X[n_train:])[:, 1]
    reached = roc_auc_score(y[n_train:], y_score)
    ceiling = roc_auc_score(y[n_train:], rows.true_score[n_train:])
    assert ceiling - 0.03 < reached < ceiling


def test_no_feature_alone_gives_the_target_away(shipped):
    facts, rows = shipped
    y = rows.frame[facts.target]
    for name in facts.features:
        column = rows.frame[name]
        if column.dtype == "category":
            column = column.cat.codes.map(y.groupby(column.cat.codes).mean())
        auc = roc_auc_score(y, column.astype(float).fillna(column.astype(float).median()))
        assert 0.1 < auc < 0.9, name


# ---- values


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ({"distribution": "normal", "mean": 5, "std": 2}, stats.norm(5, 2)),
        ({"distribution": "lognormal", "median": 38, "sigma": 1.1}, stats.lognorm(1.1, scale=38)),
        ({"distribution": "uniform", "low": -1, "high": 3}, stats.uniform(-1, 4)),
        ({"distribution": "beta", "a": 2, "b": 5}, stats.beta(2, 5)),
        ({"distribution": "beta", "a": 2, "b": 5, "low": 10, "high": 20}, stats.beta(2, 5, 10, 10)),
        ({"distribution": "gamma", "mean": 8, "std": 6}, stats.gamma((8 / 6) ** 2, scale=36 / 8)),
        ({"distribution": "exponential", "mean": 240}, stats.expon(scale=240)),
    ],
    ids=lambda case: case["distribution"] if isinstance(case, dict) else "",
)
def test_a_column_follows_its_declared_distribution(facts, expected):
    values = draw(one(**facts, factors={"shared": 0.6}))
    assert stats.kstest(values.frame["x"].astype(float), expected.cdf).pvalue > 1e-4
    assert values.frame["x"].median() == pytest.approx(expected.median(), rel=0.06)


def test_counts_flags_and_categories_appear_as_often_as_declared():
    frame = draw(n_rows=100_000).frame
    late = frame["late_payments"].value_counts(normalize=True)
    for count in range(4):
        assert late[count] == pytest.approx(stats.poisson(0.8).pmf(count), abs=0.006)
    assert frame["is_known"].mean() == pytest.approx(0.3, abs=0.006)
    shown = frame["channel"].value_counts(normalize=True)
    assert shown[["branch", "online", "broker"]].tolist() == pytest.approx([0.5, 0.3, 0.2], abs=0.006)


def test_columns_have_the_types_that_models_expect():
    frame = draw({**HAND_MADE, "late": HAND_MADE["late_payments"]}, time_column="paid_at", **PERIOD).frame
    assert frame.dtypes.astype(str).to_dict() == {
        "income": "float32",
        "savings": "float32",
        "late_payments": "int32",
        "is_known": "bool",
        "channel": "category",
        "late": "int32",
        "paid_at": "datetime64[s]",
        "defaulted": "int8",
    }
    assert frame["channel"].cat.categories.tolist() == ["branch", "online", "broker"]
    assert isinstance(frame.index, pd.RangeIndex)


def test_no_value_leaves_its_limits_even_as_float32():
    values = draw(one("normal", mean=0, std=1, min=-0.1, max=0.1)).frame["x"].astype("float64")
    assert values.between(-0.1, 0.1).all()
    counts = draw(one("poisson", type="int", mean=2, min=1, max=3)).frame["x"]
    assert sorted(counts.unique()) == [1, 2, 3]


def test_decimals_round_what_is_shown():
    shown = draw(one("lognormal", median=38, sigma=1.1, decimals=1)).frame["x"].astype("float64")
    np.testing.assert_allclose(shown, shown.round(1), rtol=1e-6)


def test_features_with_a_shared_factor_move_together_and_others_do_not():
    correlation = draw().frame[["income", "savings", "late_payments"]].corr("spearman")
    expected = 6 / np.pi * np.arcsin(0.64 / 2)  # Spearman's rho of a Gaussian copula with correlation 0.8 * 0.8
    assert correlation.loc["income", "savings"] == pytest.approx(expected, abs=0.05)
    assert abs(correlation.loc["income", "late_payments"]) < 0.03


def test_opposite_loadings_move_features_apart():
    facts = {**one("normal", mean=0, std=1, factors={"distress": 0.7})}
    facts["y"] = {
        "type": "float",
        "simulate": {"distribution": "exponential", "mean": 3, "factors": {"distress": -0.7}},
    }
    assert draw(facts).frame.corr("spearman").loc["x", "y"] < -0.4


# ---- missing values


def test_values_go_missing_at_the_declared_rate_and_more_often_with_a_high_partner():
    frame = draw(n_rows=50_000).frame
    hidden = frame["savings"].isna()
    assert hidden.mean() == pytest.approx(0.2, abs=0.01)
    rich = frame["income"] > frame["income"].median()
    assert hidden[rich].mean() > 1.5 * hidden[~rich].mean()
    assert frame["channel"].isna().mean() == pytest.approx(0.05, abs=0.005)


def test_hiding_values_changes_neither_the_labels_nor_the_true_score():
    facts = {
        **HAND_MADE,
        "income": HAND_MADE["income"] | {"simulate": HAND_MADE["income"]["simulate"] | {"missing_rate": 0.2}},
    }
    before, after = draw(), draw(facts)
    assert after.frame["income"].isna().any()
    assert np.array_equal(before.true_score, after.true_score)
    assert before.frame["defaulted"].equals(after.frame["defaulted"])


# ---- effects


@pytest.mark.parametrize(
    "facts",
    [
        one("poisson", type="int", mean=0.5, effect=1.0),
        one("bernoulli", type="bool", probability=0.1, effect=1.0),
        one("gamma", type="int", mean=3, std=3, effect=1.0),
        one("normal", mean=0, std=1, effect=1.0, decimals=0),
        one("normal", mean=0, std=1, effect=1.0, min=-0.5, max=0.5),
    ],
)
def test_equal_values_have_equal_true_scores(facts):
    rows = draw(facts)
    spread = pd.Series(rows.true_score).groupby(rows.frame["x"].to_numpy()).agg(np.ptp)
    assert spread[spread.index.isin(rows.frame["x"].mode())].max() < 1e-12
    assert spread.max() < 1e-12


@pytest.mark.parametrize("shape", ["linear", "threshold", "saturating"])
@pytest.mark.parametrize("effect", [-0.8, 0.8])
def test_a_true_score_rises_or_falls_as_its_effect_says(shape, effect):
    rows = draw(one("gamma", mean=5, std=4, effect=effect, shape=shape))
    in_order = rows.true_score[np.argsort(rows.frame["x"].to_numpy(), kind="stable")]
    assert (np.sign(effect) * np.diff(in_order) >= -1e-6).all()


def test_declared_monotone_directions_show_in_the_deciles():
    rows = draw(n_rows=100_000)
    by_income = pd.Series(rows.true_score).groupby(pd.qcut(rows.frame["income"], 10, labels=False)).mean()
    assert by_income.is_monotonic_decreasing
    by_late = pd.Series(rows.true_score).groupby(rows.frame["late_payments"].clip(upper=4)).mean()
    assert by_late.is_monotonic_increasing


def test_a_u_shape_is_riskiest_at_both_ends():
    rows = draw(one("normal", mean=40, std=10, effect=0.3, shape="u_shape"))
    low, middle, high = pd.Series(rows.true_score).groupby(pd.qcut(rows.frame["x"], 3, labels=False)).mean()
    assert low > middle < high
    assert low == pytest.approx(high, rel=0.05)


def test_category_effects_are_differences_of_log_odds():
    rows = draw({"channel": HAND_MADE["channel"]})
    score = pd.Series(rows.true_score).groupby(rows.frame["channel"], observed=True).mean()
    log_odds = np.log(score / (1 - score))
    assert log_odds["online"] - log_odds["branch"] == pytest.approx(0.3, abs=1e-9)
    assert log_odds["broker"] - log_odds["branch"] == pytest.approx(1.0, abs=1e-9)


def test_an_interaction_makes_one_effect_depend_on_the_other_value():
    facts = {name: feature | {"monotone": 0} for name, feature in HAND_MADE.items()}
    rows = draw(facts, interactions=[{"features": ["income", "late_payments"], "effect": 0.5}])
    late = rows.frame["late_payments"] >= 2
    score, income = pd.Series(rows.true_score), rows.frame["income"]
    slopes = [np.corrcoef(np.log(income[part]), np.log(score[part] / (1 - score[part])))[0, 1] for part in (late, ~late)]
    assert slopes[0] > slopes[1]


# ---- time


def test_timestamps_are_sorted_inside_the_period_and_hours_and_weekdays_agree():
    facts = {"hour": one("hour", type="int")["x"], "weekday": one("weekday", type="int")["x"]}
    rows = draw(facts, time_column="paid_at", **PERIOD).frame
    assert rows["paid_at"].is_monotonic_increasing
    assert rows["paid_at"].min() >= pd.Timestamp("2025-01-01")
    assert rows["paid_at"].max() < pd.Timestamp("2025-04-01")
    assert (rows["hour"] == rows["paid_at"].dt.hour).all()
    assert (rows["weekday"] == rows["paid_at"].dt.day_of_week).all()
    assert rows["paid_at"].dt.date.nunique() == 90


def test_business_hours_are_those_of_monday_to_friday():
    facts = {"weekday": one("weekday", type="int")["x"]}
    hours = {"frequency": "business_hour", "hours": [9, 16], "start": "2025-01-01", "end": "2025-01-31"}
    rows = draw(facts, 184, time_column="paid_at", **PERIOD | hours).frame
    assert rows["paid_at"].dt.date.nunique() == 23  # of January 2025
    assert (rows["weekday"].max(), rows["paid_at"].dt.hour.min(), rows["paid_at"].dt.hour.max()) == (4, 9, 16)


def test_nights_are_quieter_than_days():
    hour = draw(time_column="paid_at", **PERIOD).frame["paid_at"].dt.hour
    assert hour.between(9, 17).mean() > 5 * hour.between(0, 5).mean()


# ---- the shipped use cases


def test_credit_risk_scoring_has_exactly_45_features_and_the_specified_ones():
    features = read_use_case("credit_risk_scoring").features
    assert len(features) == 45
    assert set(features) >= REQUIRED_CREDIT_FEATURES
    assert sum(feature.monotone != 0 for feature in features.values()) >= 10


def test_shipped_rows_keep_the_limits_and_missing_shares_of_their_use_case(shipped):
    facts, rows = shipped
    assert list(rows.frame) == [*facts.features, *([facts.time_column] if facts.time_column else []), facts.target]
    for name, feature in facts.features.items():
        column = rows.frame[name]
        assert column.isna().mean() <= feature.max_missing, name
        if feature.min is not None:
            assert column.min() >= feature.min, name
        if feature.max is not None:
            assert column.max() <= feature.max, name


def test_fraud_is_a_short_name_of_transaction_fraud():
    text = (ROOT / "conf/use_case/fraud.yaml").read_text()
    assert text.startswith("# @package _global_\n")
    assert yaml.safe_load(text) == {"defaults": ["transaction_fraud", "_self_"]}


# ---- what is refused


def test_a_use_case_without_a_simulation_draws_nothing():
    with pytest.raises(DataError, match="use_case=loans has no simulation"):
        simulate(use_case(simulation=None), 10, seed=1)


@pytest.mark.parametrize(
    ("changes", "message"),
    [({"n_rows": 0}, "rows must be at least 1, but got 0"), ({"seed": -1}, "seed must not be negative")],
)
def test_a_draw_that_cannot_work_is_refused(changes, message):
    with pytest.raises(ConfigError, match=message):
        draw(**changes)


@pytest.mark.parametrize(
    ("facts", "message"),
    [
        ({"distribution": "normal", "mean": 1}, "normal needs std"),
        ({"distribution": "normal"}, "normal needs mean and std"),
        ({"distribution": "normal", "mean": 1, "std": 1, "median": 2}, "normal takes no median"),
        ({"distribution": "hour", "mean": 1}, "hour takes no mean"),
        ({"distribution": "hour", "factors": {"risk": 0.5}}, "follows the time column"),
        ({"distribution": "beta", "a": 1, "b": 1, "low": 2}, "low and high together or neither"),
        ({"distribution": "uniform", "low": 3, "high": 3}, "`low < high` must hold"),
        ({"distribution": "gamma", "mean": -1, "std": 1}, "`mean > 0` must hold for gamma"),
        ({"distribution": "categorical", "probabilities": [0.5, 0.4]}, "must sum to 1, but sum to 0.9"),
        (
            {"distribution": "categorical", "probabilities": [0.5, 0.5], "effect": [1.0]},
            "2 categories need as many effects",
        ),
        ({"distribution": "categorical", "probabilities": [0.5, 0.5], "effect": 1.0}, "one effect per category"),
        ({"distribution": "categorical", "probabilities": [1.0], "shape": "u_shape"}, "shape u_shape is for numbers"),
        ({"distribution": "exponential", "mean": 1, "effect": [1.0]}, "exponential takes a number"),
        (
            {"distribution": "exponential", "mean": 1, "factors": {"a": 0.9, "b": 0.6}},
            "sum to 1 at most, but sum to 1.17",
        ),
        ({"distribution": "exponential", "mean": 1, "missing_with": "income"}, "needs a missing_rate above 0"),
        ({"distribution": "exponential", "mean": 1, "missing_rate": 1.0}, "`missing_rate < 1` must hold"),
        ({"distribution": "poisson", "mean": 1, "decimals": 2}, "decimals are for floats"),
    ],
)
def test_incomplete_or_contradicting_draws_are_refused(facts, message):
    with pytest.raises(ValidationError, match=message):
        Simulate.model_validate(facts)


EXPONENTIAL = {"distribution": "exponential", "mean": 1, "effect": 0.5}


@pytest.mark.parametrize(
    ("facts", "message"),
    [
        ({"type": "bool", "simulate": EXPONENTIAL}, "exponential cannot draw type bool"),
        ({"type": "float", "monotone": -1, "simulate": EXPONENTIAL}, "monotone is -1, but the effect is 0.5"),
        ({"type": "float", "monotone": 1, "simulate": EXPONENTIAL | {"shape": "u_shape"}}, "the effect is u-shaped"),
        ({"type": "float", "simulate": EXPONENTIAL | {"missing_rate": 0.1}}, "`missing_rate < max_missing` must hold"),
        ({"type": "int", "simulate": EXPONENTIAL | {"decimals": 1}}, "decimals are for type float, not int"),
        (
            {"type": "category", "categories": ["a"], "simulate": HAND_MADE["channel"]["simulate"]},
            "1 categories, but 3 probabilities",
        ),
        (
            {"type": "bool", "simulate": {"distribution": "bernoulli", "probability": 0.5, "missing_rate": 0.1}},
            "a bool cannot be missing",
        ),
    ],
)
def test_a_feature_and_its_draw_must_agree(facts, message):
    with pytest.raises(ValidationError, match=message):
        Feature.model_validate({"max_missing": 0.0} | facts)


@pytest.mark.parametrize(
    ("facts", "message"),
    [
        ({"label_noise": 0.3}, "`label_noise < positive_rate < 1 - label_noise` must hold"),
        ({"start": "2025-01-01"}, "a period needs start and end"),
        ({"start": "2025-02-01", "end": "2025-01-01"}, "`start <= end` must hold"),
        ({"interactions": [{"features": ["a", "a"], "effect": 1.0}]}, "a cannot interact with itself"),
    ],
)
def test_a_simulation_that_contradicts_itself_is_refused(facts, message):
    with pytest.raises(ValidationError, match=message):
        Simulation.model_validate({"rows": 10, "positive_rate": 0.2} | facts)


def interacting(*names, effect=0.5):
    return {"simulation": {"rows": 10, "positive_rate": 0.2, "interactions": [{"features": [*names], "effect": effect}]}}


FLAT_CHANNEL = HAND_MADE["channel"] | {"simulate": HAND_MADE["channel"]["simulate"] | {"effect": 0.0}}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (interacting("savings", "typo"), "an interaction names typo, which is not a feature"),
        (interacting("income", "savings"), "income: monotone is -1, but its interactions can turn the sign"),
        (
            interacting("late_payments", "channel", effect=1.0),
            "late_payments: monotone is 1, but its interactions can turn the sign",
        ),
        (
            {"features": HAND_MADE | {"channel": FLAT_CHANNEL}, **interacting("savings", "channel")},
            "its categories need different effects",
        ),
        ({"features": HAND_MADE | {"age": {"type": "int"}}}, "these have no simulate: age"),
        (
            {"features": {"savings": HAND_MADE["savings"]}},
            "savings: missing_with=income is not another feature",
        ),
        ({"features": one("hour", type="int")}, "x: distribution hour needs a time_column"),
        ({"time_column": "paid_at"}, "time_column and the simulation's start and end go together"),
    ],
)
def test_a_use_case_refuses_a_simulation_that_does_not_fit_it(changes, message):
    with pytest.raises(ValidationError, match=message):
        use_case(**changes)


def test_a_mild_interaction_with_a_bounded_partner_may_stay_monotone():
    assert use_case(**interacting("late_payments", "channel", effect=0.2)).features["late_payments"].monotone == 1
