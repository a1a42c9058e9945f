"""The closed language of rules and derived columns: what it says, and what it refuses."""

import numpy as np
import pandas as pd
import pytest

from bank_models.config.expression import kind_of, parse
from bank_models.data.expressions import Truth, evaluate, read_column

NAN = np.nan
TABLE = pd.DataFrame(
    {
        "loan": np.array([200_000, 100_000, 0, NAN], dtype="float32"),
        "value": np.array([250_000, 400_000, 0, 100_000], dtype="float32"),
        "status": pd.Categorical(["retired", "employed", None, "retired"], ["employed", "retired"]),
        "is_new": [True, False, True, False],
        "paid_at": pd.to_datetime(["2024-02-29", "2025-01-01", "2025-12-31", None]),
    }
)
COLUMNS = {name: read_column(TABLE[name]) for name in TABLE}


def value(text):
    found = evaluate(parse(text), COLUMNS, len(TABLE))
    return found.as_numbers() if isinstance(found, Truth) else found


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1 + 2 * 3 - 4 / 2", [5, 5, 5, 5]),
        ("(1 + 2) * -3", [-9, -9, -9, -9]),
        ("- - 2 - 1", [1, 1, 1, 1]),
        ("100 * loan / value", [80, 25, NAN, NAN]),
        ("loan <= value", [1, 1, 1, NAN]),
        ("status == 'retired'", [1, 0, NAN, 1]),
        ("status != 'retired'", [0, 1, NAN, 0]),
        ("status in ['retired', 'employed']", [1, 1, NAN, 1]),
        ('status not in ["employed"]', [1, 0, NAN, 1]),
        ("loan in [0, 1e5]", [0, 1, 1, NAN]),
        ("is_new and loan > 1", [1, 0, 0, 0]),
        ("is_new or loan > 1", [1, 1, 1, NAN]),
        ("not not is_new", [1, 0, 1, 0]),
        ("missing(loan) or missing(status)", [0, 0, 1, 1]),
        ("where(is_new, 1, 2)", [1, 2, 1, 2]),
        ("round(value / 3, 1000)", [83_000, 133_000, 0, 33_000]),
        ("min(value, 300000, 260000)", [250_000, 260_000, 0, 100_000]),
        ("max(floor(2.7), abs(-1), exp(0), log(1), sqrt(9))", [3, 3, 3, 3]),
        ("year(paid_at) + month(paid_at) / 100", [2024.02, 2025.01, 2025.12, NAN]),
        ("paid_at - 365 < paid_at", [1, 1, 1, NAN]),
        ("instalment(100000, 0, 100)", [1000] * 4),
        ("instalment(100000, 6, 12)", [8606.643] * 4),
        ("true and not false", [1, 1, 1, 1]),
    ],
)
def test_an_expression_has_the_value_worked_by_hand(text, expected):
    np.testing.assert_allclose(value(text), expected, rtol=1e-6)


def test_what_decides_alone_needs_no_other_value():
    assert value("missing(loan) or loan > 0").tolist() == [1, 1, 0, 1]
    assert value("false and loan > 0").tolist() == [0, 0, 0, 0]


def test_numbers_that_differ_only_by_the_digits_of_float32_are_equal():
    third = pd.Series(np.array([1 / 3], dtype="float32"))
    columns = {"third": read_column(third)}
    for text, expected in (("third == 1 / 3", 1), ("third <= 1 / 3", 1), ("third < 1 / 3", 0), ("third > 0.3333", 1)):
        assert evaluate(parse(text), columns, 1).yes.tolist() == [expected], text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("loan +", "expected a column, a number, a 'text' or \\( at character 7, but got the end"),
        ("loan value", "expected an operator such as \\+ or and at character 6, but got value"),
        ("loan ** 2", "expected a column"),
        ("__import__('os').system('x')", "there is no function __import__"),
        ("loan.real", "cannot be read at character 5: \\."),
        ("loan; value", "cannot be read at character 5: ;"),
        ("loan = 3", "cannot be read at character 6: ="),
        ("f'{loan}'", "expected an operator"),
        ("2loan", "cannot be read at character 1: 2"),
        ("lambda: 0", "cannot be read at character 7: :"),
        ("[1, 2]", "expected a column"),
        ("loan in loan", "expected \\["),
        ("loan in []", "expected a number or a 'text'"),
        ("min(1)", "min takes 2 arguments or more, not 1"),
        ("missing(1)", "missing takes a column"),
        ("(" * 60 + "1" + ")" * 60, "nests deeper than 50 levels"),
        ("1" * 1001, "1000 characters at most"),
        ("", "expected a column"),
    ],
)
def test_what_leaves_the_grammar_is_refused_with_its_place(text, message):
    with pytest.raises(ValueError, match=message):
        parse(text)


KINDS = {"loan": "number", "status": "text", "is_new": "truth"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("laon > 1", "names laon, which is not a column"),
        ("status > 'a'", "texts are compared with texts, by =="),
        ("status == 1", "texts are compared with texts"),
        ("loan in ['a']", "texts are compared with texts"),
        ("status == 'retird'", "status is never 'retird'; it is one of employed, retired"),
        ("status not in ['retird']", "status is never 'retird'"),
        ("loan and is_new", "and, or and not take conditions"),
        ("status + 1 > 2", "a text cannot be calculated with"),
        ("where(loan, 1, 2) > 1", "where takes a condition"),
    ],
)
def test_kinds_that_do_not_go_together_are_refused(text, message):
    with pytest.raises(ValueError, match=message):
        kind_of(parse(text), KINDS, {"status": ["employed", "retired"]})


@pytest.mark.parametrize(
    ("text", "kind"), [("loan / 2", "number"), ("is_new + 1", "number"), ("loan > 2 or is_new", "truth"), ("status", "text")]
)
def test_an_expression_has_a_kind(text, kind):
    assert kind_of(parse(text), KINDS, {}) == kind
