"""Model card: slices, fairness and drift."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from bank_models.evaluation.drift import UNBINNED
from bank_models.evaluation.requirements import parity_ratios
from bank_models.report.model_card.markdown import NOTHING, code, number, share, shown, table, text
from bank_models.report.model_card.recorded import MISSING, Ready, Recorded, facts, find, not_recorded, told


def slices(run: Recorded) -> list[str]:
    if run.use_case("task") in ("clustering", "anomaly"):
        return []
    found, about = run.tables.get("slices"), run("slices")
    if found is None or about is None:
        return ["## Slices of the test rows", not_recorded("performance by slice (slices.csv)")]
    is_binary = run.use_case("task") == "binary"
    rows = [_slice(row, is_binary) for row in found.itertuples(index=False)]
    header = ["Column", "Slice", "Rows", "Share of positives" if is_binary else "Mean target", "Mean score",
              told(about, "metric", code), "95 % interval", "p, corrected", "Differs from all rows"]  # fmt: skip
    looked_at, left_out = (told(about, name, _listed) for name in ("columns", "columns_left_out"))
    marked = (
        f"{told(about, 'n_slices')} slices were looked at. Looking at many finds differences by chance: "
        f"{told(about, 'n_differing')} survive {told(about, 'correction', text)}'s correction at "
        f"{told(about, 'significance')} and are marked. {told(about, 'n_pooled_or_left_out')} categories or quartiles were "
        f"pooled or left out: they have fewer than {told(about, 'min_rows')} rows"
        + (f", or fewer than {told(about, 'min_rows_of_class')} rows of a class" if is_binary else "")
        + _told_of_clusters(about)
        + ". Intervals are of 95 %, by Student's t, not corrected."
    )
    columns = (
        f"- Columns that were looked at: {looked_at}. Not looked at: {left_out}.\n"
        f"- Of features, those {told(about, 'max_features')} were looked at whose slices the model's answers differ most "
        "between, and that have slices large enough; text never is."
    )
    caution = (
        "A metric may differ although the model is no worse: a ranking is harder where the scores are alike, an average "
        "precision lower where positives are rarer, an error larger where the target is."
    )
    return ["## Slices of the test rows", marked, table(header, rows), columns, caution]


def _told_of_clusters(about: Mapping) -> str:
    least = about.get("min_clusters", MISSING)
    return "" if least is None else f", or come from fewer than {told(about, 'min_clusters')} groups or moments"


def _listed(names: list[str]) -> str:
    return ", ".join(map(code, names)) or "none"


def _slice(row, is_binary: bool) -> list[str]:
    show = share if is_binary else number
    has_interval = not pd.isna(row.ci_low)
    return [
        "" if pd.isna(row.column) else code(row.column),
        text(row.slice),
        number(row.n_rows),
        show(row.target_mean),
        show(row.mean_score),
        number(row.value),
        f"{number(row.ci_low)} to {number(row.ci_high)}" if has_interval else "",
        "" if pd.isna(row.p_adjusted) else number(row.p_adjusted),
        "" if pd.isna(row.differs) else f"**{text(row.differs)}**",
    ]


def fairness(run: Recorded) -> list[str]:
    protected = run.use_case("protected")
    if not protected:
        return []
    pairs = [("Protected columns, which no model sees", Ready(_listed(protected)))]
    rates = run.tables.get("fairness")
    if rates is None:
        return ["## Fairness", facts([*pairs, ("rates of each group (fairness.csv)", None)])]
    shares = ("selection_rate", "true_positive_rate", "false_positive_rate", "precision", "mean_score")
    rows = [
        [
            code(row.column),
            text(row.group),
            number(row.n),
            *(share(getattr(row, name)) for name in shares),
            shown(row.is_compared),
        ]
        for row in rates.itertuples(index=False)
    ]
    header = ["Column", "Group", "Test rows", "Decided positively", "True positive rate", "False positive rate", "Precision",
              "Mean score", "Compared"]  # fmt: skip
    measures = ("demographic_parity_ratio", "demographic_parity_difference", "equal_opportunity_difference")
    columns = dict.fromkeys([*protected, *parity_ratios(run.metrics)])  # also two by two
    compared = [[code(column), *(number(run.metrics.get(f"{name}_{column}")) for name in measures)] for column in columns]
    rule = f"A ratio of selection rates below four fifths breaks the four-fifths rule; {NOTHING} could not be told."
    return [
        "## Fairness",
        facts(pairs),
        table(header, rows),
        table(["Column", "Ratio of selection rates", "Their difference", "Difference of true positive rates"], compared),
        rule,
    ]


def monitoring(run: Recorded) -> list[str]:
    if not run.drift:
        return ["## Monitoring", not_recorded("what to watch (drift_reference.json)")]
    floors, limits = run.drift.get("floors"), run.drift.get("limits") or {}
    pairs = [
        ("Population stability index worth a look above", limits.get("watch")),
        ("A different population above", limits.get("act")),
        ("Limits as in", run.drift.get("source")),
    ]
    if "floors" in run.drift and floors is None:
        pairs.append(("Floor of the metric", Ready("none, for there are no test rows to take an interval from")))
    else:
        side = {True: "above", False: "below", None: f"or above: direction {MISSING}"}[find(floors, "is_loss")]
        pairs.append(
            (
                f"{code(run.metric)} worth a look {side}, the worse end of its interval",
                find(floors, "watch")
                if floors is None or floors.get("watch") is not None
                else Ready("none, for there is no interval"),
            )
        )
        pairs.append((f"{code(run.metric)} to act on {side}, as far again or the baseline", find(floors, "act")))
    pairs += [(f"what the {name} looked like", None) for name in ("answers", "features") if not run.drift.get(name)]
    described = [*_described(run, "answers", "answer"), *_described(run, "features", "feature")]
    header = ["Column", "Which", "Kind", "Reference rows", "Missing", "New rows needed for a verdict"]
    note = (
        "`drift_reference.json` holds the bins and their shares: of features over the training rows, of scores over val. "
        "With fewer new rows than stated the index is expected to exceed half of its first limit by chance alone."
    )
    return ["## Monitoring", facts(pairs), note, table(header, described)]


def _described(run: Recorded, kind: str, which: str) -> list[list[str]]:
    rows = []
    for name, about in (run.drift.get(kind) or {}).items():
        needed = about.get("rows_needed")
        if about.get("kind") in UNBINNED:
            unwatched = "not watched, but for missing values"
        else:
            is_known = "shares" in about and "rows_needed" in about
            unwatched = "the reference is too small or constant" if is_known else MISSING
        rows.append(
            [code(name), which, told(about, "kind", text), told(about, "n_rows"), told(about, "missing", share),
             unwatched if needed is None or "shares" not in about else number(needed)]
        )  # fmt: skip
    return rows
