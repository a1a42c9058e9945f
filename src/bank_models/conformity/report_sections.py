"""Conformity tests of a report section: what it gives for figures and tables of a drawn run can be shown."""

from __future__ import annotations

from functools import partial

import pandas as pd

from bank_models.conformity.claim import Claim, tried
from bank_models.extensions.report_sections import SECTIONS
from bank_models.report.own_sections import shown

FIGURES = {"use_case": "drawn", "model": "drawn", "task": "binary", "metric": "roc_auc", "test_roc_auc": 0.8, "n_test": 100}
TABLES = {
    "importance": pd.DataFrame({"feature": ["income", "region"], "mean": [0.2, 0.1], "std": [0.02, 0.01]}),
    "plots/roc": pd.DataFrame({"false_positive_rate": [0.0, 0.2, 1.0], "true_positive_rate": [0.0, 0.7, 1.0]}),
}


def judge(name: str) -> list[Claim]:
    """Try a section."""
    return tried(f"report section {name}", [("can be shown, also where a run has few tables", partial(_is_shown, name))])


def _is_shown(name: str) -> str:
    for tables in (TABLES, {}):
        shown(SECTIONS[name].write(dict(FIGURES), dict(tables)), name)
    return ""
