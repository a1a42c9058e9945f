"""Quality by period: the primary metric, the rate of positives, KS and Gini of each month, quarter or year of test."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bank_models.metrics.names import title
from bank_models.report import number, series
from bank_models.report.block import Chart, Columns, Heading, Table
from bank_models.report.class_names import class_names
from bank_models.report.run import Run

if TYPE_CHECKING:
    import pandas as pd

NAME = "periods.csv"
SHARES = {"observed_rate", "rate_ci_low", "rate_ci_high"}
OF_METRIC = {"n_rows": "Cases", "value": "", "ci_low": "low", "ci_high": "high"}
OF_RATE = {"observed_rate": "Rate", "rate_ci_low": "low", "rate_ci_high": "high", "mean_predicted": "Predicted"}
OF_RANKING = {"ks": "KS", "gini": "Gini", "gini_ci_low": "low", "gini_ci_high": "high"}
OF_MEAN = {"target_mean": "Mean outcome", "mean_predicted": "Mean prediction"}


def over_time(run: Run) -> list:
    """Charts and a table; nothing for a run whose test rows have no time, or lie in one period."""
    table = run.csv(NAME)
    if table is None:
        return []
    charts = [_metric(run, table)]
    charts += [_rate(run, table)] if "observed_rate" in table else [_mean(table)] if "target_mean" in table else []
    return [Heading("Quality over time"), Columns(charts), _all(run, table)]


def _metric(run: Run, table: pd.DataFrame) -> Chart:
    whole, known = run.metrics.get(run.score_name), table.dropna(subset=["ci_low", "ci_high"])
    drawn = [
        series.spans("95 % interval", table["ci_low"], table["ci_high"]),
        series.dots(title(run.metric), table["value"]),
    ]
    said = f"{title(run.metric)} by period of test, the oldest first."
    if whole is not None:
        n_around = int(((known["ci_low"] <= whole) & (whole <= known["ci_high"])).sum())
        drawn.append(series.line("all test rows", table["period"], [whole] * len(table), 2, "dashed"))
        said += f" The interval holds the value of all test rows in {n_around} of {len(known)} periods."
    if n_unknown := len(table) - int(table["value"].notna().sum()):
        said += f" In {n_unknown} there are too few cases of a class to tell."
    axes = {"label": "period", "labels": list(table["period"])}, {"label": title(run.metric)}
    return Chart(f"{title(run.metric)} over time", said, *axes, drawn)


def _rate(run: Run, table: pd.DataFrame) -> Chart:
    _, positive = class_names(run)
    inside = (table["rate_ci_low"] <= table["mean_predicted"]) & (table["mean_predicted"] <= table["rate_ci_high"])
    drawn = [
        series.spans("95 % interval of the rate", table["rate_ci_low"], table["rate_ci_high"]),
        series.dots("observed rate", table["observed_rate"]),
        series.dots("mean prediction", table["mean_predicted"], 2),
    ]
    said = (
        f"Rate of {positive} by period. In {int(inside.sum())} of {len(table)} periods the mean prediction lies within the "
        "interval of the observed rate."
    )
    axes = {"label": "period", "labels": list(table["period"])}, {"label": "rate", "min": 0}
    return Chart("Observed and predicted rate over time", said, *axes, drawn)


def _mean(table: pd.DataFrame) -> Chart:
    drawn = [series.dots("mean outcome", table["target_mean"]), series.dots("mean prediction", table["mean_predicted"], 2)]
    axes = {"label": "period", "labels": list(table["period"])}, {"label": "mean"}
    said = "Where the two drift apart over time, the model has aged."
    return Chart("Mean outcome and prediction over time", said, *axes, drawn)


def _all(run: Run, table: pd.DataFrame) -> Table:
    columns = OF_METRIC | {"value": title(run.metric)}
    columns |= {"n_positive": class_names(run)[1].capitalize()} | OF_RATE | OF_RANKING if "ks" in table else {}
    columns |= OF_MEAN if "target_mean" in table else {}
    rows = [
        [period, *(number.cell(NAME, i, name, table[name].iloc[i], as_share=name in SHARES) for name in columns)]
        for i, period in enumerate(table["period"])
    ]
    return Table("Every period, with 95 % intervals", ["Period", *columns.values()], rows, f"All {len(table)} periods")
