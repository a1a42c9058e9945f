"""Train one model of one use case: `python -m src.train model=xgboost use_case=fraud`."""

from __future__ import annotations

import logging
import os
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from src import command_line

if TYPE_CHECKING:
    import pandas as pd
    from omegaconf import DictConfig

    from src.config.schema import CrossValidation, TrainingConfig
    from src.data.table import Table
    from src.evaluation.performance import Yardstick
    from src.training.fit import Recipe
    from src.tuning.tune import Found

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

    from src.runs import artifacts

    run_dir = Path(HydraConfig.get().runtime.output_dir)
    artifacts.check_replaceable(run_dir)  # first: Hydra has made the folder, and who leaves now takes it back
    import scipy.linalg  # noqa: F401  what is not loaded yet would not be limited
    from threadpoolctl import threadpool_limits

    from src import tracking
    from src.config import settings as config
    from src.config.schema import UNSUPERVISED

    checked = config.read(cfg)
    if checked.use_case.task in UNSUPERVISED:
        from src.pipeline.unsupervised import BY_TASK

        run = BY_TASK[checked.use_case.task]
    else:
        run = partial(train, split_seed=_split_seed())
    registry = Path(checked.registry.path) if checked.registry.kind == "local" and _is_told_of("registry=local") else None
    with artifacts.keeps(run_dir) as kept:  # a simultaneous run of the same folder waits until this one is registered
        try:
            with threadpool_limits(1, "blas"):  # more threads add up in another order: last bits would depend on the cores
                score = run(checked, run_dir, config.hydra_files(cfg, HydraConfig.get()), registry)
        finally:
            artifacts.remove_empty(run_dir)
        chosen = checked.tracking
        kind = chosen.kind if _is_told_of(f"tracking={chosen.kind}") else "none"
        tracking.track(run_dir, kind, chosen.path, chosen.uri_env, chosen.experiments)
        if registry is not None:
            register(run_dir, registry, checked.use_case.key, kept.manifest_sha256)
    return score


def _is_told_of(setting: str) -> bool:
    """Whether others are told of this run: of one of its own they are, of a sweep's job, which has a number, only if asked."""
    from hydra.core.hydra_config import HydraConfig
    from omegaconf import OmegaConf

    return OmegaConf.is_missing(HydraConfig.get().job, "num") or setting in HydraConfig.get().overrides.task


def _split_seed() -> int | None:
    """The seed that the use case's own options split its rows by, whatever was typed."""
    from hydra.core.hydra_config import HydraConfig

    from src import use_cases

    here = HydraConfig.get().runtime
    folders = [Path(source["path"]) for source in here.config_sources if source["schema"] == "file"]
    return use_cases.split_seed(here.choices["use_case"], here.choices["data_split"], folders)


def register(run_dir: Path, root: Path, use_case: str, manifest_sha256: str | None) -> None:
    """Make a run a version of its use case, and say which; the hash is that of the run that this process has written."""
    from src.registry.store import open_registry

    version = open_registry(root).register(run_dir, use_case=use_case, manifest_sha256=manifest_sha256)
    print(f"{os.path.relpath(version.folder)}   {version.entry['model_id']}, {version.status}")


def train(
    config: TrainingConfig,
    run_dir: Path,
    hydra_files: dict[str, str],
    registry: Path | None = None,
    split_seed: int | None = None,
) -> float:
    """Fill `run_dir` and return the primary metric on val as a score, higher is better.

    A run that is split by another seed than `split_seed`, the use case's, says that it is an experiment.
    """
    from src.config import settings as config_module
    from src.data import load as source
    from src.data.split import overlap, row_keys, split
    from src.data.table import make_table
    from src.evaluation import analysis, drift, leakage, looks, performance, plot_tables, validity
    from src.evaluation.benchmarks import benchmark_scores
    from src.evaluation.explain.reference import as_table, reference_row
    from src.evaluation.monotone import check_directions
    from src.metrics import threshold
    from src.metrics.scores import SCORING, decide
    from src.pipeline import documents
    from src.registry.looks import facts_of_looks
    from src.runs import artifacts, writer
    from src.runtime.device import usable_cores
    from src.runtime.progress import Steps
    from src.sweeps.record import code_sha256
    from src.training.calibration import calibrate, cross_fitted
    from src.training.cross_validation import summarise
    from src.training.fit import fit, predict_score, with_threshold
    from src.training.recipe import make_recipe, with_found
    from src.training.repeats import n_repeats_of

    if config.tuning.method != "none" and (config.n_threads or usable_cores()) > 1:
        from src.tuning import workers

        workers.warm_up()
    use_case, task = config.use_case, config.use_case.task
    with Steps(f"{use_case.key} · {config.model.name}", config.device) as steps:
        with steps.step("load"):
            data = source.load(use_case=use_case, **config.data_source.model_dump())
        with steps.step("validate"):
            table = make_table(data, use_case)
            recipe = make_recipe(config, table.features)
            yardstick = performance.make_yardstick(
                use_case.metric, task, table.y, use_case.classes, use_case.is_ordered, use_case.quantile
            )
        with steps.step("split"):
            is_hashed = config.data_split.method == "hashed"
            keys = row_keys(table.frame, use_case.group_column) if is_hashed else table.groups
            how = config.data_split.model_dump(exclude={"train_ratio"})
            parts = split(table.y, **how, task=task, times=table.times, keys=keys, contents=table.contents)
            (train, y_train), (val, y_val) = table.rows(parts.train), table.rows(parts.val)
            seeds = config.data_split.random_state, config.data_split.random_state if split_seed is None else split_seed
            suspects = leakage.find(train[list(use_case.features)], y_train, task, config.seed, table.times is not None)
            of_split = [f"Careful: {said}." for said in (validity.of_other_split(*seeds),) if said]
            told = [*of_split, *map(str, suspects)]  # now, for it may not be worth waiting
            for warning in told:
                log.warning(warning)

        search = None
        if config.tuning.method != "none":
            with steps.step("tune") as advance:
                search = tune(config, recipe, table, parts.train, yardstick, advance)
                recipe = with_found(recipe, search)
        n_repeats = n_repeats_of(config.cv.n_repeats, len(table.frame), config.cv.shuffle)
        with steps.step("cross-validate", total=config.cv.n_folds * n_repeats) as advance:
            scoring = list(dict.fromkeys([*(config.cv.scoring or SCORING[task]), use_case.metric]))
            cv_results = score_folds(config, recipe, table, parts.train, scoring, n_repeats, advance)
        with steps.step("fit", total=None) as advance:
            watched = steps.rounds(advance, recipe.patience)
            fitted = fit(recipe, train, y_train, val, y_val, with_train_loss=True, on_round=watched)
            broken = check_directions(fitted.model, task, train, table.features, use_case.requires_monotone)
        with steps.step("decide"):
            model, uncalibrated, decided_at, costs = fitted.model, None, None, None
            prices = threshold.prices(use_case.cost, val)
            if config.calibration != "none":
                uncalibrated, model = model, calibrate(model, config.calibration, val, y_val)
            val_score = predict_score(model, val, task)
            unseen_score = val_score if uncalibrated is None else cross_fitted(
                uncalibrated, config.calibration, val, y_val, config.seed
            )  # fmt: skip
            if task == "binary":
                decided_at = threshold.choose(y_val, val_score, prices)
                model = with_threshold(model, decided_at)
            if use_case.cost_matrix:
                costs = threshold.cost_array(use_case.cost_matrix.costs, use_case.classes)
                model = threshold.CheapestClass(model, costs)
            simple = performance.baseline_scores(yardstick, y_train, len(table.y), table.forecasts)
            simple |= benchmark_scores(use_case.benchmarks, recipe, use_case.metric, table.frame, table.y, parts.train)
            baselines = performance.best_first(yardstick, simple, y_val, parts.val, table.periods(parts.val), prices, costs)

        with steps.step("evaluate"):
            (test, y_test), units = table.rows(parts.test), table.units(parts.test)
            test_score = predict_score(model, test, task)
            decided = decide(task, test_score, decided_at, costs)
            metrics = performance.evaluate(
                yardstick,
                y_test,
                decided,
                {name: baseline.answers(task, parts.test) for name, baseline in baselines.items()},
                units,
                None if table.true_score is None else table.true_score[parts.test],
                table.periods(parts.test),
            )
            decided_on_val = decide(task, unseen_score, decided_at, costs)
            metrics |= performance.score_val(yardstick, y_val, decided_on_val, table.periods(parts.val))
            metrics |= {} if cv_results.empty else summarise(cv_results, scoring, use_case.metric)
            metrics |= performance.costs_of_classes(y_test, decided.decision, costs, units)
            if task == "binary":
                metrics |= {"threshold": decided_at}
                metrics |= performance.costs_of(y_test, test_score, decided_at, threshold.prices(use_case.cost, test), units)
            middle = reference_row(train, table.features)
            found = analysis.of_test(
                analysis.Answers(model, uncalibrated, decided, decided_at, costs),
                use_case,
                yardstick,
                table,
                parts.test,
                next(iter(baselines.values())).score,
                as_table(middle, table.features),
                config.seed,
            )
            metrics |= found.metrics
            tables = {
                "cv_results": cv_results,
                "history": fitted.history,
                **plot_tables.of_history(fitted.history),
                **found.tables,
            }
            tables |= {"trials": search.table} if search else {}
            reference = drift.reference(train, table.features, drift.answers_of(val_score, use_case.classes))
            reference["floors"] = drift.floors(use_case.metric, metrics)

        with steps.step("write"), artifacts.published(run_dir) as folder:
            settings, baseline = config.model_dump(mode="json"), next(iter(baselines))
            tables["resources"] = steps.monitor.table()
            facts = writer.metadata(
                use_case, settings, recipe, data, table, parts, fitted, suspects, broken, baseline, steps.durations_s
            )
            facts["params"] = {name: dict(member.params) for name, member in recipe.members.items()} or dict(recipe.params)
            facts["reference"] = middle
            facts["environment"]["code_sha256"] = code_sha256()
            facts["slices"] = found.slices
            facts["split"] |= dict(zip(("random_state", "declared_random_state"), seeds, strict=True))
            facts["split"]["overlap"] = overlap(parts, table.contents, table.y, table.times, table.groups)
            facts["split"]["drift"] = {name: drift.psi(was, test[name]) for name, was in reference["features"].items()}
            facts["interval_of"] = writer.what_is_drawn(use_case, units, y_test, metrics)
            facts["tuning"] = search and search.facts
            facts["notes"] += [*of_split, *found.notes, *(search.notes if search else [])]
            facts["cross_validation"] = writer.how_folds_were_drawn(cv_results)
            facts |= facts_of_looks(config, facts["data"]["frame_sha256"], data, table, parts.test, decided, metrics, registry)
            writer.write(folder, model, fitted, metrics, tables, parts, facts, hydra_files)
            about = units, table.periods(parts.test)
            writer.write_test_scores(folder / "test_scores.parquet", parts.test, y_test, decided, *about)
            artifacts.write_json(folder / "drift_reference.json", reference)
            documents.write(folder, registry)
    for note in facts["notes"]:
        if note not in told:
            log.info(note)
    if said := looks.said(facts["looks"]):
        log.info(said)
    for name, params in search.params.items() if config.save_tuned else ():
        print(os.path.relpath(config_module.save_tuned(use_case.key, name, params)))
    print(writer.closing_line(facts, metrics))
    print(os.path.relpath(run_dir))
    return metrics["val_score"]


def score_folds(
    config: TrainingConfig, recipe: Recipe, table: Table, train, scoring: list[str], n_repeats: int, advance
) -> pd.DataFrame:
    """Cross-validate on the train part, as a table with a row for each fold of each repeat; empty for `cv=none`."""
    import pandas as pd

    from src.training.cross_validation import cross_validate, fold_columns

    if config.cv.method == "none":
        return pd.DataFrame(columns=fold_columns(scoring))
    rows = []
    for repeat, drawn in enumerate(draw_repeats(config.cv, table, train, recipe.task, n_repeats), start=1):
        folds, is_ordered, groups = drawn
        for row in cross_validate(recipe, *table.rows(train), folds, scoring, is_ordered, groups, table.periods(train)):
            rows.append({"repeat": repeat, **row} if n_repeats > 1 else row)
            advance()
    return pd.DataFrame(rows)


def draw_repeats(cv: CrossValidation, table: Table, train, task: str, n_repeats: int) -> list[tuple]:
    """Folds of each repeat, see `draw`; of small tables, which are repeated unasked, as many as hold every class."""
    import numpy as np

    from src.errors import DataError

    if n_repeats == 1:
        return [draw(cv, table, train, task)]
    state, found = np.random.RandomState(cv.random_state), []
    for _ in range(n_repeats):
        try:
            found.append(draw(cv, table, train, task, random_state=state))
        except DataError:
            if cv.n_repeats or not found:
                raise
    return found


def draw(cv: CrossValidation, table: Table, train, task: str, n_folds: int | None = None, random_state=None) -> tuple:
    """Folds of the train part, whether they keep the order of time, and the groups that they keep together."""
    from src.training.cross_validation import draw_folds, make_splitter

    times = table.times[train] if cv.method == "time_series" else None
    groups = table.groups[train] if "group" in cv.method else None
    splitter = make_splitter(cv.method, n_folds or cv.n_folds, cv.shuffle, random_state or cv.random_state)
    return draw_folds(splitter, table.y[train], task, times, groups, table.contents[train]), times is not None, groups


def tune(config: TrainingConfig, recipe: Recipe, table: Table, train, yardstick: Yardstick, advance) -> Found:
    """Search for parameters on the train part."""
    from src.config.settings import distributions
    from src.runs.provenance import frame_sha256
    from src.sweeps.record import code_sha256, fingerprint
    from src.training.ensemble import inner_folds
    from src.tuning.space import Space
    from src.tuning.tune import find

    tuning, settings = config.tuning, config.model_dump(mode="json", exclude={"save_tuned"})
    for name in ("n_workers", "timeout_s", "storage", *(["n_iter"] if tuning.n_iter_only_ends else [])):
        del settings["tuning"][name]  # what does not change a trial
    if config.cv.method != "none":
        folds, is_ordered, groups = draw(config.cv, table, train, recipe.task, tuning.cv)
    else:  # as the parts were cut
        frame, y = table.rows(train)
        folds, is_ordered = inner_folds(recipe, frame, y, tuning.cv), recipe.order_column is not None
        groups = table.groups[train] if recipe.group_column else None
    models = config.members if tuning.method == "auto" else {config.model.name: config.model}
    recipes = recipe.members if tuning.method == "auto" else {config.model.name: recipe}
    spaces = {
        name: Space(recipes[name], model.grid, distributions(model.search_space), model.starting_points)
        for name, model in models.items()
    }
    return find(
        spaces,
        *table.rows(train),
        folds,
        yardstick,
        is_ordered=is_ordered,
        groups=groups,
        periods=table.periods(train),
        units=table.units(train),
        **tuning.model_dump(exclude={"cv"}),
        study=fingerprint(settings, code_sha256(), rows=frame_sha256(table.frame)),
        advance=advance,
    )


if __name__ == "__main__":
    sys.exit(command_line.run(main, sys.argv[1:], HELP))
