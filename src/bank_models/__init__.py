"""Model training for a bank: see README.md.

The steps of a run are functions here, which import nothing until they are used: see `bank_models.pipeline.interactive`.
"""

import os

# Before any library loads: threads that wait for one another by spinning take the core from those that work, forty times over
# where another program is busy. GNU's OpenMP, which all of our libraries use, reads this once.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

HOME_OF = {
    **dict.fromkeys(
        ("load_config", "load_table", "split", "make_recipe", "tune", "cross_validate", "fit", "evaluate"),
        "bank_models.pipeline.interactive",
    ),
    "load_model": "bank_models.predict",
    "draft_use_case": "bank_models.drafts",
}
__all__ = list(HOME_OF)


def __getattr__(name: str):
    """Import a function of the public API when it is first asked for (PEP 562)."""
    if name not in HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(HOME_OF[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *HOME_OF})
