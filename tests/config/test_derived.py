"""Derived columns of a use case: what may be declared, and the sentence where it may not."""

import sys

import pytest
from pydantic import ValidationError

from bank_models.config.use_case import UseCase

FACTS = {
    "key": "loans",
    "task": "binary",
    "target": "defaulted",
    "metric": "roc_auc",
    "time_column": "applied_at",
    "group_column": "customer",
    "favourable": 0,
    "protected": ["sex"],
    "features": {
        "monthly_debt_eur": {"type": "float", "min": 0, "in_model": False},
        "income_eur": {"type": "float", "min": 0, "max_missing": 0.5},
        "age_years": "int",
        "employed": "bool",
        "status": {"type": "category", "categories": ["owner", "tenant"]},
        "opened_on": "date",
    },
}


def declared(derived, **others):
    return UseCase(**FACTS | others | {"derived": derived})


def said(derived, **others):
    with pytest.raises(ValidationError) as refused:
        declared(derived, **others)
    return refused.value.errors()[0]["msg"]


def test_an_expression_alone_declares_a_derived_column():
    assert declared({"dti": "monthly_debt_eur / income_eur"}).derived["dti"].expression == "monthly_debt_eur / income_eur"


def test_derived_columns_are_features_with_type_direction_and_description():
    facts = {"expression": "monthly_debt_eur / income_eur", "monotone": 1, "description": "debt to income"}
    inputs = declared({"dti": facts, "is_owner": "status == 'owner'"}).inputs()
    assert list(inputs) == ["income_eur", "age_years", "employed", "status", "opened_on", "dti", "is_owner"]
    assert (inputs["dti"].type, inputs["dti"].monotone, inputs["dti"].description) == ("float", 1, "debt to income")
    assert inputs["is_owner"].type == "bool"


def test_a_derived_column_may_look_at_others_in_any_order_of_declaration():
    inputs = declared({"b": "a + 1", "a": "dti * 2", "dti": "monthly_debt_eur / income_eur"}).inputs()
    assert list(inputs)[-3:] == ["b", "a", "dti"]


def test_a_derived_column_may_look_at_lags():
    lags = {"before_eur": {"column": "income_eur", "entity": "customer", "periods": 1}}
    assert "growth" in declared({"growth": "income_eur / before_eur"}, lags=lags).inputs()


OF_TIME = ["days_between(opened_on, applied_at)", "month(applied_at)", "months_between(applied_at, opened_on)"]
TELLING = ["year(applied_at)", "applied_at - opened_on", "days_between(applied_at, applied_at)", "missing(applied_at)"]
TELLING += ["days_between(coalesce(applied_at, opened_on), opened_on)"]


@pytest.mark.parametrize("text", OF_TIME)
def test_the_time_of_a_row_may_be_compared_with_another_date(text):
    assert declared({"x": text}).inputs()["x"].type == "float"


@pytest.mark.parametrize("text", TELLING)
def test_a_model_learns_from_no_expression_how_late_a_row_is(text):
    assert "looks at applied_at, the time of the row. A model must not learn from how late it is" in said({"x": text})


@pytest.mark.parametrize(
    ("derived", "sentence"),
    [
        ({"dti": "monthly_dept_eur / 2"}, "names monthly_dept_eur, which is no column. Did you mean monthly_debt_eur?"),
        ({"x": "status * 2"}, "a text cannot be calculated with"),
        ({"x": "status"}, "`status` is a text, not a number or a condition"),
        ({"x": "opened_on"}, "`opened_on` is a date, not a number or a condition"),
        ({"x": "days_between(opened_on, age_years)"}, "days_between takes two dates"),
        ({"x": "coalesce(opened_on, 1)"}, "coalesce takes dates or numbers, not both"),
        ({"x": "status == 'landlord'"}, "status is never 'landlord'; it is one of owner, tenant"),
        ({"x": "where(age_years, 1, 2)"}, "where takes a condition and two numbers"),
        ({"x": "defaulted + 1"}, "names defaulted, which is the target"),
        ({"x": "where(sex == 'f', 1, 0)"}, "names sex, which is protected"),
        ({"x": "where(customer == 'a', 1, 0)"}, "names customer, which is the group column, which no model may learn"),
        ({"x": "x + 1"}, "refer to each other: x looks at x"),
        ({"a": "b + 1", "b": "c + 1", "c": "a + 1"}, "refer to each other: a looks at b looks at c looks at a"),
        ({"income_eur": "1 + 1"}, "derived column income_eur has the name of a column that there is"),
        ({"defaulted": "1 + 1"}, "derived column defaulted has the name of a column that there is"),
        ({"applied_at": "1 + 1"}, "derived column applied_at has the name of a column that there is"),
        ({"x": "income_eur + age_years"}, "puts eur and years together: convert one, such as by a factor"),
        ({"x": "where(income_eur > age_years, 1, 0)"}, "puts eur and years together"),
        ({"age_months": "days_between(opened_on, applied_at)"}, "the name ends with months, but"),
        ({"not a name": "1"}, "String should match pattern"),
        ({"x": ""}, "String should have at least 1 character"),
        ({"x": {"expression": "1", "unit": "eur"}}, "Extra inputs are not permitted"),
    ],
)  # fmt: skip
def test_what_cannot_be_derived_is_refused_with_a_sentence(derived, sentence):
    assert sentence in said(derived)


def test_what_has_a_factor_may_be_added_to_another_unit():
    assert "x" in declared({"x": "income_eur - 500 * age_years"}).inputs()


def test_a_column_that_no_model_looks_at_has_no_direction():
    features = FACTS["features"] | {"monthly_debt_eur": {"type": "float", "in_model": False, "monotone": 1}}
    assert "monotone is 1, but no model looks at it: in_model is false" in said({}, features=features)


def test_a_model_needs_something_to_learn_from():
    features = {"income_eur": {"type": "float", "in_model": False}}
    assert "features is empty, and there are no lags" in said({}, features=features)
    assert list(declared({"log_income": "log(income_eur)"}, features=features).inputs()) == ["log_income"]


HOSTILE = [
    "__import__('os').system('touch x')", "open('/etc/passwd').read()", "exec('import os')", "eval('1')",
    "().__class__.__bases__[0].__subclasses__()", "income_eur.__class__", "income_eur.values.tofile('x')", "os.system('x')",
    "lambda: 0", "[x for x in income_eur]", "{1: 2}", "income_eur if employed else 0", "income_eur := 1", "income_eur = 1",
    "income_eur; age_years", "income_eur\nimport os", "f'{income_eur}'", "'%s' % income_eur", "`income_eur`", "@income_eur",
    "$income_eur", "${oc.env:HOME}", "#{income_eur}", "{{income_eur}}", "income_eur ** 9999999", "9 ** 9 ** 9", "1 << 99999",
    "income_eur | age_years", "income_eur & age_years", "~income_eur", "income_eur // 0", "income_eur % 0", "not", "and", "in",
    "\x00", "income_eur\x00", "\uff49ncome_eur", "income_eur\u202e", "\u0435val(1)", "'unclosed", "\"unclosed", "(" * 5000,
    "-" * 990 + "x_", "min(" * 60 + "1", "1" * 5000, "1e999999 - 1e999999 +", "getattr(income_eur, 'x')", "globals()",
    "pickle.loads(status)", "query('income_eur > 1')", "numpy.load(status)", "yaml.load(status)", "_target_: os.system",
    "!!python/object/apply:os.system ['x']", "=cmd|' /C calc'!A0",
]  # fmt: skip


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_a_hostile_expression_runs_nothing_and_is_answered_by_one_sentence(text, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    ran = []
    seen = {"os.system", "subprocess.Popen", "exec", "compile", "open", "import", "pickle.find_class", "socket.connect"}
    _listen(lambda event: ran.append(event) if event in seen else None)
    try:
        sentence = said({"x": text})
    finally:
        _listen(None)
    assert ran == []
    assert list(tmp_path.iterdir()) == []
    assert len(sentence.splitlines()) <= 2
    assert len(sentence) < 1300
    assert "Traceback" not in sentence


def test_fifty_hostile_expressions_are_tried():
    assert len(HOSTILE) >= 50


HEARD = {"by": None, "is_set": False}


def _listen(hears):
    """Tell a function of what the interpreter does; a hook cannot be taken out again, so there is one."""
    HEARD["by"] = hears
    if not HEARD["is_set"]:
        sys.addaudithook(lambda event, _: HEARD["by"](event) if HEARD["by"] else None)
        HEARD["is_set"] = True
