"""What is asked of a model: the limits that the registry, the scoreboard, the report and the notes of a run share."""

FOUR_FIFTHS = 0.8
"""Lowest over highest selection rate of groups below which adverse impact is presumed: Uniform Guidelines on Employee
Selection Procedures (1978), 29 CFR 1607.4 D."""
