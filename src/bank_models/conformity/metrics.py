"""Conformity tests of a metric: finite value, independence of the order of rows, sign, best value."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import numpy as np

from bank_models.conformity.claim import Claim, tried
from bank_models.metrics.names import METRICS, as_score, takes_weights
from bank_models.metrics.scores import Prediction, compute, decide

N = 200
TASKS = ("binary", "multiclass", "regression")
LEVEL = 0.9


def judge(name: str) -> list[Claim]:
    """Try a metric with each of its tasks."""
    found = tried(f"metric {name}", [("is declared for what an extension may measure", partial(_is_declared, name))])
    if found[0].fault:
        return found
    return found + [one for task in METRICS[name].tasks for one in tried(f"metric {name}, {task}", _claims(name, task))]


def _is_declared(name: str) -> str:
    metric = METRICS[name]
    if metric.function is None:
        return "it has no function"
    if not metric.tasks or set(metric.tasks) - set(TASKS):
        return f"tasks must be some of {', '.join(TASKS)}"
    return "" if metric.of in ("score", "decision") else "`of` must be score or decision"


def _claims(name: str, task: str) -> Iterator[tuple[str, Callable[[], str]]]:
    yield "gives a number", partial(_is_number, name, task)
    yield "does not depend on the order of rows", partial(_has_no_order, name, task)
    yield "prefers the truth to chance", partial(_points, name, task)
    if takes_weights(name):
        yield "weights: a weight of 2 is the row twice", partial(_weighs, name, task)


def _rows(task: str) -> tuple[np.ndarray, Prediction, Prediction]:
    """Outcomes, the truth as a prediction, and chance."""
    rng = np.random.default_rng(0)
    if task == "regression":
        y = np.exp(rng.normal(size=N))
        return y, decide(task, y.copy()), decide(task, rng.permutation(y))
    n_classes = 2 if task == "binary" else 4
    y, other = rng.integers(0, n_classes, N), rng.random((N, n_classes))
    scores = np.eye(n_classes)[y], other / other.sum(axis=1, keepdims=True)
    if task == "binary":
        return y, *(decide(task, score[:, 1], threshold=0.5) for score in scores)
    return y, *(decide(task, score) for score in scores)


def _value(name: str, y, prediction: Prediction) -> float:
    return compute([name], y, prediction, LEVEL)[name]


def _is_number(name: str, task: str) -> str:
    y, true, chance = _rows(task)
    found = [_value(name, y, each) for each in (true, chance)]
    return "" if np.isfinite(found).all() else f"it gives {found}"


def _has_no_order(name: str, task: str) -> str:
    y, _, chance = _rows(task)
    order = np.random.default_rng(1).permutation(N)
    turned = _value(name, y[order], Prediction(chance.score[order], chance.decision[order]))
    return (
        "" if np.isclose(turned, _value(name, y, chance), rtol=1e-9, atol=1e-12) else "rows in another order give another value"
    )


def _points(name: str, task: str) -> str:
    y, true, chance = _rows(task)
    best, of_chance = (_value(name, y, each) for each in (true, chance))
    if as_score(name, best) < as_score(name, of_chance):
        return f"chance gets {of_chance:.3g} and the truth {best:.3g}: is_loss says the other way"
    if (declared := METRICS[name].best) is not None and not np.isclose(best, declared, atol=1e-9):
        return f"the truth gets {best:.3g}, but best={declared}"
    return ""


def _weighs(name: str, task: str) -> str:
    y, _, chance = _rows(task)
    weight = np.where(np.arange(N) % 2 == 0, 2, 1)
    rows = np.repeat(np.arange(N), weight)
    once = compute([name], y, chance, LEVEL, weight=weight.astype(float))[name]
    twice = _value(name, y[rows], Prediction(chance.score[rows], chance.decision[rows]))
    return "" if np.isclose(once, twice, rtol=1e-9, atol=1e-12) else f"weights give {once:.6g}, and repeated rows {twice:.6g}"
