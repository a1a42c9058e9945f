"""Two versions on the same test rows: how far apart they are, and whether chance could do that.

A version's results are read with every byte verified; a run's own, while it is being written, as they are.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from src.bootstrap import resample
from src.errors import IntegrityError
from src.metrics import Prediction, as_score
from src.registry.entry import NAMES
from src.registry.store import Version

SCORES = "test_scores.parquet"
SEED, N_RESAMPLES = 0, 2000
Z = 1.959964  # of a two-sided interval of 95 %


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
        95 % interval of the gain.
    p_value : float
        Two-sided, of no difference.
    test : str
        "DeLong", "paired bootstrap", or "unpaired" where the test rows aren't the same.
    """

    metric: str
    a: float
    b: float
    gain: float
    low: float
    high: float
    p_value: float
    test: str

    @property
    def is_worse(self) -> bool:
        """Whether `a` is worse beyond chance."""
        return not self.high >= 0

    @property
    def is_better(self) -> bool:
        return self.low > 0


@dataclass(frozen=True)
class Results:
    """What a model was found to do.

    Attributes
    ----------
    version : str or None
        None before it is registered.
    facts, metrics : dict
        `metadata.json` and `metrics.json`.
    scores : DataFrame, optional
        `test_scores.parquet`, where rows were tested.
    """

    version: str | None
    facts: dict[str, Any]
    metrics: dict[str, float]
    scores: pd.DataFrame | None

    @property
    def score_name(self) -> str:
        """Of the primary metric among the metrics; that of all rows where nothing was tested."""
        name = f"test_{self.facts['metric']}"
        return name if name in self.metrics else self.facts["metric"]


def of_version(version: Version) -> Results:
    """Results of a version, their bytes verified."""
    scores = _read_scores(version.read(SCORES), version.folder / SCORES) if version.has(SCORES) else None
    metrics = {name: value for name, value in version.metrics.items() if value is not None}
    return Results(version.version, version.facts, metrics, scores)


def of_folder(folder: Path) -> Results:
    """Results of a run that is being written: it has no manifest yet."""
    path = folder / SCORES
    facts, metrics = (json.loads((folder / name).read_text(encoding="utf-8")) for name in ("metadata.json", "metrics.json"))
    return Results(None, facts, metrics, _read_scores(path.read_bytes(), path) if path.exists() else None)


def n_scored_before(facts: dict[str, Any], others: Iterable[Version]) -> int:
    """How many other versions were scored on a run's own test rows.

    Each of them was a look at these rows, and the best of many looks owes some of its score to chance (Dwork et al. 2015,
    The reusable holdout, Science 349, 636-638).
    """
    mine = _test_rows(facts)
    return sum(mine is not None and _test_rows(other.facts) == mine for other in others)


def _test_rows(facts: dict[str, Any]) -> tuple[str, str] | None:
    split = facts.get("split")
    return split and (facts["data"]["frame_sha256"], split["sha256"])


def compare(a: Version, b: Version, metric: str | None = None) -> Difference | None:
    """Compare two versions of one use case: see `difference`."""
    return difference(of_version(a), of_version(b), metric)


def difference(a: Results, b: Results, metric: str | None = None) -> Difference | None:
    """Compare two results of one use case in a metric, by default the first one's own.

    On the same test rows ROC-AUC is tested as DeLong et al. have it, where rows are independent; else, and for every other
    metric, by a paired bootstrap that draws what belongs together together. On different rows only the two intervals of the
    use case's metric can be compared, as those of independent samples: that takes a larger gain to show.

    Returns
    -------
    Difference or None
        None if there is nothing to compare: no test rows, another metric, or different rows and no intervals.
    """
    metric, mine, theirs, one, other = metric or a.facts["metric"], a.metrics, b.metrics, a.scores, b.scores
    if f"test_{metric}" not in mine or f"test_{metric}" not in theirs:
        return None
    values = mine[f"test_{metric}"], theirs[f"test_{metric}"]
    if not _are_same_rows(one, other):
        return _of_intervals(metric, values, mine, theirs)
    y_true, predictions = one["y_true"].to_numpy(), [_prediction(one), _prediction(other)]
    clusters, periods = (one[name].to_numpy() if name in one else None for name in ("cluster", "period"))
    if metric == "roc_auc" and clusters is None:
        gain, error = delong(y_true, *(prediction.score for prediction in predictions))
        return _normal(metric, values, gain, error, "DeLong")
    use_case = a.facts["config"]["use_case"]
    about = use_case["quantile"], periods, clusters
    drawn = resample(metric, use_case["task"], y_true, predictions, SEED, N_RESAMPLES, *about)
    gains = as_score(metric, drawn[:, 0]) - as_score(metric, drawn[:, 1])
    low, high = np.quantile(gains, [0.025, 0.975])
    beyond = min((gains <= 0).sum(), (gains >= 0).sum())
    p_value = min(1.0, 2 * (beyond + 1) / (N_RESAMPLES + 1))
    return Difference(metric, *values, _gain(metric, *values), float(low), float(high), p_value, "paired bootstrap")


def side_by_side(a: Version, b: Version) -> list[tuple[str, float | None, float | None]]:
    """Test metrics of two versions, by the names that the rest of the system gives them; those of all rows without a test."""
    usual = {special: name for name, special in NAMES.items()}
    one, other = ({usual.get(name, name): value for name, value in of.entry["metrics"].items()} for of in (a, b))
    names = sorted(name for name in {*one, *other} if not name.endswith(("_ci_low", "_ci_high")))
    return [(name, one.get(name), other.get(name)) for name in names]


def delong(y_true, score, other) -> tuple[float, float]:
    """Difference of two areas under the ROC curve on the same rows, and its standard error.

    Parameters
    ----------
    y_true : ndarray of shape (n_rows,)
        0 or 1, both of them twice at least.
    score, other : ndarray of shape (n_rows,)

    References
    ----------
    DeLong, DeLong & Clarke-Pearson (1988), Comparing the areas under two or more correlated receiver operating characteristic
    curves, Biometrics 44, 837-845; by midranks as in Sun & Xu (2014), IEEE Signal Processing Letters 21, 1389-1393.
    """
    from scipy.stats import rankdata

    positive = np.asarray(y_true) == 1
    n, m = positive.sum(), (~positive).sum()
    areas, of_positives, of_negatives = [], [], []
    for given in (score, other):
        ranks = rankdata(given)
        of_positives.append((ranks[positive] - rankdata(given[positive])) / m)  # share of negatives below, ties half
        of_negatives.append(1 - (ranks[~positive] - rankdata(given[~positive])) / n)
        areas.append(of_positives[-1].mean())
    variance = np.var(of_positives[0] - of_positives[1], ddof=1) / n + np.var(of_negatives[0] - of_negatives[1], ddof=1) / m
    return float(areas[0] - areas[1]), float(np.sqrt(variance))


def _normal(metric: str, values: tuple[float, float], gain: float, error: float, test: str) -> Difference:
    from scipy.stats import norm

    p_value = float(2 * norm.sf(abs(gain) / error)) if error > 0 else float(gain == 0)
    return Difference(metric, *values, gain, gain - Z * error, gain + Z * error, p_value, test)


def _of_intervals(metric: str, values, mine: dict[str, Any], theirs: dict[str, Any]) -> Difference | None:
    names = f"test_{metric}_ci_low", f"test_{metric}_ci_high"
    if any(name not in metrics for name in names for metrics in (mine, theirs)):
        return None
    errors = [(metrics[names[1]] - metrics[names[0]]) / (2 * Z) for metrics in (mine, theirs)]
    return _normal(metric, values, _gain(metric, *values), float(np.hypot(*errors)), "unpaired")


def _gain(metric: str, a: float, b: float) -> float:
    return float(as_score(metric, a) - as_score(metric, b))


def _read_scores(data: bytes, path: Path) -> pd.DataFrame:
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
