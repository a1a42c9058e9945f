"""Configuration: settings, use cases, data sets and simulation facts."""

from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1]
CONF = PACKAGE / "conf" if (PACKAGE / "conf").is_dir() else PACKAGE.parents[1] / "conf"
"""A wheel holds it inside the package, a checkout beside `src/`."""
DATASETS = PACKAGE / "data" / "catalogue"
