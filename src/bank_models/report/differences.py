"""Section on slices and group fairness."""

from __future__ import annotations

from dataclasses import dataclass

from bank_models.evaluation.requirements import AND, FOUR_FIFTHS, parity_ratios
from bank_models.metrics.names import title
from bank_models.report import number, series
from bank_models.report.block import Chart, Heading, Missing, Section, Table, Text
from bank_models.report.class_names import class_names
from bank_models.report.run import Run

MOST_SLICES = 14
DISPARITIES = ("demographic_parity_ratio", "demographic_parity_difference", "equal_opportunity_difference")


@dataclass(frozen=True)
class Said:
    """A word with a tone."""

    text: str
    tone: str


def differences(run: Run) -> Section | None:
    """Slices and fairness; None for a run that learns from no labels."""
    if not run.learns_from_labels:
        return None
    return Section("slices", "Groups", [*_slices(run), *_fairness(run)])


def _slices(run: Run) -> list:
    table, facts = run.csv("slices.csv"), run.fact("slices")
    if table is None or facts is None:
        return [Missing("quality by slice (slices.csv)")]
    slices = table.iloc[1:]
    rules = (
        f"A slice has at least {facts['min_rows']} test rows. A difference counts if its p-value, corrected for looking at "
        f"{facts['n_slices']} slices ({facts['correction']}), is below {facts['significance']}."
    )
    if slices.empty:
        smallest = f"{facts['min_rows']} test rows and, of two classes, {facts['min_rows_of_class']} of each"
        return [Text(f"No slice of the test rows is large enough to be judged: that takes {smallest}.")]
    n = facts["n_differing"]
    said = (
        f"{n} of {len(slices)} slices differ from all test rows beyond chance."
        if n
        else f"None of {len(slices)} slices differs beyond chance."
    )
    beside = int(((slices["ci_low"] > table["value"].iloc[0]) | (slices["ci_high"] < table["value"].iloc[0])).sum())
    if beside > n:
        said += (
            f" {beside} intervals miss the dashed line, which is no such test: among {len(slices)} slices some miss it by "
            "chance, and most may lie to one side of it where a few rows make the metric of all."
        )
    shown = slices.assign(size=slices["difference"].abs(), is_different=slices["differs"].notna())
    shown = shown.sort_values(["is_different", "size"], ascending=False, kind="stable").head(MOST_SLICES)
    names = [f"{row['column']}: {row['slice']}" for _, row in shown.iterrows()]
    drawn = [
        series.spans("95 % interval", shown["ci_low"], shown["ci_high"]),
        *_judged(shown),
        {**series.line("all test rows", [table["value"].iloc[0]] * len(names), names, 2, "dashed")},
    ]
    chart = Chart(
        f"{title(run.metric)} by slice",
        f"{said} Shown are the {len(shown)} that differ most; the dashed line is the value on all test rows.",
        {"label": title(run.metric)}, {"label": "slice", "labels": names}, drawn, is_horizontal=True, is_tall=True,
    )  # fmt: skip
    return [Text(rules, is_remark=True), chart, _all(run, table)]


def _judged(shown) -> list:
    """The slices' values, those that differ beyond chance by the corrected test apart from the others."""
    value, is_different = shown["value"], shown["is_different"]
    found = [("differs beyond chance", value.where(is_different), 4), ("does not", value.where(~is_different), 1)]
    return [series.dots(name, values, color) for name, values, color in found if values.notna().any()]


def _all(run: Run, table) -> Table:
    rows = []
    for i, row in table.iterrows():
        place = lambda column, i=i, row=row, **how: number.cell("slices.csv", i, column, row[column], **how)  # noqa: E731
        differs = (
            None
            if i == 0
            else Said(row["differs"], "bad" if row["differs"] == "worse" else "good")
            if row["differs"] == row["differs"]
            else "no"
        )
        name = f"{row['column']}: {row['slice']}" if i else row["slice"]
        numbers = [place(column) for column in ("n_rows", "value", "ci_low", "ci_high")]
        rows.append([name, *numbers, place("difference", signed=True), place("p_adjusted"), differs])
    header = ["Slice", "Rows", title(run.metric), "low", "high", "difference", "p, corrected", "differs"]
    return Table("Every slice that was judged", header, rows, f"All {len(table) - 1} slices")


def _fairness(run: Run) -> list:
    protected, table = run.use_case("protected"), run.csv("fairness.csv")
    if not protected:
        return [
            Heading("Fairness"),
            Text("The use case names no protected column, so groups of people were not compared.", is_remark=True),
        ]
    if table is None:
        return [Heading("Fairness"), Missing("rates by protected group (fairness.csv)")]
    chart = _decisions(run, table, protected)
    return [Heading("Fairness"), *chart, _disparities(run, protected), _groups(table)]


def _decisions(run: Run, table, protected) -> list:
    """Rates of the groups that are compared; those of single columns, or there would be hundreds."""
    compared = table[table["is_compared"] & table["column"].isin(protected)]
    if compared.empty:
        return [Text("No two groups are large enough to be compared.")]
    favoured = class_names(run)[run.use_case("favourable") or 0]
    drawn = [
        series.bars(f"called {favoured}", compared["selection_rate"]),
        series.bars(f"called {favoured}, of those who are", compared["true_positive_rate"], 3),
    ]
    n_left = len(table) - len(compared)
    said = f"Share of each group that is called {favoured}, and of those in it who truly are."
    said += f" {n_left} smaller or combined groups are in the table below." if n_left else ""
    labels = [f"{row.column} = {row.group}" for row in compared.itertuples()]
    axes = {"label": "share", "min": 0, "max": 1}, {"label": "group", "labels": labels}
    return [Chart("Decisions by group", said, *axes, drawn, is_horizontal=True)]


def _group(row) -> str:
    """A group by column and value, and whether it is compared with others."""
    small = "" if row["is_compared"] else " (not compared)"
    return f"{row['column']} = {row['group']}{small}"


def _disparities(run: Run, protected) -> Table:
    rows = []
    ratios = parity_ratios(run.metrics)
    for name in [*protected, *(name for name in ratios if name not in protected)]:  # then columns two by two
        ratio = ratios.get(name)
        said = None if ratio is None else Said("kept", "good") if ratio >= FOUR_FIFTHS else Said("broken", "bad")
        rows.append([name.replace(AND, " and "), *(number.metric(run, f"{kind}_{name}") for kind in DISPARITIES), said])
    header = [
        "Protected column",
        "lowest to highest rate",
        "difference of rates",
        "difference among the truly positive",
        "four-fifths rule",
    ]
    return Table("Differences between groups on test", header, rows)


def _groups(table) -> Table:
    columns = ["n", "selection_rate", "true_positive_rate", "false_positive_rate", "precision", "mean_score"]
    columns = [name for name in columns if name in table]
    rows = [
        [_group(row), *(number.cell("fairness.csv", i, name, row[name]) for name in columns)] for i, row in table.iterrows()
    ]
    header = ["Group", *("rows" if name == "n" else name.replace("_", " ") for name in columns)]
    return Table("Rates of every group", header, rows, "All rates by group")
