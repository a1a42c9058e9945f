"""Coverage and width of the printed 95 % confidence intervals, by simulation of rows whose truth is known.

    python bench/coverage.py [--draws 400] [--only rows clusters moments panel weights] [--out coverage.md]

Each cell draws many samples of test rows from a world that is known: labels that follow a score of fixed quality, with shocks
that rows of one customer or of one moment share, and moments that depend on the last one. The truth is the metric of two
million rows of that world; of a sample with weights too, which are drawn at random or undo that some rows are drawn more often.
Printed are the share of intervals that hold it, their mean width, and the share of samples that
get none. The goal is 92 to 98 % with at least 8 clusters and 8 of the rarer class, and never below 88 % with fewer.
"""

from __future__ import annotations

import argparse
import os
import sys
import zlib
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from scipy.special import expit, softmax
from scipy.stats import binom

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))

from bank_models.metrics.intervals import estimate, gain, interval
from bank_models.metrics.scores import Prediction, compute
from bank_models.metrics.units import Units, make_units

N_TRUTH = 2_000_000
LOW, HIGH, LEAST = 0.92, 0.98, 0.88
FEW = 8
CHANCE = 0.025  # that a cell is called missed though it is not, on either side
BINARY = ("roc_auc", "average_precision", "log_loss", "brier_score_loss", "f1", "recall", "precision", "accuracy")
MULTICLASS = ("f1_macro", "log_loss", "roc_auc_ovr", "accuracy")
NUMBERS = ("mae", "rmse", "r2", "pinball_loss")
METRICS = {"binary": BINARY, "multiclass": MULTICLASS, "regression": NUMBERS}
QUANTILE = 0.9
POOL = 10  # rows for each one that is drawn with unequal chances


@dataclass(frozen=True)
class Cell:
    """A kind of sample: `n_clusters` customers and `n_moments` moments (0: rows are strangers), and how moments depend."""

    task: str
    n_rows: int
    rate: float = 0.5
    n_clusters: int = 0
    n_moments: int = 0
    serial: float = 0.0
    weights: str = ""

    @property
    def n_rare(self) -> float:
        return self.n_rows * self.rate if self.task == "binary" else self.n_rows

    @property
    def n_units(self) -> float:
        """Units that tell as much as the sample does: moments that depend on one another count less."""
        alike = self.n_moments * (1 - self.serial) / (1 + self.serial)
        return min([n for n in (self.n_clusters, alike) if n] or [self.n_rows])

    @property
    def is_few(self) -> bool:
        return self.n_rare < FEW or self.n_units < FEW

    @property
    def name(self) -> str:
        rate = f" at {self.rate:.1%}" if self.task == "binary" else ""
        of = [f"{self.n_clusters} clusters"] if self.n_clusters else []
        of += (
            [f"{self.n_moments} moments" + (f" (autocorrelation {self.serial:g})" if self.serial else "")]
            if self.n_moments
            else []
        )
        of += [f"{self.weights} weights"] if self.weights else []
        return f"{self.task}, {self.n_rows:,} rows{rate}" + (f", {' and '.join(of)}" if of else "")


def cells(only: list[str]) -> Iterator[Cell]:
    if "rows" in only:
        for n_rows in (100, 300, 1000, 4000, 10_000):
            yield from (Cell("binary", n_rows, rate) for rate in (0.01, 0.029, 0.1, 0.5) if n_rows * rate >= 3)
            yield from (Cell(task, n_rows) for task in ("multiclass", "regression"))
    if "clusters" in only:
        for n_clusters in (2, 3, 5, 8, 20, 100):
            yield from (Cell("binary", n_rows, rate, n_clusters) for n_rows, rate in ((300, 0.1), (1000, 0.03), (1000, 0.3)))
            yield from (Cell(task, 1000, 0.5, n_clusters) for task in ("multiclass", "regression"))
    if "moments" in only:
        for n_moments in (12, 24, 60, 300):
            yield from (Cell("regression", n_moments, 0.5, 0, n_moments, serial) for serial in (0.0, 0.3, 0.6, 0.9))
            yield from (Cell("binary", 20 * n_moments, 0.1, 0, n_moments, serial) for serial in (0.0, 0.6))
    if "panel" in only:
        for n_clusters, n_moments in ((8, 8), (30, 12), (100, 24)):
            yield from (Cell(task, n_clusters * n_moments, 0.2, n_clusters, n_moments) for task in ("binary", "regression"))
    if "weights" in only:
        for weights, n_rows in (("lognormal", 300), ("lognormal", 2000), ("undoing", 300), ("undoing", 2000)):
            yield from (Cell(task, n_rows, 0.1, weights=weights) for task in METRICS)
        yield from (Cell(task, 1000, 0.2, 50, weights="lognormal") for task in METRICS)


def draw(cell: Cell, rng: np.random.Generator, n_rows: int | None = None):
    """Labels, predictions and units of a sample; of so many strangers if `n_rows` is given, whose metric is the truth."""
    is_truth, n = n_rows is not None, n_rows or cell.n_rows
    cluster, moment = _units(cell, rng, n, is_truth)
    shock = 0.0
    if cell.n_clusters:
        shock = shock + 0.6 * rng.normal(size=cluster.max() + 1)[cluster]
    if cell.n_moments:
        shock = shock + 0.5 * _series(rng, moment.max() + 1, 0.0 if is_truth else cell.serial)[moment]
    score = 1.2 * rng.normal(size=n)
    units = Units() if is_truth else make_units(cluster, moment)
    if cell.task == "binary":
        offset = np.log(cell.rate / (1 - cell.rate)) - 0.6 * (1 - 2 * cell.rate)
        y = (rng.random(n) < expit(offset + score + shock)).astype("int8")
        probability = expit(offset + score)
        return y, Prediction(probability, (probability >= cell.rate).astype("int8")), 2, units
    if cell.task == "multiclass":
        margin = rng.normal(size=(n, 4)) * 1.2 + np.array([1.0, 0.5, 0.0, -0.5])
        with_shock = margin + np.multiply.outer(np.broadcast_to(shock, n), [1, -1, 0.5, 0])
        y = np.argmax(with_shock + rng.gumbel(size=(n, 4)), axis=1)
        return y, Prediction(softmax(margin, axis=1), margin.argmax(axis=1)), 4, units
    y = score + shock + rng.standard_t(6, size=n)
    return y, Prediction(score, score), 0, units


def draw_weighted(cell: Cell, rng: np.random.Generator):
    """A sample with the weights of its cell: drawn at random, or undoing that high outcomes are drawn four times as often."""
    if cell.weights != "undoing":
        y, prediction, n_classes, units = draw(cell, rng)
        return y, prediction, n_classes, replace(units, weight=rng.lognormal(0, 0.8, len(y)) if cell.weights else None)
    y, prediction, n_classes, _ = draw(replace(cell, n_rows=POOL * cell.n_rows), rng)
    chance = 1.0 + 3 * (y > np.quantile(y, 0.9) if n_classes == 0 else y == y.max())
    chance = chance / chance.mean() / POOL
    rows = np.flatnonzero(rng.random(len(y)) < chance)
    given = Prediction(prediction.score[rows], prediction.decision[rows])
    return y[rows], given, n_classes, Units(weight=1 / chance[rows])


def _units(cell: Cell, rng: np.random.Generator, n: int, is_truth: bool) -> tuple[np.ndarray | None, np.ndarray | None]:
    if is_truth:
        return (np.arange(n) if cell.n_clusters else None), (np.arange(n) if cell.n_moments else None)
    cluster = moment = None
    if cell.n_clusters and cell.n_moments:
        cluster, moment = np.divmod(np.arange(n), cell.n_moments)
    elif cell.n_clusters:
        shares = rng.gamma(4, 1, cell.n_clusters)
        cluster = np.unique(rng.choice(cell.n_clusters, n, p=shares / shares.sum()), return_inverse=True)[1]
    elif cell.n_moments:
        moment = np.sort(np.arange(n) % cell.n_moments)
    return cluster, moment


def _series(rng: np.random.Generator, n: int, phi: float) -> np.ndarray:
    """An autoregressive series of variance 1."""
    shocks = rng.normal(size=n) * np.sqrt(1 - phi**2)
    series, last = np.empty(n), rng.normal()
    for i, shock in enumerate(shocks):
        series[i] = last = phi * last + shock
    return series


def measure(cell: Cell, n_draws: int) -> list[dict]:
    """Coverage, width and share without interval of each metric and of its gain over a constant."""
    rng = np.random.default_rng(zlib.crc32(cell.name.encode()))
    y, prediction, n_classes, _ = draw(cell, rng, N_TRUTH)
    names = METRICS[cell.task]
    truths = compute(names, y, prediction, QUANTILE)
    constant = _constant(cell, y, len(y))
    base = compute(names, y, constant, QUANTILE)
    found = {(name, of): [] for name in names for of in ("value", "gain")}
    for _ in range(n_draws):
        y, prediction, n_classes, units = draw_weighted(cell, rng)
        constant = _constant(cell, y, len(y))
        for name in names:
            if cell.task != "regression" and len(np.unique(y)) < n_classes:
                found[name, "value"].append(None)
                continue
            mine, theirs = (estimate(name, y, each, n_classes, units, QUANTILE) for each in (prediction, constant))
            ends = interval(mine)
            found[name, "value"].append(ends and (ends[0] <= truths[name] <= ends[1], ends[1] - ends[0]))
            better = gain(mine, theirs)
            sign = -1 if better.value * (mine.value - theirs.value) < 0 else 1
            truth = sign * (truths[name] - base[name])
            found[name, "gain"].append(
                None if np.isnan(better.low) else (better.low <= truth <= better.high, better.high - better.low)
            )
    rows = []
    for (name, of), each in found.items():
        there = [one for one in each if one is not None]
        coverage, width = (float(np.mean([one[i] for one in there])) if there else np.nan for i in (0, 1))
        rows.append({"cell": cell.name, "metric": name, "of": of, "is_few": cell.is_few, "coverage": coverage, "width": width,
                     "none": 1 - len(there) / max(1, len(each)), "n": len(there)})  # fmt: skip
    return rows


def _constant(cell: Cell, y, n: int) -> Prediction:
    if cell.task == "binary":
        return Prediction(np.full(n, cell.rate), np.zeros(n, dtype="int8"))
    if cell.task == "multiclass":
        return Prediction(np.full((n, 4), 0.25), np.zeros(n, dtype="int64"))
    return Prediction(np.zeros(n), np.zeros(n))


def is_held(row: dict) -> bool:
    """Whether a cell is where it should be, give or take what so many draws leave open."""
    if row["n"] == 0:
        return True
    n_covered = round(row["coverage"] * row["n"])
    if binom.cdf(n_covered, row["n"], LEAST if row["is_few"] else LOW) < CHANCE:
        return False
    return row["is_few"] or binom.sf(n_covered - 1, row["n"], HIGH) >= CHANCE


def as_markdown(rows: list[dict]) -> str:
    lines = ["| sample | metric | interval of | covered | mean width | without | |", "|---|---|---|--:|--:|--:|---|"]
    for row in rows:
        said = "few" if row["is_few"] else ""
        said += "" if is_held(row) else " **missed**"
        shown = ("none", "") if row["n"] == 0 else (f"{row['coverage']:.1%}", f"{row['width']:.3g}")
        lines.append(
            f"| {row['cell']} | {row['metric']} | {row['of']} | {shown[0]} | {shown[1]} | {row['none']:.0%} | {said} |"
        )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--draws", type=int, default=400)
    parser.add_argument("--only", nargs="+", default=["rows", "clusters", "moments", "panel", "weights"])
    parser.add_argument("--out", type=Path)
    parser.add_argument("--jobs", type=int, default=len(os.sched_getaffinity(0)))
    args = parser.parse_args()
    chosen = list(cells(args.only))
    with ProcessPoolExecutor(args.jobs) as pool:
        rows = []
        for cell, of_cell in zip(chosen, pool.map(measure, chosen, [args.draws] * len(chosen)), strict=True):
            rows += of_cell
            worst = min((row["coverage"] for row in of_cell if row["n"]), default=np.nan)
            print(f"{cell.name}: least {worst:.1%}", flush=True)
    text = as_markdown(rows)
    missed = [row for row in rows if not is_held(row)]
    print(text if args.out is None else f"{args.out}")
    if args.out is not None:
        args.out.write_text(f"{args.draws} samples a cell.\n\n{text}\n", encoding="utf-8")
    print(f"{len(rows) - len(missed)} of {len(rows)} intervals cover as they should")
    for row in missed:
        print(f"missed: {row['cell']}, {row['of']} of {row['metric']}: {row['coverage']:.1%}")


if __name__ == "__main__":
    main()
