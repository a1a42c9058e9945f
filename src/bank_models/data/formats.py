"""Table formats by the ending of a file's name."""

from __future__ import annotations

from pathlib import Path

from bank_models.errors import ConfigError

WRITTEN = (".parquet", ".csv", ".csv.gz")
TEXT = (".csv", ".csv.gz", ".csv.zst", ".tsv", ".tsv.gz", ".tsv.zst", ".txt", ".txt.gz", ".txt.zst")
OTHERS = (".feather", ".arrow", ".jsonl", ".ndjson", ".xlsx")
ENDINGS = (".parquet", *TEXT, *OTHERS)


def is_text_table(path: str) -> bool:
    """Whether a name ends as that of a table in text does."""
    return path.lower().endswith(TEXT)


def listed() -> str:
    """The endings of all tables that can be read, in words."""
    return ", ".join(ENDINGS[:-1]) + f" or {ENDINGS[-1]}"


def check_output(key: str, path: Path) -> None:
    """Refuse a file that cannot be written, before anything is read.

    Raises
    ------
    ConfigError
    """
    if not path.name.lower().endswith(WRITTEN):
        raise ConfigError(f"{key}={path} has no known format: its name must end in {', '.join(WRITTEN[:-1])} or {WRITTEN[-1]}.")
    if path.is_dir():
        raise ConfigError(f"{key}={path} is a folder: name a file.")
    if not path.parent.is_dir():
        raise ConfigError(f"{key}={path} cannot be written: there is no folder {path.parent}.")
