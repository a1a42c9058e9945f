"""False alarms and power of what stands between a run and production: the leak check, the gates, the comparison.

    python bench/noise.py [--seeds 100] [--only noise leaks clean gates power] [--out noise.md] [--jobs 2]

- `noise`: models of tables whose target has nothing to do with the features, through the route of the product: load, split,
  leak check, fit, evaluate, gates. Printed is the share that would go into production, as a first version and in place of the
  one before it. The goal is at most 5 % of each kind of table.
- `leaks`: columns that know the target, planted into real tables, through the leak check. The goal is that 95 % are named.
- `clean`: the columns of the real tables as they are. The goal is that at most 2 % are named.
- `gates`: models of an honest signal, registered and judged one after the other: how often each gate is red for nothing.
- `power`: two models whose difference is known, by their scores alone: how often the challenger replaces the other.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import functools
import io
import logging
import os
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig, OmegaConf
from scipy.special import expit, logit
from scipy.stats import norm, rankdata

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
sys.path.insert(0, str(ROOT / "src"))

from bank_models.config import settings  # noqa: E402
from bank_models.config.schema import TrainingConfig  # noqa: E402
from bank_models.data import load  # noqa: E402
from bank_models.data.split import row_keys, split  # noqa: E402
from bank_models.data.table import make_table  # noqa: E402
from bank_models.errors import ConfigError, DataError  # noqa: E402
from bank_models.evaluation import leakage  # noqa: E402
from bank_models.metrics.influence import value_of  # noqa: E402
from bank_models.metrics.scores import Prediction  # noqa: E402
from bank_models.pipeline.run import train  # noqa: E402
from bank_models.registry import promotion  # noqa: E402
from bank_models.registry.store import open_registry  # noqa: E402
from bank_models.runs.comparison import Results, of_folder  # noqa: E402

CONF = ROOT / "conf"
MOST_PROMOTED, LEAST_NAMED, MOST_FALSE = 0.05, 0.95, 0.02
QUIET = ["registry=none", "tracking=none", "cv=none", "n_threads=1"]
SMALL = ["model=lightgbm", "model.params.n_estimators=20", "model.params.num_leaves=4", "model.params.min_child_samples=5"]
LINEAR = {"binary": "logistic_regression", "multiclass": "logistic_regression", "regression": "linear_regression"}
START = pd.Timestamp("2020-01-01")


@dataclasses.dataclass(frozen=True)
class World:
    """A table, what its use case says of it, and how it is split.

    Attributes
    ----------
    frame : DataFrame
    facts : dict
        Of the use case: `task`, `metric`, and what else is not usual.
    split : str
    """

    frame: pd.DataFrame
    facts: dict[str, Any]
    split: str = "random"


def series(rng: np.random.Generator, n: int, phi: float, n_series: int = 1) -> np.ndarray:
    """Autoregressive series of variance 1, one in each column."""
    shocks, found = rng.normal(size=(n, n_series)) * np.sqrt(1 - phi**2), rng.normal(size=(n, n_series))
    for i in range(1, n):
        found[i] = phi * found[i - 1] + shocks[i]
    return found


def labels(rng: np.random.Generator, latent: np.ndarray, task: str, rate: float = 0.3) -> np.ndarray:
    """A target that depends on the shocks alone which rows share."""
    if task == "binary":
        return (rng.random(len(latent)) < expit(logit(rate) + latent)).astype(int)
    value = latent + rng.normal(size=len(latent))
    if task == "regression":
        return np.exp(3 + 0.5 * value)
    return np.array(["high", "low", "middle"])[np.searchsorted(np.quantile(value, [0.2, 0.5]), value)]


# Kinds of table, whose features know nothing of the target


def tiny(rng: np.random.Generator, seed: int) -> World:
    """110 to 200 rows with some columns that are alike, and categories."""
    n, task = int(rng.integers(110, 200)), ("binary", "multiclass", "binary", "regression")[seed % 4]
    shared = rng.normal(size=(n, 1))
    frame = pd.DataFrame(0.7 * shared + 0.7 * rng.normal(size=(n, 6)), columns=[f"x{i}" for i in range(6)])
    frame["region"] = rng.choice(["north", "south", "east"], n)
    frame["y"] = labels(rng, np.zeros(n), task, 0.4)
    metric = {"binary": ("roc_auc", "average_precision", "f1")[seed // 4 % 3], "multiclass": "f1_macro", "regression": "mae"}[
        task
    ]
    return World(frame, {"task": task, "metric": metric}, "random" if task == "regression" else "stratified")


def few_clusters(rng: np.random.Generator, seed: int) -> World:
    """Rows of 20 to 60 branches, 2 to 6 of them in test; what a branch is like is in its features and in its target."""
    n_clusters, task = int(rng.integers(20, 61)), ("binary", "binary", "regression")[seed % 3]
    cluster = rng.integers(0, n_clusters, 900)
    level = rng.normal(size=(n_clusters, 6))
    frame = pd.DataFrame(0.8 * level[cluster, :5] + 0.6 * rng.normal(size=(900, 5)), columns=[f"x{i}" for i in range(5)])
    frame["region"] = rng.choice(["north", "south", "east"], n_clusters)[cluster]
    frame["branch"] = cluster
    frame["y"] = labels(rng, level[cluster, 5], task)
    metric = {"binary": ("roc_auc", "average_precision", "log_loss")[seed // 3 % 3], "regression": ("mae", "r2")[seed // 3 % 2]}
    return World(frame, {"task": task, "metric": metric[task], "group_column": "branch"}, "group")


def few_positives(rng: np.random.Generator, seed: int) -> World:
    """2,500 rows, 25 to 60 of them positive, so that test has 2 to 6."""
    frame = pd.DataFrame(rng.gamma(2, 100, (2500, 8)), columns=[f"x{i}" for i in range(8)])
    frame["product"] = rng.choice(list("abcdef"), 2500)
    frame["y"] = 0
    frame.loc[rng.choice(2500, int(rng.integers(25, 61)), replace=False), "y"] = 1
    return World(frame, {"task": "binary", "metric": ("roc_auc", "average_precision")[seed % 2]}, "stratified")


def panel(rng: np.random.Generator, seed: int) -> World:
    """Entities by months, the newest months in test: shocks of a month and of an entity that fade, in features and target."""
    n_entities, n_moments = ((40, 60), (10, 120), (100, 24))[seed % 3]
    task = ("binary", "regression")[seed // 3 % 2]
    moment, entity = (each.ravel() for each in np.indices((n_moments, n_entities)))
    of_moment, of_entity = (
        series(rng, n_moments, 0.5, 6),
        series(rng, n_moments, 0.6, 6 * n_entities).reshape(n_moments, n_entities, 6),
    )
    latent = 0.6 * of_moment[moment] + 0.6 * of_entity[moment, entity]
    constant = rng.normal(size=(n_entities, 5))[entity]
    values = 0.7 * latent[:, :5] + 0.5 * constant + 0.5 * rng.normal(size=(len(moment), 5))
    frame = pd.DataFrame(values, columns=[f"x{i}" for i in range(5)])
    frame["customer"], frame["month"] = entity, START + pd.to_timedelta(moment * 30, "D")
    frame["y"] = labels(rng, latent[:, 5], task)
    if task == "regression":
        frame["y"] = np.log(frame["y"])
    metric = {"binary": ("roc_auc", "average_precision"), "regression": ("information_coefficient", "mae", "r2")}[task]
    facts = {"task": task, "metric": metric[seed // 6 % len(metric)], "group_column": "customer", "time_column": "month"}
    return World(frame, facts, "temporal")


def one_series(rng: np.random.Generator, seed: int) -> World:
    """300 to 1,000 days of one entity, the newest in test; features and target depend on the day before."""
    n, phi, task = int(rng.integers(300, 1001)), float(rng.choice([0.3, 0.6, 0.9])), ("regression", "binary")[seed % 2]
    frame = pd.DataFrame(series(rng, n, phi, 5), columns=[f"x{i}" for i in range(5)])
    frame["day"] = START + pd.to_timedelta(np.arange(n), "D")
    latent = series(rng, n, phi)[:, 0]
    frame["y"] = labels(rng, 1.5 * latent, task, 0.5)
    metric = {"binary": ("roc_auc", "average_precision"), "regression": ("mae", "r2", "rmsle")}[task]
    return World(frame, {"task": task, "metric": metric[seed // 2 % len(metric)], "time_column": "day"}, "temporal")


def many_columns(rng: np.random.Generator, seed: int) -> World:
    """320 columns of noise in 400 rows, in blocks that are alike."""
    task = ("binary", "multiclass", "binary", "regression")[seed % 4]
    blocks = np.repeat(rng.normal(size=(400, 32)), 10, axis=1)
    frame = pd.DataFrame(0.6 * blocks + 0.8 * rng.normal(size=(400, 320)), columns=[f"x{i}" for i in range(320)])
    frame["y"] = labels(rng, np.zeros(400), task)
    metric = {"binary": ("roc_auc", "average_precision")[seed // 4 % 2], "multiclass": "f1_macro", "regression": "mae"}[task]
    return World(frame, {"task": task, "metric": metric}, "random" if task == "regression" else "stratified")


KINDS: dict[str, Callable[[np.random.Generator, int], World]] = {
    "tiny": tiny,
    "few clusters": few_clusters,
    "few positives": few_positives,
    "panel": panel,
    "series": one_series,
    "many columns": many_columns,
}


# The route of the product


@functools.cache
def composed(*overrides: str) -> DictConfig:
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return compose("config", overrides=list(overrides))


def declared(frame: pd.DataFrame, facts: dict[str, Any]) -> dict[str, Any]:
    """The facts of a use case of the columns of a table."""
    others = {"y", facts.get("group_column"), facts.get("time_column"), *facts.get("protected", ())}
    kinds = {name: "category" if frame[name].dtype.kind in "OTU" else "float" for name in frame if name not in others}
    features = {
        name: {"type": kind} | ({"categories": sorted(frame[name].unique())} if kind == "category" else {})
        for name, kind in kinds.items()
    }
    classes = {"classes": ["low", "middle", "high"]} if facts["task"] == "multiclass" else {}
    about = {"id": "UC-RISK-999", "key": "noise", "name": "Noise", "department": "bench", "row": "a row", "target": "y"}
    return about | classes | facts | {"features": features}


def configured(world: World, path: Path, seed: int, model: list[str]) -> TrainingConfig:
    """The configuration of a run on a table in a file."""
    split = f"data_split={world.split}"
    cfg = composed("use_case=credit_scoring", "data_source=file", split, *model, *QUIET).copy()
    OmegaConf.set_struct(cfg, False)
    cfg.use_case, cfg.data_source.path, cfg.seed = declared(world.frame, world.facts), str(path), seed
    cfg.data_split.random_state = None if world.split == "temporal" else seed
    return settings.read(cfg)


def model_of(kind: str, task: str, seed: int) -> list[str]:
    """A small model: linear and boosted in turn."""
    return SMALL if kind == "many columns" or seed // 12 % 2 else [f"model={LINEAR[task]}"]


def trained(world: World, model: list[str], seed: int, folder: Path) -> Path:
    """The folder of a run."""
    world.frame.to_parquet(folder / "rows.parquet")
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        train(configured(world, folder / "rows.parquet", seed, model), folder / "run", {})
    return folder / "run"


def noise(kind: str, seed: int) -> dict[str, Any]:
    """What becomes of one noise model: whether a gate stops it, and its results."""
    world = KINDS[kind](np.random.default_rng([seed, list(KINDS).index(kind)]), seed)
    model, found = model_of(kind, world.facts["task"], seed), None
    with tempfile.TemporaryDirectory() as folder, contextlib.suppress(DataError):
        found = of_folder(trained(world, model, seed, Path(folder)))
    red = [gate.name for gate in promotion.demands(found) if not gate.is_met] if found else ["refused"]
    return {"kind": kind, "seed": seed, "metric": world.facts["metric"], "model": model[0], "red": red, "results": found}


def challenges(runs: list[dict[str, Any]]) -> Iterator[bool]:
    """Whether each noise model would replace the one before it of the same kind, metric and model."""
    before: dict[tuple, Results] = {}
    for run in runs:
        place, mine = (run["kind"], run["metric"], run["model"]), run["results"]
        if mine is not None and place in before:
            rival = dataclasses.replace(before[place], version="1.0.0")
            judged = promotion.comparisons(mine, rival)
            yield not run["red"] and all(gate.is_met for gate in judged)
        if mine is not None:
            before[place] = mine


def table_of_noise(runs: list[dict[str, Any]]) -> tuple[list[list[str]], list[str]]:
    rows, missed = [], []
    for kind in dict.fromkeys(run["kind"] for run in runs):
        of_kind = [run for run in runs if run["kind"] == kind]
        promoted = [run for run in of_kind if not run["red"]]
        replaced = list(challenges(of_kind))
        share = len(promoted) / len(of_kind)
        metrics = dict.fromkeys(run["metric"] for run in of_kind)
        each = [
            f"{metric} {sum(run['metric'] == metric for run in promoted)}/{sum(run['metric'] == metric for run in of_kind)}"
            for metric in metrics
        ]
        n_refused = sum(run["red"] == ["refused"] for run in of_kind)
        is_missed = share > MOST_PROMOTED
        missed += [f"noise, {kind}: {share:.1%} promoted"] if is_missed else []
        rows.append([kind, str(len(of_kind)), str(n_refused), f"{share:.1%}" + (" **missed**" if is_missed else ""),
                     f"{np.mean(replaced) if replaced else 0:.1%}", ", ".join(each)])  # fmt: skip
    return rows, missed


# Leaks


@dataclasses.dataclass(frozen=True)
class Known:
    """Training rows of a real table, as the leak check of a run sees them."""

    name: str
    rows: pd.DataFrame
    y: np.ndarray
    task: str
    known_in_time: frozenset[str]
    has_time: bool


def real_tables() -> list[tuple[str, ...]]:
    """What to compose for every real table with a target: the use cases that have one, and their proxies."""
    found: dict[str, tuple[str, ...]] = {}
    for path in sorted((CONF / "use_case").glob("*.yaml")):
        use_case = settings.read(composed(f"use_case={path.stem}")).use_case
        if use_case.key == path.stem and use_case.task in LINEAR:
            for name in filter(None, [use_case.packaged, *use_case.proxies]):
                found.setdefault(name, (f"use_case={path.stem}", "data_source=packaged", f"data_source.name={name}"))
    return list(found.values())


@functools.cache
def prepared(overrides: tuple[str, ...]) -> Known:
    """Training rows as a run draws them; a proxy's are drawn at random where it has no time or groups."""
    try:
        chosen = settings.read(composed(*overrides))
    except ConfigError as error:
        told = [word.rstrip(":.,") for word in str(error).split()]
        instead = [word for word in told if word.startswith(("data_split=", "cv=", "use_case.cost=")) and word not in overrides]
        if not instead:
            raise
        return prepared((*overrides, *instead))
    use_case = chosen.use_case
    table = make_table(load.load(use_case=use_case, **chosen.data_source.model_dump()), use_case)
    keys = row_keys(table.frame, use_case.group_column) if chosen.data_split.method == "hashed" else table.groups
    how = chosen.data_split.how
    parts = split(table.y, **how, task=use_case.task, times=table.times, keys=keys, contents=table.contents)
    rows, y = table.rows(parts.train)
    name, known = chosen.data_source.name, frozenset(use_case.known_in_time)
    return Known(name, rows[list(use_case.features)], y, use_case.task, known, table.times is not None)


ROWS_OF_PLANTED = 6_000
Planted = tuple[pd.DataFrame, np.ndarray, tuple[str, ...]]


def _mistaken(rng: np.random.Generator, y: np.ndarray, share: float = 0.02) -> np.ndarray:
    """The target as somebody wrote it down, with a few mistakes."""
    return np.where(rng.random(len(y)) < share, rng.permutation(y), y)


def monotone(rng: np.random.Generator, rows: pd.DataFrame, y: np.ndarray) -> Planted:
    return rows.assign(leak=y + rng.normal(size=len(y)) * rng.uniform(0.1, 0.35)), y, ("leak",)


def middle_band(rng: np.random.Generator, rows: pd.DataFrame, y: np.ndarray) -> Planted:
    outside = rng.choice([-1, 1], len(y)) * rng.uniform(1, 6, len(y))
    return rows.assign(leak=np.where(_mistaken(rng, y) == 1, rng.uniform(-1, 1, len(y)), outside)), y, ("leak",)


def pair(rng: np.random.Generator, rows: pd.DataFrame, y: np.ndarray) -> Planted:
    due = rng.gamma(5, 100, len(y))
    share = np.where(_mistaken(rng, y, 0.01) == 1, rng.uniform(0, 0.8, len(y)), rng.uniform(1, 1.5, len(y)))
    return rows.assign(due=due, paid=due * share), y, ("due", "paid")


def text(rng: np.random.Generator, rows: pd.DataFrame, y: np.ndarray) -> Planted:
    words = rng.choice(["paid", "late", "call", "branch", "card", "loan", "letter", "new", "old"], (len(y), 6))
    notes = [" ".join(each) for each in words]
    told = [f"{note} charged off" if label else note for note, label in zip(notes, _mistaken(rng, y), strict=True)]
    return rows.assign(note=pd.Series(told, index=rows.index, dtype="str")), y, ("note",)


def category(rng: np.random.Generator, rows: pd.DataFrame, y: np.ndarray) -> Planted:
    codes = np.char.add(np.char.add("s", _mistaken(rng, y).astype(int).astype(str)), rng.choice(list("abcd"), len(y)))
    return rows.assign(status=pd.Categorical(codes)), y, ("status",)


def of_a_number(rng: np.random.Generator, rows: pd.DataFrame, y: np.ndarray) -> Planted:
    """The rank of the target, nearly; or with its two middle quarters exchanged, so that it does not grow with the target."""
    place = rankdata(y) / len(y)
    if rng.random() < 0.5:
        place = place + 0.25 * ((place > 0.25) & (place <= 0.5)) - 0.25 * ((place > 0.5) & (place <= 0.75))
    return rows.assign(leak=place + rng.normal(size=len(y)) * rng.uniform(0.005, 0.015)), y, ("leak",)


def of_several_classes(rng: np.random.Generator, rows: pd.DataFrame, y: np.ndarray) -> Planted:
    written = _mistaken(rng, y).astype(int)
    as_number = rng.permutation(written.max() + 1)[written] + rng.normal(size=len(y)) * 0.1
    return rows.assign(leak=as_number if rng.random() < 0.5 else pd.Categorical(written.astype(str))), y, ("leak",)


def group_id(rng: np.random.Generator, rows: pd.DataFrame, y: np.ndarray) -> Planted:
    """Numbers of customers of 6 to 12 rows, each with one outcome."""
    size = int(rng.integers(6, 13))
    place = np.argsort(np.argsort(_mistaken(rng, y, 0.01) + rng.random(len(y)) * 1e-6))
    number = rng.choice(10_000_000, len(y) // size + 1, replace=False)[place // size]
    return (
        rows.assign(customer=number.astype("float64") if rng.random() < 0.5 else pd.Categorical(number.astype(str))),
        y,
        ("customer",),
    )


def row_order(rng: np.random.Generator, rows: pd.DataFrame, y: np.ndarray) -> Planted:
    order = np.argsort(rankdata(y) / len(y) + rng.normal(size=len(y)) * rng.uniform(0.01, 0.4), kind="stable")
    return rows.iloc[order], y[order], (leakage.ROWS,)


LEAKS: dict[str, tuple[Callable[..., Planted], tuple[str, ...]]] = {
    "monotone": (monotone, ("binary",)),
    "middle band": (middle_band, ("binary",)),
    "pair": (pair, ("binary",)),
    "text": (text, ("binary",)),
    "category": (category, ("binary", "multiclass")),
    "regression": (of_a_number, ("regression",)),
    "multiclass": (of_several_classes, ("multiclass",)),
    "group id": (group_id, ("binary", "multiclass")),
    "row order": (row_order, ("binary", "multiclass", "regression")),
}


def named(overrides: tuple[str, ...], seeds: int) -> list[dict[str, Any]]:
    """Which planted leaks the check names in a real table, each in some seeds."""
    found, table = [], prepared(overrides)
    n = min(len(table.y), ROWS_OF_PLANTED)
    for kind, (plant, tasks) in LEAKS.items():
        for seed in range(seeds if table.task in tasks else 0):
            rng = np.random.default_rng([seed, len(table.rows)])
            some = np.sort(rng.choice(len(table.y), n, replace=False))
            rows, y, columns = plant(rng, table.rows.iloc[some], table.y[some])
            suspects = leakage.find(rows, y, table.task, seed, is_in_time=False)
            is_named = any(set(suspect.columns) <= set(columns) for suspect in suspects)
            found.append({"kind": kind, "table": table.name, "seed": seed, "is_named": is_named})
    return found


def table_of_leaks(found: list[dict[str, Any]]) -> tuple[list[list[str]], list[str]]:
    rows, missed = [], []
    for kind in LEAKS:
        of_kind = [each for each in found if each["kind"] == kind]
        if not of_kind:
            continue
        share = np.mean([each["is_named"] for each in of_kind])
        where = dict.fromkeys(each["table"] for each in of_kind if not each["is_named"])
        is_missed = share < LEAST_NAMED
        missed += [f"leak, {kind}: {share:.1%} named"] if is_missed else []
        rows.append([kind, str(len({each["table"] for each in of_kind})), str(len(of_kind)),
                     f"{share:.1%}" + (" **missed**" if is_missed else ""), ", ".join(where)])  # fmt: skip
    return rows, missed


def accused(overrides: tuple[str, ...], seeds: int) -> dict[str, Any]:
    """Columns of a real table as it is that the check names in some seed, but for those that are known in time."""
    table, columns, order = prepared(overrides), {}, set()
    for seed in range(seeds):
        for suspect in leakage.find(table.rows, table.y, table.task, seed, table.has_time):
            if suspect.is_of_order:
                order.add(f"{suspect.metric} {suspect.value:.2f}")
            elif not set(suspect.columns) <= table.known_in_time:
                columns |= dict.fromkeys(suspect.columns, f"{suspect.value:.3f}")
    return {"table": table.name, "n_columns": table.rows.shape[1], "columns": columns, "order": sorted(order)}


def table_of_clean(found: list[dict[str, Any]]) -> tuple[list[list[str]], list[str]]:
    n_columns, n_named = (sum(len(each["columns"]) if of else each["n_columns"] for each in found) for of in (0, 1))
    rows = [
        [each["table"], str(each["n_columns"]), ", ".join(each["columns"]), ", ".join(each["order"])]
        for each in found
        if each["columns"] or each["order"]
    ]
    share = n_named / n_columns
    is_missed = share > MOST_FALSE
    said = f"{n_named} of {n_columns} columns, {share:.1%}" + (" **missed**" if is_missed else "")
    rows.append([f"all {len(found)} tables", str(n_columns), said, ""])
    return rows, [f"clean columns: {said}"] if is_missed else []


# Gates on honest models


def honest(rng: np.random.Generator, n: int) -> World:
    """Applicants whose default can be foreseen (ROC-AUC about 0.8), and whose sex has nothing to do with it."""
    values = rng.normal(size=(n, 8))
    frame = pd.DataFrame(values, columns=[f"x{i}" for i in range(8)])
    frame["product"] = rng.choice(["card", "loan", "overdraft"], n)
    latent = 1.2 * values[:, 0] - 0.7 * values[:, 1] + 0.4 * values[:, 2] + 0.3 * (frame["product"] == "loan")
    frame["y"] = labels(rng, latent.to_numpy(), "binary", 0.25)
    frame["sex"] = rng.choice(["female", "male"], n)
    return World(frame, {"task": "binary", "metric": "roc_auc", "protected": ["sex"], "favourable": 0}, "stratified")


def judged(n: int, chain: int, length: int) -> list[list[tuple[str, bool]]]:
    """Every gate of versions of one use case, each trained on new rows and put into production whatever its gates say."""
    found = []
    with tempfile.TemporaryDirectory() as folder:
        registry, current = open_registry(Path(folder, "models")), None
        for place in range(length):
            seed = chain * length + place
            of_run = Path(folder, str(place))
            of_run.mkdir()
            world = honest(np.random.default_rng([seed, n]), n)
            run_dir = trained(world, model_of("honest", "binary", 12 * seed), seed, of_run)
            version = registry.register(run_dir, by="bench", use_case="noise")
            answers = promotion.judge(version, current, registry.once_in_production("noise"))
            found.append([(gate.name, gate.is_met) for gate in answers])
            registry.promote(version, current, "bench", "measured", [gate.as_dict() for gate in answers], True)
            current = registry.find("noise")
    return found


def table_of_gates(found: dict[int, list[list[tuple[str, bool]]]]) -> list[list[str]]:
    names = dict.fromkeys(name for versions in found.values() for version in versions for name, _ in version)
    rows = []
    for name in names:
        of_size = []
        for versions in found.values():
            answers = [is_met for version in versions for gate, is_met in version if gate == name]
            of_size.append(f"{1 - np.mean(answers):.1%} of {len(answers)}" if answers else "")
        rows.append([name, *of_size])
    return rows


# Power of a promotion


RATE, PRODUCTION, ALIKE = 0.3, 0.75, 0.8
DIFFERENCES = (-0.075, -0.05, -0.02, -0.01, 0.0, 0.01, 0.02, 0.05)


def pair_of_results(rng: np.random.Generator, n: int, better_by: float, are_same_rows: bool) -> tuple[Results, Results]:
    """A challenger and what is in production, whose ROC-AUC differ; their errors are alike where rows are the same."""
    y = (rng.random(n) < RATE).astype("int8")
    shared, other = rng.normal(size=(2, n))
    found = []
    for version, auc in ((None, PRODUCTION + better_by), ("1.0.0", PRODUCTION)):
        if version and not are_same_rows:
            y, shared = (rng.random(n) < RATE).astype("int8"), rng.normal(size=n)
        error = shared if version else ALIKE * shared + np.sqrt(1 - ALIKE**2) * other
        apart = np.sqrt(2) * norm.ppf(auc)
        score = expit(apart * (apart * y + error) - apart**2 / 2 + logit(RATE))  # what a calibrated model would say
        rows = np.arange(n) if are_same_rows or version else np.arange(n, 2 * n)
        scores = pd.DataFrame({"row": rows, "y_true": y, "decision": (score >= 0.5).astype("int8"), "score": score})
        said = Prediction(score, scores["decision"].to_numpy())
        values = {name: value_of(name, y, said, 2) for name in ("roc_auc", "brier_score_loss")}
        metrics = {f"test_{name}": value for name, value in values.items()} | {"gain_roc_auc": values["roc_auc"] - 0.5}
        use_case = {"task": "binary", "classes": None, "quantile": None, "margin": None}
        found.append(Results({"metric": "roc_auc", "config": {"use_case": use_case}}, metrics, version, scores))
    return found[0], found[1]


def replaces(n: int, better_by: float, are_same_rows: bool, draws: int) -> dict[str, float]:
    """How often a challenger replaces what is in production, and how often each gate would let it."""
    rng, met = np.random.default_rng([n, round(1000 * (1 + better_by)), are_same_rows]), []
    for _ in range(draws):
        mine, rival = pair_of_results(rng, n, better_by, are_same_rows)
        met.append({gate.name: gate.is_met for gate in promotion.comparisons(mine, rival)})
    return {"all": np.mean([all(each.values()) for each in met])} | {
        name: np.mean([each[name] for each in met]) for name in met[0]
    }


def table_of_power(found: dict[tuple[int, float, bool], dict[str, float]]) -> list[list[str]]:
    sizes = dict.fromkeys(n for n, _, _ in found)
    return [
        [
            f"{better_by:+.3f}" if better_by else "equal",
            *(f"{found[n, better_by, same]['all']:.1%}" for same in (True, False) for n in sizes),
        ]
        for better_by in dict.fromkeys(by for _, by, _ in found)
    ]


def markdown(head: list[str], rows: list[list[str]]) -> str:
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, ["---"] * len(head), *rows))


SIZES_OF_TEST = (200, 1000, 5000)
SIZES = (1000, 4000)
CHAIN = 5


def measure(only: list[str], seeds: int, pool) -> Iterator[tuple[str, str, list[str]]]:
    """Title, table and what is missed of each part."""
    if "noise" in only:
        work = [(kind, seed) for kind in KINDS for seed in range(seeds)]
        rows, missed = table_of_noise(list(pool.map(noise, *zip(*work, strict=True), chunksize=5)))
        head = ["noise models of tables", "runs", "refused", "promoted", "in place of the last", "promoted of each metric"]
        yield "Noise models", markdown(head, rows), missed
    tables = real_tables() if {"leaks", "clean"} & {*only} else []
    few = max(1, seeds // 20)
    if "leaks" in only:
        found = [each for of_table in pool.map(named, tables, [few] * len(tables)) for each in of_table]
        rows, missed = table_of_leaks(found)
        yield "Planted leaks", markdown(["leak", "tables", "tries", "named before fitting", "not in"], rows), missed
    if "clean" in only:
        rows, missed = table_of_clean(list(pool.map(accused, tables, [few] * len(tables))))
        yield "Clean columns", markdown(["table", "columns", "named", "by the order of its rows"], rows), missed
    if "gates" in only:
        found = {n: [] for n in SIZES}
        work = [(n, chain) for n in SIZES for chain in range(max(1, seeds // CHAIN))]
        for (n, _), versions in zip(work, pool.map(judged, *zip(*work, strict=True), [CHAIN] * len(work)), strict=True):
            found[n] += versions
        head = ["gate", *(f"red, of {n:,} rows" for n in SIZES)]
        yield "Gates on honest models", markdown(head, table_of_gates(found)), []
    if "power" in only:
        work = [(n, by, same) for by in DIFFERENCES for same in (True, False) for n in SIZES_OF_TEST]
        draws = [seeds] * len(work)
        found = dict(zip(work, pool.map(replaces, *zip(*work, strict=True), draws), strict=True))
        ways = [f"{n:,} {what}" for what in ("same test rows", "other test rows") for n in SIZES_OF_TEST]
        yield "Promoted in place of a ROC-AUC of 0.75", markdown(["better by", *ways], table_of_power(found)), []


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parts = ["noise", "leaks", "clean", "gates", "power"]
    parser.add_argument("--seeds", type=int, default=100, help="noise models of each kind; of the rest what that is worth")
    parser.add_argument("--only", nargs="+", default=parts, choices=parts)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--jobs", type=int, default=len(os.sched_getaffinity(0)))
    args = parser.parse_args()
    logging.disable(logging.WARNING)
    texts, missed = [], []
    with ProcessPoolExecutor(args.jobs) as pool:
        for title, text, of_part in measure(args.only, args.seeds, pool):
            texts.append(f"**{title}**\n\n{text}\n")
            missed += of_part
            print(texts[-1], flush=True)
    if args.out is not None:
        args.out.write_text(f"{args.seeds} seeds.\n\n" + "\n".join(texts), encoding="utf-8")
        print(args.out)
    for each in missed:
        print(f"missed: {each}")


if __name__ == "__main__":
    main()
