"""The primary metric of a run among all that its `metrics.json` holds: value, interval, baseline, ceiling and gain."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Headline:
    """What one looks at first; each is None where it was not recorded.

    Attributes
    ----------
    name : str
        Key of the metric in `metrics.json`.
    value, low, high : float, optional
        On test, with its 95 % interval; of clusters, on all rows.
    baseline, ceiling : float, optional
    gain, gain_low, gain_high, p_value : float, optional
        What the model is better by than the baseline.
    """

    name: str
    value: float | None
    low: float | None
    high: float | None
    baseline: float | None
    ceiling: float | None
    gain: float | None
    gain_low: float | None
    gain_high: float | None
    p_value: float | None


def score_name(metric: str, metrics: Mapping[str, Any]) -> str:
    """Key of a metric in `metrics.json`: on the test rows; of clusters, which have none, on all rows."""
    return f"test_{metric}" if f"test_{metric}" in metrics else metric


def headline(metric: str, metrics: Mapping[str, Any]) -> Headline:
    """Find the primary metric.

    Parameters
    ----------
    metric : str
        Its name, such as ``roc_auc``.
    metrics : mapping of str to float
        `metrics.json`.
    """
    name, gain = score_name(metric, metrics), f"gain_{metric}"
    keys = (name, f"{name}_ci_low", f"{name}_ci_high", f"baseline_{metric}", f"ceiling_{metric}")
    of_gain = (gain, f"{gain}_ci_low", f"{gain}_ci_high", f"{gain}_p_value")
    return Headline(name, *(metrics.get(key) for key in (*keys, *of_gain)))
