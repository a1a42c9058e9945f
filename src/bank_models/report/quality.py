"""Section on quality, by task."""

from __future__ import annotations

from bank_models.report.block import Section
from bank_models.report.classes import costs, many_classes, two_classes
from bank_models.report.groups import groups
from bank_models.report.run import Run
from bank_models.report.values import values

BY_TASK = {"binary": two_classes, "multiclass": many_classes, "regression": values, "anomaly": groups, "clustering": groups}


def quality(run: Run) -> Section:
    blocks = BY_TASK[run.task](run)
    return Section("quality", "Quality on test" if run.fact("split") else "Quality", [*blocks, *filter(None, [costs(run)])])
