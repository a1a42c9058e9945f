"""Five questions of a reader, each answered in a sentence or two from the facts of the run."""

from __future__ import annotations

import json
from collections.abc import Sequence

from bank_models.commands import as_typed
from bank_models.evaluation.requirements import AND, FOUR_FIFTHS, parity_ratios
from bank_models.metrics.names import title
from bank_models.report import number
from bank_models.report.block import Answer, Answers
from bank_models.report.class_names import class_names, decided
from bank_models.report.decision import COUNTS, cost_of, per_thousand
from bank_models.report.run import Run

MOVED = 0.1  # population stability index
SMALL = 500
GATES = "gates.json"


def answers(run: Run, badges: Sequence[tuple[str, str]]) -> Answers:
    """Whether to use it, what it decides, whom it treats otherwise, what makes it fail, how it stands to production.

    Parameters
    ----------
    run : Run
    badges : sequence of (str, str)
        Statements of the verdict with their tones.
    """
    found = [use(run, badges), decides(run), treated(run), fails(run), against_production(run)]
    return Answers([one for one in found if one is not None])


def use(run: Run, badges: Sequence[tuple[str, str]]) -> Answer:
    """The worst of the badges decides."""
    missed = _missed_gates(run)
    bad, warn = ([text for text, tone in badges if tone == wanted] for wanted in ("bad", "warn"))
    bad = [*(text for text in bad if not text.endswith("gates not met")), *missed]
    simulated = run.fact("data", "kind") == "simulated"
    if bad:
        said, tone = f"Not as it is: {_listed(bad)}.", "bad"
    elif warn:
        said, tone = f"With reservations: {_listed(warn)}.", "warn"
    else:
        said, tone = "Yes: no check of this page speaks against it.", "good"
    if simulated:
        said += " Its rows are simulated: train it on the bank's own rows first."
        tone = "warn" if tone == "good" else tone
    return Answer("Shall we use it?", said, tone, "limits", "limits and notes")


def _missed_gates(run: Run) -> list[str]:
    text = run.text(GATES)
    gates = [] if text is None else json.loads(text)["gates"]
    return [f"the gate \N{LEFT DOUBLE QUOTATION MARK}{gate['name']}\N{RIGHT DOUBLE QUOTATION MARK} is not met: {gate['reason']}"
            for gate in gates if not gate["is_met"]]  # fmt: skip


def decides(run: Run) -> Answer | None:
    """The threshold and what it costs; of numbers the typical error."""
    question, answer = DECISIONS[run.task]
    return Answer(question, said, "", "quality", "quality") if (said := answer(run)) else None


def _threshold(run: Run) -> str:
    if "threshold" not in run.metrics or not all(f"test_{name}" in run.metrics for name in COUNTS):
        return ""
    (_, positive), words = class_names(run), decided(run)
    tn, fp, fn, tp = (run.metrics[f"test_{name}"] for name in COUNTS)
    n = tn + fp + fn + tp
    said = (
        f"{number.formatted(run.metrics['threshold'])}: of 1,000 cases {per_thousand(tp + fp, n)} are {words.flagged}, "
        f"{per_thousand(tp, n)} of them {positive}; {per_thousand(fn, n)} that are {positive} are {words.missed}."
    )
    return f"{said} {cost_of(run, n)}".strip()


def _classes(run: Run) -> str:
    accuracy, n = run.metrics.get("test_accuracy"), run.fact("weights", "sum", "test") or run.fact("split", "n_rows", "test")
    if accuracy is None or n is None:
        return ""
    return f"Of 1,000 cases {per_thousand(accuracy * n, n)} are decided rightly. {cost_of(run, n)}".strip()


def _error(run: Run) -> str:
    if run.use_case("quantile") is not None:
        covered, meant = run.metrics.get("test_coverage"), run.use_case("quantile")
        return "" if covered is None else (
            f"{number.share(covered)} of the outcomes stay at or below the level; {number.share(meant)} are meant to."
        )  # fmt: skip
    mae, mean = run.metrics.get("test_mae"), run.fact("split", "target_mean", "test")
    if mae is None:
        return ""
    unit = f" {found}" if (found := run.unit) else ""
    beside = "" if mean is None else f"; the mean outcome is {number.formatted(mean)}"
    return f"By {number.formatted(mae)}{unit} on average{beside}."


def _depth(run: Run) -> str:
    """How many cases have to be looked at, of a ranking by how unusual they are."""
    depth, found = (
        run.metrics.get(f"test_{name}") for name in ("alert_rate_at_99_percent_recall", "recall_at_1_percent_alerts")
    )
    if depth is None or found is None:
        return ""
    _, positive = class_names(run)
    return (
        f"The most unusual 1 % hold {number.share(found)} of the {positive}; to find 99 % of them, {number.share(depth)} "
        "of all cases have to be looked at."
    )


def _clusters(run: Run) -> str:
    n, stability, noise = (run.metrics.get(name) for name in ("n_clusters", "stability", "noise_rate"))
    if n is None or stability is None:
        return ""
    said = f"{n:.0f} groups; repeated on other samples they agree by {number.formatted(stability)}, where 1 is always the same."
    return f"{said} {number.share(noise)} of the rows are in none." if noise else said


DECISIONS = {
    "binary": ("Which threshold, and what does it cost?", _threshold),
    "multiclass": ("How often is it right?", _classes),
    "regression": ("How far off is it?", _error),
    "anomaly": ("How many cases must somebody look at?", _depth),
    "clustering": ("How many groups, and will they hold?", _clusters),
}


def treated(run: Run) -> Answer | None:
    """Slices that differ, and groups of people."""
    if not run.learns_from_labels:
        return None
    said, tone = people(run)
    table = run.csv("slices.csv")
    differing = [] if table is None else [row for _, row in table.iloc[1:].iterrows() if row["differs"] == row["differs"]]
    if differing:
        named = [f"{row['column']}: {row['slice']} ({row['differs']})" for row in differing[:2]]
        more = f" and {len(differing) - 2} more" if len(differing) > 2 else ""
        said += f" Quality differs beyond chance in {_listed(named)}{more}."
        tone = tone if tone == "bad" else "warn"
    elif table is not None and len(table) > 1:
        said += f" None of {len(table) - 1} slices of the rows differs in quality beyond chance."
    return Answer("Who is treated differently?", said.strip(), tone, "slices", "groups")


def people(run: Run) -> tuple[str, str]:
    """How groups of people fare, with a tone: the lowest ratio of selection rates."""
    protected = run.use_case("protected")
    if not protected:
        return "Not known: the use case names no protected column.", ""
    known = parity_ratios(run.metrics)  # those of two columns together, too
    if not known:
        return "Not known: no two groups of people are large enough to be compared.", "warn"
    worst = min(known, key=known.get)
    is_kept = known[worst] >= FOUR_FIFTHS
    said = (
        f"By {worst.replace(AND, ' and ')}, the group that is favoured least gets {number.share(known[worst])} of the rate of "
        f"the most favoured; four fifths {'are kept' if is_kept else 'are missed'}."
    )
    return said, "" if is_kept else "bad"


def fails(run: Run) -> Answer | None:
    """What it leans on, what has moved, what it broke, and what was not tested."""
    found = [*_leans_on(run), *_moved(run), *_untested(run)]
    return Answer("What will make it fail?", " ".join(found), "", "explanation", "what drives it") if found else None


def _leans_on(run: Run) -> list[str]:
    table = run.csv("importance.csv")
    known = None if table is None else table.dropna(subset="importance")
    if known is None or known.empty or not known["importance"].iloc[0] > 0:
        return []
    first = known.iloc[0]
    lost = number.formatted(float(first["importance"]))
    return [f"Losing or distorting {first['feature']}: without it {in_sentence(run.metric)} is worse by {lost}."]


def _moved(run: Run) -> list[str]:
    drift = (run.fact("split", "drift") or {}) if run.use_case("time_column") else {}  # at random, parts differ by chance
    moved = sorted((name for name in drift if drift[name] >= MOVED), key=lambda name: -drift[name])
    said = [f"{_listed(moved[:2])} moved between train and test."] if moved else []
    n_broken, n_declared = len(run.fact("monotone_violations") or {}), len(run.fact("monotone") or {})
    return said + ([f"{n_broken} of {n_declared} declared directions are broken."] if n_broken else [])


def _untested(run: Run) -> list[str]:
    n_test, said = run.fact("split", "n_rows", "test"), []
    if n_test is not None and run.use_case("time_column") is None:
        said.append("Change over time was not tested: the rows have no time.")
    if n_test is not None and n_test < SMALL:
        said.append(f"{n_test} test rows show large faults only.")
    return said


def against_production(run: Run) -> Answer:
    """The difference from the version in production, as it was judged when the run was made."""
    question, text = "Is it better than the one in production?", run.text(GATES)
    found = None if text is None else json.loads(text)
    if found is None:
        compare = as_typed("python -m src.report compare")
        said = f"Not compared: this run was not to be registered. {compare} sets two runs side by side."
        return Answer(question, said, "")
    if found["production"] is None:
        return Answer(question, "None is in production.", "")
    version, apart = found["production"]["version"], found["difference"]
    if apart is None or apart["low"] is None:
        return Answer(question, f"It cannot be compared with {version}.", "warn")
    gain, low, high = (number.formatted(apart[name], signed=True) for name in ("gain", "low", "high"))
    word, tone = ("Yes", "good") if apart["low"] > 0 else ("No", "bad") if apart["high"] < 0 else ("Not shown", "warn")
    said = f"{word}: it gains {gain} on {version} (95 % interval {low} to {high})."
    return Answer(question, said, tone)


def in_sentence(metric: str) -> str:
    """A metric's name within a sentence: mean absolute error, but ROC AUC."""
    name = title(metric)
    return name if name[1:2].isupper() or not name[1:2].isalpha() else name[0].lower() + name[1:]


def _listed(names: Sequence[str]) -> str:
    """Words with commas and an "and"."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
