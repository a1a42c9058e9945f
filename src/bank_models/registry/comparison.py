"""Comparison of two versions on the same test rows, with a paired test.

A version's results are read with every byte verified; a run's own, while it is being written, as they are.
"""

from __future__ import annotations

from bank_models.metrics.figures import figure
from bank_models.registry.entry import NAMES
from bank_models.registry.model_version import Version
from bank_models.runs.comparison import SCORES, Difference, Results, difference, read_scores


def of_version(version: Version) -> Results:
    """Results of a version, their bytes verified."""
    scores = read_scores(version.read(SCORES), version.folder / SCORES) if version.has(SCORES) else None
    metrics = {name: value for name, value in version.metrics.items() if value is not None}
    return Results(version.facts, metrics, version.version, scores)


def compare(a: Version, b: Version, metric: str | None = None) -> Difference | None:
    """Compare two versions of one use case: see `difference`."""
    return difference(of_version(a), of_version(b), metric)


def side_by_side(a: Version, b: Version) -> list[tuple[str, float | None, float | None]]:
    """Test metrics of two versions, by the names that the rest of the system gives them; those of all rows without a test."""
    usual = {special: name for name, special in NAMES.items()}
    one, other = ({usual.get(name, name): value for name, value in of.entry["metrics"].items()} for of in (a, b))
    names = sorted(name for name in {*one, *other} if not name.endswith(("_ci_low", "_ci_high")))
    return [(name, one.get(name), other.get(name)) for name in names]


def better_version(name: str, one: float | None, other: float | None, a, b) -> str | None:
    """Which version a metric speaks for; None where it points no way, or counts at thresholds that differ."""
    from bank_models.metrics.names import METRICS, as_score

    if name not in METRICS or one is None or other is None:
        return None
    gain = as_score(name, one) - as_score(name, other)
    return "equal" if gain == 0 else a.version if gain > 0 else b.version


def verdict(difference, a: str, b: str) -> str:
    """What the test says, in a sentence."""
    if difference is None:
        return "No test: there are no test rows, or the metric is another one."
    better, worse = (a, b) if difference.gain > 0 else (b, a)
    ends = sorted(abs(end) for end in (difference.low, difference.high))
    rows = "on different test rows" if difference.test == "unpaired" else "on the same test rows"
    how = f"p = {difference.p_value:.2g}, {difference.test}, {rows}"
    values = f"{difference.metric} is {figure(difference.a)} for {a} and {figure(difference.b)} for {b}"
    if difference.is_better or difference.is_worse:
        by = f"{figure(ends[0])} to {figure(ends[1])}"
        return f"{values}. {better} is better than {worse}, by {by} with 95 % confidence ({how})."
    worse_by, better_by = (max(0.0, end) for end in (-difference.low, difference.high))
    return (
        f"{values}. Neither is shown to be better: chance alone can make such a difference. {a} may be worse by "
        f"{figure(worse_by)} or better by {figure(better_by)}, with 95 % confidence ({how})."
    )
