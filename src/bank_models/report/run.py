"""Run folder as the report reads it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bank_models.data.csv_cells import unescaped_frame
from bank_models.runs import extensions
from bank_models.runs import record as runs
from bank_models.runs.record import RunRecord

if TYPE_CHECKING:
    import pandas as pd


MOST_CASES = 5  # as conf/config.yaml says, of runs that recorded no report.cases
UNITS = {"eur": "euro", "usd": "US dollar", "pct": "percentage points", "days": "days", "minutes": "minutes"}


@dataclass(frozen=True)
class Run(RunRecord):
    """A finished run and its folder."""

    folder: Path

    @property
    def learns_from_labels(self) -> bool:
        return self.task not in ("clustering", "anomaly")

    @property
    def unit(self) -> str:
        """Unit that the target's name ends in, as in `cash_withdrawn_eur`; empty if it ends in none."""
        return UNITS.get((self.use_case("target") or "").rsplit("_", 1)[-1], "")

    @property
    def n_cases(self) -> int:
        """How many single rows the page may show with their values."""
        found = self.fact("config", "report", "cases")
        return MOST_CASES if found is None else found

    def csv(self, name: str) -> pd.DataFrame | None:
        """A CSV file of the run; None if it is not there or has no rows."""
        import pandas as pd

        path = self.folder / name
        if not path.exists() or not path.read_text(encoding="utf-8").strip():
            return None
        table = unescaped_frame(pd.read_csv(path, keep_default_na=False, na_values=[""]))
        return None if table.empty else table

    def parquet(self, name: str) -> pd.DataFrame | None:
        import pandas as pd

        path = self.folder / name
        return pd.read_parquet(path) if path.exists() else None

    def text(self, name: str) -> str | None:
        path = self.folder / name
        return path.read_text(encoding="utf-8") if path.exists() else None


def read(folder: Path) -> Run:
    """Open a run folder.

    Raises
    ------
    OSError
        If it holds no `metadata.json` or no `metrics.json`.
    ConfigError
        If an extension that it was made with is missing.
    """
    record = runs.read(folder)
    extensions.check(record.facts)
    return Run(record.facts, record.metrics, folder)
