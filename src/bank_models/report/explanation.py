"""Section on explanation: importance, partial dependence, Shapley values, monotonicity."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from bank_models.data.csv_cells import unescaped_frame
from bank_models.metrics.names import title
from bank_models.report import number, series
from bank_models.report.answers import in_sentence
from bank_models.report.block import Chart, Columns, Heading, Missing, Section, Table, Text
from bank_models.report.differences import Said
from bank_models.report.run import Run

if TYPE_CHECKING:
    import pandas as pd

MOST_FEATURES = 15
MOST_ROWS = 200
MOST_TICKS = 80
ANSWERS = {"binary": "mean probability", "multiclass": "mean probability", "regression": "mean prediction"}
CONTRIBUTIONS = "Contributions to single rows (SHAP summary)"
USUAL = "the score of a row in which every feature has the value usual in train"
UNITS = {"binary": "log-odds added", "multiclass": "margin added", "regression": "added to the prediction, as learnt"}
METHODS = {
    "tree_paths": ("computed exactly along the paths of the trees", "the mean over the training rows"),
    "coefficients": ("exact: coefficient times distance from the usual", USUAL),
    "sampled_orders": ("averaged over sampled orders of the features", USUAL),
    "sampled_orders_of_most_used": (
        "averaged over sampled orders of the features that the model uses most, all others being set in one step",
        USUAL,
    ),
}


def explanation(run: Run) -> Section | None:
    """None for a run that learns from no labels: its profiles explain it."""
    if not run.learns_from_labels:
        return None
    blocks = [*_importance(run), *_contributions(run), *_dependence(run), *_directions(run)]
    return Section("explanation", "What drives it", blocks)


def _importance(run: Run) -> list:
    table = run.csv("importance.csv")
    if table is None:
        return [Missing("importance of the features (importance.csv)")]
    shown = table.dropna(subset="importance").head(MOST_FEATURES)
    labels, middle, spread = list(shown["feature"]), shown["importance"], shown["std"]
    said = (
        f"How much worse {in_sentence(run.metric)} on test gets when a column is shuffled, over {table['n_repeats'].iloc[0]} "
        f"shuffles of {table['n_rows'].iloc[0]:,} rows{_more_of_the_rarer(run)}; bars span a "
        f"standard deviation to either side. Most of all the model goes by {labels[0]}. "
        "Columns that say the same share their importance."
    )
    drawn = [series.spans("± a standard deviation", middle - spread, middle + spread), series.dots("importance", middle)]
    axes = {"label": f"{title(run.metric)} lost"}, {"label": "feature", "labels": labels}
    chart = Chart("Importance by permutation", said, *axes, drawn, is_horizontal=True, is_tall=True)
    rows = [
        [row["feature"], *(number.cell("importance.csv", i, name, row[name]) for name in ("importance", "std"))]
        for i, row in table.head(MOST_ROWS).iterrows()
    ]
    is_whole = len(rows) == len(table)
    caption = "Every feature" if is_whole else "The most important features; importance.csv has all of them"
    summary = f"All {len(table)} features" if is_whole else f"{len(rows)} of {len(table):,} features"
    return [chart, Table(caption, ["Feature", "importance", "standard deviation"], rows, summary)]


def _more_of_the_rarer(run: Run) -> str:
    return ", of the rarer class more than its share" if run.task == "binary" else ""


def _contributions(run: Run) -> list:
    """A dot for each sampled row and feature, as the package shap draws them."""
    if not run.n_cases:
        return [Text("What features add to single rows is not shown, because report.cases is 0.", is_remark=True)]
    table, rows = contributions_table(run), run.csv("explained_rows.csv")
    if table is None or rows is None:
        return [Missing("what features add to the scores of single rows (contributions.csv, explained_rows.csv)")]
    if not table["contribution"].any():
        said = f"Nothing adds to the score of any of {len(rows):,} sampled test rows: the model answers all rows alike."
        return [Heading(CONTRIBUTIONS), Text(said)]
    names = list(table["feature"].unique())
    x, ranks, values = (
        table[name].to_numpy().reshape(len(names), len(rows)) for name in ("contribution", "value_rank", "value")
    )
    drawn = series.swarm(names, x, ranks, [values_shown(run, name, of) for name, of in zip(names, values, strict=True)])
    low, high = float(x.min()), float(x.max())
    margin = 0.03 * (high - low)
    axes = (
        {"label": UNITS[run.task], "rows": rows["row"].tolist(), "min": low - margin, "max": high + margin},
        {"label": "", "names": names, "min": -0.6, "max": len(names) - 0.4},
    )
    ramp = ("low value", "high value", "no order: category, text or missing")
    return [Chart(CONTRIBUTIONS, _how_explained(run, rows, len(names)), *axes, drawn, ramp=ramp)]


def _how_explained(run: Run, rows: pd.DataFrame, n_shown: int) -> str:
    from bank_models.evaluation.explain.shapley import RAW_SCORES

    how, zero = METHODS[rows["method"].iloc[0]]
    n_others = run.facts["feature_count"] - n_shown
    said = (
        f"Each dot is one of {len(rows):,} test rows{_more_of_the_rarer(run)}: right of zero the feature raised the raw score "
        f"of the row, left of zero it lowered it; the colour is its value. The raw score is the {RAW_SCORES[run.task]}. "
        f"Shapley values, {how}; zero is {zero}."
    )
    is_each_known = rows["method"].iloc[0] in ("tree_paths", "coefficients", "sampled_orders")
    return f"{said} The other {n_others:,} features add less." if n_others > 0 and is_each_known else said


def contributions_table(run: Run) -> pd.DataFrame | None:
    """`contributions.csv` with values as they are written in it."""
    import pandas as pd

    text = run.text("contributions.csv")
    if not text:
        return None
    kinds = {"feature": str, "value": object, "value_rank": "float64", "contribution": "float64"}
    return unescaped_frame(pd.read_csv(io.StringIO(text), dtype=kinds, keep_default_na=False, na_values=[""]))


def values_shown(run: Run, name: str, values) -> list:
    """Values of a feature as the page shows them: numbers as numbers, and no texts."""
    kind = (run.fact("config", "use_case", "features", name) or {"type": "float"})["type"]  # lags and most derived columns are
    if kind == "text":
        return ["a text"] * len(values)
    missing = [value != value for value in values]
    is_condition = kind == "float" and any(value in ("true", "false") for value in values)
    read = float if kind in ("float", "int") and not is_condition else str
    return ["missing" if is_missing else read(value) for is_missing, value in zip(missing, values, strict=True)]


def _dependence(run: Run) -> list:
    table = run.csv("dependence.csv")
    if table is None:
        return [Missing("how answers depend on single features (dependence.csv)")]
    directions, broken, charts = run.fact("monotone") or {}, run.fact("monotone_violations") or {}, []
    answer = {"label": ANSWERS[run.task], **_one_scale(table)}
    for feature, part in table.groupby("feature", sort=False):
        claim = directions.get(feature)
        said = f"{ANSWERS[run.task].capitalize()} when every sampled test row is given this value."
        if claim:
            word = "up" if claim > 0 else "down"
            said += f" Declared: {word}; {'✗ broken somewhere' if feature in broken else '✓ kept'}."
        label = {"label": str(feature)}
        if not part["is_number"].all():
            label |= {"labels": [str(value) for value in part["value"].unique()]}
        drawn = [
            _moved(run, code, answers, "labels" in label) for code, answers in part.groupby("class", dropna=False, sort=True)
        ]
        drawn += [] if "labels" in label else _rug(run, feature, answer["min"])
        charts.append(_of_feature(str(feature), said, label, answer, drawn))
    note = (
        "All charts share one scale, so that steps compare. Partial dependence moves one column and leaves the others, so it "
        "can show combinations that do not occur."
    )
    return [Heading("How answers depend on the most important features"), Text(note, is_remark=True), Columns(charts)]


def _of_feature(name: str, said: str, x: dict, y: dict, drawn: list) -> Chart:
    """Numbers go across the page, categories down it, so that their names can be read."""
    if "labels" in x:
        return Chart(name, said, y, x, drawn, is_horizontal=True)
    return Chart(name, said, x, y, drawn)


def _rug(run: Run, feature: str, bottom: float) -> list[dict]:
    """A tick for each sampled row: where there are rows at all."""
    table = contributions_table(run) if run.n_cases else None
    values = [] if table is None else table.loc[table["feature"] == feature, "value"]
    known = sorted({value for value in values_shown(run, feature, values) if isinstance(value, float)})
    kept = [known[i] for i in series.thinned(len(known), MOST_TICKS)] if known else []
    return [series.line("sampled rows", kept, [bottom] * len(kept), 5, "rug")] if kept else []


def _one_scale(table) -> dict:
    """Lowest and highest mean answer of all features; from 0 where some of them are drawn as bars."""
    low, high = float(table["mean_answer"].min()), float(table["mean_answer"].max())
    margin = 0.05 * (high - low) or 0.05 * abs(high) or 1.0
    low, high = low - margin, high + margin
    return {"min": low, "max": high} if table["is_number"].all() else {"min": min(low, 0.0), "max": max(high, 0.0)}


def _moved(run: Run, code, answers, is_category: bool) -> dict:
    """Mean answers by value; of several classes, the mean probability of one."""
    name, color = (ANSWERS[run.task], 1) if code != code else (run.use_case("classes")[int(code)], 1 + int(code) % 6)
    if is_category:
        return series.bars(name, answers["mean_answer"], color)
    return series.line(name, answers["value"].astype(float), answers["mean_answer"], color)


def _directions(run: Run) -> list:
    directions = run.fact("monotone")
    if not directions:
        return []
    broken = run.fact("monotone_violations") or {}
    rows = [
        [
            name, "up" if direction > 0 else "down",
            Said("✗ broken", "warn") if name in broken else Said("✓ kept", "good"),
            number.fact(run, "monotone_violations", name) if name in broken else None,
        ]
        for name, direction in directions.items()
    ]  # fmt: skip
    enforced = (
        "Directions were enforced while fitting."
        if run.fact("monotone_is_enforced")
        else "Directions were not enforced while fitting."
    )
    table = Table(
        "Declared directions, tested on training rows", ["Feature", "answers go", "", "largest step against it"], rows
    )
    return [Heading("Directions"), Text(enforced, is_remark=True), table]
