"""What the model goes by: importance of features, how answers depend on them, and whether declared directions hold."""

from __future__ import annotations

from src.report import number, series
from src.report.block import Chart, Columns, Heading, Missing, Section, Table, Text
from src.report.differences import Said
from src.report.run import Run

MOST_FEATURES = 15


def explanation(run: Run) -> Section | None:
    """None for a run without labels: its profiles explain it."""
    if run.fact("split") is None:
        return None
    return Section("explanation", "Explanation", [*_importance(run), *_dependence(run), *_directions(run)])


def _importance(run: Run) -> list:
    table = run.csv("importance.csv")
    if table is None:
        return [Missing("importance of the features (importance.csv)")]
    shown = table.head(MOST_FEATURES)
    labels, middle, spread = list(shown["feature"]), shown["importance"], shown["std"]
    said = (
        f"By how much {run.metric} on test gets worse when a column is shuffled, over {table['n_repeats'].iloc[0]} "
        f"shuffles of {table['n_rows'].iloc[0]:,} rows{_more_of_the_rarer(run)}; bars span a "
        f"standard deviation to either side. Most of all the model goes by {labels[0]}. "
        "Columns that say the same share their importance."
    )
    drawn = [series.spans("± a standard deviation", middle - spread, middle + spread), series.dots("importance", middle)]
    axes = {"label": f"loss of {run.metric}"}, {"label": "feature", "labels": labels}
    chart = Chart("Importance by permutation", said, *axes, drawn, is_horizontal=True, is_tall=True)
    rows = [
        [row["feature"], *(number.cell("importance.csv", i, name, row[name]) for name in ("importance", "std"))]
        for i, row in table.iterrows()
    ]
    return [chart, Table("Every feature", ["Feature", "importance", "standard deviation"], rows, f"All {len(table)} features")]


def _more_of_the_rarer(run: Run) -> str:
    return ", of the rarer class more than its share" if run.task == "binary" else ""


def _dependence(run: Run) -> list:
    table = run.csv("dependence.csv")
    if table is None:
        return [Missing("how answers depend on single features (dependence.csv)")]
    directions, broken, charts = run.fact("monotone") or {}, run.fact("monotone_violations") or {}, []
    for feature, part in table.groupby("feature", sort=False):
        claim = directions.get(feature)
        said = "Mean answer when every sampled test row is given this value."
        if claim:
            word = "up" if claim > 0 else "down"
            said += f" Declared: {word}; {'✗ broken somewhere' if feature in broken else '✓ kept'}."
        label = {"label": str(feature)}
        if not part["is_number"].all():
            label |= {"labels": [str(value) for value in part["value"].unique()]}
        drawn = [
            _moved(run, code, answers, "labels" in label) for code, answers in part.groupby("class", dropna=False, sort=True)
        ]
        charts.append(Chart(str(feature), said, label, {"label": "mean answer"}, drawn))
    note = "Partial dependence moves one column and leaves the others, so it can show combinations that do not occur."
    return [Heading("How answers depend on the most important features"), Text(note, is_remark=True), Columns(charts)]


def _moved(run: Run, code, answers, is_category: bool) -> dict:
    """Mean answers by value; of several classes, the mean probability of one."""
    name, color = ("mean answer", 1) if code != code else (run.use_case("classes")[int(code)], 1 + int(code) % 6)
    if is_category:
        return series.bars(name, answers["mean_answer"], color)
    return series.line(name, answers["value"].astype(float), answers["mean_answer"], color)


def _directions(run: Run) -> list:
    directions = run.fact("monotone")
    if not directions:
        return [Heading("Directions"), Text("The use case declares no direction that an answer must follow.", is_remark=True)]
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
