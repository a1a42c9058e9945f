"""What people mistype in a use case's file: refused with file and line and the nearest name, never with a traceback."""

import re

import pytest
from conftest import ROOT

from bank_models.command_line import CONF
from bank_models.config.compose import check_job, compose_job, composer, parse
from bank_models.config.places import line_of
from bank_models.errors import ConfigError
from bank_models.use_cases import catalogue, main

SOUND = """\
# @package _global_
defaults:
  - override /data_source: file
  - override /model: xgboost
  - _self_

data_source: {path: rows.csv}

use_case:
  key: mine
  task: binary
  target: bad
  metric: roc_auc
  features:
    income: {type: float, min: 0}
    age: int
"""


def compose_own(tmp_path, text, *overrides):
    (tmp_path / "use_case").mkdir(exist_ok=True)
    (tmp_path / "use_case/mine.yaml").write_text(text, encoding="utf-8")
    folders, typed = [CONF, tmp_path], ["use_case=mine", *overrides]
    parse(typed, folders)
    with composer(folders) as compose:
        return check_job(compose_job(compose, typed, folders))


def test_the_shortest_file_is_a_target_and_features_that_are_types(tmp_path):
    use_case = compose_own(tmp_path, SOUND).use_case
    assert (use_case.name, use_case.id, use_case.features["age"].type) == ("Mine", "UC-NONE-000", "int")
    longer = SOUND.replace("age: int", "age: {type: int}")
    assert compose_own(tmp_path, longer).use_case == use_case


def test_a_share_of_missing_values_holds_for_all_features_that_state_none(tmp_path):
    text = SOUND.replace("  features:", "  max_missing: 0.1\n  features:").replace("min: 0}", "min: 0, max_missing: 0.5}")
    features = compose_own(tmp_path, text).use_case.features
    assert {name: feature.max_missing for name, feature in features.items()} == {"income": 0.5, "age": 0.1}


METRIC = "  metric: roc_auc"
NEARLY = r"use_case\.metrc is not a setting\. Did you mean metric\?"
FAULTS = {
    "an unknown key": (METRIC, f"{METRIC}\n  metrc: roc_auc", 14, NEARLY),
    "a mistyped key hides no other": (METRIC, "  metrc: roc_auc", 13, NEARLY),
    "an unknown key of a feature": ("min: 0}", "mni: 0}", 15, r"income\.mni is not a setting\. Did you mean min\?"),
    "a type by another name": ("age: int", "age: {type: integer}", 16, r"type=integer: must be .*\. Did you mean int\?"),
    "a short type by another name": ("age: int", "age: integer", 16, r"type=integer: must be .*\. Did you mean int\?"),
    "a metric by another name": ("metric: roc_auc", "metric: auc", 13, r"metric=auc is not known\. Did you mean roc_auc\?"),
    "a task that is none": ("task: binary", "task: classification", 11, r"use_case\.task=classification: must be 'binary'"),
    "a number as text": ("min: 0}", 'min: "zero"}', 15, r"use_case\.features\.income\.min=zero: must be a valid number"),
    "a share beyond 1": ("min: 0}", "max_missing: 5}", 15, r"max_missing=5: must be less than or equal to 1"),
    "a truth value for a class": ("target: bad", "target: bad\n  positive: Yes", 13, "put the class in quotes"),
    "a list of features": (SOUND[SOUND.index("features:") :], "features: [income, age]\n", 14, "must be"),
    "a feature without a type": ("age: int", "age:", 16, "must hold settings by name"),
    "the target among the features": ("age: int", "bad: int", 9, "bad cannot be a feature"),
    "a tab": ("  target:", "\ttarget:", 12, "found a tab character"),
    "a bad indent": ("  target: bad", "    target: bad", 12, "mapping values are not allowed"),
    "a key twice": ("  target: bad", "  target: bad\n  target: good", 13, "target is there twice"),
    "an open quote": ("target: bad", 'target: "bad', 12, "a quote begins here that is not closed"),
    "an open bracket": ("min: 0}", "min: 0", 15, "a { begins here that is not closed"),
    "a colon in a text": ("target: bad", "target: bad: worse", 12, "mapping values are not allowed"),
    "an unknown option": ("/model: xgboost", "/model: xgbost", 4, r"model=xgbost is not known\. Did you mean xgboost\?"),
    "no first line": ("# @package _global_\n", "", 1, "the first line must be # @package _global_"),
    "facts without their heading": ("use_case:\n", "facts:\n", 9, "facts is not a setting"),
    "a use case that is a text": (SOUND[SOUND.index("use_case:") :], "use_case: mine\n", 9, "use_case must hold"),
    "an unknown group": ("data_source: {path", "data_sorce: {path", 7, r"Did you mean data_source\?"),
    "an encoding that is none": ("{path: rows.csv}", "{path: rows.csv, encoding: utf9}", 7, "is no encoding: try utf-8"),
}  # fmt: skip


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_of_a_file_is_said_with_file_and_line(tmp_path, name):
    old, new, line, said = FAULTS[name]
    assert SOUND.count(old) == 1
    text = SOUND.replace(old, new)
    with pytest.raises(ConfigError) as refusal:
        compose_own(tmp_path, text)
    message = str(refusal.value)
    assert re.search(r"use_case/mine\.yaml, line \d+: ", message), message
    assert re.search(said, message), message
    assert f"line {line}: " in message, message
    assert len(message.splitlines()) <= 3
    assert refusal.value.exit_code == 2


def test_what_was_typed_is_not_looked_for_in_the_file(tmp_path):
    with pytest.raises(ConfigError, match=r"^use_case\.metric=auc is not known\. Did you mean roc_auc\?"):
        compose_own(tmp_path, SOUND, "use_case.metric=auc")


def test_the_line_of_a_setting_is_that_of_the_nearest_key_above(tmp_path):
    path = tmp_path / "one.yaml"
    path.write_text("a:\n  b.c: 1\n  d:\n    - x\n    - y: 2\n")
    assert [line_of(path, one) for one in ("a", "a.b.c", "a.d.1.y", "a.e", "z")] == [1, 2, 5, 1, None]


def test_one_bad_file_does_not_take_the_catalogue_down(tmp_path, capsys):
    (tmp_path / "use_case").mkdir()
    (tmp_path / "use_case/good.yaml").write_text(SOUND)
    (tmp_path / "use_case/bad.yaml").write_text("use_case: [1\n")
    broken: list[str] = []
    found = catalogue([CONF, tmp_path], broken)
    assert [entry["key"] for entry in found if entry["department"] == "unassigned"] == ["good"]
    assert len(broken) == 1
    assert re.search(r"bad\.yaml, line \d", broken[0])
    assert main(["--config-dir", str(tmp_path), "task=binary"]) == 2
    shown = capsys.readouterr()
    assert "good" in shown.out
    assert "bad.yaml, line" in shown.err
    assert (ROOT / "conf/use_case").is_dir()
