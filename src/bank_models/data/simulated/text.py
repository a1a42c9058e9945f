"""Text columns of the simulator: templates whose words depend on a latent value."""

from __future__ import annotations

from collections.abc import Mapping
from string import Formatter

import numpy as np
from scipy.special import log_ndtr, ndtr, ndtri

from bank_models.config.simulation import Simulate, Slot
from bank_models.data.expressions import Text, Value
from bank_models.data.simulated.rows import stream

NODES = np.linspace(-6, 6, 241)  # of the latent value, in standard deviations


def draw_text(
    name: str, spec: Simulate, z: np.ndarray, seed: int, needs_score: bool, seen: Mapping[str, Value]
) -> tuple[np.ndarray, np.ndarray | None]:
    """Fill a template in each row.

    A slot with a correlation takes the word at the rank of ``correlation * z + sqrt(1 - correlation^2) * noise``, another
    slot any of its words, or of those for the row's value of a column in `seen`.

    Returns
    -------
    texts : ndarray of str objects of shape (n_rows,)
    score : ndarray of shape (n_rows,), or None if it is not needed
        Mean of the latent value given the words that are shown, scaled to variance 1 over the rows.
    """
    n_rows = len(z)
    chosen = stream(seed, "template", name).integers(len(spec.templates), size=n_rows)
    codes = {key: _word_codes(slot, z, stream(seed, "slot", f"{name}:{key}"), seen) for key, slot in spec.slots.items()}
    texts, told = np.empty(n_rows, dtype=object), np.zeros(n_rows)
    for number, template in enumerate(spec.templates):
        rows = np.flatnonzero(chosen == number)
        here = {key: code[rows] for key, code in codes.items()}
        pieces = [(literal, key) for literal, key, _, _ in Formatter().parse(template)]
        texts[rows] = _fill(pieces, spec.slots, here, len(rows))
        if needs_score:
            told[rows] = _expected(spec.slots, {key: here[key] for _, key in pieces if key and spec.slots[key].correlation})
    if not needs_score:
        return texts, None
    spread = told.std()
    return texts, told / spread if spread > 0 else told


def _word_codes(slot: Slot, z: np.ndarray, rng: np.random.Generator, seen: Mapping[str, Value]) -> np.ndarray:
    if slot.column is not None:
        return _codes_by_column(slot.words_of, seen[slot.column], rng.random(len(z)))
    leaning = slot.correlation * z + np.sqrt(1 - slot.correlation**2) * rng.standard_normal(len(z))
    return np.minimum((ndtr(leaning) * len(slot.words)).astype(np.int64), len(slot.words) - 1)


def _codes_by_column(words_of: dict[str, list[str]], column: Text, uniform: np.ndarray) -> np.ndarray:
    """Places in the list of all words of one that goes with the value of each row."""
    values = list(words_of)
    n_words = np.array([len(words) for words in words_of.values()])
    own = np.array([values.index(value) for value in column.values])[column.codes]
    return (np.cumsum(n_words) - n_words)[own] + (uniform * n_words[own]).astype(np.int64)


def _fill(pieces: list, slots: dict[str, Slot], codes: dict[str, np.ndarray], n_rows: int) -> np.ndarray:
    texts = np.full(n_rows, "", dtype=object)
    for literal, key in pieces:
        texts = texts + literal
        if key is not None:
            texts = texts + np.array(slots[key].all_words, dtype=object)[codes[key]]
    return texts


def _expected(slots: dict[str, Slot], codes: dict[str, np.ndarray]) -> np.ndarray | float:
    """Mean of a standard normal value given words that lean on it, once for each combination of words."""
    if not codes:
        return 0.0
    sizes = [len(slots[key].words) for key in codes]
    combinations, places = np.unique(np.ravel_multi_index(list(codes.values()), sizes), return_inverse=True)
    log_density = -(NODES**2) / 2
    for key, code in zip(codes, np.unravel_index(combinations, sizes), strict=True):
        log_density = log_density + _log_likelihood(slots[key])[code]
    density = np.exp(log_density - log_density.max(axis=1, keepdims=True))
    return (density @ NODES / density.sum(axis=1))[places]


def _log_likelihood(slot: Slot) -> np.ndarray:
    """Logarithm of the probability of each word at each node, of shape (n_words, n_nodes)."""
    bounds = ndtri(np.arange(len(slot.words) + 1) / len(slot.words))
    z = (bounds[:, None] - slot.correlation * NODES) / np.sqrt(1 - slot.correlation**2)
    low, high = np.where(z[:-1] > 0, -z[1:], z[:-1]), np.where(z[:-1] > 0, -z[:-1], z[1:])  # the tail that keeps digits
    with np.errstate(divide="ignore"):
        return log_ndtr(high) + np.log1p(-np.exp(log_ndtr(low) - log_ndtr(high)))
