"""Limits that registry, scoreboard, report and notes share."""

from __future__ import annotations

from collections.abc import Mapping

FOUR_FIFTHS = 0.8
"""Lowest over highest selection rate of groups below which adverse impact is presumed: Uniform Guidelines on Employee
Selection Procedures (1978), 29 CFR 1607.4 D."""
PARITY = "demographic_parity_ratio_"
AND = "_and_"  # between two protected columns whose groups are crossed
"""Begins the keys of these ratios in `metrics.json`; the protected column follows."""
ENDS = ("_ci_low", "_ci_high")


def parity_ratios(metrics: Mapping[str, float | None]) -> dict[str, float]:
    """Lowest over highest selection rate by protected column, and by each two of them; without the ends of their intervals."""
    return {
        name.removeprefix(PARITY): value
        for name, value in metrics.items()
        if name.startswith(PARITY) and not name.endswith(ENDS) and value is not None
    }
