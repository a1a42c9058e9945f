"""Rename table of classes: models that were saved under an earlier name of a module still load."""

from __future__ import annotations

import re
from typing import Any

MOVED = {
    "src.clustering": "bank_models.models.clustering.estimators",
    "src.ensemble": "bank_models.models.ensemble",
    "src.fit": "bank_models.models.wrappers",
    "src.metrics.threshold": "bank_models.models.wrappers",
    "src.neural": "bank_models.models.neural.estimator",
    "src.threshold": "bank_models.models.wrappers",
    "src.training.ensemble": "bank_models.models.ensemble",
    "src.training.fit": "bank_models.models.wrappers",
    **{
        f"src.transformers.{name}": f"bank_models.features.transformers.{name}"
        for name in ("categories", "dates", "matrix", "numbers", "texts")
    },
}
OF_PACKAGE = {  # classes that `src.transformers` held before each kind of column had its module
    "AsNumbers": "bank_models.features.transformers.numbers",
    "CategoryCodes": "bank_models.features.transformers.categories",
    "CategoryEncoder": "bank_models.features.transformers.categories",
    "DateParts": "bank_models.features.transformers.dates",
    "TextTerms": "bank_models.features.transformers.texts",
}


def rename(schema: dict[str, Any]) -> dict[str, Any]:
    """Give the classes of a model's schema their names of today, in place.

    Parameters
    ----------
    schema : dict
        Of a skops file: nested dicts and lists, whose objects have `__module__` and `__class__`.
    """
    open_: list[Any] = [schema]
    while open_:
        value = open_.pop()
        if isinstance(value, dict):
            module, name = value.get("__module__"), value.get("__class__")
            if isinstance(module, str) and isinstance(name, str):
                value["__module__"] = _today(module, name)
            open_.extend(value.values())
        elif isinstance(value, list):
            open_.extend(value)
    return schema


def _today(module: str, name: str) -> str:
    """Where a class stands now: until the package had a name of its own, it stood below `src`."""
    found = OF_PACKAGE.get(name, module) if module == "src.transformers" else MOVED.get(module, module)
    return re.sub(r"^src\.", "bank_models.", found)
