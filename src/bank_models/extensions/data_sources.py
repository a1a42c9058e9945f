"""Data sources of extensions: declaration and table."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from bank_models.extensions.table import Table


@dataclass(frozen=True)
class Source:
    """A function that reads a table.

    Attributes
    ----------
    read : callable
        Called with the settings of the data source, it gives a DataFrame or a table of Arrow. The same rows must come in the
        same order each time.
    """

    read: Callable[..., Any]


OURS: Mapping[str, Source] = {}
SOURCES: Table[Source] = Table(OURS, "data_sources", Source)
