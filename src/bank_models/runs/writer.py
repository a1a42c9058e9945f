"""Writer of the run folder: files, metadata, closing line."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from bank_models.data import hashing
from bank_models.files import writing
from bank_models.metrics.figures import score
from bank_models.metrics.headline import headline
from bank_models.metrics.names import METRICS, as_score, is_loss
from bank_models.metrics.weighted import mean
from bank_models.models.estimators import ESTIMATORS, EXTRAS, OURS, named
from bank_models.runs import extensions, provenance
from bank_models.runs.tables import write_tables
from bank_models.training.repeats import described

BASELINES = {"prior": "base rate alone", "mean": "mean alone", "median": "median alone", "quantile": "quantile alone"}
FEW_UNITS = 2  # with fewer there is no interval: see `bank_models.metrics.intervals`

if TYPE_CHECKING:
    import pandas as pd

    from bank_models.config.schema import TrainingConfig
    from bank_models.config.use_case import UseCase
    from bank_models.data.dataset import Dataset
    from bank_models.data.split import Split
    from bank_models.data.table import Table
    from bank_models.metrics.scores import Prediction
    from bank_models.metrics.units import Units
    from bank_models.training.fit import Recipe


def facts_of_directions(recipe: Recipe, broken: dict[str, float]) -> dict[str, Any]:
    """What the record says of the declared directions.

    Parameters
    ----------
    recipe : Recipe
    broken : dict of str to float
        Largest step against its declared direction that each feature was found to take, of `bank_models.evaluation.monotone`.
    """
    directions = {name: feature.monotone for name, feature in recipe.features.items() if feature.monotone}
    return {
        "monotone": directions,
        "monotone_is_enforced": recipe.is_monotone and bool(directions),
        "monotone_violations": {name: step for name, step in broken.items() if step > 0},
    }


def facts_of_parts(parts: Split, y: np.ndarray, weight: np.ndarray | None = None) -> dict[str, Any]:
    """What the record says of the parts that rows were cut into: their hash, rows and (weighted) mean targets."""
    return {
        "sha256": parts.sha256(),
        "n_rows": {name: len(rows) for name, rows in parts.parts().items()},
        "target_mean": {
            name: float(mean(y[rows], None if weight is None else weight[rows])) for name, rows in parts.parts().items()
        },
    }


def what_is_drawn(use_case: UseCase, units: Units, y_test, metrics: dict[str, float]) -> dict[str, Any]:
    """What came into the sample of test rows as a whole, by which its interval goes; and why there is none."""
    ways = ((use_case.group_column, units.entities), (use_case.time_column, units.moments))
    n_units = {name: int(codes.max()) + 1 for name, codes in ways if codes is not None}
    facts = {"drawn": n_units or {"rows": len(y_test)}, "horizon": units.horizon}
    if headline(use_case.metric, metrics).low is None:
        facts["lacks"] = _why_no_interval(use_case, y_test, facts["drawn"])
    return facts


def _why_no_interval(use_case: UseCase, y_test, n_units: dict[str, int]) -> str:
    if not METRICS[use_case.metric].has_interval:
        return f"{use_case.metric} is no smooth function of its rows: how far it may be off cannot be told from them"
    few = [f"{n} of {name}" for name, n in n_units.items() if n < FEW_UNITS]
    if few:
        return f"the test rows come from {' and '.join(few)}: too few to tell how far the score may be off"
    rarest = np.unique(y_test, return_counts=True)[1].min()
    if use_case.task != "regression" and rarest < FEW_UNITS:
        return f"test has {rarest} rows of the rarest class: too few to tell how far the score may be off"
    return f"{use_case.metric} is at its bound, does not vary among the test rows, or these depend too much on one another"


def facts_of_rows(
    config: TrainingConfig, recipe: Recipe, data: Dataset, table: Table, durations_s: dict[str, float]
) -> dict[str, Any]:
    """What there is to say of every run, with labels or without: where its rows and its model came from."""
    use_case, settings = config.use_case, config.model_dump(mode="json")
    return {
        "use_case_id": use_case.id,
        "use_case_key": use_case.key,
        "model": settings["model"]["name"],
        "algorithm": named(recipe.estimator, recipe.params),
        "metric": use_case.metric,
        "created_at": provenance.now(),
        "config": settings,
        "data": {
            **data.provenance,
            "frame_sha256": hashing.frame_sha256(table.valid.frame),
            "n_valid_rows": len(table.frame),
        },
        "feature_count": len(recipe.features),
        "feature_names": list(recipe.features),
        "seed": recipe.random_state,
        "n_threads": recipe.n_threads,
        "notes": [*data.notes, *table.valid.notes],
        "durations_s": durations_s,
        "environment": provenance.environment(packages_of(recipe), recipe.device),
        **({"extensions": used} if (used := extensions.used_by(settings)) else {}),
    }


def how_folds_were_drawn(cv_results: pd.DataFrame) -> dict[str, int] | None:
    """How many folds there were, and how often they were drawn; None without cross-validation."""
    if cv_results.empty:
        return None
    n_repeats = cv_results["repeat"].nunique() if "repeat" in cv_results else 1
    return {"n_folds": int(cv_results["fold"].max()), "n_repeats": int(n_repeats)}


def packages_of(recipe: Recipe) -> set[str]:
    """What had to be installed for a recipe beside what every run needs."""
    used = {one.estimator for one in (recipe, *recipe.members.values())}
    extras = {ESTIMATORS[name].extra for name in used} - {None}
    of_extensions = {package for name in used - set(OURS) for package in ESTIMATORS[name].packages}
    return {package for extra in extras for package in EXTRAS[extra]} | of_extensions


def write(
    folder: Path, metrics: dict[str, float], tables: dict[str, pd.DataFrame], facts: dict[str, Any], hydra_files: dict[str, str]
) -> None:
    """Write what an evaluation gave, and the record of the run, into a folder."""
    writing.write_json(folder / "feature_names.json", facts["feature_names"])
    writing.write_json(folder / "metrics.json", metrics)
    writing.write_json(folder / "metadata.json", facts)
    (folder / "plots").mkdir()
    write_tables(folder, tables)
    for name, text in hydra_files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")


def write_clusters(path: Path, labels: np.ndarray) -> None:
    """Save the cluster of every row: -1 is noise."""
    pq.write_table(pa.table({"cluster": labels.astype("int32")}), path, write_page_checksum=True)


def write_test_scores(path: Path, rows: np.ndarray, y_true, decided: Prediction, units: Units, periods=None) -> None:
    """Save the predictions for the test rows, by which a later version can be compared with this one, row by row.

    Columns `row` (position among the valid rows), `y_true`, `decision`, `score` or `score_0`, `score_1`, … of each class, and
    codes of the `cluster` and the `period` of a row where there are some, and its `weight` where rows have weights.
    """
    scores = decided.score.T if decided.score.ndim == 2 else [decided.score]
    names = [f"score_{code}" for code in range(len(scores))] if decided.score.ndim == 2 else ["score"]
    columns = {"row": rows, "y_true": y_true, "decision": decided.decision, **dict(zip(names, scores, strict=True))}
    for name, values in (("entity", units.entities), ("moment", units.moments), ("period", periods)):
        if values is not None:
            columns[name] = np.unique(values, return_inverse=True)[1].astype("int32")
    columns |= {} if units.weight is None else {"weight": units.weight}
    pq.write_table(pa.table(columns), path, write_page_checksum=True)


def closing_line(facts: dict[str, Any], metrics: dict[str, float]) -> str:
    """Use case, model, score with its interval, and what it must be read beside."""
    metric = facts["metric"]
    beside = _beside(metric, metrics[f"test_{metric}"], metrics[f"baseline_{metric}"], facts["baseline"])
    if f"ceiling_{metric}" in metrics:
        beside += f", ceiling {score(metrics[f'ceiling_{metric}'])}"
    folds = described(metrics, metric, facts.get("cross_validation"))
    return (
        f"{facts['use_case_key']} · {facts['model']}   {metric} {score(metrics[f'test_{metric}'])} "
        f"{_between(metrics, metric)} on {_test_rows(facts)}"
        f"{', cross-validated ' if folds else ''}{folds}   ({beside})"
    )


def _beside(metric: str, value: float, baseline: float, named: str) -> str:
    """The baseline in words, and whether the model is worse than that: `worse than seasonal naive 0.910, lower is better`."""
    said = f"{BASELINES.get(named, named.replace('_', ' '))} {score(baseline)}"
    if as_score(metric, value) >= as_score(metric, baseline):
        return said
    return f"worse than {said}{', lower is better' if is_loss(metric) else ''}"


def closing_line_of_clusters(facts: dict[str, Any], metrics: dict[str, float]) -> str:
    """Use case, model, score of a clustering, and what it must be read beside."""
    metric, n_rows = facts["metric"], facts["data"]["n_valid_rows"]
    found = f"{metrics[metric]:.3f}" if metric in metrics else "is not defined"
    beside = f"{metrics['n_clusters']:.0f} clusters, noise {metrics['noise_rate']:.3f}, stability {metrics['stability']:.3f}"
    return (
        f"{facts['use_case_key']} · {facts['model']}   {metric} {found} on {n_rows:,} {facts['data']['kind']} rows   ({beside})"
    )


def _between(metrics: dict[str, float], metric: str) -> str:
    found = headline(metric, metrics)
    return "[no interval]" if None in (found.low, found.high) else f"[{score(found.low)}, {score(found.high)}]"


def _test_rows(facts: dict[str, Any]) -> str:
    """How many rows were tested, and of what: real, simulated, or those of a file or query."""
    n, kind = facts["split"]["n_rows"]["test"], facts["data"]["kind"]
    by = f", weighted by {facts['weights']['column']}" if "weights" in facts else ""
    path = (facts["config"].get("data_source") or {}).get("path")
    if kind == "file" and path:
        return f"{n:,} test rows of {Path(path).name}{by}"
    if kind == "extension":
        return f"{n:,} test rows of {facts['data']['source']}{by}"
    return f"{n:,} test rows of a query{by}" if kind == "sql" else f"{n:,} {kind} test rows{by}"
