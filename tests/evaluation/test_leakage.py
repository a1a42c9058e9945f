"""Leaks of every kind are named before anything is fitted, and clean columns are not."""

import numpy as np
import pandas as pd
import pytest

from bank_models.evaluation.leakage import ROWS, by_order, find, suspects

N = 1500


def noise(rng, n: int = N) -> pd.DataFrame:
    words = np.array(["paid", "late", "call", "branch", "card", "loan", "again", "letter", "new", "old"])
    return pd.DataFrame(
        {
            "amount": rng.gamma(2, 100, n),
            "age": rng.integers(18, 90, n).astype("float64"),
            "limit": np.where(rng.random(n) < 0.2, np.nan, rng.normal(size=n)),
            "product": pd.Categorical(rng.choice(["a", "b", "c", "d"], n)),
            "postcode": pd.Categorical(rng.integers(0, 400, n).astype(str)),
            "note": pd.Series([" ".join(rng.choice(words, 5)) for _ in range(n)], dtype="str"),
            "since": pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.integers(0, 2000, n), "D"),
        }
    )


def labels(rng, task: str, n: int = N) -> np.ndarray:
    if task == "regression":
        return rng.gamma(2, 50, n)
    return rng.choice(2 if task == "binary" else 4, n, p=[0.9, 0.1] if task == "binary" else [0.4, 0.3, 0.2, 0.1])


def monotone(rng, y, frame):
    return frame.assign(leak=y * 3 + rng.normal(size=len(y)) * 0.5), ("leak",)


def middle_band(rng, y, frame):
    return frame.assign(
        leak=np.where(y == 1, rng.uniform(0.45, 0.55, len(y)), rng.choice([0.2, 0.8], len(y)) + rng.uniform(-0.2, 0.2, len(y)))
    ), ("leak",)


def pair(rng, y, frame):
    due = rng.gamma(5, 100, len(y))
    paid = np.where(y == 1, due * rng.uniform(0, 0.8, len(y)), due * rng.uniform(1, 1.5, len(y)))
    return frame.assign(due=due, paid=paid), ("due", "paid")


def text(rng, y, frame):
    leaking = [
        f"{note} charged off" if label and rng.random() < 0.97 else note for note, label in zip(frame["note"], y, strict=True)
    ]
    return frame.assign(note=pd.Series(leaking, dtype="str")), ("note",)


def category(rng, y, frame):
    return frame.assign(
        leak=pd.Categorical(np.where(y == 1, rng.choice(["x1", "x2"], len(y)), rng.choice(["y1", "y2"], len(y))))
    ), ("leak",)


def group_id(rng, y, frame):
    rank = np.argsort(np.argsort(y + rng.random(len(y)) * 1e-6))
    return frame.assign(customer=rng.permutation(100_000)[rank // 10].astype("float64")), ("customer",)


def of_value(rng, y, frame):
    return frame.assign(leak=np.log(y) + rng.normal(size=len(y)) * 0.05), ("leak",)


def of_class(rng, y, frame):
    return frame.assign(leak=y * 1.0 + rng.normal(size=len(y)) * 0.1), ("leak",)


KINDS = [("binary", kind) for kind in (monotone, middle_band, pair, text, category, group_id)]
KINDS += [("regression", of_value), ("multiclass", of_class)]


@pytest.mark.parametrize(("task", "kind"), KINDS, ids=lambda each: getattr(each, "__name__", each))
def test_a_leak_is_named(task, kind):
    n_named = 0
    for seed in range(8):
        rng = np.random.default_rng(seed)
        y = labels(rng, task)
        frame, columns = kind(rng, y, noise(rng))
        found = suspects(frame, y, task, seed)
        n_named += any(set(suspect.columns) <= set(columns) for suspect in found)
        assert all(set(suspect.columns) & set(columns) for suspect in found)
    assert n_named == 8


def test_a_pair_is_named_of_which_one_column_tells_nothing_by_itself_among_many_that_tell_more():
    for seed in range(4):
        rng = np.random.default_rng(seed)
        y = labels(rng, "binary")
        better = {f"x{i}": rng.normal(size=N) + 0.8 * y for i in range(20)}
        frame, columns = pair(rng, y, noise(rng).assign(**better))
        assert {frozenset(suspect.columns) for suspect in suspects(frame, y, "binary", seed)} == {frozenset(columns)}


def test_a_pair_is_named_in_a_few_hundred_rows():
    for seed in range(8):
        rng = np.random.default_rng(seed)
        y = rng.choice(2, 400, p=[0.55, 0.45])
        frame, columns = pair(rng, y, noise(rng, 400))
        assert {frozenset(suspect.columns) for suspect in suspects(frame, y, "binary", seed)} == {frozenset(columns)}


@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
def test_clean_columns_are_not_named(task):
    found = []
    for seed in range(8):
        rng = np.random.default_rng(seed)
        y = labels(rng, task, 300)
        frame = noise(rng, 300).assign(**{f"x{i}": rng.normal(size=300) + 0.5 * (y - y.mean()) / y.std() for i in range(20)})
        found += find(frame, y, task, seed, is_in_time=False)
    assert found == []


def test_rows_in_the_order_of_the_target_are_named_unless_the_table_has_a_time():
    rng = np.random.default_rng(0)
    y = np.sort(labels(rng, "binary"))
    (suspect,) = find(noise(rng), y, "binary", 0, is_in_time=False)
    assert suspect.columns == (ROWS,)
    assert "data_split=temporal" in str(suspect)
    assert find(noise(rng), y, "binary", 0, is_in_time=True) == []


def test_a_rate_that_drifts_with_the_rows_is_told_too():
    rng = np.random.default_rng(0)
    y = (rng.random(4000) < np.linspace(0.05, 0.4, 4000)).astype(int)
    assert 0.6 < by_order(y, "binary", 0).value < 0.8


def test_a_class_of_a_few_rows_hides_no_leak_and_warns_of_nothing(recwarn):
    rng = np.random.default_rng(0)
    y = np.repeat([0, 1, 2], [700, 790, 3])
    assert [suspect.columns for suspect in suspects(noise(rng, 1493).assign(leak=y * 1.0), y, "multiclass", 0)] == [("leak",)]
    assert suspects(noise(rng, 100), np.zeros(100), "regression", 0) == []
    assert not recwarn


def test_too_few_rows_accuse_nobody():
    y = np.repeat([0, 1], [30, 7])
    assert suspects(pd.DataFrame({"x": y * 1.0}), y, "binary", 0) == []


def test_thousands_of_columns_take_seconds():
    import time

    rng = np.random.default_rng(0)
    y = labels(rng, "binary", 2000)
    frame = pd.DataFrame(rng.normal(size=(2000, 2000)).astype("float32"), columns=[f"x{i}" for i in range(2000)])
    frame["x1321"] = y + rng.normal(size=2000) * 0.1
    started = time.process_time()
    assert [suspect.columns for suspect in suspects(frame, y, "binary", 0)] == [("x1321",)]
    assert time.process_time() - started < 20
