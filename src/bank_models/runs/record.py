"""The record of a run: what `metadata.json` and `metrics.json` say."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from bank_models.files import manifest
from bank_models.metrics.headline import Headline, headline

FACTS, METRICS = "metadata.json", "metrics.json"


@dataclass(frozen=True)
class RunRecord:
    """A finished run.

    Attributes
    ----------
    facts : mapping
        `metadata.json`.
    metrics : mapping of str to float
        `metrics.json`.
    """

    facts: Mapping[str, Any]
    metrics: Mapping[str, float]

    def fact(self, *path: str) -> Any:
        """A value of `metadata.json` at a path of keys, None if it was not recorded."""
        found: Any = self.facts
        for key in path:
            if not isinstance(found, Mapping) or key not in found:
                return None
            found = found[key]
        return found

    def use_case(self, name: str) -> Any:
        """A fact of the use case, None if it was not recorded."""
        return self.fact("config", "use_case", name)

    @property
    def task(self) -> str:
        return self.use_case("task")

    @property
    def metric(self) -> str:
        return self.facts["metric"]

    @cached_property
    def headline(self) -> Headline:
        return headline(self.metric, self.metrics)

    @property
    def score_name(self) -> str:
        """Key of the primary metric in `metrics.json`."""
        return self.headline.name


def read(folder: Path) -> RunRecord:
    """The record of a run folder, as it stands there.

    Raises
    ------
    OSError
        If it holds no `metadata.json` or no `metrics.json`.
    """
    return RunRecord(*(json.loads((folder / name).read_text(encoding="utf-8")) for name in (FACTS, METRICS)))


def read_verified(folder: Path) -> RunRecord:
    """The record of a run folder, after both files were found to be what was written.

    Raises
    ------
    IntegrityError
    """
    return RunRecord(*(json.loads(manifest.read_verified(folder, name)) for name in (FACTS, METRICS)))
