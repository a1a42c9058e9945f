"""Extensions used by a run: versions and hashes, and the check that they are installed and enabled."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from bank_models.errors import IntegrityError
from bank_models.extensions import packages
from bank_models.extensions.data_sources import SOURCES
from bank_models.extensions.features import TRANSFORMERS
from bank_models.metrics.names import METRICS
from bank_models.models.estimators import ESTIMATORS

NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,99}")
VERSION = re.compile(r"\d{1,9}(\.\d{1,9}){0,5}((a|b|rc|\.post|\.dev)\d{1,9})?(\+[a-z0-9.]{1,40})?")


def used_by(settings: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    """Version and hash of each extension that the numbers of a run come from.

    Parameters
    ----------
    settings : mapping
        A checked configuration, as plain values.
    """
    use_case, models = settings["use_case"], [settings["model"], *settings["members"].values()]
    metrics = {use_case["metric"], *(settings["cv"]["scoring"] or ())}
    found = {ESTIMATORS.package_of(model["estimator"][use_case["task"]]) for model in models}
    found |= {METRICS.package_of(metric) for metric in metrics}
    found |= {TRANSFORMERS.package_of(name) for name in use_case.get("transformers") or ()}
    if source := settings["data_source"].get("source"):
        found.add(SOURCES.package_of(source))
    return packages.recorded(found - {None}) if found - {None} else {}


def check(facts: Mapping[str, Any]) -> None:
    """Refuse a run that was made with an extension that is missing here, by the `metadata.json` of the run.

    Raises
    ------
    ConfigError
    IntegrityError
        If the facts do not name extensions as a run records them.
    """
    found = facts.get("extensions") or {}
    if not isinstance(found, Mapping) or not all(NAME.fullmatch(name) and _is_recorded(one) for name, one in found.items()):
        raise IntegrityError("extensions: this is not what a run of this system records")
    packages.check_recorded(found)


def _is_recorded(one: Any) -> bool:
    return isinstance(one, Mapping) and isinstance(one.get("version"), str) and VERSION.fullmatch(one["version"]) is not None
