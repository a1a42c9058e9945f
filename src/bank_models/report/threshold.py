"""A threshold to move: counts, rates, cost and points on the curves at some 200 thresholds, from `thresholds.csv`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from bank_models.report import number, series
from bank_models.report.block import Chart, Columns, Figures, Matrix, Missing, Slider, Text
from bank_models.report.class_names import class_names, decided
from bank_models.report.decision import capital, what_is_counted
from bank_models.report.number import Number
from bank_models.report.run import Run

if TYPE_CHECKING:
    import pandas as pd

NAME = "thresholds.csv"
LOOK = "Move it to see what another threshold would do on these test rows. Choose one on val, not here."
RATES = ("flagged_rate", "precision", "recall", "false_positive_rate")


def decider(run: Run, ranking: list[Chart]) -> list:
    """A slider over what it moves: the figures, the confusion matrix, and a point on each curve.

    Parameters
    ----------
    run : Run
    ranking : list of Chart
        ROC, precision and recall: see `bank_models.report.classes.ranking`.
    """
    table = run.csv(NAME)
    if table is None:
        return [*_recorded(run), Missing(f"what each threshold would decide ({NAME})"), Columns(ranking)]
    at = _chosen(run, table)
    ways = ("false_positive_rate", "recall"), ("recall", "precision")
    moved = [
        *(_moving(chart, table, at, move) for chart, move in zip(ranking, ways, strict=False)),
        _moving(separation(run, table), table, at, ("threshold", "recall"), ("threshold", "false_positive_rate")),
        by_threshold(run, table, at),
    ]
    steps = {name: [_plain(value) for value in table[name]] for name in table}
    _, positive = class_names(run)
    label = f"Threshold: a case is called {positive} from this score on"
    numbers = [Columns([figures(run, table, at), matrix(run, table, at)]), Text(LOOK, is_remark=True)]
    spec = {"steps": steps, "rates": RATES, "chosen": at, "flagged": decided(run).flagged}
    return [Slider(label, at, len(table), spec, [*numbers, Columns(moved)])]


def figures(run: Run, table: pd.DataFrame, at: int) -> Figures:
    """Threshold, volume, rates and cost of one row of `thresholds.csv`."""
    (negative, positive), words = class_names(run), decided(run)
    items = [
        ("Threshold", _cell(table, at, "threshold"), ["chosen on val: ", number.metric(run, "threshold")]),
        (capital(words.flagged), _cell(table, at, "flagged_rate"), ["of all cases"]),
        ("Precision", _cell(table, at, "precision"), [f"of those {words.flagged} are {positive}"]),
        ("Recall", _cell(table, at, "recall"), [f"of the {positive} are found"]),
        (capital(words.false_alarms), _cell(table, at, "false_positive_rate"), [f"of the {negative} are {words.flagged}"]),
        ("F1", _cell(table, at, "f1"), ["harmonic mean of precision and recall"]),
    ]
    if "cost" in table:
        unit = (run.use_case("cost") or {}).get("unit")
        items.append((f"Cost on test{f' ({unit})' if unit else ''}", _cell(table, at, "cost"), ["of all mistakes"]))
    return Figures(items)


def matrix(run: Run, table: pd.DataFrame, at: int) -> Matrix:
    """Counts by what test rows are and what one threshold decides."""
    tn, fp, fn, tp = (
        _cell(table, at, name) for name in ("true_negatives", "false_positives", "false_negatives", "true_positives")
    )
    return Matrix(f"{what_is_counted(run)} by what they are and what is decided", class_names(run), [[tn, fp], [fn, tp]])


def separation(run: Run, table: pd.DataFrame) -> Chart:
    """The KS curve: the shares of both classes at or above each score, farthest apart at the KS distance."""
    negative, positive = class_names(run)
    apart = (table["recall"] - table["false_positive_rate"]).to_numpy()
    best = int(np.argmax(apart))
    where = float(table["threshold"].iloc[best])
    drawn = [
        series.line(positive, table["threshold"], table["recall"]),
        series.line(negative, table["threshold"], table["false_positive_rate"], 5),
        series.line("KS", [where, where], [table["false_positive_rate"].iloc[best], table["recall"].iloc[best]], 3, "dashed"),
    ]
    said = (
        f"Share of each class that is {decided(run).flagged} at each threshold. They are farthest apart at "
        f"{number.formatted(where)}: KS {number.metric(run, 'test_ks') or number.formatted(float(apart[best]))}, Gini "
        f"{number.metric(run, 'test_gini') or 'not recorded'}."
    )
    return Chart("KS curve", said, _scores(table), {"label": f"share {decided(run).flagged}", "min": 0, "max": 1}, drawn)


def by_threshold(run: Run, table: pd.DataFrame, at: int) -> Chart:
    """What each threshold would have cost on test, or its precision and recall where mistakes have no price."""
    threshold, price = float(table["threshold"].iloc[at]), run.use_case("cost") or {}
    said = f"The threshold {number.formatted(threshold)} was chosen on val, never on these rows."
    if "cost" in table:
        title, label, names, top = "Cost by threshold", f"cost, {price.get('unit') or 'as priced'}", ["cost"], None
        said = f"{_prices(price)} {said}"
    else:
        title, label, names, top = "Precision and recall by threshold", "share", ["precision", "recall"], 1.0
        said = f"Mistakes have no price here. {said}"
    drawn = [series.line(name, table["threshold"], table[name], 1 + 2 * i) for i, name in enumerate(names)]
    highest = float(table[names].max().max())
    drawn.append(series.line("chosen on val", [threshold, threshold], [0, highest], 2, "dashed"))
    chart = Chart(title, said, _scores(table), {"label": label, "min": 0, **({"max": top} if top else {})}, drawn)
    return _moving(chart, table, at, *(("threshold", name) for name in names))


def _prices(price: dict) -> str:
    wrong, missed = price.get("false_positive"), price.get("false_negative")
    shown = [f"{each:g}" if isinstance(each, int | float) else f"its {each}" for each in (wrong, missed)]
    return f"A false alarm costs {shown[0]}, a missed case {shown[1]}."


def _scores(table: pd.DataFrame) -> dict:
    return {"label": "threshold", "min": 0, "max": min(1.0, float(table["threshold"].max()))}


def _chosen(run: Run, table: pd.DataFrame) -> int:
    """Row of the threshold that the run decides by."""
    return int(np.argmin(np.abs(table["threshold"].to_numpy() - run.metrics.get("threshold", 0.5))))


def _moving(chart: Chart, table: pd.DataFrame, at: int, *moves: tuple[str, str]) -> Chart:
    """A chart with a point at the threshold for each pair of columns."""
    points = [
        series.line("at the threshold", [_plain(table[x].iloc[at])], [_plain(table[y].iloc[at])], 2, "marker") for x, y in moves
    ]
    return Chart(chart.title, chart.caption, chart.x, chart.y, [*chart.series, *points], is_square=chart.is_square, moves=moves)


def _cell(table: pd.DataFrame, row: int, column: str) -> Number:
    found = number.cell(NAME, row, column, table[column].iloc[row], as_share=column in RATES)
    return found or Number("", "\N{EN DASH}", {"csv": NAME, "row": str(row), "column": column})


def _plain(value):
    """A number for JSON, None where there is none."""
    value = value.item() if hasattr(value, "item") else value
    return None if value != value else value


def _recorded(run: Run) -> list:
    """The confusion matrix of the threshold that was chosen, of a run that recorded no other."""
    names = ["true_negatives", "false_positives", "false_negatives", "true_positives"]
    if not all(f"test_{name}" in run.metrics for name in names):
        return [Missing("the confusion matrix")]
    tn, fp, fn, tp = (number.metric(run, f"test_{name}") for name in names)
    return [Matrix("Test rows by what they are and what was decided", class_names(run), [[tn, fp], [fn, tp]])]
