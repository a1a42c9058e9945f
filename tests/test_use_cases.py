import json

import pytest
from conftest import ROOT, options

from src import use_cases
from src.errors import ConfigError


@pytest.fixture(scope="module")
def entries():
    return use_cases.catalogue([use_cases.CONF])


def test_every_file_of_the_group_is_in_the_catalogue_under_a_name_that_trains_it(entries):
    listed = [name for entry in entries for name in (entry["key"], *entry["short_names"])]
    assert sorted(listed) == options("use_case")


def test_the_catalogue_says_what_the_composed_configuration_says(compose, entries):
    for entry in entries:
        config = compose(f"use_case={entry['key']}")
        kind = {"packaged": "real", "simulated": "simulated", "file": "file"}[config.data_source.kind]
        facts = config.use_case
        assert entry["id"] == facts.id
        assert (entry["department"], entry["task"], entry["metric"]) == (facts.department, facts.task, facts.metric)
        assert (entry["model"], entry["data"]) == (config.model.name, kind)
        if kind == "simulated":
            assert entry["rows"] == facts.simulation.rows


def test_filters_narrow_the_catalogue_down(entries):
    found = use_cases.chosen(entries, ["data=simulated", "task=binary"])
    assert {"credit_risk_scoring", "transaction_fraud"} <= {entry["key"] for entry in found}
    assert {(entry["data"], entry["task"]) for entry in found} == {("simulated", "binary")}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("departmnt=treasury", "departmnt=treasury is not a filter. Did you mean department?"),
        ("task=binray", "task=binray: no use case has it. Did you mean binary?\nKnown: anomaly, binary, "),
        ("real", "real is not a filter.\nA filter is written key=value: department, task, data, model, metric"),
    ],
)
def test_a_mistyped_filter_is_explained(entries, text, message):
    with pytest.raises(ConfigError) as refusal:
        use_cases.chosen(entries, [text])
    assert str(refusal.value).startswith(message)


def test_the_page_of_use_cases_is_current(entries):
    assert use_cases.PAGE.read_text() == use_cases.as_markdown(entries), "run: python -m src.use_cases --markdown"


def test_the_command_prints_a_table_and_json(python):
    said = python("-m", "src.use_cases", "task=binary").stdout.splitlines()
    assert said[0].split() == list(use_cases.COLUMNS)
    assert said[-1].endswith("To train one: python -m src.train use_case=" + said[1].split()[1])
    assert json.loads(python("-m", "src.use_cases", "--json").stdout) == use_cases.catalogue([use_cases.CONF])


def test_use_cases_of_ones_own_are_listed_too(python, tmp_path):
    (tmp_path / "use_case").mkdir()
    text = (ROOT / "conf/use_case/credit_scoring.yaml").read_text().replace("key: credit_scoring", "key: mine")
    (tmp_path / "use_case/mine.yaml").write_text(text)
    assert " mine " in python("-m", "src.use_cases", "--config-dir", tmp_path).stdout


def test_the_catalogue_starts_fast(python):
    heavy = "{'pandas', 'sklearn', 'hydra'}"
    code = f"import sys; from src import use_cases; use_cases.main([]); print(sorted({heavy} & set(sys.modules)))"
    assert python("-c", code).stdout.splitlines()[-1] == "[]"
