"""Derived columns: values against pandas, the same bits in any batch, missing values and divisions by zero."""

import numpy as np
import pandas as pd
import pytest

from bank_models.config.derived import Derived
from bank_models.config.expression import kind_of, parse
from bank_models.data.derived_columns import add_derived, notes_on_undefined, undefined
from bank_models.data.expressions import TOLERANCE

N = 400
KINDS = {"a": "number", "b": "number", "k": "number", "is_new": "truth", "status": "text", "start": "date", "end": "date"}


def drawn(seed):
    """Columns of every type, with gaps, zeros and ties."""
    rng = np.random.default_rng(seed)
    days = np.datetime64("2020-01-31", "s") + rng.integers(0, 1500, (2, N)) * np.timedelta64(86_400, "s")
    frame = pd.DataFrame(
        {
            "a": rng.normal(size=N).astype("float32") * 1000,
            "b": rng.integers(-2, 3, N).astype("float32"),
            "k": rng.integers(0, 50, N).astype("int32"),
            "is_new": rng.random(N) < 0.5,
            "status": pd.Categorical(rng.choice(["owner", "tenant"], N)),
            "start": days[0],
            "end": days[1],
        }
    )
    for name in ("a", "b", "status", "start", "end"):
        frame.loc[rng.random(N) < 0.1, name] = None
    return frame


def made(frame, **texts):
    return add_derived(frame, {name: Derived(expression=text) for name, text in texts.items()})


def wide(frame):
    """Columns as pandas calculates with them, in double precision."""
    return frame.assign(a=frame["a"].astype("float64"), b=frame["b"].astype("float64"), k=frame["k"].astype("float64"))


def finite(values):
    return pd.Series(values).where(np.isfinite(pd.Series(values).astype("float64"))).astype("float32").to_numpy()


AGAINST_PANDAS = {
    "a / b": lambda t: t.a / t.b,
    "a + b * k - 3": lambda t: t.a + t.b * t.k - 3,
    "-a": lambda t: -t.a,
    "log(a)": lambda t: np.log(t.a),
    "sqrt(abs(a)) + exp(b)": lambda t: np.sqrt(t.a.abs()) + np.exp(t.b),
    "floor(a)": lambda t: np.floor(t.a),
    "min(a, b, k)": lambda t: t[["a", "b", "k"]].min(axis=1, skipna=False),
    "max(a, b)": lambda t: t[["a", "b"]].max(axis=1, skipna=False),
    "coalesce(a, b, 7)": lambda t: t.a.fillna(t.b).fillna(7),
    "where(is_new, a, b)": lambda t: t.a.where(t.is_new, t.b),
    "where(b > 0, a, -a)": lambda t: t.a.where(t.b > 0, -t.a).where(t.b.notna()),
    "where(missing(a), 1, 0)": lambda t: t.a.isna() * 1.0,
    "days_between(start, end)": lambda t: (t.end - t.start).dt.days,
    "year(end) * 100 + month(start)": lambda t: t.end.dt.year * 100 + t.start.dt.month,
}


@pytest.mark.parametrize("text", AGAINST_PANDAS)
@pytest.mark.parametrize("seed", range(5))
def test_a_derived_column_is_what_pandas_computes(text, seed):
    frame = drawn(seed)
    with np.errstate(all="ignore"):
        expected = finite(AGAINST_PANDAS[text](wide(frame)))
    np.testing.assert_array_equal(made(frame, x=text)["x"].to_numpy(), expected)


@pytest.mark.parametrize("seed", range(5))
def test_months_are_those_that_pandas_adds_to_a_date(seed):
    frame = drawn(seed).dropna(subset=["start", "end"])
    found = made(frame, x="months_between(start, end)")["x"].astype(int)
    for start, end, months in zip(frame["start"], frame["end"], found, strict=True):
        first, last = min(start, end), max(start, end)
        assert first + pd.DateOffset(months=abs(months)) <= last < first + pd.DateOffset(months=abs(months) + 1)
        assert (months <= 0) if end < start else (months >= 0)


def random_text(rng, depth=4):
    """An expression that gives a number, drawn from the grammar, and how pandas writes it."""
    if depth == 0 or rng.random() < 0.15:
        return (name := str(rng.choice(["a", "b", "k"]))), f"t.{name}"
    parts = [random_text(rng, depth - 1) for _ in range(2)]
    (left, of_left), (right, of_right) = parts
    sign = str(rng.choice(["+", "-", "*", "/", "coalesce", "where", "min"]))
    if sign == "coalesce":
        return f"coalesce({left}, {right})", f"({of_left}).where(({of_left}).notna(), {of_right})"
    if sign == "where":
        return f"where(is_new, {left}, {right})", f"({of_left}).where(t.is_new, {of_right})"
    if sign == "min":
        return f"min({left}, {right})", f"np.minimum({of_left}, {of_right})"
    if sign == "/":
        return f"({left}) / ({right})", f"(({of_left}) / ({of_right})).replace([np.inf, -np.inf], np.nan)"
    return f"({left}) {sign} ({right})", f"(({of_left}) {sign} ({of_right}))"


@pytest.mark.parametrize("seed", range(60))
def test_a_drawn_expression_is_what_pandas_computes(seed):
    rng, frame = np.random.default_rng(seed), drawn(seed)
    text, of_pandas = random_text(rng)
    with np.errstate(all="ignore"):
        expected = finite(eval(of_pandas, {"t": wide(frame), "np": np}))  # written above, from no input
    np.testing.assert_array_equal(made(frame, x=text)["x"].to_numpy(), expected)


LAWS = ["a / b", "log(a) + exp(b) + sqrt(k)", "instalment(a, b, k)", "coalesce(a, 3) > b", "round(a / 3, 5)"]
LAWS += ["where(status == 'owner', months_between(start, end), days_between(start, end) / 7)", "status != 'owner' or a > 1"]


@pytest.mark.parametrize("text", LAWS)
def test_a_row_has_the_same_bits_alone_in_a_batch_and_in_any_order(text):
    frame = drawn(1)
    whole = made(frame, x=text)["x"].to_numpy(dtype="float64", na_value=np.nan)
    alone = np.concatenate([made(frame.iloc[[i]], x=text)["x"].to_numpy(dtype="float64", na_value=np.nan) for i in range(N)])
    order = np.random.default_rng(0).permutation(N)
    turned = made(frame.iloc[order], x=text)["x"].to_numpy(dtype="float64", na_value=np.nan)
    assert whole.tobytes() == alone.tobytes()
    assert whole[order].tobytes() == turned.tobytes()


@pytest.mark.parametrize("seed", range(10))
def test_what_misses_a_value_is_missing_unless_the_expression_says_what_then(seed):
    frame = drawn(seed)
    found = made(frame, x="a * k + b", y="coalesce(a * k + b, 0)", z="where(missing(a), 0, 1)")
    assert found["x"].isna().equals(frame["a"].isna() | frame["b"].isna())
    assert found[["y", "z"]].notna().all(axis=None)


def test_a_division_by_zero_is_missing_and_counted():
    frame = pd.DataFrame({"debt": [1.0, 2.0, 0.0, np.nan], "income": [2.0, 0.0, 0.0, 0.0]}, dtype="float32")
    derived = {"dti": Derived(expression="debt / income"), "twice": Derived(expression="2 * dti")}
    found = add_derived(frame, derived)
    np.testing.assert_array_equal(found["dti"], np.array([0.5, np.nan, np.nan, np.nan], dtype="float32"))
    assert undefined(found, derived) == {"dti": 2}
    said = "dti cannot be computed in 2 of 4 rows, such as by a division by zero: it is missing there."
    assert notes_on_undefined(undefined(found, derived), 4) == [said]


@pytest.mark.parametrize("text", ["exp(1000 * k)", "1e38 * k * k * 1000", "log(-k)", "log(0 * k)", "sqrt(-1 - k)", "1e999"])
def test_what_is_no_finite_number_is_missing(text):
    assert made(drawn(0).query("k > 0"), x=text)["x"].isna().all()


def test_derived_columns_are_computed_in_the_order_that_they_need_and_added_in_the_order_of_their_declaration():
    frame = drawn(0)
    found = made(frame, c="b2 + 1", b2="k * 2")
    assert list(found)[-2:] == ["c", "b2"]
    np.testing.assert_array_equal(found["c"], frame["k"] * 2 + 1)
    assert list(frame) == list(drawn(0))


def test_a_condition_is_a_bool_and_a_number_where_one_is_missing():
    frame = drawn(0)
    assert made(frame, x="k > 3")["x"].dtype == bool
    assert made(frame, x="a > 3")["x"].dtype == "float32"


def test_numbers_closer_than_the_digits_of_a_column_are_equal():
    frame = pd.DataFrame({"a": np.array([1, 1 + TOLERANCE / 2, 1 + 4 * TOLERANCE], dtype="float64")})
    assert made(frame, x="a > 1")["x"].tolist() == [False, False, True]


def test_a_drawn_expression_is_a_number_by_the_check_too():
    for seed in range(60):
        assert kind_of(parse(random_text(np.random.default_rng(seed))[0]), KINDS, {}) == "number"
