"""What `from bank_models import …` gives: the steps of a run, which come to the numbers of the command."""

import json
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from conftest import FEW_FOLDS, ROOT

import bank_models
from bank_models.errors import ConfigError

CHOSEN = ("use_case=credit_scoring", "model=xgboost", "n_threads=1", *FEW_FOLDS)


def test_importing_the_package_imports_no_library():
    code = "import sys, bank_models as b; dir(b); print({'numpy', 'pandas', 'hydra', 'pydantic', 'sklearn'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True).stdout == "set()\n"


def test_every_name_of_the_public_api_is_a_function_with_a_docstring_and_no_other_name_is_given():
    assert all(callable(getattr(bank_models, name)) and getattr(bank_models, name).__doc__ for name in bank_models.__all__)
    assert set(bank_models.__all__) <= set(dir(bank_models))
    with pytest.raises(AttributeError, match="has no attribute 'lode_config'"):
        bank_models.lode_config  # noqa: B018


def test_the_steps_one_by_one_come_to_the_numbers_and_the_model_of_the_command(train, tmp_path):
    config = bank_models.load_config(*CHOSEN)
    table = bank_models.load_table(config)
    parts = bank_models.split(table, config)
    recipe = bank_models.make_recipe(config, table)
    folds = bank_models.cross_validate(recipe, table, parts, config)
    fitted = bank_models.fit(recipe, table, parts)
    found = bank_models.evaluate(fitted, table, parts, config, folds)
    assert train(*CHOSEN).returncode == 0
    written = json.loads((tmp_path / "run/metrics.json").read_text())
    assert found.metrics == pytest.approx(written, rel=1e-12)
    scores = pd.read_parquet(tmp_path / "run/test_scores.parquet")
    np.testing.assert_array_equal(found.predictions.score, scores["score"])
    model = bank_models.load_model(tmp_path / "run")
    test, _ = table.rows(parts.split.test)
    np.testing.assert_array_equal(model.predict(test[list(config.use_case.features)])["score"], scores["score"])


def test_a_search_gives_its_trials_and_the_recipe_with_the_best_of_them():
    config = bank_models.load_config(*CHOSEN, "tuning=random_search", "tuning.n_iter=3", "tuning.storage=null")
    table = bank_models.load_table(config)
    parts, recipe = bank_models.split(table, config), bank_models.make_recipe(config, table)
    search = bank_models.tune(recipe, table, parts, config)
    best = search.applied_to(recipe).params
    assert len(search.table) == 3
    row = search.table.loc[search.table["value"].idxmax()]
    assert {name: best[name] for name in ("max_depth", "learning_rate")} == {
        name: row[name] for name in ("max_depth", "learning_rate")
    }


@pytest.mark.parametrize(
    ("step", "said"),
    [
        (lambda: bank_models.load_config("use_case=frod"), "Did you mean fraud"),
        (lambda: bank_models.load_config("model.params.max_dept=3", "model=xgboost"), "Did you mean model.params.max_depth"),
        (lambda: bank_models.split(None, bank_models.load_config("use_case=segmentation")), "has no target to learn"),
        (lambda: bank_models.tune(None, None, None, bank_models.load_config(*CHOSEN)), "tuning=bayesian"),
    ],
)
def test_a_mistake_is_explained_as_on_the_command_line(step, said):
    with pytest.raises(ConfigError, match=said):
        step()
