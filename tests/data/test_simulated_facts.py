"""Simulated columns that agree with one another: computed, given the kind of a row, shared, moved by time, heaped."""

import numpy as np
import pandas as pd
import pytest
from lightgbm import LGBMClassifier
from pydantic import ValidationError
from sklearn.metrics import roc_auc_score
from test_simulated import draw, use_case

from bank_models.config.simulation import Simulate
from bank_models.data.simulated import simulate
from bank_models.data.simulated.holidays import easter, public_holidays, us_holidays
from bank_models.errors import ConfigError

VALUE = {"type": "float", "simulate": {"distribution": "lognormal", "median": 300_000, "sigma": 0.5, "step": 1000}}
LOAN = {
    "type": "float",
    "simulate": {
        "distribution": "beta", "a": 4, "b": 2, "derived": "value * drawn", "decimals": 0,
        "heaps": [{"to": 5000, "share": 0.3}, {"to": 1000, "share": 0.5}],
    },
}  # fmt: skip
RATIO = {"type": "float", "simulate": {"derived": "100 * loan / value", "decimals": 1, "effect": 0.8}}
STATUS = {
    "type": "category",
    "categories": ["employed", "retired"],
    "simulate": {"distribution": "categorical", "probabilities": [0.8, 0.2], "effect": [0.0, 0.5]},
}
AGE = {
    "type": "int",
    "simulate": {
        "distribution": "normal", "mean": 41, "std": 10, "effect": 0.5,
        "given": [
            {"when": "status == 'retired'", "mean": 68, "std": 6, "min": 58}, {"when": "status == 'employed'", "max": 66},
        ],
    },
}  # fmt: skip
HOUSE = {"ratio": RATIO, "loan": LOAN, "value": VALUE}  # in an order in which they cannot be drawn
WEEKS = {"start": "2020-01-01", "end": "2024-12-31", "frequency": "week"}
PANEL = {"panel": {"entity": "desk_id"}, **WEEKS}
PAIR = {
    "type": "category",
    "simulate": {"distribution": "zipf", "n_values": 6, "exponent": 0.5, "prefix": "pair", "effect": 0.2},
}


def shops(exponent=0.8, **facts):
    drawn = {"distribution": "zipf", "n_values": 300, "exponent": exponent, "prefix": "shop", "effect": 0.2}
    country = {
        "distribution": "categorical",
        "probabilities": [0.7, 0.2, 0.1],
        "level": "category",
        "per": ["shop"],
        "effect": [0.0, 0.4, 0.9],
    }
    return {
        "shop": {"type": "category", "simulate": drawn},
        "country": {"type": "category", "categories": ["DE", "FR", "US"], "simulate": country | facts},
    }


def series(simulate_facts, n_rows=4, **simulation):
    facts = {
        "desk": {"type": "category", "simulate": {"distribution": "zipf", "n_values": 2, "exponent": 0, "prefix": "d"}},
        "x": simulate_facts,
    }
    case = use_case(
        features=facts,
        time_column="week",
        group_column="desk_id",
        simulation={"rows": 10, "positive_rate": 0.5, **PANEL, **simulation},
    )
    return simulate(case, n_rows * 261, seed=3).frame


# ---- computed


def test_a_computed_column_is_what_its_expression_says_up_to_rounding():
    frame = draw(HOUSE).frame.astype({"loan": float, "value": float, "ratio": float})
    np.testing.assert_allclose(frame["ratio"], 100 * frame["loan"] / frame["value"], atol=0.0501)
    assert list(frame)[:3] == ["ratio", "loan", "value"]


def test_the_effect_of_a_computed_column_is_on_what_it_shows():
    rows = draw(HOUSE)
    spread = pd.Series(rows.true_score).groupby(rows.frame["ratio"].to_numpy()).agg(np.ptp)
    assert spread.max() < 1e-12
    in_order = rows.true_score[np.argsort(rows.frame["ratio"].to_numpy(), kind="stable")]
    assert (np.diff(in_order) >= -1e-12).all()


def test_the_true_score_of_computed_columns_is_calibrated_and_no_model_beats_it():
    rows = draw({**HOUSE, "status": STATUS, "age": AGE, **shops()}, n_rows=40_000)
    X, y = rows.frame.drop(columns="defaulted"), rows.frame["defaulted"]
    decile = pd.qcut(rows.true_score, 10, labels=False, duplicates="drop")
    table = pd.DataFrame({"label": y, "score": rows.true_score}).groupby(decile)
    expected, observed, counts = table.score.mean(), table.label.mean(), table.size()
    assert (np.abs(observed - expected) < 4.5 * np.sqrt(expected * (1 - expected) / counts)).all()
    model = LGBMClassifier(n_estimators=80, learning_rate=0.06, num_leaves=15, n_jobs=1, random_state=0, verbose=-1)
    reached = roc_auc_score(y[30_000:], model.fit(X[:30_000], y[:30_000]).predict_proba(X[30_000:])[:, 1])
    ceiling = roc_auc_score(y[30_000:], rows.true_score[30_000:])
    assert ceiling - 0.03 < reached < ceiling


def test_the_same_seed_gives_the_same_bytes_with_every_fact():
    facts = {**HOUSE, "status": STATUS, "age": AGE, **shops()}
    first, second = draw(facts), draw(facts)
    assert first.true_score.tobytes() == second.true_score.tobytes()
    pd.testing.assert_frame_equal(first.frame, second.frame)


def test_a_flag_and_a_date_can_be_computed():
    facts = {
        "opened_on": {"type": "date", "simulate": {"distribution": "exponential", "mean": 900, "derived": "paid_at - drawn"}},
        "is_young": {"type": "bool", "simulate": {"derived": "paid_at - opened_on < 365", "effect": 0.5}},
    }
    frame = draw(facts, time_column="paid_at", start="2025-01-01", end="2025-03-31").frame
    assert frame["opened_on"].dtype == "datetime64[s]"
    assert (frame["opened_on"] <= frame["paid_at"]).all()
    age = (frame["paid_at"] - frame["opened_on"]).dt.total_seconds() / 86400
    assert (frame["is_young"] == (age < 365)).mean() > 0.999


# ---- given the kind of a row


def test_the_ages_of_the_retired_are_theirs():
    frame = draw({"age": AGE, "status": STATUS}).frame
    retired = frame["status"] == "retired"
    assert frame["age"][retired].min() >= 58
    assert frame["age"][~retired].max() <= 66
    assert frame["age"][~retired].mean() == pytest.approx(41, abs=0.5)
    assert (frame["age"][retired] == 58).mean() < 0.1  # cut, not heaped at the limit


def test_a_column_that_exists_for_some_kinds_only_is_missing_in_the_others():
    facts = {"status": STATUS, "employer_years": {
        "type": "float", "max_missing": 0.5,
        "simulate": {"distribution": "exponential", "mean": 8, "effect": 0.9,
                     "given": [{"when": "status == 'retired'", "is_missing": True}]},
    }}  # fmt: skip
    rows = draw(facts)
    assert (rows.frame["employer_years"].isna() == (rows.frame["status"] == "retired")).all()
    assert np.unique(rows.true_score[rows.frame["employer_years"].isna()].round(12)).size == 1


def test_a_kind_may_have_one_value_other_probabilities_or_another_distribution():
    drawn = {"distribution": "poisson", "mean": 2, "given": [
        {"when": "status == 'retired'", "value": 0}, {"when": "band == 'b'", "distribution": "normal", "mean": 50, "std": 1},
        {"when": "band == 'c'", "min": 1, "max": 2},
    ]}  # fmt: skip
    band = {
        "distribution": "categorical",
        "probabilities": [0.5, 0.3, 0.2],
        "given": [{"when": "status == 'retired'", "probabilities": [0, 0, 1]}],
    }
    facts = {
        "n": {"type": "int", "simulate": drawn},
        "band": {"type": "category", "categories": ["a", "b", "c"], "simulate": band},
        "status": STATUS,
    }
    frame = draw(facts).frame
    retired = frame["status"] == "retired"
    assert (frame["n"][retired] == 0).all()
    assert (frame["band"][retired] == "c").all()
    assert frame["n"][frame["band"] == "b"].mean() == pytest.approx(50, abs=0.1)
    assert sorted(frame["n"][(frame["band"] == "c") & ~retired].unique()) == [1, 2]


# ---- shared by a category


def test_a_shop_has_one_country_and_the_countries_come_as_often_as_declared():
    frame = draw(shops(), n_rows=50_000).frame
    assert frame.groupby("shop", observed=True)["country"].nunique().max() == 1
    assert frame["country"].value_counts(normalize=True)[["DE", "FR", "US"]].tolist() == pytest.approx(
        [0.7, 0.2, 0.1], abs=0.05
    )


def test_a_shared_factor_moves_what_all_rows_of_a_category_share():
    facts = shops(factors={"distance": 0.9})
    fee = {"distribution": "normal", "mean": 0, "std": 1, "level": "category", "per": ["shop"], "factors": {"distance": 0.9}}
    rows = draw(
        {**facts, "fee": {"type": "float", "simulate": fee}}, factors={"distance": {"level": "category", "per": ["shop"]}}
    )
    means = rows.frame.groupby("country", observed=True)["fee"].mean()
    assert means["DE"] < means["FR"] < means["US"]


def test_a_pair_has_one_move_a_week_that_remembers_the_week_before():
    change = {
        "distribution": "normal",
        "mean": 0,
        "std": 4,
        "level": "category",
        "per": ["desk", "period"],
        "autocorrelation": 0.9,
    }
    frame = series({"type": "float", "simulate": change}, n_rows=20)
    by_week = frame.groupby(["desk", "week"], observed=True)["x"].agg(["nunique", "first"])
    assert by_week["nunique"].max() == 1
    first = by_week["first"].xs("d_0001").to_numpy()
    assert np.corrcoef(first[1:], first[:-1])[0, 1] > 0.75
    assert np.corrcoef(first, by_week["first"].xs("d_0002").reindex(by_week["first"].xs("d_0001").index).ffill())[0, 1] < 0.6


# ---- moved by time


def test_a_season_of_a_feature_puts_the_summer_in_july_and_keeps_its_spread():
    months = [-1.2, -1.1, -0.6, 0.0, 0.6, 1.1, 1.3, 1.2, 0.7, 0.1, -0.6, -1.1]
    temperature = {"distribution": "normal", "mean": 11, "std": 7, "level": "period", "season": {"yearly": months}}
    frame = series({"type": "float", "simulate": temperature})
    means = frame["x"].groupby(frame["week"].dt.month).mean()
    assert means[7] - means[1] > 14
    assert frame["x"].std() == pytest.approx(7, abs=0.5)


def test_a_trend_and_a_regime_move_a_feature():
    rate = {
        "distribution": "normal",
        "mean": 2,
        "std": 1,
        "level": "period",
        "trend": 0.5,
        "regimes": [{"start": "2022-07-01", "effect": 1.5}],
    }
    frame = series({"type": "float", "simulate": rate})
    assert frame["x"][frame["week"] >= "2022-07-01"].mean() - frame["x"][frame["week"] < "2022-07-01"].mean() > 1.2


def test_movement_that_leaves_no_variance_is_refused():
    with pytest.raises(ConfigError, match="x: season, trend and regimes have a variance of 2"):
        series({"type": "float", "simulate": {"distribution": "normal", "mean": 2, "std": 1, "level": "period", "trend": 5.0}})


# ---- round numbers


def test_heaps_and_steps_round_the_stated_share_of_values():
    loan = draw(HOUSE).frame["loan"].astype(float)
    assert (loan % 5000 == 0).mean() == pytest.approx(0.3 + 0.5 / 5, abs=0.03)
    assert (loan % 1000 == 0).mean() == pytest.approx(0.8, abs=0.02)
    assert (draw(HOUSE).frame["value"] % 1000 == 0).all()


def test_an_outcome_in_notes_has_its_median_as_the_best_answer():
    case = use_case(
        task="regression", metric="mae", target_min=0,
        features={"x": {"type": "float", "simulate": {"distribution": "normal", "mean": 0, "std": 1, "effect": 1.0}}},
        simulation={"rows": 10, "outcome": {"distribution": "gamma", "mean": 900, "std": 400, "step": 20, "signal": 0.5}},
    )  # fmt: skip
    rows = simulate(case, 4000, seed=1)
    assert (rows.frame["defaulted"] % 20 == 0).all()
    assert (rows.true_score % 20 == 0).all()


# ---- holidays


def test_holidays_are_those_of_the_calendar():
    assert [str(easter(year)) for year in (2000, 2024, 2025, 2038)] == ["2000-04-23", "2024-03-31", "2025-04-20", "2038-04-25"]
    german = {str(day) for day in public_holidays(range(2025, 2026))}
    assert german == {
        "2025-01-01",
        "2025-04-18",
        "2025-04-21",
        "2025-05-01",
        "2025-05-29",
        "2025-06-09",
        "2025-10-03",
        "2025-12-25",
        "2025-12-26",
    }
    american = {str(day) for day in us_holidays(range(2023, 2024))}
    assert {
        "2023-01-02",
        "2023-01-16",
        "2023-02-20",
        "2023-05-29",
        "2023-06-19",
        "2023-07-04",
        "2023-09-04",
        "2023-11-23",
    } <= american


# ---- texts


TOPIC = {
    "type": "category",
    "categories": ["card", "loan"],
    "simulate": {"distribution": "categorical", "probabilities": [0.8, 0.2]},
}
NOUNS = {"loan": ["instalment", "rate"], "card": ["PIN", "limit", "chip"]}


def message(**slot):
    slots = {"noun": {"column": "topic", "words_of": NOUNS, **slot}, "tone": {"words": ["bad", "good"], "correlation": 0.7}}
    facts = {"distribution": "template", "templates": ["the {noun} is {tone}", "{tone} {noun}"], "slots": slots, "effect": 1.0}
    return {"type": "text", "simulate": facts}


def test_a_text_speaks_of_what_another_column_says_with_each_of_its_words():
    frame = draw({"text": message(), "topic": TOPIC}, n_rows=4000).frame
    nouns = frame["text"].str.extract(f"({'|'.join(word for words in NOUNS.values() for word in words)})")[0]
    shares = nouns.groupby(frame["topic"], observed=True).value_counts(normalize=True)
    assert {topic: set(shares[topic].index) for topic in NOUNS} == {topic: set(words) for topic, words in NOUNS.items()}
    assert all((abs(shares[topic] - 1 / len(words)) < 0.06).all() for topic, words in NOUNS.items())


# ---- what is refused


NORMAL = {"distribution": "normal", "mean": 0, "std": 1}


@pytest.mark.parametrize(
    ("facts", "message"),
    [
        ({}, "needs a distribution, or an expression in derived"),
        ({"derived": "a + drawn"}, "go together only if it names drawn"),
        (NORMAL | {"derived": "a + 1"}, "go together only if it names drawn"),
        ({"derived": "a", "mean": 1}, "mean is for a distribution, and there is none"),
        ({"derived": "a", "factors": {"f": 0.5}}, "are for a distribution, and there is none"),
        ({"derived": "a +"}, "expected a column"),
        (NORMAL | {"decimals": 1, "step": 2.0}, "decimals and step exclude each other"),
        (NORMAL | {"heaps": [{"to": 5, "share": 0.7}, {"to": 1, "share": 0.7}]}, "sum to 1 at most"),
        (NORMAL | {"level": "category"}, "level category and per go together"),
        (NORMAL | {"per": ["a"]}, "level category and per go together"),
        (NORMAL | {"level": "category", "per": ["a"], "autocorrelation": 0.5}, "never changes"),
        (NORMAL | {"given": [{"when": "a > 1"}]}, "give either a value, is_missing, or parameters"),
        (NORMAL | {"given": [{"when": "a > 1", "value": 1, "mean": 2.0}]}, "give either a value"),
        (NORMAL | {"given": [{"when": "a > 1", "a": 2.0}]}, "normal takes no a"),
        (NORMAL | {"given": [{"when": "a > 1", "min": 2, "max": 1}]}, "`min <= max` must hold"),
        ({"distribution": "hour", "given": [{"when": "a > 1", "value": 1}]}, "given is for numbers"),
        ({"distribution": "hour", "trend": 1.0}, "follows the time column"),
    ],
)
def test_facts_that_contradict_each_other_are_refused(facts, message):
    with pytest.raises(ValidationError, match=message):
        Simulate.model_validate(facts)


def feature(type="float", **facts):
    return {"type": type, "simulate": NORMAL | facts}


@pytest.mark.parametrize(
    ("features", "message"),
    [
        (
            {"x": {"type": "float", "simulate": {"derived": "y"}}, "y": {"type": "float", "simulate": {"derived": "x"}}},
            "look at each other: x, y, x",
        ),
        ({"x": feature(derived="drawn + typo")}, "names typo, which is not a column"),
        ({"x": feature(given=[{"when": "status == 'retird'", "mean": 1}]), "status": STATUS}, "status is never 'retird'"),
        ({"x": feature(given=[{"when": "y + 1", "mean": 1}]), "y": feature()}, "is no condition, but a number"),
        ({"x": {"type": "float", "simulate": {"derived": "status"}}, "status": STATUS}, "is a text, but derived gives numbers"),
        ({"x": feature(level="category", per=["y"]), "y": feature()}, "per names y, which is neither a category nor period"),
        (
            shops() | {"x": feature(level="category", per=["shop"], given=[{"when": "y > 0", "mean": 1}]), "y": feature()},
            "looks at y, which changes within it",
        ),
        (shops(factors={"f": 0.5}), "its factor f must have it too, but has level row"),
        ({"x": feature(level="category", per=["status", "period"]), "status": STATUS}, "level period needs a frequency"),
        ({"x": feature(season={"yearly": 0.5})}, "need the simulation's start and end"),
        ({"status": {**STATUS, "simulate": {"derived": "1"}}}, "derived gives numbers, not type category"),
        ({"x": feature(given=[{"when": "1 > 0", "value": "a"}])}, "the value a is not of type float"),
        ({"x": feature(type="bool", given=[{"when": "1 > 0", "value": 1}])}, "normal cannot draw type bool"),
        ({"x": message(), "topic": feature()}, "slot noun names topic, which is not a category with categories"),
        ({"x": message()}, "slot noun names topic, which is not a category with categories"),
        ({"x": message(words_of={"card": ["PIN"]}), "topic": TOPIC}, "slot noun needs words for card, loan, but has card"),
        ({"x": message(words=["PIN"]), "topic": TOPIC}, "a slot needs either words, or a column and words_of its values"),
        ({"x": message(correlation=0.5), "topic": TOPIC}, "words of topic follow that column, so they have no correlation"),
    ],
)
def test_a_use_case_refuses_facts_that_do_not_fit_it(features, message):
    with pytest.raises(ValidationError, match=message):
        use_case(features=features)
