"""Model training for a bank: see README.md."""

import os

# Before any library loads: threads that wait for one another by spinning take the core from those that work, forty times over
# where another program is busy. GNU's OpenMP, which all of our libraries use, reads this once.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def __getattr__(name: str):
    """What other programs may import from here; read when it is asked for."""
    if name == "draft_use_case":
        from src.drafts import draft_use_case

        return draft_use_case
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
