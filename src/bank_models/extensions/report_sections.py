"""Report sections of extensions: declaration, elements and table.

A section is made of these elements alone. Every text of it is escaped where it is shown.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from bank_models.extensions.table import Table


@dataclass(frozen=True)
class Paragraph:
    text: str


@dataclass(frozen=True)
class Grid:
    """A table; its cells are texts, numbers or None."""

    caption: str
    header: Sequence[str]
    rows: Sequence[Sequence[str | int | float | None]]


@dataclass(frozen=True)
class Plot:
    """A chart of points (x, y), by the name of each series.

    Attributes
    ----------
    title, caption, x_label, y_label : str
    series : mapping of str to sequence of pairs of float
    style : {"line", "points", "bars"}
        Bars stand at texts, the x of each pair.
    """

    title: str
    caption: str
    x_label: str
    y_label: str
    series: Mapping[str, Sequence[tuple[float | str, float]]]
    style: Literal["line", "points", "bars"] = "line"


@dataclass(frozen=True)
class Part:
    """What the function of a section gives."""

    title: str
    blocks: Sequence[Paragraph | Grid | Plot]


@dataclass(frozen=True)
class ReportSection:
    """A function that writes a section.

    Attributes
    ----------
    write : callable
        Called with the figures of a run (the values of `metrics.json`, and `use_case`, `model`, `task`, `metric`) and its
        tables (DataFrames by name, such as `slices` or `plots/roc`), it gives a `Part`.
    """

    write: Callable[[Mapping[str, Any], Mapping[str, Any]], Part]


OURS: Mapping[str, ReportSection] = {}
SECTIONS: Table[ReportSection] = Table(OURS, "report_sections", ReportSection)
