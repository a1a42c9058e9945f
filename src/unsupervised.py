"""Find clusters or anomalies in rows without labels, from the data to the run folder: what `src.train` is for labels."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING

from pandas import Categorical

from src import artifacts, curves, documents, drift, evaluate, record
from src.cluster_metrics import agreement, clustering_metrics, profiles, stability
from src.data import source
from src.fit import fit_unsupervised
from src.metrics import as_score, decide
from src.models import make_estimator
from src.portfolio.record import code_sha256
from src.progress import Steps
from src.projection import project
from src.recipe import make_recipe
from src.rounds import NO_ROUNDS
from src.table import make_table

if TYPE_CHECKING:
    from src.schema import TrainingConfig

log = logging.getLogger(__name__)


def find_groups(config: TrainingConfig, run_dir: Path, hydra_files: dict[str, str], registry: Path | None = None) -> float:
    """Fill `run_dir` with clusters or anomalies, found in all rows without labels; labels, where there are any, only judge."""
    use_case, metric = config.use_case, config.use_case.metric
    with Steps(f"{use_case.key} · {config.model.name}", config.device) as steps:
        with steps.step("load"):
            data = source.load(use_case=use_case, **config.data_source.model_dump())
        with steps.step("validate"):
            table = make_table(data, use_case)
            recipe = make_recipe(config, table.features)
        with steps.step("fit"):
            model = fit_unsupervised(recipe, table.frame)
        with steps.step("evaluate"):
            X, labels = model.named_steps["features"].transform(table.frame), model.named_steps["estimator"].labels_
            metrics = clustering_metrics(X, labels, config.seed)
            tables = {"profiles": profiles(table.frame[list(table.features)], labels)}
            tables |= curves.of_clusters(tables["profiles"]) | {"projection": project(X, labels, config.seed)}
            tables["history"] = NO_ROUNDS
            if data.true_groups is not None:
                metrics["adjusted_rand_score"] = agreement(data.true_groups[table.valid.rows], labels)
            if use_case.task == "anomaly":
                yardstick = evaluate.make_yardstick(metric, "anomaly", table.y)
                baselines = evaluate.baseline_scores(yardstick, table.y, len(table.y))
                decided = decide("anomaly", model.score_samples(table.frame))
                tables |= curves.of_test("anomaly", table.y, decided, None, config.seed)
                metrics |= evaluate.evaluate(
                    yardstick,
                    table.y,
                    decided,
                    {name: decide("anomaly", score) for name, score in baselines.items()},
                    table.units(slice(None)),
                    None if table.true_score is None else decide("anomaly", table.true_score),
                )
        if use_case.task == "clustering":
            with steps.step("repeat"):
                params = {**recipe.params, **model.named_steps["estimator"].chosen_params()}

                def fit_predict_new(X_fit, X_new, seed):
                    return make_estimator(recipe.estimator, params, seed, recipe.n_threads).fit(X_fit).predict(X_new)

                metrics["stability"] = stability(fit_predict_new, X, config.seed)

        with steps.step("write"), artifacts.published(run_dir) as folder:
            facts = record.facts_of_rows(use_case, config.model_dump(mode="json"), recipe, data, table, steps.durations_s)
            tables["resources"] = steps.monitor.table()
            facts["params"] = {**recipe.params, **getattr(model.named_steps["estimator"], "chosen_params", dict)()}
            facts["environment"]["code_sha256"] = code_sha256()
            record.write_groups(folder, model, metrics, tables, labels, facts, hydra_files)
            answers = (
                {"score": model.score_samples(table.frame)} if use_case.task == "anomaly" else {"cluster": Categorical(labels)}
            )
            reference = drift.reference(table.frame, table.features, answers)
            reference["floors"] = drift.floors(metric, metrics) if use_case.task == "anomaly" else None
            artifacts.write_json(folder / "drift_reference.json", reference)
            documents.write(folder, registry)
    for note in facts["notes"]:
        log.info(note)
    print(record.closing_line_of_groups(facts, metrics))
    print(os.path.relpath(run_dir))
    return as_score(metric, metrics[metric] if metric in metrics else metrics[f"test_{metric}"])
