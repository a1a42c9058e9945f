"""Series of charts: points as short numbers, few enough to be light."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

MOST_POINTS = 200


def line(name: str, x: Iterable, y: Iterable, color: int = 1, style: str = "line") -> dict[str, Any]:
    """Points that are connected ("line", "dashed", "steps") or not ("points"); missing ones are gaps."""
    return {"name": name, "style": style, "color": color, "points": [[_short(a), _short(b)] for a, b in zip(x, y, strict=True)]}


def bars(name: str, values: Iterable, color: int = 1) -> dict[str, Any]:
    """A bar for each category of the axis."""
    return {"name": name, "style": "bars", "color": color, "points": [_short(value) for value in values]}


def dots(name: str, values: Iterable, color: int = 1) -> dict[str, Any]:
    """A dot for each category of the axis."""
    return {"name": name, "style": "dots", "color": color, "points": [_short(value) for value in values]}


def spans(name: str, low: Iterable, high: Iterable, color: int = 1) -> dict[str, Any]:
    """From low to high for each category of the axis; None where there is no interval."""
    points = [None if a is None or b is None else [a, b] for a, b in zip(map(_short, low), map(_short, high), strict=True)]
    return {"name": name, "style": "spans", "color": color, "points": points}


def band(name: str, x: Iterable, low: Iterable, high: Iterable, color: int = 1) -> list[dict[str, Any]]:
    """An area between two lines."""
    x = list(x)
    return [
        line(f"{name}, from", x, low, color, "edge"),
        line(name, x, high, color, "band"),
    ]


def thinned(n: int, most: int = MOST_POINTS) -> np.ndarray:
    """Positions of at most `most` of `n` points, evenly spaced, both ends among them."""
    return np.unique(np.linspace(0, n - 1, min(n, most)).round().astype(int))


def _short(value: Any) -> Any:
    if value is None or isinstance(value, str):
        return value
    value = value.item() if hasattr(value, "item") else value
    if isinstance(value, float):
        return float(f"{value:.5g}") if np.isfinite(value) else None
    return value
