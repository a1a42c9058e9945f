"""Scorecard tables: gains and lift by decile, score bands, calibration by decile."""

from __future__ import annotations

from bank_models.report import number, series
from bank_models.report.block import Chart, Figures, Heading, Missing, Table, Text
from bank_models.report.class_names import class_names
from bank_models.report.run import Run

DECILES, BANDS = "deciles.csv", "score_bands.csv"
SHARES = {"observed_rate", "ci_low", "ci_high", "mean_predicted", "cumulative_rate", "gain", "share"}


def scorecard(run: Run) -> list:
    """KS and Gini, tenths of the score as a chart and a table, and bands of probability."""
    deciles, bands = run.csv(DECILES), run.csv(BANDS)
    if deciles is None or bands is None:
        return [Missing(f"gains, lift and calibration by tenth of the score ({DECILES}, {BANDS})")]
    _, positive = class_names(run)
    units = run.fact("interval_of", "drawn") or {}
    blocks = [Heading("Score by tenths and bands"), Figures(_summary(run)), _calibration(deciles, positive)]
    blocks += [_by_decile(deciles, positive), _by_band(bands, positive)]
    if "rows" not in units and units:
        said = f"Rows that share {' or '.join(units)} repeat one another: the intervals of rates go by that."
        blocks.append(Text(said, is_remark=True))
    return blocks


def _summary(run: Run) -> list:
    return [
        ("KS", number.metric(run, "test_ks"), ["largest distance of the two classes"]),
        ("Gini", number.metric(run, "test_gini"), ["twice the ROC AUC less 1; 0 is guessing, 1 is perfect"]),
        ("Lift of the first tenth", number.metric(run, "test_lift_at_10_percent"), ["times the rate of all cases"]),
    ]


def _calibration(table, positive: str) -> Chart:
    labels = [str(code) for code in table["decile"]]
    n_known = int(table["ci_low"].notna().sum())
    inside = int(((table["ci_low"] <= table["mean_predicted"]) & (table["mean_predicted"] <= table["ci_high"])).sum())
    drawn = [
        series.spans("95 % interval of the rate", table["ci_low"], table["ci_high"]),
        series.dots("observed rate", table["observed_rate"]),
        series.dots("mean prediction", table["mean_predicted"], 2),
    ]
    said = (
        f"Rate of {positive} by tenth of the score; 1 has the highest scores. In {inside} of {n_known} tenths the mean "
        "prediction lies within the interval of the observed rate."
    )
    axes = {"label": "tenth of the score", "labels": labels}, {"label": "rate", "min": 0}
    return Chart("Calibration by tenth", said, *axes, drawn)


def _by_decile(table, positive: str) -> Table:
    columns = {
        "highest_score": "Score, from", "lowest_score": "to", "n_rows": "Cases", "n_positive": positive.capitalize(),
        "observed_rate": "Rate", "ci_low": "low", "ci_high": "high", "mean_predicted": "Predicted", "lift": "Lift",
        "cumulative_rate": "Cumulative rate", "gain": "Gain", "ks": "KS",
    }  # fmt: skip
    said = (
        f"Gains and lift by tenth, highest scores first. Cumulative rate: {positive} among all cases so far. "
        f"Gain: share of all {positive} found so far. Low and high: 95 % interval of the rate."
    )
    rows = [[str(code), *_cells(DECILES, table, i, columns)] for i, code in enumerate(table["decile"])]
    return Table(said, ["Tenth", *columns.values()], rows)


def _by_band(table, positive: str) -> Table:
    columns = {
        "n_rows": "Cases", "share": "Share", "n_positive": positive.capitalize(), "observed_rate": "Rate", "ci_low": "low",
        "ci_high": "high", "mean_predicted": "Predicted",
    }  # fmt: skip
    names = [f"{_limit(low)} to {_limit(high)} %" for low, high in zip(table["from"], table["to"], strict=True)]
    rows = [[name, *_cells(BANDS, table, i, columns)] for i, name in enumerate(names)]
    said = f"Score bands: cases by predicted probability of {positive}. The limits never change, so bands of models compare."
    return Table(said, ["Band", *columns.values()], rows)


def _limit(probability: float) -> str:
    return f"{100 * probability:g}"


def _cells(name: str, table, row: int, columns: dict[str, str]) -> list:
    return [number.cell(name, row, each, table[each].iloc[row], as_share=each in SHARES) for each in columns]
