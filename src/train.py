"""Train one model of one use case: `python -m src.train model=xgboost use_case=fraud`."""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from src import command_line

if TYPE_CHECKING:
    from omegaconf import DictConfig

    from src.config import TrainingConfig
    from src.fit import Recipe
    from src.use_case import Feature

log = logging.getLogger(__name__)

HELP = """\
Train one model of one use case: data, split, cross-validation, fit, test, artefacts.

  python -m src.train                                              the default use case, on real data
  python -m src.train model=xgboost use_case=fraud seed=1          choose options of groups, set any value
  python -m src.train --multirun model=xgboost,lightgbm            every combination

--cfg job prints all that can be set. More flags: --config-dir DIR (options of your own), --info, --hydra-help,
--shell-completion install=bash. Results go to runs/<use_case>/<model>; hydra.run.dir=… changes that."""


def main(cfg: DictConfig) -> float:
    """Train what the composed configuration says; Hydra's sweepers get the score on val, higher is better."""
    from hydra.core.hydra_config import HydraConfig

    from src import artifacts, config

    run_dir = Path(HydraConfig.get().runtime.output_dir)
    artifacts.check_replaceable(run_dir)
    checked = config.read(cfg)
    run = find_groups if checked.use_case.task in config.UNSUPERVISED else train
    try:
        return run(checked, run_dir, config.hydra_files(cfg, HydraConfig.get()))
    finally:
        artifacts.remove_empty(run_dir)


def train(config: TrainingConfig, run_dir: Path, hydra_files: dict[str, str]) -> float:
    """Fill `run_dir` and return the primary metric on val as a score, higher is better."""
    from src import artifacts, evaluate, leakage, record, threshold
    from src.calibration import calibrate
    from src.cross_validation import summarise
    from src.data import source
    from src.data.validation import validate
    from src.fit import fit, predict_score, with_threshold
    from src.lags import add_lags, lag_features
    from src.metrics import SCORING, decide
    from src.monotone import violations
    from src.progress import Steps
    from src.split import row_keys, split

    use_case, task, metric = config.use_case, config.use_case.task, config.use_case.metric
    with Steps(f"{use_case.key} · {config.model.name}") as steps:
        with steps.step("load"):
            data = source.load(use_case=use_case, **config.data_source.model_dump())
        with steps.step("validate"):
            columns = use_case.target, use_case.time_column, use_case.duplicates, task, use_case.classes, use_case.group_column
            valid = validate(data.frame, use_case.features, *columns)
            features = {**use_case.features, **lag_features(use_case.lags)}
            frame = add_lags(valid.frame, use_case.lags, use_case.time_column) if use_case.lags else valid.frame
            recipe, y = make_recipe(config, features), frame[use_case.target].to_numpy()
            times, groups = (frame[name].to_numpy() if name else None for name in (use_case.time_column, use_case.group_column))
        with steps.step("split"):
            keys = row_keys(frame, use_case.group_column) if config.data_split.method == "hashed" else groups
            parts = split(y, **config.data_split.model_dump(exclude={"train_ratio"}), task=task, times=times, keys=keys)
            train, y_train = frame.iloc[parts.train], y[parts.train]
            val, y_val = frame.iloc[parts.val], y[parts.val]
            suspects = leakage.suspects(train[list(features)], y_train, config.seed) if task == "binary" else {}

        scoring = list(dict.fromkeys([*(config.cv.scoring or SCORING[task]), metric]))
        with steps.step("cross-validate", total=config.cv.n_folds) as advance:
            of_train = [None if values is None else values[parts.train] for values in (times, groups)]
            cv_results = score_folds(config, recipe, train, y_train, *of_train, scoring, advance)
        with steps.step("fit"):
            fitted = fit(recipe, train, y_train, val, y_val, with_train_loss=True)
        with steps.step("decide"):
            model, decided_at = fitted.model, None
            if config.calibration != "none":
                model = calibrate(model, config.calibration, val, y_val)
            val_score = predict_score(model, val, task)
            if task == "binary":
                decided_at = evaluate.choose_threshold(y_val, val_score, threshold.prices(use_case.cost, val))
                model = with_threshold(model, decided_at)

        with steps.step("evaluate"):
            test, y_test = frame.iloc[parts.test], y[parts.test]
            test_score = predict_score(model, test, task)
            n_classes = len(use_case.classes or ())
            answers = evaluate.baselines(task, metric, y_train, len(y_test), n_classes, use_case.quantile)
            metrics = evaluate.evaluate(
                metric,
                task,
                y_test,
                decide(task, test_score, decided_at),
                answers,
                config.seed,
                evaluate.kinds_of(task, y, n_classes, use_case.is_ordered, use_case.quantile),
                use_case.quantile,
                use_case.classes,
                None if data.true_score is None else decide(task, data.true_score[valid.rows][parts.test], decided_at),
            )
            metrics |= evaluate.score_val(metric, y_val, decide(task, val_score, decided_at), use_case.quantile)
            metrics |= {} if cv_results.empty else summarise(cv_results, scoring, metric)
            tables = {"cv_results": cv_results, "history": fitted.history}
            if task == "binary":
                metrics |= {"threshold": decided_at}
                metrics |= evaluate.costs_of(y_test, test_score, decided_at, threshold.prices(use_case.cost, test))
                before = predict_score(fitted.model, test, task)
                metrics |= evaluate.before_calibration(y_test, before) if config.calibration != "none" else {}
                tables["reliability"] = evaluate.reliability_curves(y_test, before, test_score)

        with steps.step("write"), artifacts.published(run_dir) as folder:
            settings = config.model_dump(mode="json")
            baseline = next(iter(answers))
            broken = (
                violations(lambda rows: predict_score(fitted.model, rows, task), train, features)
                if task != "multiclass"
                else {}
            )
            facts = record.metadata(
                use_case, settings, recipe, data, valid, parts, y, fitted, suspects, broken, baseline, steps.durations_s
            )
            record.write(folder, model, fitted, metrics, tables, parts, facts, hydra_files)
    for note in facts["notes"]:
        log.info(note)
    print(record.closing_line(facts, metrics))
    print(os.path.relpath(run_dir))
    return metrics["val_score"]


def find_groups(config: TrainingConfig, run_dir: Path, hydra_files: dict[str, str]) -> float:
    """Fill `run_dir` with clusters or anomalies, found in all rows without labels; labels, where there are any, only judge."""
    from src import artifacts, evaluate, record
    from src.cluster_metrics import agreement, clustering_metrics, profiles, stability
    from src.data import source
    from src.data.validation import validate
    from src.fit import fit_unsupervised
    from src.lags import add_lags, lag_features
    from src.metrics import as_score, decide
    from src.models import make_estimator
    from src.progress import Steps

    use_case, metric = config.use_case, config.use_case.metric
    with Steps(f"{use_case.key} · {config.model.name}") as steps:
        with steps.step("load"):
            data = source.load(use_case=use_case, **config.data_source.model_dump())
        with steps.step("validate"):
            task = "binary" if use_case.task == "anomaly" else "clustering"  # what labels look like
            columns = use_case.target, use_case.time_column, use_case.duplicates, task, None, use_case.group_column
            valid = validate(data.frame, use_case.features, *columns)
            features = {**use_case.features, **lag_features(use_case.lags)}
            frame = add_lags(valid.frame, use_case.lags, use_case.time_column) if use_case.lags else valid.frame
            recipe = make_recipe(config, features)
        with steps.step("fit"):
            model = fit_unsupervised(recipe, frame)
        with steps.step("evaluate"):
            X, labels = model.named_steps["features"].transform(frame), model.named_steps["estimator"].labels_
            metrics = clustering_metrics(X, labels, config.seed)
            tables = {"profiles": profiles(frame[list(features)], labels)}
            if data.true_groups is not None:
                metrics["adjusted_rand_score"] = agreement(data.true_groups[valid.rows], labels)
            if use_case.task == "anomaly":
                y, score = frame[use_case.target].to_numpy(), model.score_samples(frame)
                answers = evaluate.baselines("binary", metric, y, len(y))
                ceiling = None if data.true_score is None else decide("anomaly", data.true_score[valid.rows])
                metrics |= evaluate.evaluate(
                    metric, "anomaly", y, decide("anomaly", score), answers, config.seed, ceiling=ceiling
                )
        if use_case.task == "clustering":
            with steps.step("repeat"):

                def fit_predict_new(X_fit, X_new, seed):
                    return make_estimator(recipe.estimator, recipe.params, seed, recipe.n_threads).fit(X_fit).predict(X_new)

                metrics["stability"] = stability(fit_predict_new, X, config.seed)

        with steps.step("write"), artifacts.published(run_dir) as folder:
            settings = config.model_dump(mode="json")
            facts = record.facts_of_rows(use_case, settings, recipe, data, valid, steps.durations_s)
            record.write_groups(folder, model, metrics, tables, labels, facts, hydra_files)
    for note in facts["notes"]:
        log.info(note)
    print(record.closing_line_of_groups(facts, metrics))
    print(os.path.relpath(run_dir))
    return as_score(metric, metrics[metric] if metric in metrics else metrics[f"test_{metric}"])


def score_folds(config: TrainingConfig, recipe: Recipe, train, y_train, times, groups, scoring, advance):
    """Cross-validate on the train part, as a table with a row for each fold; empty for `cv=none`."""
    import pandas as pd

    from src.cross_validation import cross_validate, draw_folds, make_splitter

    if config.cv.method == "none":
        return pd.DataFrame()
    is_ordered = config.cv.method == "time_series"
    groups = groups if "group" in config.cv.method else None
    splitter = make_splitter(**config.cv.model_dump(exclude={"scoring"}))
    folds = draw_folds(splitter, y_train, recipe.task, times if is_ordered else None, groups)
    rows = []
    for row in cross_validate(recipe, train, y_train, folds, scoring, is_ordered, groups):
        rows.append(row)
        advance()
    return pd.DataFrame(rows)


def make_recipe(config: TrainingConfig, features: dict[str, Feature]) -> Recipe:
    """Everything about the model that a fold, a trial and the final fit have in common."""
    from src.fit import Recipe
    from src.rounds import Patience

    stop, use_case = config.early_stopping, config.use_case
    preprocessing = config.model.preprocessing.model_dump()
    if not config.model.params.get("normalize", True):
        preprocessing["scaler"] = None
    return Recipe(
        task=use_case.task,
        estimator=config.model.estimator[use_case.task],
        params=config.model.params,
        features=features,
        **preprocessing,
        is_monotone=config.model.keeps_monotone,
        patience=stop.patience and Patience(stop.patience, stop.min_delta, stop.restore_best_weights),
        random_state=config.seed,
        n_threads=config.n_threads or command_line.usable_cores(),
        class_weight=config.class_weight,
        quantile=use_case.quantile,
        target_transform=use_case.target_transform,
        target_min=use_case.target_min,
        target_max=use_case.target_max,
    )


if __name__ == "__main__":
    sys.exit(command_line.run(main, sys.argv[1:], HELP))
