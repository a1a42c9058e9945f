"""Names of our commands as one types them here: `python -m src.train` in a checkout, `bank-models train` elsewhere."""

from __future__ import annotations

import re
from importlib.util import find_spec
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[1] / "__init__.py"  # `src`, which no wheel holds
TYPED = re.compile(r"python -m src\.(\w+)")
EXTRA = re.compile(r"make setup EXTRAS=(\w+)")


def is_in_checkout() -> bool:
    """Whether `python -m src.train`, typed here, would run this code."""
    found = find_spec("src")
    return found is not None and found.origin == str(CHECKOUT)


def as_typed(text: str) -> str:
    """A text whose commands can be typed here; in the source they are those of a checkout.

    Parameters
    ----------
    text : str
        A message or a help text.
    """
    if is_in_checkout():
        return text
    text = EXTRA.sub(r'pip install "bank-models[\1]"', text)
    return TYPED.sub(lambda found: f"bank-models {found[1].replace('_', '-')}", text)


def command_of(module: str) -> str:
    """How one types here what `python -m` would run."""
    return as_typed(f"python -m {re.sub('^bank_models[.]', 'src.', module)}")


def module_of(command: str) -> str:
    """What `python -m` takes in a process that begins where this one is."""
    return f"{'src' if is_in_checkout() else 'bank_models'}.{command}"
