"""What there is to say of a model's answers for the test rows beside its metrics: curves, slices, reasons, groups of people."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from src.config.use_case import UseCase
from src.data.table import Table
from src.evaluation import bias, fairness, forecast, performance, plot_tables, slices
from src.evaluation.explain import contributions, importance
from src.evaluation.explain.usage import usage
from src.metrics.names import METRICS
from src.metrics.scorer import Scorer
from src.metrics.scores import Prediction, decide, note_on_kupiec
from src.models.layers import take_apart
from src.models.wrappers import predict_score


@dataclass(frozen=True)
class Answers:
    """A model and what it answered for the test rows.

    Attributes
    ----------
    model : object
    uncalibrated : object or None
        The model before its probabilities were calibrated, if they were.
    decided : Prediction
    threshold : float, optional
    costs : ndarray, optional
        How scores became decisions: see `src.metrics.scores.decide`.
    """

    model: Any
    uncalibrated: Any
    decided: Prediction
    threshold: float | None
    costs: np.ndarray | None


@dataclass(frozen=True)
class Findings:
    """Tables by the names of their files, metrics, facts on the slices that were looked at, and notes."""

    tables: dict[str, pd.DataFrame]
    metrics: dict[str, float]
    slices: dict[str, Any]
    notes: list[str]


def of_test(
    answers: Answers,
    use_case: UseCase,
    scorer: Scorer,
    table: Table,
    rows: np.ndarray,
    naive: np.ndarray,
    reference: pd.DataFrame,
    seed: int,
) -> Findings:
    """Look at the answers for the test rows from every side; nothing is fitted or chosen.

    Parameters
    ----------
    answers : Answers
    use_case : UseCase
    scorer : Scorer
    table : Table
    rows : ndarray of int of shape (n_test_rows,)
        Positions of the test rows.
    naive : ndarray of shape (n_rows,)
        Answers of the baseline for all rows.
    reference : DataFrame of shape (1, n_features)
        Of the training rows: see `src.evaluation.explain.reference`.
    seed : int
    """
    task, decided = use_case.task, answers.decided
    test, y_test = table.rows(rows)
    units = table.units(rows)
    tables = plot_tables.of_test(task, y_test, decided, use_case.classes, seed)
    tables["slices"], looked_at = slices.compare(
        use_case.metric,
        task,
        y_test,
        decided,
        slices.columns_of(test, table.features, use_case.protected, use_case.time_column),
        units,
        {"binary": 2, "multiclass": len(use_case.classes or ()), "regression": 0}[task],
        use_case.quantile,
        table.periods(rows),
    )
    used = usage(take_apart(answers.model).core, list(table.features))
    tables |= importance.explain(
        test,
        list(table.features),
        y_test,
        lambda some: decide(task, predict_score(answers.model, some, task), answers.threshold, answers.costs),
        scorer.score,
        seed,
        task == "binary",
        table.periods(rows) if METRICS[use_case.metric].takes == "periods" else None,
        used,
    )
    some = importance.draw(
        len(rows),
        contributions.n_explained(answers.model, len(table.features)),
        np.random.default_rng(seed),
        y_test if task == "binary" else None,
    )
    explained, notes = contributions.explain(
        answers.model,
        table.features,
        test.iloc[some].set_axis(rows[some]),
        decided.decision[some] if task == "multiclass" else None,
        reference,
    )
    tables |= explained
    on_sample = importance.note_on_sample(tables["importance"], y_test) if task == "binary" else []
    notes = [*importance.note(tables["importance"], used), *on_sample, *notes]
    metrics = {}
    if task == "binary":
        before = decided.score
        if answers.uncalibrated is not None:
            before = predict_score(answers.uncalibrated, test, task)
            metrics = performance.before_calibration(y_test, before)
            notes += performance.note_on_calibration(y_test, before, decided.score)
        metrics |= bias.of_probabilities(y_test, decided.score, units)
        tables["reliability"] = performance.reliability_curves(y_test, before, decided.score)
        if use_case.protected:
            groups = {name: test[name] for name in use_case.protected}
            favourable = use_case.favourable
            rates = fairness.group_rates(y_test, decided.decision, decided.score, groups, favourable)
            ends = fairness.intervals(rates, y_test, decided.decision, groups, favourable, units)
            tables["fairness"], metrics = rates, metrics | fairness.disparities(rates) | ends
            notes += fairness.notes_on_fairness(rates, ends)
    if task == "regression":
        tables["calibration_by_tenth"] = bias.by_tenth(y_test, decided.score)
        if use_case.quantile is not None:
            notes.append(note_on_kupiec(len(y_test), use_case.quantile))
        else:
            metrics |= bias.of_numbers(y_test, decided.score, units)
            notes += bias.note(metrics, use_case.metric)
    if task == "regression" and table.times is not None:
        tables["forecast"] = forecast.by_moment(table.times[rows], y_test, decided.score, naive[rows])
    return Findings(tables, metrics, looked_at, notes)
