"""Conformity tests of a data source: a table with named columns, the same rows in the same order each time."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import pandas as pd

from bank_models.conformity.claim import Claim, tried
from bank_models.data.own_source import read


def judge(name: str, source: str, settings: Mapping[str, Any]) -> list[Claim]:
    """Try a source with the settings of a file."""
    claims = [("gives rows with named columns", partial(_gives_rows, source, settings))]
    claims.append(("gives the same rows in the same order again", partial(_repeats, source, settings)))
    return tried(f"data_source={name}", claims)


def _gives_rows(source: str, settings: Mapping[str, Any]) -> str:
    table = read(source, settings)
    repeated = pd.Index(table.column_names)
    if repeated.has_duplicates:
        return f"two columns are called {repeated[repeated.duplicated()][0]}"
    return "" if table.num_rows else "it gives no rows"


def _repeats(source: str, settings: Mapping[str, Any]) -> str:
    return "" if read(source, settings).equals(read(source, settings)) else "a second read gives another table"
