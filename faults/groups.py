"""All promises, by group."""

from __future__ import annotations

import importlib

from faults.case import Promise

NAMES = (
    "kills", "races", "tables", "settings", "folders", "models", "studies", "queries", "keys", "pages", "resources",
    "determinism", "mutants",
)  # fmt: skip


def promises(names=NAMES) -> list[Promise]:
    """Those of some groups, in the order of the table."""
    return [promise for name in names for promise in importlib.import_module(f"faults.{name}").GROUP.promises]


def find(group: str, name: str) -> Promise:
    return next(promise for promise in promises([group]) if promise.name == name)
