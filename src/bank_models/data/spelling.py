"""Spelling of categories and texts: look-alike values, words for nothing, lost letters."""

from __future__ import annotations

import unicodedata

import numpy as np
import pandas as pd

from bank_models.data.fault import Fault
from bank_models.data.target import shorten

LOOK_ALIKE = str.maketrans(
    "АВЕЅІЈКМНОРСТХаеоѕіјрсухΑΒΕΖΗΙΚΜΝΟΡΤΥΧο‐‑‒–—−’‘",  # noqa: RUF001
    "ABESIJKMHOPCTXaeosijpcyxABEZHIKMNOPTYXo------''",
)
"""Cyrillic and Greek letters, dashes and apostrophes, and the characters of a keyboard that look the same."""


WORDS_FOR_NOTHING = {"NULL", "Null", "null", "None", "NaN", "nan", "N/A", "n/a", "<NA>", "NaT", "nil"}


LOST = "\ufffd"  # stands where a letter was lost in a conversion


def look_alikes(column: pd.Series) -> list[Fault]:
    """Categories that a reader cannot tell apart, such as `DE` and `DE` with a blank behind it."""
    first: dict[str, str] = {}
    for level in column.cat.categories:
        other = first.setdefault(_plain(level), level)
        if other == level:
            continue
        rows = sorted((np.flatnonzero((column == one).to_numpy()) for one in (level, other)), key=len)
        if len(rows[0]):
            odd, usual = column.iloc[rows[0][0]], column.iloc[rows[1][0]]
            said = (
                f"{_in_ascii(odd)} (row {rows[0][0] + 1}) looks like {_in_ascii(usual)}, but is another value: write both alike"
            )
            return [Fault(column.name, said)]
    return []


def _plain(level: str) -> str:
    """A category as a reader sees it."""
    if not level.isascii():
        level = unicodedata.normalize("NFKC", level).translate(LOOK_ALIKE)
        level = "".join(character for character in level if unicodedata.category(character) != "Cf")
    return " ".join(level.split())


def _in_ascii(value: str) -> str:
    return shorten(value) if value.isascii() else ascii(value)[:40]


def used_categories(column: pd.Series) -> list[str]:
    """Categories that some row has, in their order."""
    counts = np.bincount(column.cat.codes.to_numpy() + np.int64(1), minlength=len(column.cat.categories) + 1)
    return list(column.cat.categories[counts[1:] > 0])


def notes_on_spelling(column: pd.Series) -> list[str]:
    """What categories may mean that their spelling does not say."""
    levels, first, notes = used_categories(column), {}, []
    pairs = [(level, other) for level in levels if (other := first.setdefault(level.casefold(), level)) != level]
    if pairs:
        level, other = pairs[0]
        notes.append(f"{column.name} has values that differ in capitals only, such as {shorten(other)} and {shorten(level)}.")
    if words := [level for level in levels if level in WORDS_FOR_NOTHING]:
        notes.append(f"{column.name} has the value {shorten(words[0])}, as a category: only an empty cell is missing.")
    if lost := [level for level in levels if LOST in level]:
        notes.append(f"{column.name} has letters that were lost in a conversion, as in {shorten(lost[0])}.")
    return notes
