"""Steps of an unsupervised run: clustering and anomaly detection."""

from __future__ import annotations

import logging
import math
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pandas import Categorical

from src.data import load
from src.data.table import make_table
from src.evaluation import drift, performance, plot_tables
from src.evaluation.baselines import baseline_scores
from src.evaluation.projection import project
from src.files import folders, writing
from src.metrics.clusters import agreement, clustering_metrics, profiles, stability
from src.metrics.names import as_score
from src.metrics.scores import decide
from src.models.early_stopping import NO_ROUNDS
from src.models.estimators import make_estimator
from src.models.wrappers import predict_score
from src.pipeline import documents
from src.runs import writer
from src.runs.fingerprint import code_sha256
from src.runtime.progress import Steps
from src.training.fit import fit_unsupervised
from src.training.recipe import make_recipe, scorer_of

if TYPE_CHECKING:
    from src.config.schema import TrainingConfig
    from src.data.table import Table
    from src.metrics.scorer import Scorer
    from src.metrics.scores import Prediction
    from src.pipeline.parts import Parts
    from src.training.fit import Recipe

log = logging.getLogger(__name__)


def find_clusters(config: TrainingConfig, run_dir: Path, hydra_files: dict[str, str], registry: Path | None = None) -> float:
    """Fill `run_dir` with clusters of all rows: nothing is predicted that could be held out."""
    use_case, metric = config.use_case, config.use_case.metric
    with Steps(f"{use_case.key} · {config.model.name}", config.device) as steps:
        with steps.step("load"):
            data = load.load(use_case=use_case, **config.data_source.model_dump())
        with steps.step("validate"):
            table = make_table(data, use_case)
            recipe = make_recipe(config, table.features)
        with steps.step("fit"):
            model = fit_unsupervised(recipe, table.frame)
        with steps.step("evaluate"):
            X, labels = model.named_steps["features"].transform(table.frame), model.named_steps["estimator"].labels_
            metrics, tables = _describe(X, table.frame[list(table.features)], labels, config.seed)
            if data.true_groups is not None:
                metrics["adjusted_rand_score"] = agreement(data.true_groups[table.valid.rows], labels)
        with steps.step("repeat"):
            params = _params(recipe, model)

            def fit_predict_new(X_fit, X_new, seed):
                return make_estimator(recipe.estimator, params, seed, recipe.n_threads).fit(X_fit).predict(X_new)

            metrics["stability"] = stability(fit_predict_new, X, config.seed)

        with steps.step("write"), folders.published(run_dir) as folder:
            facts = writer.facts_of_rows(config, recipe, data, table, steps.durations_s)
            tables["resources"] = steps.monitor.table()
            facts["params"] = params
            facts["environment"]["code_sha256"] = code_sha256()
            writer.write_clusters(folder, model, metrics, tables, labels, facts, hydra_files)
            reference = drift.reference(table.frame, table.features, {"cluster": Categorical(labels)})
            writing.write_json(folder / "drift_reference.json", reference | {"floors": None})
            documents.write(folder, registry)
    for note in facts["notes"]:
        log.info(note)
    print(writer.closing_line_of_clusters(facts, metrics))
    print(os.path.relpath(run_dir))
    return as_score(metric, metrics.get(metric, math.nan))  # of rows that are all noise or all alike it is not defined


def find_anomalies(
    config: TrainingConfig,
    run_dir: Path,
    hydra_files: dict[str, str],
    registry: Path | None = None,
    split_seed: int | None = None,
) -> float:
    """Fill `run_dir` with a detector of what is unusual beside the train rows, and return its score on val.

    It is fitted on the train rows without their labels. Labels only judge how it ranks rows that it has not seen.
    `split_seed` is the one by which the use case's own options split the rows.
    """
    from src.pipeline.parts import announce, split_table
    from src.registry.looks import facts_of_looks

    use_case = config.use_case
    with Steps(f"{use_case.key} · {config.model.name}", config.device) as steps:
        with steps.step("load"):
            data = load.load(use_case=use_case, **config.data_source.model_dump())
        with steps.step("validate"):
            table = make_table(data, use_case)
            recipe = make_recipe(config, table.features)
            scorer = scorer_of(use_case, table.y)
        with steps.step("split"):
            parts = split_table(config, table, config.data_split.random_state if split_seed is None else split_seed)
            rows = parts.split.test
        with steps.step("fit"):
            model = fit_unsupervised(recipe, table.rows(parts.split.train)[0])
        with steps.step("evaluate"):
            tested = _test_anomalies(config, scorer, model, table, parts)
        with steps.step("write"), folders.published(run_dir) as folder:
            facts = writer.facts_of_rows(config, recipe, data, table, steps.durations_s)
            facts["environment"]["code_sha256"] = code_sha256()
            facts["notes"] += parts.warnings
            facts |= {
                "leaks": [suspect.as_dict() for suspect in parts.suspects],
                "baseline": tested.baseline,
                "split": parts.facts(table, tested.drift),
                "interval_of": writer.what_is_drawn(use_case, table.units(rows), table.y[rows], tested.metrics),
                "params": _params(recipe, model),
            }
            about = data, table, rows, tested.predictions, tested.metrics, registry
            facts |= facts_of_looks(config, facts["data"]["frame_sha256"], *about)
            tables = {**tested.tables, "resources": steps.monitor.table()}
            writer.write_model(folder, model, model, tested.metrics, tables, facts, hydra_files)
            _write_test(folder, tested, table, parts)
            documents.write(folder, registry)
    announce(parts, facts)
    print(writer.closing_line(facts, tested.metrics))
    print(os.path.relpath(run_dir))
    return tested.metrics["val_score"]


def _write_test(folder: Path, tested: TestedDetector, table: Table, parts: Parts) -> None:
    rows = parts.split.test
    writer.write_split(folder / "split.parquet", parts.split)
    scores = rows, table.y[rows], tested.predictions, table.units(rows)
    writer.write_test_scores(folder / "test_scores.parquet", *scores)
    writing.write_json(folder / "drift_reference.json", tested.drift)


@dataclass(frozen=True)
class TestedDetector:
    """What the val and test rows say of a detector.

    Attributes
    ----------
    predictions : Prediction
        For the test rows.
    metrics, tables, drift
        As of a run.
    baseline : str
        Name of what one would answer without a model.
    """

    predictions: Prediction
    metrics: dict[str, float]
    tables: dict[str, Any]
    drift: dict[str, Any]
    baseline: str


def _test_anomalies(config: TrainingConfig, scorer: Scorer, model, table: Table, parts: Parts) -> TestedDetector:
    """Describe what the train rows fall into, and score rows that were held out."""
    use_case, task, rows = config.use_case, config.use_case.task, parts.split.test
    (train, y_train), (val, y_val), (test, y_test) = (table.rows(part) for part in (parts.split.train, parts.split.val, rows))
    features, estimator = model.named_steps["features"], model.named_steps["estimator"]
    names = list(table.features)
    metrics, tables = _describe(features.transform(train), train[names], estimator.labels_, config.seed)
    val_score, predictions = predict_score(model, val, task), decide(task, predict_score(model, test, task))
    baselines = {name: decide(task, score[rows]) for name, score in baseline_scores(scorer, y_train, len(table.y)).items()}
    true_score = None if table.true_score is None else table.true_score[rows]
    metrics |= performance.evaluate(scorer, y_test, predictions, baselines, table.units(rows), true_score)
    metrics |= performance.score_val(scorer, y_val, decide(task, val_score))
    tables |= plot_tables.of_test(task, y_test, predictions, None, config.seed)
    reference = drift.reference(train, table.features, drift.answers_of(val_score))
    reference["floors"] = drift.floors(use_case.metric, metrics)
    return TestedDetector(predictions, metrics, tables, reference, next(iter(baselines)))


def _describe(X, frame, labels, seed: int) -> tuple[dict[str, float], dict[str, Any]]:
    """Metrics and tables of what the rows that were fitted on fall into."""
    tables = {"profiles": profiles(frame, labels)}
    tables |= plot_tables.of_clusters(tables["profiles"]) | {"projection": project(X, labels, seed), "history": NO_ROUNDS}
    return clustering_metrics(X, labels, seed), tables


def _params(recipe: Recipe, model) -> dict[str, Any]:
    """A recipe's parameters, with what fitting chose where they left it open."""
    return {**recipe.params, **model.named_steps["estimator"].chosen_params()}
