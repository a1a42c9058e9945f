"""Latent values: correlated standard normal numbers behind every feature, or a mixture of such."""

from __future__ import annotations

import numpy as np
from scipy.linalg import solve_triangular
from scipy.special import logsumexp

from src.config.simulation import Component, Factor, Simulate, Simulation
from src.data.simulated.rows import Rows, stream

LARGEST = 8.0  # beyond it Phi is 1 in floating point, and unbounded distributions infinite


class Latents:
    """Draws the latent values of features by name, and the factors they share when first asked for.

    Attributes
    ----------
    groups : ndarray of shape (n_rows,), optional
        Code of the component that each row belongs to.
    """

    def __init__(self, rows: Rows, simulation: Simulation, seed: int):
        self.rows, self.seed = rows, seed
        self.factors, self.components = simulation.factors, simulation.components
        self.drawn: dict[str, np.ndarray] = {}
        self.groups = None
        if self.components is not None:
            shares = np.array([component.share for component in self.components])
            self.groups = stream(seed, "component", "").choice(len(shares), rows.n_rows, p=shares / shares.sum())

    def draw(self, name: str, spec: Simulate) -> np.ndarray:
        """Values of one feature, of shape (n_rows,)."""
        own = np.sqrt(max(1 - sum(loading**2 for loading in spec.factors.values()), 0))
        z = own * self.rows.standard_normal(stream(self.seed, "value", name), spec.level, spec.autocorrelation)
        for factor, loading in spec.factors.items():
            z += loading * self._factor(factor)
        if self.components is None or spec.level != "row":
            return z
        shift, spread = np.array([_moved(component, name) for component in self.components]).T
        return shift[self.groups] + spread[self.groups] * z

    def _factor(self, name: str) -> np.ndarray:
        if name not in self.drawn:
            facts = self.factors.get(name, Factor())
            rng = stream(self.seed, "factor", name)
            self.drawn[name] = self.rows.standard_normal(rng, facts.level, facts.autocorrelation)
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
