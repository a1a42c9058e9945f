"""Model files of somebody who can also write their manifest: none crashes, hangs, runs code or opens files; each is refused."""

import json
import os
import random
import re
import subprocess
import sys

import hostile_models as hostile
import numpy as np
import pytest
from conftest import ROOT

from bank_models.errors import IntegrityError
from bank_models.files import folders, manifest
from bank_models.runs import model_file
from bank_models.runs.model_checks import lightgbm_text, xgboost_buffer
from bank_models.runs.model_checks.fault import Malformed
from bank_models.scoring.model import load

KINDS = [
    kind for kind in hostile.KINDS if kind not in ("ensemble", "neural_network")
]  # both take seconds; the others show the rule


@pytest.fixture(scope="module")
def file_of(tmp_path_factory):
    """The file of a kind of model."""
    files = {}

    def give(kind: str) -> bytes:
        if kind not in files:
            path = tmp_path_factory.mktemp("model") / "model.skops"
            model_file.dump(path, hostile.model_of(kind))
            files[kind] = path.read_bytes()
        return files[kind]

    return give


@pytest.fixture
def refused(tmp_path):
    """Check that a file, in a run folder that agrees with it, is refused, and why."""

    def check(data: bytes, why: str, kind: str = "dummy") -> None:
        hostile.write_run(tmp_path, kind, data)
        with pytest.raises(IntegrityError, match=f"model.skops is refused: {why}"):
            model_file.load(tmp_path)

    return check


def changed(data: bytes, change) -> bytes:
    """A file after a change of its schema and members."""
    members = hostile.members_of(data)
    schema = json.loads(members["schema.json"])
    change(schema, members)
    return hostile.zipped(members | {"schema.json": json.dumps(schema).encode()})


def attribute(name: str, value):
    """Give another value to an attribute, wherever an object has it."""

    def change(schema, members):
        for node in hostile._nodes(schema):
            if node["__loader__"] == "DictNode" and name in node["content"]:
                node["content"][name] = plain(value)

    return change


def plain(value) -> dict:
    return {"__class__": "str", "__module__": "builtins", "__loader__": "JsonNode", "content": json.dumps(value)}


def made_by(loader: str, name: str, **parts) -> dict:
    module, _, kind = name.rpartition(".")
    return {"__class__": kind, "__module__": module, "__loader__": loader, **parts}


def instead(node: dict):
    """Put a node where an object keeps its first attribute."""
    return lambda schema, members: hostile._filled(schema, node)


def arrays(is_it, change):
    """Change every array that is one of a kind, in place."""

    def change_all(schema, members):
        for name in [name for name in members if name.endswith(".npy")]:
            array = hostile._array(members[name])
            if is_it(array):
                change(array)
                members[name] = hostile._saved(array)

    return change_all


def nodes_with(field: str, value, field_of: str):
    def change(array):
        array[field][0] = value

    return arrays(lambda array: field_of in (array.dtype.names or ()) and len(array) > 2, change)


@pytest.mark.parametrize("kind", KINDS)
def test_an_untampered_file_of_every_kind_scores_bit_for_bit_what_the_model_said(file_of, tmp_path, kind):
    hostile.write_run(tmp_path, kind, file_of(kind))
    model, again = hostile.model_of(kind), model_file.load(tmp_path)
    ask = "predict_proba" if hasattr(model, "predict_proba") else "predict"
    np.testing.assert_array_equal(getattr(again, ask)(hostile.rows()), getattr(model, ask)(hostile.rows()))


TREES = {
    "a child beyond the nodes": ("left_child", 10**9, "a child lies outside its tree"),
    "a child before the nodes": ("right_child", -7, "a child lies outside its tree"),
    "a root that is its own child": ("left_child", 0, "a child lies outside its tree"),
    "one child twice": ("right_child", 1, "the nodes of a tree do not form one"),
    "a column beyond the matrix": ("feature", 10**6, "a tree splits by a column that there is not"),
}


@pytest.mark.parametrize(("field", "value", "why"), TREES.values(), ids=TREES)
@pytest.mark.parametrize("kind", ["random_forest", "gradient_boosting"])
def test_a_tree_that_would_end_the_process_or_never_end_is_refused_before_a_row_meets_it(
    file_of, refused, kind, field, value, why
):
    refused(changed(file_of(kind), nodes_with(field, value, "left_child")), why)


HISTOGRAMS = {
    "a child beyond the nodes": ("left", 2**31, "a child lies outside its tree"),
    "a root that is its own child": ("right", 0, "a child lies outside its tree"),
    "a column beyond the matrix": ("feature_idx", 10**6, "a tree splits by a column that there is not"),
}


@pytest.mark.parametrize(("field", "value", "why"), HISTOGRAMS.values(), ids=HISTOGRAMS)
def test_a_tree_of_histograms_likewise(file_of, refused, field, value, why):
    refused(changed(file_of("hist_gradient_boosting"), nodes_with(field, value, "feature_idx")), why)


ATTRIBUTES = {
    "a tree of more nodes than it has": ("random_forest", "node_count", 10**9, "a tree has other nodes than it says"),
    "a million threads": ("random_forest", "n_jobs", 10**6, ".*asks for an unusual number of threads"),
    "a million classes": ("random_forest", "n_classes_", 10**6, ".*has two numbers of classes"),
    "a seed that takes hours": ("hist_gradient_boosting", "pool_size", 10**8, "a generator has an unusual state"),
    "a vectorizer that opens files": ("logistic_regression", "input", "filename", "a vectorizer has an unusual input"),
    "an expression without an end": (
        "logistic_regression",
        "token_pattern",
        "((a+)+)+$",
        "a vectorizer has an unusual token_pattern",
    ),
    "terms beyond the matrix": ("logistic_regression", "new", 10**8, "a term is out of range"),
    "codes beyond the matrix": ("logistic_regression", "_n_features_outs", [0, 0], "an encoder has other c"),
    "numbers as texts of a million letters": ("linear_regression", "dtype", "<U1000000", ".*has an unusual dtype"),
    "a method that is a text": ("random_forest", "steps", "x", ""),
    "another booster": ("xgboost", "booster", "gblinear", "a booster has an unusual booster"),
}


@pytest.mark.parametrize(("kind", "name", "value", "why"), ATTRIBUTES.values(), ids=ATTRIBUTES)
def test_an_attribute_that_compiled_code_or_the_memory_would_believe_is_refused(file_of, refused, kind, name, value, why):
    refused(changed(file_of(kind), attribute(name, value)), why)


SECRET = "/etc/hostname"
NODES = {
    "a booster that reads a file": made_by(
        "ConstructorFromReduceNode", "lightgbm.basic.Booster",
        content=made_by("TupleNode", "builtins.tuple", content=[plain(None), plain(None), plain(SECRET)]),
    ),
    "a key that reads a file": made_by(
        "DictNode", "builtins.dict", content={SECRET: plain(1)},
        key_types=made_by("ListNode", "builtins.list", content=[made_by("ObjectNode", "lightgbm.basic.Booster")]),
    ),
    "a list that is a booster": made_by("ListNode", "lightgbm.basic.Booster", content=[]),
    "a method": made_by("MethodNode", "builtins.list", content={"func": "append", "obj": made_by("ListNode",
    "builtins.list", content=[])}),
    "an operator": made_by("OperatorFuncNode", "operator.methodcaller", attrs=made_by("TupleNode", "builtins.tuple",
    content=[plain("x")])),
    "an estimator that no model of ours needs": made_by("ObjectNode", "sklearn.feature_extraction.text.CountVectorizer"),
}  # fmt: skip


@pytest.mark.parametrize("node", NODES.values(), ids=NODES)
def test_what_would_call_something_while_it_is_read_is_refused_uncalled(file_of, refused, node):
    refused(changed(file_of("dummy"), instead(node)), "it holds types that no model needs|a booster|a key has an unusual type")


@pytest.mark.parametrize(
    "way", ["laughs", "nested", "nested_json", "bomb", "lying_sizes", "names_with_paths", "twice", "huge_shape", "shared_array"]
)
def test_bombs_paths_and_depths_are_refused_in_a_moment(file_of, refused, way):
    made = hostile.WAYS[way](hostile.members_of(file_of("kmeans")), random.Random(0))
    refused(made if isinstance(made, bytes) else hostile.zipped(made), "", "kmeans")


@pytest.mark.parametrize(
    "data", [b"", b"PK", b"no zip at all", hostile.zipped({"schema.json": b"[]"}), hostile.zipped({"schema.json": b"{"})]
)
def test_whatever_a_reader_raises_of_broken_bytes_is_one_sentence_and_not_its_exception(refused, data):
    refused(data, r"(\w+Error|BadZipFile): .+")


def test_a_pickle_that_cannot_be_read_is_refused_likewise(tmp_path):
    with folders.published(tmp_path / "run") as folder:
        (folder / "model.joblib").write_bytes(b"\x80\x05no pickle")
    with (
        pytest.warns(UserWarning, match="is a pickle"),
        pytest.raises(IntegrityError, match=r"model\.joblib is refused: \w+Error"),
    ):
        model_file.load(tmp_path / "run", "model.joblib")


def test_an_archive_with_a_password_or_too_many_members_is_refused(file_of, refused):
    data = bytearray(file_of("dummy"))
    at = data.rfind(b"PK\x01\x02")
    data[at + 8] |= 1
    refused(bytes(data), "a member is encrypted")


def test_every_cut_of_a_lightgbm_text_is_refused_before_its_parser_dies_of_it():
    text = hostile.model_of("lightgbm").model.calibrated_classifiers_[0].estimator.estimator[-1].booster_.model_to_string()
    lightgbm_text.check_text(text)
    end = text.index("end of trees")
    for at in np.linspace(0, end, 300).astype(int):
        with pytest.raises(Malformed, match=r"a booster|a tree"):
            lightgbm_text.check_text(text[:at])


LINES = {
    "left_child": ("10 ", "a child lies outside its tree"),
    "split_feature": ("99 ", "a tree splits by a column that there is not"),
    "num_leaves": ("9", "a tree has other|a booster has other"),
    "tree_sizes": ("1 ", "a booster has other trees than it says"),
    "decision_type": ("13 ", "a tree decides in an unusual way|a booster has other"),
}


@pytest.mark.parametrize(("name", "digits", "why"), [(name, *facts) for name, facts in LINES.items()], ids=LINES)
def test_a_number_of_a_lightgbm_text_that_is_out_of_range_is_refused(name, digits, why):
    text = hostile.model_of("lightgbm").model.calibrated_classifiers_[0].estimator.estimator[-1].booster_.model_to_string()
    given = re.search(rf"^{name}=(\S+ ?)", text, re.MULTILINE)
    with pytest.raises(Malformed, match=why):
        lightgbm_text.check_text(same_size(text, given, digits))


def same_size(text: str, given: re.Match, digits: str) -> str:
    """Put other digits there; where that makes a tree longer, say so in `tree_sizes`."""
    longer = len(digits) - len(given[1])
    text = text[: given.start(1)] + digits + text[given.end(1) :]
    first = re.search(r"^tree_sizes=(\d+)", text, re.MULTILINE)
    if longer and first.start() < given.start():
        text = text[: first.start(1)] + str(int(first[1]) + longer) + text[first.end(1) :]
    return text


@pytest.mark.parametrize("name", ["left_children", "right_children", "split_indices", "parents"])
def test_a_number_of_an_xgboost_buffer_that_is_out_of_range_is_refused_before_its_parser_sees_it(name):
    state = hostile.model_of("ensemble").models["xgboost"].pipeline[-1].get_booster().__getstate__()
    xgboost_buffer.check_state(dict(state))
    data = bytearray(state["handle"])
    first = data.index(name.encode() + b"[$") + len(name) + 2 + 1 + 2 + 8
    data[first : first + 4] = (10**6).to_bytes(4, "big")
    with pytest.raises(Malformed, match=r"a booster|a tree|a child|a node|a root"):
        xgboost_buffer.check_state({"handle": data})


def test_a_model_that_fails_on_good_rows_is_not_one_that_training_wrote(file_of, tmp_path):
    def change(schema, members):
        for node in hostile._nodes(schema):
            if node["__loader__"] == "DictNode" and "statistics_" in node["content"]:
                node["content"]["missing_values"] = plain("a text")

    hostile.write_run(tmp_path, "random_forest", changed(file_of("random_forest"), change))
    model = load(tmp_path)
    with pytest.raises(IntegrityError, match="does not score as one that training wrote"):
        model.predict(hostile.rows())


def test_metadata_that_are_none_are_refused(file_of, tmp_path):
    hostile.write_run(tmp_path, "dummy", file_of("dummy"))
    (tmp_path / "metadata.json").write_text("[]")
    manifest.write_manifest(tmp_path)
    with pytest.raises(IntegrityError, match="does not score as one that training wrote"):
        load(tmp_path)


@pytest.mark.slow
def test_mutants_of_a_booster_s_file_are_refused_or_score_and_nothing_else():
    """The first of thousands: `python tests/hostile_models.py N [kinds]` runs as many as one likes."""
    command = [sys.executable, "-W", "ignore", str(ROOT / "tests/hostile_models.py"), "14", "lightgbm"]
    result = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, env=os.environ | {"PYTHONPATH": f"{ROOT}:{ROOT}/src"}, check=False
    )
    assert result.returncode == 0, result.stdout + result.stderr


def test_skops_is_imported_without_all_of_scikit_learn_and_leaves_that_as_it_is():
    script = (
        "import sys, sklearn.utils; kept = sklearn.utils.all_estimators\n"
        "from bank_models.runs.skops_io import skops\n"
        "assert sklearn.utils.all_estimators is kept and callable(skops.io.dumps)\n"
        "assert not {'_pytest', 'torch', 'sklearn.gaussian_process'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=True)
