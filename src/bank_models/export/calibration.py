"""Isotonic calibration as ONNX nodes: a broken line, whose steep parts make rounding larger."""

from __future__ import annotations

import numpy as np
from sklearn.isotonic import IsotonicRegression

from bank_models.export.graph import Graph


def rounded(calibrator: IsotonicRegression, rounding: float) -> float:
    """How far two scores may be apart after calibration that differ by rounding before.

    Parameters
    ----------
    calibrator : IsotonicRegression
    rounding : float
        Of a score, as a share of it; of scores below 1, of 1.
    """
    x, y = (np.asarray(one, dtype="float64") for one in (calibrator.X_thresholds_, calibrator.y_thresholds_))
    if len(x) < 2:
        return 0.0
    apart = rounding * np.maximum(1.0, np.abs(x).max())
    rises = np.interp(x + apart, x, y) - y, y - np.interp(x - apart, x, y)  # a broken line rises most from or to a corner
    return float(np.max(rises))


def add_isotonic(graph: Graph, calibrator: IsotonicRegression, given: str) -> str:
    """Add the line through the fitted points; beyond the outer ones it is level."""
    x, y = (np.asarray(one, dtype="float64") for one in (calibrator.X_thresholds_, calibrator.y_thresholds_))
    if len(x) < 2:
        return graph.add("Add", graph.add("Mul", given, 0.0), float(y[0]))
    inside = graph.add("Min", graph.add("Max", given, x[0]), x[-1])
    is_above = graph.as_type(graph.add("Less", x[1:-1][None], inside), "int64")
    piece = graph.add("ReduceSum", is_above, np.array([1]), keepdims=1)
    start, slope = (graph.add("Gather", values, piece) for values in (x[:-1], np.diff(y) / np.diff(x)))
    rise = graph.add("Mul", slope, graph.add("Sub", inside, start))
    return graph.add("Add", graph.add("Gather", y[:-1], piece), rise)
