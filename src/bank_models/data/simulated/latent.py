"""Gaussian copula: correlated standard normal values behind all features, or a mixture of such."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from scipy.linalg import solve_triangular
from scipy.special import logsumexp, ndtr, ndtri

from bank_models.config.simulation import Component, Factor, Simulate, Simulation
from bank_models.data.expressions import Text
from bank_models.data.simulated.rows import Rows, autoregression, stream

LARGEST = 8.0  # beyond it Phi is 1 in floating point, and unbounded distributions infinite


class Latents:
    """Draws the latent values of features by name, and the factors they share when first asked for.

    Attributes
    ----------
    groups : ndarray of shape (n_rows,), optional
        Code of the component that each row belongs to.
    """

    def __init__(self, rows: Rows, simulation: Simulation, seed: int, shares: Mapping[str, np.ndarray] | None = None):
        self.rows, self.seed = rows, seed
        self.factors, self.components = simulation.factors, simulation.components
        self.shares = shares or {}
        self.drawn: dict[str, np.ndarray] = {}
        self.groups = None
        if self.components is not None:
            shares = np.array([component.share for component in self.components])
            self.groups = stream(seed, "component", "").choice(len(shares), rows.n_rows, p=shares / shares.sum())

    def draw(self, name: str, spec: Simulate, seen: Mapping[str, Text]) -> np.ndarray:
        """Values of one feature, of shape (n_rows,); `seen` holds the columns that share one."""
        own = np.sqrt(max(1 - sum(loading**2 for loading in spec.factors.values()), 0))
        rng = stream(self.seed, "value", name)
        if spec.level == "category" and "period" not in spec.per:
            codes, n_codes = _codes(spec.per, seen)
            z = own * rng.standard_normal(n_codes)
            for factor, loading in spec.factors.items():
                z += loading * stream(self.seed, "factor", factor).standard_normal(n_codes)
            return (_spread(z, self.shares[spec.per[0]]) if len(spec.per) == 1 and spec.per[0] in self.shares else z)[codes]
        z = own * self._normal(rng, spec, seen)
        for factor, loading in spec.factors.items():
            z += loading * self._factor(factor, seen)
        if self.components is None or spec.level != "row":
            return z
        shift, spread = np.array([_moved(component, name) for component in self.components]).T
        return shift[self.groups] + spread[self.groups] * z

    def uniform(self, name: str, spec: Simulate, seen: Mapping[str, Text]) -> np.ndarray:
        """Values in (0, 1) of one feature, shared as its latent values are."""
        return ndtr(self._normal(stream(self.seed, "heap", name), spec, seen))

    def _normal(self, rng: np.random.Generator, drawn: Simulate | Factor, seen: Mapping[str, Text]) -> np.ndarray:
        if drawn.level != "category":
            return self.rows.standard_normal(rng, drawn.level, drawn.autocorrelation)
        codes, n_codes = _codes(drawn.per, seen)
        if "period" not in drawn.per:
            return rng.standard_normal(n_codes)[codes]
        innovations = rng.standard_normal((self.rows.n_periods, n_codes))
        return autoregression(innovations, drawn.autocorrelation)[self.rows.periods, codes]

    def _factor(self, name: str, seen: Mapping[str, Text]) -> np.ndarray:
        if name not in self.drawn:
            rng = stream(self.seed, "factor", name)
            self.drawn[name] = self._normal(rng, self.factors.get(name, Factor()), seen)
        return self.drawn[name]

    def anomaly_probability(self, z: dict[str, np.ndarray], specs: dict[str, Simulate]) -> np.ndarray:
        """Probability that a row is of an anomalous component, given all of its latent values.

        Parameters
        ----------
        z : dict of str to ndarray of shape (n_rows,)
            As drawn.
        specs : dict of str to Simulate
            Of the same features.

        Returns
        -------
        ndarray of shape (n_rows,)
        """
        factors = sorted({factor for spec in specs.values() for factor in spec.factors})
        loadings = np.array([[spec.factors.get(factor, 0.0) for factor in factors] for spec in specs.values()])
        loadings = loadings.reshape(len(specs), len(factors))
        covariance = loadings @ loadings.T
        np.fill_diagonal(covariance, 1 + 1e-9)  # features may be functions of each other
        root = np.linalg.cholesky(covariance)
        values = np.stack(list(z.values()))
        densities = np.empty((self.rows.n_rows, len(self.components)))
        for k, component in enumerate(self.components):
            moves = [_moved(component, name) if spec.level == "row" else (0.0, 1.0) for name, spec in specs.items()]
            shift, spread = np.array(moves).T
            standard = solve_triangular(root, (values - shift[:, None]) / spread[:, None], lower=True, overwrite_b=True)
            densities[:, k] = np.log(component.share) - np.log(spread).sum() - np.einsum("ij,ij->j", standard, standard) / 2
        anomalous = np.array([component.is_anomaly for component in self.components])
        return np.exp(logsumexp(densities[:, anomalous], axis=1) - logsumexp(densities, axis=1))


def _moved(component: Component, name: str) -> tuple[float, float]:
    """Mean and standard deviation of a feature's latent value."""
    return component.shift.get(name, 0.0), component.spread


def _codes(per: list[str], seen: Mapping[str, Text]) -> tuple[np.ndarray, int]:
    """One code for each combination of categories, and how many combinations there are."""
    columns = [seen[name] for name in per if name != "period"]
    sizes = [len(column.values) + 1 for column in columns]  # one more for what is missing
    codes = np.ravel_multi_index(
        [np.where(column.codes < 0, size - 1, column.codes) for column, size in zip(columns, sizes, strict=True)], sizes
    )
    return codes, int(np.prod(sizes))


def _spread(z: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """Normal scores that keep the order of values and, weighted by the shares of the categories, have their declared law."""
    order = np.argsort(z[: len(shares)])
    until = np.cumsum(shares[order]) / shares.sum()
    scores = np.zeros(len(z))
    scores[order] = ndtri(until - shares[order] / shares.sum() / 2)
    return scores


def category_shares(specs: Mapping[str, Simulate]) -> dict[str, np.ndarray]:
    """How often each category comes, of the features whose distribution alone says so."""
    plain = {name: spec for name, spec in specs.items() if spec.is_plain}
    shares = {name: np.array(spec.probabilities) for name, spec in plain.items() if spec.distribution == "categorical"}
    many = {name: spec for name, spec in plain.items() if spec.distribution == "zipf"}
    return shares | {name: np.arange(1, spec.n_values + 1) ** -spec.exponent for name, spec in many.items()}
