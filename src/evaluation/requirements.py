"""Limits that registry, scoreboard, report and notes share."""

FOUR_FIFTHS = 0.8
"""Lowest over highest selection rate of groups below which adverse impact is presumed: Uniform Guidelines on Employee
Selection Procedures (1978), 29 CFR 1607.4 D."""
