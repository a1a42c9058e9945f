"""Evaluation of an anomaly detector: profiles of the train rows, ranking of held-out rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bank_models.evaluation import drift, performance, plot_tables
from bank_models.evaluation.baselines import baseline_scores
from bank_models.metrics.scores import decide
from bank_models.models.wrappers import predict_score
from bank_models.pipeline.evaluate.clusters import describe
from bank_models.pipeline.evaluate.evaluation_result import EvaluationResult, facts_of_parts
from bank_models.training.recipe import scorer_of

if TYPE_CHECKING:
    from bank_models.config.schema import TrainingConfig
    from bank_models.pipeline.fit_result import FitResult
    from bank_models.pipeline.rows import Rows


def evaluate(config: TrainingConfig, rows: Rows, fit_result: FitResult) -> EvaluationResult:
    """Describe what the train rows fall into, and score rows that were held out; labels only judge."""
    use_case, task, table, split = config.use_case, config.use_case.task, rows.table, rows.parts.split
    (train, y_train), (val, y_val), (test, y_test) = (table.rows(part) for part in (split.train, split.val, split.test))
    scorer, steps = scorer_of(use_case, table.y), fit_result.model.named_steps
    of_train = steps["features"].transform(train), train[list(table.features)], steps["estimator"].labels_
    metrics, tables = describe(*of_train, config.seed)
    val_score, predictions = (predict_score(fit_result.model, frame, task) for frame in (val, test))
    predictions = decide(task, predictions)
    scores = baseline_scores(scorer, y_train, len(table.y))
    baselines = {name: decide(task, score[split.test]) for name, score in scores.items()}
    true_score = None if table.true_score is None else table.true_score[split.test]
    metrics |= performance.evaluate(scorer, y_test, predictions, baselines, table.units(split.test), true_score)
    metrics |= performance.score_val(scorer, y_val, decide(task, val_score))
    tables |= plot_tables.of_test(task, y_test, predictions, None, config.seed)
    reference = drift.reference(train, table.features, drift.answers_of(val_score))
    reference["floors"] = drift.floors(use_case.metric, metrics)
    facts = facts_of_parts(use_case, rows, reference, metrics, next(iter(baselines)))
    return EvaluationResult(metrics, tables, reference, facts, predictions, notes=rows.parts.warnings)
