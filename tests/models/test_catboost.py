"""CatBoost: held as text, read before a row is scored, the same answers as CatBoost's own object gives."""

import json
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import yaml
from conftest import ROOT
from scipy.special import expit, softmax

from bank_models.config.feature import Feature
from bank_models.config.schema import Model
from bank_models.conformity.models import judge
from bank_models.errors import ConfigError
from bank_models.models.catboost.estimator import CatBoostClassifier, CatBoostRegressor
from bank_models.models.catboost.text import as_text, columns_of_splits
from bank_models.models.early_stopping import Part
from bank_models.runs.model_checks import catboost_json
from bank_models.runs.model_checks.fault import Malformed
from bank_models.training.fit import Recipe, fit

catboost = pytest.importorskip("catboost", reason="make setup EXTRAS=catboost")
N = 900
RNG = np.random.default_rng(0)
X = RNG.normal(size=(N, 4)).astype("float32")
X[:, 1], X[:, 3] = RNG.integers(0, 40, N), RNG.integers(0, 3, N)  # codes of a wide category and of a narrow one
X[RNG.random((N, 4)) < 0.05] = np.nan
SIGNAL = np.nan_to_num(X[:, 0]) + (X[:, 1] % 5 == 0) + (X[:, 3] == 1) + 0.3 * RNG.normal(size=N)
IS_CATEGORY = [False, True, False, True]
Y = {"binary": (SIGNAL > 0.7).astype(int), "multiclass": np.digitize(SIGNAL, [0.0, 1.0]), "regression": SIGNAL}


def fitted(task: str, n_threads: int = 1, direction: int = 0, **params):
    kind = CatBoostRegressor if task == "regression" else CatBoostClassifier
    model = kind(**{"iterations": 30, "depth": 4, "n_jobs": n_threads} | params)
    model.train(Part("train", X, Y[task], None), [], None, IS_CATEGORY, [direction, 0, 0, 0], None)
    return model


def by_catboost(task: str) -> np.ndarray:
    """What CatBoost answers of a table of pandas, with the same settings."""
    names = list("abcd")
    table = pd.DataFrame(X[:, [0, 2, 1, 3]], columns=names)
    table = table.assign(**{name: table[name].map(lambda code: str(-1 if np.isnan(code) else int(code))) for name in "cd"})
    told = {"iterations": 30, "depth": 4, "learning_rate": 0.08, "leaf_estimation_iterations": 1, "one_hot_max_size": 15,
            "max_ctr_complexity": 4,
            "bootstrap_type": "Bernoulli", "subsample": 0.9, "boosting_type": "Plain", "random_seed": 0, "thread_count": 1,
            "allow_writing_files": False, "logging_level": "Silent", "cat_features": ["c", "d"]}  # fmt: skip
    loss = {"binary": "Logloss", "multiclass": "MultiClass", "regression": "RMSE"}[task]
    return catboost.CatBoost(told | {"loss_function": loss}).fit(table, Y[task]).predict(table)


@pytest.mark.parametrize("task", Y)
def test_it_answers_as_catboost_does_with_categories_as_words(task):
    expected = by_catboost(task)
    np.testing.assert_allclose(fitted(task).raw_score(X), expected, rtol=1e-12, atol=1e-12)
    if task != "regression":
        proba = softmax(expected, axis=1) if task == "multiclass" else expit(expected)
        np.testing.assert_allclose(fitted(task).predict_proba(X)[:, slice(None) if task == "multiclass" else 1], proba, 1e-9)


@pytest.mark.parametrize("task", Y)
def test_equal_fits_are_equal_texts_whatever_the_number_of_threads(task):
    assert fitted(task).trees_ == fitted(task, n_threads=2).trees_


@pytest.mark.parametrize(("task", "direction"), [*((task, 0) for task in Y), ("binary", 1), ("regression", -1)])
def test_its_first_rounds_are_those_of_a_shorter_fit(task, direction):
    many, few = fitted(task, direction=direction), fitted(task, direction=direction, iterations=12)
    np.testing.assert_array_equal(many.raw_score(X, 12), few.raw_score(X))


@pytest.mark.parametrize("task", Y)
def test_contributions_add_up_and_belong_to_the_columns_of_the_matrix(task):
    model = fitted(task)
    found = model.contributions(X)
    np.testing.assert_allclose(found.sum(axis=-1), model.raw_score(X), atol=1e-6)
    assert np.abs(found[..., 2]).mean() < np.abs(found[..., 0]).mean()  # noise, and what decides most
    assert np.argmax(model.gains()) in (0, 1)


@pytest.mark.parametrize("dtype", ["str", "object", "category", "string[pyarrow]"])
def test_a_category_may_be_kept_as_any_kind_of_text(dtype):
    frame = pd.DataFrame({"income": X[:, 0], "region": np.array(["north", "south", "east"])[Y["multiclass"]]})
    recipe = Recipe(
        task="binary", estimator="CatBoostClassifier", params={"iterations": 20},
        features={"income": Feature(type="float"), "region": Feature(type="category")}, imputer=None, scaler=None,
        encoder="native", is_monotone=False, patience=None, random_state=0, n_threads=1,
    )  # fmt: skip
    told = [fit(recipe, frame.astype({"region": kind}), Y["binary"]).model.predict_proba(frame) for kind in (dtype, "category")]
    np.testing.assert_array_equal(*told)


def test_a_file_of_the_model_is_read_without_catboost_and_scored_only_with_it(tmp_path):
    code = (
        "import sys; sys.modules['catboost'] = None\n"
        "from bank_models.errors import ConfigError\n"
        "from bank_models.models.catboost.estimator import CatBoostClassifier\n"
        "model = CatBoostClassifier()\n"
        "model.trees_ = b'{}'\n"
        "try: model.raw_score([[1.0]])\n"
        "except ConfigError as error: print(error)\n"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, env={"PYTHONPATH": "src"})
    assert said.stdout.splitlines() == [
        "CatBoostClassifier needs the extra catboost, which is not installed.",
        "Type: make setup EXTRAS=catboost   (or: pip install catboost==1.2.10)",
    ], said.stderr


@pytest.mark.parametrize("task", Y)
def test_what_it_declares_holds(task):
    model = Model.model_validate(yaml.safe_load((ROOT / "conf/model/catboost.yaml").read_text(encoding="utf-8")))
    claims = judge(model.model_copy(update={"params": model.params | {"iterations": 40, "depth": 4}}), task)
    assert len(claims) >= 7
    assert [claim for claim in claims if claim.fault] == []


def test_columns_that_never_vary_are_refused_in_a_sentence():
    with pytest.raises(ConfigError, match="nothing to learn from: no column has two values"):
        CatBoostRegressor(iterations=2).fit(np.ones((20, 2)), np.arange(20))


def first(facts, *path):
    for step in path[:-1]:
        facts = facts[step]
    return facts, path[-1]


TREE = ("oblivious_trees", 0)
STATISTIC = ("features_info", "ctrs", 0)
FAULTS = {
    "a split beyond all splits": ((*TREE, "splits", 0, "split_index"), 10**6, "a tree splits by what there is not"),
    "a split before all": ((*TREE, "splits", 0, "split_index"), -1, "a tree splits by what there is not"),
    "a leaf too few": ((*TREE, "leaf_values"), [0.0], "a tree has other leaves than splits"),
    "a weight too few": ((*TREE, "leaf_weights"), [1.0], "a tree has other leaves than splits"),
    "a part more": ((*TREE, "left"), {}, "a booster has other parts"),
    "a tree that is none": (("oblivious_trees", 3), None, "a booster has other parts"),
    "a column out of place": (("features_info", "float_features", 0, "flat_feature_index"), 7, "a column out of place"),
    "borders that fall": (("features_info", "float_features", 0, "borders"), [1.0, 0.0], "borders of a column do not rise"),
    "a column too few": (("features_info", "float_features"), [], "a booster has other columns"),
    "a class that is not counted": ((*STATISTIC, "target_border_idx"), 5, "a statistic is of no class"),
    "a statistic of a column beyond": ((*STATISTIC, "elements", 0, "cat_feature_index"), 9, "a column that there is not"),
    "a statistic without a table": ((*STATISTIC, "identifier"), "{}", "a statistic has no table"),
    "a bias of no number": (("scale_and_bias", 1), ["x"], "a booster holds what is no number"),
}  # fmt: skip


def check(facts) -> None:
    catboost_json.check(as_text(facts), 4, 2, 1)


@pytest.mark.parametrize(("path", "value", "why"), FAULTS.values(), ids=FAULTS)
def test_a_text_that_compiled_code_would_follow_out_of_its_arrays_is_refused(path, value, why):
    facts = json.loads(fitted("binary").trees_)
    check(facts)
    part, key = first(facts, *path)
    part[key] = value
    with pytest.raises(Malformed, match=why):
        check(facts)


@pytest.mark.parametrize(
    ("stride", "why"), [(0, "unusual rows"), (2, "unusual rows"), (10**6, "unusual rows"), (4, "as large")]
)
def test_a_table_of_another_width_than_it_says_is_refused(stride, why):
    facts = json.loads(fitted("binary").trees_)
    borders = next(table for key, table in facts["ctr_data"].items() if key.endswith('"Borders"}'))
    borders["hash_stride"], borders["hash_map"] = stride, borders["hash_map"][:9]
    with pytest.raises(Malformed, match=why):
        check(facts)


def test_a_text_written_in_another_way_is_refused():
    with pytest.raises(Malformed, match="not written as"):
        catboost_json.check(fitted("binary").trees_ + b" ", 4, 2, 1)


def test_every_split_is_known_by_its_columns():
    facts = json.loads(fitted("binary").trees_)
    columns = columns_of_splits(facts["features_info"])
    assert {column for found in columns for column in found} <= set(range(4))
    assert all(found for found in columns)
    assert max(split["split_index"] for tree in facts["oblivious_trees"] for split in tree["splits"]) < len(columns)
