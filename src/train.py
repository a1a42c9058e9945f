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
    try:
        return train(config.read(cfg), run_dir, config.hydra_files(cfg, HydraConfig.get()))
    finally:
        artifacts.remove_empty(run_dir)


def train(config: TrainingConfig, run_dir: Path, hydra_files: dict[str, str]) -> float:
    """Fill `run_dir` and return the primary metric on val as a score, higher is better."""
    import pandas as pd

    from src import artifacts, evaluate, leakage, record, threshold
    from src.cross_validation import cross_validate, draw_folds, make_splitter, summarise
    from src.data import source
    from src.data.validation import validate
    from src.fit import fit, with_threshold
    from src.progress import Steps
    from src.split import split

    use_case, metric = config.use_case, config.use_case.metric
    recipe = make_recipe(config)
    with Steps(f"{use_case.key} · {config.model.name}") as steps:
        with steps.step("load"):
            data = source.load(use_case=use_case, **config.data_source.model_dump())
        with steps.step("validate"):
            valid = validate(data.frame, use_case.features, use_case.target, use_case.time_column, use_case.duplicates)
            frame, y = valid.frame, valid.frame[use_case.target].to_numpy()
            times = frame[use_case.time_column].to_numpy() if use_case.time_column else None
        with steps.step("split"):
            parts = split(y, times, **config.data_split.model_dump(exclude={"train_ratio"}))
            train, y_train = frame.iloc[parts.train], y[parts.train]
            val, y_val = frame.iloc[parts.val], y[parts.val]
            suspects = leakage.suspects(train[list(use_case.features)], y_train, config.seed)

        with steps.step("cross-validate", total=config.cv.n_folds) as advance:
            cv_results, scoring = pd.DataFrame(), list(dict.fromkeys([*config.cv.scoring, metric]))
            if config.cv.method != "none":
                is_ordered = config.cv.method == "time_series"
                splitter = make_splitter(**config.cv.model_dump(exclude={"scoring"}))
                folds = draw_folds(splitter, y_train, times[parts.train] if is_ordered else None)
                rows = []
                for row in cross_validate(recipe, train, y_train, folds, scoring, is_ordered):
                    rows.append(row)
                    advance()
                cv_results = pd.DataFrame(rows)

        with steps.step("fit"):
            fitted = fit(recipe, train, y_train, val, y_val, with_train_loss=True)
        with steps.step("decide"):
            val_score = fitted.model.predict_proba(val)[:, 1]
            decided_at = evaluate.choose_threshold(y_val, val_score, threshold.prices(use_case.cost, val))
            model = with_threshold(fitted.model, decided_at)

        with steps.step("evaluate"):
            test, y_test = frame.iloc[parts.test], y[parts.test]
            metrics = evaluate.evaluate(
                metric,
                y_test,
                model.predict_proba(test)[:, 1],
                decided_at,
                prior=y_train.mean(),
                seed=config.seed,
                true_score=None if data.true_score is None else data.true_score[valid.rows][parts.test],
                costs=threshold.prices(use_case.cost, test),
            )
            metrics |= evaluate.score_val(metric, y_val, val_score, decided_at)
            metrics |= {} if cv_results.empty else summarise(cv_results, scoring, metric)

        with steps.step("write"), artifacts.published(run_dir) as folder:
            resolved = config.model_dump(mode="json")
            facts = record.metadata(
                use_case, config.model.name, resolved, recipe, data, valid, parts, y, fitted, suspects, steps.durations_s
            )
            record.write(folder, model, fitted, metrics, cv_results, parts, facts, hydra_files)
    for note in facts["notes"]:
        log.info(note)
    print(record.closing_line(facts, metrics))
    print(os.path.relpath(run_dir))
    return metrics["val_score"]


def make_recipe(config: TrainingConfig) -> Recipe:
    """Everything about the model that a fold, a trial and the final fit have in common."""
    from src.fit import Recipe
    from src.rounds import Patience

    stop = config.early_stopping
    return Recipe(
        estimator=config.model.estimator[config.use_case.task],
        params=config.model.params,
        features=config.use_case.features,
        **config.model.preprocessing.model_dump(),
        is_monotone=config.model.keeps_monotone,
        patience=stop.patience and Patience(stop.patience, stop.min_delta, stop.restore_best_weights),
        random_state=config.seed,
        n_threads=config.n_threads or command_line.usable_cores(),
    )


if __name__ == "__main__":
    sys.exit(command_line.run(main, sys.argv[1:], HELP))
