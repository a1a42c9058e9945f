import pytest
import yaml
from conftest import ROOT
from pydantic import ValidationError

from bank_models.config.use_case import UseCase

LOANS = yaml.safe_load((ROOT / "conf/use_case/fair_lending.yaml").read_text())["use_case"]
PAYMENTS = yaml.safe_load((ROOT / "conf/use_case/transaction_fraud.yaml").read_text())["use_case"]


@pytest.mark.parametrize(
    ("facts", "column"),
    [
        (LOANS, "loan_kusd"),
        (LOANS, "approved"),
        (PAYMENTS | {"simulation": None}, "paid_at"),
    ],
    ids=["feature", "target", "time"],
)
def test_a_protected_column_has_no_other_part_to_play(facts, column):
    with pytest.raises(ValidationError, match=f"{column} is protected: it cannot be a feature, a lag, the target, the time"):
        UseCase(**facts | {"protected": [column]})


def test_no_lag_looks_back_within_a_protected_column():
    lags = {"amount_before_eur": {"column": "amount_eur", "entity": "sex", "periods": 1}}
    with pytest.raises(ValidationError, match="lag amount_before_eur looks back within a protected column"):
        UseCase(**PAYMENTS | {"protected": ["sex"], "lags": lags, "simulation": None})


def test_protected_columns_cannot_be_drawn():
    with pytest.raises(ValidationError, match="a simulation draws no protected columns"):
        UseCase(**PAYMENTS | {"protected": ["sex"], "favourable": 0})


def test_protected_columns_need_the_decision_that_people_want():
    with pytest.raises(ValidationError, match="protected columns need `favourable`"):
        UseCase(**PAYMENTS | {"protected": ["sex"], "simulation": None})


def test_only_a_feature_can_be_known_in_time():
    with pytest.raises(ValidationError, match="known_in_time names typo, which is not a feature"):
        UseCase(**PAYMENTS | {"known_in_time": {"typo": "of the day"}})


@pytest.mark.parametrize(("floor", "why"), [(0.8, None), (None, "the scorecard reaches it")])
def test_a_minimum_score_is_given_with_its_reason_or_not_at_all(floor, why):
    with pytest.raises(ValidationError, match="minimum_score and minimum_reason go together: say in a sentence why"):
        UseCase(**PAYMENTS | {"minimum_score": floor, "minimum_reason": why})


def test_the_reason_of_a_minimum_score_says_something():
    with pytest.raises(ValidationError, match="minimum_reason"):
        UseCase(**PAYMENTS | {"minimum_score": 0.8, "minimum_reason": "  "})


def test_what_people_declare_for_the_model_card_says_something():
    assert UseCase(**PAYMENTS | {"card": {"owner": "J. Doe", "uses_to_avoid": ["pricing"]}}).card.owner == "J. Doe"
    with pytest.raises(ValidationError, match=r"card\.owner"):
        UseCase(**PAYMENTS | {"card": {"owner": "  "}})
