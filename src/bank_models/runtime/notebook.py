"""Objects in a notebook: a line of text, and a small table in HTML."""

from __future__ import annotations

import html
from collections.abc import Mapping
from typing import Any

STYLE = "text-align:left"


class Shown:
    """An object that a notebook shows by a few facts instead of by all its fields."""

    def _shown(self) -> Mapping[str, Any]:
        """What a person wants to see first, by name."""
        raise NotImplementedError

    def __repr__(self) -> str:
        said = ", ".join(f"{name} {value}" for name, value in self._shown().items())
        return f"{type(self).__name__}({said})"

    def _repr_html_(self) -> str:
        rows = "".join(
            f'<tr><th style="{STYLE}">{html.escape(name)}</th><td style="{STYLE}">{html.escape(str(value))}</td></tr>'
            for name, value in self._shown().items()
        )
        return f'<table><caption style="{STYLE}">{type(self).__name__}</caption>{rows}</table>'
