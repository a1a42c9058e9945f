"""Configuration: settings, use cases, data sets and simulation facts."""

from pathlib import Path

CONF = Path(__file__).resolve().parents[3] / "conf"
DATASETS = Path(__file__).resolve().parents[1] / "data" / "catalogue"
