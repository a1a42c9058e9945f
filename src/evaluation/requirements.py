"""Limits that registry, scoreboard, report and notes share."""

from __future__ import annotations

from collections.abc import Mapping

FOUR_FIFTHS = 0.8
"""Lowest over highest selection rate of groups below which adverse impact is presumed: Uniform Guidelines on Employee
Selection Procedures (1978), 29 CFR 1607.4 D."""
PARITY = "demographic_parity_ratio_"
"""Begins the keys of these ratios in `metrics.json`; the protected column follows."""
ENDS = ("_ci_low", "_ci_high")


def parity_ratios(metrics: Mapping[str, float]) -> dict[str, float]:
    """Lowest over highest selection rate by protected column, without the ends of their intervals."""
    return {
        name.removeprefix(PARITY): value
        for name, value in metrics.items()
        if name.startswith(PARITY) and not name.endswith(ENDS)
    }
