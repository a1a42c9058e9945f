"""Section on clusters and anomalies."""

from __future__ import annotations

import numpy as np
import pandas as pd

from bank_models.evaluation import plot_tables
from bank_models.report import number, series
from bank_models.report.block import Chart, Columns, Heading, Missing, Table, Text
from bank_models.report.classes import ranking
from bank_models.report.run import Run

MOST_BARS = 30
MOST_FEATURES = 12
DIFFERENCE = "_difference_in_sd"


def groups(run: Run) -> list:
    """Sizes, silhouettes, profiles and a projection of the rows that were fitted on; of anomalies the ranking of test first."""
    blocks = _anomalies(run) if run.task == "anomaly" else []
    profiles, rows = run.csv("profiles.csv"), run.csv("projection.csv")
    charts = [] if profiles is None else [_sizes(profiles)]
    if rows is not None:
        charts += [*([_silhouettes(run, rows)] if rows["silhouette"].notna().any() else []), _projection(rows)]
    blocks += [Heading("Train rows")] if run.fact("split") and charts else []
    blocks += [Columns(charts)] if charts else []
    blocks += [Missing("a projection of the rows and their silhouettes (projection.csv)")] if rows is None else []
    return [
        *blocks,
        *([Missing("profiles of the clusters")] if profiles is None else [Heading("Profiles"), *_profiles(profiles)]),
    ]


def _anomalies(run: Run) -> list:
    rows = run.parquet("test_scores.parquet")
    said = Text(
        "The model was fitted on train without labels. They only judge how it ranks the test rows, from the most unusual to "
        "the most usual."
    )
    if rows is None:
        return [said, Missing("answers to the test rows (test_scores.parquet), from which curves are drawn")]
    y, score = rows["y_true"].to_numpy(), rows["score"].to_numpy()
    return [said, Columns(ranking(plot_tables.roc(y, score), plot_tables.precision_recall(y, score), run))]


def name_of(cluster) -> str:
    return "noise" if int(cluster) == -1 else f"cluster {int(cluster)}"


def _sizes(profiles: pd.DataFrame) -> Chart:
    shown = profiles.head(MOST_BARS)
    largest = shown.loc[shown["size"].idxmax()]
    said = f"Rows of each cluster; the largest, {name_of(largest['cluster'])}, holds {number.share(float(largest['share']))}."
    axis = {"label": "cluster", "labels": [name_of(cluster) for cluster in shown["cluster"]]}
    return Chart("Sizes", said, axis, {"label": "rows", "min": 0, "whole": True}, [series.bars("rows", shown["size"])])


def _silhouettes(run: Run, rows: pd.DataFrame) -> Chart:
    """Every sampled row's silhouette, sorted within its cluster."""
    known = rows[rows["silhouette"].notna()]
    drawn, start = [], 0
    for code, (cluster, part) in enumerate(known.groupby("cluster", sort=True)):
        ordered = np.sort(part["silhouette"].to_numpy())[::-1]
        kept = series.thinned(len(ordered), 80)
        drawn.append(series.line(name_of(cluster), start + kept, ordered[kept], 1 + code % 6))
        start += len(ordered) + max(2, len(known) // 100)
    said = (
        f"{len(known):,} rows, sorted within their cluster: near 1 a row is deep inside it, below 0 it is closer to another. "
        f"Mean over all: {number.metric(run, 'silhouette') or 'not defined'}."
    )
    return Chart("Silhouettes", said, {"label": "row, by cluster"}, {"label": "silhouette"}, drawn)


def _projection(rows: pd.DataFrame) -> Chart:
    drawn = []
    for code, (cluster, part) in enumerate(rows.groupby("cluster", sort=True)):
        part = part.iloc[series.thinned(len(part), max(20, 450 * len(part) // len(rows)))]
        drawn.append(series.line(name_of(cluster), part["x"], part["y"], 1 + code % 6, "points"))
    said = (
        "The two directions in which the prepared features vary most (principal components); clusters may be apart in others."
    )
    return Chart("Projection", said, {"label": "first component"}, {"label": "second component"}, drawn)


def _profiles(profiles: pd.DataFrame) -> list:
    differences = [name for name in profiles if name.endswith(DIFFERENCE)]
    if not differences:
        return [Missing("how the clusters differ")]
    telling = sorted(differences, key=lambda name: -profiles[name].abs().max())[:MOST_FEATURES]
    names = [name.removesuffix(DIFFERENCE) for name in telling]
    shown = profiles.head(6)
    drawn = [series.bars(name_of(row["cluster"]), [row[name] for name in telling], 1 + i % 6) for i, row in shown.iterrows()]
    said = f"How far a cluster's mean lies from that of all rows, in standard deviations, for {len(names)} features."
    rows = [
        [name, *(number.cell("profiles.csv", i, f"{name}_mean", profiles[f"{name}_mean"].iloc[i]) for i in range(len(shown)))]
        for name in names
        if f"{name}_mean" in profiles
    ]
    axes = {"label": "standard deviations"}, {"label": "feature", "labels": names}
    chart = Chart("What tells the clusters apart", said, *axes, drawn, is_horizontal=True, is_tall=True)
    return [
        chart,
        Table("Mean of each feature by cluster", ["Feature", *(name_of(cluster) for cluster in shown["cluster"])], rows),
    ]
