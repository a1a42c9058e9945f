"""Check of a weight column against the other facts of a use case."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from bank_models.metrics.names import takes_weights


def check_weight(column: str, roles: Mapping[str, Collection[str | None]], task: str, metric: str, is_simulated: bool) -> None:
    """Refuse a weight column that has another role, or that the task, its metric or its rows cannot have.

    Parameters
    ----------
    column : str
    roles : mapping of str to collection of str
        Names of columns by what they are, such as "a feature".
    task, metric : str
    is_simulated : bool

    Raises
    ------
    ValueError
    """
    if role := next((role for role, names in roles.items() if column in names), None):
        raise ValueError(f"weight_column: {column} is {role} too, and a weight is nothing else: name another column")
    if task in ("clustering", "anomaly"):
        raise ValueError(f"weight_column goes with tasks binary, multiclass and regression, not {task}: leave it out")
    if is_simulated:
        raise ValueError("a simulation draws no weight_column: leave it out, or give no simulation")
    if not takes_weights(metric):
        raise ValueError(f"metric {metric} has no weighted form: choose another metric, or leave weight_column out")
