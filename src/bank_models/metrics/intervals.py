"""Confidence intervals of metrics."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.special import expit, logit
from scipy.stats import t as student

from bank_models.metrics.influence import RANKINGS, is_known, measure, value_of
from bank_models.metrics.names import METRICS, as_score
from bank_models.metrics.scores import Prediction
from bank_models.metrics.units import Units
from bank_models.metrics.weighted_influence import variance_of_rows

CONFIDENCE = 0.95
FEWEST_UNITS = 2  # and rows of each of two classes: with fewer nothing is known of how they vary
N_GROUPS = 50  # whose omission tells the spread of a metric that has no influence function
FEWEST_BLOCKS = 8  # into which neighbouring moments are merged
CORRELATED = 0.5  # standard errors of an autocorrelation from which on neighbours are merged
LARGEST_AUTOCORRELATION = 0.97
LARGEST_OF_BLOCKS = 0.8  # that is believed of a few blocks
ROUNDING = 1e-9
NEGLIGIBLE = 1e-12  # of a squared metric: nothing varies


@dataclass(frozen=True)
class Estimate:
    """A metric with what its standard error is made of.

    Attributes
    ----------
    metric : str
    value : float
    influence : ndarray of shape (n_rows,)
    units : Units
    kinds : ndarray of int of shape (n_rows,)
        Classes that must each occur often enough; a single 0 where there are none; -1 where a row is not measured.
    """

    metric: str
    value: float
    influence: np.ndarray
    units: Units
    kinds: np.ndarray


@dataclass(frozen=True)
class Spread:
    """A standard error, and how many degrees of freedom it was estimated with."""

    error: float
    freedom: float


@dataclass(frozen=True)
class Gain:
    """What one prediction is better by than another: above 0 is better, whichever way the metric points.

    Attributes
    ----------
    value, low, high : float
        With its interval, of 95 % unless another level was asked for, which is not a number where there is none.
    p_value : float
        Two-sided, of no difference.
    spread : Spread or None
    """

    value: float
    low: float
    high: float
    p_value: float
    spread: Spread | None


def estimate(
    metric: str,
    y_true,
    prediction: Prediction,
    n_classes: int,
    units: Units,
    quantile: float | None = None,
    periods=None,
    rows: np.ndarray | None = None,
) -> Estimate:
    """Measure a metric and by how much each row moves it.

    Parameters
    ----------
    metric : str
        A name of `bank_models.metrics.names.METRICS`.
    y_true : ndarray of shape (n_rows,)
    prediction : Prediction
    n_classes : int
        Of the target; 0 of a number.
    units : Units
    quantile : float, optional
    periods : ndarray of shape (n_rows,), optional
        When each row happened, for a metric that is a mean over periods.
    rows : ndarray of int, optional
        Positions that are measured; None is all of them.

    Returns
    -------
    Estimate
        The influence of rows that are not measured is 0; not a number of a metric for which there is no interval.
    """
    of_rows = slice(None) if rows is None else rows
    some = np.asarray(y_true)[of_rows], Prediction(prediction.score[of_rows], prediction.decision[of_rows])
    periods = periods if periods is None else periods[of_rows]
    weight = None if units.weight is None else units.weight[of_rows]
    influence, kinds = np.zeros(len(y_true)), np.full(len(y_true), -1)
    if n_classes != 2 or FEWEST_UNITS <= np.sum(some[0]) <= len(some[0]) - FEWEST_UNITS:
        is_loss_of_strangers = n_classes == 2 and METRICS[metric].is_loss and units.entities is None and units.moments is None
        kinds[of_rows] = some[0] if metric in RANKINGS or metric == "roc_auc_ovr" or is_loss_of_strangers else 0
    if METRICS[metric].takes == "periods" and units.moments is not None:
        units = Units(None, units.moments, units.horizon, units.weight)
    if is_known(metric, periods):
        value, influence[of_rows] = measure(metric, *some, n_classes, quantile, periods, weight)
    elif not METRICS[metric].has_interval:
        value, influence[of_rows] = value_of(metric, *some, n_classes, quantile, periods, weight), np.nan
    else:
        value, found, groups = _leave_groups_out(metric, *some, n_classes, units.take(of_rows), quantile, periods)
        influence[of_rows] = found
        codes = np.full(len(y_true), groups.max() + 1)
        codes[of_rows] = groups
        units = Units(codes, weight=units.weight)
    return Estimate(metric, value, influence, units, kinds)


def _leave_groups_out(metric, y_true, prediction, n_classes, units: Units, quantile, periods):
    """The jackknife, by groups of whole units: a metric's value, the influence of each row, the group of each row.

    References
    ----------
    Shao & Wu (1989), A general theory for jackknife variance estimation, Annals of Statistics 17, 1176-1197: it holds for
    medians and other order statistics if many rows are left out at once.
    """
    ways = [codes for codes in (units.moments, units.entities) if codes is not None] or [np.arange(len(y_true))]
    whole = min(ways, key=np.max)  # the way with the fewest units
    n_units = int(whole.max()) + 1
    place = np.arange(n_units) if whole is units.moments else np.random.default_rng(0).permutation(n_units)
    n_groups = min(N_GROUPS, n_units)
    groups = (place * n_groups // n_units)[whole]
    weight = units.weight
    value, influence = value_of(metric, y_true, prediction, n_classes, quantile, periods, weight), np.zeros(len(y_true))
    for group in range(n_groups):
        rest = groups != group
        of_rest = Prediction(prediction.score[rest], prediction.decision[rest])
        about_rest = (None if each is None else each[rest] for each in (periods, weight))
        left = np.nan if not rest.any() else value_of(metric, y_true[rest], of_rest, n_classes, quantile, *about_rest)
        if weight is None:
            influence[~rest] = (value - left) * (n_groups - 1) / n_groups / np.sum(~rest)
        else:
            influence[~rest] = (value - left) * np.sum(weight[rest]) / np.sum(weight) / np.sum(~rest)
    return value, influence, groups


def interval(found: Estimate) -> tuple[float, float] | None:
    """95 % confidence interval of a metric: Student's t on a scale on which the metric has no bounds.

    That scale is the logit of what lies between 0 and 1, the logarithm of a loss, and that of 1 - R²: so an interval never
    leaves the range of its metric, and it covers with few rows of a class too.

    Returns
    -------
    low, high : float
        None where the sample does not tell: fewer than two units, or two rows of a class, or no unit that differs.

    References
    ----------
    Boyd, Eng & Page (2013), Area under the precision-recall curve: point estimates and confidence intervals, ECML, 451-466.
    Qin & Hotilovac (2008), Comparison of non-parametric confidence intervals for the area under the ROC curve, Statistical
    Methods in Medical Research 17, 207-221. Cameron & Miller (2015), A practitioner's guide to cluster-robust inference,
    Journal of Human Resources 50, 317-372.
    """
    there = spread(found.influence, found.units, found.kinds)
    if there is None or there.error**2 <= NEGLIGIBLE * found.value**2:
        return None
    scale = scale_of(found.metric)
    if scale is None:
        return found.value - _reach(there), found.value + _reach(there)
    place = scale.there(found.value)
    if not np.isfinite(place):
        return None
    beyond = scale.slope(found.value) * _reach(there)
    ends = sorted((float(scale.back(place - beyond)), float(scale.back(place + beyond))))
    return ends[0], ends[1]


def interval_of(value: float, influence: np.ndarray, units: Units) -> tuple[float, float] | None:
    """95 % confidence interval of any statistic by the influence of each row: Student's t."""
    there = spread(influence, units, np.zeros(len(influence), dtype="int64"))
    if there is None or there.error**2 <= NEGLIGIBLE * value**2:
        return None
    return value - _reach(there), value + _reach(there)


def gain(found: Estimate, other: Estimate, confidence: float = CONFIDENCE) -> Gain:
    """What a prediction gains on another one on the same rows, whose metrics rise and fall together.

    The interval of a gain in a ranking, or in R², is made on the metric's own scale, on which a gain near a bound is as likely
    too large as too small, and is shown as the distance from the other prediction's value. That of a loss or of decisions is
    not: there the other's value varies as much.
    """
    value = as_score(found.metric, found.value) - as_score(found.metric, other.value)
    there = spread(found.influence - other.influence, found.units, found.kinds)
    if there is None:
        return Gain(value, np.nan, np.nan, np.nan, None)
    if there.error**2 <= NEGLIGIBLE * max(found.value**2, other.value**2):
        return Gain(value, np.nan, np.nan, float(value == 0), there)
    p_value = float(2 * student.sf(abs(value) / there.error, there.freedom))
    scale = scale_of(found.metric) if found.metric in {*RANKINGS, "roc_auc_ovr", "r2"} else None
    places = (0.0, 0.0) if scale is None else (scale.there(found.value), scale.there(other.value))
    if scale is None or not np.all(np.isfinite(places)):
        reach = _reach(there, confidence)
        return Gain(value, value - reach, value + reach, p_value, there)
    slopes = scale.slope(found.value), scale.slope(other.value)
    beyond = spread(slopes[0] * found.influence - slopes[1] * other.influence, found.units, found.kinds)
    if beyond is None:
        return Gain(value, np.nan, np.nan, p_value, there)
    ends = (scale.back(places[0] + sign * _reach(beyond, confidence)) for sign in (-1, 1))
    low, high = sorted(as_score(found.metric, float(end)) - as_score(found.metric, other.value) for end in ends)
    return Gain(value, low, high, p_value, there)


def spread(influence: np.ndarray, units: Units, kinds: np.ndarray) -> Spread | None:
    """Standard error of a metric from the influence of each row.

    Rows of an entity are taken as a whole, and so are those of a moment; of moments that follow one another the
    autocorrelation is taken out first. Where rows have both, the variances of either way add up, less that of the rows that
    share both. There are never more degrees of freedom than units that are alike in size, of the rarest kind, and fewer if a
    few of them have most of the influence.

    Parameters
    ----------
    influence : ndarray of shape (n_rows,)
    units : Units
    kinds : ndarray of int of shape (n_rows,)
        As in `Estimate`.

    Returns
    -------
    Spread or None
        None with fewer than two units of a kind.

    References
    ----------
    Cameron, Gelbach & Miller (2011), Robust inference with multiway clustering, Journal of Business & Economic Statistics 29,
    238-249. Carter, Schnepel & Steigerwald (2017), Asymptotic behavior of a t-test robust to cluster heterogeneity, Review of
    Economics and Statistics 99, 698-709, on units of unequal size. O'Neill (2014), Some useful moment results in sampling
    problems, The American Statistician 68, 282-296, on how well a variance is known.
    """
    if not np.isfinite(influence).all():
        return None
    if units.entities is None and units.moments is None:
        return _of_rows(influence, kinds, units.weight)
    found = []
    for codes, of_way in ((units.entities, _of_strangers), (units.moments, _of_series)):
        if codes is None:
            continue
        found.append(of_way(np.bincount(codes, weights=influence), _n_alike(codes, kinds, units.weight), units.horizon))
    if None in found:
        return None
    if len(found) == 2:
        of_both = np.sum(np.bincount(units.pairs, weights=influence) ** 2)
        variance = max(found[0][0], found[1][0], found[0][0] + found[1][0] - of_both)
        return Spread(float(np.sqrt(variance)), min(found[0][1], found[1][1]))
    return Spread(float(np.sqrt(found[0][0])), found[0][1])


def _of_rows(influence, kinds, weight=None) -> Spread | None:
    """Independent rows: each kind is a sample of its own."""
    if weight is not None:
        found = variance_of_rows(influence, kinds, weight)
        return found and Spread(float(np.sqrt(found[0])), max(1.0, min(found[1] - 1, _freedom(influence))))
    n_of_kind = np.bincount(kinds[kinds >= 0])
    counts = n_of_kind[n_of_kind > 0]
    if len(counts) == 0 or counts.min() < FEWEST_UNITS:
        return None
    correction = np.ones(len(influence))
    correction[kinds >= 0] = (n_of_kind / np.maximum(n_of_kind - 1, 1))[kinds[kinds >= 0]]
    variance = float(np.sum(influence**2 * correction))
    return Spread(float(np.sqrt(variance)), max(1.0, min(counts.min() - 1.0, _freedom(influence))))


def _of_strangers(sums: np.ndarray, n_alike: float, _: int) -> tuple[float, float] | None:
    if n_alike < FEWEST_UNITS - ROUNDING:
        return None
    return float(np.sum(sums**2)) * n_alike / (n_alike - 1), max(1.0, min(n_alike - 1, _freedom(sums)))


def _of_series(sums: np.ndarray, n_alike: float, horizon: int) -> tuple[float, float] | None:
    """Of moments in the order of time: as of strangers, after the autocorrelation is taken out, and put back in the end.

    None where the moments depend so much on one another that they tell no more than a single one.

    References
    ----------
    Andrews & Monahan (1992), An improved heteroskedasticity and autocorrelation consistent covariance matrix estimator,
    Econometrica 60, 953-966. Kendall (1954), Note on bias in the estimation of autocorrelation, Biometrika 41, 403-404.
    """
    sums = _merged(sums, horizon) if horizon > 1 and len(sums) // horizon >= FEWEST_UNITS else sums
    n = len(sums)
    r = _autocorrelation(sums) if n > 3 else 0.0
    r = min(r + (1 + 3 * r) / n, LARGEST_AUTOCORRELATION) if r > 0 else 0.0
    rest = sums[1:] - r * sums[:-1] if r > 0 else sums
    rest = rest - rest.mean()
    size = longest = 1
    while len(rest) // longest >= 2 * FEWEST_BLOCKS:  # a dependence that is weak between neighbours may reach far
        merged = _merged(rest, longest)
        longest *= 2
        if (_autocorrelation(merged) + 1 / len(merged)) * np.sqrt(len(merged)) >= CORRELATED:
            size = longest
    merged = _merged(rest, size if size == 1 else max(1, min(2 * size, len(rest) // FEWEST_BLOCKS)))
    n_alike = min(n_alike, n * (1 - r) / (1 + r), float(len(merged)))
    if n_alike < FEWEST_UNITS - ROUNDING:
        return None
    variance = np.sum(merged**2) * n / len(rest) / (1 - r) ** 2 * n_alike / (n_alike - 1)
    if size > 1:  # what depends on the block before it is not told by the blocks' own spread
        left = _autocorrelation(merged)
        left = min(max(0.0, left + (1 + 3 * left) / len(merged)), LARGEST_OF_BLOCKS)
        variance *= (1 + left) / (1 - left)
    return float(variance), max(1.0, min(n_alike - 1, _freedom(merged)))


def _merged(sums: np.ndarray, size: int) -> np.ndarray:
    """Sums of neighbours, as many as there are whole blocks of a size."""
    n_blocks = max(1, len(sums) // size)
    return np.bincount(np.arange(len(sums)) * n_blocks // len(sums), weights=sums)


def _autocorrelation(sums: np.ndarray) -> float:
    centred = sums - sums.mean()
    total = np.sum(centred**2)
    return float(np.sum(centred[1:] * centred[:-1]) / total) if total > 0 else 0.0


def _n_alike(codes: np.ndarray, kinds: np.ndarray, weight=None) -> float:
    """How many units of equal size tell as much as these do: of the kind of which there are fewest."""
    fewest = np.inf
    for kind in np.unique(kinds[kinds >= 0]):
        of_kind = kinds == kind
        sizes = np.bincount(codes[of_kind], None if weight is None else weight[of_kind]).astype("float64")
        fewest = min(fewest, sizes.sum() ** 2 / np.sum(sizes**2))
    return float(fewest) if np.isfinite(fewest) else 0.0


def _freedom(sums: np.ndarray) -> float:
    """Degrees of freedom of a variance that a few large values make up: from the kurtosis."""
    centred = sums - sums.mean()
    squares = centred**2
    square = np.mean(squares)
    if square == 0:
        return np.inf
    kurtosis = np.mean(squares**2) / square**2
    return 2 * len(sums) / (kurtosis - 1) if kurtosis > 1 else np.inf


def _reach(there: Spread, confidence: float = CONFIDENCE) -> float:
    return float(student.ppf((1 + confidence) / 2, there.freedom)) * there.error


@dataclass(frozen=True)
class Scale:
    """Where a metric has no bounds: there, the derivative of that, and back."""

    there: Callable
    slope: Callable
    back: Callable


def _safely(function: Callable) -> Callable:
    def quiet(value):
        with np.errstate(divide="ignore", invalid="ignore"):
            return function(np.float64(value))

    return quiet


LOGIT = Scale(_safely(logit), _safely(lambda value: 1 / (value * (1 - value))), expit)
LOG = Scale(_safely(np.log), _safely(lambda value: 1 / value), np.exp)
LOG_OF_REST = Scale(_safely(lambda value: np.log(1 - value)), _safely(lambda value: -1 / (1 - value)), lambda x: 1 - np.exp(x))
SCALES = {"r2": LOG_OF_REST, "alert_rate_at_99_percent_recall": LOGIT, "lift_at_10_percent": LOG}
WITHOUT = ("quadratic_kappa", "information_coefficient", "kupiec_p_value")  # they lie on both sides of 0, or are no estimate


def scale_of(metric: str) -> Scale | None:
    if metric in WITHOUT or METRICS[metric].function is not None:  # of an extension's the bounds are not known
        return None
    return SCALES.get(metric, LOG if METRICS[metric].is_loss else LOGIT)
