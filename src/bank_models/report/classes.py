"""Section on classification: ranking, confusion matrix, costs, calibration."""

from __future__ import annotations

import numpy as np
import pandas as pd

from bank_models.evaluation import plot_tables
from bank_models.report import number, over_time, series, threshold
from bank_models.report.block import Chart, Columns, Matrix, Missing, Table
from bank_models.report.class_names import class_names
from bank_models.report.decision import what_is_counted
from bank_models.report.run import Run
from bank_models.report.scorecard import scorecard

N_TENTHS = 10
N_BINS = 20


def two_classes(run: Run) -> list:
    """What a threshold decides and costs, what a bank reads of the score, lift, calibration and scores."""
    rows = run.parquet("test_scores.parquet")
    if rows is None:
        said = Missing("answers to the test rows (test_scores.parquet), from which curves are drawn")
        return [*threshold.decider(run, []), said, *scorecard(run), *over_time.over_time(run), *_calibration(run)]
    y, score, weight = rows["y_true"].to_numpy(), rows["score"].to_numpy(), weights_of(rows)
    of_ranking = ranking(plot_tables.roc(y, score, weight), plot_tables.precision_recall(y, score, weight), run)
    more = Columns([gains(run, y, score, weight), *_calibration(run), _scores(run, y, score)])
    return [*threshold.decider(run, of_ranking), *scorecard(run), *over_time.over_time(run), more]


def weights_of(rows: pd.DataFrame) -> np.ndarray | None:
    """Weights of test rows, where they have some."""
    return rows["weight"].to_numpy() if "weight" in rows else None


def ranking(roc: pd.DataFrame, precision_recall: pd.DataFrame, run: Run) -> list[Chart]:
    """The two curves of a ranking."""
    unit = {"min": 0, "max": 1}
    chance = run.fact("split", "target_mean", "test")  # precision of alerts at random
    drawn = [
        series.line("model", roc["false_positive_rate"], roc["true_positive_rate"]),
        series.line("chance", [0, 1], [0, 1], 5, "dashed"),
    ]
    said = f"Area below the curve {number.metric(run, 'test_roc_auc')}; 0.5 is guessing, 1 is perfect."
    found = [
        Chart(
            "ROC curve",
            said,
            {"label": "false positive rate", **unit},
            {"label": "true positive rate", **unit},
            drawn,
            is_square=True,
        )
    ]
    drawn = [series.line("model", precision_recall["recall"], precision_recall["precision"])]
    said = f"Average precision {number.metric(run, 'test_average_precision')}"
    if chance is not None:
        drawn.append(series.line("chance", [0, 1], [chance, chance], 5, "dashed"))
        said += f"; guessing has {number.formatted(chance)}, the share of positives"
    axes = {"label": "recall", **unit}, {"label": "precision", **unit}
    return [*found, Chart("Precision and recall", f"{said}.", *axes, drawn, is_square=True)]


def gains(run: Run, y, score, weight=None) -> Chart:
    """Share of the positives that looking at the highest-scored rows finds."""
    order = np.argsort(-score, kind="stable")
    if weight is None:
        found, looked = np.cumsum(y[order]) / max(int(np.sum(y)), 1), np.arange(1, len(y) + 1) / len(y)
    else:
        found, looked = (np.cumsum(each[order]) / np.sum(each) for each in (weight * y, weight))
    kept = series.thinned(len(y))
    drawn = [series.line("model", [0, *looked[kept]], [0, *found[kept]]), series.line("at random", [0, 1], [0, 1], 5, "dashed")]
    lift = number.metric(run, "test_lift_at_10_percent")
    _, positive = class_names(run)
    said = f"In the highest-scored tenth, {positive} is {lift} times as frequent as in all cases."
    unit = {"min": 0, "max": 1}
    axes = {"label": "share of cases, highest scores first", **unit}, {"label": f"share of {positive} found", **unit}
    return Chart("Cumulative gains", said, *axes, drawn)


def _calibration(run: Run) -> list:
    table = run.csv("reliability.csv")
    if table is None:
        return [Missing("reliability of the probabilities (reliability.csv)")]
    is_calibrated = run.fact("config", "calibration") not in (None, "none")
    curves_of = {"before": ("before calibration", 5), "after": ("as saved", 1)} if is_calibrated else {"after": ("model", 1)}
    drawn = [series.line("perfect", [0, 1], [0, 1], 2, "dashed")]
    for key, (name, color) in curves_of.items():
        part = table[table["calibration"] == key]
        drawn += [series.line(name, part["mean_predicted"], part["observed_rate"], color)]
    most = min(1.0, 1.1 * float(table[["mean_predicted", "observed_rate"]].to_numpy().max()))
    drawn[0] = series.line("perfect", [0, most], [0, most], 2, "dashed")
    error = number.metric(run, "test_expected_calibration_error")
    slope, apart = (number.metric(run, f"test_calibration_{name}") or "not recorded" for name in ("slope", "in_the_large"))
    said = (
        f"Expected calibration error {error}, slope {slope} (1 is right), mean predicted less mean observed {apart}; on the "
        "dashed line, forecasts come true."
    )
    axes = {"label": "predicted probability", "min": 0}, {"label": "observed rate", "min": 0}
    return [Chart("Calibration", said, *axes, drawn)]


def _scores(run: Run, y, score) -> Chart:
    edges = np.linspace(float(score.min()), float(score.max()), N_BINS + 1)
    labels = [number.formatted(float(low)) for low in edges[:-1]]
    shares = {code: np.histogram(score[y == code], edges)[0] / max(int(np.sum(y == code)), 1) for code in (0, 1)}
    said = "Share of each class by score; the less they overlap, the better."
    negative, positive = class_names(run)
    drawn = [series.bars(negative, shares[0], 5), series.bars(positive, shares[1], 1)]
    axes = {"label": "score, from", "labels": labels}, {"label": "share of the class", "min": 0}
    return Chart("Scores of the two classes", said, *axes, drawn)


def many_classes(run: Run) -> list:
    """The confusion matrix, each class's precision and recall, and a ROC curve of each against the rest."""
    classes = run.use_case("classes")
    counts = [[number.metric(run, f"test_confusion_{true}_as_{decided}") for decided in classes] for true in classes]
    if any(each is None for row in counts for each in row):
        return [Missing("the confusion matrix")]
    blocks = [
        Matrix(f"{what_is_counted(run)} by true class and by the class decided for", classes, counts),
        _by_class(classes, counts),
    ]
    rows = run.parquet("test_scores.parquet")
    if rows is None:
        return [*blocks, Missing("answers to the test rows (test_scores.parquet), from which curves are drawn")]
    y = rows["y_true"].to_numpy()
    drawn = []
    for code, name in enumerate(classes):
        if 0 < np.sum(y == code) < len(y):
            roc = plot_tables.roc((y == code).astype(int), rows[f"score_{code}"].to_numpy(), weights_of(rows))
            drawn.append(series.line(name, roc["false_positive_rate"], roc["true_positive_rate"], 1 + code % 6))
    unit = {"min": 0, "max": 1}
    said = f"Each class against the rest; area averaged over the classes {number.metric(run, 'test_roc_auc_ovr')}."
    axes = {"label": "false positive rate", **unit}, {"label": "true positive rate", **unit}
    charts = [Chart("ROC curve of each class", said, *axes, drawn, is_square=True), _confidence(rows)]
    return [*blocks, Columns(charts), *over_time.over_time(run)]


def _by_class(classes, counts) -> Chart:
    matrix = np.array([[each.value for each in row] for row in counts], dtype=float)
    right = np.diag(matrix)
    recall, precision = (right / np.maximum(matrix.sum(axis=axis), 1) for axis in (1, 0))
    worst = classes[int(np.argmin(recall))]
    said = f"The class that is found least often is {worst}: {number.share(float(recall.min()))} of its test rows."
    drawn = [series.bars("precision", precision), series.bars("recall", recall, 3)]
    return Chart(
        "Precision and recall of each class",
        said,
        {"label": "class", "labels": list(classes)},
        {"label": "share", "min": 0, "max": 1},
        drawn,
    )


def _confidence(rows: pd.DataFrame) -> Chart:
    """How often decisions are right, by the probability they were made with."""
    scores = rows[[name for name in rows if name.startswith("score_")]].to_numpy()
    sure, is_right = scores.max(axis=1), (rows["decision"] == rows["y_true"]).to_numpy()
    bins = np.array_split(np.argsort(sure, kind="stable"), min(N_TENTHS, len(sure)))
    drawn = [
        series.line("perfect", [0, 1], [0, 1], 2, "dashed"),
        series.line("model", [sure[b].mean() for b in bins], [is_right[b].mean() for b in bins]),
    ]
    said = "Tenths of the test rows by the probability of the likeliest class; on the dashed line it is as sure as it may be."
    unit = {"min": 0, "max": 1}
    return Chart(
        "Is it as sure as it may be?", said, {"label": "probability", **unit}, {"label": "share decided rightly", **unit}, drawn
    )


def costs(run: Run) -> Table | None:
    """Prices of mistakes between classes."""
    matrix = (run.use_case("cost_matrix") or {}).get("costs")
    if not matrix:
        return None
    rows = [[true, decided, f"{cost:g}"] for true, by_decided in matrix.items() for decided, cost in by_decided.items()]
    return Table("What a mistake costs", ["True", "Decided", "Cost"], rows, "Prices of mistakes")
