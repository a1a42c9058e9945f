"""Recorded facts of a run folder, for the model card."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from bank_models.data.csv_cells import unescaped_frame
from bank_models.errors import ConfigError
from bank_models.files import yaml_file
from bank_models.report.model_card.markdown import number, shown
from bank_models.report.run import Run
from bank_models.runs.record import FACTS, METRICS

MISSING = "not recorded"
TABLES = ("slices", "fairness", "reliability", "importance", "profiles")


@dataclass(frozen=True)
class Recorded(Run):
    """What a run folder says.

    Attributes
    ----------
    drift : dict
        Empty if the file is not there, as `facts` and `metrics` are.
    tables : dict of str to DataFrame
        CSV files that are there, by name.
    typed : list of str, optional
        Hydra's overrides.
    hydra : dict
        Hydra's own part of the configuration; empty if it is not there.
    entry : dict, optional
        Of the registry.
    """

    drift: Mapping[str, Any]
    tables: Mapping[str, pd.DataFrame]
    typed: Sequence[str] | None
    hydra: Mapping[str, Any]
    entry: Mapping[str, Any] | None

    def __call__(self, *path: str) -> Any:
        """See `fact`."""
        return self.fact(*path)

    def knows(self, name: str) -> bool:
        """Whether something was recorded of the use case, and be it that there is none."""
        return name in (self("config", "use_case") or {})

    @property
    def metric(self) -> str | None:
        return self("metric")


class Ready(str):
    """Markdown that is escaped already."""


def read(folder: Path, entry: Mapping[str, Any] | None = None) -> Recorded:
    """Read what a run folder recorded; files that are not there leave their facts out."""
    facts, metrics, drift = (_read(folder / name, json.loads, {}) for name in (FACTS, METRICS, "drift_reference.json"))
    found = {name: folder / f"{name}.csv" for name in TABLES}
    tables = {name: _table(path) for name, path in found.items() if path.exists()}
    typed = _settings(folder / ".hydra/overrides.yaml", list)
    hydra = (_settings(folder / ".hydra/hydra.yaml", dict) or {}).get("hydra", {})
    return Recorded(facts, metrics, folder, drift, tables, typed, hydra, entry)


def find(record: Any, *path: str) -> Any:
    """A value at a path of keys, None if any of them is not there."""
    for key in path:
        if not isinstance(record, Mapping) or key not in record:
            return None
        record = record[key]
    return record


def facts(pairs: Iterable[tuple[str, Any]], show: Callable[[Any], str] = shown) -> str:
    """A line for each fact; those that are None are named together as not recorded. A `str` subclass is taken as it is."""
    pairs = list(pairs)
    lines = [f"- {label}: {value if isinstance(value, Ready) else show(value)}" for label, value in pairs if value is not None]
    if missing := [label for label, value in pairs if value is None]:
        lines.append(not_recorded(*missing))
    return "\n".join(lines)


def told(record: Mapping[str, Any], key: str, show: Callable[[Any], str] = number) -> str:
    """A fact inside a table or a sentence."""
    return show(record[key]) if key in record else MISSING


def not_recorded(*names: str) -> str:
    return f"- Not recorded: {', '.join(names)}."


def ready(value: Any, show: Callable[[Any], str]) -> Ready | None:
    return None if value is None else Ready(show(value))


def _table(path: Path) -> pd.DataFrame:
    return unescaped_frame(pd.read_csv(path, keep_default_na=False, na_values=[""]))


def _settings(path: Path, kind: type) -> Any:
    """What a file that Hydra wrote says; None if it is not there."""
    if not path.exists():
        return None
    found = yaml_file.read(path)
    if not isinstance(found, kind):
        raise ConfigError(f"{path} is not what Hydra writes there.")
    return [str(each) for each in found] if kind is list else found


def _read(path: Path, parse: Callable[[str], Any], instead: Any) -> Any:
    return parse(path.read_text(encoding="utf-8")) if path.exists() else instead
