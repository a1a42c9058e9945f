"""Analysis of the test predictions: plot tables, slices, importance, Shapley values, calibration, group fairness."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from bank_models.config.use_case import UseCase
from bank_models.data.table import Table
from bank_models.data.view import View
from bank_models.evaluation import bias, cutoffs, fairness, forecast, performance, periods, plot_tables, score_bands, slices
from bank_models.evaluation.explain import contributions, importance
from bank_models.evaluation.explain.usage import usage
from bank_models.metrics import threshold
from bank_models.metrics.names import METRICS
from bank_models.metrics.scorer import Scorer
from bank_models.metrics.scores import Prediction, compute, decide, note_on_kupiec
from bank_models.metrics.units import Units
from bank_models.models.layers import take_apart
from bank_models.models.wrappers import predict_score


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
        How scores became decisions: see `bank_models.metrics.scores.decide`.
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
        Of the training rows: see `bank_models.evaluation.explain.reference`.
    seed : int
    """
    at = _At(answers, use_case, scorer, table, rows, table.view(rows), table.y[rows], table.units(rows), seed)
    tables = plot_tables.of_test(use_case.task, at.y, answers.decided, use_case.classes, seed, at.weight)
    tables["slices"], looked_at = _slices(at)
    of_task = {"binary": _of_probabilities, "regression": _of_numbers}.get(use_case.task)
    found = [_importance(at), _contributions(at, reference), *([of_task(at)] if of_task else [])]
    if use_case.task == "binary" and use_case.protected:
        found.append(_fairness(at))
    if use_case.task == "regression" and table.times is not None:
        tables["forecast"] = forecast.by_moment(table.times[rows], at.y, answers.decided.score, naive[rows], at.weight)
    if (over_time := _over_time(at)) is not None:
        tables["periods"] = over_time
    return Findings(
        tables | {name: one for each in found for name, one in each.tables.items()},
        {name: value for each in found for name, value in each.metrics.items()},
        looked_at,
        [note for each in found for note in each.notes],
    )


@dataclass(frozen=True)
class _At:
    """What every look at the test rows needs: `frame`, `y` and `units` are of these rows."""

    answers: Answers
    use_case: UseCase
    scorer: Scorer
    table: Table
    rows: np.ndarray
    frame: View
    y: np.ndarray
    units: Units
    seed: int

    @property
    def score(self) -> np.ndarray:
        return self.answers.decided.score

    @property
    def weight(self) -> np.ndarray | None:
        return self.units.weight


@dataclass(frozen=True)
class _Found:
    """What one look found."""

    tables: dict[str, pd.DataFrame] = field(default_factory=dict)
    metrics: dict[str, float] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def _slices(at: _At) -> tuple[pd.DataFrame, dict[str, Any]]:
    use_case = at.use_case
    cut_by = slices.columns_of(at.frame, at.table.features, use_case.protected, use_case.time_column)
    return slices.compare(at.scorer, at.y, at.answers.decided, cut_by, at.units, at.table.periods(at.rows))


def _over_time(at: _At) -> pd.DataFrame | None:
    if at.table.times is None:
        return None
    times = at.table.times[at.rows]
    return periods.by_period(at.scorer, at.y, at.answers.decided, times, at.units, at.table.periods(at.rows))


def _importance(at: _At) -> _Found:
    """Permutation importance and partial dependence of the features that the model uses."""
    task, answers, names = at.use_case.task, at.answers, list(at.table.features)
    used = usage(take_apart(answers.model).core, names)
    moments = at.table.periods(at.rows) if METRICS[at.use_case.metric].takes == "periods" else None
    tables = importance.explain(
        at.frame,
        names,
        at.y,
        lambda some: decide(task, predict_score(answers.model, some, task), answers.threshold, answers.costs),
        at.scorer.score,
        at.seed,
        task == "binary",
        (moments, at.weight),
        used,
    )
    on_sample = importance.note_on_sample(tables["importance"], at.y) if task == "binary" else []
    return _Found(tables, notes=[*importance.note(tables["importance"], used), *on_sample])


def _contributions(at: _At, reference: pd.DataFrame) -> _Found:
    """Shapley values of a sample of the rows."""
    task, model, features = at.use_case.task, at.answers.model, at.table.features
    n_explained, rng = contributions.n_explained(model, len(features)), np.random.default_rng(at.seed)
    some = importance.draw(len(at.rows), n_explained, rng, at.y if task == "binary" else None)
    decision = at.answers.decided.decision[some] if task == "multiclass" else None
    frame = at.frame.iloc[some].set_axis(at.rows[some])
    tables, notes = contributions.explain(model, features, frame, decision, reference)
    return _Found(tables, notes=notes)


def _of_probabilities(at: _At) -> _Found:
    """Calibration, before and after, and bias of the probabilities."""
    before, metrics, notes = at.score, {}, []
    if at.answers.uncalibrated is not None:
        before = predict_score(at.answers.uncalibrated, at.frame, at.use_case.task)
        metrics = performance.before_calibration(at.y, before, at.weight)
        notes = performance.note_on_calibration(at.y, before, at.score, at.weight)
    metrics |= bias.of_probabilities(at.y, at.score, at.units)
    ranked, of_ranking = _of_ranking(at)
    tables = {"reliability": performance.reliability_curves(at.y, before, at.score, at.weight), **ranked}
    return _Found(tables, metrics | of_ranking, [*notes, *performance.note_on_few(at.y)])


def _of_ranking(at: _At) -> tuple[dict[str, pd.DataFrame], dict[str, float]]:
    """What every threshold decides, rows by tenth and by band of the score, KS and Gini; nothing if test has one class."""
    if len(np.unique(at.y)) < 2:
        return {}, {}
    tables = {
        "thresholds": cutoffs.cutoffs(
            at.y, at.score, at.answers.threshold, threshold.prices(at.use_case.cost, at.frame), at.weight
        ),
        "deciles": score_bands.deciles(at.y, at.score, at.units),
        "score_bands": score_bands.score_bands(at.y, at.score, at.units),
    }
    area = compute(["roc_auc"], at.y, at.answers.decided, weight=at.weight)["roc_auc"]
    return tables, {"test_ks": cutoffs.ks(at.y, at.score, at.weight)[0], "test_gini": cutoffs.gini(area)}


def _of_numbers(at: _At) -> _Found:
    """Bias of predicted numbers by tenths; of a quantile, what Kupiec's test can tell."""
    tables, quantile = {"calibration_by_tenth": bias.by_tenth(at.y, at.score, at.weight)}, at.use_case.quantile
    if quantile is not None:
        return _Found(tables, notes=[note_on_kupiec(len(at.y), quantile)] if at.weight is None else [])
    metrics = bias.of_numbers(at.y, at.score, at.units)
    return _Found(tables, metrics, bias.note(metrics, at.use_case.metric))


def _fairness(at: _At) -> _Found:
    """Selection rates and disparities of protected groups, with intervals."""
    groups, favourable = {name: at.frame[name] for name in at.use_case.protected}, at.use_case.favourable
    decided = at.answers.decided.decision
    rates = fairness.group_rates(at.y, decided, at.score, groups, favourable, at.weight)
    ends = fairness.intervals(rates, at.y, decided, groups, favourable, at.units)
    return _Found({"fairness": rates}, fairness.disparities(rates) | ends, fairness.notes_on_fairness(rates, ends))
