"""Tables of a run folder: CSV files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from bank_models.data.csv_cells import text_of_frame

if TYPE_CHECKING:
    import pandas as pd


def write_tables(folder: Path, tables: dict[str, pd.DataFrame]) -> None:
    """Write tables by the names of their files, without `.csv`."""
    for name, table in tables.items():
        (folder / f"{name}.csv").write_text(text_of_frame(table), encoding="utf-8", newline="")
