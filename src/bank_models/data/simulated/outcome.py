"""Numeric targets of the simulator, with the best prediction for each metric."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr, ndtri

from bank_models.config.simulation import Outcome
from bank_models.data.simulated.margins import quantile as margin_quantile
from bank_models.data.simulated.rows import Rows
from bank_models.metrics.scores import statistic_of

N_GRID = 2001
REACH = 8.0  # standard deviations
SMALLEST_TAIL = 1e-15
N_NODES = 48
CHUNK = 2**15


@dataclass(frozen=True)
class Law:
    """The normal law of each row's latent value.

    Attributes
    ----------
    mean, spread : ndarray of shape (n_rows,)
    """

    mean: np.ndarray
    spread: np.ndarray


class Shape:
    """The increasing function that turns latent values into outcomes.

    The latent values of all rows together are a mixture of normal laws; each is ranked among them, and the outcome is the
    quantile of the declared distribution at that rank. So the declared distribution is what a histogram of outcomes shows,
    whatever the distribution of the index is.

    Parameters
    ----------
    spec : Outcome
    law : Law
        Of every row, knowing its features and nothing of earlier outcomes.
    target_min, target_max : float, optional
    """

    def __init__(self, spec: Outcome, law: Law, target_min: float | None, target_max: float | None):
        self.spec = spec
        self.limits = -np.inf if target_min is None else target_min, np.inf if target_max is None else target_max
        ends = (law.mean - REACH * law.spread).min(), (law.mean + REACH * law.spread).max()
        self.latents = np.linspace(*ends, N_GRID)
        in_order = np.argsort(law.mean, kind="stable")
        n_some = min(N_GRID, len(in_order))
        some = in_order[((np.arange(n_some) + 0.5) * len(in_order) / n_some).astype(np.int64)]
        z = (self.latents[:, None] - law.mean[some]) / law.spread[some]
        below, above = ndtr(z).mean(axis=1), ndtr(-z).mean(axis=1)
        self.scores = np.where(below < 0.5, ndtri(below), -ndtri(above))
        self.from_latent, self.until_latent = np.interp(self._score_bounds(), self.scores, self.latents)

    def _score_bounds(self) -> tuple[float, float]:
        """Normal scores between which an outcome has neither the low nor the high value."""
        low, high = self.spec.low_rate, self.spec.high_rate
        return ndtri(low) if low else self.scores[0], -ndtri(high) if high else self.scores[-1]

    def outcome(self, latent: np.ndarray) -> np.ndarray:
        """Outcomes of latent values, as they are shown."""
        low, high = self._score_bounds()
        scores = np.interp(latent, self.latents, self.scores)
        values = self._between(scores)
        if self.spec.low_rate:
            values = np.where(scores < low, self.spec.low_value, values)
        if self.spec.high_rate:
            values = np.where(scores > high, self.spec.high_value, values)
        if self.spec.decimals is not None:
            values = np.round(values, self.spec.decimals)
        if self.spec.step is not None:
            values = np.rint(values / self.spec.step) * self.spec.step
        return np.clip(values, *self.limits)

    def _between(self, scores: np.ndarray) -> np.ndarray:
        """Quantiles of the declared distribution, had it none of the two masses at its ends."""
        low, high = self.spec.low_rate, self.spec.high_rate
        if low or high:
            share = (ndtr(scores) - low) / (1 - low - high)
            scores = ndtri(np.clip(share, SMALLEST_TAIL, 1 - SMALLEST_TAIL))
        return margin_quantile(self.spec, scores)

    def mean(self, law: Law, of=lambda values: values) -> np.ndarray:
        """Mean of a function of the outcome in each row, by Gauss-Legendre quadrature between the masses at the ends.

        What `decimals` or `step` rounds away is left in.
        """
        table = of(np.clip(self._between(self.scores), *self.limits))
        ends = [float(of(np.clip(value, *self.limits))) for value in (self.spec.low_value, self.spec.high_value)]
        nodes, weights = np.polynomial.legendre.leggauss(N_NODES)
        result = np.empty(len(law.mean))
        for start in range(0, len(result), CHUNK):
            rows = slice(start, start + CHUNK)
            m, s = law.mean[rows], law.spread[rows]
            low, high = np.maximum(m - REACH * s, self.from_latent), np.minimum(m + REACH * s, self.until_latent)
            half = np.maximum(high - low, 0) / 2
            x = (low + high)[:, None] / 2 + half[:, None] * nodes
            density = np.exp(-(((x - m[:, None]) / s[:, None]) ** 2) / 2) * (half / s)[:, None] / np.sqrt(2 * np.pi)
            result[rows] = (np.interp(x, self.latents, table) * density) @ weights
            if self.spec.low_rate:
                result[rows] += ends[0] * ndtr((self.from_latent - m) / s)
            if self.spec.high_rate:
                result[rows] += ends[1] * ndtr((m - self.until_latent) / s)
        return result

    def best(self, law: Law, metric: str, quantile: float | None) -> np.ndarray:
        """The prediction that the metric likes best in the long run, knowing the law of each row."""
        match statistic_of(metric, quantile):
            case "quantile":
                return self.outcome(law.mean + law.spread * ndtri(quantile))
            case "median":
                return self.outcome(law.mean)
            case "mean_of_logs":
                return np.expm1(self.mean(law, np.log1p))
            case "mean":
                return self.mean(law)


def draw_outcome(
    index: np.ndarray,
    noise_scale: np.ndarray,
    spec: Outcome,
    rows: Rows,
    rng: np.random.Generator,
    metric: str,
    quantile: float | None,
    target_min: float | None,
    target_max: float | None,
) -> tuple[np.ndarray, np.ndarray]:
    """Outcomes, and the best prediction of each.

    The latent outcome is ``sqrt(signal) * index + sqrt(1 - signal) * scale * noise`` with a standardised index and, over the
    periods of an entity, a first-order autoregression of noise. Who knows the effects and the outcomes of `horizon` and more
    periods ago knows the noise of that time, so the noise of today has the mean ``memory^horizon * earlier`` and the variance
    ``1 - memory^(2 * horizon)``.

    Parameters
    ----------
    index, noise_scale : ndarray of shape (n_rows,)
        Sum of all effects; what the noise of each row is multiplied with.
    spec : Outcome
    rows : Rows
    rng : Generator
    metric : str
        Of the use case. The best prediction is the conditional median for mae and median_absolute_error, the mean for
        squared errors and correlations, for rmsle the mean of logarithms turned back.
    quantile : float, optional
        Level to predict in place of a mean or median.
    target_min, target_max : float, optional

    Returns
    -------
    outcome, best : ndarray of shape (n_rows,)
    """
    height = index.std()
    mean = np.sqrt(spec.signal) * (index - index.mean()) / (height if height > 0 else 1.0)
    law = Law(mean, np.sqrt(1 - spec.signal) * noise_scale)
    noise = rows.standard_normal(rng, autocorrelation=spec.memory)
    shape = Shape(spec, law, target_min, target_max)
    outcome = shape.outcome(law.mean + law.spread * noise)
    if spec.memory:
        earlier = rows.earlier(noise, spec.horizon)
        kept = np.where(np.isnan(earlier), 0.0, spec.memory**spec.horizon)
        law = Law(law.mean + law.spread * kept * np.nan_to_num(earlier), law.spread * np.sqrt(1 - kept**2))
    return outcome, shape.best(law, metric, quantile)
