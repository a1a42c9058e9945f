"""Number formats of a page."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from bank_models.report.run import Run

LEAST = 1e-6
MINUS = "\N{MINUS SIGN}"


@dataclass(frozen=True)
class Number:
    """A recorded number.

    Attributes
    ----------
    value : float or int
    text : str
    origin : dict of str to str
        Data attributes that say where it stands: `metric` of metrics.json, `fact` of metadata.json, or `csv`, `row` and
        `column`.
    """

    value: float
    text: str
    origin: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.text


def metric(run: Run, name: str, signed: bool = False) -> Number | None:
    """A metric of the run, None if it was not recorded."""
    value = run.metrics.get(name)
    return None if value is None else Number(value, formatted(value, signed), {"metric": name})


def fact(run: Run, *path: str, as_share: bool = False) -> Number | None:
    """A number of `metadata.json`, None if it was not recorded."""
    value = run.fact(*path)
    return None if value is None else Number(value, (share if as_share else formatted)(value), {"fact": "/".join(path)})


def cell(csv: str, row: int, column: str, value: Any, as_share: bool = False, signed: bool = False) -> Number | None:
    """A number of a CSV file by the position of its row, None where the cell is empty."""
    if value is None or value != value:
        return None
    value = value.item() if hasattr(value, "item") else value
    text = share(value) if as_share else formatted(value, signed)
    return Number(value, text, {"csv": csv, "row": str(row), "column": column})


def formatted(value: float, signed: bool = False) -> str:
    """About three digits: 0.788, 2,330, 0.000012; counts in full, and no more zeros than one can count."""
    if isinstance(value, int) or (float(value).is_integer() and abs(value) >= 1000):
        text = f"{int(value):,}"
    elif not math.isfinite(value):
        return "\N{EN DASH}"
    elif abs(value) >= 1000:
        text = f"{value:,.0f}"
    elif abs(value) >= 0.1:
        text = f"{value:.{3 if abs(value) < 10 else 2 if abs(value) < 100 else 1}f}"
    elif value and abs(value) < LEAST:
        return f"{'below' if value > 0 else 'above'} {'' if value > 0 else MINUS}{LEAST:f}"
    else:
        text = _without_exponent(value, 3)
    text = text.replace("-", MINUS)
    return f"+{text}" if signed and value > 0 else text


def share(value: float) -> str:
    """A share of 1 in per cent."""
    if abs(value) < LEAST:
        return "0.0 %"
    return f"{100 * value:.1f} %" if abs(value) >= 0.001 else f"{_without_exponent(100 * value, 2)} %"


def _without_exponent(value: float, n_digits: int) -> str:
    """A few digits, as a decimal."""
    text = f"{value:.{n_digits}g}"
    return text if "e" not in text else f"{value:.{n_digits - 1 - math.floor(math.log10(abs(value)))}f}".rstrip("0")
