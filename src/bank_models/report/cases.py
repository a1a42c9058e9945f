"""Section on single cases: rows that are surely right, surely wrong or on the edge, each with the reasons as a waterfall."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from bank_models.report import series
from bank_models.report.block import Chart, Columns, Section, Text
from bank_models.report.class_names import class_names
from bank_models.report.explanation import UNITS, contributions_table, values_shown
from bank_models.report.number import formatted
from bank_models.report.run import Run

if TYPE_CHECKING:
    import pandas as pd

MOST_REASONS = 6
REST = "all other features"


@dataclass(frozen=True)
class Case:
    """A row, why it is shown, and what was answered."""

    row: int
    title: str
    answer: str


def cases(run: Run) -> Section | None:
    """None for a run that explained no rows, or that is to show none (`report.cases=0`)."""
    if not run.n_cases:
        return None
    explained, table, scores = run.csv("explained_rows.csv"), contributions_table(run), run.parquet("test_scores.parquet")
    if explained is None or table is None or scores is None or not table["contribution"].any():
        return None
    known = scores[scores["row"].isin(explained["row"])].reset_index(drop=True)
    chosen = {"binary": _of_two, "multiclass": _of_many, "regression": _of_values}[run.task](run, known)
    shown = [_waterfall(run, case, explained, table) for case in chosen[: run.n_cases]]
    said = (
        f"Examples among {len(explained):,} sampled test rows. A bar to the right raises the raw score "
        f"({UNITS[run.task]}), one to the left lowers it; together they lead from the usual row to this one. "
        "They are reasons of the model, not causes."
    )
    return Section("cases", "Single cases", [Text(said, is_remark=True), Columns(shown)]) if shown else None


def _of_two(run: Run, known: pd.DataFrame) -> list[Case]:
    """Surely right and surely wrong of each class, and the row nearest to the threshold."""
    negative, positive = class_names(run)
    y, decision, score = (known[name].to_numpy() for name in ("y_true", "decision", "score"))
    wanted = [
        (f"Most surely {positive}, and rightly", (y == 1) & (decision == 1), -score),
        (f"Most surely {negative}, and rightly", (y == 0) & (decision == 0), score),
        (f"Most surely {positive}, and wrongly", (y == 0) & (decision == 1), -score),
        (f"Most surely {negative}, and wrongly", (y == 1) & (decision == 0), score),
        ("Nearest to the threshold", np.full(len(y), True), np.abs(score - run.metrics.get("threshold", 0.5))),
    ]
    names = (negative, positive)
    found = []
    for title, among, order in wanted:
        if (at := _first(among, order)) is not None:
            said = f"Score {formatted(float(score[at]))}: called {names[int(decision[at])]}, and it is {names[int(y[at])]}."
            found.append(Case(int(known["row"].iloc[at]), title, said))
    return found


def _of_many(run: Run, known: pd.DataFrame) -> list[Case]:
    """Surest right, surest wrong and least sure decision."""
    classes = run.use_case("classes")
    y, decision = known["y_true"].to_numpy(), known["decision"].to_numpy()
    sure = known[[f"score_{code}" for code in range(len(classes))]].to_numpy().max(axis=1)
    wanted = [
        ("Most sure, and right", y == decision, -sure),
        ("Most sure, and wrong", y != decision, -sure),
        ("Least sure", np.full(len(y), True), sure),
    ]
    found = []
    for title, among, order in wanted:
        if (at := _first(among, order)) is not None:
            said = (
                f"Highest probability {formatted(float(sure[at]))}: called {classes[decision[at]]}, and it is {classes[y[at]]}."
            )
            found.append(Case(int(known["row"].iloc[at]), title, f"{said} The bars explain {classes[decision[at]]}."))
    return found


def _of_values(run: Run, known: pd.DataFrame) -> list[Case]:
    """The answer that is most too high, the one most too low, and one with a typical error."""
    beyond = (known["score"] - known["y_true"]).to_numpy()
    size = np.abs(beyond)
    wanted = [
        ("Most too high", beyond > 0, -beyond),
        ("Most too low", beyond < 0, beyond),
        ("A typical error", np.full(len(size), True), np.abs(size - np.median(size))),
    ]
    found = []
    for title, among, order in wanted:
        if (at := _first(among, order)) is not None:
            predicted, actual = (formatted(float(known[name].iloc[at])) for name in ("score", "y_true"))
            said = f"Predicted {predicted}, and it was {actual}."
            found.append(Case(int(known["row"].iloc[at]), title, said))
    return found


def _first(among: np.ndarray, order: np.ndarray) -> int | None:
    """Position of the lowest order among some rows; None if there are none."""
    return int(np.argmin(np.where(among, order, np.inf))) if among.any() else None


def _waterfall(run: Run, case: Case, explained: pd.DataFrame, table: pd.DataFrame) -> Chart:
    """From the usual row's score to this one's, feature by feature, the largest step first."""
    facts = explained[explained["row"] == case.row].iloc[0]
    mine = table[table["row"] == case.row]
    mine = mine.iloc[np.argsort(-mine["contribution"].abs().to_numpy(), kind="stable")]
    top, rest = mine.head(MOST_REASONS), mine.iloc[MOST_REASONS:]
    values = [values_shown(run, row.feature, [row.value])[0] for row in top.itertuples()]
    labels = [f"{name} = {_plain(value)}" for name, value in zip(top["feature"], values, strict=True)]
    steps = [*top["contribution"], float(rest["contribution"].sum() + facts["other_features_add"])]
    ends = np.cumsum([facts["base"], *steps])
    spans = [[low, high] for low, high in pairwise(ends)]
    labels += [REST]
    drawn = [
        series.steps("raises", [span if span[1] >= span[0] else None for span in spans], 2),
        series.steps("lowers", [span if span[1] < span[0] else None for span in spans], 1),
    ]
    said = f"{case.answer} Row {case.row:,}; raw score from {formatted(float(ends[0]))} to {formatted(float(ends[-1]))}."
    return Chart(case.title, said, {"label": UNITS[run.task].replace(" added", "")}, {"label": "feature", "labels": labels},
                 [one for one in drawn if any(one["points"])], is_horizontal=True)  # fmt: skip


def _plain(value) -> str:
    if not isinstance(value, float):
        return str(value)
    return f"{int(value):,}" if value.is_integer() else formatted(value)
