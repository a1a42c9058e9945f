"""What speaks against the numbers of a run, judged from what it recorded."""

import numpy as np
import pytest

from bank_models.evaluation import leakage, performance, validity
from bank_models.evaluation.validity import judge


def facts(method="stratified", leaks=(), known=None, **overlap):
    shared = {"n_copies": 0, "n_groups": None, "n_groups_known": None, "newest_train": None, "oldest_test": None} | overlap
    return {
        "config": {"data_split": {"method": method}, "use_case": {"known_in_time": known or {}}},
        "split": {"n_rows": {"test": 100}, "overlap": shared},
        "leaks": list(leaks),
    }


def colours(*about) -> dict[str, str]:
    return {found.name: found.colour for found in judge(*about)}


LEAK = {"columns": ["status"], "metric": "roc_auc", "value": 0.99}
PAIR = {"columns": ["paid", "due"], "metric": "roc_auc", "value": 0.97}
ORDER = {"columns": ["the order of the rows"], "metric": "roc_auc", "value": 0.7}


def test_a_clean_run_is_green():
    assert colours(facts(), {"test_roc_auc": 0.8}) == {"parts": "green", "leakage": "green", "plausible": "green"}


@pytest.mark.parametrize(
    ("method", "overlap", "colour"),
    [
        ("stratified", {"n_copies": 1}, "red"),
        ("temporal", {"n_copies": 500}, "amber"),
        ("group", {"n_groups": 10, "n_groups_known": 1}, "red"),
        ("stratified", {"n_groups": 10, "n_groups_known": 1}, "amber"),
        ("temporal", {"newest_train": "2026-02-01", "oldest_test": "2026-01-01"}, "red"),
        ("random", {"newest_train": "2026-02-01", "oldest_test": "2026-01-01"}, "amber"),
        ("temporal", {"newest_train": "2026-01-01", "oldest_test": "2026-02-01"}, "green"),
    ],
)
def test_what_test_shares_with_train_is_red_where_the_split_promised_otherwise(method, overlap, colour):
    assert colours(facts(method, **overlap), {})["parts"] == colour


@pytest.mark.parametrize(("seed", "colour"), [(42, "green"), (0, "red"), (7, "red")])
def test_a_split_by_another_seed_than_the_use_cases_is_red(seed, colour):
    about = facts()
    about["split"] |= {"random_state": seed, "declared_random_state": 42}
    found = {each.name: each for each in judge(about, {})}["split seed"]
    assert found.colour == colour
    assert f"split by seed {seed}" in found.reason


def test_rows_in_the_order_of_time_have_no_seed_to_ask_for():
    about = facts("temporal")
    about["split"] |= {"random_state": None, "declared_random_state": None}
    assert "split seed" not in colours(about, {})


@pytest.mark.parametrize(
    ("leaks", "known", "colour"),
    [
        ([LEAK], {}, "red"),
        ([LEAK], {"status": "of the day of scoring"}, "green"),
        ([PAIR], {"paid": "known"}, "red"),
        ([PAIR], {"paid": "known", "due": "known"}, "green"),
        ([ORDER], {}, "green"),
        ([ORDER | {"value": 0.99}], {}, "red"),
    ],
)
def test_a_leak_is_red_until_every_column_of_it_is_said_to_be_known_in_time(leaks, known, colour):
    assert colours(facts(leaks=leaks, known=known), {})["leakage"] == colour


@pytest.mark.parametrize(
    ("metrics", "colour"),
    [({"test_roc_auc": 0.981}, "amber"), ({"test_r2": 0.9986}, "amber"), ({"test_accuracy": 1.0}, "amber"),
     ({"test_accuracy": 0.995}, "green"), ({"test_roc_auc": None, "test_r2": 0.5}, "green")],
)  # fmt: skip
def test_a_score_that_is_too_good_is_doubted(metrics, colour):
    assert colours(facts(), metrics)["plausible"] == colour


def test_older_runs_are_asked_what_they_recorded():
    assert judge({"config": {}, "split": {"overlap": {"n_rows": 0}}}, {})[0].colour == "green"
    assert judge({"config": {}}, {"silhouette": 0.3}) == []


def test_the_limits_are_those_of_the_leak_check():
    assert (validity.ROWS, validity.SUSPICIOUS) == (leakage.ROWS, leakage.SUSPICIOUS)


def test_few_test_rows_of_the_rarer_class_are_said_with_what_to_type():
    (said,) = performance.note_on_few(np.repeat([1, 0], [33, 368]))
    assert said.startswith("Only 33 of 401 test rows are of the rarer class")
    assert "data_split.test_ratio=0.2" in said
    assert performance.note_on_few(np.repeat([1, 0], [50, 60])) == []
