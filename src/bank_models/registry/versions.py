"""Semantic versions of models."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from bank_models.config.effects import NO_NUMBER
from bank_models.errors import ConfigError

FIRST = "1.0.0"
OF_INPUTS = ("type", "min", "max", "categories")  # facts about a feature that decide which rows a model accepts
NOT_OF_HOW = (
    "features",
    "derived",
    "simulation",
    "minimum_score",
    "minimum_reason",
    "card",
)  # facts of a use case that leave the recipe alone
ADDED_LATER = ("transformers", "n_shards")
HOW_A_SEARCH_RUNS = ("n_workers", "storage", "timeout_s")


def parse(version: str) -> tuple[int, int, int]:
    """Three numbers, so that 1.10.0 comes after 1.9.0.

    Raises
    ------
    ConfigError
        If it isn't a version such as 1.0.0 or v1.0.0.
    """
    found = re.fullmatch(r"v?(0|[1-9]\d{0,8})\.(0|[1-9]\d{0,8})\.(0|[1-9]\d{0,8})", version)
    if not found:
        raise ConfigError(f"{version!r} is not a version: three numbers are needed, such as 1.0.0")
    return tuple(int(number) for number in found.groups())


def newest(versions: Iterable[str]) -> str | None:
    """The highest of some versions, None of none."""
    return max(versions, key=parse, default=None)


def next_version(before: Mapping[str, Any] | None, inputs: str, configuration: str) -> str:
    """Number of a new version.

    Parameters
    ----------
    before : mapping, optional
        The newest version there is, with its `version`, `inputs_sha256` and `configuration_sha256`.
    inputs, configuration : str
        Hashes of the new one.

    Returns
    -------
    str
        The first number moves where the inputs or the target changed, the second where the algorithm or its configuration
        did, the third where nothing but the data did, if that.
    """
    if before is None:
        return FIRST
    major, minor, patch = parse(before["version"])
    if inputs != before["inputs_sha256"]:
        return f"{major + 1}.0.0"
    if configuration != before["configuration_sha256"]:
        return f"{major}.{minor + 1}.0"
    return f"{major}.{minor}.{patch + 1}"


def inputs_sha256(config: Mapping[str, Any]) -> str:
    """Hash of what goes in and comes out: features with types, ranges and categories, lags, derived columns, target."""
    use_case = config["use_case"]
    features = {name: {key: facts[key] for key in OF_INPUTS} | _left_out(facts) for name, facts in use_case["features"].items()}
    of_target = {key: use_case[key] for key in ("task", "target", "classes", "quantile")}
    derived = {name: facts["expression"] for name, facts in (use_case.get("derived") or {}).items()}
    return _sha256([features, use_case["lags"], of_target, *([derived] if derived else [])])


def _left_out(facts: Mapping[str, Any]) -> dict[str, bool]:
    return {} if facts.get("in_model", True) else {"in_model": False}


def configuration_sha256(config: Mapping[str, Any]) -> str:
    """Hash of the settings that decide how a model is made of its rows."""
    others = (*NO_NUMBER, "use_case", "data_source")
    settings = {key: value for key, value in config.items() if key not in others and _says(key, value)}
    settings["tuning"] = {key: value for key, value in config["tuning"].items() if key not in HOW_A_SEARCH_RUNS}
    use_case = {key: value for key, value in config["use_case"].items() if key not in NOT_OF_HOW and _says(key, value)}
    told = config["use_case"]["features"] | (config["use_case"].get("derived") or {})
    directions = {name: facts["monotone"] for name, facts in told.items()}
    return _sha256([settings, use_case, directions])


def _says(key: str, value: Any) -> bool:
    """False of what a configuration leaves out, and earlier versions did not know."""
    return bool(value) or key not in ADDED_LATER


def _sha256(values: Any) -> str:
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()
