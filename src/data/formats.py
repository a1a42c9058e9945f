"""How the names of tables end. Nothing heavy is imported to know it."""

from __future__ import annotations

from pathlib import Path

from src.errors import ConfigError

ENDINGS = (".parquet", ".csv", ".csv.gz")


def check_output(key: str, path: Path) -> None:
    """Refuse a file that cannot be written, before anything is read.

    Raises
    ------
    ConfigError
    """
    if not path.name.lower().endswith(ENDINGS):
        raise ConfigError(f"{key}={path} has no known format: its name must end in {', '.join(ENDINGS[:-1])} or {ENDINGS[-1]}.")
    if path.is_dir():
        raise ConfigError(f"{key}={path} is a folder: name a file.")
    if not path.parent.is_dir():
        raise ConfigError(f"{key}={path} cannot be written: there is no folder {path.parent}.")
