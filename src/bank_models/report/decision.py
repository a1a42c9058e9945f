"""Verdict in business terms: cases flagged and missed, their cost; typical error; comparison with the naive forecast."""

from __future__ import annotations

from bank_models.metrics.names import is_loss, title
from bank_models.report import number
from bank_models.report.block import Figures, Heading, Text
from bank_models.report.class_names import class_names, decided, in_words
from bank_models.report.run import Run

THOUSAND = 1000
NAIVE = {
    "seasonal_naive": "the value of a season ago",
    "seasonal_growth": "the value of a season ago, grown since",
    "last_value": "the last known value",
}
COUNTS = ("true_negatives", "false_positives", "false_negatives", "true_positives")


def decision(run: Run) -> list:
    """A heading, a row of figures and a sentence; nothing for a task that decides nothing."""
    return {"binary": _two_classes, "multiclass": _many_classes, "regression": _values}.get(run.task, lambda _: [])(run)


def counted_on(run: Run, total: float) -> str:
    """What shares of 1,000 cases were counted on: rows, or their weights."""
    if column := run.fact("weights", "column"):
        return f"Counted on {run.fact('split', 'n_rows', 'test'):,} test rows, weighted by {column}."
    return f"Counted on {total:,.0f} test rows."


def what_is_counted(run: Run) -> str:
    """What a cell of a confusion matrix is: a number of test rows, or the sum of their weights."""
    column = run.fact("weights", "column")
    return f"Sum of {column} of the test rows" if column else "Test rows"


def per_thousand(count: float, n_rows: float) -> str:
    """How much it is of 1,000 cases: whole numbers, unless they are small."""
    found = THOUSAND * count / n_rows
    return f"{found:,.0f}" if found >= 10 or found == 0 else f"{found:.1f}" if found >= 0.1 else f"{found:.2g}"


def capital(words: str) -> str:
    """Words that begin a sentence or a label."""
    return words[:1].upper() + words[1:]


def a_case(run: Run) -> str:
    """What a case is, if the use case says so."""
    row = (run.use_case("row") or "").split(";")[0].strip()
    row = row if row[1:2].isupper() else row[:1].lower() + row[1:]
    return f"A case is {row}. " if row else ""


def _two_classes(run: Run) -> list:
    if not all(f"test_{name}" in run.metrics for name in COUNTS) or "threshold" not in run.metrics:
        return []
    negative, positive = class_names(run)
    words = decided(run)
    tn, fp, fn, tp = (run.metrics[f"test_{name}"] for name in COUNTS)
    n_rows, at = tn + fp + fn + tp, run.metrics["threshold"]
    precision, missed = _share(tp, tp + fp), _share(fn, tp + fn)
    is_wanted = run.use_case("favourable") == 1
    figures = [
        (
            f"{capital(words.flagged)}, of 1,000 cases",
            per_thousand(tp + fp, n_rows),
            [] if is_wanted else [f"called {positive}"],
        ),
        (
            f"Of these, {positive}",
            per_thousand(tp, n_rows),
            [f"{precision} of those {words.flagged}" if precision else f"none is {words.flagged}"],
        ),
        (f"Of these, {negative}", per_thousand(fp, n_rows), [words.false_alarms]),
        (
            f"{capital(words.missed)}, of 1,000 cases{'' if is_wanted else f': {positive}'}",
            per_thousand(fn, n_rows),
            [f"{missed} of all {positive}" if missed else ""],
        ),
        *_cost(run, n_rows),
    ]
    rule = f"No threshold pays for its alarms: no case is {words.flagged}." if at > 1 else (
        f"A case is {words.flagged} if its score is at least {number.formatted(at)}, a threshold that was chosen on val."
    )  # fmt: skip
    return [Heading("What it decides"), Figures(figures), Text(f"{a_case(run)}{rule} {counted_on(run, n_rows)}", True)]


def _many_classes(run: Run) -> list:
    classes = run.use_case("classes") or []
    counts = {
        (true, decided): run.metrics.get(f"test_confusion_{true}_as_{decided}") for true in classes for decided in classes
    }
    if not counts or None in counts.values():
        return []
    n_rows = sum(counts.values())
    n_right = sum(n for (true, decided), n in counts.items() if true == decided)
    mistakes = {pair: n for pair, n in counts.items() if pair[0] != pair[1]}
    (true, decided), n_worst = max(mistakes.items(), key=lambda item: item[1])
    figures = [
        ("Decided rightly, of 1,000 cases", per_thousand(n_right, n_rows), [f"in {len(classes)} classes"]),
        ("Most frequent mistake, of 1,000", per_thousand(n_worst, n_rows), [f"{true} called {decided}"]),
        *_cost(run, n_rows),
    ]
    return [Heading("What it decides"), Figures(figures), Text(f"{a_case(run)}{counted_on(run, n_rows)}", True)]


def _cost(run: Run, n_rows: float) -> list:
    """Cost of 1,000 cases beside that of the cheapest rule without a model, where mistakes have a price."""
    if "test_cost" not in run.metrics:
        return []
    unit = (run.use_case("cost") or run.use_case("cost_matrix") or {}).get("unit") or ""
    scaled = lambda name: per_thousand(run.metrics[name], n_rows)  # noqa: E731
    small = []
    if "test_cost_ci_low" in run.metrics:
        small.append(f"95 % interval {scaled('test_cost_ci_low')} to {scaled('test_cost_ci_high')}; ")
    if "baseline_cost" in run.metrics:
        small.append(f"cheapest without a model {scaled('baseline_cost')}")
    return [(f"Cost of 1,000 cases ({unit})" if unit else "Cost of 1,000 cases", scaled("test_cost"), small)]


def cost_of(run: Run, n_rows: float) -> str:
    """Cost of 1,000 cases in a sentence; nothing where mistakes have no price."""
    if "test_cost" not in run.metrics:
        return ""
    unit = (run.use_case("cost") or run.use_case("cost_matrix") or {}).get("unit") or "as priced"
    said = f"That costs {per_thousand(run.metrics['test_cost'], n_rows)} {unit}"
    beside = run.metrics.get("baseline_cost")
    return f"{said}." if beside is None else f"{said}; without a model {per_thousand(beside, n_rows)}."


def _values(run: Run) -> list:
    target = run.use_case("target") or "the target"
    unit = run.unit
    figures = []
    if run.use_case("quantile") is None and "test_mae" in run.metrics:
        beside = f"{unit}, mean absolute error" if unit else f"mean absolute error of {in_words(target)}"
        figures.append(("Typical error", number.metric(run, "test_mae"), [beside]))
        figures += _in_per_cent(run)
        figures.append(("R²", number.metric(run, "test_r2"), ["share of the variance explained; 0 is answering the mean"]))
    said = against_naive(run)
    if not figures and not said:
        return []
    return [Heading("What to expect of an answer"), *([Figures(figures)] if figures else []), *([Text(said)] if said else [])]


def _in_per_cent(run: Run) -> list:
    """Error over outcome; left out where outcomes can be below 0 and a share of them means nothing."""
    rows = run.parquet("test_scores.parquet")
    if rows is None or (rows["y_true"] < 0).any() or not rows["y_true"].sum() > 0:
        return []
    mean = run.fact("split", "target_mean", "test") if "weight" in rows else float(rows["y_true"].mean())
    return [("In per cent", number.share(run.metrics["test_mae"] / mean), [f"of the mean outcome, {number.formatted(mean)}"])]


def against_naive(run: Run) -> str:
    """By how much the error is smaller than that of the best naive forecast; nothing where there is none."""
    metric, mine = run.metric, run.metrics.get(f"test_{run.metric}")
    naive = {name: run.metrics[key] for name in NAIVE if (key := _key_of(run, name)) in run.metrics}
    if not naive or not is_loss(metric) or mine is None:
        return ""
    name, theirs = min(naive.items(), key=lambda item: item[1])
    if not theirs:
        return ""
    word = "smaller" if mine <= theirs else "larger"
    return (
        f"Its {title(metric).lower()} is {number.share(abs(1 - mine / theirs))} {word} than that of the best naive forecast, "
        f"{NAIVE[name]}: {number.formatted(mine)} against {number.formatted(theirs)}."
    )


def _key_of(run: Run, name: str) -> str:
    """Key of a naive forecast's metric, which may be the baseline."""
    return f"{'baseline' if run.fact('baseline') == name else name}_{run.metric}"


def _share(count: int, of: int) -> str:
    return number.share(count / of) if of else ""
