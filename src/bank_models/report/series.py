"""Chart data: thinned and rounded series."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

MOST_POINTS = 200
N_HEAPS = 120  # places along the axis of a swarm: dots at one of them are heaped up
REACH = 0.4  # of the way to the next line, of a heap that is pressed together
STEP = 0.11  # from dot to dot of a heap that is not


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


def steps(name: str, ends: Iterable, color: int = 1) -> dict[str, Any]:
    """Steps of a waterfall, each from one value to the next; None where the category has none of this kind."""
    points = [None if span is None else [_short(end) for end in span] for span in ends]
    return {"name": name, "style": "waterfall", "color": color, "points": points}


def band(name: str, x: Iterable, low: Iterable, high: Iterable, color: int = 1) -> list[dict[str, Any]]:
    """An area between two lines."""
    x = list(x)
    return [
        line(f"{name}, from", x, low, color, "edge"),
        line(name, x, high, color, "band"),
    ]


def swarm(names: Sequence[str], x: np.ndarray, ranks: np.ndarray, values: Sequence[Sequence[Any]]) -> list[dict[str, Any]]:
    """A line of dots for each name, heaped up to either side where they would hide one another.

    Parameters
    ----------
    names : sequence of str
    x, ranks : ndarray of shape (n_names, n_points)
        Places on the axis; 0 to 1 for the colour, nan for grey.
    values : sequence of sequences
        What each dot stands for, None if that is not known.

    Returns
    -------
    list of dict
        Points have place, height, rank and value; the first name is at height 0, the next one at 1.
    """
    low, high = float(x.min()), float(x.max())
    places = np.round((x - low) / (high - low or 1.0) * N_HEAPS).astype(int)
    layers = np.array([_layers(line) for line in places])
    highest = np.abs(layers).max(axis=1, keepdims=True)
    heights = np.arange(len(names))[:, None] + layers * np.minimum(STEP, REACH / np.maximum(1, highest))
    drawn = []
    for name, *of_name in zip(names, x.tolist(), heights.tolist(), ranks.tolist(), values, strict=True):
        points = [
            [_short(at), round(height, 3), _short(rank), _short(value)]
            for at, height, rank, value in zip(*of_name, strict=True)
        ]
        drawn.append({"name": name, "style": "swarm", "color": 1, "points": points})
    return drawn


def _layers(places: np.ndarray) -> np.ndarray:
    """0, 1, -1, 2, … for those that share a place, in their order."""
    order = np.argsort(places, kind="stable")
    counts = np.unique(places, return_counts=True)[1]
    nth = np.empty(len(places), dtype=int)
    nth[order] = np.concatenate([np.arange(count) for count in counts])
    return np.where(nth % 2, (nth + 1) // 2, -(nth // 2))


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
