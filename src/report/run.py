"""What a run folder recorded; a file that is not there is None, and its facts are shown as not recorded."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from src.data.csv_cells import unescaped_frame

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Run:
    """A finished run.

    Attributes
    ----------
    folder : Path
    facts : dict
        `metadata.json`.
    metrics : dict of str to float
        `metrics.json`.
    """

    folder: Path
    facts: dict[str, Any]
    metrics: dict[str, float]

    def fact(self, *path: str) -> Any:
        """A value of `metadata.json` at a path of keys, None if it was not recorded."""
        found: Any = self.facts
        for key in path:
            if not isinstance(found, dict) or key not in found:
                return None
            found = found[key]
        return found

    def use_case(self, name: str) -> Any:
        return self.fact("config", "use_case", name)

    @property
    def task(self) -> str:
        return self.use_case("task")

    @property
    def learns_from_labels(self) -> bool:
        return self.task not in ("clustering", "anomaly")

    @property
    def metric(self) -> str:
        return self.facts["metric"]

    @property
    def score_name(self) -> str:
        """Key of the primary metric in `metrics.json`."""
        return f"test_{self.metric}" if f"test_{self.metric}" in self.metrics else self.metric

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
    """
    facts, metrics = (json.loads((folder / name).read_text(encoding="utf-8")) for name in ("metadata.json", "metrics.json"))
    return Run(folder, facts, metrics)
