"""The table of simulated use cases says what their files say, and that no single feature gives a target away."""

import pytest
from conftest import ROOT, options

from bank_models.data.sample import find
from bank_models.errors import ConfigError

MOST_BY_ONE = 80  # % of the way from baseline to ceiling


def rows_of_the_page() -> dict[str, dict[str, str]]:
    text = (ROOT / "docs/reference/simulated-use-cases.md").read_text()
    head, _, *rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines() if line.startswith("|")]
    return {row[0]: dict(zip(head, row, strict=True)) for row in rows}


def simulated_use_cases():
    for name in options("use_case"):
        try:
            yield find(name)
        except ConfigError:
            continue


@pytest.fixture(scope="module")
def table():
    return rows_of_the_page()


@pytest.fixture(scope="module")
def use_cases():
    return {use_case.key: use_case for use_case in simulated_use_cases()}


def test_the_table_has_every_simulated_use_case_with_its_source_and_its_rules(table, use_cases):
    told = {key: (row["where it comes from"], int(row["rules"])) for key, row in table.items()}
    assert told == {key: (use_case.simulation.source, len(use_case.rules)) for key, use_case in use_cases.items()}


def test_no_single_feature_goes_more_than_four_fifths_of_the_way_to_the_ceiling(table, use_cases):
    shares = {key: row["its share of the way"] for key, row in table.items() if use_cases[key].task != "clustering"}
    assert all(int(share.removesuffix("%")) <= MOST_BY_ONE for share in shares.values()), shares


def test_the_table_says_how_near_each_model_came_to_its_ceiling(table, use_cases):
    assert all(row["model on test"] and row["its ceiling"] for row in table.values())
    assert all(table[key]["model's share"].endswith("%") for key in table if use_cases[key].task != "clustering")
