"""Rules of the business: in a use case, on the rows that train a model, and on those that are scored."""

import pandas as pd
import pytest
from conftest import ROOT, options
from pydantic import ValidationError

from bank_models.config.feature import Feature
from bank_models.config.rule import Rule
from bank_models.config.use_case import UseCase
from bank_models.data import packaged
from bank_models.data.rules import judge
from bank_models.data.simulated import simulate
from bank_models.data.table import make_table
from bank_models.data.table_schema import TableSchema
from bank_models.data.validation import check_rows, validate
from bank_models.errors import DataError
from bank_models.files import yaml_file
from bank_models.scoring.row_checks import check

FEATURES = {
    "age": Feature(type="int", max_missing=0.5),
    "status": Feature(type="category", categories=["employed", "retired"]),
}
RETIRED = Rule(when="status == 'retired'", holds="age >= 60")
ROWS = pd.DataFrame({"age": [70, 30, 40, None], "status": ["retired", "employed", "retired", "retired"], "y": [0, 1, 0, 1]})


def read(key: str) -> UseCase:
    return UseCase.model_validate(yaml_file.read(ROOT / f"conf/use_case/{key}.yaml")["use_case"])


def simulated(key: str, n_rows: int):
    use_case = read(key)
    if use_case.simulation.frequency and use_case.simulation.panel is None:
        n_rows = min(n_rows, use_case.simulation.rows)  # a single series has no more
    return use_case, simulate(use_case, n_rows, seed=7)


SIMULATED = [key for key in options("use_case") if "data_source: simulated" in (ROOT / f"conf/use_case/{key}.yaml").read_text()]


@pytest.mark.parametrize("key", SIMULATED)
def test_a_simulated_use_case_has_rules_and_its_rows_keep_them(key):
    use_case, data = simulated(key, 4000)
    assert len(use_case.rules) >= 5
    check_kept(use_case, data)


@pytest.mark.slow
@pytest.mark.parametrize("key", SIMULATED)
def test_a_hundred_thousand_rows_keep_every_rule(key):
    use_case, data = simulated(key, 100_000)
    check_kept(use_case, data)


def check_kept(use_case, data):
    table = make_table(data, use_case)  # refuses rows that break an exact rule, or any other declaration
    for one in judge(use_case.rules, table.frame):
        assert not one.is_below, (one.name, one.share)
        assert one.n_judged or len(table.frame) < 100_000, f"{one.name} is about no row"


def test_a_row_in_which_the_deciding_value_is_missing_is_not_judged():
    (one,) = judge({"retired": RETIRED}, ROWS.astype({"status": "category"}))
    assert (one.n_judged, one.broken.tolist()) == (2, [False, False, True, False])


def test_a_row_breaks_a_rule_of_one_value_where_it_differs_from_the_first_of_its_kind():
    shops = pd.DataFrame({"shop": ["a", "b", "a", "a", "b"], "country": ["DE", None, "DE", "FR", "IT"]}, dtype="category")
    (one,) = judge({"r": Rule(constant=["country"], within=["shop"])}, shops)
    assert (one.n_judged, one.broken.tolist()) == (4, [False, False, False, True, False])
    assert one.rule.said() == "one value of country for each shop"


def test_scoring_asks_no_rule_about_several_rows():
    rules = {"r": Rule(constant=["age"], within=["status"])}
    assert check_rows(ROWS, FEATURES, rules=rules)[1] == []


def test_training_rows_that_break_an_exact_rule_are_refused():
    with pytest.raises(
        DataError, match=r"rule retired: 1 row breaks it \(row 3 is the first\): where status == 'retired': age >= 60"
    ):
        validate(ROWS, TableSchema(FEATURES, "y"), rules={"retired": RETIRED})


def test_training_rows_that_keep_a_rule_are_noted():
    notes = validate(ROWS[:2], TableSchema(FEATURES, "y"), rules={"retired": RETIRED}).notes
    assert notes == ["The rows keep every exact rule of the business (1)."]


@pytest.mark.parametrize(("share", "said"), [(0.4, "stated are 40.00%"), (0.9999, "it should be 99.99%")])
def test_how_many_rows_keep_a_rule_of_a_stated_share_is_noted(share, said):
    rule = RETIRED.model_copy(update={"share": share})
    notes = validate(ROWS, TableSchema(FEATURES, "y"), rules={"retired": rule}).notes
    assert notes == [f"Rule retired is kept by 50.00% of 2 rows; {said} at least."]


def test_a_row_to_score_that_breaks_an_exact_rule_is_a_fault_of_its_own():
    _, (fault,) = check_rows(ROWS, FEATURES, rules={"retired": RETIRED})
    assert (fault.column, fault.bad.tolist()) == ("age", [False, False, True, False])
    assert fault.said == "1 row breaks the rule retired: where status == 'retired': age >= 60 (row 3 is the first)"
    assert "breaks the rule retired" in fault.what


def test_a_real_application_whose_ratio_is_not_loan_over_price_is_a_fault():
    use_case, frame = read("fair_lending"), packaged.load("loanapp", None).frame.head(20)
    assert check_rows(frame, use_case.features, rules=use_case.rules)[1] == []
    frame.loc[3, "loan_to_price_ratio"] += 0.1
    _, (fault,) = check_rows(frame, use_case.features, rules=use_case.rules)
    assert "breaks the rule the_ratio_is_loan_over_price" in fault.what
    assert fault.bad.nonzero()[0].tolist() == [3]


def test_scoring_rejects_the_row_and_scores_the_others():
    checked = check(4, lambda kept: (ROWS.iloc[kept], []), FEATURES, {}, False, {"retired": RETIRED})
    assert checked.kept.tolist() == [0, 1, 3]
    assert "breaks the rule retired: where status == 'retired': age >= 60" in checked.reasons[2]


def test_scoring_asks_neither_shares_nor_rules_about_the_target():
    rules = {"often": RETIRED.model_copy(update={"share": 0.9}), "of_target": Rule(holds="y == 0")}
    assert check_rows(ROWS, FEATURES, rules=rules)[1] == []


FACTS = {
    "id": "UC-RISK-001", "key": "loans", "name": "Loans", "department": "risk_management", "row": "One loan.", "task": "binary",
    "target": "defaulted", "metric": "roc_auc",
    "features": {"age": {"type": "int"}, "status": {"type": "category", "categories": ["a"]}},
}  # fmt: skip


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ({"holds": "aeg > 1"}, "rule r: `aeg > 1` names aeg, which is not a column"),
        ({"holds": "age + 1"}, "rule r: `age \\+ 1` is no condition, but a number"),
        ({"holds": "status == 'b'"}, "status is never 'b'"),
        ({"holds": "age >"}, "expected a column"),
        ({"holds": "age > 1", "share": 0.0}, "greater than 0"),
        ({"constant": ["aeg"], "within": ["status"]}, "rule r: it names aeg, which is not a column"),
        ({"constant": ["age"]}, "either holds, or constant and within"),
        ({"constant": ["age"], "within": ["status"], "holds": "age > 1"}, "either holds, or constant and within"),
    ],
)
def test_a_use_case_refuses_a_rule_that_cannot_be_checked(rule, message):
    with pytest.raises(ValidationError, match=message):
        UseCase.model_validate(FACTS | {"rules": {"r": rule}})


def test_a_rule_may_name_the_target():
    assert UseCase.model_validate(FACTS | {"rules": {"r": {"holds": "defaulted in [0, 1]"}}}).rules["r"].is_exact
