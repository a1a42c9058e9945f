import json

import pytest
from conftest import ROOT, options
from hydra import compose, initialize_config_dir

from bank_models import use_cases
from bank_models.config import catalogue
from bank_models.config.catalogue import CONF, split_seed
from bank_models.errors import ConfigError


@pytest.fixture(scope="module")
def entries():
    return catalogue.catalogue([catalogue.CONF])


def test_every_file_of_the_group_is_in_the_catalogue_under_a_name_that_trains_it(entries):
    listed = [name for entry in entries for name in (entry["key"], *entry["short_names"])]
    assert sorted(listed) == options("use_case")


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
    assert json.loads(python("-m", "src.use_cases", "--json").stdout) == catalogue.catalogue([catalogue.CONF])


def test_use_cases_of_ones_own_are_listed_too(python, tmp_path):
    (tmp_path / "use_case").mkdir()
    text = (ROOT / "conf/use_case/credit_scoring.yaml").read_text().replace("key: credit_scoring", "key: mine")
    (tmp_path / "use_case/mine.yaml").write_text(text)
    assert " mine " in python("-m", "src.use_cases", "--config-dir", tmp_path).stdout


@pytest.mark.parametrize("use_case", [path.stem for path in sorted((CONF / "use_case").glob("*.yaml"))])
def test_the_seed_of_a_use_cases_split_is_the_one_that_is_composed_where_nothing_is_typed(use_case):
    with initialize_config_dir(str(CONF), version_base="1.3"):
        cfg = compose("config", overrides=[f"use_case={use_case}"], return_hydra_config=True)
    assert split_seed(use_case, cfg.hydra.runtime.choices["data_split"], [CONF]) == cfg.data_split.random_state


def test_the_seed_of_ones_own_use_case_is_what_its_file_says_or_what_it_builds_on(tmp_path):
    (tmp_path / "use_case").mkdir()
    own, built_on = (tmp_path / f"use_case/{name}.yaml" for name in ("own", "built_on"))
    own.write_text("defaults: [credit_scoring, {override /data_split: random}, _self_]\ndata_split: {random_state: 7}\n")
    built_on.write_text("defaults: [own, _self_]\n")
    assert [split_seed(name, "random", [CONF, tmp_path]) for name in ("own", "built_on", "credit_scoring")] == [7, 7, 42]
    assert split_seed("transaction_fraud", "temporal", [CONF]) is None
    assert split_seed("transaction_fraud", "random", [CONF]) == 42  # drawn only because the command line asks for it


def test_the_catalogue_starts_fast(python):
    heavy = "{'pandas', 'sklearn', 'hydra'}"
    code = f"import sys; from bank_models import use_cases; use_cases.main([]); print(sorted({heavy} & set(sys.modules)))"
    assert python("-c", code).stdout.splitlines()[-1] == "[]"
