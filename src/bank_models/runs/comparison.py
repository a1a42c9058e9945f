"""Comparison of two runs on the same test rows, with a paired test; and whether one score is chance."""

from __future__ import annotations

import io
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bank_models.errors import IntegrityError
from bank_models.metrics.intervals import CONFIDENCE, Estimate, gain, spread
from bank_models.metrics.names import as_score
from bank_models.metrics.scorer import Scorer
from bank_models.metrics.scores import Prediction
from bank_models.metrics.units import Units, make_units
from bank_models.runs import extensions, record
from bank_models.runs.record import RunRecord

SCORES = "test_scores.parquet"
N_DEALS = 119  # by which a share of 2.5 %, that of the lower end of an interval, can just be told
ROWS_OF_DEAL = 10_000
SAME = 1e-12  # by which two scores may differ that are one but for rounding


@dataclass(frozen=True)
class Difference:
    """How far version `a` is from version `b` in a metric.

    Attributes
    ----------
    metric : str
    a, b : float
        In the metric's natural sign.
    gain : float
        Of `a` over `b`: above 0 is better, whichever way the metric points.
    low, high : float
        Interval of the gain, of 95 % unless another level was asked for.
    p_value : float
        Two-sided, of no difference.
    test : str
        "paired" (for ROC-AUC of independent rows DeLong's), or "unpaired" where the test rows aren't the same.
    """

    metric: str
    a: float
    b: float
    gain: float
    low: float
    high: float
    p_value: float
    test: str

    def is_not_inferior(self, margin: float) -> bool:
        """Whether `a` is worse by less than a margin, beyond chance; predictions that never differ are as good."""
        return (self.gain == 0 and self.p_value == 1) or self.low >= -margin

    @property
    def is_worse(self) -> bool:
        """Whether `a` is worse beyond chance."""
        return self.high < 0

    @property
    def is_better(self) -> bool:
        return self.low > 0


@dataclass(frozen=True)
class Results(RunRecord):
    """What a model was found to do.

    Attributes
    ----------
    version : str or None
        None before it is registered.
    scores : DataFrame, optional
        `test_scores.parquet`, where rows were tested.
    """

    version: str | None
    scores: pd.DataFrame | None


def of_folder(folder: Path) -> Results:
    """Results of a run that is being written: it has no manifest yet."""
    path = folder / SCORES
    mine = record.read(folder)
    return Results(mine.facts, mine.metrics, None, read_scores(path.read_bytes(), path) if path.exists() else None)


def difference(a: Results, b: Results, metric: str | None = None, confidence: float = CONFIDENCE) -> Difference | None:
    """Compare two results of one use case in a metric, by default the first one's own.

    Both are measured by the weights of the first one's rows where the rows are the same.

    On the same test rows the two influence functions are subtracted row by row: see `bank_models.metrics.intervals.gain`. Of
    ROC-AUC on independent rows that is the test of DeLong, DeLong & Clarke-Pearson (1988), Biometrics 44, 837-845. On different
    rows only the two intervals of the use case's metric can be compared, as those of independent samples: that takes a larger
    gain to show.

    Returns
    -------
    Difference or None
        None if there is nothing to compare: no predictions for test rows, another metric, or a run with weights and one
        without on other rows.

    Raises
    ------
    ConfigError
        If an extension that the first one was made with is missing.
    """
    extensions.check(a.facts)
    metric, one, other = metric or a.facts["metric"], a.scores, b.scores
    if f"test_{metric}" not in a.metrics or f"test_{metric}" not in b.metrics:
        return None
    values = a.metrics[f"test_{metric}"], b.metrics[f"test_{metric}"]
    if one is None or other is None:
        return None
    if not _are_same_rows(one, other):
        if ("weight" in one) != ("weight" in other):
            return None  # one of them is weighted, on other rows
        mine, theirs = (_estimate(metric, results, _weight(results.scores)) for results in (a, b))
        return _unpaired(metric, values, mine, theirs, confidence)
    mine, theirs = (_estimate(metric, results, _weight(one)) for results in (a, b))
    if not one.filter(["weight"]).equals(other.filter(["weight"])):
        values = mine.value, theirs.value
    found = gain(mine, theirs, confidence)
    is_delong = metric == "roc_auc" and mine.units.entities is None and mine.units.moments is None
    return Difference(metric, *values, found.value, found.low, found.high, found.p_value, "DeLong" if is_delong else "paired")


def by_chance(results: Results) -> float | None:
    """p-value of a score that owes nothing to which row got which prediction: a permutation test of the primary metric.

    The predictions are dealt anew to the test rows, at most 10,000 of them. An interval cannot tell that where decisions alone
    earn a score (every row called positive has an F1), or where the few rows of a class happen to share one score.

    Returns
    -------
    float or None
        Share of 119 deals that score as well, the real one counted with them; None if no rows were tested.

    References
    ----------
    Ojala & Garriga (2010), Permutation tests for studying classifier performance, JMLR 11, 1833-1863.
    """
    if results.scores is None or results.score_name not in results.metrics:
        return None
    rng, scorer, scores = np.random.default_rng(0), _scorer(results, results.metric), results.scores
    if len(scores) > ROWS_OF_DEAL:
        scores = scores.iloc[np.sort(rng.choice(len(scores), ROWS_OF_DEAL, replace=False))]
    y_true, given, periods = scores["y_true"].to_numpy(), _prediction(scores), _periods(scores)

    def worth(rows) -> float:
        dealt = Prediction(given.score[rows], given.decision[rows])
        return as_score(scorer.metric, scorer.value(y_true, dealt, periods, _weight(scores)))

    mine, dealt = worth(np.arange(len(y_true))), [worth(rng.permutation(len(y_true))) for _ in range(N_DEALS)]
    return float((1 + np.sum(np.array(dealt) > mine - SAME)) / (1 + N_DEALS))


def _scorer(results: Results, metric: str) -> Scorer:
    about = results.facts["config"]["use_case"]
    return Scorer(metric, about["task"], quantile=about["quantile"], classes=tuple(about["classes"] or ()))


def _periods(scores: pd.DataFrame) -> np.ndarray | None:
    return scores["period"].to_numpy() if "period" in scores else None


def _weight(scores: pd.DataFrame) -> np.ndarray | None:
    return scores["weight"].to_numpy() if "weight" in scores else None


def _estimate(metric: str, results: Results, weight: np.ndarray | None) -> Estimate:
    scores, scorer = results.scores, _scorer(results, metric)
    if scorer.n_classes and not np.isin(scores[["y_true", "decision"]], range(scorer.n_classes)).all():
        raise IntegrityError(f"{SCORES} of {results.version or 'the run'} has a class that the use case does not have.")
    units = replace(_units(scores, results.facts), weight=weight)
    return scorer.estimate(scores["y_true"].to_numpy(), _prediction(scores), units, _periods(scores))


def _unpaired(metric: str, values: tuple[float, float], mine: Estimate, theirs: Estimate, confidence: float) -> Difference:
    """As of independent samples, with the degrees of freedom of Welch (1947), Biometrika 34, 28-35."""
    from scipy.stats import t as student

    value, known = _gain(metric, *values), [spread(each.influence, each.units, each.kinds) for each in (mine, theirs)]
    if None in known:
        return Difference(metric, *values, value, np.nan, np.nan, np.nan, "unpaired")
    variances = [each.error**2 for each in known]
    error = float(np.sqrt(sum(variances)))
    if error == 0:
        return Difference(metric, *values, value, np.nan, np.nan, float(value == 0), "unpaired")
    freedom = sum(variances) ** 2 / sum(v**2 / each.freedom for v, each in zip(variances, known, strict=True))
    reach = float(student.ppf((1 + confidence) / 2, freedom)) * error
    p_value = float(2 * student.sf(abs(value) / error, freedom))
    return Difference(metric, *values, value, value - reach, value + reach, p_value, "unpaired")


def _units(scores: pd.DataFrame, facts: dict[str, Any]) -> Units:
    """What rows came together; of runs that are older than its two columns, as they recorded it."""
    entities, moments = (scores[name].to_numpy() if name in scores else None for name in ("entity", "moment"))
    if "cluster" in scores:
        entities = scores["cluster"].to_numpy()
    return make_units(entities, moments, (facts.get("interval_of") or {}).get("horizon", 1))


def _gain(metric: str, a: float, b: float) -> float:
    return float(as_score(metric, a) - as_score(metric, b))


def read_scores(data: bytes, path: Path) -> pd.DataFrame:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        scores = pq.read_table(io.BytesIO(data), page_checksum_verification=True).to_pandas()
    except (pa.ArrowException, OSError, ValueError, TypeError, LookupError) as error:
        raise IntegrityError(f"{path} cannot be read as Parquet: {type(error).__name__}") from error
    lacking = [name for name in ("row", "y_true", "decision") if name not in scores]
    if lacking or not any(name.startswith("score") for name in scores):
        raise IntegrityError(f"{path} is not a table of test scores: it has no column {[*lacking, 'score'][0]}")
    are_numbers = all(pd.api.types.is_numeric_dtype(kind) for kind in scores.dtypes)
    if not are_numbers or not np.isfinite(scores.to_numpy("float64")).all():
        raise IntegrityError(f"{path} is not a table of test scores: a value is not a finite number")
    return scores


def _are_same_rows(one: pd.DataFrame | None, other: pd.DataFrame | None) -> bool:
    return one is not None and other is not None and one[["row", "y_true"]].equals(other[["row", "y_true"]])


def _prediction(scores: pd.DataFrame) -> Prediction:
    names = [name for name in scores if name.startswith("score")]
    score = scores[names].to_numpy()
    return Prediction(score[:, 0] if names == ["score"] else score, scores["decision"].to_numpy())
