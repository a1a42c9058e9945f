"""Target leakage: columns, pairs of columns or the row order that give the target away."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import norm, rankdata

ROWS = "the order of the rows"
SUSPICIOUS = {"roc_auc": 0.95, "r2": 0.95}  # from which on a column alone is too good to be known in time
DOUBTFUL = 0.1  # below a limit by that much the measure must be beyond chance, whatever number of columns was looked at
NAMES = {"roc_auc": "ROC-AUC", "r2": "R²"}
PREDICTABLE = {"roc_auc": 0.6, "r2": 0.1}  # by the order of the rows, from which on it is a sign of time or of sorting
MOST_ROWS = 20_000
MOST_CELLS = 20_000_000
FEWEST_ROWS = 40
FEWEST_OF_CLASS = 8
N_BINS = 32
ROWS_OF_BIN = 12
N_OF_PAIRS = 15  # columns that predict best, of which every two are looked at together
MOST_PAIRS = 1_000  # of the better columns with every other one: half of a pair may tell nothing by itself
N_BINS_OF_PAIR = 20
ROWS_OF_CELL = 8  # of two columns, on average
N_TOKENS = 300
ROWS_OF_TOKEN = 5
LETTERS = 2_000  # of a text that are read


@dataclass(frozen=True)
class Suspect:
    """Columns that predict the target too well.

    Attributes
    ----------
    columns : tuple of str
        One, or two that do so only together; or `ROWS`.
    metric : {"roc_auc", "r2"}
        Of the target from nothing but the mean target of rows with similar values, each half of the rows judged by the other;
        of several classes the mean over them, each against the rest.
    value : float
    """

    columns: tuple[str, ...]
    metric: str
    value: float

    def as_dict(self) -> dict[str, Any]:
        return {**asdict(self), "columns": list(self.columns)}

    @property
    def is_of_order(self) -> bool:
        return self.columns == (ROWS,)

    def __str__(self) -> str:
        if self.is_of_order:
            return (
                f"The order of the rows predicts the target with {NAMES[self.metric]} {self.value:.3f}. If it is that of time, "
                "name the time in use_case.time_column and choose data_split=temporal: rows drawn at random flatter the score."
            )
        return (
            f"{' and '.join(self.columns)} alone {'predicts' if len(self.columns) == 1 else 'predict'} the target with "
            f"{NAMES[self.metric]} {self.value:.3f}: is it known when the score is needed?"
        )


def find(frame: pd.DataFrame, y, task: str, seed: int, is_in_time: bool) -> list[Suspect]:
    """`suspects`, and the order of the rows where it predicts the target and nothing says that it is that of time."""
    order = None if is_in_time else by_order(y, task, seed)
    return [*suspects(frame, y, task, seed), *([] if order is None else [order])]


def suspects(frame: pd.DataFrame, y, task: str, seed: int) -> list[Suspect]:
    """Features that predict the target almost perfectly without any model.

    Values of a number are put into bins of equally many rows, and into bins of their own where they repeat; a text counts by
    the words in it. The rate of each bin among one half of the rows predicts the other half, and the other way round. Two
    columns are looked at together as well: of up to 45 columns every two, of more the best with the others.

    Parameters
    ----------
    frame : DataFrame of shape (n_rows, n_features)
        Training rows, in the order of the table.
    y : ndarray of shape (n_rows,)
        Class codes from 0, or values.
    task : {"binary", "multiclass", "regression"}
    seed : int
        Draws rows, of large tables, and the halves.

    Returns
    -------
    list of Suspect
        The best first; none where there are fewer than 40 rows, or 8 of a class.

    References
    ----------
    Kaufman, Rosset, Perlich & Stitelman (2012), Leakage in data mining: formulation, detection, and avoidance, ACM TKDD 6(4).
    """
    rng = np.random.default_rng(seed)
    rows = _draw(np.asarray(y), task, frame.shape[1], rng)
    if rows is None:
        return []
    y, some = np.asarray(y)[rows], frame.iloc[rows]
    judge = _Judge(y, task, rng, max(1, frame.shape[1]))
    found, best_codes = [], {}
    for name, codings in _codings(some):
        value, codes = max(((judge.value_of(codes), codes) for codes in codings), key=lambda pair: pair[0])
        if judge.is_suspicious(value):
            found.append(Suspect((name,), judge.metric, value))
        else:
            best_codes[name] = value, codes
    ranked = sorted(best_codes, key=lambda name: -best_codes[name][0])
    with_others = itertools.islice(itertools.combinations(ranked, 2), MOST_PAIRS)
    pairs = dict.fromkeys([*itertools.combinations(ranked[:N_OF_PAIRS], 2), *with_others])
    n_bins = int(np.clip(np.sqrt(len(y) / ROWS_OF_CELL), 5, N_BINS_OF_PAIR))
    coarse = {name: _coarse(best_codes[name][1], some[name], n_bins) for name in dict.fromkeys(itertools.chain(*pairs))}
    for one, other in pairs:
        value = judge.value_of(coarse[one] * (coarse[other].max() + 1) + coarse[other])
        if judge.is_suspicious(value):
            found.append(Suspect((one, other), judge.metric, value))
    return sorted(found, key=lambda suspect: -suspect.value)


def by_order(y, task: str, seed: int) -> Suspect | None:
    """Whether the position of a row in its table predicts the target: a table in the order of time, or sorted by it."""
    rng = np.random.default_rng(seed)
    rows = _draw(np.asarray(y), task, 1, rng)
    if rows is None:
        return None
    judge = _Judge(np.asarray(y)[rows], task, rng, 1)
    value = judge.value_of(_bins(rows.astype("float64"), N_BINS))
    return Suspect((ROWS,), judge.metric, value) if judge.is_beyond(value, PREDICTABLE[judge.metric]) else None


class _Judge:
    """How well codes of rows predict the target: each half of the rows by the other half's mean in each code."""

    def __init__(self, y: np.ndarray, task: str, rng: np.random.Generator, n_columns: int):
        self.is_class = task != "regression"
        self.metric = "roc_auc" if self.is_class else "r2"
        first = np.zeros(len(y), dtype=bool)
        for members in [np.flatnonzero(y == label) for label in np.unique(y)] if self.is_class else [np.arange(len(y))]:
            first[rng.permutation(members)[::2]] = True
        self.halves = [(np.flatnonzero(first), np.flatnonzero(~first)), (np.flatnonzero(~first), np.flatnonzero(first))]
        if self.is_class:
            labels = _common(y)
            self.kinds = [~first + 2 * (y == label) for label in (labels[1:] if task == "binary" else labels)]
        else:
            self.target = rankdata(y) / len(y)  # of a skewed target a few values would decide
        self.spread = _spread(y, self.is_class, n_columns)

    def value_of(self, codes: np.ndarray) -> float:
        """The metric of the predictions, both halves together."""
        n_codes = int(codes.max()) + 1
        if self.is_class:
            return float(np.mean([_mean_area(codes, kind, n_codes) for kind in self.kinds]))
        return float(np.mean([self._of_half(codes, n_codes, *half) for half in self.halves]))

    def _of_half(self, codes, n_codes: int, known, judged) -> float:
        mean = self.target[known].mean()
        totals = np.bincount(codes[known], minlength=n_codes)
        means = (np.bincount(codes[known], weights=self.target[known], minlength=n_codes) + mean) / (totals + 1)
        predicted, true = means[codes[judged]], self.target[judged]
        return 1 - np.sum((true - predicted) ** 2) / np.sum((true - true.mean()) ** 2)

    def is_suspicious(self, value: float) -> bool:
        return value > SUSPICIOUS[self.metric] and value - self.spread > SUSPICIOUS[self.metric] - DOUBTFUL

    def is_beyond(self, value: float, limit: float) -> bool:
        return value > limit and value - self.spread > (0.5 if self.is_class else 0.0)


def _mean_area(codes: np.ndarray, kind: np.ndarray, n_codes: int) -> float:
    """Mean ROC-AUC of each half's rates by code as scores of the other half; rows are counted once, by code, half and class."""
    counts = np.bincount(4 * codes + kind, minlength=4 * n_codes).reshape(n_codes, 4)
    positives, everybody = counts[:, 2:], counts[:, :2] + counts[:, 2:]
    areas = []
    for known, judged in ((0, 1), (1, 0)):
        mean = positives[:, known].sum() / everybody[:, known].sum()
        means = (positives[:, known] + mean) / (everybody[:, known] + 1)
        areas.append(_area(positives[:, judged], everybody[:, judged], means))
    return float(np.mean(areas))


def _area(positives: np.ndarray, everybody: np.ndarray, means: np.ndarray) -> float:
    """ROC-AUC of the means as scores, by code instead of by row."""
    order = np.argsort(means, kind="stable")
    tied = np.cumsum(np.append(False, np.diff(means[order]) > 0))
    of_positives = np.bincount(tied, weights=positives[order])
    of_negatives = np.bincount(tied, weights=(everybody - positives)[order])
    below = np.cumsum(of_negatives) - of_negatives / 2
    return float(np.sum(of_positives * below) / (of_positives.sum() * of_negatives.sum()))


def _spread(y: np.ndarray, is_class: bool, n_columns: int) -> float:
    """How far an area of 0.9 may be off by chance in one of all columns; about as far as an R² of 0.9."""
    z = float(norm.isf(0.01 / n_columns))
    rarest = min(np.sum(y == label) for label in _common(y)) if is_class else len(y) / 2
    return z * float(np.sqrt(0.9 * 0.1 / rarest))


def _common(y: np.ndarray) -> np.ndarray:
    """Classes of which there are enough rows to be told apart."""
    labels, counts = np.unique(y, return_counts=True)
    return labels[counts >= FEWEST_OF_CLASS]


def _draw(y: np.ndarray, task: str, n_columns: int, rng: np.random.Generator) -> np.ndarray | None:
    """Positions to look at, in order: of two classes as many of the rarer one as there are, at most half."""
    if len(y) < FEWEST_ROWS or np.ptp(y) == 0:
        return None
    n_most = int(min(len(y), MOST_ROWS, max(1_000, MOST_CELLS // max(1, n_columns))))
    rows = np.arange(len(y))
    if task == "regression":
        return rows if n_most == len(y) else np.sort(rng.choice(rows, n_most, replace=False))
    labels, counts = np.unique(y, return_counts=True)
    if len(_common(y)) < 2:
        return None
    if n_most < len(y):
        each = np.minimum(counts, np.maximum(n_most // len(labels), n_most * counts // len(y)))
        rows = np.sort(
            np.concatenate([rng.choice(rows[y == label], n, replace=False) for label, n in zip(labels, each, strict=True)])
        )
    return rows


def _codings(frame: pd.DataFrame) -> Iterator[tuple[str, list[np.ndarray]]]:
    """Ways to put the rows into a few bins by a column, for each column."""
    n_bins = max(2, min(N_BINS, len(frame) // (2 * ROWS_OF_BIN)))
    for name in frame:
        column = frame[name]
        if isinstance(column.dtype, pd.CategoricalDtype):
            yield name, [column.cat.codes.to_numpy().astype("int64") + 1]
        elif pd.api.types.is_string_dtype(column.dtype):
            yield name, list(_words(column))
        else:
            if column.dtype.kind == "M":
                column = column.astype("int64")
            values = column.to_numpy(dtype="float64", na_value=np.nan)
            yield name, [_bins(values, n_bins), *_repeated(values)]


def _bins(values: np.ndarray, n_bins: int) -> np.ndarray:
    """Bins of about equally many rows; 0 is missing."""
    known = ~np.isnan(values)
    if not known.any():
        return np.zeros(len(values), dtype="int64")
    edges = np.unique(np.quantile(values[known], np.arange(1, n_bins) / n_bins))
    return np.where(known, np.searchsorted(edges, values, side="right") + 1, 0)


def _repeated(values: np.ndarray) -> list[np.ndarray]:
    """Each value a bin of its own where most rows share theirs: codes and numbers of customers, written as numbers."""
    found, counts = np.unique(values, return_counts=True)
    is_of_codes = N_BINS < len(found) <= len(values) / 3 and counts[counts > 1].sum() > 0.8 * len(values)
    return [np.searchsorted(found, values)] if is_of_codes else []


def _words(column: pd.Series) -> Iterator[np.ndarray]:
    """Whether a text is there, whether each frequent word is in it, and whole texts where they repeat."""
    from sklearn.feature_extraction.text import CountVectorizer

    texts = column.fillna("").astype(str).str.slice(0, LETTERS)
    yield column.notna().to_numpy().astype("int64")
    codes, found = pd.factorize(texts)
    if len(found) <= len(texts) / 3:
        yield codes
    counter = CountVectorizer(binary=True, min_df=min(ROWS_OF_TOKEN, len(texts)), max_features=N_TOKENS, dtype="int8")
    try:
        matrix = counter.fit_transform(texts).tocsc()
    except ValueError:  # no word is in as many texts
        return
    for i in range(matrix.shape[1]):
        there = np.zeros(len(texts), dtype="int64")
        there[matrix.indices[matrix.indptr[i] : matrix.indptr[i + 1]]] = 1
        yield there


def _coarse(codes: np.ndarray, column: pd.Series, n_bins: int) -> np.ndarray:
    """Fewer bins, for two columns together."""
    if codes.max() < n_bins:
        return codes
    if isinstance(column.dtype, pd.CategoricalDtype) or pd.api.types.is_string_dtype(column.dtype):
        frequent = np.argsort(-np.bincount(codes), kind="stable")[: n_bins - 1]
        place = np.full(codes.max() + 1, n_bins - 1)
        place[frequent] = np.arange(len(frequent))
        return place[codes]
    values = column.astype("int64") if column.dtype.kind == "M" else column
    return _bins(values.to_numpy(dtype="float64", na_value=np.nan), n_bins)
