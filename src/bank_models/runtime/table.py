"""Tables on the terminal."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any


def print_table(rows: Sequence[Mapping[str, Any]], wrapped: Collection[str] = ()) -> None:
    """Print rows with the same keys; numbers stand to the right, and what is piped is never cut.

    Parameters
    ----------
    rows : sequence of mapping of str to value
        At least one. None is shown as a dash.
    wrapped : collection of str
        Columns that may take several lines.
    """
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in rows[0]:
        are_numbers = all(_is_number(row[name]) for row in rows if row[name] is not None)
        table.add_column(name, justify="right" if are_numbers else "left", no_wrap=name not in wrapped)
    for row in rows:
        table.add_row(*map(_cell, row.values()))
    console = Console()
    if not console.is_terminal:
        console.width = 1000
    console.print(table, highlight=False, markup=False)


def printable(value: Any) -> str:
    """A value as text that tells a terminal nothing."""
    return "".join(sign if sign.isprintable() else ascii(sign)[1:-1] for sign in str(value))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.5g}"
    return f"{value:,}" if _is_number(value) else printable(value)
