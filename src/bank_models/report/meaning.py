"""Sentences about a score, its baseline and its ceiling, for the report and the model card."""

from __future__ import annotations

from bank_models.metrics.names import METRICS
from bank_models.report.class_names import class_names
from bank_models.report.number import formatted, share
from bank_models.report.run import Run

BASELINES = {
    "prior": "always answering the training rate",
    "mean": "always answering the training mean",
    "median": "always answering the training median",
    "quantile": "always answering the training quantile",
    "seasonal_naive": "repeating the value of a season ago",
    "seasonal_growth": "the value of a season ago, grown as the last known value has since then",
    "last_value": "repeating the last known value",
}


def meaning(metric: str, value: float, run: Run) -> str:
    """A sentence about a metric's value; the metric with its value where there is no sentence for it."""
    target, quantile = run.use_case("target"), run.use_case("quantile")
    known = METRICS.get(metric)
    sentence = (known and known.sentence) or f"{metric} is {{value}}."
    said = {"value": formatted(value), "share": share(value), "target": target or "the target", "unit": run.unit}
    said["negative"], said["positive"] = class_names(run)
    return sentence.format(**said, quantile=share(quantile) if quantile else "").replace("  ", " ")


def meaning_of_baseline(run: Run, name: str) -> str:
    """What a baseline or a benchmark answers, in words."""
    benchmark = (run.use_case("benchmarks") or {}).get(name)
    if benchmark is None:
        return BASELINES.get(name, "")
    if benchmark["linear"]:
        kind = "a linear regression" if run.use_case("task") == "regression" else "a logistic regression"
        kind = "a quantile regression" if run.use_case("quantile") is not None else kind
        return f"{kind} on {', '.join(benchmark['linear'])}"
    if benchmark["scaled"]:
        return f"{benchmark['scaled']} times a factor that train chose"
    return f"{benchmark['feature']} as it stands"


def against_baseline(run: Run) -> str:
    """The gain in a sentence."""
    low, high = (run.metrics.get(f"gain_{run.metric}_ci_{end}") for end in ("low", "high"))
    if None in (low, high):
        return ""
    if low > 0:
        return "The gain over the baseline is larger than chance explains: its whole interval is above zero."
    if high < 0:
        return "It is worse than the baseline: the whole interval of the gain is below zero. Do not use it."
    return "The interval of the gain includes zero: these test rows do not show that it is better than the baseline."


def why_no_ceiling(run: Run) -> str:
    """Why it is not known how good a model can be."""
    if run.fact("data", "kind") != "simulated":
        return "nobody knows the best score of rows that were not simulated"
    return "what is best by this metric depends on the outcomes, not only on the truth that drew them"
