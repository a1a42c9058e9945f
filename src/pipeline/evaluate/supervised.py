"""Evaluation of a supervised run: baselines, test metrics, and a look at the predictions from every side."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from src.evaluation import analysis, drift, performance, plot_tables
from src.evaluation.baselines import baseline_scores, best_first
from src.evaluation.benchmarks import benchmark_scores
from src.evaluation.explain.reference import as_table, reference_row
from src.evaluation.monotone import check_directions
from src.metrics import threshold
from src.metrics.scores import decide
from src.models.wrappers import predict_score
from src.pipeline.evaluate.evaluated import Evaluated, facts_of_parts
from src.runs import writer
from src.training.cross_validation import summarise
from src.training.recipe import scorer_of, scoring_of

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from src.config.schema import TrainingConfig
    from src.data.table import Table
    from src.evaluation.baselines import Baseline
    from src.metrics.scorer import Scorer
    from src.metrics.scores import Prediction
    from src.pipeline.learnt import Learnt
    from src.pipeline.rows import Parts, Rows


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


def evaluate(config: TrainingConfig, rows: Rows, learnt: Learnt) -> Evaluated:
    """Probe the declared directions, then score the frozen model on the test rows.

    Raises
    ------
    GateError
        If a direction is required and broken.
    """
    use_case, table = config.use_case, rows.table
    train = table.frame.iloc[rows.parts.split.train]
    broken = check_directions(learnt.core, use_case.task, train, table.features, use_case.requires_monotone)
    tested = evaluate_on_test(config, learnt, table, rows.parts)
    facts = {
        **writer.facts_of_directions(learnt.recipe, broken),
        "best_iteration": learnt.best_iteration,
        "smeared": getattr(learnt.core, "smeared", None),
        "ensemble_weights": getattr(learnt.core, "weights", None),
        "tuning": learnt.search and learnt.search.facts,
        "reference": tested.middle,
        "slices": tested.found.slices,
        "cross_validation": writer.how_folds_were_drawn(learnt.cv_results),
        **facts_of_parts(use_case, rows, tested.drift, tested.metrics, tested.baseline),
    }
    tables = {**tested.tables, **plot_tables.of_history(learnt.history)}
    notes = [*map(str, rows.parts.suspects), *rows.parts.of_split, *tested.found.notes]
    notes += learnt.search.notes if learnt.search else []
    periods = table.periods(rows.parts.split.test)
    return Evaluated(tested.metrics, tables, tested.drift, facts, tested.predictions, periods=periods, notes=notes)


def evaluate_on_test(config: TrainingConfig, learnt: Learnt, table: Table, parts: Parts) -> Tested:
    """Score the frozen model on the test rows, once, and look at its predictions from every side."""
    use_case, task, rows = config.use_case, config.use_case.task, parts.split.test
    layers, scorer = learnt.layers, scorer_of(use_case, table.y)
    (frame, y_true), units = table.rows(rows), table.units(rows)
    score = predict_score(learnt.model, frame, task)
    predictions = decide(task, score, layers.threshold, layers.costs)
    baselines = _baselines(config, learnt, scorer, table, parts)
    metrics = performance.evaluate(
        scorer,
        y_true,
        predictions,
        {name: baseline.answers(task, rows) for name, baseline in baselines.items()},
        units,
        None if table.true_score is None else table.true_score[rows],
        table.periods(rows),
    )
    metrics |= _of_val_and_folds(config, learnt, scorer, table, parts.split.val)
    metrics |= performance.costs_of_classes(y_true, predictions.decision, layers.costs, units)
    if task == "binary":
        metrics |= {"threshold": layers.threshold}
        metrics |= performance.costs_of(y_true, score, layers.threshold, threshold.prices(use_case.cost, frame), units)
    train = table.frame.iloc[parts.split.train]
    middle = reference_row(train, table.features)
    found = analysis.of_test(
        analysis.Answers(learnt.model, learnt.uncalibrated, predictions, layers.threshold, layers.costs),
        use_case,
        scorer,
        table,
        rows,
        next(iter(baselines.values())).score,
        as_table(middle, table.features),
        config.seed,
    )
    metrics |= found.metrics
    reference = drift.reference(train, table.features, drift.answers_of(learnt.val_score, use_case.classes))
    reference["floors"] = drift.floors(use_case.metric, metrics)
    return Tested(predictions, metrics, found.tables, found, middle, reference, next(iter(baselines)))


def _baselines(config: TrainingConfig, learnt: Learnt, scorer: Scorer, table: Table, parts: Parts) -> dict[str, Baseline]:
    """What train teaches without the model, in the order in which it does on val."""
    use_case, train, val = config.use_case, parts.split.train, parts.split.val
    frame, y_val = table.rows(val)
    scores = baseline_scores(scorer, table.y[train], len(table.y), table.forecasts)
    scores |= benchmark_scores(use_case.benchmarks, learnt.recipe, use_case.metric, table.frame, table.y, train)
    prices = threshold.prices(use_case.cost, frame)
    return best_first(scorer, scores, y_val, val, table.periods(val), prices, learnt.layers.costs)


def _of_val_and_folds(
    config: TrainingConfig, learnt: Learnt, scorer: Scorer, table: Table, val: np.ndarray
) -> dict[str, float]:
    on_val = decide(scorer.task, learnt.unseen, learnt.layers.threshold, learnt.layers.costs)
    metrics = performance.score_val(scorer, table.y[val], on_val, table.periods(val))
    return metrics | (
        {} if learnt.cv_results.empty else summarise(learnt.cv_results, scoring_of(config), config.use_case.metric)
    )
