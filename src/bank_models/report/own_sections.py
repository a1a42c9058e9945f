"""Report sections of extensions: called with figures and tables, shown with our own elements."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator, Mapping
from typing import Any

from bank_models.errors import ConfigError
from bank_models.extensions.report_sections import SECTIONS, Grid, Paragraph, Part, Plot
from bank_models.report import series
from bank_models.report.block import Chart, Section, Table, Text
from bank_models.report.number import Number, formatted
from bank_models.report.run import Run

log = logging.getLogger(__name__)
OF_ROWS = ("cases", "contributions", "dependence", "explained_rows")  # tables of single rows
MOST_BLOCKS, MOST_CELLS, MOST_POINTS, MOST_LETTERS = 50, 20_000, 5_000, 10_000
STYLES = ("line", "points", "bars")


class Tables(Mapping):
    """The CSV files of a run by their names without the ending, read when they are asked for."""

    def __init__(self, run: Run):
        paths = sorted([*run.folder.glob("*.csv"), *run.folder.glob("plots/*.csv")])
        names = [path.relative_to(run.folder).with_suffix("").as_posix() for path in paths]
        self._run = run
        self._names = [name for name in names if run.n_cases or name not in OF_ROWS]

    def __getitem__(self, name: str) -> Any:
        if name not in self._names:
            raise KeyError(f"{name}: the run has {', '.join(self._names)}")
        return self._run.csv(f"{name}.csv")

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


def own_sections(run: Run) -> list[Section]:
    """Every section that the run names, in its order; one that fails says so in its place, and in the terminal."""
    return [_section(run, name) for name in run.fact("config", "report", "sections") or ()]


def figures(run: Run) -> dict[str, Any]:
    """The values of `metrics.json`, and what the run is about."""
    about = {"use_case": run.facts["use_case_key"], "model": run.facts["model"], "task": run.task, "metric": run.metric}
    return {**run.metrics, **about}


def _section(run: Run, name: str) -> Section:
    try:
        SECTIONS.check(name)
        if name not in SECTIONS:
            raise ConfigError(f"no enabled extension has a report section {name}.")
        return shown(SECTIONS[name].write(figures(run), Tables(run)), name)
    except (Exception, SystemExit) as error:  # whatever the code of somebody else raises: it takes no report away
        said = f"{type(error).__name__}: {next(iter(str(error).splitlines()), '')}"[:300]
        log.warning(f"The report section {name} could not be written: {said}")
        return Section(f"own-{name}", name, [Text(f"This section could not be written: {said}")])


def shown(part: Part, name: str) -> Section:
    """A section made of our own elements.

    Raises
    ------
    TypeError, ValueError
        If there is something in it that is none of them, or too much of it.
    """
    blocks = _blocks(part)
    return Section(f"own-{name}", _text(part.title), [_block(block) for block in blocks])


def _blocks(part: Any) -> list[Any]:
    if not isinstance(part, Part):
        raise TypeError(f"it must give a Part, not a {type(part).__name__}")
    blocks = list(part.blocks)
    if len(blocks) > MOST_BLOCKS:
        raise ValueError(f"it has {len(blocks)} blocks, at most {MOST_BLOCKS} are shown")
    return blocks


def _block(block: Any) -> Text | Table | Chart:
    if isinstance(block, Paragraph):
        return Text(_text(block.text))
    if isinstance(block, Grid):
        return _table(block)
    if isinstance(block, Plot):
        return _chart(block)
    raise TypeError(f"a block must be a Paragraph, a Grid or a Plot, not a {type(block).__name__}")


def _table(grid: Grid) -> Table:
    header, rows = [_text(name) for name in grid.header], [[_cell(value) for value in row] for row in grid.rows]
    if any(len(row) != len(header) for row in rows):
        raise ValueError(f"a row of the table {_text(grid.caption)!r} has another length than its header")
    if len(header) * len(rows) > MOST_CELLS:
        raise ValueError(f"the table {_text(grid.caption)!r} has more than {MOST_CELLS:,} cells")
    return Table(_text(grid.caption), header, rows)


def _chart(plot: Plot) -> Chart:
    if plot.style not in STYLES:
        raise ValueError(f"a chart has style {', '.join(STYLES)}, not {plot.style}")
    points = {_text(name): list(values) for name, values in plot.series.items()}
    if not points or sum(map(len, points.values())) > MOST_POINTS:
        raise ValueError(f"the chart {_text(plot.title)!r} must have 1 to {MOST_POINTS:,} points")
    x: dict[str, Any] = {"label": _text(plot.x_label)}
    if plot.style == "bars":
        labels = list(dict.fromkeys(_text(at) for values in points.values() for at, _ in values))
        drawn = [_bars(name, labels, values, 1 + k % 6) for k, (name, values) in enumerate(points.items())]
        x |= {"type": "category", "labels": labels}
    else:
        drawn = [_line(name, values, 1 + k % 6, plot.style) for k, (name, values) in enumerate(points.items())]
    return Chart(_text(plot.title), _text(plot.caption), x, {"label": _text(plot.y_label)}, drawn)


def _bars(name: str, labels: list[str], values: list[tuple[Any, Any]], color: int) -> dict[str, Any]:
    heights = {_text(at): _number(height) for at, height in values}
    return series.bars(name, [heights.get(label) for label in labels], color)


def _line(name: str, values: list[tuple[Any, Any]], color: int, style: str) -> dict[str, Any]:
    x, y = ([_number(pair[at]) for pair in values] for at in (0, 1))
    return series.line(name, x, y, color, style)


def _text(value: Any) -> str:
    """A plain text, also of one that says of itself that it is safe as HTML: the page escapes it."""
    return str.__str__(str(value))[:MOST_LETTERS]


def _number(value: Any) -> float:
    number = float(value)
    if not math.isfinite(number):
        raise ValueError(f"a chart cannot show {number}")
    return number


def _cell(value: Any) -> str | Number | None:
    if value is None or isinstance(value, str):
        return None if value is None else _text(value)
    number = value.item() if hasattr(value, "item") else value
    if isinstance(number, bool) or not isinstance(number, int | float):
        return _text(number)
    return Number(number, formatted(number)) if math.isfinite(number) else None
