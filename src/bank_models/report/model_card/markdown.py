"""Markdown from plain values, escaped."""

from __future__ import annotations

import numbers
import re
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

NOTHING = "\N{EN DASH}"
PLAIN = re.compile(r"(?!.*\]\()[^`|\\<>&\x00-\x1f\x7f]+")  # no link either, although none is made in fixed-width letters


def text(value: Any) -> str:
    """A value as running text that no character of it can break out of."""
    line = " ".join("".join(c if c.isprintable() else " " for c in str(value)).split())
    for character, entity in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ("|", "&#124;")):
        line = line.replace(character, entity)
    line = re.sub(r"([\\`*\[\]$~])", r"\\\1", line)
    line = re.sub(r"(?<![^\W_])_|_(?![^\W_])", r"\\_", line)
    line = re.sub(r"^(\d+)(?=[.)](\s|$))", r"\1\\", line)
    return re.sub(r"^(?=#|[-+](\s|$)|--|==)", r"\\", line)


def code(value: Any) -> str:
    """A name or a hash in fixed-width letters, or as text if it holds characters that end those."""
    return f"`{value}`" if PLAIN.fullmatch(str(value)) and str(value).strip() == str(value) else text(value)


def number(value: Any) -> str:
    """A count in full, a measurement to four digits, a dash for what is not a number."""
    if value is None or (isinstance(value, float | np.floating) and not np.isfinite(value)):
        return NOTHING
    if isinstance(value, numbers.Integral) or (abs(value) >= 1000 and float(value).is_integer()):
        return f"{int(value):,}"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def share(value: Any) -> str:
    """A share of 1 in per cent."""
    return NOTHING if value is None or not np.isfinite(value) else f"{100 * value:.1f} %"


def shown(value: Any) -> str:
    """Any recorded value: numbers formatted, flags as yes or no, lists joined, all else as text."""
    if isinstance(value, bool | np.bool_):
        return "yes" if value else "no"
    if isinstance(value, numbers.Real):
        return number(value)
    if isinstance(value, dict):
        return ", ".join(f"{text(name)} {shown(each)}" for name, each in value.items()) or "none"
    if isinstance(value, list | tuple):
        return ", ".join(map(shown, value)) or "none"
    return "none" if value is None else text(value)


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Cells must be escaped already, by `text`, `code` or a format of numbers."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(cell or " " for cell in line) + " |" for line in lines)


def block(content: str) -> str:
    """Lines to be copied; a fence longer than any run of backticks inside."""
    longest = max((len(run) for run in re.findall(r"`+", content)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}\n{content}\n{fence}"
