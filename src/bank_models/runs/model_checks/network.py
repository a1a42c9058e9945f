"""Check of a neural network's weights against its architecture, without PyTorch."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np

from bank_models.runs.model_checks.fault import need

MOST_LAYERS, WIDEST = 16, 8192
MOST = {"n_numeric": 2**31, "n_outputs": 10_000, "neurons": WIDEST, "embedding_size": 512, "bins": 256}
MOST_VALUES = 2**31  # of a category
Shapes = dict[str, tuple[int, ...]]
EMBEDDINGS = ("piecewise_linear", "periodic", "none")
UNUSUAL = "a network has an unusual architecture"


def check(architecture: Any, state: Any) -> None:
    """Refuse weights that are not those of an architecture.

    Parameters
    ----------
    architecture : dict
        Arguments of `bank_models.models.neural.network.Network`.
    state : dict of str to ndarray
        Its weights.

    Raises
    ------
    Malformed
    """
    need(isinstance(architecture, dict) and isinstance(state, dict), "a network has no weights")
    need(set(architecture) == {*MOST, "layers", "cardinalities", "dropout", "embedding", "frequency_std"}, UNUSUAL)
    need(all(type(architecture[name]) is int and 0 <= architecture[name] <= most for name, most in MOST.items()), UNUSUAL)
    need(_are_layers(architecture["layers"]), UNUSUAL)
    cardinalities, dropout = architecture["cardinalities"], architecture["dropout"]
    need(isinstance(cardinalities, list) and len(cardinalities) <= len(state), UNUSUAL)
    need(all(type(n) is int and 0 <= n < MOST_VALUES for n in cardinalities), UNUSUAL)
    need(architecture["embedding"] in EMBEDDINGS and isinstance(dropout, int | float) and 0 <= dropout < 1, UNUSUAL)
    shapes = _shapes(**{name: value for name, value in architecture.items() if name not in ("dropout", "frequency_std")})
    need(set(shapes) == set(state), "a network has other weights than its architecture")
    for name, shape in shapes.items():
        weights = state[name]
        is_fine = type(weights) is np.ndarray and weights.dtype == np.float32 and weights.shape == shape
        need(is_fine and bool(np.isfinite(weights).all()), f"a network has unusual weights {name}")


def _are_layers(layers: Any) -> bool:
    """Whether it is a number of layers, or a list of their widths."""
    if isinstance(layers, list):
        return len(layers) <= MOST_LAYERS and all(type(width) is int and 1 <= width <= WIDEST for width in layers)
    return type(layers) is int and 0 <= layers <= MOST_LAYERS


def _shapes(
    n_numeric, cardinalities, n_outputs, layers, neurons, embedding, embedding_size, bins
) -> dict[str, tuple[int, ...]]:
    """Shape of every array of `bank_models.models.neural.network.Network`, by its name there."""
    shapes: Shapes = {"low": (n_numeric,), "high": (n_numeric,)}
    numbers, width = _shapes_of_numbers(n_numeric, embedding if n_numeric else "none", embedding_size, bins)
    sizes = [min(embedding_size, (n + 2) // 2) for n in cardinalities]
    widths = [width + sum(sizes), *(layers if isinstance(layers, list) else [neurons] * layers)]
    shapes |= {f"numbers.{name}": shape for name, shape in numbers.items()}
    shapes |= {f"categories.{i}.weight": (n + 1, size) for i, (n, size) in enumerate(zip(cardinalities, sizes, strict=True))}
    for i, (n_in, n_out) in enumerate(pairwise(widths)):  # each is followed by two without weights
        shapes |= {
            f"hidden.{3 * i}.weight": (n_out, n_in),
            f"hidden.{3 * i}.bias": (n_out,),
        }
    return shapes | {"output.weight": (n_outputs, widths[-1]), "output.bias": (n_outputs,)}


def _shapes_of_numbers(n: int, embedding: str, size: int, bins: int) -> tuple[Shapes, int]:
    if embedding == "none":
        return {}, n
    if embedding == "piecewise_linear":
        return {"left": (n, bins), "slope": (n, bins), "line": (n, 2, size), "weight": (n, bins, size)}, n * size
    return {"frequency": (n, bins), "mix.weight": (size, 2 * bins), "mix.bias": (size,)}, n * size
