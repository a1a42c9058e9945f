"""Fingerprints: hashes of all that the numbers of a run depend on."""

from __future__ import annotations

import hashlib
import json
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from bank_models.config.effects import HOW
from bank_models.extensions import packages

CODE = Path(__file__).resolve().parents[1]
PACKAGES = ("catboost", "lightgbm", "numpy", "pandas", "scikit-learn", "scipy", "torch", "xgboost")  # that numbers come from


def fingerprint(settings: dict[str, Any], code: str, rows: str | None = None) -> str:
    """Hash of all that a job's numbers depend on: its resolved settings, our code, the packages, the data.

    The data is a file's bytes or the rows of a query, which are read for it, unless `rows` is their hash already. What a
    query gives may change at any time, and nothing but its rows tells.

    Raises
    ------
    UserError
        If the rows cannot be read.
    """
    depends_on = {key: value for key, value in settings.items() if key not in HOW}
    source = settings["data_source"]
    if rows is None and source["kind"] in ("sql", "extension"):
        rows = rows_sha256(settings)
    path = source["path"]
    data = rows or (path and _file_sha256(path))
    text = json.dumps([depends_on, code, data], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def rows_sha256(settings: dict[str, Any]) -> str:
    """Hash of the rows that a source gives now."""
    return _rows_sha256(json.dumps({name: settings[name] for name in ("data_source", "use_case")}))


@cache
def _rows_sha256(settings: str) -> str:
    """Hash of the rows of a query; jobs of a sweep that ask the same read them once."""
    from bank_models.config.use_case import UseCase
    from bank_models.data import load as source

    facts = json.loads(settings)
    use_case = UseCase.model_validate(facts["use_case"])
    return source.load(use_case=use_case, **facts["data_source"]).provenance["sha256"]


@cache
def _file_sha256(path: str) -> str | None:
    try:
        with Path(path).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return None


def code_sha256() -> str:
    """Hash of our source files, of enabled extensions, and of the versions of the packages that numbers come from."""
    digest = hashlib.sha256()
    for path in sorted(path for ending in ("py", "yaml") for path in CODE.rglob(f"*.{ending}")):
        digest.update(f"{path.relative_to(CODE)}\0".encode() + path.read_bytes() + b"\0")
    for package in PACKAGES:
        try:
            digest.update(f"{package}=={version(package)}\0".encode())
        except PackageNotFoundError:
            continue
    for extension in packages.enabled():
        digest.update(f"{extension.name}=={extension.version} {packages.content_sha256(extension.name)}\0".encode())
    return digest.hexdigest()
