"""Comparison of two versions on the same test rows, with a paired test.

A version's results are read with every byte verified; a run's own, while it is being written, as they are.
"""

from __future__ import annotations

from src.registry.entry import NAMES
from src.registry.store import Version
from src.runs.comparison import SCORES, Difference, Results, difference, read_scores


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
