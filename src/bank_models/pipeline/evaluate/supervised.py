"""Evaluation of a supervised model: baselines, test metrics, slices, explanations, drift."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from bank_models.config.members import note_on_optional
from bank_models.evaluation import analysis, drift, performance, plot_tables
from bank_models.evaluation.baselines import baseline_scores, best_first
from bank_models.evaluation.benchmarks import benchmark_scores
from bank_models.evaluation.explain.importance import draw
from bank_models.evaluation.explain.reference import as_table, reference_row
from bank_models.evaluation.monotone import check_directions
from bank_models.evaluation.weights import note_on_weights
from bank_models.metrics import threshold
from bank_models.metrics.scores import FUNCTIONS, decide
from bank_models.models.estimators import ESTIMATORS
from bank_models.models.wrappers import predict_score
from bank_models.pipeline.evaluate.evaluation_result import EvaluationResult, facts_of_parts
from bank_models.runs import writer
from bank_models.runtime.threads import beside
from bank_models.training.batches import MOST_SHOWN
from bank_models.training.cross_validation import summarise
from bank_models.training.recipe import scorer_of, scoring_of

if TYPE_CHECKING:
    import pandas as pd

    from bank_models.config.schema import TrainingConfig
    from bank_models.data.table import Table
    from bank_models.evaluation.baselines import Baseline
    from bank_models.metrics.scorer import Scorer
    from bank_models.metrics.scores import Prediction
    from bank_models.pipeline.fit_result import FitResult
    from bank_models.pipeline.rows import Parts, Rows

MOST_DESCRIBED = 200_000
REFITTED = {
    "train_val": "The model was fitted again on train and val together; rounds, weights, calibration and threshold are those "
    "that val had decided before. What is said of val is of the first fit, which had not seen it.",
    "all": "The model in model.skops was fitted once more on all rows, test too, with the rounds, weights, calibration and "
    "threshold that val had decided. Everything that is said of test is of measured_model.skops, which learnt from train and "
    "val; what is said of val is of the first fit, which learnt from train. Scored again with model.skops, the test rows look "
    "too good.",
}


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
        See `bank_models.evaluation.analysis`.
    middle : dict
        Of the train rows: see `bank_models.evaluation.explain.reference`.
    drift : dict
        What later rows are compared with.
    baseline : str
        What one would answer without a model: the best of them on val.
    """

    predictions: Prediction
    metrics: dict[str, float]
    tables: dict[str, pd.DataFrame]
    found: analysis.Findings
    middle: dict[str, Any]
    drift: dict[str, Any]
    baseline: str


def evaluate(config: TrainingConfig, rows: Rows, fit_result: FitResult) -> EvaluationResult:
    """Probe the declared directions, then score the frozen model on the test rows.

    Raises
    ------
    GateError
        If a direction is required and broken.
    """
    use_case, table = config.use_case, rows.table
    train = table.view(rows.parts.split.train)
    broken = check_directions(fit_result.core, use_case.task, train, table.features, use_case.requires_monotone)
    tested = evaluate_on_test(config, fit_result, table, rows.parts)
    facts = {
        **writer.facts_of_directions(fit_result.recipe, broken),
        "best_iteration": fit_result.best_iteration,
        "smeared": getattr(fit_result.core, "smeared", None),
        "ensemble_weights": getattr(fit_result.core, "weights", None),
        "tuning": fit_result.search and fit_result.search.facts,
        "reference": tested.middle,
        "slices": tested.found.slices,
        "cross_validation": writer.how_folds_were_drawn(fit_result.cv_results),
        **facts_of_parts(use_case, rows, tested.drift, tested.metrics, tested.baseline),
    }
    tables = {**tested.tables, **plot_tables.of_history(fit_result.history)}
    notes = [*map(str, rows.parts.suspects), *rows.parts.of_split, *tested.found.notes]
    notes += fit_result.search.notes if fit_result.search else []
    notes += note_on_optional(config.model, use_case.task, config.members)
    notes += [REFITTED[config.refit]] if config.refit in REFITTED else []
    notes += note_on_weights(facts["weights"], scorer_of(use_case, table.y)) if "weights" in facts else []
    periods = table.periods(rows.parts.split.test)
    return EvaluationResult(tested.metrics, tables, tested.drift, facts, tested.predictions, periods=periods, notes=notes)


def _note_on_shown(fit_result: FitResult, n_val: int) -> list[str]:
    """A sentence where the loss by round is not that of all val rows, because it decided nothing."""
    recipes = (fit_result.recipe.members or {"": fit_result.recipe}).values()
    if n_val <= MOST_SHOWN or not any(ESTIMATORS[one.estimator].rounds and not one.holds_out for one in recipes):
        return []
    some = f"{MOST_SHOWN:,} of the {n_val:,} rows of val"
    return [f"Without early stopping the loss on val decides nothing, and is shown round by round of {some}."]


def evaluate_on_test(config: TrainingConfig, fit_result: FitResult, table: Table, parts: Parts) -> Tested:
    """Score the frozen model on the test rows, once, and look at its predictions from every side."""
    use_case, task, rows = config.use_case, config.use_case.task, parts.split.test
    layers, scorer = fit_result.layers, scorer_of(use_case, table.y)
    frame, y_true, units = table.view(rows), table.y[rows], table.units(rows)
    of_train = beside(fit_result.recipe.n_threads, _described, config, fit_result, table, parts)
    score = predict_score(fit_result.model, frame, task)
    predictions = decide(task, score, layers.threshold, layers.costs)
    baselines = _baselines(config, fit_result, scorer, table, parts)
    metrics = performance.evaluate(
        scorer,
        y_true,
        predictions,
        {name: baseline.answers(task, rows) for name, baseline in baselines.items()},
        units,
        None if table.true_score is None else table.true_score[rows],
        table.periods(rows),
        [name for name in scoring_of(config) if name not in FUNCTIONS],
    )
    metrics |= _of_val_and_folds(config, fit_result, scorer, table, parts.split.val)
    metrics |= performance.costs_of_classes(y_true, predictions.decision, layers.costs, units)
    if task == "binary":
        metrics |= {"threshold": layers.threshold}
        metrics |= performance.costs_of(y_true, score, layers.threshold, threshold.prices(use_case.cost, frame), units)
    middle, reference = of_train()
    found = analysis.of_test(
        analysis.Answers(fit_result.model, fit_result.uncalibrated, predictions, layers.threshold, layers.costs),
        use_case,
        scorer,
        table,
        rows,
        next(iter(baselines.values())).score,
        as_table(middle, table.features),
        config.seed,
    )
    found = replace(found, notes=[*found.notes, *_note_on_shown(fit_result, len(parts.split.val))])
    metrics |= found.metrics
    reference["floors"] = drift.floors(use_case.metric, metrics)
    return Tested(predictions, metrics, found.tables, found, middle, reference, next(iter(baselines)))


def _described(
    config: TrainingConfig, fit_result: FitResult, table: Table, parts: Parts
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The usual row of train, and what later rows are compared with: of at most 200,000 rows, more tell nothing more."""
    train = table.view(parts.split.train)
    train = train.take(draw(len(train), MOST_DESCRIBED, np.random.default_rng(config.seed)))
    answers = drift.answers_of(fit_result.val_score, config.use_case.classes)
    return reference_row(train, table.features), drift.reference(train, table.features, answers)


def _baselines(
    config: TrainingConfig, fit_result: FitResult, scorer: Scorer, table: Table, parts: Parts
) -> dict[str, Baseline]:
    """What train teaches without the model, in the order in which it does on val."""
    use_case, train, val = config.use_case, parts.split.train, parts.split.val
    frame, y_val = table.view(val), table.y[val]
    scores = baseline_scores(scorer, table.y[train], len(table.y), table.forecasts, table.weights(train))
    scores |= benchmark_scores(
        use_case.benchmarks, fit_result.recipe, use_case.metric, table.view(np.arange(len(table.y))), table.y, train
    )
    prices = threshold.prices(use_case.cost, frame)
    about = table.periods(val), prices, fit_result.layers.costs, table.weights(val)
    return best_first(scorer, scores, y_val, val, *about)


def _of_val_and_folds(
    config: TrainingConfig, fit_result: FitResult, scorer: Scorer, table: Table, val: np.ndarray
) -> dict[str, float]:
    on_val = decide(scorer.task, fit_result.unseen, fit_result.layers.threshold, fit_result.layers.costs)
    metrics = performance.score_val(scorer, table.y[val], on_val, table.periods(val), table.weights(val))
    return metrics | (
        {} if fit_result.cv_results.empty else summarise(fit_result.cv_results, scoring_of(config), config.use_case.metric)
    )
