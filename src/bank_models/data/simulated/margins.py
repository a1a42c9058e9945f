"""Quantile and distribution functions of the margins."""

from __future__ import annotations

import numpy as np
from scipy.special import betainc, betaincinv, gammainc, gammaincinv, log_ndtr, ndtr

from bank_models.config.simulation.margin import Margin


def quantile(spec: Margin, z: np.ndarray) -> np.ndarray:
    """Values at the probabilities ``Phi(z)``."""
    match spec.distribution:
        case "normal":
            return spec.mean + spec.std * z
        case "lognormal":
            return spec.median * np.exp(spec.sigma * z)
        case "uniform":
            return spec.low + (spec.high - spec.low) * ndtr(z)
        case "beta":
            low, high = spec.support()
            return low + (high - low) * betaincinv(spec.a, spec.b, ndtr(z))
        case "gamma":
            return spec.std**2 / spec.mean * gammaincinv((spec.mean / spec.std) ** 2, ndtr(z))
        case "exponential":
            return -spec.mean * log_ndtr(-z)


def distribution_function(spec: Margin, values: np.ndarray) -> np.ndarray:
    """Probabilities of at most these values."""
    match spec.distribution:
        case "normal":
            return ndtr((values - spec.mean) / spec.std)
        case "lognormal":
            with np.errstate(divide="ignore"):
                return ndtr(np.log(np.maximum(values, 0) / spec.median) / spec.sigma)
        case "uniform":
            return np.clip((values - spec.low) / (spec.high - spec.low), 0, 1)
        case "beta":
            low, high = spec.support()
            return betainc(spec.a, spec.b, np.clip((values - low) / (high - low), 0, 1))
        case "gamma":
            return gammainc((spec.mean / spec.std) ** 2, np.maximum(values, 0) * spec.mean / spec.std**2)
        case "exponential":
            return -np.expm1(-np.maximum(values, 0) / spec.mean)
