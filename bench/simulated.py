"""What the simulated use cases hold: base rates, entities, ceilings, and how far the easiest single feature gets.

    python bench/simulated.py [USE_CASE …] [--rows 40000] [--runs portfolio] [--conf conf] [--out table.md]

A share of the way is (score - baseline) / (ceiling - baseline), by average precision for two classes and anomalies, by log loss
for more classes, by absolute errors where the use case asks for them and by squared ones for other numbers. The baseline is the
base rate, the rates of the classes, or the median or mean. The ceiling is the score of the true probability or of the best
prediction. A single feature, a lag among them, is learnt by a small tree (a text by a linear model of its words) on the first
80 % of the rows in time, or on random ones. None should get further than 80 %. With `--runs`, a folder of runs named as the use
cases, the table also says what the use case's own model reached on its test rows, the ceiling there, and how far it got by the
measures above. `--conf` draws rows by the facts of another version: `git archive REVISION conf | tar x -C FOLDER`.

The rows beside real ones: `python bench/simulated_or_real.py`. Faults that rows once had: `python bench/simulated_faults.py`.
"""

from __future__ import annotations

import argparse
import json
import sys
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, log_loss, mean_absolute_error, root_mean_squared_error
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
sys.path.insert(0, str(ROOT / "src"))

from bank_models.config.simulation import Simulation  # noqa: E402
from bank_models.config.use_case import UseCase  # noqa: E402
from bank_models.data import simulate  # noqa: E402
from bank_models.data.sample import CONF, find  # noqa: E402
from bank_models.data.table import Table, make_table  # noqa: E402
from bank_models.errors import ConfigError  # noqa: E402

MOST_BY_ONE = 0.8
PAGE = """\
# Table of simulated use cases

Written by `python bench/simulated.py --runs portfolio --out docs/reference/simulated-use-cases.md`, from 40,000 rows of each; a
single series has fewer. See [Simulated rows](simulation.md).

- **base rate**: share of 1, shares of the classes, or mean of the target. *Where it comes from* is what the use case says. The
  bank's own list is the list of use cases that the bank gave, with a base rate for some.
- **ceiling**: score of the true probability, or of the best prediction, on the newest 20 % of the rows or on random ones. It is
  average precision, or with a minus log loss, mean absolute or squared error. The baseline knows only the base rate, the
  median or the mean.
- **its share of the way**: how far the easiest single feature gets from the baseline to the ceiling. 80 % would give the target
  away.
- **model on test**, **its ceiling**, **model's share**: the same of the use case's own model on its own test rows. On few
  test rows a model may pass its ceiling by chance. Clusters are compared with the components that drew the rows.

"""
HEAD = (
    "use case",
    "base rate",
    "where it comes from",
    "entities",
    "rules",
    "season",
    "drift",
    "ceiling",
    "best single feature",
    "its share of the way",
    "model on test",
    "its ceiling",
    "model's share",
)


def names(conf: Path) -> list[str]:
    """Use cases that are simulated."""
    found = []
    for path in sorted((conf / "use_case").glob("*.yaml")):
        try:
            found.append(find(path.stem, [conf]).key)
        except ConfigError:
            continue
    return sorted(set(found))


def row_of(use_case: UseCase, n_rows: int, runs: Path | None) -> dict[str, str]:
    """A line of the table."""
    simulation = use_case.simulation
    n_rows = min(n_rows, simulation.rows) if simulation.frequency else n_rows
    data = simulate(use_case, n_rows, 42)
    table = make_table(data, use_case)
    line = {"use case": use_case.key, "rules": str(len(use_case.rules)), **_world(use_case, table)}
    if use_case.task == "clustering":
        return line | _of_clusters(use_case, runs)
    train, test = _parts(table)
    score, worst, best = _scale(use_case, table, train, test)
    ways = {name: _way(score(_alone(table, use_case, name, train, test)), worst, best) for name in table.features}
    easiest = max(ways, key=ways.get)
    return line | {
        "ceiling": f"{best:.4g} (baseline {worst:.4g})",
        "best single feature": easiest,
        "its share of the way": f"{ways[easiest]:.0%}" + (" **too easy**" if ways[easiest] > MOST_BY_ONE else ""),
        **_of_run(use_case, runs, worst),
    }


def _world(use_case: UseCase, table: Table) -> dict[str, str]:
    simulation: Simulation = use_case.simulation
    drawn = [feature.simulate for feature in use_case.features.values()]
    shared = [name for name, feature in use_case.features.items() if feature.simulate.distribution == "zipf"]
    entities = [] if table.groups is None else [f"{len(np.unique(table.groups)):,} {use_case.group_column.removesuffix('_id')}"]
    entities += [f"{table.frame[name].nunique():,} {name}" for name in shared]
    if use_case.task == "regression":
        rate = f"mean {table.y.mean():.4g}"
    else:
        rate = (
            ""
            if table.y is None
            else ", ".join(f"{share:.2g}" for share in pd.Series(table.y).value_counts(normalize=True).sort_index())
        )
    return {
        "where it comes from": simulation.source or "",
        "base rate": rate.split(", ")[-1] if use_case.task in ("binary", "anomaly") else rate,
        "entities": ", ".join(entities),
        "season": "yes" if simulation.season.given() or any(one.season.given() for one in drawn) else "",
        "drift": "yes" if simulation.trend or simulation.regimes or any(one.trend or one.regimes for one in drawn) else "",
    }


def _parts(table: Table) -> tuple[np.ndarray, np.ndarray]:
    n_rows = len(table.frame)
    order = np.random.default_rng(0).permutation(n_rows) if table.times is None else np.argsort(table.times, kind="stable")
    return order[: int(0.8 * n_rows)], order[int(0.8 * n_rows) :]


def _scale(use_case: UseCase, table: Table, train: np.ndarray, test: np.ndarray):
    """How predictions of the test rows are scored, higher is better, and the scores of knowing nothing and everything."""
    y, truth = table.y, table.true_score[test]
    if use_case.task in ("binary", "anomaly"):
        score = lambda guess: average_precision_score(y[test], guess)  # noqa: E731
        return score, float(np.mean(y[test])), score(truth)
    if use_case.task == "multiclass":
        codes = _codes(table, use_case)
        labels = list(range(len(use_case.classes)))
        score = lambda guess: -log_loss(codes[test], guess, labels=labels)  # noqa: E731
        rates = np.bincount(codes[train], minlength=len(labels)) / len(train)
        return score, score(np.tile(rates, (len(test), 1))), score(truth)
    loss = mean_absolute_error if _wants_median(use_case) else root_mean_squared_error
    score = lambda guess: -loss(y[test], guess)  # noqa: E731
    middle = np.median(y[train]) if _wants_median(use_case) else np.mean(y[train])
    return score, score(np.full(len(test), middle)), score(truth)


def _wants_median(use_case: UseCase) -> bool:
    return use_case.metric in ("mae", "median_absolute_error")


def _codes(table: Table, use_case: UseCase) -> np.ndarray:
    y = pd.Series(table.y)
    return (
        y.to_numpy().astype(int) if pd.api.types.is_numeric_dtype(y) else pd.Categorical(y, use_case.classes).codes.astype(int)
    )


def _alone(table: Table, use_case: UseCase, name: str, train: np.ndarray, test: np.ndarray) -> np.ndarray:
    """Predictions of the test rows from one feature."""
    y = table.y if use_case.task == "regression" else _codes(table, use_case) if use_case.task == "multiclass" else table.y
    if table.features[name].type == "text":
        texts = TfidfVectorizer(min_df=3).fit(table.frame[name].iloc[train])
        model = LogisticRegression(max_iter=300).fit(texts.transform(table.frame[name].iloc[train]), y[train])
        guess = model.predict_proba(texts.transform(table.frame[name].iloc[test]))
        return guess if use_case.task == "multiclass" else guess[:, 1]
    X = _numbers(table.frame[name])
    facts = {"min_samples_leaf": max(30, len(train) // 400), "max_leaf_nodes": 64, "random_state": 0}
    if use_case.task == "regression":
        tree = DecisionTreeRegressor(**facts).fit(X[train], y[train])
        if not _wants_median(use_case):
            return tree.predict(X[test])
        medians = pd.Series(y[train]).groupby(tree.apply(X[train])).median()
        return medians.reindex(tree.apply(X[test])).to_numpy()
    guess = DecisionTreeClassifier(**facts).fit(X[train], y[train]).predict_proba(X[test])
    return (
        np.clip(guess, 0.002, 1) / np.clip(guess, 0.002, 1).sum(axis=1, keepdims=True)
        if use_case.task == "multiclass"
        else guess[:, 1]
    )


def _numbers(column: pd.Series) -> np.ndarray:
    if isinstance(column.dtype, pd.CategoricalDtype):
        values = column.cat.codes.to_numpy().astype(float)
    elif column.dtype.kind == "M":
        values = column.to_numpy().astype("datetime64[s]").astype(float)
    else:
        values = column.to_numpy().astype(float)
    return np.where(np.isnan(values), -1e12, values)[:, None]


def _way(score: float, worst: float, best: float) -> float:
    return (score - worst) / (best - worst)


def _metrics(use_case: UseCase, runs: Path | None) -> dict[str, float]:
    path = None if runs is None else runs / use_case.key / "metrics.json"
    return {} if path is None or not path.is_file() else json.loads(path.read_text())


def _of_clusters(use_case: UseCase, runs: Path | None) -> dict[str, str]:
    found = _metrics(use_case, runs)
    return {"model on test": f"adjusted Rand index {found['adjusted_rand_score']:.3g}", "its ceiling": "1"} if found else {}


def _of_run(use_case: UseCase, runs: Path | None, worst: float) -> dict[str, str]:
    """What the model of a run reached, by the measure of the table's ceiling.

    The baseline of classes is the run's own prior, that of R squared is 0, and that of anomalies and other numbers the table's.
    """
    found, name = _metrics(use_case, runs), _measure(use_case)
    if f"ceiling_{name}" not in found:
        return {}
    score, ceiling = found[f"test_{name}"], found[f"ceiling_{name}"]
    least = 0.0 if name == "r2" else found.get(f"prior_{name}", abs(worst))
    return {
        "model on test": f"{name} {score:.4g}",
        "its ceiling": f"{ceiling:.4g}",
        "model's share": f"{_way(score, least, ceiling):.0%}",
    }


def _measure(use_case: UseCase) -> str:
    if use_case.task in ("binary", "anomaly"):
        return "average_precision"
    return "log_loss" if use_case.task == "multiclass" else use_case.metric


def main(argv: list[str]) -> int:
    """Print the table; give 1 if a single feature is too easy."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("use_cases", nargs="*")
    parser.add_argument("--rows", type=int, default=40_000)
    parser.add_argument("--runs", type=Path)
    parser.add_argument("--conf", type=Path, default=CONF)
    parser.add_argument("--out", type=Path)
    args = parser.parse_args(argv)
    warnings.filterwarnings("ignore")
    lines = [f"| {' | '.join(HEAD)} |", "|" + "---|" * len(HEAD)]
    for name in args.use_cases or names(args.conf):
        row = row_of(find(name, [args.conf]), args.rows, args.runs)
        lines.append(f"| {' | '.join(row.get(key, '') for key in HEAD)} |")
        print(lines[-1], flush=True)
    if args.out:
        args.out.write_text(PAGE + "\n".join(lines) + "\n")
    return int(any("too easy" in line for line in lines))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
