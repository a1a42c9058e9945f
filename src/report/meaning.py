"""Meaning of a metric's value in one sentence."""

from __future__ import annotations

from src.metrics.names import METRICS
from src.report.class_names import class_names
from src.report.number import formatted, share
from src.report.run import Run


def meaning(metric: str, value: float, run: Run) -> str:
    """A sentence about a metric's value; the metric with its value where there is no sentence for it."""
    target, quantile = run.use_case("target"), run.use_case("quantile")
    known = METRICS.get(metric)
    sentence = (known and known.sentence) or f"{metric} is {{value}}."
    said = {"value": formatted(value), "share": share(value), "target": target or "the target", "unit": run.unit}
    said["negative"], said["positive"] = class_names(run)
    return sentence.format(**said, quantile=share(quantile) if quantile else "").replace("  ", " ")
