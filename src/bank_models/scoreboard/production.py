"""Production status of each use case."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bank_models.errors import TrainingError


@dataclass(frozen=True)
class Registered:
    """Versions of a use case: the one in production, and the newest with its status; or why they cannot be told.

    `history` has the number and the test metrics of every version, the oldest first.
    """

    production: str | None = None
    newest: str | None = None
    newest_status: str | None = None
    fault: str | None = None
    history: tuple[tuple[str, Mapping[str, Any]], ...] = ()


def registered(root: Path) -> dict[str, Registered]:
    """Versions by use case, each ledger verified; one that isn't what was written is said to be so.

    Raises
    ------
    ConfigError
        If a key that the environment names cannot be used.
    """
    from bank_models.registry.store import open_registry

    registry, found = open_registry(root), {}
    for use_case in registry.use_cases():
        try:
            versions = registry.versions(use_case)
        except (TrainingError, OSError, ValueError, KeyError) as error:
            found[use_case] = Registered(fault=" ".join(str(error).split()))
            continue
        if versions:
            production = next((one.version for one in versions if one.status == "production"), None)
            history = tuple((one.version, one.entry["metrics"]) for one in versions)
            found[use_case] = Registered(production, versions[-1].version, versions[-1].status, history=history)
    return found
