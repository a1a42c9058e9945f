"""Folder of a new version: copied from a run, sealed with its card, entry and manifest, then renamed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from bank_models.errors import IntegrityError
from bank_models.files import manifest, writing

ENTRY = "entry.json"
NEW = "new-"  # begins the names of folders that become versions


def copy(run_dir: Path, staging: Path, manifest_sha256: str) -> None:
    """Copy a run's files, each verified; its manifest, card and entry are made anew."""
    for name in manifest.read_manifest(run_dir, manifest_sha256):
        target = staging / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if name not in ("model_card.md", ENTRY):
            target.write_bytes(manifest.read_verified(run_dir, name, manifest_sha256))


def seal(staging: Path, entry: dict[str, Any], run_dir: Path) -> str:
    """Write what depends on the version, then the manifest; give the manifest's hash."""
    from bank_models.report import model_card

    try:
        card = model_card.render(staging, entry)
    except (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError, yaml.YAMLError) as error:
        raise IntegrityError(
            f"{run_dir} is not a run: no model card can be written from it ({type(error).__name__})"
        ) from error
    (staging / "model_card.md").write_text(card, encoding="utf-8")
    writing.write_json(staging / ENTRY, entry)
    sha256 = manifest.write_manifest(staging)
    for path in staging.rglob("*"):
        if path.is_file():
            path.chmod(0o444)
    return sha256


def publish(staging: Path, folder: Path) -> None:
    """Give the folder its name, from which on it can be found."""
    staging.chmod(0o755)
    staging.rename(folder)
    writing.sync(folder.parent)
