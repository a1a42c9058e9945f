"""Steps of a supervised run: load, validate, split, tune, cross-validate, fit, decide, evaluate, write."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from src.data import load
from src.data.table import make_table
from src.evaluation import analysis, drift, performance, plot_tables
from src.evaluation.baselines import baseline_scores, best_first
from src.evaluation.benchmarks import benchmark_scores
from src.evaluation.explain.reference import as_table, reference_row
from src.evaluation.monotone import check_directions
from src.files import folders, writing
from src.metrics import threshold
from src.metrics.scores import Prediction, decide
from src.models.wrappers import CheapestClass, predict_score, with_threshold
from src.pipeline import documents
from src.pipeline.folds import score_folds, scoring_of
from src.pipeline.parts import Parts, announce, split_table
from src.registry.looks import facts_of_looks
from src.runs import writer
from src.runs.fingerprint import code_sha256
from src.runtime.device import usable_cores
from src.runtime.progress import Steps
from src.training.calibration import calibrate, cross_fitted
from src.training.cross_validation import summarise
from src.training.fit import Fitted, Recipe, fit
from src.training.recipe import make_recipe, scorer_of
from src.training.repeats import n_repeats_of

if TYPE_CHECKING:
    from src.config.schema import TrainingConfig
    from src.data.dataset import Dataset
    from src.data.table import Table
    from src.evaluation.baselines import Baseline
    from src.metrics.scorer import Scorer
    from src.tuning.tune import SearchResult


@dataclass(frozen=True)
class Decided:
    """A fitted model with all that val decided.

    Attributes
    ----------
    model : object
        Decides as it was decided: at a threshold, for the class of least expected cost, or as it predicts.
    uncalibrated : object or None
        The model before its probabilities were calibrated, if they were.
    threshold : float or None
    costs : ndarray or None
        Of several classes: see `src.metrics.threshold.cost_array`.
    val_score : ndarray of shape (n_val,) or (n_val, n_classes)
        The model's.
    on_val : Prediction
        What it predicts for val, by a calibrator that did not see the row.
    baselines : dict of str to Baseline
        The best of val first.
    """

    model: Any
    uncalibrated: Any
    threshold: float | None
    costs: np.ndarray | None
    val_score: np.ndarray
    on_val: Prediction
    baselines: dict[str, Baseline]


@dataclass(frozen=True)
class Tested:
    """What the test rows say of a model.

    Attributes
    ----------
    predictions : Prediction
    metrics : dict of str to float
    tables : dict of str to DataFrame
        By the names of their files.
    found : Findings
        See `src.evaluation.analysis`.
    middle : dict
        Of the train rows: see `src.evaluation.explain.reference`.
    drift : dict
        What later rows are compared with.
    """

    predictions: Prediction
    metrics: dict[str, float]
    tables: dict[str, pd.DataFrame]
    found: analysis.Findings
    middle: dict[str, Any]
    drift: dict[str, Any]


def train(
    config: TrainingConfig,
    run_dir: Path,
    hydra_files: dict[str, str],
    registry: Path | None = None,
    split_seed: int | None = None,
) -> float:
    """Train, test and write one run; return the primary metric on val as a score, higher is better.

    Parameters
    ----------
    config : TrainingConfig
    run_dir : Path
        Is filled in one step.
    hydra_files : dict of str to str
        Texts of `.hydra/`, by path.
    registry : Path, optional
        With whose version in production the report compares the run.
    split_seed : int, optional
        By which the use case's own options split the rows; None takes the configured one for it.
    """
    if config.tuning.method != "none" and (config.n_threads or usable_cores()) > 1:
        from src.tuning import workers

        workers.warm_up()
    use_case, search = config.use_case, None
    with Steps(f"{use_case.key} · {config.model.name}", config.device) as steps:
        with steps.step("load"):
            data = load.load(use_case=use_case, **config.data_source.model_dump())
        with steps.step("validate"):
            table = make_table(data, use_case)
            recipe, scorer = make_recipe(config, table.features), scorer_of(use_case, table.y)
        with steps.step("split"):
            parts = split_table(config, table, config.data_split.random_state if split_seed is None else split_seed)
        if config.tuning.method != "none":
            from src.pipeline.search import tune

            with steps.step("tune") as advance:
                search = tune(config, recipe, table, parts.split.train, scorer, advance)
                recipe = search.applied_to(recipe)
        n_repeats = n_repeats_of(config.cv.n_repeats, len(table.frame), config.cv.shuffle)
        with steps.step("cross-validate", total=config.cv.n_folds * n_repeats) as advance:
            cv_results = score_folds(config, recipe, table, parts.split.train, n_repeats, advance)
        with steps.step("fit", total=None) as advance:
            rows = *table.rows(parts.split.train), *table.rows(parts.split.val)
            fitted = fit(recipe, *rows, with_train_loss=True, on_round=steps.rounds(advance, recipe.patience))
            broken = check_directions(fitted.model, use_case.task, rows[0], table.features, use_case.requires_monotone)
        with steps.step("decide"):
            decided = decide_on_val(config, recipe, scorer, fitted, table, parts)
        with steps.step("evaluate"):
            tested = evaluate_on_test(config, scorer, decided, table, parts, cv_results)
            tables = {**tested.tables, "history": fitted.history, **plot_tables.of_history(fitted.history)}
            tables |= {"trials": search.table} if search else {}
        with steps.step("write"), folders.published(run_dir) as folder:
            tables["resources"] = steps.monitor.table()
            baseline = next(iter(decided.baselines))
            facts = writer.metadata(config, recipe, data, table, fitted, parts.suspects, broken, baseline, steps.durations_s)
            facts |= _facts(config, recipe, data, table, parts, tested, registry, facts["data"]["frame_sha256"])
            _complete(facts, cv_results, search, parts, tested)
            writer.write(folder, decided.model, fitted, tested.metrics, tables, parts.split, facts, hydra_files)
            _write_test(folder, tested, table, parts)
            documents.write(folder, registry)
    _announce(config, parts, search, facts, tested.metrics, run_dir)
    return tested.metrics["val_score"]


def decide_on_val(
    config: TrainingConfig, recipe: Recipe, scorer: Scorer, fitted: Fitted, table: Table, parts: Parts
) -> Decided:
    """Calibrate, choose how to decide and which baseline is to beat; no test row is looked at."""
    use_case, task, (val, y_val) = config.use_case, config.use_case.task, table.rows(parts.split.val)
    model, uncalibrated, decided_at, costs = fitted.model, None, None, None
    prices = threshold.prices(use_case.cost, val)
    if config.calibration != "none":
        uncalibrated, model = model, calibrate(model, config.calibration, val, y_val)
    unseen = val_score = predict_score(model, val, task)
    if uncalibrated is not None:
        unseen = cross_fitted(uncalibrated, config.calibration, val, y_val, config.seed)
    if task == "binary":
        decided_at = threshold.choose(y_val, val_score, prices)
        model = with_threshold(model, decided_at)
    if use_case.cost_matrix:
        costs = threshold.cost_array(use_case.cost_matrix.costs, use_case.classes)
        model = CheapestClass(model, costs)
    scores = baseline_scores(scorer, table.y[parts.split.train], len(table.y), table.forecasts)
    scores |= benchmark_scores(use_case.benchmarks, recipe, use_case.metric, table.frame, table.y, parts.split.train)
    about = y_val, parts.split.val, table.periods(parts.split.val), prices, costs
    baselines = best_first(scorer, scores, *about)
    return Decided(model, uncalibrated, decided_at, costs, val_score, decide(task, unseen, decided_at, costs), baselines)


def evaluate_on_test(
    config: TrainingConfig, scorer: Scorer, decided: Decided, table: Table, parts: Parts, cv_results: pd.DataFrame
) -> Tested:
    """Score the frozen model on the test rows, once, and look at its predictions from every side."""
    use_case, task, rows = config.use_case, config.use_case.task, parts.split.test
    (frame, y_true), units = table.rows(rows), table.units(rows)
    score = predict_score(decided.model, frame, task)
    predictions = decide(task, score, decided.threshold, decided.costs)
    metrics = performance.evaluate(
        scorer,
        y_true,
        predictions,
        {name: baseline.answers(task, rows) for name, baseline in decided.baselines.items()},
        units,
        None if table.true_score is None else table.true_score[rows],
        table.periods(rows),
    )
    y_val, periods = table.y[parts.split.val], table.periods(parts.split.val)
    metrics |= performance.score_val(scorer, y_val, decided.on_val, periods)
    metrics |= {} if cv_results.empty else summarise(cv_results, scoring_of(config), use_case.metric)
    metrics |= performance.costs_of_classes(y_true, predictions.decision, decided.costs, units)
    if task == "binary":
        metrics |= {"threshold": decided.threshold}
        metrics |= performance.costs_of(y_true, score, decided.threshold, threshold.prices(use_case.cost, frame), units)
    train = table.frame.iloc[parts.split.train]
    middle = reference_row(train, table.features)
    found = analysis.of_test(
        analysis.Answers(decided.model, decided.uncalibrated, predictions, decided.threshold, decided.costs),
        use_case,
        scorer,
        table,
        rows,
        next(iter(decided.baselines.values())).score,
        as_table(middle, table.features),
        config.seed,
    )
    metrics |= found.metrics
    reference = drift.reference(train, table.features, drift.answers_of(decided.val_score, use_case.classes))
    reference["floors"] = drift.floors(use_case.metric, metrics)
    return Tested(predictions, metrics, {"cv_results": cv_results, **found.tables}, found, middle, reference)


def _facts(
    config: TrainingConfig,
    recipe: Recipe,
    data: Dataset,
    table: Table,
    parts: Parts,
    tested: Tested,
    registry: Path | None,
    frame_sha256: str,
) -> dict[str, Any]:
    """What the record says beyond `writer.metadata`: of the parameters, the split and the test."""
    rows = parts.split.test
    return {
        "params": {name: dict(member.params) for name, member in recipe.members.items()} or dict(recipe.params),
        "reference": tested.middle,
        "slices": tested.found.slices,
        "split": parts.facts(table, tested.drift),
        "interval_of": writer.what_is_drawn(config.use_case, table.units(rows), table.y[rows], tested.metrics),
        **facts_of_looks(config, frame_sha256, data, table, rows, tested.predictions, tested.metrics, registry),
    }


def _complete(
    facts: dict[str, Any], cv_results: pd.DataFrame, search: SearchResult | None, parts: Parts, tested: Tested
) -> None:
    """Add to the record what the folds, the search and the notes say."""
    facts["cross_validation"] = writer.how_folds_were_drawn(cv_results)
    facts["environment"]["code_sha256"] = code_sha256()
    facts["tuning"] = search and search.facts
    facts["notes"] += [*parts.of_split, *tested.found.notes, *(search.notes if search else [])]


def _write_test(folder: Path, tested: Tested, table: Table, parts: Parts) -> None:
    rows = parts.split.test
    about = table.units(rows), table.periods(rows)
    writer.write_test_scores(folder / "test_scores.parquet", rows, table.y[rows], tested.predictions, *about)
    writing.write_json(folder / "drift_reference.json", tested.drift)


def _announce(
    config: TrainingConfig,
    parts: Parts,
    search: SearchResult | None,
    facts: dict[str, Any],
    metrics: dict[str, float],
    run_dir: Path,
) -> None:
    """Print the notes that were not shown yet, the parameters that were saved, the score and the folder."""
    announce(parts, facts)
    if config.save_tuned:
        from src.pipeline.search import save_tuned

        for name, params in search.params.items():
            print(os.path.relpath(save_tuned(config.use_case.key, name, params)))
    print(writer.closing_line(facts, metrics))
    print(os.path.relpath(run_dir))
