"""What `from src import …` gives: the steps of a run, which come to the numbers of the command."""

import json
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from conftest import ROOT

import src
from src.errors import ConfigError

CHOSEN = ("use_case=credit_scoring", "model=xgboost", "n_threads=1")


def test_importing_the_package_imports_no_library():
    code = "import sys, src; dir(src); print({'numpy', 'pandas', 'hydra', 'pydantic', 'sklearn'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True).stdout == "set()\n"


def test_every_name_of_the_public_api_is_a_function_with_a_docstring_and_no_other_name_is_given():
    assert all(callable(getattr(src, name)) and getattr(src, name).__doc__ for name in src.__all__)
    assert set(src.__all__) <= set(dir(src))
    with pytest.raises(AttributeError, match="has no attribute 'lode_config'"):
        src.lode_config  # noqa: B018


def test_the_steps_one_by_one_come_to_the_numbers_and_the_model_of_the_command(train, tmp_path):
    config = src.load_config(*CHOSEN)
    table = src.load_table(config)
    parts = src.split(table, config)
    recipe = src.make_recipe(config, table)
    folds = src.cross_validate(recipe, table, parts, config)
    fitted = src.fit(recipe, table, parts)
    found = src.evaluate(fitted, table, parts, config, folds)
    assert train(*CHOSEN).returncode == 0
    written = json.loads((tmp_path / "run/metrics.json").read_text())
    assert found.metrics == pytest.approx(written, rel=1e-12)
    scores = pd.read_parquet(tmp_path / "run/test_scores.parquet")
    np.testing.assert_array_equal(found.predictions.score, scores["score"])
    model = src.load_model(tmp_path / "run")
    test, _ = table.rows(parts.split.test)
    np.testing.assert_array_equal(model.predict(test[list(config.use_case.features)])["score"], scores["score"])


def test_a_search_gives_its_trials_and_the_recipe_with_the_best_of_them():
    config = src.load_config(*CHOSEN, "tuning=random_search", "tuning.n_iter=3", "tuning.storage=null")
    table = src.load_table(config)
    parts, recipe = src.split(table, config), src.make_recipe(config, table)
    search = src.tune(recipe, table, parts, config)
    best = search.applied_to(recipe).params
    assert len(search.table) == 3
    row = search.table.loc[search.table["value"].idxmax()]
    assert {name: best[name] for name in ("max_depth", "learning_rate")} == {
        name: row[name] for name in ("max_depth", "learning_rate")
    }


@pytest.mark.parametrize(
    ("step", "said"),
    [
        (lambda: src.load_config("use_case=frod"), "Did you mean fraud"),
        (lambda: src.load_config("model.params.max_dept=3", "model=xgboost"), "Did you mean model.params.max_depth"),
        (lambda: src.split(None, src.load_config("use_case=segmentation")), "has no target to learn"),
        (lambda: src.tune(None, None, None, src.load_config(*CHOSEN)), "tuning=bayesian"),
    ],
)
def test_a_mistake_is_explained_as_on_the_command_line(step, said):
    with pytest.raises(ConfigError, match=said):
        step()
