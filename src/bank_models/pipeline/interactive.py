"""The steps of a run as functions, for notebooks and scripts: the same code that the command line runs.

from bank_models import load_config, load_table, split, make_recipe, fit, evaluate

config = load_config("use_case=fraud", "model=xgboost")
table = load_table(config)
parts = split(table, config)
fitted = fit(make_recipe(config, table), table, parts)
evaluate(fitted, table, parts, config).metrics["test_average_precision"]
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bank_models.errors import ConfigError
from bank_models.runtime.notebook import Shown
from bank_models.training.fit import Fitted, Recipe

if TYPE_CHECKING:
    import pandas as pd

    from bank_models.config.schema import TrainingConfig
    from bank_models.data.table import Table
    from bank_models.metrics.scores import Prediction
    from bank_models.pipeline.rows import Parts
    from bank_models.tuning.tune import SearchResult


@dataclass(frozen=True, repr=False)
class Evaluation(Shown):
    """What the test rows say of a model.

    Attributes
    ----------
    model : object
        With its calibration and decisions, as a run would save it. With `refit=all` it has learnt from the test rows, and the
        metrics are those of the model before.
    metrics : dict of str to float
        As in `metrics.json`.
    predictions : Prediction
        For the test rows: `score` and `decision`.
    tables : dict of str to DataFrame
        Slices, importance, reliability and so on, by the names of a run's files.
    notes : list of str
        What a reader must know.
    """

    model: Any
    metrics: dict[str, float]
    predictions: Prediction
    tables: dict[str, pd.DataFrame]
    notes: list[str]

    def _shown(self) -> dict[str, Any]:
        with_interval = [name for name in self.metrics if name.startswith("test_") and f"{name}_ci_low" in self.metrics]
        found = {name: _with_interval(name, self.metrics) for name in with_interval}
        return found | {name: len(getattr(self, name)) for name in ("metrics", "tables", "notes")}


def load_config(*overrides: str, config_dir: str | Path | None = None) -> TrainingConfig:
    """Compose and check the settings of a run, as the command line does.

    Parameters
    ----------
    overrides : str
        Such as ``"use_case=fraud"`` and ``"model.params.max_depth=4"``.
    config_dir : str or Path, optional
        A folder with use cases and models of your own, as `--config-dir`; None is the one that `project.yaml` names.

    Raises
    ------
    ConfigError
    """
    from bank_models.config import project
    from bank_models.config.compose import check_job, compose_job, composer, implied, parse

    dirs, typed = project.config_dirs(config_dir), [*overrides, *implied(list(overrides))]
    parse(typed, dirs)
    with composer(dirs) as compose:
        return check_job(compose_job(compose, typed, dirs))


def load_table(config: TrainingConfig) -> Table:
    """Read and validate the rows, with lags and target.

    Raises
    ------
    DataError
        If a row does not fit the use case's declaration.
    """
    from bank_models.data import load
    from bank_models.data.table import make_table

    data = load.load(use_case=config.use_case, memory_budget=config.memory_budget, **config.data_source.model_dump())
    return make_table(data, config.use_case)


def split(table: Table, config: TrainingConfig) -> Parts:
    """Split the rows into train, val and test; warn of features that give the target away.

    Returns
    -------
    Parts
        `split.train`, `split.val` and `split.test` are positions of rows; `table.rows(…)` gives frame and target.

    Raises
    ------
    ConfigError
        If the task has no target.
    """
    from bank_models.pipeline.evaluate.leaks import warned_parts
    from bank_models.pipeline.fit.prepare import split_table

    _check_supervised(config)
    return warned_parts(config, table, split_table(config, table))


def make_recipe(config: TrainingConfig, table: Table) -> Recipe:
    """Everything that a fit needs but the rows: estimator, parameters, preprocessing, early stopping."""
    from bank_models.training import recipe

    _check_supervised(config)
    return recipe.make_recipe(config, table.features)


def tune(recipe: Recipe, table: Table, parts: Parts, config: TrainingConfig) -> SearchResult:
    """Search for parameters by cross-validation on train, as `config.tuning` says.

    Returns
    -------
    SearchResult
        `table` has a row for each trial; `applied_to(recipe)` is the recipe with the best parameters.

    Raises
    ------
    ConfigError
        If the configuration asks for no search.
    """
    from bank_models.pipeline.fit import search
    from bank_models.training.recipe import scorer_of

    if config.tuning.method == "none":
        raise ConfigError('The configuration asks for no search: load_config(…, "tuning=bayesian").')
    return search.tune(config, recipe, table, parts.split.train, scorer_of(config.use_case, table.y), lambda *_: None)


def cross_validate(recipe: Recipe, table: Table, parts: Parts, config: TrainingConfig) -> pd.DataFrame:
    """Score a recipe on folds of train; a row for each fold with `test_<metric>` and `train_<metric>`."""
    from bank_models.pipeline.fit.folds import score_folds
    from bank_models.training.repeats import n_repeats_of

    n_repeats = n_repeats_of(
        config.cv.n_repeats, len(table.frame), len(table.features), config.cv.shuffle, bool(recipe.members)
    )
    return score_folds(config, recipe, table, parts.split.train, n_repeats, lambda: None)


def fit(recipe: Recipe, table: Table, parts: Parts) -> Fitted:
    """Fit on train; val decides the best round.

    Returns
    -------
    Fitted
        `model`, `history` of losses by round, and `best_iteration`.
    """
    train, val = parts.split.train, parts.split.val
    known = [each for part in (table.known_before(train, val), val) for each in (table.view(part), table.y[part])]
    return recipe.fit(*known, with_train_loss=True)


def evaluate(
    fitted: Fitted, table: Table, parts: Parts, config: TrainingConfig, cv_results: pd.DataFrame | None = None
) -> Evaluation:
    """Decide on val, fit again on train and val if the configuration says so, then measure on test.

    Each call looks at the test rows. Call it once, for the model that you would keep: the best of many looks is too good.

    Parameters
    ----------
    fitted : Fitted
    table : Table
    parts : Parts
    config : TrainingConfig
    cv_results : DataFrame, optional
        Of `cross_validate`; its means join the metrics.
    """
    import pandas as pd

    from bank_models.pipeline.evaluate.supervised import evaluate_on_test
    from bank_models.pipeline.fit.supervised import decide_on_val, refit

    folds = pd.DataFrame() if cv_results is None else cv_results
    fit_result = decide_on_val(config, make_recipe(config, table), fitted, table, parts, folds)
    fit_result = fit_result if config.refit == "none" else refit(fit_result, fitted, table, parts, config.refit)
    tested = evaluate_on_test(config, fit_result, table, parts)
    tables, notes = {"cv_results": folds, **tested.tables}, [*parts.warnings, *tested.found.notes]
    return Evaluation(fit_result.kept, tested.metrics, tested.predictions, tables, notes)


def _with_interval(name: str, metrics: Mapping[str, float]) -> str:
    return f"{metrics[name]:.4g} [{metrics[f'{name}_ci_low']:.4g}, {metrics[f'{name}_ci_high']:.4g}]"


def _check_supervised(config: TrainingConfig) -> None:
    if config.use_case.task in ("clustering", "anomaly"):
        raise ConfigError(
            f"{config.use_case.key} is {config.use_case.task}, which has no target to learn.\n"
            f"Type: python -m src.train use_case={config.use_case.key} model={config.model.name}"
        )
