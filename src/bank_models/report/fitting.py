"""Section on training: folds, learning curves, resources, search."""

from __future__ import annotations

import pandas as pd

from bank_models.metrics.names import is_loss, title
from bank_models.report import number, series
from bank_models.report.block import Chart, Columns, Facts, Heading, Missing, Section, Table
from bank_models.report.run import Run

MOST_TRIALS = 10
STEPS = ("load", "validate", "split", "tune", "cross-validate", "fit", "decide", "refit", "evaluate", "repeat")
RESOURCES = {"cpu_percent": "all cores", "gpu_percent": "GPU", "memory_mb": "processes", "gpu_memory_mb": "GPU"}
UNITS = {"percent": ("Processor", "per cent"), "memory_mb": ("Memory", "MB")}


def folds(run: Run) -> Section | None:
    """Cross-validation on train; None for a run without it, or that learns from no labels."""
    if not run.learns_from_labels:
        return None
    table, metric = run.csv("cv_results.csv"), run.metric
    if table is None:
        return None
    names = [f"fold {fold}" for fold in table["fold"]]
    if "repeat" in table:
        names = [f"repeat {repeat}, {name}" for repeat, name in zip(table["repeat"], names, strict=True)]
    drawn = [series.dots("scored rows", table[f"test_{metric}"])] if f"test_{metric}" in table else []
    drawn += [series.dots("training rows", table[f"train_{metric}"], 5)] if f"train_{metric}" in table else []
    if f"cv_{metric}" in run.metrics:
        drawn.append(series.line("mean", names, [run.metrics[f"cv_{metric}"]] * len(table), 2, "dashed"))
    method, mean = run.fact("config", "cv", "method"), number.metric(run, f"cv_{metric}")
    chart = Chart(
        f"{title(metric)} by fold",
        f"{len(table)} folds of train ({method}{_repeats(table)}); mean {mean}, standard deviation of single folds "
        f"{number.metric(run, f'cv_{metric}_std')}, which is not the mean's error: folds share their training rows. "
        "A wide gap between training and scored rows is a sign of overfitting.",
        {"label": "fold", "labels": names},
        {"label": title(metric)},
        drawn,
    )
    scored = [name for name in table.columns if name.startswith("test_")]
    shown = {"n_train": "train rows", "n_test": "scored rows", **{name: title(name.removeprefix("test_")) for name in scored}}
    shown |= {"fit_time": "fit, s"} if "fit_time" in table else {}  # runs that DVC keeps hold no clock times
    header, columns = ["Fold", *shown.values()], list(shown)
    rows = [
        [name.removeprefix("fold "), *(number.cell("cv_results.csv", i, each, table[each].iloc[i]) for each in columns)]
        for i, name in enumerate(names)
    ]
    return Section("folds", "Folds", [chart, Table("Every fold", header, rows, "All metrics of every fold")])


def _repeats(table: pd.DataFrame) -> str:
    return f", drawn {table['repeat'].nunique()} times" if "repeat" in table else ""


def training(run: Run) -> Section | None:
    """Curves of training; None of a model that does not train in rounds."""
    blocks = _rounds(run)
    return Section("training", "Training", blocks) if blocks else None


def resources(run: Run) -> list:
    """Processor, memory and time of the run."""
    blocks = _resources(run)
    durations = run.fact("durations_s") or {}
    if durations:
        longest = max(durations, key=durations.get)
        steps = sorted(durations, key=lambda name: STEPS.index(name) if name in STEPS else len(STEPS))
        blocks.append(
            Chart(
                "Where the time went",
                f"Seconds of each step before writing; the longest, {longest}, took {number.formatted(durations[longest])} s.",
                {"label": "seconds", "min": 0},
                {"label": "step", "labels": steps},
                [series.bars("seconds", [durations[name] for name in steps])],
                is_horizontal=True,
            )
        )
    return blocks


def _rounds(run: Run) -> list:
    history = run.csv("history.csv")
    if history is None:
        return []  # it does not train in rounds
    kept = history.iloc[series.thinned(len(history))]
    drawn = [series.line("train", kept["round"], kept["train_loss"], 5), series.line("val", kept["round"], kept["val_loss"], 1)]
    best = run.fact("best_iteration")
    said = f"{len(history)} rounds were trained."
    if best is not None:
        losses = history[["train_loss", "val_loss"]].to_numpy()
        drawn.append(series.line("restored", [best, best], [float(losses.min()), float(losses.max())], 2, "dashed"))
        said += f" The model was restored to round {best}, the best on val."
    blocks = [Chart("Loss by round", said, {"label": "round", "whole": True, "min": 0}, {"label": "loss"}, drawn)]
    if "learning_rate" in history and history["learning_rate"].nunique() > 1:
        rate = series.line("learning rate", kept["round"], kept["learning_rate"], 4, "steps")
        said = f"From {history['learning_rate'].iloc[0]:.3g} to {history['learning_rate'].iloc[-1]:.3g}."
        blocks.append(Chart("Learning rate", said, {"label": "round"}, {"label": "learning rate"}, [rate]))
    return blocks


def _resources(run: Run) -> list:
    table = run.csv("resources.csv")
    if table is None:
        return [Missing("processor and memory while training (resources.csv)")]
    kept = table.iloc[series.thinned(len(table))]
    charts = []
    for suffix, (about, unit) in UNITS.items():
        names = [name for name in table if name.endswith(suffix) and table[name].notna().any()]
        drawn = [series.line(RESOURCES[name], kept["at_s"], kept[name], 1 + i) for i, name in enumerate(names)]
        most = "; ".join(f"{RESOURCES[name]} at most {table[name].max():,.0f} {unit}" for name in names)
        axes = {"label": "seconds", "min": 0}, {"label": unit, "min": 0}
        charts.append(Chart(about, f"{most[0].upper()}{most[1:]}.", *axes, drawn))
    return [Columns(charts)]


def tuning(run: Run) -> Section | None:
    """The search; None if none was asked for, or the run learns from no labels."""
    if not run.learns_from_labels:
        return None
    facts, trials = run.fact("tuning"), run.csv("trials.csv")
    if facts is None or trials is None:
        return None
    blocks = [Facts(_search(run)), _progress(run, trials)]
    if facts.get("importance"):
        blocks.append(_importance(facts["importance"]))
    else:
        blocks.append(Missing("importance of the parameters (it takes ten whole trials of more than one value)"))
    return Section("tuning", "Tuning", [*blocks, Heading("Best trials"), _best(run, trials)])


def _search(run: Run) -> list:
    n_trials, n_dropped, n_failed = (number.fact(run, "tuning", name) for name in ("n_trials", "n_dropped", "n_failed"))
    best = run.fact("tuning", "best_params")
    is_number = {name: isinstance(value, int | float) and not isinstance(value, bool) for name, value in best.items()}
    return [
        ("Method", run.fact("tuning", "method")),
        ("Trials", [n_trials, ", of which given up early ", n_dropped, ", failed ", n_failed]),
        (f"Best {title(run.metric)} on the folds", number.fact(run, "tuning", "best_value")),
        *((name, number.fact(run, "tuning", "best_params", name) if is_number[name] else str(best[name])) for name in best),
    ]


def _progress(run: Run, trials: pd.DataFrame) -> Chart:
    whole = trials[trials["state"] == "COMPLETE"]
    best = whole["value"].cummin() if is_loss(run.metric) else whole["value"].cummax()
    kept = whole.iloc[series.thinned(len(whole), 150)]
    drawn = [
        series.line(
            "best so far", whole["number"].iloc[series.thinned(len(whole))], best.iloc[series.thinned(len(whole))], 2, "steps"
        ),
        series.line("trial", kept["number"], kept["value"], 1, "points"),
    ]
    said = (
        f"{len(whole)} complete trials of {len(trials)}; the search chose the best, so its score is too good, and test is not."
    )
    return Chart("Best so far", said, {"label": "trial", "whole": True}, {"label": title(run.metric)}, drawn)


def _importance(found: dict[str, float]) -> Chart:
    names = sorted(found, key=lambda name: -found[name])
    said = f"Which parameters tell the trials apart; most of all {names[0]}."
    axis = {"label": "parameter", "labels": names}
    drawn = [series.bars("share", [found[name] for name in names])]
    return Chart("Importance of the parameters", said, {"label": "share", "min": 0}, axis, drawn, is_horizontal=True)


def _best(run: Run, trials: pd.DataFrame) -> Table:
    best = trials[trials["state"] == "COMPLETE"]
    best = best.sort_values("value", ascending=is_loss(run.metric), kind="stable").head(MOST_TRIALS)
    hidden = {"number", "model", "state", "value", "rounds", "share", "dropped_at", "seconds", "reason"}
    params = [
        name for name in trials.columns if name not in hidden and not name.startswith("fold_") and best[name].notna().any()
    ]
    rows = [
        [
            str(row["number"]),
            number.cell("trials.csv", i, "value", row["value"]),
            *(_cell(i, name, row[name]) for name in params),
        ]
        for i, row in best.iterrows()
    ]
    return Table(f"The best {len(best)} of {len(trials)} trials", ["Trial", title(run.metric), *params], rows)


def _cell(row: int, name: str, value):
    return value if isinstance(value, str | bool) else number.cell("trials.csv", row, name, value)
