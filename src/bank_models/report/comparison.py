"""Comparison report of two to six runs of a use case: paired differences, curves, disagreements, slices, cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from bank_models.errors import ConfigError
from bank_models.evaluation import plot_tables
from bank_models.metrics.names import METRICS, as_score, is_loss, title
from bank_models.report import number, page, series
from bank_models.report.block import Chart, Columns, Section, Table, Text
from bank_models.report.classes import weights_of
from bank_models.report.differences import Said
from bank_models.report.number import Number
from bank_models.report.run import Run, read
from bank_models.runs.comparison import Difference, Results, difference, of_folder
from bank_models.runs.listing import FEWEST_COMPARED, MOST_COMPARED

MOST_SLICES = 15
CONFIDENCE = 0.95  # of all intervals of a page together


@dataclass(frozen=True)
class Compared:
    """A run, what it is called on the page, its results, and how far it is from the first run."""

    name: str
    run: Run
    results: Results
    gain: Difference | None
    has_rows_of_first: bool


def render(folders: Sequence[Path]) -> str:
    """The page, as HTML.

    Parameters
    ----------
    folders : sequence of Path
        Runs of one use case; the first is what the others are measured against.

    Raises
    ------
    ConfigError
        If they are too few, too many, or of more than one use case.
    """
    runs = [read(folder) for folder in folders]
    check(runs)
    compared = _compared(runs)
    first = compared[0].run
    makers = (verdict, curves, disagreements, slices, all_metrics, effort)
    sections = [section for make in makers if (section := make(compared)) is not None]
    use_case = first.use_case("name") or first.facts["use_case_key"]
    return page.render(
        title=f"{use_case}: {len(runs)} runs",
        kicker=f"{first.facts['use_case_id']} · comparison",
        name=use_case,
        lead=", ".join(each.name for each in compared),
        footer="Every number stands in the folder of its run, or follows from the answers to the test rows there.",
        sections=sections,
    )


def check(runs: Sequence[Run]) -> None:
    """Refuse what cannot be compared on one page.

    Raises
    ------
    ConfigError
    """
    if not FEWEST_COMPARED <= len(runs) <= MOST_COMPARED:
        raise ConfigError(
            f"A page compares {FEWEST_COMPARED} to {MOST_COMPARED} runs, but got {len(runs)}.\n"
            f"Give {FEWEST_COMPARED} to {MOST_COMPARED} folders."
        )
    folders = [run.folder.resolve() for run in runs]
    if twice := next((run.folder for run, folder in zip(runs, folders, strict=True) if folders.count(folder) > 1), None):
        raise ConfigError(f"{twice} was given twice: a run cannot be compared with itself.\nGive each folder once.")
    keys = list(dict.fromkeys(run.facts["use_case_key"] for run in runs))
    if len(keys) > 1:
        raise ConfigError(
            f"The runs are of {' and '.join(keys)}: scores of different problems do not compare.\n"
            f"Give runs of one use case, such as those in runs/{keys[0]}."
        )


def names_of(folders: Sequence[Path]) -> list[str]:
    """Short names that tell the folders apart: the last part of each, or as much of its path as it takes."""
    paths = [folder.resolve() for folder in folders]
    depths = range(1, max(len(path.parts) for path in paths) + 1)
    ways = (["/".join(path.parts[-depth:]) for path in paths] for depth in depths)
    return next(names for names in ways if len(set(names)) == len(paths))


def _compared(runs: Sequence[Run]) -> list[Compared]:
    results = [of_folder(run.folder) for run in runs]
    confidence = 1 - (1 - CONFIDENCE) / (len(runs) - 1)
    found = []
    for i, (name, run) in enumerate(zip(names_of([run.folder for run in runs]), runs, strict=True)):
        apart = difference(results[i], results[0], runs[0].metric, confidence) if i else None
        found.append(Compared(name, run, results[i], apart, _are_same_rows(results[i].scores, results[0].scores)))
    return found


def _are_same_rows(one: pd.DataFrame | None, other: pd.DataFrame | None) -> bool:
    return one is not None and other is not None and one[["row", "y_true"]].equals(other[["row", "y_true"]])


def verdict(compared: Sequence[Compared]) -> Section:
    """Scores side by side, and what each run is better by than the first."""
    first, metric = compared[0], compared[0].run.metric
    key = first.run.score_name
    rows = []
    for each in compared:
        scores = [_metric(each, name) for name in (key, f"{key}_ci_low", f"{key}_ci_high")]
        rows.append([each.name, *scores, *_gain(each, len(compared) - 1)])
    header = ["Run", title(metric), "low", "high", f"Gain over {first.name}", "low", "high", "p-value", ""]
    blocks = [Text(_said(compared)), Table("On test, with intervals", header, rows)]
    others = [each.name for each in compared[1:] if not each.has_rows_of_first]
    if others:
        said = (
            f"The test rows of {', '.join(others)} are not those of {first.name}. Their scores are compared as those of "
            "independent samples, which takes a larger gain to show. Curves and disagreements leave them out."
        )
        blocks.insert(1, Text(said))
    way = "Lower is better. " if is_loss(metric) else ""
    together = "" if len(compared) == 2 else f" The {len(compared) - 1} gains are corrected for each other (Bonferroni)."
    blocks.append(Text(f"{way}A gain above 0 is better. Intervals are of 95 %.{together}", is_remark=True))
    return Section("verdict", "Which one is better", blocks)


def _gain(each: Compared, n_gains: int) -> list:
    if each.gain is None:
        return [None, None, None, None, None]
    found = each.gain
    values = [_own(value, signed=True) for value in (found.gain, found.low, found.high)]
    said = Said("better", "good") if found.is_better else Said("worse", "bad") if found.is_worse else Said("not told apart", "")
    return [*values, _own(min(1.0, n_gains * found.p_value)), said]


def _said(compared: Sequence[Compared]) -> str:
    """One sentence: which run is better than the first, beyond chance."""
    first, others = compared[0], [each for each in compared[1:] if each.gain is not None]
    if not others:
        return "No run can be compared with the first: there are no answers to test rows, or the metric is another one."
    better = [each for each in others if each.gain.is_better]
    worse = [each.name for each in others if each.gain.is_worse]
    parts = []
    if better:
        best = max(better, key=lambda each: each.gain.gain)
        parts.append(f"{best.name} is better than {first.name}, by more than chance explains.")
    else:
        parts.append(f"No run is shown to be better than {first.name}.")
    if worse:
        parts.append(f"Worse beyond chance: {', '.join(worse)}.")
    return " ".join(parts)


def curves(compared: Sequence[Compared]) -> Section | None:
    """ROC and precision-recall curves over each other, of runs with the same test rows."""
    shown = [each for each in compared if each.has_rows_of_first]
    if compared[0].run.task not in ("binary", "anomaly") or len(shown) < FEWEST_COMPARED:
        return None
    roc, recall = [], []
    for color, each in enumerate(shown, 1):
        y, score = each.results.scores["y_true"].to_numpy(), each.results.scores["score"].to_numpy()
        weight = weights_of(each.results.scores)
        one, other = plot_tables.roc(y, score, weight), plot_tables.precision_recall(y, score, weight)
        roc.append(series.line(each.name, one["false_positive_rate"], one["true_positive_rate"], color))
        recall.append(series.line(each.name, other["recall"], other["precision"], color))
    unit = {"min": 0, "max": 1}
    of = f"{len(shown)} runs on the same {len(y):,} test rows."
    axes = [({"label": x, **unit}, {"label": y, **unit}) for x, y in (
        ("false positive rate", "true positive rate"), ("recall", "precision"))]  # fmt: skip
    charts = [
        Chart("ROC curves", of, *axes[0], roc, is_square=True),
        Chart("Precision and recall", of, *axes[1], recall, is_square=True),
    ]
    return Section("curves", "Curves", [Columns(charts)])


def disagreements(compared: Sequence[Compared]) -> Section | None:
    """On which share of the test rows each run decides otherwise than the first, and who is right there."""
    first = compared[0]
    others = [each for each in compared[1:] if each.has_rows_of_first]
    if not others or first.run.task not in ("binary", "multiclass"):
        return None
    y, mine = (first.results.scores[name].to_numpy() for name in ("y_true", "decision"))
    rows = []
    for each in others:
        theirs = each.results.scores["decision"].to_numpy()
        apart = theirs != mine
        counts = int(apart.sum()), int((apart & (theirs == y)).sum()), int((apart & (mine == y)).sum())
        rows.append([each.name, *(_own(count) for count in counts), _own(float(apart.mean()), as_share=True)])
    header = ["Run", "Decided otherwise", "it is right", f"{first.name} is right", "Share of test rows"]
    said = f"Test rows that a run decides otherwise than {first.name}. Of several classes both may be wrong."
    return Section("disagreements", "Where they disagree", [Table(said, header, rows)])


def slices(compared: Sequence[Compared]) -> Section | None:
    """The slices in which the runs' scores are farthest apart."""
    found = {each.name: table for each in compared if (table := each.run.csv("slices.csv")) is not None}
    if len(found) < FEWEST_COMPARED or any(each.run.metric != compared[0].run.metric for each in compared):
        return None
    values = pd.concat(
        {name: table.iloc[1:].set_index(["column", "slice"])["value"] for name, table in found.items()}, axis=1
    ).dropna()
    values = values.iloc[np.argsort(-(values.max(axis=1) - values.min(axis=1)).to_numpy(), kind="stable")].head(MOST_SLICES)
    if values.empty:
        return None
    rows = [
        [": ".join(str(part) for part in index if part == part and part), *(_own(float(value)) for value in row)]
        for index, row in zip(values.index, values.to_numpy(), strict=True)
    ]
    said = f"{title(compared[0].run.metric)} by slice: the {len(rows)} where the runs differ most. Not tested for chance."
    return Section("slices", "Slices", [Table(said, ["Slice", *found], rows)])


def all_metrics(compared: Sequence[Compared]) -> Section:
    """Every metric on test that all runs have."""
    first = compared[0].run.metrics
    names = [name for name in first if name.startswith("test_") and not name.endswith(("_ci_low", "_ci_high"))]
    names = [name for name in names if all(name in each.run.metrics for each in compared)]
    rows = [
        [title(name.removeprefix("test_")), *(_metric(each, name) for each in compared), _best(compared, name)]
        for name in names
    ]
    said = (
        "Metrics on test, and whose value is best, which may be chance. Those of decisions depend on the threshold, which each "
        "run chose for itself."
    )
    return Section("metrics", "All metrics", [Table(said, ["Metric", *(each.name for each in compared), "Best"], rows)])


def _best(compared: Sequence[Compared], name: str) -> str | None:
    """The run with the best value of a metric; None where more is neither better nor worse, or the runs are alike."""
    metric = name.removeprefix("test_")
    if metric not in (*METRICS, "cost", "gini", "ks"):
        return None
    sign = -1 if metric == "cost" else 1
    scores = {each.name: sign * as_score(metric, each.run.metrics[name]) for each in compared}
    if len(set(scores.values())) == 1:
        return None
    return " and ".join(run for run, score in scores.items() if score == max(scores.values()))


def effort(compared: Sequence[Compared]) -> Section:
    """Rows, features, size of the model and time to fit it."""
    rows = []
    for each in compared:
        size, run = each.run.folder / "model.skops", each.run
        rows.append([
            each.name, f"{run.facts['model']} ({run.facts['algorithm']})", _fact(each, "data", "n_valid_rows"),
            _fact(each, "feature_count"), _own(round(size.stat().st_size / 1000)) if size.exists() else None,
            _fact(each, "durations_s", "fit"),
        ])  # fmt: skip
    header = ["Run", "Model", "Rows", "Features", "Model file, kB", "Fit, s"]
    return Section("effort", "Size and speed", [Table("What each run took", header, rows)])


def _metric(each: Compared, name: str) -> Number | None:
    found = number.metric(each.run, name)
    return found and Number(found.value, found.text, {"run": each.name, **found.origin})


def _fact(each: Compared, *path: str) -> Number | None:
    found = number.fact(each.run, *path)
    return found and Number(found.value, found.text, {"run": each.name, **found.origin})


def _own(value: float, as_share: bool = False, signed: bool = False) -> Number | None:
    """A number that this page computed."""
    if value != value:
        return None
    return Number(value, number.share(value) if as_share else number.formatted(value, signed), {"computed": "here"})
