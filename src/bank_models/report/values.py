"""Section on regression: predictions, residuals, forecasts, quantiles."""

from __future__ import annotations

import numpy as np

from bank_models.report import number, series
from bank_models.report.block import Chart, Columns, Missing
from bank_models.report.over_time import over_time as by_period
from bank_models.report.run import Run

MOST_ROWS = 300
MOST_MOMENTS = 180
N_TENTHS = 10


def values(run: Run) -> list:
    """Forecasts over time of a series, predicted against actual, residuals, errors by tenth, coverage of a quantile."""
    rows = run.parquet("test_scores.parquet")
    blocks = [over_time(run)] if run.use_case("time_column") else []
    if rows is None:
        return [*blocks, Missing("answers to the test rows (test_scores.parquet), from which plots are drawn")]
    y, value, level = rows["y_true"].to_numpy(), rows["score"].to_numpy(), run.use_case("quantile")
    charts = [_against(run, y, value, level), _residuals(run, y, value)]
    charts += [_coverage(run, y, value, level)] if level else [_errors(run, y, value), _spread(run, y, value)]
    return [*blocks, Columns(charts), *by_period(run)]


def over_time(run: Run) -> Chart | Missing:
    """Forecast, actual and naive value by moment."""
    table = run.csv("forecast.csv")
    if table is None:
        return Missing("forecasts by moment (forecast.csv)")
    shown = table.tail(MOST_MOMENTS)
    naive, unit = run.fact("baseline"), run.unit
    is_one = bool((table["n_rows"] == 1).all())
    said = (
        f"{'The value' if is_one else 'Mean over the rows'} of each of the {'last ' if len(shown) < len(table) else ''}"
        f"{len(shown)} moments of test, {shown['time'].iloc[0]} to {shown['time'].iloc[-1]}; {naive} is the baseline to beat."
    )
    drawn = [
        series.line("actual", shown["time"], shown["actual"], 5),
        series.line(str(naive), shown["time"], shown["baseline"], 2, "dashed"),
        series.line("predicted", shown["time"], shown["predicted"], 1),
    ]
    axis = {"label": run.use_case("time_column"), "labels": [str(time) for time in shown["time"]]}
    label = f"{run.use_case('target')}{f', {unit}' if unit else ''}"
    return Chart("Forecast against actual", said, axis, {"label": label}, drawn, is_tall=True)


def _against(run: Run, y, value, level) -> Chart:
    kept = series.thinned(len(y), MOST_ROWS)
    low, high = float(min(y[kept].min(), value[kept].min())), float(max(y[kept].max(), value[kept].max()))
    name = f"{level:g} quantile" if level else "predicted"
    equal = "the outcome equals the level" if level else "the prediction is exact"
    said = f"{len(kept)} of {len(y)} test rows; on the dashed line, {equal}."
    drawn = [series.line("row", value[kept], y[kept], 1, "points"), series.line("equal", [low, high], [low, high], 2, "dashed")]
    return Chart("Predicted against actual", said, {"label": name}, {"label": "actual"}, drawn)


def tenths(value) -> list[np.ndarray]:
    """Rows by tenth, from the lowest value to the highest."""
    return np.array_split(np.argsort(value, kind="stable"), min(N_TENTHS, len(value)))


def _residuals(run: Run, y, value) -> Chart:
    bins, left = tenths(value), y - value
    low, middle, high = (np.array([np.quantile(left[rows], q) for rows in bins]) for q in (0.1, 0.5, 0.9))
    at = [float(value[rows].mean()) for rows in bins]
    drawn = [
        *series.band("80 % of rows", at, low, high),
        series.line("median", at, middle),
        series.line("zero", [at[0], at[-1]], [0, 0], 2, "dashed"),
    ]
    said = "Actual minus predicted, by tenth of the predictions: the median, and the range of the middle 80 %."
    return Chart("Residuals", said, {"label": "mean prediction of the tenth"}, {"label": "actual less predicted"}, drawn)


def _errors(run: Run, y, value) -> Chart:
    bins = tenths(y)
    errors = [float(np.mean(np.abs(y[rows] - value[rows]))) for rows in bins]
    labels = [f"{number.formatted(float(y[rows].min()))} to {number.formatted(float(y[rows].max()))}" for rows in bins]
    said = (
        f"Mean absolute error by tenth of the actual values; over all rows {number.metric(run, 'test_mae') or 'not recorded'}."
    )
    axes = {"label": "actual value", "labels": labels}, {"label": "mean absolute error", "min": 0}
    return Chart("Error by size of the outcome", said, *axes, [series.bars("error", errors)])


def _spread(run: Run, y, value) -> Chart:
    left = np.sort(y - value)
    edges = np.linspace(*np.quantile(left, [0.005, 0.995]), 25)
    counts = np.histogram(left, edges)[0] / len(left)
    said = "Share of the test rows by actual minus predicted; the outermost half per cent on either side is left out."
    drawn = [series.line("share of rows", (edges[:-1] + edges[1:]) / 2, counts)]
    return Chart("How far off", said, {"label": "actual less predicted"}, {"label": "share of rows", "min": 0}, drawn)


def _coverage(run: Run, y, value, level: float) -> Chart:
    bins = tenths(value)
    found = [float(np.mean(y[rows] <= value[rows])) for rows in bins]
    labels = [number.formatted(float(value[rows].mean())) for rows in bins]
    drawn = [series.dots("at or below the level", found), series.line("meant", labels, [level] * len(labels), 2, "dashed")]
    said = (
        f"Share of outcomes at or below the predicted level, by tenth of the level; {number.formatted(level)} are meant to be, "
        f"{number.metric(run, 'test_coverage')} of all rows are. Kupiec's test has a p-value of "
        f"{number.metric(run, 'test_kupiec_p_value')}; below 0.05 the level is refuted."
    )
    return Chart("Coverage", said, {"label": "mean level of the tenth", "labels": labels}, {"label": "share", "max": 1}, drawn)
