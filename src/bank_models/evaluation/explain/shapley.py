"""Shapley values and reason codes: contributions that add up to the score.

What is explained is the raw score, which is additive where probabilities are not: log-odds of two classes before calibration,
the margin of the class decided for, or a number on the scale that the model learnt (an ensemble of regressors averages in the
target's own unit). Boosters give their own Shapley values (Lundberg et al. 2020), whose base is the mean over the training
rows. A linear model's are exact: coefficient times the distance to a reference row. Any other model's are sampled: each
feature in turn is set from the reference row's value to the row's own, in random orders and their reverses, and what that
changes is averaged (Strumbelj & Kononenko 2014). Whatever the order, the changes of one walk add up to the raw score less
that of the reference row, and so do their means. Of a wide table the features that the model uses most are set one by one, and
all others in one step.

References
----------
Lundberg et al. (2020), From local explanations to global understanding with explainable AI for trees, Nature Machine
Intelligence 2, 56-67. Strumbelj & Kononenko (2014), Explaining prediction models and individual predictions with feature
contributions, Knowledge and Information Systems 41, 647-665. Mitchell et al. (2022), Sampling permutations for Shapley value
estimation, JMLR 23(43), 1-46, for the reverses.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa
from scipy import sparse

from bank_models.errors import ConfigError
from bank_models.evaluation.explain.usage import owners, usage
from bank_models.models.layers import members_of, pipeline_of
from bank_models.models.wrappers import OnTargetScale

RAW_SCORES = {
    "binary": "log-odds of 1 before calibration",
    "multiclass": "margin of the class decided for, before calibration",
    "regression": "predicted value on the scale that was learnt (of an ensemble: the target's own)",
}
METHODS = {
    "get_booster": "tree_paths",
    "booster_": "tree_paths",
    "trees_": "tree_paths",
    "coef_": "coefficients",
}  # by what an estimator has
BYTES_OF_A_LEAF = 66  # and of the split above it, as XGBoost writes them
MOST_REASONS = 4
N_WALKS = 8  # half of them reverses
SEED = 0
BLOCK_ROWS, BLOCK_CELLS = 50_000, 8_000_000  # that are scored in one call
ROWS_AT_ONCE, CELLS_AT_ONCE = 5_000, 2_000_000  # that are explained together
CELLS_OF_A_ROW = 1_000_000  # at most, that a model reads to explain one row
SMALLEST_PROBABILITY = 1e-6  # below it log-odds are cut: some models say 0 or 1
ROUNDING = 1e-4  # of the size of what is added up: float32 keeps seven digits, over hundreds of trees


@dataclass(frozen=True)
class Contributions:
    """What features add to the raw score of each row.

    Attributes
    ----------
    base : ndarray of shape (n_rows,)
    values : ndarray of shape (n_rows, n_features)
        In the order of the features; `base + values.sum(axis=1) + together` is `raw_score`.
    raw_score : ndarray of shape (n_rows,)
    together : ndarray of shape (n_rows,), optional
        What the features add that were not looked at one by one, where there are some; their own values are 0.
    """

    base: np.ndarray
    values: np.ndarray
    raw_score: np.ndarray
    together: np.ndarray | None = None


def make_explainer(core, features: list[str], reference: pd.DataFrame | None) -> Callable[..., Contributions]:
    """Choose how a model is explained.

    Parameters
    ----------
    core : Pipeline, OnTargetScale or ensemble
        A supervised model without calibration: see `bank_models.models.layers`.
    features : list of str
    reference : DataFrame of shape (1, n_features), optional
        See `bank_models.evaluation.explain.reference`; boosters need none.

    Returns
    -------
    callable
        Takes a table and, for more than two classes, the code of the class decided for in each row.

    Raises
    ------
    ConfigError
        If there is no reference row, and the model needs one.
    """
    if method(core) != "sampled_orders":
        step, estimator = pipeline_of(core).named_steps.values()
        shares = _shares(step, features)
        if hasattr(estimator, "get_booster"):
            return lambda table, decided=None: _of_xgboost(estimator, step.transform(table), shares, decided)
        if hasattr(estimator, "booster_"):
            return lambda table, decided=None: _of_lightgbm(estimator, step.transform(table), shares, decided)
        if hasattr(estimator, "trees_"):
            return lambda table, decided=None: _of_catboost(estimator, step.transform(table), shares, decided)
        if hasattr(estimator, "coef_") and reference is not None:
            start = step.transform(reference)
            return lambda table, decided=None: _of_linear(estimator, step.transform(table), start, shares, decided)
    if reference is None:
        raise ConfigError("reasons= needs the reference row that training records, and this model has none: train it again")
    return _Walk(core, features, reference).explain


def method(core) -> str:
    """How contributions are found: by "tree_paths" or "coefficients", which is exact, or by "sampled_orders"."""
    estimator = None if hasattr(core, "models") else pipeline_of(core)[-1]
    return next((how for name, how in METHODS.items() if hasattr(estimator, name)), "sampled_orders")


def n_leaves(core) -> int:
    """About how many leaves a booster has at most: the time that its contributions take grows with them. Others have none."""
    estimator = None if hasattr(core, "models") else pipeline_of(core)[-1]
    if hasattr(estimator, "get_booster"):
        return len(estimator.get_booster().save_raw()) // BYTES_OF_A_LEAF
    if hasattr(estimator, "trees_"):
        return estimator.booster.tree_count_ << estimator.depth
    return estimator.booster_.num_trees() * estimator.num_leaves if hasattr(estimator, "booster_") else 0


def _shares(step, features: list[str]) -> sparse.csr_array:
    """Which column of the matrix belongs to which feature, as a matrix of 0 and 1."""
    return _indicator(owners(step, features), len(features))


def _indicator(owner: np.ndarray, n_owners: int) -> sparse.csr_array:
    return sparse.csr_array((np.ones(len(owner)), (np.arange(len(owner)), owner)), shape=(len(owner), n_owners))


def _of_xgboost(estimator, X, shares, decided) -> Contributions:
    from xgboost import DMatrix

    booster = estimator.get_booster()
    data = DMatrix(X, feature_types=estimator.feature_types, enable_categorical=True, nthread=estimator.n_jobs)
    found = booster.predict(data, pred_contribs=True).astype("float64")
    raw = booster.predict(data, output_margin=True).astype("float64")
    if decided is None:
        raw = raw.reshape(len(found))  # one quantile is a column of its own
    else:
        found, raw = _of_class(found, decided), _of_class(raw, decided)
    return _rounded_away(found[:, -1], found[:, :-1] @ shares, raw)


def _rounded_away(base, values, raw) -> Contributions:
    """Share out what float32 arithmetic left between the raw score and the sum, in proportion to the contributions.

    Raises
    ------
    ArithmeticError
        If it is more than rounding.
    """
    rest = raw - base - values.sum(axis=1)
    size = np.abs(values).sum(axis=1)
    if (np.abs(rest) > ROUNDING * (1 + np.abs(base) + size)).any():
        raise ArithmeticError(f"contributions differ from the raw score by up to {np.abs(rest).max():.3g}")
    share = np.divide(rest, size, out=np.zeros_like(rest), where=size > 0)
    values = values + np.abs(values) * share[:, None]
    return Contributions(raw - values.sum(axis=1), values, raw)


def _of_lightgbm(estimator, X, shares, decided) -> Contributions:
    found = estimator.booster_.predict(X, pred_contrib=True, num_threads=estimator.n_jobs)
    raw = estimator.booster_.predict(X, raw_score=True, num_threads=estimator.n_jobs)
    if decided is not None:
        found, raw = _of_class(found.reshape(len(X), -1, X.shape[1] + 1), decided), _of_class(raw, decided)
    return Contributions(found[:, -1], found[:, :-1] @ shares, raw)


def _of_catboost(estimator, X, shares, decided) -> Contributions:
    found, raw = estimator.contributions(X), estimator.raw_score(X)
    if decided is not None:
        found, raw = _of_class(found, decided), _of_class(raw, decided)
    return Contributions(found[:, -1], found[:, :-1] @ shares, raw)


def _of_class(values: np.ndarray, decided: np.ndarray) -> np.ndarray:
    return values[np.arange(len(values)), decided]


def _of_linear(estimator, X, start, shares, decided) -> Contributions:
    coefficients = np.atleast_2d(estimator.coef_)
    intercepts = np.broadcast_to(estimator.intercept_, len(coefficients))
    classes = np.zeros(X.shape[0], dtype=int) if decided is None else decided
    base, values = np.empty(X.shape[0]), np.empty((X.shape[0], shares.shape[1]))
    for code in np.unique(classes):
        rows = np.flatnonzero(classes == code)
        weights = sparse.diags_array(coefficients[code]) @ shares  # one column a feature
        from_start = _dense(start @ weights)[0]
        values[rows] = _dense(X[rows] @ weights) - from_start
        base[rows] = intercepts[code] + from_start.sum()
    raw = _raw_of(estimator, X)
    return Contributions(base, values, raw if decided is None else _of_class(raw, decided))


def _dense(values) -> np.ndarray:
    return values.toarray() if sparse.issparse(values) else np.asarray(values)


def _raw_of(estimator, X) -> np.ndarray:
    """Raw scores of an estimator that takes a matrix: of each row, or of each row and class."""
    if hasattr(estimator, "decision_function"):
        return estimator.decision_function(X)
    if hasattr(estimator, "predict_proba"):
        return _log_odds(estimator.predict_proba(X))
    return np.asarray(estimator.predict(X), dtype="float64")


def _log_odds(probability) -> np.ndarray:
    """Log-odds of two classes; logarithms of the probabilities of more."""
    logs = np.log(np.clip(np.asarray(probability, dtype="float64"), SMALLEST_PROBABILITY, 1 - SMALLEST_PROBABILITY))
    return logs[:, 1] - logs[:, 0] if logs.shape[1] == 2 else logs


def walked(core, features: list[str]) -> np.ndarray:
    """Positions of the features that are set one by one where contributions are sampled: all, or those that are used most."""
    n_most = max(1, CELLS_OF_A_ROW // (N_WALKS * max(1, len(features))))
    used = usage(core, features)
    if np.count_nonzero(used) <= n_most:
        return np.arange(len(features))
    return np.sort(np.argsort(-used, kind="stable")[:n_most])


class _Walk:
    """Steps from a reference row to the rows that are explained, a feature at a time, or all the rest, in several orders."""

    def __init__(self, core, features: list[str], reference: pd.DataFrame):
        self.core = core
        self.members = members_of(core)
        self.steps = {name: pipeline_of(member)[0] for name, member in self.members.items()}
        self.starts = {name: step.transform(reference) for name, step in self.steps.items()}
        self.n_features, self.walked = len(features), walked(core, features)
        part = np.full(len(features), len(self.walked))  # of a step: a feature by itself, or the last for all others
        part[self.walked] = np.arange(len(self.walked))
        self.n_parts = len(self.walked) + int(len(self.walked) < len(features))
        self.parts = {name: part[owners(step, features)] for name, step in self.steps.items()}
        self.is_used = np.bincount(part, weights=usage(core, features), minlength=self.n_parts) > 0
        orders = [np.random.default_rng((SEED, i)).permutation(self.n_parts) for i in range(N_WALKS // 2)]
        self.orders = [order for pair in ((order, order[::-1]) for order in orders) for order in pair]
        self.places = [np.argsort(order) for order in self.orders]

    def explain(self, table: pd.DataFrame, decided=None) -> Contributions:
        n_at_once = min(ROWS_AT_ONCE, max(1, CELLS_AT_ONCE // max(1, self.n_features)))
        rows = [slice(first, first + n_at_once) for first in range(0, len(table), n_at_once)]
        found = [self._explain(table.iloc[some], None if decided is None else decided[some]) for some in rows]
        base, of_parts, raw = (np.concatenate(arrays) for arrays in zip(*found, strict=True))
        values = np.zeros((len(table), self.n_features))
        values[:, self.walked] = of_parts[:, : len(self.walked)]
        return Contributions(base, values, raw, of_parts[:, -1] if self.n_parts > len(self.walked) else None)

    def _explain(self, table: pd.DataFrame, decided) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Score of the reference row, contributions of the parts, and raw scores."""
        matrices = {name: step.transform(table) for name, step in self.steps.items()}
        n_rows = len(table)
        moved = np.zeros((n_rows, self.n_parts), dtype=bool)  # where a row differs from the reference
        for name, X in matrices.items():
            moved |= _differs(X, self.starts[name], self.parts[name], self.n_parts)
        moved &= self.is_used
        raw = self._raw(matrices, decided)
        start = np.repeat(self._raw(self.starts, None), n_rows, axis=0)
        start = start if decided is None else _of_class(start, decided)
        values = np.zeros((n_rows, self.n_parts))
        for order, before in self._walks(matrices, moved, decided, start):
            values[:, order] += np.diff(np.column_stack([before, raw]), axis=1)
        return start, values / len(self.orders), raw

    def _walks(self, matrices, moved, decided, start):
        """For each order the raw scores before each step: of the reference row first."""
        steps = [(k, i) for k in range(len(self.orders)) for i in range(1, self.n_parts)]
        before = np.repeat(start[:, None], max(self.n_parts, 1), axis=1)[None].repeat(len(self.orders), axis=0)
        n_most = min(BLOCK_ROWS, BLOCK_CELLS // max(1, self.n_features))
        pending, n_pending = [], 0
        for k, i in steps:
            rows = np.flatnonzero(moved[:, self.orders[k][i - 1]])
            pending.append((k, i, rows))
            n_pending += len(rows)
            if n_pending >= n_most or (k, i) == steps[-1]:
                self._score(matrices, pending, decided, before)
                pending, n_pending = [], 0
        for k, order in enumerate(self.orders):
            for i in range(1, self.n_parts):  # a step that moves nothing leaves the score of the step before it
                still = ~moved[:, order[i - 1]]
                before[k, still, i] = before[k, still, i - 1]
            yield order, before[k][:, : self.n_parts]

    def _score(self, matrices, pending, decided, before) -> None:
        pending = [(k, i, rows) for k, i, rows in pending if len(rows)]
        if not pending:
            return
        rows = np.concatenate([rows for _, _, rows in pending])
        blocks = {}
        for name, X in matrices.items():
            parts = [_mixed(X[at], self.starts[name], self.places[k][self.parts[name]] < i) for k, i, at in pending]
            blocks[name] = sparse.vstack(parts, format="csr") if sparse.issparse(X) else np.concatenate(parts)
        raw = self._raw(blocks, None if decided is None else decided[rows])
        ends = np.cumsum([len(rows) for _, _, rows in pending])
        for (k, i, at), found in zip(pending, np.split(raw, ends[:-1]), strict=True):
            before[k, at, i] = found

    def _raw(self, matrices, decided) -> np.ndarray:
        """Raw scores of rows that went through the preprocessing of each member."""
        if not hasattr(self.core, "models"):
            (X,) = matrices.values()
            raw = _raw_of(pipeline_of(self.core)[-1], X)
        elif hasattr(self.core, "predict_proba"):
            raw = _log_odds(sum(w * self._ask(name, matrices).astype("float64") for name, w in self.core.weights.items()))
        else:
            raw = sum(weight * self._ask(name, matrices) for name, weight in self.core.weights.items())
        return raw if decided is None else _of_class(raw, decided)

    def _ask(self, name: str, matrices) -> np.ndarray:
        member, X = self.members[name], matrices[name]
        estimator = pipeline_of(member)[-1]
        if isinstance(member, OnTargetScale):
            return member.on_target_scale(estimator.predict(X))
        return estimator.predict_proba(X)


def _differs(X, start, parts: np.ndarray, n_parts: int) -> np.ndarray:
    """Which parts of each row differ from the reference in any column of theirs."""
    start = _dense(start)[0]
    if sparse.issparse(X):
        other = sparse.csr_array(sparse.csr_array(np.broadcast_to(start, X.shape)) != X)
    else:
        other = (start != X) & ~(np.isnan(X) & np.isnan(start))
    return _dense(other.astype("float64") @ _indicator(parts, n_parts)) > 0


def _mixed(X, start, is_own: np.ndarray):
    """Rows with some columns of their own and the others of the reference."""
    if not sparse.issparse(X):
        return np.where(is_own, X, start)
    own = sparse.diags_array(is_own.astype(X.dtype))
    rest = sparse.diags_array((~is_own).astype(X.dtype))
    return X @ own + (sparse.csr_array(start) @ rest)[np.zeros(X.shape[0], dtype=int)]


def largest(contributions: Contributions, n_reasons: int) -> np.ndarray:
    """Positions of the features that contribute most, in size, to each row; -1 where there is none left that contributes.

    Parameters
    ----------
    contributions : Contributions
    n_reasons : int

    Returns
    -------
    ndarray of int of shape (n_rows, n_reasons)
    """
    values = contributions.values
    order = np.argsort(-np.abs(values), axis=1, kind="stable")[:, :n_reasons]
    found = np.where(np.take_along_axis(values, order, axis=1) != 0, order, -1)
    return np.pad(found, ((0, 0), (0, n_reasons - found.shape[1])), constant_values=-1)


def texts(column: pd.Series) -> np.ndarray:
    """Values as people write them, None where one is missing."""
    if column.dtype.kind == "M":
        values = pa.array(column.dt.strftime("%Y-%m-%d"), pa.string(), from_pandas=True)
    else:
        values = pa.array(column, from_pandas=True)
        values = values.dictionary_decode() if pa.types.is_dictionary(values.type) else values
    return values.cast(pa.string()).to_numpy(zero_copy_only=False)
