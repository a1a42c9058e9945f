"""Page template: sections to one self-contained HTML file."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from bank_models.report.block import Section

HERE = Path(__file__).parent
LIBRARY = HERE / "vendored" / "chart.umd.min.js"


def render(title: str, kicker: str, name: str, lead: str, footer: str, sections: Sequence[Section]) -> str:
    """A page; every text of it is escaped, and its policy runs no script but the two that are its own.

    Parameters
    ----------
    title : str
        Of the window.
    kicker, name, lead, footer : str
        Above the heading, the heading, below it, and at the end.
    sections : sequence of Section

    Returns
    -------
    str
        HTML.
    """
    library, script = scripts()
    return _template().render(
        title=title,
        kicker=kicker,
        name=name,
        lead=lead,
        footer=footer,
        sections=sections,
        style=_trusted((HERE / "style.css").read_text(encoding="utf-8")),
        library=_trusted(library),
        script=_trusted(script),
        policy=policy(library, script),
    )


@cache
def scripts() -> tuple[str, str]:
    """Chart.js, without the pointer to a file that is not here, and what draws with it and moves the threshold."""
    library = LIBRARY.read_text(encoding="utf-8").split("\n//# sourceMappingURL=")[0]
    return library, "".join((HERE / name).read_text(encoding="utf-8") for name in ("charts.js", "threshold.js"))


def policy(*allowed: str) -> str:
    """A content security policy: nothing is fetched, no script runs but these."""
    hashes = (base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in allowed)
    scripts = " ".join(f"'sha256-{digest}'" for digest in hashes)
    styles = "img-src data:; style-src 'unsafe-inline'"
    return f"default-src 'none'; {styles}; script-src {scripts}; base-uri 'none'; form-action 'none'"


def embedded(values: Any) -> Any:
    """JSON that ends no script, whatever stands in it."""
    text = json.dumps(values, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return _trusted(text)


@cache
def _template():
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(HERE), autoescape=True, undefined=StrictUndefined, trim_blocks=True, auto_reload=False
    )
    environment.filters["embedded"] = embedded
    return environment.get_template("template.html")


def _trusted(text: str):
    from markupsafe import Markup

    return Markup(text)
